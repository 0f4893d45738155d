"""Colours and fonts: calm, told apart by colour-blind people, contrast at least 4.5:1 (a test computes it).

The two accents are blue and orange of Okabe and Ito's palette (2008) or darker ones of the same hues; nothing
is ever said by colour alone.
"""

import functools
import importlib.util
from pathlib import Path
from typing import NamedTuple

import pygame

Color = tuple[int, int, int]


class Palette(NamedTuple):
    """Colours by what they are for.

    Attributes:
        ground: behind everything.
        surface: panels.
        raised: buttons and empty bars.
        line: borders; never the only sign of anything.
        text: on ground, surface and raised.
        muted: lesser text, there too.
        paper: the canvas.
        ink: on the canvas.
        accent: what is chosen, what is likeliest.
        on_accent: text on the accent.
        second: the other accent: doubt, the second network, what speaks against.
        faint: guides on the canvas.
    """

    ground: Color
    surface: Color
    raised: Color
    line: Color
    text: Color
    muted: Color
    paper: Color
    ink: Color
    accent: Color
    on_accent: Color
    second: Color
    faint: Color


PALETTES = {
    "dark": Palette(
        ground=(20, 23, 28),
        surface=(29, 34, 41),
        raised=(42, 49, 59),
        line=(60, 69, 81),
        text=(238, 242, 246),
        muted=(176, 186, 198),
        paper=(12, 14, 18),
        ink=(247, 245, 239),
        accent=(86, 180, 233),
        on_accent=(10, 14, 19),
        second=(240, 170, 40),
        faint=(52, 60, 71),
    ),
    "light": Palette(
        ground=(242, 240, 234),
        surface=(251, 250, 247),
        raised=(228, 225, 216),
        line=(200, 195, 183),
        text=(24, 28, 33),
        muted=(72, 79, 89),
        paper=(255, 255, 255),
        ink=(20, 23, 28),
        accent=(8, 92, 156),
        on_accent=(255, 255, 255),
        second=(150, 70, 0),
        faint=(214, 210, 200),
    ),
}


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2, 1.4.3)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mix(one: Color, other: Color, part: float) -> Color:
    """A colour between two: 0 is the one, 1 the other."""
    a, b, c = (round(x + (y - x) * part) for x, y in zip(one, other, strict=True))
    return a, b, c


@functools.lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> pygame.font.Font:
    """DejaVu Sans, which Matplotlib carries; where it is not, pygame's own."""
    return pygame.font.Font(_font_file(bold), size)


@functools.cache
def _font_file(bold: bool) -> str | None:
    spec = importlib.util.find_spec("matplotlib")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = (
            Path(place) / "mpl-data" / "fonts" / "ttf" / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
        )
        if file.is_file():
            return str(file)
    return None


def _luminance(color: Color) -> float:
    parts = [c / 255 for c in color]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
