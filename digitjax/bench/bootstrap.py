"""How sure an accuracy is: percentile bootstrap over writers, for drawings of one hand are not independent.

B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. Where nothing is
wrong, nothing is wrong in any resample either: 100 to 100 % says that the data cannot tell.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

RESAMPLES = 2000
"""Resamples that an interval is taken from."""
LEVEL = 0.95
"""Part of the resamples inside an interval."""
SEED = 0
"""Of the resampling: the same data gives the same intervals."""
WORST_PART = 0.1
"""Part of the writers who are read worst."""

_AT_ONCE = 2**22


class Estimate(NamedTuple):
    """A measured fraction and its interval at `LEVEL`."""

    value: float
    low: float
    high: float


class Estimates(NamedTuple):
    """Accuracy of some drawings of digits.

    Attributes:
        accuracy: over all drawings.
        digits: over those of each digit, None where there are none.
        mean_over_writers: each writer counting once; None for fewer than two writers.
        worst_tenth: the mean of the tenth of the writers (rounded up) with the lowest accuracies; likewise.
        resampled: "writers", or "drawings" for fewer than two writers.
    """

    accuracy: Estimate
    digits: tuple[Estimate | None, ...]
    mean_over_writers: Estimate | None
    worst_tenth: Estimate | None
    resampled: str


def estimate(
    labels: Int[np.ndarray, " n"], right: Bool[np.ndarray, " n"], writers: Int[np.ndarray, " n"]
) -> Estimates:
    """Accuracies with their intervals; writers are resampled whole, drawings of nobody known one by one.

    Args:
        labels: digits, 0 to 9; at least one.
        right: which are read as what they are.
        writers: number of each drawing's writer, -1 where it is not known.
    """
    names = np.unique(writers[writers >= 0])
    clustered = len(names) > 1
    known = writers >= 0 if clustered else np.zeros(len(labels), bool)
    whole, part = _cells(labels[known], np.searchsorted(names, writers[known]), right[known], len(names))
    loose, loose_part = _cells(labels[~known], np.zeros((~known).sum(), int), right[~known], 1)
    per_writer = part.sum(1) / whole.sum(1) if clustered else np.zeros(0)
    rng = np.random.default_rng(SEED)
    counts, hits, means, worst = [], [], [], []
    size = max(1, _AT_ONCE // max(1, len(names)))
    for start in range(0, RESAMPLES, size):
        rows = min(size, RESAMPLES - start)
        drawn, drawn_right = _loose(rng, loose[0], loose_part[0], rows)
        if clustered:
            times = _times(rng, len(names), rows)
            drawn, drawn_right = drawn + times @ whole, drawn_right + times @ part
            means.append(times @ per_writer / len(names))
            worst.append(_worst(per_writer, times))
        counts.append(drawn)
        hits.append(drawn_right)
    count, hit = np.concatenate(counts), np.concatenate(hits)
    digits = tuple(
        _interval(float(right[labels == d].mean()), _ratio(hit[:, d], count[:, d]))
        if (labels == d).any()
        else None
        for d in range(10)
    )
    return Estimates(
        accuracy=_interval(float(right.mean()), _ratio(hit.sum(1), count.sum(1))),
        digits=digits,
        mean_over_writers=_interval(float(per_writer.mean()), np.concatenate(means)) if clustered else None,
        worst_tenth=_interval(worst_mean(per_writer), np.concatenate(worst)) if clustered else None,
        resampled="writers" if clustered else "drawings",
    )


def estimate_each(right: Int[np.ndarray, " w"], counts: Int[np.ndarray, " w"]) -> list[Estimate]:
    """The accuracy of each writer, whose own drawings are resampled.

    Args:
        right: drawings of each writer that are read right.
        counts: drawings of each, at least one.
    """
    rng, found = np.random.default_rng(SEED), []
    size = max(1, _AT_ONCE // RESAMPLES)
    for start in range(0, len(counts), size):
        n, p = counts[start : start + size], right[start : start + size] / counts[start : start + size]
        resampled = rng.binomial(n, p, (RESAMPLES, len(n))) / n
        found += [_interval(float(value), column) for value, column in zip(p, resampled.T, strict=True)]
    return found


def worst_mean(accuracies: Float[np.ndarray, " w"]) -> float:
    """Mean of the lowest tenth of the accuracies, rounded up to whole writers; at least one."""
    return float(np.sort(accuracies)[: _tenth(len(accuracies))].mean())


def _tenth(writers: int) -> int:
    return int(np.ceil(writers * WORST_PART - 1e-9))


def _cells(
    labels: Int[np.ndarray, " n"], groups: Int[np.ndarray, " n"], right: Bool[np.ndarray, " n"], size: int
) -> tuple[Float[np.ndarray, "groups 10"], Float[np.ndarray, "groups 10"]]:
    """Drawings of each group and digit, and those of them that are read right."""
    cells = groups * 10 + labels
    return tuple(
        np.bincount(chosen, minlength=10 * size).astype(float).reshape(size, 10)
        for chosen in (cells, cells[right])
    )  # pyright: ignore[reportReturnType]


def _loose(
    rng: np.random.Generator,
    counts: Float[np.ndarray, " 10"],
    right: Float[np.ndarray, " 10"],
    rows: int,
) -> tuple[Float[np.ndarray, "rows 10"], Float[np.ndarray, "rows 10"]]:
    """Resamples of drawings one by one: how often each kind comes up is multinomial."""
    total = int(counts.sum())
    kinds = np.concatenate([right, counts - right]) / max(total, 1)
    drawn = rng.multinomial(total, kinds, rows).astype(float) if total else np.zeros((rows, 20))
    return drawn[:, :10] + drawn[:, 10:], drawn[:, :10]


def _times(rng: np.random.Generator, writers: int, rows: int) -> Float[np.ndarray, "rows writers"]:
    """How often each writer is in each resample of as many writers."""
    chosen = rng.integers(0, writers, (rows, writers)) + writers * np.arange(rows)[:, None]
    return np.bincount(chosen.ravel(), minlength=rows * writers).reshape(rows, writers).astype(float)


def _worst(
    accuracies: Float[np.ndarray, " writers"], times: Float[np.ndarray, "rows writers"]
) -> Float[np.ndarray, " rows"]:
    """`worst_mean` of each resample, without sorting each."""
    order = np.argsort(accuracies, kind="stable")
    times, size = times[:, order], _tenth(len(accuracies))
    before = np.cumsum(times, axis=1) - times
    return np.clip(size - before, 0, times) @ accuracies[order] / size


def _ratio(
    hits: Float[np.ndarray, " rows"], counts: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, " some"]:
    """Accuracy in each resample that has such drawings at all."""
    return hits[counts > 0] / counts[counts > 0]


def _interval(value: float, resampled: Float[np.ndarray, " rows"]) -> Estimate:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))
