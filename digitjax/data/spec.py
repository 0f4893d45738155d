"""Data specs: `NAME[:PATH][@train|@validation|@test][=WEIGHT]`, suffixes read from the right."""

import math
import re
from typing import NamedTuple

import numpy as np

from digitjax.errors import InputError
from digitjax.types import Segments

SPLITS = ("train", "validation", "test")
"""The splits that a spec can name."""


class Spec(NamedTuple):
    """What to load and how often to draw from it.

    Attributes:
        name: the source's name in the registry.
        path: file or folder, for sources that read one.
        split: "train", "validation", "test", or None for the caller's default.
        weight: share in a mix, relative to the other specs' weights; above 0, finite.
    """

    name: str
    path: str | None = None
    split: str | None = None
    weight: float = 1.0

    def __str__(self) -> str:
        path = "" if self.path is None else f":{self.path}"
        split = "" if self.split is None else f"@{self.split}"
        return f"{self.name}{path}{split}" + ("" if self.weight == 1 else f"={self.weight!r}")


class Source(NamedTuple):
    """Labelled examples as ink or as pixels, before the model's geometry is applied; one of the two is None.

    Attributes:
        name: canonical text of the spec, without its weight.
        labels: int8 [n], 0 to 9, or `labels.NOT_A_DIGIT`.
        words: what each example shows.
        writers: who drew each, None where nobody said; None for sources without writers.
        ink: float32 [n, 128, 4] and mask [n, 128], in the units of the source.
        images: uint8, [n, height, width], or a list of pictures [h, w] or [h, w, 3] of various sizes.
            `mnist` and `digits8x8` have ink 255 on 0; pictures of other sources come as they are, any polarity.
        skipped: examples without a label, left out.
    """

    name: str
    labels: np.ndarray
    words: tuple[str, ...]
    writers: tuple[str | None, ...] | None = None
    ink: Segments | None = None
    images: np.ndarray | list[np.ndarray] | None = None
    skipped: int = 0
