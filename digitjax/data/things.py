"""Drawings of things that are no digits, made at random from what drawings of things are made of.

No thing is meant: outlines with parts on and in them, branching lines, blobs with dents and points, polygons,
grids, rows. Each function draws one thing in units of about its height, y down, as `PARTS` pen strokes of
`POINTS` points with a mask of those in use. What could be taken for a digit is left out: a lone circle,
line or arc; a circle with one part; a standing line with one bar.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

PARTS = 9
"""Strokes of a thing at most."""
POINTS = 13
"""Points of a stroke; one segment fewer."""
PAIRS = (PARTS - 1) // 2
"""Mirrored pairs of parts beside the first one."""
NUMBERS = 80
"""Random numbers of a thing at most."""
Thing = tuple[Float[Array, "parts points 2"], Bool[Array, " parts"]]


class Numbers:
    """Random numbers handed out one after the other, all drawn in one call: each call takes long to compile.

    Args:
        uniform: at least `NUMBERS`, each above 0 and below 1.
    """

    def __init__(self, uniform: Float[Array, " numbers"]) -> None:
        self._uniform, self._taken = uniform, 0

    def uniform(self, low: float, high: float, shape: tuple[int, ...] = ()) -> Array:
        """Uniform from `low` to `high`."""
        count = math.prod(shape)
        numbers = self._uniform[self._taken : self._taken + count].reshape(shape)
        self._taken += count
        return low + (high - low) * numbers

    def normal(self, shape: tuple[int, ...] = ()) -> Array:
        """Standard normal."""
        return jax.scipy.special.ndtri(self.uniform(0.0, 1.0, shape))

    def whole(self, low: int, high: int, shape: tuple[int, ...] = ()) -> Int[Array, "..."]:
        """Whole numbers from `low` to `high` - 1."""
        return jnp.floor(self.uniform(float(low), float(high), shape)).astype(jnp.int32)

    def chance(self, probability: float = 0.5, shape: tuple[int, ...] = ()) -> Bool[Array, "..."]:
        """True with that probability."""
        return self.uniform(0.0, 1.0, shape) < probability


def outline_with_parts(random: Numbers) -> Thing:
    """A closed shape with two to four kinds of parts, most in mirrored pairs: heads, carts, flowers.

    The first pair lies outside, so that no circle with a dot comes out, which would be a 0.
    """
    stretch = jnp.exp(random.normal() * 0.2)
    axes = jnp.stack([stretch, 1 / stretch]) * 0.5
    first = np.arange(PAIRS) == 0
    kind = jnp.where(first, random.whole(1, 3, (PAIRS,)), random.whole(0, 4, (PAIRS,)))
    angle = random.uniform(-0.5 * np.pi, 0.5 * np.pi, (PAIRS,))  # on the right; its twin on the left
    size = jnp.where(first, random.uniform(0.3, 0.7, (PAIRS,)), random.uniform(0.15, 0.6, (PAIRS,)))
    closed = jnp.stack([_closed(random) for _ in range(PAIRS + 1)])
    out = _unit(angle)
    rim = (out * axes[None])[:, None]
    ray = _unit(angle + random.uniform(-0.6, 0.6, (PAIRS,)))[:, None] * _line()[None, :, None]
    parts = (
        rim * 0.45 + closed[1:] * (0.25 * size)[:, None, None],  # inside
        rim + ray * size[:, None, None],  # a line outwards
        rim + (closed[1:] * 0.5 + out[:, None] * 0.45) * size[:, None, None],  # a shape beside it
        rim * (1 - 1.2 * _line()[None] * size[:, None])[..., None],  # a line inwards
    )
    used = jnp.arange(PAIRS) < random.whole(2, PAIRS + 1)
    twins = first | random.chance(0.75, (PAIRS,))
    return _with_twins(closed[0] * axes[None], jnp.stack(parts)[kind, np.arange(PAIRS)], used, used & twins)


def branches(random: Numbers) -> Thing:
    """A line with one to three pairs of branches and perhaps a head: trees, men, arrows.

    With one pair and no head it lies: standing it might be a 1 or a 7.
    """
    first = np.arange(PAIRS) == 0
    at = jnp.where(first, random.uniform(-0.5, -0.2, (PAIRS,)), random.uniform(-0.5, 0.5, (PAIRS,)))
    arm = _unit(random.uniform(-1.3, 1.3, (PAIRS,)))[:, None] * _line()[None, :, None]
    arm = arm * random.uniform(0.2, 0.55, (PAIRS,))[:, None, None]
    arm = arm + jnp.stack([at * 0, at], axis=1)[:, None]
    pairs = random.whole(1, PAIRS)
    head = random.chance(0.4)
    top = _closed(random) * 0.17 + np.array([[0.0, -0.67]])
    used = jnp.arange(PAIRS) < pairs
    twins = used & ((jnp.arange(PAIRS) < 2) | random.chance(0.8, (PAIRS,)))
    trunk = jnp.stack([_line() * 0, _line() - 0.5], axis=1)
    parts, mask = _with_twins(trunk, arm.at[-1].set(top), used.at[-1].set(head), twins.at[-1].set(False))
    lies = (pairs < 2) & ~head
    angle = random.normal() * 0.3
    return turned(parts, angle + jnp.where(lies, np.pi * (random.chance() - 0.5), 0.0)), mask


def blob(random: Numbers) -> Thing:
    """One closed curve with two to six dents and points: hearts, leaves, clouds, stars, hands."""
    most = 6
    number = jnp.arange(most)
    count = random.whole(2, most + 1)
    at = number * (2 * np.pi / count) + random.normal((most,)) * 0.25 + random.uniform(0.0, 7.0)
    alternating = 1 - 2 * (number % 2)
    sign = jnp.where(random.chance(), alternating, jnp.sign(random.normal()))
    height = jnp.where(number < count, sign * random.uniform(0.4, 0.7, (most,)), 0.0)
    width = random.uniform(0.35, 0.7, (most,))
    t = np.linspace(0.0, 2 * np.pi, PARTS * (POINTS - 1) + 1, dtype=np.float32)
    away = jnp.abs((t[:, None] - at[None] + np.pi) % (2 * np.pi) - np.pi) / width[None]
    radius = jnp.maximum(0.5 + 0.5 * (height[None] * jnp.maximum(1 - away, 0.0)).sum(axis=1), 0.05)
    strokes = np.arange(PARTS)[:, None] * (POINTS - 1) + np.arange(POINTS)[None]
    return (_unit(jnp.asarray(t)) * radius[:, None])[strokes], jnp.ones(PARTS, bool)


def polygon(random: Numbers) -> Thing:
    """A polygon of three to five sharp corners, perhaps another in or beside it, perhaps diagonals."""
    corners = random.whole(3, 6, (2,))  # six and more might be a 0
    start = random.uniform(0.0, 2 * np.pi, (2,))
    miss = random.normal((2, POINTS, 2)) * 0.06
    outer, inner = (_polygon(corners[i], start[i], miss[i]) for i in range(2))
    place = random.uniform(-0.9, 0.9, (1, 2)) * random.chance()
    ends = jnp.argsort(random.uniform(0.0, 1.0, (8,)))[:4].reshape(2, 2)
    chord = _unit((ends * (2 * np.pi / corners[0]) + start[0]).reshape(-1)).reshape(2, 2, 2)
    lines = chord[:, :1] + (chord[:, 1:] - chord[:, :1]) * _line()[None, :, None]
    parts = jnp.concatenate([outer[None], (inner * 0.55 + place)[None], lines]) * 0.5
    mask = jnp.concatenate([jnp.ones(1, bool), random.chance(0.3, (3,))])
    return jnp.pad(parts, ((0, PARTS - 4), (0, 0), (0, 0))), jnp.pad(mask, (0, PARTS - 4))


def grid(random: Numbers) -> Thing:
    """One to three lines across others, four or more in all or in a frame: fences, windows, tables."""
    frame = random.chance(0.4)
    across = random.whole(1, 4)
    down = jnp.maximum(random.whole(1, 4), jnp.where(frame, 1, 4 - across))
    number = np.arange(PAIRS)
    jitter = random.normal((2, PAIRS)) * 0.04
    rows = (number + 1) / (across + 1) - 0.5 + jitter[0]
    columns = (number + 1) / (down + 1) - 0.5 + jitter[1]
    along = _line()[None] - 0.5
    wide = jnp.stack(jnp.broadcast_arrays(along, rows[:, None]), axis=-1)
    high = jnp.stack(jnp.broadcast_arrays(columns[:, None], along), axis=-1)
    square = _polygon(jnp.int32(4), jnp.float32(np.pi / 4), jnp.zeros((POINTS, 2))) * np.sqrt(0.5)
    stretch = jnp.exp(random.normal() * 0.2)
    parts = jnp.concatenate([wide, high, square[None]]) * jnp.stack([stretch, 1 / stretch])[None, None]
    return parts, jnp.concatenate([number < across, number < down, frame[None]])


def row_of_signs(random: Numbers) -> Thing:
    """Three to five equal small signs in a row: strokes, circles, hooks."""
    count = random.whole(3, 6)
    sweep = jnp.where(random.chance(), 2 * np.pi, random.uniform(1.0, 4.0))
    bow = _unit(sweep * _line() + random.uniform(0.0, 2 * np.pi)) * 0.4
    bar = jnp.stack([_line() * 0, _line() - 0.5], axis=1)
    sign = jnp.where(random.chance(), bow, bar) * random.uniform(0.5, 1.5)
    place = jnp.stack([jnp.arange(PARTS) * 0.9, random.normal((PARTS,)) * 0.08], axis=1)
    return (sign[None] + place[:, None]) / count, jnp.arange(PARTS) < count


DRAWERS = (outline_with_parts, branches, blob, polygon, grid, row_of_signs)
"""Everything that is drawn, each as often."""


def draw_thing(key: Key[Array, ""]) -> Thing:
    """One thing of any kind."""
    uniform = jax.random.uniform(key, (NUMBERS + 1,), minval=1e-6, maxval=1 - 1e-6)
    things = [draw(Numbers(uniform)) for draw in DRAWERS]  # one of them is shown
    kind = jnp.floor(uniform[-1] * len(DRAWERS)).astype(jnp.int32)
    return jnp.stack([parts for parts, _ in things])[kind], jnp.stack([mask for _, mask in things])[kind]


def turned(points: Float[Array, "*n 2"], angle: Float[Array, ""]) -> Float[Array, "*n 2"]:
    """Points turned about the origin by `angle` radians, from x to y."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x, y = points[..., 0], points[..., 1]
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def _line() -> Float[np.ndarray, " points"]:
    return np.linspace(0.0, 1.0, POINTS, dtype=np.float32)


