"""Procedural handwriting: endless, keyed, jit-able; no picture of anybody's hand is needed.

Most digits are drawn from the statistics of people's strokes (`forms.py`). For the others a skeleton
(`skeletons.py`) is drawn by a hand that misses its points, rounds corners, begins late and ends early, puts
second strokes beside their place, and whose whole page is bent by a smooth random field, sheared, stretched
and turned.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from digitjax.data.forms import Forms, sample_forms
from digitjax.data.skeletons import CORNER, LAST, WIDTH, Skeletons, load_skeletons
from digitjax.ink import FREQUENCIES, smooth_field
from digitjax.types import Segments

AS_PEOPLE = 0.7
"""Fraction of the digits drawn from people's statistics (`forms.py`); the rest from the skeletons, which have
rarer ways and wilder hands."""
PER_PIECE = 4
"""Straight segments that a piece of path is drawn with."""


@dataclass(frozen=True, kw_only=True)
class Hand:
    """How much hands differ; standard deviations in units of the digit's height unless said otherwise."""

    miss: float = 0.075
    """How far a point is missed."""
    field: float = 0.05
    """Strength of the smooth random field; it moves the ink about 1.4 times as far."""
    bar: float = 0.04
    """How far a stroke after the first is beside its place."""
    stretch: float = 0.22
    """Logarithm of width over height."""
    shear: float = 0.22
    """Slant, x per y."""
    slant: float = 0.08
    """Mean slant: most writers lean to the right."""
    turn: float = 0.10
    """Rotation in radians."""
    rounding: float = 1.0
    """Most that a corner is rounded, 0 to 1; uniform."""
    early: float = 0.12
    """Most that a stroke begins late or ends early, as a part of its first or last piece; uniform."""
    tremor: float = 0.006
    """How far each segment's end trembles."""
    pen_low: float = 0.8
    """Thinnest pen, radius in pixels of the 28 x 28 image."""
    pen_high: float = 2.0
    """Thickest pen."""


class Noise(NamedTuple):
    """What is random about a drawing: standard normal; `cut` and `rounding` are uniform, 0 to 1."""

    miss: Float[Array, "*n points 2"]
    bar: Float[Array, "*n strokes 2"]
    tremor: Float[Array, "*n ends 2"]
    field: Float[Array, "*n 2 rows columns"]
    shape: Float[Array, "*n 3"]
    cut: Float[Array, "*n pieces 2"]
    rounding: Float[Array, "*n"]


def _draw(noise: Noise, skeletons: Skeletons, path: Int[Array, ""], hand: Hand) -> Segments:
    """One drawing of one path, in units of about its height."""
    pieces, kinds, stroke = skeletons.pieces[path], skeletons.kinds[path], skeletons.stroke[path]
    points = skeletons.points[path] + noise.miss * hand.miss
    before, start, end, after = (points[pieces[:, i]] for i in range(4))
    straight = end - start
    rounding = noise.rounding * hand.rounding

    def tangent(kind, through):
        smoothness = jnp.where(kind == LAST, 0.0, jnp.where(kind == CORNER, rounding, 1.0))[:, None]
        return straight + smoothness * (through - straight)

    leaving = tangent(kinds[:, 0], (end - before) / 2)
    arriving = tangent(kinds[:, 1], (after - start) / 2)

    # A stroke may begin late and end early, or the other way round; Hermite's polynomials give the curve.
    cut = (1.5 * noise.cut - 0.5) * hand.early
    low = jnp.where(kinds[:, 0] == LAST, cut[:, 0], 0.0)
    high = 1.0 - jnp.where(kinds[:, 1] == LAST, cut[:, 1], 0.0)
    t = (low[:, None] + np.linspace(0.0, 1.0, PER_PIECE + 1)[None, :] * (high - low)[:, None])[:, :, None]
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * start[:, None]
        + (t**3 - 2 * t**2 + t) * leaving[:, None]
        + (3 * t**2 - 2 * t**3) * end[:, None]
        + (t**3 - t**2) * arriving[:, None]
    )
    beside = jnp.where(stroke[:, None] > 0, noise.bar[stroke] * hand.bar, 0.0)
    # Neighbouring pieces share a point, so it must tremble alike in both.
    rows = np.arange(pieces.shape[0])[:, None] * PER_PIECE + np.arange(PER_PIECE + 1)
    curve = curve + beside[:, None] + noise.tremor[rows] * hand.tremor
    flat = curve.reshape(-1, 2)
    flat = flat + smooth_field(noise.field, flat / jnp.array([[WIDTH, 1.0]]), hand.field)

    width = jnp.exp(noise.shape[0] * hand.stretch / 2)
    angle = noise.shape[1] * hand.turn
    shear = -(hand.slant + noise.shape[2] * hand.shear)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x = width * flat[:, 0] + shear * flat[:, 1] / width
    y = flat[:, 1] / width
    curve = jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1).reshape(curve.shape)
    ends = jnp.concatenate([curve[:, :-1], curve[:, 1:]], axis=-1).reshape(-1, 4)
    return Segments(ends, jnp.repeat(skeletons.mask[path], PER_PIECE))


