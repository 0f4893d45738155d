"""How often the answer on the screen changes while a drawing is replayed, and after the pen is up."""

import itertools
from collections.abc import Sequence

from play.app import FrameTimes
from play.events import Event
from play.layout import Control, Layout
from play.state import PlayState


class Watch:
    """A source without events that notes what the screen says; before the `Replay` among the sources.

    Attributes:
        shown: of the drawing under way, frame by frame: the answer, and whether the pen was down.
    """

    def __init__(self) -> None:
        self.shown: list[tuple[str, bool]] = []

    def take(self, state: PlayState, layout: Layout, controls: Sequence[Control], time: float) -> list[Event]:
        return []

    def frame_done(self, state: PlayState, numbers: FrameTimes) -> None:
        if state.strokes and state.shown.word:
            self.shown.append((state.shown.word, state.pen_down))

    def count(self) -> tuple[int, int]:
        """Changes of the answer in the drawing that ends here: all, and those after the last pen-up."""
        words = [word for word, _ in self.shown]
        up = max((i + 1 for i, (_, pen_down) in enumerate(self.shown) if pen_down), default=0)
        self.shown = []
        return _changes(words), _changes(words[up:])


def _changes(words: list[str]) -> int:
    return sum(a != b for a, b in itertools.pairwise(words))