def _unit(angle: Float[Array, " n"]) -> Float[Array, "n 2"]:
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)


def _polygon(
    corners: Int[Array, ""], start: Float[Array, ""], miss: Float[Array, "points 2"]
) -> Float[Array, "points 2"]:
    """A closed polygon about the origin, its corners near the unit circle; `miss` moves each of them."""
    number = jnp.floor(_line() * (corners + 0.999)).astype(jnp.int32) % corners
    return _unit(number * (2 * np.pi / corners) + start) + miss[number]


def _closed(random: Numbers) -> Float[Array, "points 2"]:
    """An ellipse or a polygon of three to five corners, on the unit circle."""
    corners = random.whole(3, 6)
    start = np.pi / 2 + jnp.where(random.chance(0.7), np.pi / corners, 0.0)
    straight = _polygon(corners, start, jnp.zeros((POINTS, 2)))
    return jnp.where(random.chance(), _unit(jnp.asarray(2 * np.pi * _line())), straight)


def _with_twins(
    first: Float[Array, "points 2"],
    parts: Float[Array, "pairs points 2"],
    used: Bool[Array, " pairs"],
    twins: Bool[Array, " pairs"],
) -> Thing:
    mirrored = parts * np.array([-1.0, 1.0], np.float32)[None, None]
    return jnp.concatenate([first[None], parts, mirrored]), jnp.concatenate([jnp.ones(1, bool), used, twins])