def _noise(key: Key[Array, ""], n: int, skeletons: Skeletons) -> Noise:
    """All that is random about `n` drawings, from two calls: each call's program takes long to compile."""
    points, pieces = skeletons.points.shape[1], skeletons.pieces.shape[1]
    strokes = int(skeletons.stroke.max()) + 1
    normal_key, uniform_key = jax.random.split(key)
    shapes = ((points, 2), (strokes, 2), (pieces * PER_PIECE + 1, 2), (2, FREQUENCIES, FREQUENCIES), (3,))
    sizes = [math.prod(shape) for shape in shapes]
    normal = jax.random.normal(normal_key, (n, sum(sizes)))
    parts = jnp.split(normal, np.cumsum(sizes)[:-1].tolist(), axis=1)
    miss, bar, tremor, field, shape = (
        part.reshape(n, *shape) for part, shape in zip(parts, shapes, strict=True)
    )
    uniform = jax.random.uniform(uniform_key, (n, pieces * 2 + 1))
    return Noise(miss, bar, tremor, field, shape, uniform[:, :-1].reshape(n, pieces, 2), uniform[:, -1])


def sample(
    key: Key[Array, ""], n: int, forms: Forms | None = None, paths: Skeletons | None = None
) -> tuple[Segments, Int[Array, " n"]]:
    """Draws `n` digits, `AS_PEOPLE` of them as people's statistics have them.

    Args:
        key: the same key, the same drawings.
        n: how many. Static.
        forms: people's ways of writing; by default all.
        paths: the skeletons; by default all.

    Returns:
        Ink in units of about a digit's height, and the digits.
    """
    forms_key, paths_key, order_key = jax.random.split(key, 3)
    as_people = round(AS_PEOPLE * n)
    by_forms, of_forms = sample_forms(forms_key, as_people, forms)
    by_paths, of_paths = sample_paths(paths_key, n - as_people, paths or load_skeletons())
    rows = max(by_forms.mask.shape[1], by_paths.mask.shape[1])
    by_forms, by_paths = (padded(ink, rows) for ink in (by_forms, by_paths))
    order = jax.random.permutation(order_key, n)
    ink, digits = jax.tree.map(
        lambda *leaves: jnp.concatenate(leaves)[order], (by_forms, of_forms), (by_paths, of_paths)
    )
    return ink, digits


def padded(ink: Segments, rows: int) -> Segments:
    """A batch of ink with padding up to `rows` segments a drawing."""
    missing = rows - ink.mask.shape[1]
    return Segments(
        jnp.pad(ink.ends, ((0, 0), (0, missing), (0, 0))), jnp.pad(ink.mask, ((0, 0), (0, missing)))
    )


def sample_paths(
    key: Key[Array, ""], n: int, table: Skeletons, hand: Hand | None = None
) -> tuple[Segments, Int[Array, " n"]]:
    """Draws `n` of a table's paths.

    Args:
        key: the same key, the same drawings.
        n: how many. Static.
        table: the paths.
        hand: how much hands differ; the default fits what people draw.

    Returns:
        Ink in units of about the paths' height, and their labels.
    """
    hand = hand or Hand()
    choice_key, draw_key = jax.random.split(key)
    paths = jax.random.choice(choice_key, len(table.label), (n,), p=jnp.asarray(table.weight))
    skeletons = jax.tree.map(jnp.asarray, table)
    noise = _noise(draw_key, n, table)
    ink = jax.vmap(lambda one, path: _draw(one, skeletons, path, hand))(noise, paths)
    return ink, skeletons.label[paths]


def sample_pens(key: Key[Array, ""], n: int, hand: Hand | None = None) -> Float[Array, " n"]:
    """Pen radii of `n` drawings in pixels of the 28 x 28 image, uniform in the logarithm."""
    hand = hand or Hand()
    low, high = jnp.log(hand.pen_low), jnp.log(hand.pen_high)
    return jnp.exp(jax.random.uniform(key, (n,), minval=low, maxval=high))
