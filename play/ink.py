"""Ink on the canvas as immutable strokes, and what the pen and the eraser do to it. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from play.events import CANVAS
from play.track import Track

MAX_POINTS = 100_000
"""Points of one drawing; what is drawn beyond is not taken (a file's line has a limit too)."""

HIGH = 0.5
"""Height that makes a group of strokes a digit beside another, in heights of the highest."""


class Stroke(NamedTuple):
    """Pen down to pen up.

    Attributes:
        points: x and y in canvas units, at least one; immutable.
        times: seconds of the program's clock, one a point, never falling; immutable.
    """

    points: Sequence[tuple[float, float]]
    times: Sequence[float]


Ink = tuple[Stroke, ...]


def clamp(x: float, y: float) -> tuple[float, float]:
    """The nearest place on the canvas."""
    return min(max(x, 0.0), CANVAS), min(max(y, 0.0), CANVAS)


def begin(ink: Ink, x: float, y: float, time: float) -> Ink:
    """Ink with a new stroke of one point."""
    return (*ink, Stroke(Track((clamp(x, y),)), Track((time,))))


def extend(ink: Ink, x: float, y: float, time: float) -> Ink:
    """Ink whose last stroke goes on to a point; the same ink where the pen has not moved."""
    points, times = ink[-1]
    point = clamp(x, y)
    if point == points[-1]:
        return ink
    if not isinstance(points, Track) or not isinstance(times, Track):
        points, times = Track(points), Track(times)
    return (*ink[:-1], Stroke(points.plus(point), times.plus(max(time, times[-1]))))


def count_points(ink: Ink) -> int:
    """Points of all strokes."""
    return sum(len(stroke.points) for stroke in ink)


def erase(ink: Ink, from_point: tuple[float, float], to_point: tuple[float, float], radius: float) -> Ink:
    """Ink without what a round eraser touches on its way; strokes that it cuts become several."""
    kept: list[Stroke] = []
    for stroke in ink:
        if _near_box(stroke, from_point, to_point, radius):
            kept.extend(_cut(stroke, from_point, to_point, radius))
        else:
            kept.append(stroke)
    return (
        tuple(kept)
        if len(kept) != len(ink) or any(a is not b for a, b in zip(kept, ink, strict=True))
        else ink
    )


def bounds(ink: Ink) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of the centre lines; None without ink."""
    points = [point for stroke in ink for point in stroke.points]
    if not points:
        return None
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def fitted(ink: Ink) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Each stroke's points in the unit square, for a small picture."""
    box = bounds(ink)
    if box is None:
        return ()
    largest = max(map(abs, box))
    if largest > 1e100:  # differences of such numbers may be infinite
        return fitted(tuple(Stroke([(x / largest, y / largest) for x, y in line], ()) for line, _ in ink))
    left, top, right, bottom = box
    extent = max(right - left, bottom - top) or 1.0
    x0, y0 = (left + right - extent) / 2, (top + bottom - extent) / 2
    return tuple(tuple(((x - x0) / extent, (y - y0) / extent) for x, y in line) for line, _ in ink)


def side_by_side(ink: Ink) -> bool:
    """Whether there are at least two groups of strokes beside each other, each high enough for a digit.

    Strokes that share a part of their width are one group, as a 7 and its bar. Of a long stroke a part of the
    points is looked at, so that it costs no frame.
    """
    boxes: list[tuple[float, float, float, float]] = []
    for points, _ in ink:
        seen = (*points[:: max(1, len(points) // 256)], points[-1])
        xs, ys = [x for x, _ in seen], [y for _, y in seen]
        boxes.append((min(xs), max(xs), min(ys), max(ys)))
    groups: list[tuple[float, float, float]] = []  # right edge, top, bottom
    for left, right, top, bottom in sorted(boxes):
        if groups and left <= groups[-1][0]:
            edge, above, under = groups.pop()
            right, top, bottom = max(right, edge), min(top, above), max(bottom, under)
        groups.append((right, top, bottom))
    heights = [bottom - top for _, top, bottom in groups]
    return sum(height > HIGH * max(heights) for height in heights) > 1


def seconds(ink: Ink) -> float:
    """How long a drawing took, from its first point to its last; 0 where it has no times."""
    moments = [time for stroke in ink for time in stroke.times]
    return moments[-1] - moments[0] if moments else 0.0


def _near_box(stroke: Stroke, a: tuple[float, float], b: tuple[float, float], radius: float) -> bool:
    left, top, right, bottom = bounds((stroke,)) or (0.0, 0.0, 0.0, 0.0)
    return (
        min(a[0], b[0]) - radius <= right
        and max(a[0], b[0]) + radius >= left
        and min(a[1], b[1]) - radius <= bottom
        and max(a[1], b[1]) + radius >= top
    )


def _cut(stroke: Stroke, a: tuple[float, float], b: tuple[float, float], radius: float) -> list[Stroke]:
    points, times = _resample(stroke, radius / 2)
    runs: list[Stroke] = []
    run_points: list[tuple[float, float]] = []
    run_times: list[float] = []
    untouched = True
    for point, time in zip(points, times, strict=True):
        if _distance(point, a, b) < radius:
            untouched = False
            if run_points:
                runs.append(Stroke(tuple(run_points), tuple(run_times)))
            run_points, run_times = [], []
        else:
            run_points.append(point)
            run_times.append(time)
    if untouched:
        return [stroke]
    if run_points:
        runs.append(Stroke(tuple(run_points), tuple(run_times)))
    return runs


def _resample(stroke: Stroke, step: float) -> tuple[list[tuple[float, float]], list[float]]:
    points, times = [stroke.points[0]], [stroke.times[0]]
    for (x0, y0), (x1, y1), t0, t1 in zip(
        stroke.points, stroke.points[1:], stroke.times, stroke.times[1:], strict=False
    ):
        pieces = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step))
        for i in range(1, pieces + 1):
            part = i / pieces
            points.append((x0 + part * (x1 - x0), y0 + part * (y1 - y0)))
            times.append(t0 + part * (t1 - t0))
    return points, times


def _distance(p: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    squared = dx * dx + dy * dy
    along = 0.0
    if squared > 0:
        along = min(1.0, max(0.0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / squared))
    return math.hypot(p[0] - a[0] - along * dx, p[1] - a[1] - along * dy)
