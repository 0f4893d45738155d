"""Small parts that several screens share: cards, switches, focus rings, thumbnails of ink."""

import itertools
import math
from collections.abc import Sequence

import pygame

from play.layout import Rect
from play.stages import SIDE, Map
from play.view.painter import Painter, text_width, wrap
from play.view.theme import Color, mix

RING = 2.5
"""Design pixels of the ring around what has the focus, and of the gap in it; two pixels at least."""
FINER = 3
"""Thumbnails are drawn so many times larger, then averaged."""

Lines = Sequence[Sequence[tuple[float, float]]]


def card(
    painter: Painter, rect: Rect, *, focused: bool = False, hovered: bool = False, chosen: bool = False
) -> None:
    """A panel with round corners on the ground; a ring says focus, a border the choice."""
    palette = painter.palette
    painter.fill(rect, palette.ground)
    color = mix(palette.surface, palette.raised, 0.6) if hovered else palette.surface
    place = ring(painter, rect, 12, palette.ground) if focused else rect
    painter.box(place, color, 12, palette.accent if chosen else None, width=3)


def ring(painter: Painter, rect: Rect, radius: float, ground: Color) -> Rect:
    """Says focus: a ring along a control's edge, then a gap of the ground, clear whatever colour is within.

    Returns:
        What is left for the control.
    """
    thick = max(2, painter.px(RING))
    painter.box(rect, painter.palette.second, radius)
    painter.box(rect.inset(thick), ground, max(1, radius - RING))
    return rect.inset(2 * thick)


def heading(painter: Painter, text: str, rect: Rect) -> Rect:
    """A title at the top of a place; returns what is left."""
    height = round(painter.text_size * 1.5)
    painter.text(text, rect.top(height), painter.palette.muted, size=0.9, smallest=0.8)
    return below_heading(painter, rect)


def below_heading(painter: Painter, rect: Rect) -> Rect:
    """What a title leaves of a place."""
    return rect.below(round(painter.text_size * 1.5) + painter.px(4))


def note(painter: Painter, texts: Sequence[str], rect: Rect, color: Color, size: float = 0.85) -> int:
    """The first of several texts, longest first, that fits whole; returns its height, 0 where none does."""
    pixels = max(6, round(painter.text_size * size))
    line = round(pixels * 1.35)
    for text in texts:
        lines = wrap(text, pixels, False, rect.w)
        if len(lines) * line <= rect.h and all(text_width(part, pixels) <= rect.w for part in lines):
            return painter.paragraph(text, rect, color, size=size)
    return 0


def percent(probability: float) -> str:
    """A probability in whole percent, 99 at most: no network is certain. As `digitjax.predict` prints it."""
    return f"{min(99, round(100 * round(probability, 4)))} %"


def switch(painter: Painter, rect: Rect, on: bool) -> None:
    """A switch whose knob and word say the same."""
    palette = painter.palette
    height = min(rect.h, round(painter.text_size * 1.35))
    width = min(rect.w, round(height * 1.8))
    word = Rect(rect.x, rect.y, rect.w - width - painter.px(6), rect.h)
    painter.text("on" if on else "off", word, palette.text, size=0.85, align="right")
    body = Rect(rect.right - width, rect.y + (rect.h - height) // 2, width, height)
    painter.box(body, palette.accent if on else palette.muted, 100)
    knob = Rect(body.right - height if on else body.x, body.y, height, height).inset(max(2, height // 8))
    painter.box(knob, palette.on_accent if on else palette.ground, 100)


def thumbnail(lines: Lines, place: Map, side: int, paper: Color, inks: Sequence[Color]) -> pygame.Surface:
    """Ink as the map places it in the 28 x 28 image, `side` pixels wide, smooth.

    Args:
        lines: strokes on the canvas.
        place: canvas units to image pixels.
        side: of the picture.
        paper: its ground.
        inks: a colour for each stroke.
    """
    large = pygame.Surface((side * FINER, side * FINER))
    large.fill(paper)
    times = side * FINER / SIDE
    width = max(2, round(place.pen * times))
    for line, color in zip(lines, inks, strict=True):
        _polyline(large, [_scaled(place.point(x, y), times) for x, y in line], width, color)
    return pygame.transform.smoothscale(large, (side, side))


def unit_thumbnail(lines: Lines, side: int, paper: Color, ink: Color) -> pygame.Surface:
    """Ink in the unit square, fitted into a picture with a margin."""
    return thumbnail(
        lines,
        Map(SIDE * 0.72, SIDE * 0.14 - 0.5, SIDE * 0.14 - 0.5, SIDE * 0.075),
        side,
        paper,
        [ink] * len(lines),
    )


def cross(
    surface: pygame.Surface, x: float, y: float, reach: int, width: int, color: Color, rim: Color
) -> None:
    """A cross with a rim that keeps it visible on ink and paper."""
    for shade, extra in ((rim, 2 * max(1, width // 2)), (color, 0)):
        for dx, dy in ((reach + extra // 2, width + extra), (width + extra, reach + extra // 2)):
            half_w, half_h = (dx, dy // 2) if dx > dy else (dx // 2, dy)
            area = pygame.Rect(round(x) - half_w, round(y) - half_h, 2 * half_w + 1, 2 * half_h + 1)
            pygame.draw.rect(surface, shade, area)


def disc_label(painter: Painter, text: str, x: float, y: float, color: Color, on_color: Color) -> None:
    """A number in a disc."""
    radius = round(painter.text_size * 0.85)
    pygame.draw.aacircle(painter.surface, painter.palette.paper, (round(x), round(y)), radius + painter.px(2))
    pygame.draw.aacircle(painter.surface, color, (round(x), round(y)), radius)
    rect = Rect(round(x) - radius, round(y) - radius, 2 * radius + 1, 2 * radius + 1)
    painter.text(text, rect, on_color, size=0.85, bold=True, align="centre")


def _scaled(point: tuple[float, float], times: float) -> tuple[float, float]:
    return (point[0] + 0.5) * times, (point[1] + 0.5) * times


def _polyline(surface: pygame.Surface, points: list[tuple[float, float]], width: int, color: Color) -> None:
    radius = width / 2
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0)
        if length > 0:  # a line of pygame's is thinner where it is slanted
            dx, dy = (x1 - x0) * radius / length, (y1 - y0) * radius / length
            corners = (x0 - dy, y0 + dx), (x1 - dy, y1 + dx), (x1 + dy, y1 - dx), (x0 + dy, y0 - dx)
            pygame.draw.polygon(surface, color, corners)
    for point in points:
        pygame.draw.circle(surface, color, point, radius)
