"""Source `nondigits`: procedural ink that is no digit.

Scribbles, hatching, stars, spirals, waves, doodles, drawings of things, letters and signs, several digits in
one box. What could be taken for a digit is left out: no single circle, line or arc, and nothing half-drawn.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from digitjax.data.labels import NOT_A_DIGIT
from digitjax.data.procedural import fixed
from digitjax.data.skeletons import load_signs
from digitjax.data.spec import Kind, Source, Spec
from digitjax.data.synthetic import padded, sample, sample_paths
from digitjax.data.things import draw_thing, turned
from digitjax.ink import FREQUENCIES, smooth_field
from digitjax.types import Segments

POINTS = 72
"""Points of a path; one segment fewer."""
PIECES = 6
"""Primitives of a doodle at most, `POINTS // PIECES` points each."""
WORD = "scribble"
"""The word of each."""
KINDS = ("scribble", "wander", "hatching", "star", "spiral", "wave", "doodle", "thing", "sign", "digits")
SHARES = (0.08, 0.08, 0.06, 0.05, 0.04, 0.05, 0.1, 0.26, 0.16, 0.12)
"""How often each kind is drawn."""


def _scribble(key: Key[Array, ""]) -> Float[Array, "points 2"]:
    """A smooth closed or open tangle: sums of sines that cross themselves many times."""
    amount, phase, speed = jax.random.split(key, 3)
    frequency = jax.random.uniform(speed, (2, 4), minval=1.5, maxval=6.0)
    size = jax.random.normal(amount, (2, 4)) / frequency**0.5
    t = jnp.linspace(0.0, 2 * jnp.pi, POINTS)[None, None]
    waves = jnp.sin(frequency[..., None] * t + jax.random.uniform(phase, (2, 4, 1), maxval=2 * jnp.pi))
    path = jnp.einsum("cf,cft->tc", size, waves)
    return path / (path.max(axis=0) - path.min(axis=0))[None]  # a flat one would be a thick bar, a 1


def _wander(key: Key[Array, ""]) -> Float[Array, "points 2"]:
    """A smooth line through nine to eighteen random places, which crosses itself (Catmull and Rom)."""
    count_key, place_key = jax.random.split(key)
    places = jax.random.uniform(place_key, (POINTS + 3, 2), minval=-0.5)
    at = jnp.linspace(0.0, jax.random.randint(count_key, (), 8, 18), POINTS)
    first = jnp.floor(at).astype(jnp.int32)
    t = (at - first)[:, None]
    before, start, end, after = (places[first + i] for i in range(4))
    return 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * (start - end) + after - before) * t**3
    )


def _hatching(key: Key[Array, ""]) -> Float[Array, "points 2"]:
    """To and fro at least five times, drifting: a crossing-out, a filled patch."""
    turns_key, drift_key, miss_key, angle_key = jax.random.split(key, 4)
    turns = jax.random.randint(turns_key, (), 5, 14)
    number = jnp.minimum(jnp.arange(POINTS), turns)
    drift = jax.random.uniform(drift_key, minval=0.7, maxval=1.6)
    line = jnp.stack([jnp.where(number % 2 == 0, -0.5, 0.5), (number / turns - 0.5) * drift], axis=1)
    missed = line + jax.random.normal(miss_key, (POINTS, 2))[number] * 0.08
    return turned(missed, jax.random.uniform(angle_key, maxval=2 * jnp.pi))


def _star(key: Key[Array, ""]) -> Float[Array, "points 2"]:
    """A star drawn in one line, points 5 to 9, skipping 2 or more; its corners missed a little."""
    points_key, miss_key, angle_key = jax.random.split(key, 3)
    points = 2 * jax.random.randint(points_key, (), 2, 5) + 1
    number = jnp.minimum(jnp.arange(POINTS), points)
    angle = number * (2 * jnp.pi * (points // 2) / points) + jax.random.uniform(angle_key, maxval=2 * jnp.pi)
    missed = jax.random.normal(miss_key, (POINTS, 2))[number % points] * 0.07
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1) * 0.5 + missed


def _spiral(key: Key[Array, ""]) -> Float[Array, "points 2"]:
    """At least two and a half turns, wound either way."""
    turns_key, angle_key, way_key, inner_key = jax.random.split(key, 4)
    turns = jax.random.uniform(turns_key, minval=2.5, maxval=5.0)
    t = jnp.linspace(jax.random.uniform(inner_key, maxval=0.3), 1.0, POINTS)
    angle = 2 * jnp.pi * turns * t * jnp.sign(jax.random.uniform(way_key) - 0.5)
    return turned(
        jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1) * t[:, None] * 0.5,
        jax.random.uniform(angle_key, maxval=2 * jnp.pi),
    )


def _wave(key: Key[Array, ""]) -> Float[Array, "points 2"]:
    """A wave, a zigzag or a row of loops along a line, three periods or more."""
    period_key, height_key, loop_key, corner_key, angle_key = jax.random.split(key, 5)
    periods = jax.random.uniform(period_key, minval=2.75, maxval=6.5)
    t = jnp.linspace(0.0, 1.0, POINTS)
    phase = 2 * jnp.pi * periods * t
    loops = jnp.maximum(jax.random.uniform(loop_key, minval=-0.25, maxval=0.25), 0.0)
    height = jax.random.uniform(height_key, minval=0.12, maxval=0.6)
    smooth, corner = jnp.sin(phase), 2 / jnp.pi * jnp.arcsin(jnp.sin(phase))
    y = jnp.where(jax.random.uniform(corner_key) < 0.4, corner, smooth) * height
    line = jnp.stack([t - 0.5 + loops * jnp.cos(phase), y], axis=1)
    return turned(line, jax.random.uniform(angle_key, maxval=2 * jnp.pi))


def _doodle(key: Key[Array, ""]) -> Segments:
    """Four to six primitives, circles, arcs, lines and corners, somewhere: faces, houses, flowers, plans."""
    count_key, kind_key, place_key, size_key, sweep_key, angle_key = jax.random.split(key, 6)
    points = POINTS // PIECES
    t = np.linspace(0.0, 1.0, points, dtype=np.float32)
    sweep = jax.random.uniform(sweep_key, (PIECES, 1), minval=1.5, maxval=5.0)
    kind = jax.random.randint(kind_key, (PIECES, 1, 1), 0, 4)
    around = jnp.where(kind[..., 0] == 0, 2 * jnp.pi, sweep) * t[None]
    arc = jnp.stack([jnp.cos(around), jnp.sin(around)], axis=-1) / 2
    line = jnp.stack([t - 0.5, t * 0], axis=-1)[None]
    quarter = np.minimum(np.floor(t * 5), 4)
    box = np.stack([np.cos(quarter * np.pi / 2), np.sin(quarter * np.pi / 2)], axis=-1)[None] * 0.5
    shape = jnp.where(kind <= 1, arc, jnp.where(kind == 2, line, box))
    size = jnp.exp(jax.random.normal(size_key, (PIECES, 1, 2)) * 0.4) * 0.4
    angle = jax.random.uniform(angle_key, (PIECES,), maxval=2 * jnp.pi)
    place = jax.random.uniform(place_key, (PIECES, 1, 2), minval=-0.6, maxval=0.6)
    path = jax.vmap(turned)(shape * size, angle) + place
    used = jnp.arange(PIECES) < jax.random.randint(count_key, (), 4, PIECES + 1)
    ends = jnp.concatenate([path[:, :-1], path[:, 1:]], axis=-1)
    mask = jnp.broadcast_to(used[:, None], ends.shape[:2])
    missing = POINTS - 1 - PIECES * (points - 1)
    return Segments(
        jnp.pad(ends.reshape(-1, 4), ((0, missing), (0, 0))), jnp.pad(mask.reshape(-1), (0, missing))
    )


def _side_by_side(key: Key[Array, ""], left: Segments, right: Segments) -> Segments:
    """Two digits in one box, beside each other or, seldom, one under the other."""
    gap_key, size_key, drop_key, under_key = jax.random.split(key, 4)
    low, high = _box(left)
    other_low, other_high = _box(right)
    scale = (high - low)[1] / jnp.maximum((other_high - other_low)[1], 1e-3)
    scale = scale * jnp.exp(jax.random.normal(size_key) * 0.15)
    gap = jax.random.uniform(gap_key, minval=0.05, maxval=0.6) * (high - low)[1]
    drop = jax.random.normal(drop_key) * 0.1 * (high - low)[1]
    beside = jnp.stack([high[0] + gap, low[1] + drop])
    below = jnp.stack([low[0] + drop, high[1] + gap + 0.3 * (high - low)[1]])  # two 0 that touch are an 8
    target = jnp.where(jax.random.uniform(under_key) < 0.15, below, beside)
    moved = (jnp.asarray(right.ends).reshape(-1, 2) - other_low[None]) * scale + target[None]
    return Segments(
        jnp.concatenate([jnp.asarray(left.ends), moved.reshape(-1, 4)]),
        jnp.concatenate([jnp.asarray(left.mask), jnp.asarray(right.mask)]),
    )


def _box(ink: Segments) -> tuple[Float[Array, "2"], Float[Array, "2"]]:
    corners = jnp.asarray(ink.ends).reshape(-1, 2, 2)
    mask = jnp.asarray(ink.mask)[:, None]
    low = jnp.where(mask, corners.min(axis=1), jnp.inf).min(axis=0)
    return low, jnp.where(mask, corners.max(axis=1), -jnp.inf).max(axis=0)


def _line(key: Key[Array, ""], kind: Int[Array, ""]) -> Segments:
    """What is drawn in one line: the first kinds."""
    drawers = (_scribble, _wander, _hatching, _star, _spiral, _wave)
    paths = jnp.stack(
        [draw(one_key) for draw, one_key in zip(drawers, jax.random.split(key, 6), strict=True)]
    )
    path = paths[jnp.minimum(kind, len(paths) - 1)]
    ends = jnp.concatenate([path[:-1], path[1:]], axis=1)
    return Segments(ends, jnp.ones(len(ends), bool))


def _thing(key: Key[Array, ""]) -> Segments:
    """A drawing of a thing, every part a little beside its place."""
    draw_key, miss_key = jax.random.split(key)
    parts, mask = draw_thing(draw_key)
    path = parts + jax.random.normal(miss_key, (len(parts), 1, 2)) * 0.015
    ends = jnp.concatenate([path[:, :-1], path[:, 1:]], axis=-1)
    return Segments(ends.reshape(-1, 4), jnp.repeat(mask, ends.shape[1]))


def _shake(key: Key[Array, ""], ink: Segments) -> Segments:
    """Stretched, and bent by a smooth random field, as a hand does it."""
    stretch_key, field_key = jax.random.split(key)
    stretch = jnp.exp(jax.random.normal(stretch_key) * 0.2)
    points = jnp.asarray(ink.ends).reshape(-1, 2)
    field = jax.random.normal(field_key, (2, FREQUENCIES, FREQUENCIES))
    bent = points + smooth_field(field, points + 0.5, 0.03)
    return Segments((bent * jnp.stack([stretch, jnp.ones(())])[None]).reshape(-1, 4), jnp.asarray(ink.mask))


def sample_nondigits(key: Key[Array, ""], n: int) -> tuple[Segments, Int[Array, " n"]]:
    """Draws `n` things that are no digits.

    Args:
        key: the same key, the same drawings.
        n: how many. Static.

    Returns:
        Ink in units of about the drawing's height, and `labels.NOT_A_DIGIT` for each.
    """
    kind_key, draw_key, digit_key, sign_key, place_key, shake_key = jax.random.split(key, 6)
    kind = jax.random.choice(kind_key, len(KINDS), (n,), p=jnp.asarray(SHARES))
    line_keys, doodle_keys, thing_keys = jax.random.split(draw_key, (3, n))
    signs, _ = sample_paths(sign_key, n, load_signs())
    digits, _ = sample(digit_key, 2 * n)
    left, right = (jax.tree.map(lambda leaf, half=half: leaf[half::2], digits) for half in (0, 1))
    pairs = jax.vmap(_side_by_side)(jax.random.split(place_key, n), left, right)
    drawn = {
        "doodle": jax.vmap(_doodle)(doodle_keys),
        "thing": jax.vmap(_thing)(thing_keys),
        "sign": signs,
        "digits": pairs,
    }
    ink = jax.vmap(_line)(line_keys, kind)
    rows = max(ink.mask.shape[1], *(one.mask.shape[1] for one in drawn.values()))
    ink = padded(ink, rows)
    for name, one in drawn.items():
        chosen, one = kind == KINDS.index(name), padded(one, rows)
        ends = jnp.where(chosen[:, None, None], one.ends, ink.ends)
        ink = Segments(ends, jnp.where(chosen[:, None], one.mask, ink.mask))
    ink = jax.vmap(_shake)(jax.random.split(shake_key, n), ink)
    return ink, jnp.full(n, NOT_A_DIGIT)


def load_nondigits(spec: Spec) -> Source:
    """Things that are no digits."""
    return fixed(spec, sample_nondigits, lambda _: WORD)


KIND = Kind(
    about="procedural scribbles and doodles, no digits",
    licence="Apache-2.0, as digitjax",
    load=load_nondigits,
    size="endless; 10,000 to test on",
)
