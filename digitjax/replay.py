"""What a lesson replays, and what is held out beside it: what comes with the program, and MNIST at hand."""

import contextlib

from digitjax.config import ModelConfig
from digitjax.data import load, parse_spec, unavailable
from digitjax.data.batches import Part
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.spec import Source
from digitjax.errors import DigitjaxError
from digitjax.teach import REPLAYED, store_of

NO_DIGITS = {"nondigits": 14, "marks": 10}
"""Examples a step of what is no digit, for a network that says it."""
MNIST = 32
"""Examples a step of MNIST; the rest are synthetic."""


def replayed(config: ModelConfig) -> list[Part]:
    """`REPLAYED` examples a step for a network of this kind; MNIST where the network reads its size."""
    parts = [Part(name, take, None) for name, take in NO_DIGITS.items()] if config.rejects else []
    if config.geometry == "mnist28" and (mnist := _mnist("train")) is not None:
        parts.append(Part("mnist", MNIST, store_of(mnist, config.geometry)))
    return [Part("synthetic", REPLAYED - sum(part.take for part in parts), None), *parts]


def held_out(geometry: str) -> dict[str, Examples]:
    """MNIST's validation split, or synthetic handwriting's, by name."""
    mnist = _mnist("validation") if geometry == "mnist28" else None
    source = mnist or load(parse_spec("synthetic@validation"))
    return {"synthetic" if mnist is None else "MNIST": to_examples(source, geometry)}


def _mnist(split: str) -> Source | None:
    if unavailable("mnist") is not None:
        return None
    with contextlib.suppress(DigitjaxError):
        return load(parse_spec(f"mnist@{split}"))
    return None
