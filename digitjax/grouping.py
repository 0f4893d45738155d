"""Which strokes of a line of digits are one digit: the groups to be read, and the best way to share the ink.

Strokes are ordered by the middle of their boxes and not by time, so that one that comes late, as the bar
of a 7, stands where its digit is. A group is a run of at most four of them. Dynamic programming
finds the runs that cover each stroke once with the highest sum of scores, of groups and of neighbours, as in
a semi-Markov model (Sarawagi and Cohen, NIPS 2004): first by their boxes alone, which leaves few groups to be
read, as a coarse grammar leaves a fine one few (Charniak et al., ACL 2006); then by what a network reads in
them, too. Pure NumPy; no pixel and no contour is looked at.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from digitjax.arrangement import (
    find_pairs,
    find_runs,
    line_height,
    pair_qualities,
    run_qualities,
    stroke_boxes,
)
from digitjax.errors import InputError

SPECK = 0.2
"""Of the line's height: ink that is neither higher nor wider is a dot, which normalised looks like a 1."""
MARGIN = 5.0
"""How much worse than the best the ways of sharing out the strokes may be that a group is needed for, by the
boxes alone. Of the validation writers' numbers it loses as few digits as 6 does, and 4 loses more."""
MOST_ODDS = 10.0
"""Log-odds, and negative log-probability, beyond which a network's answer counts no more."""
UNSAID = 5.0
"""Log-odds of being a digit that are taken where the network does not say."""


class Weights(NamedTuple):
    """What each quality of a group, or of two neighbours, is multiplied by. Lengths are in line heights.

    Attributes:
        other: logarithm of the probability of being no digit, negative.
        sure: logarithm of the likeliest digit's probability.
        deep: how far its strokes reach into each other, where that is least; 0 to `arrangement.MAX_DEEP`.
        gap: empty width inside it, where that is most.
        small: height below 0.8.
        tall: height above 1.2.
        broad: width above 0.4.
        wide: width above 0.8.
        second: height of its second highest stroke, up to 0.5.
        twice: the same above 0.5: few digits have two high strokes.
        late: one where strokes of other groups were written between its own.
        overlap: how far the box of the next group begins before this one's ends.
        cramped: the square of that.
        uneven: how much higher or lower the next group's foot is.
        digit: one, by the likeliest digit: a piece of a digit often looks like a 1, hardly ever like an 8.
        strokes: strokes beyond the first, by the likeliest digit.
    """

    other: float
    sure: float
    deep: float
    gap: float
    small: float
    tall: float
    broad: float
    wide: float
    second: float
    twice: float
    late: float
    overlap: float
    cramped: float
    uneven: float
    digit: tuple[float, ...]
    strokes: tuple[float, ...]

    def vector(self) -> Float[np.ndarray, " weights"]:
        """All of them in order, `digit` and `strokes` by digit."""
        return np.array([*self[:-2], *self.digit, *self.strokes])


BY_BOXES = Weights(
    other=0.0,
    sure=0.0,
    deep=4.38,
    gap=-4.88,
    small=-6.28,
    tall=1.32,
    broad=0.29,
    wide=-9.05,
    second=6.27,
    twice=-12.61,
    late=0.0,
    overlap=1.83,
    cramped=-16.79,
    uneven=-11.60,
    digit=(1.83,) * 10,
    strokes=(-1.83,) * 10,
)
"""Before anything is read. The order of writing does not count: what comes late is to be read, too."""
WEIGHTS = Weights(
    other=0.70,
    sure=6.19,
    deep=3.36,
    gap=-1.95,
    small=-0.63,
    tall=-0.10,
    broad=-0.15,
    wide=-1.83,
    second=2.34,
    twice=-3.51,
    late=-1.72,
    overlap=-4.65,
    cramped=-4.57,
    uneven=-2.64,
    digit=(-0.04, -0.73, -1.08, 0.51, 0.82, -0.60, -0.20, -2.02, 0.30, 0.82),
    strokes=(1.60, 0.71, -2.11, -0.07, 1.38, 0.92, -1.05, 0.80, 1.09, -1.05),
)
"""Afterwards. Both as `python -m digitjax.bench.fit_grouping` printed them for the pen digits and UNIPEN,
2026-11-26, with the network that came along then; fitted anew to the next one they read no number better."""
SHAPE = slice(2, 11)
"""The weights of qualities that the boxes and the order of writing give each group."""
BESIDE = slice(11, 14)
"""The weights of qualities of neighbours."""


