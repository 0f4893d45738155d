"""Whether odds can be believed: reliability, and how the risk falls when the least sure answers are withheld.

Pure NumPy in float64; everything is a function of how sure each answer was and whether it was right.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

BINS = 15
"""Bins of equal width of the reliability diagram and of the expected calibration error."""

COVERAGE = 0.99
"""Part of the digits that is answered where `risk_at` is quoted."""

SURE = 0.8
"""Probability from which an answer is given without a second one."""

THRESHOLD = 0.5
"""Probability of being a digit from which a network with that head answers: calibration moves it there."""

REFUSED = "not a digit"
"""The answer below it."""


class Reliability(NamedTuple):
    """How often answers of each confidence are right (DeGroot and Fienberg, The Statistician 32, 1983).

    Attributes:
        counts: answers in each bin.
        confidence: their mean probability; 0 where there is none.
        accuracy: the part of them that is right; 0 where there is none.
    """

    counts: Int[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]

    @property
    def error(self) -> float:
        """The expected calibration error (Guo et al., arXiv:1706.04599, eq. 3)."""
        gap = self.counts * np.abs(self.accuracy - self.confidence)
        return float(gap.sum() / self.counts.sum())


class Doubts(NamedTuple):
    """The digits whose likeliest answer has less than `SURE`, so that a second one is named.

    Attributes:
        n: how many.
        right: the part of them whose likeliest answer is right.
        either: the part that is one of the two likeliest.
        pair: the two that are named together most often, the smaller first.
        times: how often.
        odds: mean probabilities of the two then.
    """

    n: int
    right: float
    either: float
    pair: tuple[int, int]
    times: int
    odds: tuple[float, float]


def sigmoid(logits: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Probabilities of log-odds; never overflows."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def log_softmax(logits: Float[np.ndarray, "n 10"]) -> Float[np.ndarray, "n 10"]:
    """Log-probabilities of the ten digits, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def reliability(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = BINS
) -> Reliability:
    """Answers by their confidence, in bins that are open below and closed above.

    Args:
        confidence: probability of each answer, 0 to 1.
        right: which answers are right.
        bins: of equal width from 0 to 1.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=w, minlength=bins) for w in (confidence, right))
    mean_confidence, accuracy = (total / np.maximum(counts, 1) for total in sums)
    return Reliability(counts, mean_confidence, accuracy)


def risk_by_coverage(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
    """The part that is answered when only the surest are, and the part of those answers that is wrong.

    Answers that are equally sure come together. R. El-Yaniv and Y. Wiener, JMLR 11, 2010.

    Returns:
        Coverage, rising to 1, and the risk at each.
    """
    levels, place = np.unique(-confidence, return_inverse=True)
    answered = np.cumsum(np.bincount(place, minlength=len(levels)))
    wrong = np.cumsum(np.bincount(place, weights=~right, minlength=len(levels)))
    return answered / len(confidence), wrong / answered


def risk_at(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], coverage: float = COVERAGE
) -> float:
    """The part that is wrong of the surest `coverage` of the answers; ties share their errors evenly."""
    answered, risk = risk_by_coverage(confidence, right)
    wrong = np.interp(coverage, np.append(0.0, answered), np.append(0.0, answered * risk))
    return float(wrong / coverage)


def doubts(log_p: Float[np.ndarray, "n 10"], labels: Int[np.ndarray, " n"]) -> Doubts | None:
    """Where two digits are both likely; None where nothing is in doubt.

    Args:
        log_p: log-probabilities of the ten digits.
        labels: what each is, 0 to 9.
    """
    p = np.exp(log_p)
    unsure = p.max(axis=1) < SURE
    if not unsure.any():
        return None
    p, labels = p[unsure], labels[unsure]
    second, first = np.argsort(p, axis=1, kind="stable")[:, -2:].T
    pairs = 10 * np.minimum(first, second) + np.maximum(first, second)
    low, high = divmod(int(np.bincount(pairs, minlength=100).argmax()), 10)
    together = pairs == 10 * low + high
    return Doubts(
        n=len(labels),
        right=float((first == labels).mean()),
        either=float(((first == labels) | (second == labels)).mean()),
        pair=(low, high),
        times=int(together.sum()),
        odds=(float(p[together, low].mean()), float(p[together, high].mean())),
    )
