"""Source `numbers:FILE`: whole numbers, each composed of one writer's drawn digits, to be measured on.

The digits stand on a line as people's do: heights and feet vary, and they keep their distance or touch. Some
second strokes, such as the bar of a 7, come after all other ink. No stroke is drawn anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from digitjax import paths
from digitjax.data.drawings import digest_of
from digitjax.data.labels import DIGITS
from digitjax.data.prepared import is_there, publish, sha256
from digitjax.data.spec import EmptySplit, Kind, Source, Spec
from digitjax.data.splits import in_split
from digitjax.errors import InputError
from digitjax.strokes import Drawing, read_drawings, write_drawings

NUMBERS = 2000
"""Numbers of a file."""
LENGTH = 3
"""Digits of a number."""
KEY = 2026
"""Of the random choices: the same drawings give the same numbers."""
HEIGHT = 1000.0
"""Height of a digit in the mean, in units of a composed drawing."""
HEIGHT_SD, BASELINE_SD = 0.12, 0.08
"""How much heights, and feet on the line, vary, in parts of `HEIGHT`."""
SMALLEST = 0.5
"""Part of `HEIGHT` below which no digit is."""
FLAT = 1.5
"""Width over height from which on the width says how large a digit is, as of a lone bar."""
GAPS = {"spaced": (0.15, 0.6), "touching": (-0.25, 0.05)}
"""Between the boxes of neighbours, in parts of `HEIGHT`, by the name of the file."""
DELAYED = 0.1
"""Part of the second strokes that are written last."""
FORMAT = 1
"""Of the composed files; a part of their folder's name."""


class Hand(NamedTuple):
    """The digits of one writer, or of nobody known."""

    source: str | None
    writer: str | None
    digits: tuple[Drawing, ...]


def compose(digits: Sequence[Drawing], gaps: tuple[float, float], rng: np.random.Generator) -> Drawing:
    """Drawn digits as one number on a line, from left to right.

    Args:
        digits: at least one; each has ink and a word of one digit, in any unit.
        gaps: lowest and highest between two boxes, in parts of `HEIGHT`.
        rng: random numbers.

    Returns:
        The number in whole units, without times; `digit_of` says whose each stroke is.
    """
    written: list[tuple[bool, int, np.ndarray]] = []
    right = 0.0
    for place, digit in enumerate(digits):
        height = HEIGHT * max(SMALLEST, 1 + HEIGHT_SD * rng.standard_normal())
        foot = HEIGHT * BASELINE_SD * rng.standard_normal()
        left = right + HEIGHT * rng.uniform(*gaps) if place else 0.0
        moved = _placed(digit.strokes, height, left, foot)
        right = max(float(stroke[:, 0].max()) for stroke in moved)
        for number, stroke in enumerate(moved):
            written.append((number == 1 and rng.random() < DELAYED, place, stroke))
    written.sort(key=lambda one: one[0])
    return Drawing(
        strokes=tuple(stroke for _, _, stroke in written),
        word="".join(digit.word or "" for digit in digits),
        source=digits[0].source,
        writer=digits[0].writer,
        digit_of=tuple(place for _, place, _ in written),
    )


def compose_all(
    hands: Sequence[Hand],
    gaps: tuple[float, float],
    *,
    count: int,
    length: int = LENGTH,
    key: int = KEY,
) -> Iterator[Drawing]:
    """Numbers of hands that have enough digits, as many of each as it has drawings; no drawing twice in one.

    Args:
        hands: at least one has `length` digits.
        gaps: as for `compose`.
        count: of the numbers.
        length: digits of each.
        key: of the random numbers.
    """
    rng = np.random.default_rng(key)
    able = [hand for hand in hands if len(hand.digits) >= length]
    sizes = np.array([len(hand.digits) for hand in able], np.float64)
    for _ in range(count):
        hand = able[rng.choice(len(able), p=sizes / sizes.sum())]
        chosen = rng.choice(len(hand.digits), length, replace=False)
        yield compose([hand.digits[index] for index in chosen], gaps, rng)


def hands_of(drawings: Iterable[Drawing], split: str | None = None) -> list[Hand]:
    """The writers of a split (None: all) with their digits; all drawings of nobody known are one hand's."""
    found: dict[tuple[str | None, str | None], list[Drawing]] = {}
    for drawing in drawings:
        if drawing.word in DIGITS and drawing.strokes and in_split(digest_of(drawing), split):
            found.setdefault((drawing.source, drawing.writer), []).append(drawing)
    return [Hand(*who, tuple(digits)) for who, digits in found.items()]


def prepare(spec: Spec) -> Path:
    """The folder of a spec's numbers, a file for each of `GAPS`; composed now where missing or damaged.

    Raises:
        InputError: the file is missing or a line is refused, or the data folder cannot be written to.
        EmptySplit: nobody in the split drew enough digits.
    """
    path = Path(spec.path or "")
    next(read_drawings(path))  # a sentence where it is none
    part = f"-{spec.split}" if spec.split else ""
    folder = paths.data_dir() / f"numbers-{sha256(path)[:16]}{part}-{FORMAT}"
    if is_there(folder):
        return folder
    hands = hands_of(read_drawings(path), spec.split)
    if not any(len(hand.digits) >= LENGTH for hand in hands):
        raise EmptySplit(
            f"nobody drew {LENGTH} digits in {spec._replace(weight=1.0)}: give more drawings of one writer"
        )

    def write(unfinished: Path) -> None:
        for name, gaps in GAPS.items():
            write_drawings(unfinished / f"{name}.ndjson.gz", compose_all(hands, gaps, count=NUMBERS))

    publish(folder, write)
    return folder


def _placed(
    strokes: Sequence[Float[np.ndarray, "_ 2"]], height: float, left: float, foot: float
) -> list[Float[np.ndarray, "_ 2"]]:
    """Strokes so high, their box's left lower corner at (left, foot), rounded to whole units."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float(high[1] - low[1]), float(high[0] - low[0]) / FLAT)
    scale = height / size if size > 0 else 0.0
    return [np.rint((stroke - (low[0], high[1])) * scale + (left, foot)) for stroke in strokes]


def _load(spec: Spec) -> Source:
    raise InputError(
        f"{spec} holds whole numbers, which no network is trained on: `digitjax data prepare {spec}`, "
        "then `digitjax evaluate --number` on the files that it names"
    )


def _prepare(spec: Spec) -> str:
    folder = prepare(spec)
    files = " and ".join(f"{name}.ndjson.gz" for name in GAPS)
    return f"{NUMBERS:,} numbers of {LENGTH} digits each are in {files} of {folder}"


KIND = Kind(
    about="whole numbers, composed of a file's drawn digits",
    licence="that of the drawings",
    load=_load,
    takes="FILE",
    evaluates=None,
    prepare=_prepare,
    trains=False,
)
