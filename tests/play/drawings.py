"""Drawings made of curves: their points, their events, and the image that a network sees of them."""

import itertools

import numpy as np

from play import stages
from play.events import Event, PenDown, PenMove, PenUp
from play.state import PlayState

Points = list[tuple[float, float]]


def curve(*points: tuple[float, float], pieces: int = 8) -> Points:
    """A smooth line through points (Catmull-Rom)."""
    found: Points = [points[0]]
    for i in range(len(points) - 1):
        p0, p1, p2 = points[max(0, i - 1)], points[i], points[i + 1]
        p3 = points[min(len(points) - 1, i + 2)]
        for k in range(1, pieces + 1):
            t = k / pieces
            weights = ((-t + 2 * t**2 - t**3) / 2, (2 - 5 * t**2 + 3 * t**3) / 2)
            weights += ((t + 4 * t**2 - 3 * t**3) / 2, (t**3 - t**2) / 2)
            x, y = (
                sum(w * p[axis] for w, p in zip(weights, (p0, p1, p2, p3), strict=True)) for axis in (0, 1)
            )
            found.append((x, y))
    return found


FOUR = (
    curve((362, 168), (338, 300), (312, 428), (330, 500), (420, 512), (560, 498), (690, 480)),
    curve((596, 190), (588, 360), (574, 560), (566, 800)),
)
DIGITS = {
    "0": (curve((520, 200), (360, 330), (340, 600), (480, 790), (640, 640), (650, 380), (520, 200)),),
    "1": (curve((420, 320), (520, 200)), curve((520, 200), (515, 500), (510, 800))),
    "2": (curve((350, 330), (470, 200), (620, 290), (560, 500), (360, 780)), [(360, 780), (660, 780)]),
    "3": (curve((360, 240), (560, 210), (600, 360), (460, 470), (630, 600), (540, 780), (350, 740)),),
    "4": FOUR,
    "7": ([(340, 220), (650, 220)], curve((650, 220), (560, 480), (450, 800))),
}


def strokes_events(strokes: tuple[Points, ...]) -> list[Event]:
    """A drawing as events, 120 points a second."""
    found: list[Event] = []
    time = 0.0
    for stroke in strokes:
        for i, (x, y) in enumerate(stroke):
            found.append(PenMove(x, y, time) if i else PenDown(x, y, time))
            time += 1 / 120
        found.append(PenUp(time))
    return found


def number_strokes(text: str, height: float = 190.0) -> tuple[Points, ...]:
    """A number on the wide canvas, its digits `height` units high."""
    part = height / 600
    return tuple(
        [(110 + 210 * place + part * (x - 340), 60 + part * (y - 200)) for x, y in stroke]
        for place, sign in enumerate(text)
        for stroke in DIGITS[sign]
    )


def number_events(text: str) -> list[Event]:
    """The same as events."""
    return strokes_events(number_strokes(text))


def image_of(state: PlayState) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The 28 x 28 image by brute force (distance to densely sampled ink), and its fit."""
    place = stages.maps(state.strokes, state.pen, state.off, None)[2]
    ink = np.concatenate([dense([place.point(x, y) for x, y in stroke.points]) for stroke in state.strokes])
    image = rendered(ink)
    shift = np.zeros(2)
    if "mass" not in state.off and image.sum() > 0:
        grid = np.arange(28)
        shift = 14 - np.array([(image.sum(0) * grid).sum(), (image.sum(1) * grid).sum()]) / image.sum()
    fit = (place.scale, float(place.x + shift[0]), float(place.y + shift[1]))
    return rendered(ink + shift), fit


def dense(points: Points) -> np.ndarray:
    line = np.array(points)
    return np.concatenate([np.linspace(a, b, 12) for a, b in itertools.pairwise(line)] or [line])


def rendered(ink: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:28, :28]
    nearest = np.hypot(x[..., None] - ink[:, 0], y[..., None] - ink[:, 1]).min(-1)
    return np.clip(1.3 + 0.5 - nearest, 0, 1)
