"""The normaliser's stages as maps from the canvas to the 28 x 28 image, for showing them. Pure.

What the network gets `digitjax.normalize` makes in the worker; here is only where the ink lies meanwhile.
"""

import functools
from typing import NamedTuple

from play.answers import Answered
from play.events import CANVAS
from play.ink import Ink, Stroke, bounds
from play.state import JOURNEY_SECONDS, STAGES

SIDE = 28
BOX = 20.0
"""Longest side of the ink in the image, pen included; as `digitjax.normalize.BOX`."""
PEN = 2.6
"""Diameter of the network's pen in the image's pixels; twice `digitjax.normalize.PEN_RADIUS`."""
UCI_SIDE, UCI_BLOCK, UCI_PEN = 32, 4, 3.8
"""Side of the bitmap of the 8 x 8 networks, of its blocks, and the pen there; as in `digitjax.normalize`."""
MIDDLE = 14.0
"""Pixel index of the mass; as `digitjax.normalize.CENTRE`."""
SHRINK = SIDE / CANVAS
NAMES = ("ink", *STAGES, "pixels")
"""Steps of the way, in order."""
TITLES = {
    "ink": "Your ink",
    "box": "Box",
    "scale": "20 pixels",
    "mass": "Mass",
    "pixels": "28 × 28",
}
"""What they are called on the screen."""
ENDS = (0.12, 0.32, 0.54, 0.72, 1.0)
"""Part of the journey at which each step is done."""
MOVING = (0.0, 0.17, 0.2, 0.14, 0.1)
"""Part of the journey that each step's movement takes; the rest of it stands still."""


class Map(NamedTuple):
    """Canvas units to image pixels: scale, then offset; the diameter of the pen there."""

    scale: float
    x: float
    y: float
    pen: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A place on the canvas in the image."""
        return x * self.scale + self.x, y * self.scale + self.y

    def between(self, other: "Map", part: float) -> "Map":
        """A map on the way from this one to another."""
        return Map(*(a + part * (b - a) for a, b in zip(self, other, strict=True)))


def maps(ink: Ink, pen: float, off: frozenset[str], answer: Answered | None) -> tuple[Map, Map, Map, Map]:
    """Where the ink lies before any stage, and after each of `STAGES`; one that is off changes nothing.

    Args:
        ink: with at least one stroke.
        pen: its diameter on the canvas.
        off: stages that are switched off.
        answer: the last one, which knows where the mass went.
    """
    start = Map(SHRINK, -0.5, -0.5, pen * SHRINK)
    left, top, right, bottom = bounds(ink) or (0.0, 0.0, 0.0, 0.0)
    x, y = (left + right) / 2, (top + bottom) / 2
    boxed = start if "box" in off else start._replace(x=MIDDLE - x * SHRINK, y=MIDDLE - y * SHRINK)
    scaled = boxed
    if "scale" not in off:
        extent = max(right - left, bottom - top)
        scale = (BOX - PEN) / extent if extent > 0 else 0.0
        at_x, at_y = boxed.point(x, y)
        scaled = Map(scale, at_x - x * scale, at_y - y * scale, PEN)
    centred = scaled
    if "mass" not in off and answer is not None and answer.fit is not None:
        centred = Map(*answer.fit, PEN)
    return start, boxed, scaled, centred


def centre_of_mass(answer: Answered) -> tuple[float, float] | None:
    """x and y of the image's mean ink in pixel indices; None for an empty one."""
    side, image = answer.side, answer.image
    total = sum(image)
    if not total:
        return None
    x = sum(i * sum(image[i::side]) for i in range(side)) / total
    y = sum(i * sum(image[i * side : (i + 1) * side]) for i in range(side)) / total
    return x, y


def mass_on_canvas(answer: Answered | None) -> tuple[float, float] | None:
    """Where the image's centre of mass is on the canvas."""
    if answer is None or answer.fit is None or answer.fit[0] <= 0:
        return None
    mass = centre_of_mass(answer)
    if mass is None:
        return None
    scale, x, y = answer.fit
    return (mass[0] - x) / scale, (mass[1] - y) / scale


class Way(NamedTuple):
    """A moment of the journey: steps that are done, and how far the next one is, 0 to 1."""

    step: int
    part: float


def way(elapsed: float) -> Way:
    """The moment so many seconds after the start."""
    now = min(max(elapsed / JOURNEY_SECONDS, 0.0), 1.0)
    before = 0.0
    for step, (end, moving) in enumerate(zip(ENDS, MOVING, strict=True)):
        if now < end or step == len(ENDS) - 1:
            raw = min(max((now - before) / moving, 0.0), 1.0) if moving else 1.0
            return Way(step, raw * raw * (3 - 2 * raw))
        before = end
    return Way(len(ENDS) - 1, 1.0)


def thin(ink: Ink, spacing: float = 5.0) -> tuple[tuple[tuple[float, float], ...], ...]:
    """The strokes' points no closer than `spacing` units, ends kept: enough for small pictures."""
    return tuple(_thin(stroke, spacing) for stroke in ink)


@functools.lru_cache(maxsize=32)
def _thin(stroke: Stroke, spacing: float) -> tuple[tuple[float, float], ...]:
    kept = [stroke.points[0]]
    for point in stroke.points[1:]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) >= spacing:
            kept.append(point)
    if kept[-1] != stroke.points[-1]:
        kept.append(stroke.points[-1])
    return tuple(kept)


def image_map(ink: Ink, answer: Answered | None) -> Map | None:
    """Where the ink lies in the image that a network saw, 28 x 28 or 8 x 8; None without extent or answer."""
    if answer is None:
        return None
    if answer.side == SIDE:
        return None if answer.fit is None or answer.fit[0] <= 0 else Map(*answer.fit, PEN)
    left, top, right, bottom = bounds(ink) or (0.0, 0.0, 0.0, 0.0)
    extent = max(right - left, bottom - top)
    if extent <= 0:
        return None
    scale = (UCI_SIDE - UCI_PEN) / extent / UCI_BLOCK
    middle = ((UCI_SIDE - 1) / 2 + 0.5) / UCI_BLOCK - 0.5
    x, y = (left + right) / 2, (top + bottom) / 2
    return Map(scale, middle - x * scale, middle - y * scale, UCI_PEN / UCI_BLOCK)
