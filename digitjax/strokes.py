"""Drawings as strokes of points, and the NDJSON files that hold them.

The format is QuickDraw's, one drawing a line, y pointing down, plain or gzip:
`{"word": "7", "drawing": [[[x0, x1, ...], [y0, y1, ...]], ...], "source": "...", "writer": "..."}`.
A stroke may carry a third list, milliseconds. A whole number may say which of its digits each stroke is of:
`"word": "17", "digit_of": [0, 1, 1]`. Unknown keys are ignored.
"""

import difflib
import gzip
import itertools
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from jaxtyping import Float

from digitjax.errors import InputError, near_files

MAX_WORD = 64
"""Characters of a word."""
MAX_LINE_BYTES = 8 * 2**20
"""Bytes of one line, so of one drawing."""
MAX_STROKES = 10_000
"""Strokes of one drawing."""
MAX_POINTS = 200_000
"""Points of one drawing, over all strokes."""
MAX_INFLATION = 400
"""How many times its gzip file's size a file may reach, once it passes 64 MiB (gzip's own bound is 1032).

Its size is that of its lines and of what they become in memory: `DRAWING_BYTES` a line.
"""
DRAWING_BYTES = 2048
"""A drawing as `segments.pack` makes it: 128 pieces of four numbers."""
MAX_NAMES = 100
"""Names that are looked at for what may have been meant."""


class Drawing(NamedTuple):
    """One drawing in the units of its source.

    Attributes:
        strokes: pen-down to pen-up each, points (x, y) in the order of writing, y down; never empty.
        times: milliseconds of each point, or None unless every stroke has them.
        word: what was drawn, None where nobody said.
        source: where the drawing comes from.
        writer: who drew it, unique within the source.
        digit_of: of a whole number, the place in the word of each stroke's digit; None where nobody said.
    """

    strokes: tuple[Float[np.ndarray, "points 2"], ...]
    times: tuple[Float[np.ndarray, " points"], ...] | None = None
    word: str | None = None
    source: str | None = None
    writer: str | None = None
    digit_of: tuple[int, ...] | None = None


def read_drawings(path: str | os.PathLike[str]) -> Iterator[Drawing]:
    """The drawings of an NDJSON file, one at a time; gzip is told by its first bytes.

    Raises:
        InputError: the file cannot be read, holds no drawing, or a line is refused; the message
            begins with the file and the line.
    """
    for _, drawing in read_numbered(path):
        yield drawing


def read_numbered(
    path: str | os.PathLike[str], start: int = 0, stop: int | None = None, before: int = 0
) -> Iterator[tuple[int, Drawing]]:
    """As `read_drawings`, each drawing with the number of its line, from 1.

    Args:
        path: plain or gzip.
        start: byte of a plain file at which a line begins.
        stop: byte at which no line begins any more that is read; None for the end.
        before: lines before `start`.
    """
    count = 0
    for number, line in _lines(Path(path), start, stop, before):
        if not line.strip():
            continue
        yield number, parse_line(line, f"{path}:{number}")
        count += 1
    if not count and not start and stop is None:
        raise InputError(f"{path} holds no drawings: give a file with one drawing a line")


def parse_line(line: bytes, place: str) -> Drawing:
    """The drawing of one line.

    Args:
        line: NDJSON; not blank.
        place: what a refusal begins with.

    Raises:
        InputError: the line is refused.
    """
    try:
        return from_json(_parse(line))
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def write_drawings(path: str | os.PathLike[str], drawings: Iterable[Drawing]) -> int:
    """Write an NDJSON file, gzip where the name ends in `.gz`, whole or not at all.

    Returns:
        How many drawings were written.
    """
    target = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    count = 0
    try:
        with os.fdopen(handle, "wb") as raw:
            file = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if target.name.endswith(".gz") else raw
            for drawing in drawings:
                file.write(to_line(drawing))
                count += 1
            if file is not raw:
                file.close()
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return count


def to_json(drawing: Drawing) -> dict[str, Any]:
    """A drawing as plain JSON values; whole numbers become integers, what is None is left out."""
    lists = []
    for index, stroke in enumerate(drawing.strokes):
        columns = [stroke[:, 0], stroke[:, 1]]
        if drawing.times is not None:
            columns.append(drawing.times[index])
        lists.append([_numbers(column) for column in columns])
    fields: dict[str, Any] = {
        "word": drawing.word,
        "drawing": lists,
        "source": drawing.source,
        "writer": drawing.writer,
    }
    if drawing.digit_of is not None:
        fields["digit_of"] = list(drawing.digit_of)
    return {name: value for name, value in fields.items() if value is not None}


