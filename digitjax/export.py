"""A trained network as StableHLO: one file from ink, or from images, to answers, that runs without digitjax.

    answer = jax.export.deserialize(bytearray(Path("reader.stablehlo").read_bytes())).call
    probabilities, is_digit = answer(ends, mask)

The params are constants of the program. It is lowered for every platform at once, and its batch has any size.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.export
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from digitjax.normalize import geometry_shape, inks_to_images
from digitjax.segments import MAX_SEGMENTS
from digitjax.types import Model, Params, Segments

PLATFORMS = ("cpu", "cuda", "tpu")
"""Where an exported network runs."""
Input = Literal["ink", "pixels"]
Answer = tuple[Float[Array, "batch 10"], Float[Array, " batch"]]


def from_pixels(model: Model, params: Params) -> Callable[[Float[Array, "batch height width 1"]], Answer]:
    """A function of images in the model's geometry, 0 (paper) to 1 (ink), that answers as `digitjax predict`.

    It returns the probabilities of the ten digits, given that it is one, and the probability that it is a
    digit at all, NaN for a network that does not say. An image without ink gives 0.1 each, and 0.
    """

    def answer(images: Float[Array, "batch height width 1"]) -> Answer:
        logits = model.apply(params, images)
        inked = (images != 0).any(axis=(1, 2, 3))
        probabilities = jnp.where(inked[:, None], jax.nn.softmax(logits.digits), 0.1)
        if logits.is_digit is None:
            return probabilities, jnp.full(inked.shape, jnp.nan)
        return probabilities, jnp.where(inked, jax.nn.sigmoid(logits.is_digit), 0.0)

    return answer


def from_ink(
    model: Model, params: Params
) -> Callable[[Float[Array, "batch segments 4"], Bool[Array, "batch segments"]], Answer]:
    """A function of drawings as `Segments`, in any unit, y down; normalises, then is `from_pixels`."""
    answer_pixels = from_pixels(model, params)

    def answer(ends: Float[Array, "batch segments 4"], mask: Bool[Array, "batch segments"]) -> Answer:
        return answer_pixels(inks_to_images(Segments(ends, mask), model.geometry))

    return answer


def export(model: Model, params: Params, source: Input) -> bytes:
    """The network as a serialised `jax.export.Exported`.

    Args:
        model: the network.
        params: its params.
        source: what it reads: "ink", that is ends f32[batch, 128, 4] and mask bool[batch, 128], or "pixels",
            images f32[batch, height, width, 1].

    Raises:
        ValueError: it is neither.
    """
    if source not in ("ink", "pixels"):
        raise ValueError(f"source {source!r} is unknown: give 'ink' or 'pixels'")
    (batch,) = jax.export.symbolic_shape("batch")
    if source == "ink":
        reads = jax.jit(from_ink(model, params))
        shapes = (
            jax.ShapeDtypeStruct((batch, MAX_SEGMENTS, 4), jnp.float32),
            jax.ShapeDtypeStruct((batch, MAX_SEGMENTS), jnp.bool_),
        )
    else:
        reads = jax.jit(from_pixels(model, params))
        shape = geometry_shape(model.geometry)
        shapes = (jax.ShapeDtypeStruct((batch, *shape, 1), jnp.float32),)
    return bytes(jax.export.export(reads, platforms=PLATFORMS)(*shapes).serialize())
