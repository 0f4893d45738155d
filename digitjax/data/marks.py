"""Source `marks`: what people draw first to see whether a program refuses it: hearts, ticks, arrows, faces.

The paths are in `mark_paths.py`; a hand like that of the synthetic digits draws them.
"""

from jaxtyping import Array, Int, Key

from digitjax.data.procedural import fixed
from digitjax.data.skeletons import load_marks
from digitjax.data.spec import Kind, Source, Spec
from digitjax.data.synthetic import Hand, sample_paths
from digitjax.types import Segments

HAND = Hand(miss=0.045, stretch=0.2, shear=0.16, rounding=0.6)
"""Steadier than that of digits: a square that is drawn badly enough is a 0."""
WORD = "mark"
"""The word of each."""


def sample_marks(key: Key[Array, ""], n: int) -> tuple[Segments, Int[Array, " n"]]:
    """Draws `n` marks.

    Args:
        key: the same key, the same drawings.
        n: how many. Static.

    Returns:
        Ink in units of about the drawing's height, and `labels.NOT_A_DIGIT` for each.
    """
    return sample_paths(key, n, load_marks(), HAND)


def load_source(spec: Spec) -> Source:
    """Marks."""
    return fixed(spec, sample_marks, lambda _: WORD)


KIND = Kind(
    about="procedural hearts, ticks, arrows and other marks, no digits",
    licence="Apache-2.0, as digitjax",
    load=load_source,
    size="endless; 10,000 to test on",
)
