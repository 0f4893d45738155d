"""Ink to probabilities in one jitted call: the worker's mathematics.

Here and in `play.explain` alone JAX is imported.

Params are arguments, so another step of the same network costs no compilation.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from digitjax import normalize, numbers
from digitjax.config import ModelConfig, TrainConfig
from digitjax.types import Model, Params, Segments
from play.events import CANVAS
from play.explain import make_explainer

HEAD = 14
"""Numbers before the image in what `read` returns: ten probabilities, is_digit, scale, x, y."""


class Reading(NamedTuple):
    """What one call found.

    Attributes:
        probabilities: of the ten digits.
        is_digit: 0 to 1, or None.
        fit: scale and offset from the ink's unit to the image's pixels, None where there is no such map.
        image: what the network saw, 0 to 1.
    """

    probabilities: Float[np.ndarray, "10"]
    is_digit: float | None
    fit: tuple[float, float, float] | None
    image: Float[np.ndarray, "side side"]


class Reader(NamedTuple):
    """A network's functions, each compiled once.

    Attributes:
        read: (params, ends, mask) -> HEAD numbers and the image.
        read_staged: (params, ends, mask, origin, stages) -> the same, stages of the normaliser left out.
        explain: (params, image, digit, ends, mask) -> `play.explain.Explanation`.
        number: (params, packed groups) -> logits, for whole numbers.
        side: of the image.
    """

    read: jax.stages.Wrapped
    read_staged: Callable
    explain: Callable
    number: Callable
    side: int


def make_reader(model: Model, config: ModelConfig) -> Reader:
    """Functions for networks of one kind; params are given with each call."""
    side = normalize.geometry_shape(model.geometry).height
    return Reader(
        jax.jit(functools.partial(_read, model)),
        jax.jit(functools.partial(_read_staged, model)),
        make_explainer(model, config),
        numbers.make_reader(model),
        side,
    )


def same_kind(one: TrainConfig, other: TrainConfig) -> bool:
    """Whether networks of two configurations can share a `Reader`."""
    return one.model == other.model


def reading(vector: Float[np.ndarray, " numbers"], side: int) -> Reading:
    """The numbers of `Reader.read` by name."""
    is_digit = None if np.isnan(vector[10]) else float(vector[10])
    fit = None if np.isnan(vector[11]) else (float(vector[11]), float(vector[12]), float(vector[13]))
    return Reading(vector[:10], is_digit, fit, vector[HEAD:].reshape(side, side))


def _read(
    model: Model, params: Params, ends: Float[Array, "segments 4"], mask: Bool[Array, " segments"]
) -> Float[Array, " numbers"]:
    segments = Segments(ends, mask)
    if model.geometry != "mnist28":
        image = normalize.ink_to_image(segments, model.geometry)[:, :, 0]
        return _vector(model, params, image, jnp.full(3, jnp.nan))
    fitted = normalize.fit_ink(segments, sparing=True)
    return _vector(model, params, normalize.render(fitted, sparing=True), _fit(segments, fitted))


def _read_staged(
    model: Model,
    params: Params,
    ends: Float[Array, "segments 4"],
    mask: Bool[Array, " segments"],
    origin: Float[Array, "2"],
    stages: Bool[Array, "3"],
) -> Float[Array, " numbers"]:
    """As `_read` for mnist28, with stages off: the ink stays where the canvas, shrunk to 28 x 28, has it.

    Args:
        origin: the box's corner on the canvas, which `segments.pack` took away.
        stages: box (move its middle to the centre), scale (to 20 px), mass (to index 14).
    """
    segments = Segments(ends, mask)
    box = normalize.bounding_box(segments)
    boxed = normalize.fit_to_box(segments)
    shrink = 28.0 / CANVAS
    middle = (box[:2] + box[2:]) / 2
    small = (ends - jnp.tile(middle, 2)[None]) * shrink + normalize.CENTRE
    ends = jnp.where(stages[1], boxed.ends, small)
    moved = ends + jnp.tile((middle + origin) * shrink - 0.5 - normalize.CENTRE, 2)[None]
    placed = Segments(jnp.where(stages[0], ends, moved), mask)
    centred = normalize.centre_by_mass(placed, sparing=True)
    placed = Segments(jnp.where(stages[2], centred.ends, placed.ends), mask)
    return _vector(model, params, normalize.render(placed, sparing=True), _fit(segments, placed))


def _vector(
    model: Model, params: Params, image: Float[Array, "side side"], fit: Float[Array, "3"]
) -> Float[Array, " numbers"]:
    logits = model.apply(params, image[None, :, :, None])
    is_digit = jnp.full(1, jnp.nan) if logits.is_digit is None else jax.nn.sigmoid(logits.is_digit)
    return jnp.concatenate([jax.nn.softmax(logits.digits[0]), is_digit, fit, image.reshape(-1)])


def _fit(segments: Segments, fitted: Segments) -> Float[Array, "3"]:
    """Scale and offset that took `segments` to `fitted`."""
    before, after = normalize.bounding_box(segments), normalize.bounding_box(fitted)
    extent = jnp.maximum(before[2] - before[0], before[3] - before[1])
    reached = jnp.maximum(after[2] - after[0], after[3] - after[1])
    scale = jnp.where(extent > 0, reached / jnp.where(extent > 0, extent, 1.0), 0.0)
    return jnp.concatenate([scale[None], after[:2] - scale * before[:2]])
