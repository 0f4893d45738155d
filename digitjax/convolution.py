"""Convolution in the form that is fast on this backend, behind Flax's own hook.

XLA's CPU convolution is ten times slower than a matrix product when there is but one input channel
(measured in the field notes), and its gradient for the kernel slower than the same in pieces; elsewhere the
stock convolution is used.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

PIECE = 16
"""Images whose part in a kernel's gradient is made at a time, so that what it reads stays in the cache."""
MOST_PIECES = 8
"""Pieces at most: each has to be compiled."""


def patches(
    images: Float[Array, "batch height width channels"],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: Sequence[tuple[int, int]],
) -> Float[Array, "batch rows columns features"]:
    """The windows of an image as rows: features are ordered by window row, window column, channel.

    First the columns side by side, then the rows: a 5 x 5 window is 10 slices instead of 25, which compile
    in a third of the time and run in half of it.
    """
    images = jnp.pad(images, ((0, 0), *padding, (0, 0)))
    height = (images.shape[1] - window[0]) // strides[0] * strides[0] + 1
    width = (images.shape[2] - window[1]) // strides[1] * strides[1] + 1
    wide = [images[:, :, x : x + width : strides[1]] for x in range(window[1])]
    images = jnp.concatenate(wide, axis=-1)
    return jnp.concatenate([images[:, y : y + height : strides[0]] for y in range(window[0])], axis=-1)


def convolve(
    images: Float[Array, "batch height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    **rest: Any,
) -> Float[Array, "batch new_height new_width features"]:
    """Takes `lax.conv_general_dilated`'s place in `flax.linen.Conv(conv_general_dilated=...)`.

    On the CPU a convolution of one channel becomes patches x weights, and the gradient for another's kernel
    is a sum over pieces of the batch: where there is one device and a batch of known size, and then without
    forward-mode differentiation. The result is the same to rounding.
    The images, answers and gradients are kept as they are: without barriers XLA computes the pooling before a
    convolution once more, number by number in the transposed order that the kernel's gradient wants (a fifth
    of the time of a step of 32, 64 and 128 channels).
    """
    if jax.default_backend() != "cpu":
        return lax.conv_general_dilated(images, kernel, strides, padding, **rest)
    dilations = (*(rest.get("lhs_dilation") or ()), *(rest.get("rhs_dilation") or ()))
    if images.shape[-1] == 1 and all(dilation == 1 for dilation in dilations):
        return as_product(images, kernel, strides, padding)

    def stock(images: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(images, kernel, strides, padding, **rest)

    many = images.shape[0]  # no number where a batch of any size is exported
    whole = not isinstance(many, int) or many <= PIECE or jax.device_count() > 1
    images = lax.optimization_barrier(images)
    return lax.optimization_barrier((stock if whole else _in_pieces(stock))(images, kernel))


def _in_pieces(convolution: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """The same convolution of images and a kernel, the kernel's gradient summed over pieces of the batch."""

    @jax.custom_vjp
    def answer(images: Array, kernel: Array) -> Array:
        return convolution(images, kernel)

    def forward(images: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
        return convolution(images, kernel), (images, kernel)

    def backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
        images, kernel = residuals
        size = max(PIECE, -(-len(images) // MOST_PIECES))
        (of_images,) = jax.linear_transpose(lambda x: convolution(x, kernel), images)(cotangent)
        of_kernel = jnp.zeros_like(kernel)
        for start in range(0, len(images), size):
            piece = slice(start, start + size)
            transposed = jax.linear_transpose(lambda w, x=images[piece]: convolution(x, w), kernel)
            of_kernel += transposed(cotangent[piece])[0]
        return of_images, of_kernel

    answer.defvjp(forward, backward)
    return answer


def as_product(
    images: Float[Array, "batch height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    **_: Any,
) -> Float[Array, "batch new_height new_width features"]:
    """A convolution without dilation as patches x weights; of many kernels it is a batched product."""
    window = (kernel.shape[0], kernel.shape[1])
    step = (strides[0], strides[1])
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(images.shape[1:3], window, step, padding)
    rows = patches(images, window, step, [(int(low), int(high)) for low, high in padding])
    return rows @ kernel.reshape(-1, kernel.shape[-1])
