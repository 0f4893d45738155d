"""Scribbles and doodles that nothing trains on: random walks and hand-made templates, in NumPy.

It shares no code with `digitjax.data.nondigits`. `python -m tests.doodles FILE` writes 1,000 as drawings.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

Strokes = list[np.ndarray]


def circle(
    x: float, y: float, r: float, start: float = 0.0, sweep: float = 2 * np.pi, n: int = 24
) -> np.ndarray:
    t = start + np.linspace(0, sweep, n)
    return np.stack([x + r * np.cos(t), y + r * np.sin(t)], axis=1)


def line(*points: float) -> np.ndarray:
    return np.array(points, float).reshape(-1, 2)


TEMPLATES: dict[str, Callable[[], Strokes]] = {
    "house": lambda: [
        line(0, 40, 0, 100, 80, 100, 80, 40, 0, 40, 40, 0, 80, 40),
        line(30, 100, 30, 65, 50, 65, 50, 100),
    ],
    "face": lambda: [circle(50, 50, 50), circle(32, 35, 5), circle(68, 35, 5), circle(50, 52, 28, 0.4, 2.3)],
    "sun": lambda: [
        circle(50, 50, 22),
        *(line(50 + 30 * c, 50 + 30 * s, 50 + 48 * c, 50 + 48 * s) for c, s in RAYS),
    ],
    "tree": lambda: [
        line(45, 100, 45, 60),
        line(55, 100, 55, 60),
        circle(50, 35, 30),
        circle(40, 30, 8),
        circle(60, 42, 8),
    ],
    "fish": lambda: [
        circle(45, 50, 40) * [1, 0.5] + [0, 25],
        line(82, 50, 105, 30, 105, 70, 82, 50),
        circle(22, 45, 3),
    ],
    "heart": lambda: [
        np.stack(
            [16 * np.sin(T) ** 3, -(13 * np.cos(T) - 5 * np.cos(2 * T) - 2 * np.cos(3 * T) - np.cos(4 * T))],
            1,
        )
    ],
    "arrow": lambda: [line(0, 50, 100, 50), line(70, 20, 100, 50, 70, 80)],
    "car": lambda: [
        line(0, 70, 0, 45, 25, 45, 38, 20, 80, 20, 92, 45, 120, 48, 120, 70, 0, 70),
        circle(28, 72, 12),
        circle(92, 72, 12),
    ],
    "cat": lambda: [
        circle(50, 55, 38),
        line(20, 32, 18, 2, 42, 20),
        line(58, 20, 82, 2, 80, 32),
        line(30, 62, 2, 56),
        line(70, 62, 98, 56),
    ],
    "flower": lambda: [
        *(circle(50 + 22 * c, 35 + 22 * s, 14) for c, s in RAYS[::2]),
        circle(50, 35, 9),
        line(50, 58, 50, 110),
    ],
    "grid": lambda: [line(33, 0, 33, 100), line(66, 0, 66, 100), line(0, 33, 100, 33), line(0, 66, 100, 66)],
    "man": lambda: [
        circle(50, 15, 14),
        line(50, 29, 50, 68),
        line(20, 45, 80, 45),
        line(50, 68, 25, 105),
        line(50, 68, 75, 105),
    ],
    "envelope": lambda: [line(0, 0, 110, 0, 110, 70, 0, 70, 0, 0, 55, 40, 110, 0)],
    "umbrella": lambda: [
        circle(50, 50, 48, np.pi, np.pi),
        line(2, 50, 18, 42, 34, 50, 50, 42, 66, 50, 82, 42, 98, 50),
        line(50, 42, 50, 95),
    ],
    "bolt": lambda: [line(55, 0, 20, 55, 48, 55, 30, 105, 85, 40, 55, 40, 75, 0, 55, 0)],
    "crossed box": lambda: [line(0, 0, 90, 0, 90, 90, 0, 90, 0, 0, 90, 90), line(90, 0, 0, 90)],
    "glasses": lambda: [
        circle(22, 50, 20),
        circle(78, 50, 20),
        line(42, 48, 58, 48),
        line(2, 45, -10, 30),
        line(98, 45, 110, 30),
    ],
    "snowflake": lambda: [line(50 - 50 * c, 50 - 50 * s, 50 + 50 * c, 50 + 50 * s) for c, s in RAYS[:4]],
}
RAYS = [(np.cos(a), np.sin(a)) for a in np.arange(8) * np.pi / 4]
T = np.linspace(0, 2 * np.pi, 60)


def walk(rng: np.random.Generator) -> Strokes:
    """A pen that wanders with momentum about a middle: an angry or a dreamy scribble."""
    place, speed, path = np.zeros(2), rng.normal(size=2), []
    pull, kick = rng.uniform(0.02, 0.06), rng.uniform(0.2, 0.6)
    for _ in range(int(rng.integers(120, 260))):
        speed = 0.96 * speed + kick * rng.normal(size=2) - pull * place
        place = place + speed
        path.append(place)
    return [np.array(path)]


def doodle(rng: np.random.Generator, name: str) -> Strokes:
    """A template with every stroke a little off, slanted, stretched and shaky."""
    angle, stretch = rng.normal() * 0.12, np.exp(rng.normal(size=2) * 0.12)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * stretch
    strokes = TEMPLATES[name]()
    size = np.ptp(np.concatenate(strokes), axis=0).max()
    return [
        (s + rng.normal(size=2) * 0.02 * size + rng.normal(size=s.shape) * 0.01 * size) @ matrix.T
        for s in strokes
    ]


def make(n: int, seed: int = 0) -> list[dict]:
    """`n` drawings, a third of them scribbles, as lines of a drawings file."""
    rng, made = np.random.default_rng(seed), []
    names = sorted(TEMPLATES)
    for index in range(n):
        word = "scribble" if index % 3 == 0 else str(rng.choice(names))
        strokes = walk(rng) if index % 3 == 0 else doodle(rng, word)
        drawing = [np.round(stroke, 2).T.tolist() for stroke in strokes]
        made.append({"word": word, "drawing": drawing, "source": "doodles"})
    return made


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("".join(json.dumps(one) + "\n" for one in make(1000)), encoding="utf-8")
