"""How well whole numbers are read that are composed of people's digits, and how long a line of ten takes."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from digitjax.bench.bootstrap import Estimate, estimate
from digitjax.data.drawings import writer_of
from digitjax.data.numbers import GAPS, LENGTH, NUMBERS, Hand, compose_all
from digitjax.errors import InputError
from digitjax.numbers import Outcome, make_reader, outcome, read_number
from digitjax.strokes import Drawing
from digitjax.types import Model, Params

LINE = 10
"""Digits of the lines that are timed."""
LINES = 500
"""Lines that are timed, of each way of standing."""
WARM_UPS = 50
"""Lines that are read before."""


class Read(NamedTuple):
    """How numbers are read that stand in one way.

    Attributes:
        way: one of `data.numbers.GAPS`.
        n: numbers.
        exact: fraction whose text is right.
        grouping: fraction whose strokes are all in the right groups.
        line_ms: milliseconds of grouping and reading a line of `LINE` digits, median and 99th percentile;
            None where nobody drew so many.
    """

    way: str
    n: int
    exact: Estimate
    grouping: Estimate
    line_ms: tuple[float, float] | None


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
        line_ms = None
        if any(len(hand.digits) >= LINE for hand in hands):
            written = list(compose_all(hands, gaps, count=lines + WARM_UPS, length=LINE))
            line_ms = _times([drawing.strokes for drawing in written], lambda ink: read_number(read, ink))
        found.append(_read(way, drawings, outcomes, line_ms))
    return found


def _read(
    way: str, drawings: Sequence[Drawing], outcomes: Sequence[Outcome], line_ms: tuple[float, float] | None
) -> Read:
    """The fractions with their intervals; writers are resampled whole."""
    names = {name: number for number, name in enumerate(sorted({writer_of(one) or "" for one in drawings}))}
    writers = np.array([names[writer_of(one) or ""] for one in drawings])
    nothing = np.zeros(len(drawings), np.int64)
    exact = estimate(nothing, np.array([one.exact for one in outcomes]), writers).accuracy
    grouped = estimate(nothing, np.array([bool(one.grouped) for one in outcomes]), writers).accuracy
    return Read(way, len(drawings), exact, grouped, line_ms)


def _times(
    inks: Sequence[Sequence[Float[np.ndarray, "_ 2"]]], read: Callable[[Sequence[np.ndarray]], object]
) -> tuple[float, float]:
    """Median and 99th percentile of one call, in milliseconds, after the first `WARM_UPS`."""
    taken = []
    for ink in inks:
        begin = time.perf_counter()
        read(ink)
        taken.append((time.perf_counter() - begin) * 1e3)
    median, most = np.quantile(taken[WARM_UPS:], (0.5, 0.99))
    return float(median), float(most)
