"""Which strokes of a line of digits are one digit: the groups to be read, and the best way to share the ink.

Strokes are ordered by the middle of their boxes and not by time, so that one that comes late, as the bar
of a 7, stands where its digit is. A group is a run of at most `MAX_STROKES` of them. A network reads every
group, and dynamic programming finds the runs that cover each stroke once with the highest sum of scores, as
in a semi-Markov model (Sarawagi and Cohen, NIPS 2004). Pure NumPy; no pixel and no contour is looked at.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

MAX_STROKES = 4
"""Strokes of one digit at most."""
MAX_GAP = 0.3
"""Empty width inside a group at most, in heights of the line."""
MAX_WIDTH, MAX_DEEP = 1.8, 0.5
"""Width of a group of several strokes at most, beside twice its depth; and how much depth counts at most."""
SPARE = 10
"""Groups of several strokes that are kept, the narrowest and deepest: so many, and one for two strokes."""
MOST_ODDS = 10.0
"""Log-odds, and negative log-probability, beyond which a network's answer counts no more."""
UNSAID = 5.0
"""Log-odds of being a digit that are taken where the network does not say."""


class Weights(NamedTuple):
    """What each quality of a group is multiplied by in its score. Lengths are in heights of the line.

    Attributes:
        other: logarithm of the probability of being no digit.
        sure: logarithm of the likeliest digit's probability.
        group: one for each group.
        deep: how far its strokes reach into each other, where that is least; 0 to `MAX_DEEP`.
        small: height below 0.8.
        tall: height above 1.2.
        late: one where strokes of other groups were written between its own.
    """

    other: float
    sure: float
    group: float
    deep: float
    small: float
    tall: float
    late: float


WEIGHTS = Weights(other=-0.51, sure=2.37, group=-2.89, deep=5.96, small=-6.63, tall=2.16, late=-0.74)
"""As `python -m digitjax.bench.fit_grouping` printed them for the pen digits and UNIPEN, 2026-11-26."""


class Groups(NamedTuple):
    """Candidates for digits: runs of strokes from left to right, by their first stroke, then by their length.

    Attributes:
        order: indices of the strokes from left to right.
        start: place in `order` of each group's first stroke.
        stop: place behind its last one.
        boxes: left, top, right, bottom of each group in the ink's own unit.
        shape: the part of each group's score that its strokes' boxes give.
    """

    order: Int[np.ndarray, " strokes"]
    start: Int[np.ndarray, " groups"]
    stop: Int[np.ndarray, " groups"]
    boxes: Float[np.ndarray, "groups 4"]
    shape: Float[np.ndarray, " groups"]

    def strokes(self, group: int) -> tuple[int, ...]:
        """Indices of a group's strokes in the order of writing."""
        return tuple(sorted(self.order[self.start[group] : self.stop[group]].tolist()))


def find_groups(strokes: Sequence[Float[np.ndarray, "_ 2"]], weights: Weights = WEIGHTS) -> Groups:
    """The groups that may be digits; every stroke alone is one.

    Args:
        strokes: (x, y) points of each, at least one point, any unit, y down.
        weights: of the boxes' qualities.
    """
    if not strokes:
        nothing = np.zeros(0, np.int64)
        return Groups(nothing, nothing, nothing, np.zeros((0, 4)), np.zeros(0))
    boxes = np.array([[*stroke.min(axis=0), *stroke.max(axis=0)] for stroke in strokes], np.float64)
    _, exponent = math.frexp(float(np.abs(boxes).max()))
    unit = np.ldexp(boxes, -exponent)  # so that no sum or difference overflows
    order = np.argsort(unit[:, 0] + unit[:, 2], kind="stable")
    height = line_height(unit)
    rows = unit[order].tolist()
    found: list[tuple[float, int, int, tuple[float, float, float, float], float]] = []
    for start in range(len(rows)):
        left, top, right, bottom = rows[start]
        deep = math.inf
        for stop in range(start + 1, min(start + MAX_STROKES, len(rows)) + 1):
            loose, reach = -math.inf, 0.0
            if stop > start + 1:
                x0, y0, x1, y1 = rows[stop - 1]
                deep = min(deep, (right - x0) / height, (x1 - left) / height)
                left, top, right, bottom = min(left, x0), min(top, y0), max(right, x1), max(bottom, y1)
                reach = min(max(deep, 0.0), MAX_DEEP)
                loose = (right - left) / height - 2 * reach
                if deep < -MAX_GAP or loose > MAX_WIDTH:
                    break
            times = order[start:stop]
            high = (bottom - top) / height
            shape = (
                weights.group
                + weights.deep * reach
                + weights.small * max(0.8 - high, 0.0)
                + weights.tall * max(high - 1.2, 0.0)
                + weights.late * float(times.max() - times.min() >= stop - start)
            )
            found.append((loose, start, stop, (left, top, right, bottom), shape))
    most = len(rows) + len(rows) // 2 + SPARE
    found = sorted(sorted(found)[:most], key=lambda one: one[1:3])
    _, starts, stops, where, shape = zip(*found, strict=True)
    return Groups(
        order, np.array(starts), np.array(stops), np.ldexp(np.array(where), exponent), np.array(shape)
    )


def line_height(boxes: Float[np.ndarray, "strokes 4"]) -> float:
    """Height of the line's digits: the median over strokes at least half as high as the highest; above 0."""
    heights = boxes[:, 3] - boxes[:, 1]
    highest = float(heights.max())
    if highest <= 0:
        return float((boxes[:, 2] - boxes[:, 0]).max()) or 1.0
    return float(np.median(heights[heights >= highest / 2]))


def score(
    groups: Groups,
    log_p: Float[np.ndarray, "groups 10"],
    is_digit: Float[np.ndarray, " groups"] | None,
    weights: Weights = WEIGHTS,
) -> Float[np.ndarray, " groups"]:
    """How well each group passes for one digit; only differences between whole sums mean something.

    Args:
        groups: from `find_groups` with the same weights.
        log_p: log-probabilities of the ten digits, given that it is one.
        is_digit: log-odds of being a digit; None where the network does not say.
        weights: of the answers' qualities.
    """
    odds = np.full(len(log_p), UNSAID) if is_digit is None else np.clip(is_digit, -MOST_ODDS, MOST_ODDS)
    sure = np.maximum(log_p.max(axis=1), -MOST_ODDS)
    return groups.shape + weights.other * -np.logaddexp(0.0, odds) + weights.sure * sure


def choose(groups: Groups, scores: Float[np.ndarray, " groups"]) -> list[int]:
    """The groups, from left to right, that cover every stroke once with the highest sum of scores.

    Of equal sums the one whose last group is shorter is taken.
    """
    count = len(groups.order)
    best, last = np.full(count + 1, -np.inf), np.zeros(count + 1, np.int64)
    best[0] = 0.0
    ends = np.lexsort((-groups.start, groups.stop))
    for group in ends.tolist():
        start, stop = groups.start[group], groups.stop[group]
        if best[start] + scores[group] > best[stop]:
            best[stop], last[stop] = best[start] + scores[group], group
    chosen, stop = [], count
    while stop:
        chosen.append(int(last[stop]))
        stop = int(groups.start[last[stop]])
    return chosen[::-1]
