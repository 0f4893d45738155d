"""The ink on its way from the canvas to the 28 x 28 image, as a picture over the canvas."""

import functools
import math
from collections.abc import Hashable

import pygame

from play import stages
from play.events import CANVAS
from play.ink import Ink, Stroke, bounds
from play.layout import Layout, Rect
from play.state import PlayState
from play.view import parts
from play.view.ink_layer import InkLayer
from play.view.painter import Painter
from play.view.screen import Overlay
from play.view.theme import mix

FINEST = 1000
"""Side in pixels from which the ink on its way is drawn smaller and enlarged: every frame draws all of it."""


def maps_of(state: PlayState) -> tuple[stages.Map, ...]:
    """Where the ink lies before the first stage and after each; nothing without ink."""
    if not state.strokes:
        return ()
    return stages.maps(state.strokes, state.pen, state.off, state.answers[0])


def way(state: PlayState, layout: Layout) -> Overlay:
    """The moment at which the journey is now."""
    answer = state.answers[0]
    now = stages.way(state.time - (state.journey or 0.0))
    place = _place(state, now)
    key: Hashable = ("way", now, state.revision, answer and answer.revision)
    still = (state.revision, answer and answer.revision, now.step, _grid(now))
    paint = functools.partial(_paint_way, state=state, layout=layout, now=now, place=place)
    return Overlay(key, paint, _moving(state, layout, place), still)


def _place(state: PlayState, now: stages.Way) -> stages.Map:
    """Where the ink is on its way."""
    places = maps_of(state)
    if now.step == 0:
        return places[0]
    after = min(now.step, len(places) - 1)
    return places[after - 1].between(places[after], now.part if now.step < len(places) else 1.0)


def _grid(now: stages.Way) -> float:
    """How much is to be seen of the grid, in few steps: each paints the whole canvas."""
    scale = stages.NAMES.index("scale")
    return round(3 * now.part) / 3 if now.step == scale else float(now.step > scale)


def _moving(state: PlayState, layout: Layout, place: stages.Map) -> Rect:
    """What the ink on its way and its marks take, with a pixel of the image to spare."""
    canvas = layout.canvas
    unit = canvas.w / stages.SIDE
    left, top, right, bottom = bounds(state.strokes) or (0.0, 0.0, 0.0, 0.0)
    corners = [place.point(left, top), place.point(right, bottom)]
    corners += [(x + side * place.pen / 2, y + side * place.pen / 2) for side in (-1, 1) for x, y in corners]
    corners.append((stages.MIDDLE, stages.MIDDLE))
    mass = stages.mass_on_canvas(state.answers[0])
    if mass is not None:
        corners.append(place.point(*mass))
    spare = unit + 20 * layout.unit
    xs, ys = ([canvas_at + (c[i] + 0.5) * unit for c in corners] for i, canvas_at in enumerate(canvas[:2]))
    x0, y0 = max(canvas.x, min(xs) - spare), max(canvas.y, min(ys) - spare)
    x1, y1 = min(canvas.right, max(xs) + spare), min(canvas.bottom, max(ys) + spare)
    return Rect(int(x0), int(y0), max(0, math.ceil(x1) - int(x0)), max(0, math.ceil(y1) - int(y0)))


def _paint_way(
    painter: Painter, *, state: PlayState, layout: Layout, now: stages.Way, place: stages.Map
) -> None:
    """The canvas becomes the image: the ink is moved, made 20 pixels long, balanced and cut into pixels."""
    palette, canvas = painter.palette, layout.canvas
    names = stages.NAMES
    gridded = _grid(now)
    unit = canvas.w / stages.SIDE
    lines = tuple(
        Stroke(tuple(_to_units(place, x, y) for x, y in line), (0.0,) * len(line))
        for line in stages.thin(state.strokes)
    )
    answer = state.answers[0]
    rows = 0
    if now.step == len(names) - 1 and answer is not None and answer.side == stages.SIDE:
        rows = round(stages.SIDE * now.part)
    painter.fill(canvas, palette.paper)
    cut = round(rows * unit)
    clip = painter.surface.get_clip()
    painter.surface.set_clip(clip.clip(pygame.Rect(canvas).move(0, cut)))
    if rows < stages.SIDE:
        _paint_ink(painter, canvas, lines, place.pen)
    painter.surface.set_clip(clip)
    if answer is not None:
        _paint_pixels(painter, canvas, answer.image, rows)
    if gridded:
        shade = mix(palette.paper, palette.faint, gridded)
        for i in range(1, stages.SIDE):
            at = round(i * unit)
            painter.fill(Rect(canvas.x + at, canvas.y, 1, canvas.h), shade)
            painter.fill(Rect(canvas.x, canvas.y + at, canvas.w, 1), shade)
    _paint_way_marks(painter, state, canvas, place, now)


