"""Source `synthetic`: a fixed number of the endless procedural drawings, by a key a split."""

from collections.abc import Callable

import jax
import numpy as np

from digitjax.data.spec import Kind, Source, Spec
from digitjax.types import Segments

COUNTS = {"train": 60_000, "validation": 5_000, "test": 10_000}
"""Drawings of each split. Training itself draws fresh ones without end."""
SEEDS = {"train": 20_261, "validation": 20_262, "test": 20_263}
"""What each split's key is made from."""
CHUNK = 5_000
"""Drawings made in one call, so that a single program is compiled."""


def fixed(
    spec: Spec, draw: Callable[[jax.Array, int], tuple[Segments, jax.Array]], words: Callable[[int], str]
) -> Source:
    """The drawings of a split, always the same ones on the same version of jax."""
    split = spec.split or "test"
    key = jax.random.key(SEEDS[split])
    drawn = jax.jit(draw, static_argnums=1)
    parts = [drawn(jax.random.fold_in(key, index), CHUNK) for index in range(COUNTS[split] // CHUNK)]
    labels = np.concatenate([np.asarray(digits) for _, digits in parts]).astype(np.int8)
    ink = Segments(
        np.concatenate([np.asarray(segments.ends) for segments, _ in parts]),
        np.concatenate([np.asarray(segments.mask) for segments, _ in parts]),
    )
    return Source(name=str(spec), labels=labels, words=tuple(map(words, labels.tolist())), ink=ink)


def load_synthetic(spec: Spec) -> Source:
    """Digits."""
    from digitjax.data.synthetic import sample

    return fixed(spec, sample, str)


KIND = Kind(
    about="procedural handwriting, drawn as it is needed",
    licence="Apache-2.0, as digitjax",
    load=load_synthetic,
    size="endless; 10,000 to test on",
)
