"""Ink from a picture of a digit: its ink thinned to lines of one pixel, and those followed as strokes."""

import itertools
import math

import numpy as np
from jaxtyping import Bool, UInt8

from play.events import CANVAS

FINER = 84
"""Side to which a picture is enlarged before it is thinned."""
INK = 0.42
"""Part of the darkest pixel from which there is ink."""
SHORT = 5
"""Pixels of a branch that is no stroke of its own."""

Points = tuple[tuple[float, float], ...]


def trace(pixels: UInt8[np.ndarray, "side side"]) -> tuple[Points, ...]:
    """Strokes in canvas units of a picture, 0 paper to 255 ink."""
    times = max(1, FINER // pixels.shape[0])
    large = _enlarged(pixels.astype(float), times)
    skeleton = thin(large > INK * max(float(large.max()), 1.0))
    unit = CANVAS / (pixels.shape[0] * times)
    lines = [_smooth(line) for line in follow(skeleton)]
    return tuple(tuple(((x + 0.5) * unit, (y + 0.5) * unit) for y, x in line) for line in lines)


def thin(ink: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Lines of one pixel in the middle of the ink (Zhang and Suen, 1984, doi 10.1145/357994.358023)."""
    image = np.pad(ink, 1).astype(np.int8)
    while True:
        before = image.copy()
        for first in (True, False):
            ring = [np.roll(image, (-dy, -dx), (0, 1)) for dy, dx in _RING]
            count = sum(ring)
            turns = sum(((a == 0) & (b == 1)).astype(int) for a, b in itertools.pairwise([*ring, ring[0]]))
            north, east, south, west = ring[0], ring[2], ring[4], ring[6]
            if first:
                open_ = (north * east * south == 0) & (east * south * west == 0)
            else:
                open_ = (north * east * west == 0) & (north * south * west == 0)
            image[(image == 1) & (count >= 2) & (count <= 6) & (turns == 1) & open_] = 0
        if np.array_equal(image, before):
            return image[1:-1, 1:-1].astype(bool)


def follow(skeleton: Bool[np.ndarray, "rows columns"]) -> list[list[tuple[float, float]]]:
    """Lines of pixels (row, column): from the ends, straight on where ways part, until all are taken."""
    left = {(int(y), int(x)) for y, x in np.argwhere(skeleton)}
    whole = frozenset(left)
    lines: list[list[tuple[float, float]]] = []
    while left:
        ends = [place for place in left if len(_around(place, left)) == 1]
        start = min(ends or left)
        line = [start]
        left.discard(start)
        while ways := _around(line[-1], left):
            line.append(min(ways, key=lambda place: _bend(line, place)))
            left.discard(line[-1])
        before = [place for place in _around(start, whole) if place not in line and place not in left]
        after = [place for place in _around(line[-1], whole) if place not in line and place not in left]
        joined = [*before[:1], *line, *after[:1]]
        if len(line) > 2 and not after and math.dist(line[0], line[-1]) < 2:
            joined.append(line[0])  # a ring closes
        if len(line) >= SHORT or not lines:
            lines.append([(float(y), float(x)) for y, x in joined])
    return lines


_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The eight neighbours, clockwise from the north."""


def _around(place: tuple[int, int], among: set | frozenset) -> list[tuple[int, int]]:
    y, x = place
    return [(y + dy, x + dx) for dy, dx in _RING if (y + dy, x + dx) in among]


def _bend(line: list, place: tuple[int, int]) -> float:
    """How far a way turns away from the last pixels' direction; nearer pixels first where there is none."""
    y, x = line[-1]
    dy, dx = place[0] - y, place[1] - x
    if len(line) < 2:
        return math.hypot(dy, dx)
    back = line[max(0, len(line) - 5)]
    way = (y - back[0], x - back[1])
    return -(dy * way[0] + dx * way[1]) / (math.hypot(*way) * math.hypot(dy, dx) or 1.0)


def _enlarged(image: np.ndarray, times: int) -> np.ndarray:
    """Bilinear, so that the ink's edge is smooth."""
    side = image.shape[0]
    at = np.clip((np.arange(side * times) + 0.5) / times - 0.5, 0, side - 1)
    low = np.minimum(at.astype(int), max(side - 2, 0))
    part = at - low
    rows = image[low] * (1 - part)[:, None] + image[np.minimum(low + 1, side - 1)] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, np.minimum(low + 1, side - 1)] * part


def _smooth(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each point the mean of five, the ends kept."""
    if len(line) < 5:
        return line
    points = np.array([line[0], line[0], *line, line[-1], line[-1]])
    mean = np.mean([points[i : len(points) - 4 + i] for i in range(5)], axis=0)
    return [line[0], *((float(y), float(x)) for y, x in mean[1:-1:2]), line[-1]]
