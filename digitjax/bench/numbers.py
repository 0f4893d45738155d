"""How well whole numbers are read that are composed of people's digits, and how long a line of ten takes."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from digitjax.bench.bootstrap import Estimate, estimate
from digitjax.data.drawings import writer_of
from digitjax.data.numbers import GAPS, LENGTH, NUMBERS, Hand, compose_all
from digitjax.errors import InputError
from digitjax.numbers import NOTHING, Outcome, make_reader, outcome, read_number, read_on
from digitjax.strokes import Drawing
from digitjax.types import Logits, Model, Params, Segments

LINE = 10
"""Digits of the lines that are timed."""
LINES = 500
"""Lines that are timed, of each way of standing."""
WARM_UPS = 50
"""Lines that are read before."""
POINTS = 8
"""Points between two frames in which a line is read while it is written."""


class Read(NamedTuple):
    """How numbers are read that stand in one way.

    Attributes:
        way: one of `data.numbers.GAPS`.
        n: numbers.
        exact: fraction whose text is right.
        grouping: fraction whose strokes are all in the right groups.
        line_ms: milliseconds of grouping and reading a line of `LINE` digits at once, median and 99th
            percentile; None where nobody drew so many.
        frame_ms: the same of a frame while its last digit is written, what was read before being known.
    """

    way: str
    n: int
    exact: Estimate
    grouping: Estimate
    line_ms: tuple[float, float] | None
    frame_ms: tuple[float, float] | None


def measure(
    model: Model, params: Params, hands: Sequence[Hand], *, count: int = NUMBERS, lines: int = LINES
) -> list[Read]:
    """Composes numbers of each way of standing and reads them.

    Args:
        model: the network.
        params: its params.
        hands: whose digits the numbers are made of.
        count: numbers of `LENGTH` digits, of each way.
        lines: lines of `LINE` digits that are timed, of each way.

    Raises:
        InputError: nobody drew enough digits.
        DigitjaxError: the network answers something that is no number.
    """
    if not any(len(hand.digits) >= LENGTH for hand in hands):
        raise InputError(f"nobody drew {LENGTH} digits: give drawings of more digits")
    read = functools.partial(make_reader(model), params)
    found = []
    for way, gaps in GAPS.items():
        drawings = list(compose_all(hands, gaps, count=count))
        outcomes = [outcome(read_number(read, drawing.strokes), drawing) for drawing in drawings]
        line_ms = frame_ms = None
        if any(len(hand.digits) >= LINE for hand in hands):
            written = list(compose_all(hands, gaps, count=lines + WARM_UPS, length=LINE))
            line_ms = _spread([_line_time(read, line) for line in written][WARM_UPS:])
            frame_ms = _spread([ms for line in written[WARM_UPS:] for ms in _frame_times(read, line)])
        found.append(_read(way, drawings, outcomes)._replace(line_ms=line_ms, frame_ms=frame_ms))
    return found


def frames(line: Drawing) -> Iterator[list[Float[np.ndarray, "_ 2"]]]:
    """The strokes of a line before its last digit is begun, then after every `POINTS` points, then all."""
    places = line.digit_of or (0,)
    first = places.index(max(places))
    for stroke in range(first, len(line.strokes)):
        for points in range(0, len(line.strokes[stroke]), POINTS):
            yield [*line.strokes[:stroke], line.strokes[stroke][:points]]
    yield list(line.strokes)


def _read(way: str, drawings: Sequence[Drawing], outcomes: Sequence[Outcome]) -> Read:
    """The fractions with their intervals; writers are resampled whole."""
    names = {name: number for number, name in enumerate(sorted({writer_of(one) or "" for one in drawings}))}
    writers = np.array([names[writer_of(one) or ""] for one in drawings])
    nothing = np.zeros(len(drawings), np.int64)
    exact = estimate(nothing, np.array([one.exact for one in outcomes]), writers).accuracy
    grouped = estimate(nothing, np.array([bool(one.grouped) for one in outcomes]), writers).accuracy
    return Read(way, len(drawings), exact, grouped, None, None)


def _line_time(read: Callable[[Segments], Logits], line: Drawing) -> float:
    """Milliseconds of reading a line at once."""
    begin = time.perf_counter()
    read_number(read, line.strokes)
    return (time.perf_counter() - begin) * 1e3


def _frame_times(read: Callable[[Segments], Logits], line: Drawing) -> list[float]:
    """Milliseconds of each frame of `frames` but the first, in which all is new."""
    taken, known = [], NOTHING
    for ink in frames(line):
        begin = time.perf_counter()
        _, known = read_on(read, ink, known)
        taken.append((time.perf_counter() - begin) * 1e3)
    return taken[1:]


def _spread(taken: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    median, most = np.quantile(taken, (0.5, 0.99))
    return float(median), float(most)