class Groups(NamedTuple):
    """Candidates for digits: runs of strokes from left to right, by their first stroke, then by their length.

    Attributes:
        order: indices of the strokes from left to right.
        start: place in `order` of each group's first stroke.
        stop: place behind its last one.
        boxes: left, top, right, bottom of each group in the ink's own unit.
        shape: qualities of each group that need no reading, as `SHAPE` weighs them.
        before: of each pair of groups that may be neighbours the left one; pairs are by the right one.
        after: the right one.
        beside: qualities of each pair, as `BESIDE` weighs them.
        speck: whether each group is too small to be a digit of this line.
    """

    order: Int[np.ndarray, " strokes"]
    start: Int[np.ndarray, " groups"]
    stop: Int[np.ndarray, " groups"]
    boxes: Float[np.ndarray, "groups 4"]
    shape: Float[np.ndarray, "groups 9"]
    before: Int[np.ndarray, " pairs"]
    after: Int[np.ndarray, " pairs"]
    beside: Float[np.ndarray, "pairs 3"]
    speck: Bool[np.ndarray, " groups"]

    def strokes(self, group: int) -> tuple[int, ...]:
        """Indices of a group's strokes in the order of writing."""
        return tuple(sorted(self.order[self.start[group] : self.stop[group]].tolist()))

    def all_strokes(self) -> list[tuple[int, ...]]:
        """Those of every group."""
        order = self.order.tolist()
        runs = zip(self.start.tolist(), self.stop.tolist(), strict=True)
        return [tuple(sorted(order[start:stop])) for start, stop in runs]


class Scores(NamedTuple):
    """How well groups pass for digits; only differences between whole sums mean something.

    Attributes:
        groups: of each by itself.
        pairs: what is added where two are neighbours.
    """

    groups: Float[np.ndarray, " groups"]
    pairs: Float[np.ndarray, " pairs"]


def find_groups(
    strokes: Sequence[Float[np.ndarray, "_ 2"]], *, margin: float = MARGIN, by_boxes: Weights = BY_BOXES
) -> Groups:
    """The groups that may be digits, by their strokes' boxes; some of them cover every stroke once.

    Args:
        strokes: (x, y) points of each, at least one point, any unit, y down.
        margin: how much worse than the best cover those may be that a group is needed for.
        by_boxes: weights of the qualities, before anything is read.

    Raises:
        InputError: a coordinate is not finite.
    """
    if not strokes:
        none, pairs, never = np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0, bool)
        return Groups(none, none, none, np.zeros((0, 4)), np.zeros((0, 9)), none, none, pairs, never)
    boxes = stroke_boxes(strokes)
    if not np.isfinite(boxes).all():
        raise InputError("a coordinate of the ink is not finite: give finite numbers")
    _, exponent = math.frexp(float(np.abs(boxes).max()))
    unit = np.ldexp(boxes, -exponent)  # so that no sum or difference overflows
    order = np.argsort(unit[:, 0] + unit[:, 2], kind="stable")
    height = line_height(unit)
    runs = find_runs(unit[order], order, height)
    before, after = find_pairs(runs.start, runs.stop)
    of_pairs = pair_qualities(runs.boxes[before], runs.boxes[after], height)
    boxes = np.ldexp(runs.boxes, exponent)
    specks = (runs.boxes[:, 2:] - runs.boxes[:, :2]).max(axis=1) < SPECK * height
    own = run_qualities(runs, height)
    groups = Groups(order, runs.start, runs.stop, boxes, own, before, after, of_pairs, specks)
    return _within(groups, score(groups, None, None, by_boxes), margin)


