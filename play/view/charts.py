"""Curves, sparklines and a confusion matrix, painted into a place."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pygame

from play.layout import Rect
from play.view.painter import Painter
from play.view.theme import Color, mix


class Curve(NamedTuple):
    """Places (x, y) in order, and how they are drawn."""

    points: Sequence[tuple[float, float]]
    color: Color
    thick: bool = False
    dots: bool = False


def chart(
    painter: Painter,
    rect: Rect,
    curves: Sequence[Curve],
    *,
    x_most: float,
    low: float,
    high: float,
    labels: Sequence[tuple[float, str]],
    marks: Sequence[float] = (),
) -> None:
    """Curves in a frame, y from `low` to `high`, with lines at labelled heights and marks at some x."""
    palette = painter.palette
    left = round(painter.text_size * 2.6)
    inner = Rect(rect.x + left, rect.y + painter.px(4), rect.w - left - painter.px(6), rect.h - painter.px(8))
    if inner.w < 8 or inner.h < 8:
        return

    def at(x: float, y: float) -> tuple[float, float]:
        along = min(max(x / x_most if x_most > 0 else 0.0, 0.0), 1.0)
        up = min(max((y - low) / (high - low), 0.0), 1.0)
        return inner.x + along * (inner.w - 1), inner.bottom - 1 - up * (inner.h - 1)

    line = round(painter.text_size * 1.2)
    for height, text in labels:
        y = round(at(0, height)[1])
        painter.fill(Rect(inner.x, y, inner.w, 1), palette.line)
        place = Rect(rect.x, min(max(y - line // 2, rect.y), rect.bottom - line), left - painter.px(5), line)
        painter.text(text, place, palette.muted, size=0.75, align="right")
    for x in marks:
        painter.fill(Rect(round(at(x, low)[0]), inner.y, painter.px(2), inner.h), palette.second)
    for curve in curves:
        places = [at(x, y) for x, y in curve.points]
        width = painter.px(3 if curve.thick else 1.5)
        _line(painter.surface, curve.color, places, width)
        for place in places if curve.dots else places[-1:]:
            pygame.draw.aacircle(painter.surface, curve.color, place, width + painter.px(1))


def sparkline(painter: Painter, rect: Rect, values: Sequence[float], low: float, color: Color) -> None:
    """Values from `low` to 1 from left to right, the last marked."""
    if not values or rect.w < 4 or rect.h < 4:
        return
    painter.fill(Rect(rect.x, rect.bottom - 1, rect.w, 1), painter.palette.line)
    across = max(1, len(values) - 1)
    inner = rect.inset(painter.px(2))
    places = [
        (
            inner.x + (i / across if len(values) > 1 else 1.0) * inner.w,
            inner.bottom - min(max((value - low) / (1 - low), 0.0), 1.0) * inner.h,
        )
        for i, value in enumerate(values)
    ]
    _line(painter.surface, color, places, painter.px(2))
    pygame.draw.aacircle(painter.surface, color, places[-1], painter.px(3))


def confusion(painter: Painter, rect: Rect, table: Sequence[Sequence[int]], *, counts: bool = False) -> None:
    """A confusion matrix, row = truth: what is right as a quiet diagonal, what is wrong by how often.

    An eleventh column is for what was read as no digit. With `counts`, small ones, the diagonal has its too.
    """
    palette = painter.palette
    down, across = len(table), max(map(len, table), default=0)
    cell = min(rect.w // (across + 1), rect.h // (down + 1))
    if cell < 4:
        return
    x0 = rect.x + (rect.w - (across + 1) * cell) // 2
    y0 = rect.y + (rect.h - (down + 1) * cell) // 2
    worst = max((count for i, row in enumerate(table) for j, count in enumerate(row) if i != j), default=0)
    for j in range(across):
        place = Rect(x0 + (j + 1) * cell, y0, cell, cell)
        painter.text(str(j) if j < 10 else "–", place, palette.muted, size=0.8, align="centre")
    for i, row in enumerate(table):
        place = Rect(x0, y0 + (i + 1) * cell, cell, cell)
        painter.text(str(i), place, palette.muted, size=0.8, align="centre")
        for j, count in enumerate(row):
            place = Rect(x0 + (j + 1) * cell, y0 + (i + 1) * cell, cell, cell).inset(max(1, cell // 16))
            color = palette.raised
            if i == j and count:
                color = mix(palette.surface, palette.accent, 0.35)
            elif i != j and count and worst:
                color = mix(palette.raised, palette.second, 0.25 + 0.75 * math.sqrt(count / worst))
            painter.fill(place, color)
            if i == j and count and counts and cell >= 0.8 * painter.text_size:
                painter.text(str(count), place, palette.text, size=0.75, align="centre")
            if i != j and count and cell >= (0.8 if counts else 1.1) * painter.text_size:
                dark = count / worst > 0.12
                painter.text(
                    str(count), place, palette.ground if dark else palette.text, size=0.75, align="centre"
                )


def _line(surface: pygame.Surface, color: Color, places: list[tuple[float, float]], width: int) -> None:
    if len(places) < 2:
        return
    for shift in range(width):
        moved = [(x, y + shift - width / 2) for x, y in places]
        pygame.draw.aalines(surface, color, False, moved)
