"""The ink as pixels: a round, smooth pen, drawn once and kept; a frame adds only what is new.

The pen is a disc with soft edges stamped at quarter pixels; stamps are joined by taking the greater (or, dark
on light, the lesser) value, so overlaps leave no seams. Between points runs a Catmull-Rom curve; corners stay
corners. The newest piece is still open at its end, so it is drawn on the window alone until the next point
settles it.
"""

import functools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pygame

from play.events import CANVAS
from play.ink import Ink, Stroke
from play.layout import Rect
from play.view.theme import Color

PHASES = 4
"""Positions of the stamp inside a pixel, on each axis."""


class InkLayer:
    """The canvas as a surface that follows the state's ink."""

    def __init__(self) -> None:
        self._surface: pygame.Surface | None = None
        self._look: tuple = ()
        self._drawn: Ink = ()
        self._settled = 0
        self._tail: pygame.Rect | None = None

    def update(
        self, ink: Ink, side: int, pen: float, paper: Color, color: Color, height: int | None = None
    ) -> list[pygame.Rect]:
        """Brings the surface, a square unless it has a height, up to date.

        Returns:
            The changed parts of the canvas, in its own pixels.
        """
        height = side if height is None else height
        look = (side, pen, paper, color, height)
        if self._surface is None or look != self._look:
            self._surface = pygame.Surface((side, height))
            self._surface.fill(paper)
            self._look, self._drawn, self._settled, self._tail = look, (), 0, None
            self._paint(ink, None)
            self._drawn, self._settled = ink, _settled(ink)
            self._tail = self._tail_rect(ink)
            return [pygame.Rect(0, 0, side, height)]
        if ink is self._drawn:
            return []
        dirty = [self._tail] if self._tail is not None else []
        same = _common(self._drawn, ink)
        if same == len(self._drawn) or (same == len(self._drawn) - 1 and _extends(self._drawn, ink)):
            start = self._settled if same < len(self._drawn) else 0
            dirty += self._extend(ink, same, start)
        else:
            changed = self._rect_of((*self._drawn[same:], *ink[same:]))
            if changed is not None:
                self._surface.fill(paper, changed)
                self._paint(ink, changed)
                dirty.append(changed)
        self._drawn, self._settled = ink, _settled(ink)
        self._tail = self._tail_rect(ink)
        if self._tail is not None:
            dirty.append(self._tail)
        return dirty

    def blit(self, target: pygame.Surface, canvas: Rect, part: pygame.Rect) -> None:
        """Copies a part to the window, and the open end of the newest stroke with it."""
        assert self._surface is not None
        target.blit(self._surface, (canvas.x + part.x, canvas.y + part.y), part)
        if self._tail is None or not part.colliderect(self._tail):
            return
        before = target.get_clip()
        target.set_clip(part.move(canvas.x, canvas.y))
        stroke = self._drawn[-1]
        self._stamp(target, _piece(stroke.points, len(stroke.points) - 2), (canvas.x, canvas.y))
        target.set_clip(before)

    def _extend(self, ink: Ink, first: int, start: int) -> list[pygame.Rect]:
        """Draws what strokes from `first` on have more than was settled."""
        assert self._surface is not None
        dirty = []
        for number in range(first, len(ink)):
            stroke = ink[number]
            begin = start if number == first else 0
            end = len(stroke.points) - (2 if number == len(ink) - 1 else 1)
            path = [stroke.points[0]] if begin == 0 else []
            for i in range(begin, end):
                path += _piece(stroke.points, i)
            if path:
                self._stamp(self._surface, path, (0, 0))
                dirty.append(self._rect_of((Stroke(tuple(path), ()),)))
        return [rect for rect in dirty if rect is not None]

    def _paint(self, ink: Ink, part: pygame.Rect | None) -> None:
        assert self._surface is not None
        self._surface.set_clip(part)
        for number, stroke in enumerate(ink):
            if (
                part is not None
                and (rect := self._rect_of((stroke,))) is not None
                and not rect.colliderect(part)
            ):
                continue
            last = number == len(ink) - 1
            path = [stroke.points[0]]
            for i in range(len(stroke.points) - (2 if last else 1)):
                path += _piece(stroke.points, i)
            self._stamp(self._surface, path, (0, 0))
        self._surface.set_clip(None)

    def _stamp(
        self, target: pygame.Surface, path: Iterable[tuple[float, float]], offset: tuple[int, int]
    ) -> None:
        side, pen, paper, color, _ = self._look
        scale, radius = side / CANVAS, max(0.6, pen * side / CANVAS / 2)
        stamps = _stamps(round(radius, 2), paper, color)
        reach = int(radius) + 2
        step = min(0.25 * radius, math.sqrt(0.8 * radius))
        blits = []
        x0 = y0 = None
        for point_x, point_y in path:
            x1, y1 = point_x * scale, point_y * scale
            if x0 is None or y0 is None:
                count = 1
                x0, y0 = x1, y1
            else:
                count = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step))
            for i in range(1, count + 1):
                x, y = x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count
                left, top = math.floor(x * PHASES + 0.5), math.floor(y * PHASES + 0.5)
                stamp = stamps[left % PHASES][top % PHASES]
                blits.append((stamp, (left // PHASES - reach + offset[0], top // PHASES - reach + offset[1])))
            x0, y0 = x1, y1
        flag = pygame.BLEND_RGB_MAX if sum(color) > sum(paper) else pygame.BLEND_RGB_MIN
        target.fblits(blits, flag)

    def _rect_of(self, ink: Ink) -> pygame.Rect | None:
        points = [point for stroke in ink for point in stroke.points]
        if not points:
            return None
        side, pen, height = self._look[0], self._look[1], self._look[4]
        scale, reach = side / CANVAS, pen * side / CANVAS / 2 + 4
        # A curve may leave the box of its points by an eighth of its longest piece at most.
        xs, ys = [p[0] * scale for p in points], [p[1] * scale for p in points]
        bulge = max((max(xs) - min(xs), max(ys) - min(ys))) / 8
        left, top = math.floor(min(xs) - reach - bulge), math.floor(min(ys) - reach - bulge)
        right, bottom = math.ceil(max(xs) + reach + bulge), math.ceil(max(ys) + reach + bulge)
        rect = pygame.Rect(left, top, right - left, bottom - top)
        return rect.clip(pygame.Rect(0, 0, side, height))

    def _tail_rect(self, ink: Ink) -> pygame.Rect | None:
        if not ink or len(ink[-1].points) < 2:
            return None
        return self._rect_of((Stroke(tuple(_piece(ink[-1].points, len(ink[-1].points) - 2)), ()),))


def _settled(ink: Ink) -> int:
    """Pieces of the last stroke that will not change any more."""
    return max(0, len(ink[-1].points) - 2) if ink else 0


def _common(before: Ink, now: Ink) -> int:
    """Strokes at the beginning that are the same in both and need no more paint."""
    count = 0
    for one, other in zip(before, now, strict=False):
        if one is not other:
            break
        count += 1
    # The last stroke before was drawn without its open end, which must be drawn now if others follow it.
    if count == len(before) and count and len(now) > count:
        return count - 1
    return count


def _extends(before: Ink, now: Ink) -> bool:
    """Whether the first stroke that differs is the same one, gone on."""
    number = len(before) - 1
    old, new = before[number], now[number] if number < len(now) else None
    if new is None or len(new.points) < len(old.points):
        return False
    last = len(old.points) - 1
    return new.points[0] == old.points[0] and new.points[last] == old.points[last]


def _piece(points: Sequence[tuple[float, float]], i: int) -> list[tuple[float, float]]:
    """The curve from point i to i + 1, first point included."""
    p1, p2 = points[i], points[i + 1]
    p0, p3 = points[max(0, i - 1)], points[min(len(points) - 1, i + 2)]
    length = math.hypot(p2[0] - p1[0], p2[1] - p1[1])
    count = min(16, max(1, int(length / 6)))
    if count == 1:
        return [p1, p2]
    # Long neighbours must not throw a short piece out of its way: tangents are no longer than the piece.
    m1, m2 = _tangent(p0, p1, p2, length), _tangent(p1, p2, p3, length)
    curve = []
    for k in range(count + 1):
        t = k / count
        a, b = (1 + 2 * t) * (1 - t) ** 2, t * (1 - t) ** 2
        c, d = t * t * (3 - 2 * t), t * t * (t - 1)
        curve.append(
            (a * p1[0] + b * m1[0] + c * p2[0] + d * m2[0], a * p1[1] + b * m1[1] + c * p2[1] + d * m2[1])
        )
    return curve


def _tangent(
    before: tuple[float, float], at: tuple[float, float], after: tuple[float, float], length: float
) -> tuple[float, float]:
    x, y = (after[0] - before[0]) / 2, (after[1] - before[1]) / 2
    size = math.hypot(x, y)
    part = min(1.0, length / size) if size > 0 else 0.0
    part *= _smoothness(before, at, after)
    return x * part, y * part


def _smoothness(before: tuple[float, float], at: tuple[float, float], after: tuple[float, float]) -> float:
    """1 where the line turns by 60 degrees at most, as fast curves do; 0 from a right angle on: a corner."""
    x0, y0, x1, y1 = at[0] - before[0], at[1] - before[1], after[0] - at[0], after[1] - at[1]
    lengths = math.hypot(x0, y0) * math.hypot(x1, y1)
    if lengths == 0:
        return 1.0  # an end of the stroke
    return min(1.0, max(0.0, 2 * (x0 * x1 + y0 * y1) / lengths))


@functools.lru_cache(maxsize=8)
def _stamps(radius: float, paper: Color, color: Color) -> list[list[pygame.Surface]]:
    reach = int(radius) + 2
    grid = np.arange(2 * reach + 1, dtype=np.float32) - reach
    rows = []
    for phase_x in range(PHASES):
        row = []
        for phase_y in range(PHASES):
            x, y = grid - phase_x / PHASES, grid - phase_y / PHASES
            cover = np.clip(radius + 0.5 - np.hypot(x[:, None], y[None, :]), 0, 1)[:, :, None]
            pixels = np.array(paper) * (1 - cover) + np.array(color) * cover
            row.append(pygame.surfarray.make_surface(np.rint(pixels).astype(np.uint8)))
        rows.append(row)
    return rows


def picture(
    strokes: tuple[tuple[tuple[float, float], ...], ...], side: int, margin: float, pen: float = 0.065
) -> pygame.Surface:
    """Ink in the unit square as a picture, dark on white.

    Args:
        strokes: points of each, 0 to 1.
        side: of the picture, in pixels.
        margin: part of the side that stays white all round.
        pen: its diameter, as part of the ink's box.
    """
    scale = CANVAS * (1 - 2 * margin)
    ink = tuple(
        Stroke(tuple((margin * CANVAS + x * scale, margin * CANVAS + y * scale) for x, y in points), ())
        for points in strokes
    )
    layer, target = InkLayer(), pygame.Surface((side, side))
    layer.update(ink, side, pen * scale, (255, 255, 255), (0, 0, 0))
    layer.blit(target, Rect(0, 0, side, side), pygame.Rect(0, 0, side, side))
    return target
