"""Why a network answers what it does, in one jitted call: attribution, answers without strokes, feature maps.

Runs beside `play.reader` in the worker's process; params are arguments: another step costs no compilation.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, UInt8

from digitjax import normalize
from digitjax.config import ModelConfig
from digitjax.models import feature_maps
from digitjax.segments import MAX_SEGMENTS, pack
from digitjax.types import Model, Params, Segments

STROKES = 8
"""Strokes whose removal is tried."""
STEPS = 8
"""Points of the path of integrated gradients."""


class Explanation(NamedTuple):
    """What one call found.

    Attributes:
        heat: how much each pixel speaks for the digit, in log-odds.
        without: for each drawing, probabilities of the ten digits and of being one (NaN: it does not say).
        layers: what each layer lets through, by its name; the layer's largest value is 255.
    """

    heat: Float[Array, "side side"]
    without: Float[Array, "strokes 11"]
    layers: dict[str, UInt8[Array, "maps height width"]]


def make_explainer(model: Model, config: ModelConfig) -> Callable[..., Explanation]:
    """`explain` for networks of one kind, compiled at its first call."""
    return jax.jit(functools.partial(explain, model, feature_maps(config)))


def explain(
    model: Model,
    look: Callable,
    params: Params,
    image: Float[Array | np.ndarray, "side side"],
    digit: Float[Array | np.ndarray, "10"],
    ends: Float[Array | np.ndarray, "strokes segments 4"],
    mask: Bool[Array | np.ndarray, "strokes segments"],
) -> Explanation:
    """Explains one digit of one image.

    Args:
        model: the network.
        look: `digitjax.models.feature_maps` of the same network.
        params: its parameters.
        image: what it saw, 0 to 1.
        digit: one-hot.
        ends: drawings that lack a stroke each (`without_each`).
        mask: theirs.
    """
    image = jnp.asarray(image)
    return Explanation(
        attribution(model, params, image, jnp.asarray(digit)),
        _answers(model, params, Segments(jnp.asarray(ends), jnp.asarray(mask))),
        {name: _quantised(maps[0]) for name, maps in look(params, image[None, :, :, None]).items()},
    )


def attribution(
    model: Model, params: Params, image: Float[Array, "side side"], digit: Float[Array, "10"]
) -> Float[Array, "side side"]:
    """Integrated gradients from an empty image (Sundararajan et al., 2017, arXiv:1703.01365, eq. 1).

    Args:
        model: the network.
        params: its parameters.
        image: what it saw, 0 to 1.
        digit: one-hot; what is explained is its log-odds less the mean of all ten.

    Returns:
        Nothing where there is no ink; in sum the score less the empty image's, but for `STEPS` being finite.
    """

    def score(images: Float[Array, "steps side side"]) -> Float[Array, ""]:
        return (model.apply(params, images[:, :, :, None]).digits @ (digit - 0.1)).sum()

    parts = (jnp.arange(STEPS) + 0.5) / STEPS
    return image * jax.grad(score)(parts[:, None, None] * image[None]).mean(axis=0)


def without_each(
    strokes: list[np.ndarray],
) -> tuple[Float[np.ndarray, "strokes segments 4"], Bool[np.ndarray, "strokes segments"], int]:
    """The drawing without each of its first strokes, padded to `STROKES`, and how many those are.

    Of one stroke nothing would be left, so there are none.
    """
    ends = np.zeros((STROKES, MAX_SEGMENTS, 4), np.float32)
    mask = np.zeros((STROKES, MAX_SEGMENTS), bool)
    count = min(len(strokes), STROKES) if len(strokes) > 1 else 0
    for i in range(count):
        ends[i], mask[i] = pack([*strokes[:i], *strokes[i + 1 :]])
    return ends, mask, count


def _answers(model: Model, params: Params, drawings: Segments) -> Float[Array, "strokes 11"]:
    logits = model.apply(params, normalize.inks_to_images(drawings, model.geometry))
    count = drawings.ends.shape[0]
    is_digit = jnp.full(count, jnp.nan) if logits.is_digit is None else jax.nn.sigmoid(logits.is_digit)
    return jnp.concatenate([jax.nn.softmax(logits.digits), is_digit[:, None]], axis=1)


def _quantised(layer: Float[Array, "..."]) -> UInt8[Array, "maps height width"]:
    maps = jnp.moveaxis(layer, -1, 0) if layer.ndim == 3 else layer.reshape(1, 1, -1)
    return jnp.round(255 * maps / jnp.maximum(maps.max(), 1e-9)).astype(jnp.uint8)
