"""`bench squeezed`: what the normaliser is worth, against ink that is squeezed as in earlier programs.

Those drew on a square canvas and shrank it, or what they cut out of it, to what the network takes. Here each
drawing is put on such a canvas anew, with a pen of the normaliser's own relative width, and shrunk by
averaging, the kindest way: pygame's `transform.scale` leaves pixels out.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from PIL import Image

from digitjax.data.pipeline import to_examples
from digitjax.data.spec import Source
from digitjax.errors import InputError
from digitjax.evaluate import apply_in_batches
from digitjax.normalize import BOX, PEN_RADIUS, bounding_box, geometry_shape, render
from digitjax.types import Model, Params, Segments

CANVAS = 112
"""Pixels, a side, of the canvas: a whole multiple of 28 and of 8."""
PEN = PEN_RADIUS * CANVAS / 28
"""Radius of the canvas' pen in its pixels."""
AT_ONCE = 64
"""Drawings rendered in one call."""

Canvas = UInt8[np.ndarray, "canvas canvas"]
Small = UInt8[np.ndarray, "size size"]


class Squeeze(NamedTuple):
    """One way from ink to the network's image.

    Attributes:
        about: what it does, for a table.
        share: longest side of the ink, pen included, as a fraction of the canvas' side.
        middle: where the middle of the ink's box is, as a fraction of the canvas' side, in x and y alike.
        shrink: the canvas, 255 ink on 0, and the side of the image to make of it.
    """

    about: str
    share: float
    middle: float
    shrink: Callable[[Canvas, int], Small]


class Squeezed(NamedTuple):
    """How a network reads one data set.

    Attributes:
        data: canonical name.
        n: digits measured.
        normalised: accuracy through our normaliser.
        squeezed: accuracy by the name of each of `SQUEEZES`.
    """

    data: str
    n: int
    normalised: float
    squeezed: dict[str, float]


def whole(canvas: Canvas, size: int) -> Small:
    """The whole canvas, shrunk."""
    return _resize(canvas, size)


def stretched(canvas: Canvas, size: int) -> Small:
    """The ink's box, stretched over the whole image: its aspect is lost and nothing is left around it."""
    return _resize(_cut_out(canvas), size)


def boxed(canvas: Canvas, size: int) -> Small:
    """The ink's box, aspect kept, 20 / 28 of the image and in its middle: centred by box, not by mass."""
    ink = _cut_out(canvas)
    height, width = ink.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.pad(ink, ((top, side - height - top), (left, side - width - left)))
    inner = round(size * BOX / 28)
    edge = (size - inner) // 2
    return np.pad(_resize(square, inner), ((edge, size - inner - edge),) * 2)


SQUEEZES = {
    "large": Squeeze("the whole canvas shrunk, the digit large and in the middle", 0.8, 0.5, whole),
    "small": Squeeze("the whole canvas shrunk, the digit small and to the upper left", 0.4, 0.3, whole),
    "stretched": Squeeze("the digit's box stretched over the whole image", 0.8, 0.5, stretched),
    "boxed": Squeeze("the digit's box in the middle, aspect kept", 0.8, 0.5, boxed),
}
"""The ways of earlier programs, by name."""


def draw_canvas(ink: Segments, share: float, middle: float) -> Float[Array, "canvas canvas"]:
    """One drawing on the canvas, 0 to 1; `share` and `middle` as in `Squeeze`. No extent gives a dot."""
    box = bounding_box(ink)
    extent = jnp.maximum(box[2] - box[0], box[3] - box[1])
    scale = jnp.where(extent > 0, (share * CANVAS - 2 * PEN) / jnp.where(extent > 0, extent, 1.0), 0.0)
    centre = jnp.tile((box[:2] + box[2:]) / 2, 2)
    ends = (jnp.asarray(ink.ends) - centre[None]) * scale + middle * CANVAS - 0.5
    return render(Segments(ends, jnp.asarray(ink.mask)), PEN, CANVAS)


def squeeze(ink: Segments, how: Squeeze, size: int) -> UInt8[np.ndarray, "n size size 1"]:
    """Every drawing as such a program would show it to a network that takes `size` x `size`."""
    draw = jax.jit(jax.vmap(lambda one: jnp.round(draw_canvas(one, how.share, how.middle) * 255)))
    n = len(ink.mask)
    images = np.zeros((n, size, size, 1), np.uint8)
    for start in range(0, n, AT_ONCE):
        part = [np.asarray(leaf[start : start + AT_ONCE]) for leaf in ink]
        missing = AT_ONCE - len(part[0])
        part = [np.pad(leaf, ((0, missing),) + ((0, 0),) * (leaf.ndim - 1)) for leaf in part]
        canvases = np.asarray(draw(Segments(*part))).astype(np.uint8)
        for place in range(start, min(start + AT_ONCE, n)):
            images[place, :, :, 0] = how.shrink(canvases[place - start], size)
    return images


def measure(model: Model, params: Params, source: Source) -> Squeezed:
    """Reads the digits of a source through our normaliser and in every way of `SQUEEZES`.

    Raises:
        InputError: the source holds no ink, or no digit.
    """
    if source.ink is None:
        raise InputError(
            f"{source.name} holds pictures, and ink is squeezed here: give drawings, as strokes:FILE"
        )
    digits = np.asarray(source.labels) < 10
    if not digits.any():
        raise InputError(f"{source.name} has no digit: there is nothing to measure, give other data")
    ink = Segments(np.asarray(source.ink.ends)[digits], np.asarray(source.ink.mask)[digits])
    labels = np.asarray(source.labels)[digits]
    words = tuple(map(str, labels.tolist()))
    examples = to_examples(Source(source.name, labels, words, ink=ink), model.geometry)
    size = geometry_shape(model.geometry).height

    def accuracy(images: UInt8[np.ndarray, "n size size 1"]) -> float:
        answers = apply_in_batches(model, params, images).log_p.argmax(axis=1)
        return float((answers == labels).mean())

    squeezed = {name: accuracy(squeeze(ink, how, size)) for name, how in SQUEEZES.items()}
    return Squeezed(source.name, len(labels), accuracy(examples.images), squeezed)


def _cut_out(canvas: Canvas) -> UInt8[np.ndarray, "height width"]:
    """The box of the ink; all of a canvas without ink."""
    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    if not len(rows):
        return canvas
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resize(image: UInt8[np.ndarray, "height width"], size: int) -> Small:
    """Shrinks, or enlarges, by averaging over areas."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))
