"""Source `pendigits:FILE`: the UCI pen digits, 30 training writers in their original strokes, prepared once.

FILE is the raw UNIPEN text of the collection, told by its SHA-256. There a stroke belongs to the last
`.SEGMENT` line before it, whose number counts on and names no component; `.COMMENT` says digit, writer and
number; y points up in boxes of 500 units. Where array_record has no wheel (Windows) the prepared copy is a
file of drawings.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from digitjax import paths
from digitjax.data.drawings import collect, to_record
from digitjax.data.mnist_files import has_array_record
from digitjax.data.prepared import is_there, publish, sha256
from digitjax.data.records import Records, open_records, prepare_records, records_folder
from digitjax.data.spec import Kind, Source, Spec
from digitjax.data.unipen_text import points, segment, statements
from digitjax.errors import InputError, near_files
from digitjax.strokes import Drawing, read_drawings, write_drawings

SHA256 = "a66225d68d7d68591e62944df1ad33b3f5aa608e2df2505844b41f5568a80da4"
"""Of the raw file."""
SOURCE = "pendigits"
"""What the drawings name as their source; with the writer it decides their split."""
BOX = 500
"""Units of the boxes in which people wrote."""
FALLBACK = "drawings.ndjson.gz"


class Strokes(NamedTuple):
    """One digit of the collection.

    Attributes:
        digit: 0 to 9.
        writer: number of the person.
        points: of all strokes, one after the other, y down, in units of the box.
        lengths: points of each stroke.
    """

    digit: int
    writer: int
    points: Int32[np.ndarray, "points 2"]
    lengths: Int32[np.ndarray, " strokes"]


def load_pendigits(spec: Spec) -> Source:
    """The digits of a split by writer, or of all 30 training writers; prepared first where that is not done.

    Raises:
        InputError: the file is missing or another one, or the data folder cannot be written to.
    """
    return collect(spec, read_prepared(prepare(Path(spec.path or ""))))


def pendigits_records(spec: Spec) -> Records:
    """The digits as records of packed ink, made from the prepared copy where that is not done.

    Raises:
        InputError: the file is missing or another one, or the data folder cannot be written to.
    """
    path = Path(spec.path or "")
    _check(path)
    folder = records_folder("pendigits", SHA256)
    prepare_records(
        folder, "the pen digits", lambda: map(to_record, itertools.count(), read_prepared(prepare(path)))
    )
    return open_records(str(spec), folder, spec.split)


def prepare(path: Path) -> Path:
    """The folder of the prepared copy, made now where it is missing or damaged.

    Raises:
        InputError: the file is missing or another one, or the data folder cannot be written to.
    """
    _check(path)
    folder = paths.data_dir() / f"pendigits-{SHA256[:16]}-{'records' if has_array_record() else 'drawings'}"
    if not is_there(folder):
        digits = list(parse(path.read_text(encoding="ascii")))
        publish(folder, lambda unfinished: _write(digits, unfinished))
    return folder


def parse(text: str) -> Iterator[Strokes]:
    """The digits of the raw text in order."""
    digit, writer, strokes = -1, -1, []
    for statement in statements(text):
        match statement.keyword:
            case "SEGMENT":
                if strokes:
                    yield _strokes(digit, writer, strokes)
                digit, writer, strokes = int(segment(statement).label or ""), -1, []
            case "COMMENT":
                writer = int(statement.words()[1])
            case "PEN_DOWN":
                strokes.append(points(statement, 2).astype(np.int32))
    if strokes:
        yield _strokes(digit, writer, strokes)


def read_prepared(folder: Path) -> Iterator[Drawing]:
    """The digits of a prepared copy, in the order of the raw file."""
    if not has_array_record():
        yield from read_drawings(folder / FALLBACK)
        return
    from digitjax.data.pendigits_builder import read_records

    yield from map(to_drawing, read_records(folder))


def to_drawing(digit: Strokes) -> Drawing:
    """The same as a drawing in float64."""
    ends = np.cumsum(digit.lengths)[:-1]
    strokes = tuple(np.split(digit.points.astype(np.float64), ends))
    return Drawing(strokes, None, str(digit.digit), SOURCE, str(digit.writer))


def _strokes(digit: int, writer: int, strokes: list[np.ndarray]) -> Strokes:
    flat = np.concatenate(strokes)
    flat[:, 1] = BOX - flat[:, 1]
    return Strokes(digit, writer, flat, np.array([len(stroke) for stroke in strokes], np.int32))


def _check(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path} does not exist{near_files(path)}: give the raw file of the UCI pen digits")
    try:
        digest = sha256(path) if path.is_file() else "a folder's"
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give a file that can") from None
    if digest != SHA256:
        raise InputError(
            f"{path} is not the raw training file of the UCI pen digits (its SHA-256 is {digest[:12]}...): "
            "give that file unchanged, or another collection as unipen:PATH"
        )


def _write(digits: list[Strokes], folder: Path) -> None:
    if not has_array_record():
        write_drawings(folder / FALLBACK, map(to_drawing, digits))
        return
    from digitjax.data.pendigits_builder import write_records

    write_records(digits, folder)


def _prepare(spec: Spec) -> str:
    return f"the pen digits are prepared in {prepare(Path(spec.path or ''))}"


KIND = Kind(
    about="UCI pen digits in their original strokes",
    size="7,494 digits of 30 people",
    licence="E. Alpaydin and F. Alimoglu, Pen-Based Recognition of Handwritten Digits, UCI, 1998",
    load=load_pendigits,
    takes="FILE",
    evaluates=None,
    prepare=_prepare,
    records=pendigits_records,
)
