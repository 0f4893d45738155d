"""From pictures and drawings to answers: the same path that training and evaluation take."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from digitjax.errors import DigitjaxError
from digitjax.evaluate import has_ink, read_all
from digitjax.normalize import geometry_shape, inks_to_images
from digitjax.odds import REFUSED, SURE, THRESHOLD, sigmoid
from digitjax.segments import MAX_SEGMENTS, pack_all
from digitjax.strokes import Drawing
from digitjax.types import Model, Params, Segments

BATCH = 64
"""Pictures or drawings in one call; the last call is padded, so that one shape is compiled."""


class Prediction(NamedTuple):
    """What a network reads in one picture or drawing.

    Attributes:
        answer: "0" to "9", "not a digit", or "" where there is no ink.
        probabilities: of the ten digits, given that it is one; they sum to 1. Without ink all are 0.1.
        is_digit: probability that it is a digit at all; None for a network that does not say. Without ink 0.
    """

    answer: str
    probabilities: Float[np.ndarray, "10"]
    is_digit: float | None

    def to_json(self) -> dict:
        """The same as plain JSON values."""
        return self._asdict() | {"probabilities": self.probabilities.tolist()}

    def sentence(self) -> str:
        """The answer for people: "7  98 %", or "4  55 %, or perhaps 9  40 %" in doubt."""
        if not self.answer:
            return "no ink"
        if self.answer == REFUSED:
            return self.answer
        second, first = np.argsort(self.probabilities, kind="stable")[-2:]
        answer, other = (
            f"{digit}  {min(99, round(100 * float(self.probabilities[digit])))} %"
            for digit in (first, second)
        )
        return f"{answer}, or perhaps {other}" if self.probabilities[first] < SURE else answer


def predict(model: Model, params: Params, images: Float[np.ndarray, "n height width 1"]) -> list[Prediction]:
    """What the network reads in each image.

    Args:
        model: the network.
        params: its params.
        images: 1 ink on 0 paper, in the model's geometry; an image of zeros has no ink.

    Raises:
        DigitjaxError: the network answers something that is no number.
    """
    found = read_all(model, params, images, BATCH)
    probabilities = np.exp(found.log_p)
    scores: Sequence[float | None] = [None] * len(images)
    if found.is_digit is not None:
        scores = sigmoid(found.is_digit).tolist()
    return [
        _prediction(p, score) if inked else Prediction("", np.full(10, 0.1), score)
        for inked, p, score in zip(has_ink(images), probabilities, scores, strict=True)
    ]


def drawings_to_images(
    drawings: Iterable[Drawing], geometry: str
) -> Iterator[Float[np.ndarray, "height width 1"]]:
    """The images that a network of `geometry` sees, one a drawing, 0 to 1; rendered `BATCH` at a time.

    Raises:
        InputError: a coordinate is not finite, or no geometry has that name.
        DigitjaxError: an image is not finite.
    """
    shape, drawings = geometry_shape(geometry), iter(drawings)
    while group := list(itertools.islice(drawings, BATCH)):
        ink = pack_all(group)
        count = len(ink.mask)
        ends = np.zeros((BATCH, MAX_SEGMENTS, 4), np.float32)
        mask = np.zeros((BATCH, MAX_SEGMENTS), bool)
        ends[:count], mask[:count] = ink.ends, ink.mask
        images = np.asarray(_render(Segments(ends, mask), geometry=geometry))[:count]
        assert images.shape == (count, *shape, 1)
        if not np.isfinite(images).all():
            raise DigitjaxError("a drawing gave an image that holds something that is no number")
        yield from images


def _prediction(probabilities: Float[np.ndarray, "10"], is_digit: float | None) -> Prediction:
    answers = is_digit is None or is_digit >= THRESHOLD
    return Prediction(str(probabilities.argmax()) if answers else REFUSED, probabilities, is_digit)


@functools.partial(jax.jit, static_argnames="geometry")
def _render(ink: Segments, *, geometry: str) -> jax.Array:
    return inks_to_images(ink, geometry)
