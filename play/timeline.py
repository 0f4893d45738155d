"""The time machine's part of the state: kept steps, which one answers, the drawing's own time. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from play.answers import KeptStep
from play.ink import Ink, Stroke, count_points


class Timeline(NamedTuple):
    """Attributes:
    path: of the run whose steps these are; "" for none.
    frames: its kept steps, as far as they are loaded.
    whole: whether all are.
    at: index of the step that answers, None for the newest or best.
    said: for each frame its answer to the drawing and that answer's probability.
    said_for: revision of that drawing.
    said_ink: that drawing, where no other has come since.
    ink: all of the drawing while only a part of it is shown, else None.
    part: how much of the drawing's time is shown, 0 to 1.
    """

    path: str = ""
    frames: tuple[KeptStep, ...] = ()
    whole: bool = False
    at: int | None = None
    said: tuple[tuple[str, float], ...] = ()
    said_for: int = -1
    said_ink: Ink | None = None
    ink: Ink | None = None
    part: float = 1.0

    @property
    def shown(self) -> int:
        """The frame that is to answer."""
        return len(self.frames) - 1 if self.at is None else min(self.at, len(self.frames) - 1)

    def frame_of(self, step: int | None) -> int:
        """The frame of a step, which is to answer or does so already; the former where there is none."""
        return next((i for i, frame in enumerate(self.frames) if frame.step == step), self.shown)


def learnt(said: Sequence[tuple[str, float]]) -> int | None:
    """The first frame from which on all say what the last one says; None where there is none."""
    if not said:
        return None
    at = len(said) - 1
    while at and said[at - 1][0] == said[-1][0]:
        at -= 1
    return at


def until(ink: Ink, part: float) -> Ink:
    """What of a drawing was there when a part of its time had passed: at least its first point.

    Ink without times counts its points instead.
    """
    moments = [time for stroke in ink for time in stroke.times]
    if not moments or part >= 1:
        return ink
    start, end = moments[0], moments[-1]
    last = start + part * (end - start)
    left = max(1, round(part * count_points(ink)))
    found: list[Stroke] = []
    for stroke in ink:
        if end > start:
            count = sum(1 for time in stroke.times if time <= last)
        else:
            count, left = min(left, len(stroke.points)), max(0, left - len(stroke.points))
        if count:
            found.append(Stroke(tuple(stroke.points[:count]), tuple(stroke.times[:count])))
    return tuple(found)
