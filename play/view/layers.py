"""What each layer lets through: feature maps large enough to be read, a choice where not all have room."""

from typing import NamedTuple

import numpy as np
import pygame

from play.answers import FeatureMap
from play.layout import Rect
from play.view import parts
from play.view.painter import Block, Painter

LARGEST = 12
"""Pixels of a map's pixel at most."""
READABLE, STRIP = 1.6, 0.8
"""Least side of a map, and height of a dense layer's strip, in heights of the text."""


class Grid(NamedTuple):
    """How a layer is shown.

    Attributes:
        scale: pixels of a map's pixel; of a dense layer, the strip's height.
        columns: maps in a row.
        maps: how many are shown.
    """

    scale: int
    columns: int
    maps: int


def block(rect: Rect, layers: tuple[FeatureMap, ...]) -> Block:
    """The card with the feature maps, the first layer on top."""

    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        place = rect.inset(painter.px(10))
        inner = parts.below_heading(painter, place)
        line, gap = round(painter.text_size * 1.35), painter.px(5)
        shown = fit(layers, inner, painter.text_size, line + gap)
        few = 0 < len(shown) < len(layers)
        parts.heading(
            painter,
            f"What the first {len(shown)} of {len(layers)} layers let through"
            if few
            else "What each layer lets through",
            place,
        )
        if not layers:
            texts = ("The layers' pictures appear with the answer.", "They come with the answer.")
            parts.note(painter, texts, inner, painter.palette.muted)
            return
        y = inner.y
        for number, (layer, grid) in enumerate(shown, start=1):
            painter.text(
                f"{number}  {_title(layer, grid)}",
                Rect(inner.x, y, inner.w, line),
                painter.palette.text,
                size=0.85,
                smallest=0.75,
            )
            values = _composed(layer, grid)
            rows, columns = values.shape
            size = (columns * grid.scale, rows * grid.scale) if layer.height > 1 else (inner.w, grid.scale)
            _blit(painter, values, Rect(inner.x, y + line, *size))
            y += line + size[1] + gap

    return Block(rect, (tuple(layer.pixels for layer in layers),), paint)


def fit(
    layers: tuple[FeatureMap, ...], rect: Rect, text: int, heading: int
) -> tuple[tuple[FeatureMap, Grid], ...]:
    """The layers that have room, their maps as large as fit; what the deeper ones leave goes to the first.

    Args:
        layers: the first one first; the last ones give way where there is no room.
        rect: the place for all of them.
        text: pixels of normal text.
        heading: pixels above a layer's maps and below them together.
    """
    for count in range(len(layers), 0, -1):
        grids: list[Grid] = []
        left = (
            rect.h
            - heading * count
            - round(text * STRIP) * sum(layer.height == 1 for layer in layers[:count])
        )
        for number, layer in reversed(tuple(enumerate(layers[:count]))):
            if layer.height == 1:
                grids.append(Grid(round(text * STRIP), 1, 1))
                continue
            share = max(0, left) // sum(other.height > 1 for other in layers[: number + 1])
            grid = _grid(layer, rect.w, share, round(text * READABLE))
            if grid is None:
                break
            grids.append(grid)
            left -= -(-grid.maps // grid.columns) * (layer.height + 1) * grid.scale
        if len(grids) == count and left >= 0:
            return tuple(zip(layers, reversed(grids), strict=False))
    return ()


def _grid(layer: FeatureMap, width: int, height: int, least: int) -> Grid | None:
    """All maps as large as they fit, but none smaller than `least` pixels: then some; None without room."""
    smallest = -(-least // (layer.width + 1))
    for scale in range(max(LARGEST, smallest), smallest - 1, -1):
        columns, rows = width // ((layer.width + 1) * scale), height // ((layer.height + 1) * scale)
        count = min(layer.maps, columns * rows)
        if count == layer.maps or (count > 0 and scale == smallest):
            return Grid(scale, -(-count // -(-count // columns)), count)
    return None


def _title(layer: FeatureMap, grid: Grid) -> str:
    if layer.height == 1:
        return f"{layer.width} numbers"
    part = f"{grid.maps} of {layer.maps}" if grid.maps < layer.maps else f"{layer.maps}"
    return f"{part} maps, {layer.height} × {layer.width}"


def _composed(layer: FeatureMap, grid: Grid) -> np.ndarray:
    """The maps in one picture of 0 to 255, -1 between them; of many, the same ones at all times."""
    values = np.frombuffer(layer.pixels, np.uint8).astype(np.int16).reshape(-1, layer.height, layer.width)
    if layer.height == 1:
        return values[0]
    values = values[np.arange(grid.maps) * layer.maps // grid.maps]
    rows = -(-grid.maps // grid.columns)
    cells = np.full((rows * grid.columns, layer.height + 1, layer.width + 1), -1, np.int16)
    cells[: len(values), :-1, :-1] = values
    picture = cells.reshape(rows, grid.columns, layer.height + 1, layer.width + 1).swapaxes(1, 2)
    return picture.reshape(rows * (layer.height + 1), grid.columns * (layer.width + 1))


def _blit(painter: Painter, values: np.ndarray, rect: Rect) -> None:
    palette = painter.palette
    part = np.maximum(values, 0).astype(np.float32)[:, :, None] / 255
    low, high = np.array(palette.raised, np.float32), np.array(palette.text, np.float32)
    pixels = (low + (high - low) * part).astype(np.uint8)
    pixels[values < 0] = palette.surface
    small = pygame.surfarray.make_surface(np.ascontiguousarray(pixels.swapaxes(0, 1)))
    painter.surface.blit(pygame.transform.scale(small, (rect.w, rect.h)), rect)
