"""What can happen to the program, in our own words: no pygame, and ink in canvas units.

The canvas is a square of 1000 x 1000 units, y down, whatever the window's size; times are seconds of the
program's clock. Everything that changes the state is one of these, so a session can be recorded, replayed and
made up by a test.
"""

from typing import Any, NamedTuple

from play.answers import (
    Answered,
    Explained,
    Filmed,
    FramesListed,
    ModelFailed,
    ModelReady,
    ModelsListed,
    NumberRead,
    ReaderEnded,
)
from play.studio import HardDigit, RunSeen
from play.verdict import DIGITS, NOT_A_DIGIT

CANVAS = 1000.0
"""Side of the canvas in its own units."""
UNSURE = 0.6
"""Seconds in which a second press on what cannot be undone is that of a double click, or was meant for a row
that has moved."""


class PenDown(NamedTuple):
    """A mouse button, a finger or a pen touches the canvas."""

    x: float
    y: float
    time: float


class PenMove(NamedTuple):
    """It moves, touching; outside the canvas too."""

    x: float
    y: float
    time: float


class PenUp(NamedTuple):
    """It leaves the canvas."""

    time: float


class PenLost(NamedTuple):
    """The window was left, or the system took the touch away: the stroke ends where it was last seen."""

    time: float


class PenDropped(NamedTuple):
    """The touch was a palm's, for a pen came: its stroke goes as if it had not been."""

    time: float


class KeyPress(NamedTuple):
    """A key by its name: "z", "0", "?", "left", "return", "f11"; `shift` and `ctrl` as they were."""

    key: str
    shift: bool = False
    ctrl: bool = False


class Press(NamedTuple):
    """A control was activated by touch, click or keyboard; the name of the control is that of the action."""

    action: str


class Focus(NamedTuple):
    """The keyboard's focus moves to a control, or nowhere."""

    control: str | None


class Hover(NamedTuple):
    """The pointer is over a control, or over none."""

    control: str | None


class Scroll(NamedTuple):
    """The wheel or a drag moves what scrolls; positive is towards the end, in rows."""

    rows: float


class Resize(NamedTuple):
    """The window has another size, in pixels."""

    width: int
    height: int


class Tick(NamedTuple):
    """A frame has passed: the clock, in seconds, at its end."""

    time: float


class Measured(NamedTuple):
    """What the last frame and the last answer cost, in milliseconds; None before the first answer."""

    frame: float
    ink_to_answer: float | None
    dropped: int


class Recorded(NamedTuple):
    """A drawing was written to the user's file, `total` are in it; or `error` says why not."""

    word: str
    total: int
    error: str = ""


class RecordEntry(NamedTuple):
    """One recorded drawing, for the gallery.

    Attributes:
        key: names it in the file.
        number: its line.
        word: what the person said it is.
        said: what the network had answered.
        strokes: x and y in the unit square, fitted.
        model: run and step that answered.
        date: when, as text.
    """

    key: str
    number: int
    word: str
    said: str
    strokes: tuple[tuple[tuple[float, float], ...], ...]
    model: str = ""
    date: str = ""

    @property
    def wrong(self) -> bool:
        """Whether the network had answered something else than a person has said."""
        if not (self.said and self.word):
            return False
        return self.said != (self.word if self.word in DIGITS else NOT_A_DIGIT)


class RecordsListed(NamedTuple):
    """What is in the user's file, and the folder that holds it."""

    entries: tuple[RecordEntry, ...]
    folder: str = ""


class FoundFile(NamedTuple):
    """A file of drawings that can be imported: its path, its size in bytes, its date as text."""

    path: str
    size: int
    date: str


class FilesListed(NamedTuple):
    """The files where people keep such things, the newest first."""

    files: tuple[FoundFile, ...]


class Dropped(NamedTuple):
    """A file was dropped on the window."""

    path: str


class HardListed(NamedTuple):
    """The hardest validation digits of a run's last epoch."""

    path: str
    digits: tuple[HardDigit, ...]


class Traced(NamedTuple):
    """A validation digit as strokes in canvas units: what it is, what the network said of it."""

    label: int
    said: int
    strokes: tuple[tuple[tuple[float, float], ...], ...]


class Taken(NamedTuple):
    """A digit that was asked for, written and read.

    Attributes:
        word: what was asked for.
        said: what the network read.
        probability: that it gave to the word.
        seconds: that the writing took.
        strokes: x and y in the unit square.
        model: run and step that read it.
        record: the drawing itself (`play.effects.Record`), None where it was read from a file.
    """

    word: str
    said: str
    probability: float
    seconds: float
    strokes: tuple[tuple[tuple[float, float], ...], ...] = ()
    model: str = ""
    record: Any = None

    @property
    def right(self) -> bool:
        """Whether it was read as what it is."""
        return self.said == self.word


class Card(NamedTuple):
    """How a hand was read: how many of how many, word and answer of the others, the slowest (seconds, word)
    and the least sure (probability, word), the date as text, run and step."""

    right: int
    of: int
    wrong: tuple[tuple[str, str], ...]
    slowest: tuple[float, str]
    worst: tuple[float, str]
    date: str = ""
    model: str = ""


class ScoreSaved(NamedTuple):
    """The drawings of a score are in this file; or `error` says why they are in none."""

    path: str
    error: str = ""


class ScoresListed(NamedTuple):
    """The card of the last time, None where there is none."""

    last: Card | None


class TeacherReady(NamedTuple):
    """A teacher of this run is warm; or `error` says why there is none."""

    path: str
    error: str = ""


class TeacherAt(NamedTuple):
    """What the teacher of this run does just now, as a sentence."""

    path: str
    doing: str


class LessonTaught(NamedTuple):
    """A network was taught.

    Attributes:
        path: the run that it is now.
        name: its folder's name.
        rows: of each set its name, digits read before, their number, digits read after.
        seconds: that it took.
    """

    path: str
    name: str
    rows: tuple[tuple[str, int, int, int], ...]
    seconds: float


class Started(NamedTuple):
    """A training of a new run was started; `path` is that of the run."""

    path: str


class RunsChanged(NamedTuple):
    """A run has come, gone, finished or has a new step: the list of runs is to be read anew."""


class BinListed(NamedTuple):
    """The paths of the runs in the bin, the last that came there first."""

    paths: tuple[str, ...]


class Notice(NamedTuple):
    """One sentence for the person in front of the screen."""

    text: str


class Closed(NamedTuple):
    """The window's close button, or a signal."""


Event = (
    PenDown
    | PenMove
    | PenUp
    | PenLost
    | PenDropped
    | KeyPress
    | Press
    | Focus
    | Hover
    | Scroll
    | Resize
    | Tick
    | Measured
    | Answered
    | ModelReady
    | ModelFailed
    | ReaderEnded
    | ModelsListed
    | Recorded
    | RecordsListed
    | FilesListed
    | Dropped
    | Explained
    | RunSeen
    | HardListed
    | Traced
    | Started
    | RunsChanged
    | BinListed
    | TeacherReady
    | TeacherAt
    | LessonTaught
    | ScoreSaved
    | ScoresListed
    | FramesListed
    | Filmed
    | NumberRead
    | Notice
    | Closed
)
