"""Some of a source's drawings, as a source of their own or as a person would have drawn them."""

import math

import jax
import numpy as np
from jaxtyping import Int

from digitjax.data.spec import Source
from digitjax.strokes import Drawing

SAME = 1e-5
"""Ends closer than that, in units of a drawing's longest side, are one point: the rest is rounding."""


def part_of(source: Source, rows: slice | Int[np.ndarray, " rows"]) -> Source:
    """The given rows of a source of ink whose labels are digits."""
    labels = source.labels[rows]
    ink = jax.tree.map(lambda leaf: np.asarray(leaf)[rows], source.ink)
    return Source(source.name, labels, tuple(map(str, labels.tolist())), ink=ink)


def drawings_of(source: Source) -> list[Drawing]:
    """The ink as strokes again, each a chain of pieces; the words are the labels."""
    assert source.ink is not None
    found = []
    for ends, mask, word in zip(
        np.asarray(source.ink.ends), np.asarray(source.ink.mask), source.words, strict=True
    ):
        pieces = ends[mask]
        near = SAME * float(np.ptp(pieces.reshape(-1, 2), axis=0).max())
        strokes: list[list] = []
        for x0, y0, x1, y1 in pieces.tolist():
            if not strokes or math.dist(strokes[-1][-1], (x0, y0)) > near:
                strokes.append([(x0, y0)])
            strokes[-1].append((x1, y1))
        found.append(Drawing(tuple(np.array(stroke) for stroke in strokes), None, word, None, None))
    return found
