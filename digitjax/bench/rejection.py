"""What a network takes for a digit: other drawings should be refused, unfinished digits should not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from digitjax.bench.drawn import Mistake, Read
from digitjax.checkpoint import LoadedModel
from digitjax.data.pipeline import to_examples
from digitjax.data.spec import Source
from digitjax.errors import InputError
from digitjax.evaluate import auroc, look_alikes, read_all, refused, sigmoid
from digitjax.ink import cut_off
from digitjax.types import Segments

CUTS = (0.6, 0.7, 0.8, 0.9, 0.99)
"""Parts of the ink after which a digit is cut off."""
NAMED = 8
"""Drawings of a data set that are named, those that pass best for digits."""


class Passing(NamedTuple):
    """A drawing that is no digit and scores above some digits as one.

    Attributes:
        drawing: with the digit that it would be, and the probability that it is one at all.
        lacking: its part of what the area under the curve lacks of 1.
    """

    drawing: Mistake
    lacking: float

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values, without the image."""
        return self.drawing.to_json() | {"lacking": self.lacking}


class Rejection(NamedTuple):
    """Drawings of one data set that are no digits, against the digits of all data sets together.

    Attributes:
        data: canonical name.
        n_digits: digits that they are compared with.
        n: drawings that are clearly no digits.
        auroc: probability that a digit scores above such a drawing as a digit; None where there is none.
        refused: the part of them that is refused when 99 % of the digits are answered.
        n_all: the same drawings and the look-alikes (`labels.AMBIGUOUS`) together.
        auroc_all: `auroc` with the look-alikes.
        refused_all: `refused` with the look-alikes.
        passing: of the clear ones those that pass best for digits, the best first, `NAMED` at most.
    """

    data: str
    n_digits: int
    n: int
    auroc: float | None
    refused: float | None
    n_all: int
    auroc_all: float
    refused_all: float
    passing: tuple[Passing, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return self._asdict() | {"passing": [one.to_json() for one in self.passing]}


class Unfinished(NamedTuple):
    """Digits of one data set, cut off while they were being drawn.

    Attributes:
        data: canonical name.
        n: digits, each cut once for every one of `CUTS`.
        refused: the part of all of them that is called no digit.
        by_cut: the same by the part of the ink that was drawn.
    """

    data: str
    n: int
    refused: float
    by_cut: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return self._asdict()


def measure_rejection(reads: Sequence[Read]) -> list[Rejection]:
    """Each data set's drawings that are no digits; none for a network that never refuses."""
    scores = [read.is_digit for read in reads if read.is_digit is not None]
    if len(scores) < len(reads):
        return []
    digits = np.concatenate([score[read.places] for read, score in zip(reads, scores, strict=True)])
    found = []
    for read, score in zip(reads, scores, strict=True):
        others = np.asarray(read.examples.labels) >= 10
        clear = others & ~look_alikes(read.examples)
        if others.any() and len(digits):
            found.append(
                Rejection(
                    data=read.examples.name,
                    n_digits=len(digits),
                    n=int(clear.sum()),
                    auroc=auroc(digits, score[clear]) if clear.any() else None,
                    refused=refused(digits, score[clear]) if clear.any() else None,
                    n_all=int(others.sum()),
                    auroc_all=auroc(digits, score[others]),
                    refused_all=refused(digits, score[others]),
                    passing=_passing(read, score, np.flatnonzero(clear), np.sort(digits)),
                )
            )
    return found


def measure_unfinished(loaded: LoadedModel, sources: Sequence[Source]) -> list[Unfinished]:
    """The digits of each source that has ink, cut off after each of `CUTS`.

    Raises:
        InputError: no source has ink, or the network never refuses.
    """
    inked = [source for source in sources if source.ink is not None and (source.labels < 10).any()]
    if not inked:
        raise InputError("none of the data is ink, so nothing can be cut off: give strokes:FILE")
    return [_unfinished(loaded, source) for source in inked]


def cut_all(ink: Segments, kept: float) -> Segments:
    """Every drawing as it was when the fraction `kept` of its ink had been drawn."""
    ends, mask = jax.device_get(jax.jit(jax.vmap(cut_off, (0, None)))(ink, kept))
    return Segments(ends, mask)


def _passing(
    read: Read,
    score: Float[np.ndarray, " n"],
    clear: Int[np.ndarray, " c"],
    digits: Float[np.ndarray, " d"],
) -> tuple[Passing, ...]:
    """Those of the places `clear` that score above some of the sorted `digits`, or the same."""
    scores, probability = score[clear], sigmoid(score)
    below = np.searchsorted(digits, scores, "left") + np.searchsorted(digits, scores, "right")
    best = [rank for rank in np.argsort(-scores, kind="stable")[:NAMED] if below[rank]]
    return tuple(
        Passing(read.drawing(int(i), float(probability[i])), float(below[rank] / below.sum()))
        for rank, i in zip(best, clear[best], strict=True)
    )


def _unfinished(loaded: LoadedModel, source: Source) -> Unfinished:
    digits = np.flatnonzero(source.labels < 10)
    assert source.ink is not None
    ink = Segments(np.asarray(source.ink.ends)[digits], np.asarray(source.ink.mask)[digits])
    words = tuple(source.words[i] for i in digits)
    by_cut = {}
    for kept in CUTS:
        cut = Source(source.name, source.labels[digits], words, ink=cut_all(ink, kept))
        scores = _scores(loaded, to_examples(cut, loaded.model.geometry).images)
        by_cut[f"{kept:g}"] = float((scores < 0).mean())
    return Unfinished(source.name, len(digits), float(np.mean(list(by_cut.values()))), by_cut)


def _scores(loaded: LoadedModel, images: np.ndarray) -> Float[np.ndarray, " n"]:
    scores = read_all(loaded.model, loaded.params, images).is_digit
    if scores is None:
        raise InputError(
            f"{loaded.run} never says that something is no digit: give a network that does, as cnn-shipped"
        )
    return scores
