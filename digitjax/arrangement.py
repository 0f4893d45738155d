"""How the strokes of a line lie: the runs that may be digits, and the qualities of their boxes.

Of these `digitjax.grouping` chooses. Pure NumPy; lengths are in heights of the line unless said otherwise.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

MAX_STROKES = 4
"""Strokes of one digit at most."""
MAX_GAP = 0.3
"""Empty width inside a group at most, in heights of the line."""
MAX_DEEP = 0.5
"""How much depth counts at most."""
MOST = 1.0
"""Of a width above 0.8, an overlap and uneven feet, in heights of the line, what counts at most."""


def stroke_boxes(strokes: Sequence[Float[np.ndarray, "_ 2"]]) -> Float[np.ndarray, "strokes 4"]:
    """Left, top, right, bottom of each stroke."""
    points = np.concatenate(strokes, dtype=np.float64)
    starts = np.cumsum([0, *map(len, strokes[:-1])])
    return np.concatenate([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)], axis=1)


def line_height(boxes: Float[np.ndarray, "strokes 4"]) -> float:
    """Height of the line's digits: the median over strokes at least half as high as the highest; above 0."""
    heights = boxes[:, 3] - boxes[:, 1]
    highest = float(heights.max())
    if highest <= 0:
        return float((boxes[:, 2] - boxes[:, 0]).max()) or 1.0
    return float(np.median(heights[heights >= highest / 2]))


class Runs(NamedTuple):
    """Runs of strokes: `start`, `stop` and `boxes` as in `grouping.Groups`.

    Attributes:
        deep: how far the strokes reach into each other, where that is least; below 0 they have a gap.
        span: strokes written from the run's first to its last.
        second: height of the second highest stroke, in heights of the line; 0 of a stroke alone.
    """

    start: Int[np.ndarray, " runs"]
    stop: Int[np.ndarray, " runs"]
    boxes: Float[np.ndarray, "runs 4"]
    deep: Float[np.ndarray, " runs"]
    span: Int[np.ndarray, " runs"]
    second: Float[np.ndarray, " runs"]


def find_runs(
    boxes: Float[np.ndarray, "strokes 4"], times: Int[np.ndarray, " strokes"], height: float
) -> Runs:
    """The runs that may be digits.

    Args:
        boxes: of the strokes from left to right.
        times: places of the strokes in the order of writing.
        height: of the line's digits.
    """
    count = len(boxes)
    high = (boxes[:, 3] - boxes[:, 1]) / height
    box, deep, first, last = boxes, np.full(count, MAX_DEEP), times, times
    highest, second = high, np.zeros(count)
    found = []
    for length in range(1, min(MAX_STROKES, count) + 1):
        if length > 1:
            new, box = boxes[length - 1 :], box[:-1]
            deep = np.minimum(deep[:-1], np.minimum(box[:, 2] - new[:, 0], new[:, 2] - box[:, 0]) / height)
            box = np.concatenate([np.minimum(box[:, :2], new[:, :2]), np.maximum(box[:, 2:], new[:, 2:])], 1)
            first = np.minimum(first[:-1], times[length - 1 :])
            last = np.maximum(last[:-1], times[length - 1 :])
            second = np.maximum(second[:-1], np.minimum(highest[:-1], high[length - 1 :]))
            highest = np.maximum(highest[:-1], high[length - 1 :])
        start = np.arange(len(box))
        found.append(Runs(start, start + length, box, deep, last - first + 1, second))
    runs = Runs(*(np.concatenate(each) for each in zip(*found, strict=True)))
    possible = np.flatnonzero(runs.deep >= -MAX_GAP)
    by_place = possible[np.lexsort((runs.stop[possible], runs.start[possible]))]
    return Runs(*(each[by_place] for each in runs))


def run_qualities(runs: Runs, height: float) -> Float[np.ndarray, "runs 9"]:
    """Qualities of runs, as `grouping.SHAPE` weighs them."""
    long = runs.stop - runs.start
    high = (runs.boxes[:, 3] - runs.boxes[:, 1]) / height
    wide = (runs.boxes[:, 2] - runs.boxes[:, 0]) / height
    return np.column_stack(
        [
            np.where(long > 1, np.maximum(runs.deep, 0.0), 0.0),
            np.maximum(-runs.deep, 0.0),
            np.maximum(0.8 - high, 0.0),
            np.maximum(high - 1.2, 0.0),
            np.clip(wide - 0.4, 0.0, MOST),
            np.clip(wide - 0.8, 0.0, MOST),
            np.minimum(runs.second, 0.5),
            np.maximum(runs.second - 0.5, 0.0),
            runs.span > long,
        ]
    )


def find_pairs(
    start: Int[np.ndarray, " groups"], stop: Int[np.ndarray, " groups"]
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """The groups that begin where another ends, by the right one, then by the left one."""
    ends = np.argsort(stop, kind="stable")
    low, high = np.searchsorted(stop[ends], start, "left"), np.searchsorted(stop[ends], start, "right")
    after = np.repeat(np.arange(len(start)), high - low)
    offset = np.arange(len(after)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    return ends[low[after] + offset], after


def pair_qualities(
    left: Float[np.ndarray, "pairs 4"], right: Float[np.ndarray, "pairs 4"], height: float
) -> Float[np.ndarray, "pairs 3"]:
    """Qualities of neighbours by their boxes."""
    overlap = np.clip((left[:, 2] - right[:, 0]) / height, 0.0, MOST)
    uneven = np.minimum(np.abs(left[:, 3] - right[:, 3]) / height, MOST)
    return np.column_stack([overlap, overlap**2, uneven])