def to_line(drawing: Drawing) -> bytes:
    """A drawing as one line of NDJSON, UTF-8, with its line feed."""
    return (
        json.dumps(to_json(drawing), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        + b"\n"
    )


def from_json(record: Any) -> Drawing:
    """A drawing from one parsed line.

    Empty strokes are dropped; an empty `word`, `source` or `writer` counts as none.

    Raises:
        InputError: naming the field or the stroke that cannot be used.
    """
    if not isinstance(record, Mapping):
        _refuse(f"a drawing is a JSON object, this is {_kind(record)}")
    if "drawing" not in record:
        near = difflib.get_close_matches("drawing", itertools.islice(record, MAX_NAMES), 1)
        hint = f' (did you mean "{near[0]}" to be it?)' if near else ""
        _refuse(f'there is no "drawing"{hint}: give one list of strokes')
    strokes, times = _strokes(record["drawing"])
    word, source, writer = (_text(record, name) for name in ("word", "source", "writer"))
    digit_of = _digit_of(record, word or "")
    return Drawing(strokes, times, word or None, source or None, writer or None, digit_of)


def _lines(
    path: Path, start: int = 0, stop: int | None = None, before: int = 0
) -> Iterator[tuple[int, bytes]]:
    number = before
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} cannot be read (it is no file): give an .ndjson or .ndjson.gz file")
        with open(path, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(start)
            file = gzip.GzipFile(fileobj=raw) if zipped else raw
            total = 0
            while (stop is None or raw.tell() < stop) and (line := file.readline(MAX_LINE_BYTES + 1)):
                number += 1
                total += len(line)
                if len(line) > MAX_LINE_BYTES:
                    raise InputError(
                        f"{path}:{number}: the line is longer than {MAX_LINE_BYTES // 2**20} MiB: "
                        "give one drawing a line"
                    )
                size = total + number * DRAWING_BYTES
                if zipped and size > 64 * 2**20 and size > MAX_INFLATION * raw.tell():
                    raise InputError(
                        f"{path}:{number}: the file grows more than {MAX_INFLATION} times in memory: "
                        "give it unpacked if it is what you want"
                    )
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}:{number + 1}: the gzip data is damaged or cut off ({error}): fetch the file again"
        ) from None
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist{near_files(path)}: give an .ndjson or .ndjson.gz file"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): give a readable file") from None


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start + 1} is not UTF-8: save the file as UTF-8")
    except json.JSONDecodeError as error:
        _refuse(f"this is not JSON ({error.msg}, column {error.colno}): give one JSON object a line")
    except RecursionError:
        _refuse("the lists are nested too deeply: give a list of strokes, each [[x...], [y...]]")
    except ValueError:
        _refuse("a number has thousands of digits: give coordinates of at most 17 digits")


def _no_constant(name: str) -> NoReturn:
    _refuse(f"{name} is not allowed: give finite numbers")


def _strokes(value: Any) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...] | None]:
    if not isinstance(value, list):
        _refuse(f'"drawing" is {_kind(value)}: give a list of strokes')
    if len(value) > MAX_STROKES:
        _refuse(f"{len(value)} strokes are too many: give at most {MAX_STROKES} a drawing")
    strokes, times, points = [], [], 0
    for number, stroke in enumerate(value, 1):
        if not isinstance(stroke, list) or not 2 <= len(stroke) <= 3:
            _refuse(f"stroke {number} is {_kind(stroke)}: give [[x...], [y...]] or [[x...], [y...], [ms...]]")
        for name, column in zip(("x", "y", "times"), stroke, strict=False):
            if not isinstance(column, list):
                _refuse(f"{name} of stroke {number} is {_kind(column)}: give a list of numbers")
        if len({len(column) for column in stroke}) > 1:
            lengths = ", ".join(f"{len(c)} {n}" for n, c in zip(("x", "y", "times"), stroke, strict=False))
            _refuse(f"stroke {number} has {lengths}: give lists of equal length")
        points += len(stroke[0])
        if points > MAX_POINTS:
            _refuse(f"there are more than {MAX_POINTS} points: give fewer a drawing")
        if stroke[0]:
            columns = [_column(column, number) for column in stroke]
            strokes.append(np.stack(columns[:2], axis=1))
            times.extend(columns[2:])
    return tuple(strokes), tuple(times) if times and len(times) == len(strokes) else None


def _column(values: list[Any], stroke: int) -> Float[np.ndarray, " points"]:
    if not set(map(type, values)) <= {int, float}:
        odd = next(value for value in values if type(value) not in (int, float))
        _refuse(f"stroke {stroke} holds {_kind(odd)} where a number belongs: give finite numbers")
    try:
        column = np.array(values, np.float64)
    except OverflowError:
        column = np.array([np.inf])
    if not np.isfinite(column).all():
        _refuse(f"stroke {stroke} holds a number beyond 1e308: give finite numbers")
    return column


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        _refuse(f'"{name}" is {_kind(value)}: give a string')
    limit = MAX_WORD if name == "word" else 1024
    if len(value) > limit:
        _refuse(f'"{name}" has {len(value)} characters: give at most {limit}')
    try:
        value.encode()
    except UnicodeEncodeError:
        _refuse(f'"{name}" holds half of a surrogate pair: give whole characters')
    return value


def _digit_of(record: Mapping[str, Any], word: str) -> tuple[int, ...] | None:
    """The places that go with the strokes that are not empty."""
    places = record.get("digit_of")
    if places is None:
        return None
    strokes = record["drawing"]
    if not isinstance(places, list) or len(places) != len(strokes):
        _refuse(f'"digit_of" is {_kind(places)}: give a place in the word for each of {len(strokes)} strokes')
    for place in places:
        if type(place) is not int or not 0 <= place < len(word):
            _refuse(
                f'"digit_of" holds {_kind(place)}: give places from 0 to below {len(word)}, as the word has'
            )
    return tuple(place for place, stroke in zip(places, strokes, strict=True) if stroke[0])


def _numbers(column: np.ndarray) -> list[int | float]:
    return [int(v) if v.is_integer() and abs(v) < 2**53 else v for v in column.tolist()]


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            text = repr(value) if abs(value) < 1e18 else "beyond 1e18"
            return f"the number {text}"
        case str():
            return f"the text {value[:20]!r}"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"


def _refuse(message: str) -> NoReturn:
    raise InputError(message)