def _paint_way_marks(
    painter: Painter, state: PlayState, canvas: Rect, place: stages.Map, now: stages.Way
) -> None:
    palette, unit = painter.palette, canvas.w / stages.SIDE
    box = bounds(state.strokes)
    if box is None:
        return
    width = painter.px(2)
    if now.step < stages.NAMES.index("pixels"):
        radius = place.pen / 2
        (x0, y0), (x1, y1) = place.point(box[0], box[1]), place.point(box[2], box[3])
        area = [(v + 0.5) * unit for v in (x0 - radius, y0 - radius, x1 + radius, y1 + radius)]
        rect = pygame.Rect(canvas.x + area[0], canvas.y + area[1], area[2] - area[0], area[3] - area[1])
        pygame.draw.rect(painter.surface, palette.accent, rect, width)
    if now.step > 0:
        at = (stages.MIDDLE + 0.5) * unit
        place_x, place_y = canvas.x + at, canvas.y + at
        parts.cross(painter.surface, place_x, place_y, painter.px(16), width, palette.accent, palette.paper)
    answer = state.answers[0]
    mass = stages.mass_on_canvas(answer)
    if mass is not None and now.step >= stages.NAMES.index("mass"):
        x, y = place.point(*mass)
        at_x, at_y = canvas.x + (x + 0.5) * unit, canvas.y + (y + 0.5) * unit
        parts.cross(painter.surface, at_x, at_y, painter.px(12), painter.px(3), palette.second, palette.paper)
    name = stages.NAMES[now.step]
    text = {
        "ink": "What you drew",
        "box": "The box's middle goes to the middle",
        "scale": "The longer side becomes 20 of 28 pixels",
        "mass": "The centre of mass goes to pixel 14",
        "pixels": "28 × 28 pixels: all that the network gets",
    }[name]
    if name in state.off:
        text = f"{stages.TITLES[name]}: switched off"
    height = round(painter.text_size * 2.2)
    last = max(place.point(box[0], box[3])[1] + place.pen / 2 for place in maps_of(state))
    low = (last + 0.5) * unit > canvas.h - height  # the words must not lie on the ink
    band = Rect(canvas.x, canvas.y if low else canvas.bottom - height, canvas.w, height)
    painter.fill(band, palette.surface)
    painter.text(text, band.inset(painter.px(4)), palette.text, align="centre", size=1.1)


def _paint_ink(painter: Painter, canvas: Rect, lines: Ink, pen: float) -> None:
    """The ink on its way; the pen's radius in whole pixels, so that few stamps are made while it grows."""
    palette = painter.palette
    side = canvas.w // -(-canvas.w // FINEST)
    radius = max(1, round(pen / stages.SIDE * side / 2))
    layer, picture = InkLayer(), pygame.Surface((side, side))
    layer.update(lines, side, 2 * radius * CANVAS / side, palette.paper, palette.ink)
    layer.blit(picture, Rect(0, 0, side, side), picture.get_rect())
    left, top, right, bottom = (value * side / CANVAS for value in bounds(lines) or (0, 0, 0, 0))
    reach = radius + 4
    box = pygame.Rect(left - reach, top - reach, right - left + 2 * reach, bottom - top + 2 * reach)
    box = box.clip(picture.get_rect())
    if not (box.w and box.h):
        return
    times = canvas.w / side
    large = pygame.transform.smoothscale(
        picture.subsurface(box), (round(box.w * times), round(box.h * times))
    )
    painter.surface.blit(large, (canvas.x + round(box.x * times), canvas.y + round(box.y * times)))


def _paint_pixels(painter: Painter, canvas: Rect, image: bytes, rows: int) -> None:
    """The image's first rows: what is not paper."""
    palette = painter.palette
    edges = [round(i * canvas.w / stages.SIDE) for i in range(stages.SIDE + 1)]
    for at, value in enumerate(image[: rows * stages.SIDE]):
        row, column = divmod(at, stages.SIDE)
        if value:
            x, y = edges[column], edges[row]
            cell = Rect(canvas.x + x, canvas.y + y, edges[column + 1] - x, edges[row + 1] - y)
            painter.fill(cell, mix(palette.paper, palette.ink, value / 255))


def _to_units(place: stages.Map, x: float, y: float) -> tuple[float, float]:
    """Where the canvas shows a place of the image."""
    at_x, at_y = place.point(x, y)
    return (at_x + 0.5) / stages.SHRINK, (at_y + 0.5) / stages.SHRINK
