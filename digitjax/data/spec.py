"""Data specs: `NAME[:PATH][@train|@validation|@test][=WEIGHT]`, suffixes read from the right."""

import difflib
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from jaxtyping import Int8, UInt8, UInt64

from digitjax.data import registry
from digitjax.errors import InputError
from digitjax.types import Segments

if TYPE_CHECKING:
    import digitjax.data.records

SPLITS = ("train", "validation", "test")
"""The splits that a spec can name."""
MAX_TEXT = 4096
"""Characters of a spec."""

_WEIGHT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


class DataUnavailable(InputError):
    """A source cannot be had here and now, as MNIST without a network: others may be taken instead."""


class EmptySplit(InputError):
    """The split that was asked for has no example, as where one writer drew a whole file."""


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
        body = self.name if self.path is None else f"{self.name}:{self.path}"
        body += "" if self.split is None else f"@{self.split}"
        plain = self.weight == 1 and not _WEIGHT.fullmatch(body.rpartition("=")[2])
        return body if plain else f"{body}={repr(self.weight).removesuffix('.0')}"


class Source(NamedTuple):
    """Labelled examples as ink or as pixels, before the model's geometry is applied; one of the two is None.

    Attributes:
        name: canonical text of the spec, without its weight.
        labels: int8 [n], 0 to 9, or `labels.NOT_A_DIGIT`.
        words: what each example shows.
        writers: who drew each, None where nobody said; None for sources without writers.
        ink: float32 [n, 128, 4] and mask [n, 128], in the units of the source.
        images: uint8, [n, height, width], or a list of pictures [h, w], [h, w, 3] or [h, w, 4] of various
            sizes. `mnist` and `digits8x8` have ink 255 on 0; other pictures come as they are, any polarity.
        skipped: examples without a label, left out.
        ids: `splits.number_of` each one's ink or pixels, for files of people's own; None for other sources.
    """

    name: str
    labels: Int8[np.ndarray, " n"]
    words: tuple[str, ...]
    writers: tuple[str | None, ...] | None = None
    ink: Segments | None = None
    images: UInt8[np.ndarray, "n height width"] | list[np.ndarray] | None = None
    skipped: int = 0
    ids: UInt64[np.ndarray, " n"] | None = None


def together(pictures: Sequence[np.ndarray]) -> UInt8[np.ndarray, "n height width"] | list[np.ndarray]:
    """Pictures as `Source.images` has them: grey ones of one size as one array, others as a list."""
    shapes = {picture.shape for picture in pictures}
    return np.stack(pictures) if len(shapes) == 1 and len(next(iter(shapes))) == 2 else list(pictures)


class Kind(NamedTuple):
    """What the registry knows about a source; each source's module has one, named `KIND`.

    Attributes:
        about: what it is, a few words.
        licence: whose it is and what is allowed, one line.
        load: a spec whose split is decided (None: whole) to the examples.
        takes: what stands after the colon, such as "FILE"; None for a source without a path.
        evaluates: the split that `evaluate` takes by default, None for the whole.
        size: what there is, such as "60,000 + 10,000 images".
        unavailable: why it cannot be had here and now, in a few words; None where it can.
        prepare: does now what the first `load` would do; returns a sentence about the result.
        at_hand: whether it is here already, so that having it takes no network.
        records: the records of a spec whose split is decided, prepared first where that is not done; None for
            a source that is small, endless or only read whole.
        trains: whether `load` gives examples; else it is only prepared, for a measurement of its own.
    """

    about: str
    licence: str
    load: Callable[[Spec], Source]
    takes: str | None = None
    evaluates: str | None = "test"
    size: str = ""
    unavailable: Callable[[], str | None] = lambda: None
    prepare: Callable[[Spec], str] | None = None
    at_hand: Callable[[], bool] = lambda: True
    records: "Callable[[Spec], digitjax.data.records.Records] | None" = None
    trains: bool = True


def parse_spec(text: str) -> Spec:
    """Reads a data spec; paths may hold `:`, `@` and `=`, for what is no split or weight belongs to the path.

    A file whose name ends like a suffix is named by adding that suffix: `strokes:a=2=1` is `a=2`, weight 1.

    Raises:
        InputError: naming the part that is wrong, and what was probably meant.
    """
    if not text.strip() or len(text) > MAX_TEXT or "\0" in text:
        raise InputError(
            f"the data spec {text[:40]!r} is empty, too long or no text: give NAME[:PATH][@SPLIT][=WEIGHT]"
        )
    body, weight, split = text, 1.0, None
    head, equals, tail = text.rpartition("=")
    if equals and _WEIGHT.fullmatch(tail):
        body, weight = head, float(tail)
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"weight {tail} of {text!r} is out of range: give a finite number above 0")
    head, at, tail = body.rpartition("@")
    if at and tail in SPLITS:
        body, split = head, tail
    name, colon, path = body.partition(":")
    if name not in registry.MODULES:
        _unknown(text, body, name, split)
    takes = registry.kind(name).takes
    if takes and not path:
        raise InputError(f"{text!r} names no file: give {name}:{takes}")
    if colon and not takes:
        raise InputError(
            f"{name} takes no path, {path!r} was given: give {name} alone, or strokes:FILE or images:DIR"
        )
    return Spec(name, path or None, split, weight)


def _unknown(text: str, body: str, name: str, split: str | None) -> NoReturn:
    known = ", ".join(registry.MODULES)
    for sign, what in (("@", "split"), ("=", "weight")):
        head, found, tail = name.rpartition(sign)
        if not (found and head.partition("@")[0] in registry.MODULES):
            continue
        if sign == "=" and split and _WEIGHT.fullmatch(tail):
            raise InputError(f"in {text!r} the weight stands before the split: give {head}@{split}={tail}")
        if sign == "=" and _WEIGHT.fullmatch(tail):
            raise InputError(f"{text!r} names two weights: give one")
        if sign == "=":
            raise InputError(f"{what} {tail!r} of {text!r} is no number: give one above 0")
        if split and tail in SPLITS:
            raise InputError(f"{text!r} names two splits, @{tail} and @{split}: give one")
        near = difflib.get_close_matches(tail.lower(), SPLITS, 1)
        hint = f"did you mean @{near[0]}?" if near else f"give @{', @'.join(SPLITS)}"
        raise InputError(f"{what} {tail!r} of {text!r} is unknown: {hint}")
    near = difflib.get_close_matches(name.lower(), registry.MODULES, 3, cutoff=0.5)
    for ending, source in ((".ndjson", "strokes"), (".ndjson.gz", "strokes"), (".npz", "images")):
        if body.lower().endswith(ending) and not (near and ":" in body):
            raise InputError(f"data {text!r} has no source's name: did you mean {source}:{text}?")
    near.sort(key=lambda match: match[0] != name[:1].lower())  # a typing error is seldom in the first letter
    hint = f"did you mean {near[0]!r}? There are {known}" if near else f"give one of {known}"
    raise InputError(f"data {name!r} is unknown: {hint}")
