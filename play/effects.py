"""What `play.update` asks the loop to do outside; the loop answers with events."""

from typing import NamedTuple

from play.ink import Ink
from play.studio import HardDigit, Recipe


class Record(NamedTuple):
    """Append a drawing to the user's file; the same ink again gets another word there.

    Attributes:
        word: "0" to "9", or another word for what is not a digit.
        ink: its strokes.
        model: run and step in use, "" without one.
        said: what the screen showed.
        probabilities: of the ten digits, empty without a network.
        is_digit: 0 to 1, None where the network does not say.
    """

    word: str
    ink: Ink
    model: str
    said: str
    probabilities: tuple[float, ...]
    is_digit: float | None


class Relabel(NamedTuple):
    """Give a recorded drawing another word."""

    key: str
    word: str


class Delete(NamedTuple):
    """Remove a recorded drawing from the file."""

    key: str


class Export(NamedTuple):
    """Write all recorded drawings as NDJSON or as a folder of pictures into the user's folder."""

    form: str
    times: bool = False


class Import(NamedTuple):
    """Add the drawings of an NDJSON file."""

    path: str


class ListFiles(NamedTuple):
    """Look for NDJSON files where people keep what they were given."""


class ListRecords(NamedTuple):
    """Read the recorded drawings for the gallery."""


class ListModels(NamedTuple):
    """Look through the checkpoints folder."""


class LoadModel(NamedTuple):
    """Load a run into a slot; what is there stays in use until it is ready."""

    path: str
    slot: int = 0


class UnloadModel(NamedTuple):
    """Forget the network of a slot."""

    slot: int


class HoldSteps(NamedTuple):
    """Let newer steps of the networks in use wait; or do not any more."""

    on: bool


class Fullscreen(NamedTuple):
    """Switch between the whole screen and a window."""

    on: bool


class Start(NamedTuple):
    """Train in a process of its own.

    Attributes:
        recipe: what to train.
        start: path of the run whose params it begins with, "" for fresh ones.
        resume: path of the run that goes on where it stopped, "" for a new one.
    """

    recipe: Recipe
    start: str = ""
    resume: str = ""


class Steer(NamedTuple):
    """Ask whoever trains a run for a change (`digitjax.steering`)."""

    path: str
    name: str
    value: float | None = None


class Watch(NamedTuple):
    """Tell how a run goes as long as nobody asks for another; "" for the one that is being trained now."""

    path: str


class FollowRuns(NamedTuple):
    """Tell when a run in the checkpoints folder comes, goes or has a new step; or do not any more."""

    on: bool


class CopyRun(NamedTuple):
    """Copy a run under another name."""

    path: str


class BinRun(NamedTuple):
    """Move a run into the bin beside the runs.

    Attributes:
        path: of the run.
        quiet: whether nothing is said of it where it goes well.
    """

    path: str
    quiet: bool = False


class ListBin(NamedTuple):
    """Look into the bin."""


class PutBack(NamedTuple):
    """Move a run out of the bin, beside the other runs."""

    path: str


class Trace(NamedTuple):
    """Make ink of a picture."""

    digit: HardDigit


class Film(NamedTuple):
    """Load the kept steps of the run in use."""

    path: str


class ShowStep(NamedTuple):
    """Let one of those steps answer; None for the one that did before."""

    step: int | None


class SaveScore(NamedTuple):
    """Write the drawings of Score my hand into a file of their own."""

    records: tuple[Record, ...]


class ListScores(NamedTuple):
    """Look for the card of the last time."""


class WarmTeacher(NamedTuple):
    """Make a process ready that teaches this run from this step on; "" lets the one that is there go.

    One that teaches the run already takes the step's params; None is the run's best step.
    """

    path: str
    step: int | None = None


class Teach(NamedTuple):
    """Teach a run these drawings, word and ink, from this step on; None is the one its teacher has."""

    path: str
    items: tuple[tuple[str, Ink], ...]
    step: int | None = None


class SaveSettings(NamedTuple):
    """Remember the settings for the next start."""

    settings: dict


Effect = (
    Record
    | Relabel
    | Delete
    | Export
    | Import
    | ListFiles
    | ListRecords
    | ListModels
    | LoadModel
    | UnloadModel
    | HoldSteps
    | Fullscreen
    | Start
    | Steer
    | Watch
    | FollowRuns
    | CopyRun
    | BinRun
    | ListBin
    | PutBack
    | Trace
    | Film
    | ShowStep
    | SaveScore
    | ListScores
    | WarmTeacher
    | Teach
    | SaveSettings
)