def qualities(
    groups: Groups,
    log_p: Float[np.ndarray, "groups 10"] | None,
    is_digit: Float[np.ndarray, " groups"] | None,
) -> tuple[Float[np.ndarray, "groups weights"], Float[np.ndarray, "pairs weights"]]:
    """What `Weights.vector` multiplies, of each group and of each pair.

    Args:
        groups: from `find_groups`.
        log_p: log-probabilities of the ten digits, given that it is one; None before it is read: then each
            digit is as likely as another.
        is_digit: log-odds of being a digit; None where the network does not say.
    """
    count = len(groups.start)
    odds = np.full(count, UNSAID) if is_digit is None else np.clip(is_digit, -MOST_ODDS, MOST_ODDS)
    read, likeliest = np.zeros((count, 2)), np.full((count, 10), 0.1)
    if log_p is not None:
        read = np.column_stack([np.logaddexp(0.0, odds), np.maximum(log_p.max(axis=1), -MOST_ODDS)])
        likeliest = np.eye(10)[log_p.argmax(axis=1)]
    more = likeliest * (groups.stop - groups.start - 1)[:, None]
    own = np.column_stack([read, groups.shape, np.zeros((count, 3)), likeliest, more])
    pairs = np.zeros((len(groups.before), own.shape[1]))
    pairs[:, BESIDE] = groups.beside
    return own, pairs


def score(
    groups: Groups,
    log_p: Float[np.ndarray, "groups 10"] | None,
    is_digit: Float[np.ndarray, " groups"] | None,
    weights: Weights = WEIGHTS,
) -> Scores:
    """How well each group passes for one digit, and each pair for neighbours.

    Args:
        groups, log_p, is_digit: as for `qualities`.
        weights: of the qualities.
    """
    own, pairs = qualities(groups, log_p, is_digit)
    vector = weights.vector()
    return Scores(own @ vector, pairs @ vector)


def choose(groups: Groups, scores: Scores) -> list[int]:
    """The groups, from left to right, that cover every stroke once with the highest sum of scores.

    Of equal sums the one whose last group is shorter is taken, and so on to the left.
    """
    best, left = _ahead(groups, scores)
    ends = np.flatnonzero(groups.stop == len(groups.order)).tolist()
    group = max(ends, key=lambda end: (best[end], end), default=-1)
    chosen = []
    while group >= 0:
        chosen.append(group)
        group = left[group]
    return chosen[::-1]


def _ahead(groups: Groups, scores: Scores) -> tuple[list[float], list[int]]:
    """The highest sum of each group and of what covers all to its left; its left neighbour in it, or -1."""
    worth = scores.groups.tolist()
    best = [own if begin == 0 else -math.inf for own, begin in zip(worth, groups.start.tolist(), strict=True)]
    left = [-1] * len(best)
    for before, after, beside in _by_right(groups, scores):
        whole = best[before] + beside + worth[after]
        if whole >= best[after]:
            best[after], left[after] = whole, before
    return best, left


def _by_right(groups: Groups, scores: Scores) -> list[tuple[int, int, float]]:
    """Each pair with its score."""
    return list(zip(groups.before.tolist(), groups.after.tolist(), scores.pairs.tolist(), strict=True))


def _within(groups: Groups, scores: Scores, margin: float) -> Groups:
    """The groups of the covers whose sum is within a margin of the best one's."""
    best, _ = _ahead(groups, scores)
    worth = scores.groups.tolist()
    rest = [0.0 if stop == len(groups.order) else -math.inf for stop in groups.stop.tolist()]
    for before, after, beside in reversed(_by_right(groups, scores)):
        rest[before] = max(rest[before], beside + worth[after] + rest[after])
    whole = np.add(best, rest)
    kept = whole >= whole.max() - margin
    place = np.cumsum(kept) - 1
    sides = kept[groups.before] & kept[groups.after]
    return Groups(
        groups.order,
        groups.start[kept],
        groups.stop[kept],
        groups.boxes[kept],
        groups.shape[kept],
        place[groups.before[sides]],
        place[groups.after[sides]],
        groups.beside[sides],
        groups.speck[kept],
    )
