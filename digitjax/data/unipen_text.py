"""UNIPEN 1.0 as text: its statements, points, delineations and labels. Pure; files are `unipen.py`'s.

After the format's own definition (I. Guyon, AT&T Bell Laboratories, 1994, `unipen.def`): a keyword is a word
with a dot in the first column; all that follows it up to the next keyword, over many lines, is its argument.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from digitjax.errors import InputError
from digitjax.strokes import MAX_POINTS

MAX_PIECES = 10_000
"""Parts of one delineation, so strokes of one segment at most."""
MAX_WORDS = 1024
"""Words of an argument that are told apart, where they are no numbers."""

_KEYWORD = re.compile(r"^\.([A-Za-z][A-Za-z0-9_]*)", re.MULTILINE)
_PIECE = re.compile(r"(\d{1,9})(?:(?::(\d{1,9}))?-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ESCAPES = {"n": " ", "t": " "}


class Malformed(InputError):
    """Text that is no UNIPEN.

    Attributes:
        line: where, from 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Statement(NamedTuple):
    """A keyword and its argument.

    Attributes:
        keyword: without the dot, in capitals.
        text: all that stands before the next keyword.
        line: of the keyword, from 1.
    """

    keyword: str
    text: str
    line: int

    def words(self, most: int = MAX_WORDS) -> list[str]:
        """The argument as words; what follows the first `most` is one more, so that memory is bounded."""
        return self.text.split(None, most)


class Segment(NamedTuple):
    """What a stretch of ink is said to be.

    Attributes:
        delineation: the stretch as it is written, such as "3-4,7"; None where it is left open.
        label: None where there is none.
        line: of the statement.
    """

    delineation: str | None
    label: str | None
    line: int


class Piece(NamedTuple):
    """A part of a delineation: from a point of one component to a point of another, both included.

    Attributes:
        first: component, from 0.
        start: its point, from 0.
        last: component, at least `first`.
        stop: its point; None is the last one.
    """

    first: int
    start: int
    last: int
    stop: int | None


def statements(text: str) -> Iterator[Statement]:
    """The statements of a text in order; what stands before the first keyword is left out."""
    line, counted, before = 1, 0, None
    for match in _KEYWORD.finditer(text):
        if before is not None:
            yield Statement(before[0], text[before[1] : match.start()], line)
        line += text.count("\n", counted, match.start())
        counted, before = match.start(), (match[1].upper(), match.end())
    if before is not None:
        yield Statement(before[0], text[before[1] :], line)


def points(statement: Statement, columns: int) -> Float[np.ndarray, "points columns"]:
    """The numbers of a pen component, a row a point.

    Raises:
        Malformed: something is no finite number, or the last row is not full.
    """
    words = statement.words(columns * MAX_POINTS)
    if len(words) > columns * MAX_POINTS:
        raise Malformed(
            statement.line, f".{statement.keyword} holds more than {MAX_POINTS} points: give fewer at a time"
        )
    try:
        values = np.array(list(map(float, words)), np.float64)
    except ValueError:
        values = np.full(1, np.nan)
    if not statement.text.isascii() or "_" in statement.text or not np.isfinite(values).all():
        raise _wrong_number(statement)
    if len(values) % columns:
        raise Malformed(
            statement.line,
            f".{statement.keyword} holds {len(values)} numbers, no whole rows of {columns}: "
            "give each point the columns that .COORD names",
        )
    return values.reshape(-1, columns)


def segment(statement: Statement) -> Segment:
    """A `.SEGMENT` statement: type, delineation, quality, label in double quotes; all but the type may lack.

    A quote or a backslash alone may stand in its quotes unescaped.

    Raises:
        Malformed: a quote is not closed.
    """
    head, quote, rest = statement.text.partition('"')
    label = None
    if quote:
        inner, closed, _ = rest.rpartition('"')
        if not closed:
            raise Malformed(statement.line, 'the label of .SEGMENT is not closed: end it with "')
        label = inner if inner == "\\" else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), inner)
    words = head.split(None, 2)
    delineation = words[1] if len(words) > 1 and words[1] != "?" else None
    return Segment(delineation, label, statement.line)


def pieces(segment: Segment) -> list[Piece]:
    """The parts of a delineation: `a`, `a-b`, `a:p-b:q`, lists of them; all numbers from 0.

    Raises:
        Malformed: it is no delineation, runs backwards, or has too many parts.
    """
    texts = (segment.delineation or "").split(",", MAX_PIECES)
    if len(texts) > MAX_PIECES:
        raise Malformed(segment.line, f"the delineation has over {MAX_PIECES} parts: give fewer a segment")
    found = []
    for text in texts:
        match = _PIECE.fullmatch(text)
        if match is None:
            shown = text if len(text) <= 40 else text[:40] + "..."
            raise Malformed(
                segment.line, f"{shown!r} is no delineation: give components as 3, 3-5, 3:10-5:20 or a list"
            )
        first, start, last, stop = (None if part is None else int(part) for part in match.groups())
        assert first is not None
        piece = Piece(first, start or 0, first if last is None else last, stop)
        if piece.last < first or (piece.last == first and stop is not None and stop < piece.start):
            raise Malformed(segment.line, f"the delineation {text!r} runs backwards: give first-last")
        found.append(piece)
    return found


def number(statement: Statement) -> float:
    """The only number of a statement, finite and above 0.

    Raises:
        Malformed: it is another thing.
    """
    words = statement.words(1)
    value = points(statement._replace(text=words[0] if words else ""), 1)
    if not value.size or value[0, 0] <= 0:
        raise Malformed(statement.line, f".{statement.keyword} is not above 0: give its real value")
    return float(value[0, 0])


def _wrong_number(statement: Statement) -> Malformed:
    for match in re.finditer(r"\S+", statement.text):
        word = match[0]
        if not _NUMBER.fullmatch(word) or not math.isfinite(float(word)):
            line = statement.line + statement.text.count("\n", 0, match.start())
            return Malformed(line, f"{word[:20]!r} is no number, or not finite: give finite numbers")
    return Malformed(statement.line, f".{statement.keyword} holds what is no number: give finite numbers")
