"""Teach's part of the state: the drawings of a lesson, and what came of it. Pure."""

from typing import NamedTuple

from play.events import LessonTaught
from play.ink import Ink

MOST = 60
"""Drawings of one lesson."""


class Lesson(NamedTuple):
    """Attributes:
    items: word and ink of each drawing, as a person has labelled them.
    status: "" (nothing asked), "warming", "ready", "teaching", "taught" or "failed".
    path: of the network that is taught.
    doing: what its teacher does just now, or why there is none; "" where nothing is to be said.
    taught: what came of it, until it is kept or rolled back.
    warm: whether there is a teacher for `path`, waiting for a lesson or giving one.
    sent: the items of the lesson that is being taught, or was.
    late: the screen was left while it was being taught; it may have come to its end just then.
    returning: it was rolled back, and the network as it was is being loaded.
    """

    items: tuple[tuple[str, Ink], ...] = ()
    status: str = ""
    path: str = ""
    doing: str = ""
    taught: LessonTaught | None = None
    warm: bool = False
    sent: tuple[tuple[str, Ink], ...] = ()
    late: bool = False
    returning: bool = False
