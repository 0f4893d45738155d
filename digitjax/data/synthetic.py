"""Procedural handwriting: endless, keyed, jit-able; no picture of anybody's hand is needed.

A skeleton (`skeletons.py`) is drawn by a hand that misses its points, rounds corners, begins late and
ends early, puts second strokes beside their place, and whose whole page is bent by a smooth random
field, sheared, stretched and turned.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from digitjax.data.skeletons import CORNER, LAST, load_skeletons
from digitjax.types import Segments

PER_PIECE = 4
"""Straight segments that a piece of path is drawn with."""
FREQUENCIES = 4
"""Cosines of the smooth random field along each axis."""


@dataclass(frozen=True, kw_only=True)
class Hand:
    """How much hands differ; standard deviations in units of the digit's height unless said otherwise."""

    miss: float = 0.035
    """How far a point is missed."""
    field: float = 0.05
    """How far the smooth random field moves the ink."""
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
    rounding: float = 0.7
    """Most that a corner is rounded, 0 to 1; uniform."""
    early: float = 0.12
    """Most that a stroke begins late or ends early, as a part of its first or last piece; uniform."""
    tremor: float = 0.006
    """How far each segment's end trembles."""
    pen_low: float = 0.8
    """Thinnest pen, radius in pixels of the 28 x 28 image."""
    pen_high: float = 2.0
    """Thickest pen."""


def _field(key: Key[Array, ""], points: Float[Array, "points 2"], sd: float) -> Float[Array, "points 2"]:
    """A smooth random displacement: cosines of few frequencies, the slower the stronger."""
    order = jnp.arange(FREQUENCIES)
    fall = 1.0 / (1.0 + order[:, None] ** 2 + order[None, :] ** 2)
    fall = fall.at[0, 0].set(0.0)
    fall = fall / jnp.sqrt((fall**2).sum() / 4)
    amplitude = jax.random.normal(key, (2, FREQUENCIES, FREQUENCIES)) * fall * sd
    x, y = points[:, 0] / 0.72, points[:, 1]
    wave_x = jnp.cos(jnp.pi * order[None, :] * x[:, None])
    wave_y = jnp.cos(jnp.pi * order[None, :] * y[:, None])
    return jnp.einsum("cij,pi,pj->pc", amplitude, wave_x, wave_y)


def _draw(key: Key[Array, ""], skeletons, path: Int[Array, ""], hand: Hand) -> Segments:
    """One drawing of one path, in units of about its height."""
    keys = jax.random.split(key, 9)
    points, pieces = skeletons.points[path], skeletons.pieces[path]
    kinds, stroke = skeletons.kinds[path], skeletons.stroke[path]
    points = points + jax.random.normal(keys[0], points.shape) * hand.miss
    before, start, end, after = (points[pieces[:, i]] for i in range(4))
    straight = end - start

    rounding = jax.random.uniform(keys[1], maxval=hand.rounding)

    def tangent(kind, through):
        smoothness = jnp.where(kind == LAST, 0.0, jnp.where(kind == CORNER, rounding, 1.0))[:, None]
        return straight + smoothness * (through - straight)

    leaving = tangent(kinds[:, 0], (end - before) / 2)
    arriving = tangent(kinds[:, 1], (after - start) / 2)

    # A stroke may begin late and end early; Hermite's polynomials go from `start` to `end`.
    late = jax.random.uniform(keys[2], (pieces.shape[0],), minval=-hand.early / 2, maxval=hand.early)
    soon = jax.random.uniform(keys[3], (pieces.shape[0],), minval=-hand.early / 2, maxval=hand.early)
    low = jnp.where(kinds[:, 0] == LAST, late, 0.0)
    high = 1.0 - jnp.where(kinds[:, 1] == LAST, soon, 0.0)
    t = low[:, None] + jnp.linspace(0.0, 1.0, PER_PIECE + 1) * (high - low)[:, None]
    t = t[:, :, None]
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * start[:, None]
        + (t**3 - 2 * t**2 + t) * leaving[:, None]
        + (3 * t**2 - 2 * t**3) * end[:, None]
        + (t**3 - t**2) * arriving[:, None]
    )
    beside = jax.random.normal(keys[4], (4, 2)) * hand.bar
    curve = curve + jnp.where(stroke[:, None] > 0, beside[jnp.clip(stroke, 0, 3)], 0.0)[:, None]
    # Neighbouring pieces share a point, so it must tremble alike in both.
    shake = jax.random.normal(keys[5], (pieces.shape[0] * PER_PIECE + 1, 2)) * hand.tremor
    rows = jnp.arange(pieces.shape[0])[:, None] * PER_PIECE + jnp.arange(PER_PIECE + 1)
    curve = curve + shake[rows]
    flat = curve.reshape(-1, 2)
    flat = flat + _field(keys[6], flat, hand.field)

    shape = jax.random.normal(keys[7], (3,))
    width = jnp.exp(shape[0] * hand.stretch / 2)
    angle = shape[1] * hand.turn
    shear = -(hand.slant + shape[2] * hand.shear)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    rotation = jnp.array([[cos, -sin], [sin, cos]])
    matrix = rotation @ jnp.array([[1.0, shear], [0.0, 1.0]]) @ jnp.diag(jnp.stack([width, 1 / width]))
    curve = (flat @ matrix.T).reshape(curve.shape)
    ends = jnp.concatenate([curve[:, :-1], curve[:, 1:]], axis=-1).reshape(-1, 4)
    return Segments(ends, jnp.repeat(skeletons.mask[path], PER_PIECE))


def sample(key: Key[Array, ""], n: int, hand: Hand | None = None) -> tuple[Segments, Int[Array, " n"]]:
    """Draws `n` digits.

    Args:
        key: the same key, the same drawings.
        n: how many. Static.
        hand: how much hands differ; the default fits what people draw.

    Returns:
        Ink in units of about a digit's height, and the digits.
    """
    hand = hand or Hand()
    skeletons = jax.tree.map(jnp.asarray, load_skeletons())
    choice_key, draw_key = jax.random.split(key)
    paths = jax.random.categorical(choice_key, jnp.log(skeletons.weight), shape=(n,))
    keys = jax.random.split(draw_key, n)
    ink = jax.vmap(lambda one_key, path: _draw(one_key, skeletons, path, hand))(keys, paths)
    return ink, skeletons.label[paths]


def sample_pens(key: Key[Array, ""], n: int, hand: Hand | None = None) -> Float[Array, " n"]:
    """Pen radii of `n` drawings in pixels of the 28 x 28 image, uniform in the logarithm."""
    hand = hand or Hand()
    low, high = jnp.log(hand.pen_low), jnp.log(hand.pen_high)
    return jnp.exp(jax.random.uniform(key, (n,), minval=low, maxval=high))
