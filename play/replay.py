"""Recorded drawings as events on the program's clock; they enter where pygame's have been translated."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from digitjax.errors import DigitjaxError
from play import events, ink
from play.app import FrameTimes
from play.layout import Control, Layout
from play.screens import SCREENS
from play.state import PlayState

if TYPE_CHECKING:
    from digitjax.strokes import Drawing

SIZE = 0.6
"""Part of the canvas that a replayed drawing takes, in the direction in which it fills it most."""
SPEED = 1.5
"""Box heights a second for ink without times."""
LONGEST_PAUSE = 0.5
"""Seconds that a pause in recorded times may last."""


class Replay:
    """A source of events: one drawing after the other, each answered before the next begins."""

    def __init__(
        self, drawings: Iterable["Drawing"], report: Callable[[dict], None], *, patience: float = math.inf
    ) -> None:
        """Args:
        drawings: what is drawn.
        report: is given what is printed of each.
        patience: seconds, by the wall's clock, for which a drawing waits for its answer.
        """
        self._drawings = enumerate(drawings)
        self._report, self._patience = report, patience
        self._waits_since: float | None = None
        self._current: tuple[int, Drawing] | None = None
        self._script: Iterator[tuple[float, events.Event]] = iter(())
        self._next: tuple[float, events.Event] | None = None
        self._start = 0.0
        self.done = False

    def take(
        self, state: PlayState, layout: Layout, controls: Sequence[Control], time: float
    ) -> list[events.Event]:
        if self.done or state.models[0] is None:
            return []
        found: list[events.Event] = []
        if self._current is None:
            self._current = next(self._drawings, None)
            if self._current is None:
                self.done = True
                return []
            self._start = time
            self._script = iter(script(self._current[1], SCREENS[state.screen].height))
            self._next = next(self._script, None)
            if state.strokes:
                found.append(events.Press("clear"))
        while self._next is not None and self._next[0] <= time - self._start + 1e-9:
            found.append(_at(self._next[1], self._start))
            self._next = next(self._script, None)
        return found

    def frame_done(self, state: PlayState, numbers: FrameTimes) -> None:
        if self._current is None or self._next is not None:
            return
        wide = SCREENS[state.screen].wide
        answer = state.number if wide else state.answers[0]
        empty = not state.strokes
        index, drawing = self._current
        if not empty and (answer is None or answer.revision != state.revision):
            self._require_patience(index)
            return
        self._current = self._waits_since = None
        found = (number_line if wide else line)(index, drawing.word, state, numbers)
        if ink.count_points(state.strokes) >= ink.MAX_POINTS < sum(map(len, drawing.strokes)):
            found["cut"] = True
        self._report(found)

    def _require_patience(self, index: int) -> None:
        """Raises DigitjaxError for a drawing that has waited too long for its answer."""
        now = monotonic()
        if self._waits_since is None:
            self._waits_since = now
        if now - self._waits_since > self._patience:
            waited = f"drawing {index} has had no answer for {self._patience:.0f} s"
            raise DigitjaxError(f"{waited}: try again, or name another network with --checkpoint")


def line(index: int, word: str | None, state: PlayState, numbers: FrameTimes) -> dict:
    """What `--headless` prints for a drawing."""
    answer = state.answers[0] if state.strokes else None
    model = state.models[0]
    rejects = model is not None and model.rejects and not state.strokes
    # Of no ink it is what `digitjax predict` says.
    said, probabilities, is_digit = "", [0.1] * 10, 0.0 if rejects else None
    if answer is not None:
        said, probabilities, is_digit = answer.word, list(answer.probabilities), answer.is_digit
    found = {
        "index": index,
        "word": word,
        "answer": said,
        "probabilities": probabilities,
        "is_digit": is_digit,
    }
    return found | {"ms": _times(numbers)}


def number_line(index: int, word: str | None, state: PlayState, numbers: FrameTimes) -> dict:
    """What `--headless` prints where whole numbers are written."""
    read = state.number if state.strokes else None
    digits = [] if read is None else [digit._asdict() for digit in read.digits]
    text = "" if read is None else read.text
    return {"index": index, "word": word, "text": text, "digits": digits, "ms": _times(numbers)}


def print_line(record: dict) -> None:
    """One line of JSON on standard output."""
    print(json.dumps(record, ensure_ascii=False, allow_nan=False), flush=True)


def script(drawing: "Drawing", share: float = 1.0) -> Iterator[tuple[float, events.Event]]:
    """A drawing's events with their times in seconds from its start, fitted to the middle of the canvas.

    Args:
        drawing: what is drawn.
        share: height of the canvas over its width.
    """
    if not drawing.strokes:
        return
    points = np.concatenate(drawing.strokes)
    exponent = -int(np.frexp(np.abs(points).max())[1])  # of a power of two, so that no extent overflows
    points = np.ldexp(points, exponent)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float(max(high[0] - low[0], (high[1] - low[1]) / share))
    scale = SIZE * events.CANVAS / extent if extent > 0 else 1.0
    middle, centre = (low + high) / 2, np.array((1.0, share)) * events.CANVAS / 2
    width, height = (float(side) * scale for side in high - low)
    speed = SPEED * max(height, 0.1 * width, 1.0)
    time, before = 0.0, None
    for number, stroke in enumerate(drawing.strokes):
        placed = (np.ldexp(stroke, exponent) - middle) * scale + centre
        stamps = None if drawing.times is None else drawing.times[number]
        for i, (x, y) in enumerate(placed.tolist()):
            if stamps is not None:
                if before is not None:
                    time += min(max((float(stamps[i]) - before) / 1000, 0.0), LONGEST_PAUSE)
                before = float(stamps[i])
            elif i:
                time += float(np.hypot(*(placed[i] - placed[i - 1]))) / speed
            yield time, events.PenMove(x, y, time) if i else events.PenDown(x, y, time)
        yield time, events.PenUp(time)


def _times(numbers: FrameTimes) -> dict:
    return {
        "ink_to_answer": None if numbers.answer is None else round(numbers.answer, 3),
        "frame": round(numbers.whole, 3),
    }


def _at(event: events.Event, start: float) -> events.Event:
    if isinstance(event, events.PenDown | events.PenMove | events.PenUp):
        return event._replace(time=event.time + start)
    return event
