"""Attribution in the ink's own place on the canvas: what speaks for the answer, what against."""

import numpy as np
import pygame

from play import stages
from play.answers import Explained
from play.events import CANVAS
from play.layout import Rect
from play.state import PlayState
from play.view.painter import Block, Painter
from play.view.theme import Color, Palette, mix

GAIN = 0.6
"""Power by which small attributions are made visible."""


def colors(values: np.ndarray, palette: Palette) -> np.ndarray:
    """Attribution from -1 to 1 as colours, uint8 [..., 3]: against, little, for."""
    part = np.abs(values)[..., None] ** GAIN
    side = np.where(values[..., None] >= 0, np.array(palette.accent), np.array(palette.second))
    little = np.array(neutral(palette))
    return np.rint(little + (side - little) * part).astype(np.uint8)


def neutral(palette: Palette) -> Color:
    """Ink that says little."""
    return mix(palette.paper, palette.ink, 0.6)


def band(painter: Painter, rect: Rect) -> None:
    """The colours from against to for."""
    values = np.linspace(-1, 1, 64)[:, None]
    small = pygame.surfarray.make_surface(colors(values, painter.palette))
    painter.surface.blit(pygame.transform.smoothscale(small, (rect.w, rect.h)), rect)


def legend_block(rect: Rect, digit: int | None) -> Block:
    """What the ink's colours say, in one line."""
    what = "it" if digit is None else str(digit)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        margin = painter.px(10)  # as in the cards above, however low this one is
        inner = Rect(rect.x + margin, rect.y, max(1, rect.w - 2 * margin), rect.h)
        left, middle, right = inner.columns(3, painter.px(8))
        painter.text(f"Ink: against {what}", left, palette.muted, size=0.85, smallest=0.5)
        height = max(4, round(painter.text_size * 0.6))
        band(painter, Rect(middle.x, middle.y + (middle.h - height) // 2, max(1, middle.w), height))
        painter.text(f"for {what}", right, palette.muted, size=0.85, smallest=0.5)

    return Block(rect, ("ink", what), paint)


def paint_heat(painter: Painter, state: PlayState, canvas: Rect, why: Explained, place: stages.Map) -> None:
    """The ink takes the colour of what it says; paper keeps its own: it is darker (or lighter) than all."""
    palette, side = painter.palette, why.side
    heat = np.array(why.heat, np.float32).reshape(side, side)
    xs = [x for stroke in state.strokes for x, _ in stroke.points]
    ys = [y for stroke in state.strokes for _, y in stroke.points]
    first_x, first_y = place.point(min(xs), min(ys))
    last_x, last_y = place.point(max(xs), max(ys))
    reach = place.pen / 2 + state.pen / 2 * place.scale + 1
    left, top = (max(0, min(side - 1, int(np.floor(v - reach)))) for v in (first_x, first_y))
    right, bottom = (max(1, min(side, int(np.ceil(v + reach)) + 1)) for v in (last_x, last_y))
    small = pygame.surfarray.make_surface(colors(heat[top:bottom, left:right].T, palette))
    unit = canvas.w / CANVAS / place.scale
    size = max(1, round((right - left) * unit)), max(1, round((bottom - top) * unit))
    if max(size) > 4 * canvas.w:  # a drawing so small that a pixel of the image is larger than the canvas
        return
    x = canvas.x + (left - 0.5 - place.x) * unit
    y = canvas.y + (top - 0.5 - place.y) * unit
    large = pygame.transform.smoothscale(small, size)
    dark = sum(palette.ink) > sum(palette.paper)
    painter.surface.blit(
        large, (round(x), round(y)), special_flags=pygame.BLEND_RGB_MIN if dark else pygame.BLEND_RGB_MAX
    )
