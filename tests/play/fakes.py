"""A reader without a network, and a loop around it."""

from pathlib import Path

import numpy as np
import pygame

from play.answers import Answered, ModelInfo, ModelReady, ModelsListed
from play.app import Loop, VirtualClock, Window
from play.classify import Query
from play.events import Event
from play.outside import Outside
from play.state import PlayState

MODEL = ModelInfo("cnn-7", "/nowhere/cnn-7", 42, 0.99, "2026-11-21 05:00", 61_000)


def answer(revision: int, digit: int, sure: float = 0.91, is_digit: float | None = 0.99) -> Answered:
    """An answer for a digit."""
    rest = (1 - sure) / 9
    probabilities = tuple(sure if i == digit else rest for i in range(10))
    image = np.zeros((28, 28), np.uint8)
    image[10:18, 14] = 255
    return Answered(revision, probabilities, is_digit, image.tobytes(), 28, (0.02, 1.0, 2.0))


class FakeClassifier:
    """Answers with the number of strokes, after `delay` polls."""

    def __init__(
        self,
        delay: int = 0,
        model: ModelInfo | None = MODEL,
        is_digit: float | None = 0.99,
    ) -> None:
        self._is_digit = is_digit
        self.delay, self.asked, self.closed = delay, [], False
        self._due: tuple[int, Query] | None = None
        self._events: list[Event] = [] if model is None else [ModelReady(model)]
        self.loaded: list[tuple[str, int]] = []

    def ask(self, query: Query) -> bool:
        if self._due is not None:
            return False
        self.asked.append(query)
        self._due = (self.delay, query)
        return True

    def poll(self, timeout: float) -> list[Event]:
        events, self._events = self._events, []
        if self._due is not None:
            left, query = self._due
            self._due = (left - 1, query) if left else None
            if not left:
                given = answer(query.revision, len(query.strokes) % 10, is_digit=self._is_digit)
                events.append(given)
        return events

    def load(self, path: str, slot: int) -> None:
        self.loaded.append((path, slot))

    def unload(self, slot: int) -> None:
        self.loaded.append(("", slot))

    def hold(self, on: bool) -> None:
        self.loaded.append((f"hold {on}", -3))

    def list_models(self) -> None:
        self._events.append(ModelsListed((MODEL, ModelInfo("bad", "/nowhere/bad", error="it is damaged"))))

    def film(self, path: str) -> None:
        self.loaded.append((path, -1))

    def show_step(self, step: int | None) -> None:
        self.loaded.append((str(step), -2))

    def ask_stats(self) -> None:
        """As `ProcessClassifier`'s, of a process that does not say."""

    def close(self) -> None:
        self.closed = True


class Script:
    """A source that gives the events of one list a frame, then nothing."""

    def __init__(self, *frames: list[Event]) -> None:
        self._frames = list(frames)
        self.states: list[PlayState] = []

    def take(self, state, layout, controls, time) -> list[Event]:
        return self._frames.pop(0) if self._frames else []

    def frame_done(self, state, numbers) -> None:
        self.states.append(state)


def make_loop(folder: Path, *sources, classifier=None, size=(640, 480), state=None) -> Loop:
    """The program's loop over SDL's dummy driver."""
    window = Window(*size)
    return Loop(
        window,
        classifier or FakeClassifier(),
        Outside(folder),
        sources,
        VirtualClock(),
        state or PlayState(width=size[0], height=size[1]),
    )


def pixels(loop: Loop) -> np.ndarray:
    """What the window shows, uint8 [rows, columns, 3]."""
    return pygame.surfarray.array3d(loop.window.current()).swapaxes(0, 1)
