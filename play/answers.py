"""What the reading process says: answers, explanations, networks and their kept steps; events all. Pure."""

from typing import NamedTuple

from play.verdict import NOT_A_DIGIT, THRESHOLD


class Answered(NamedTuple):
    """What a network says about the ink of `revision`.

    Attributes:
        revision: `PlayState.revision` of the ink that was sent.
        probabilities: of the ten digits, given that it is one.
        is_digit: 0 to 1, None for a network without that head.
        image: what the network saw, row by row, 0 (paper) to 255 (ink); side x side bytes.
        side: 28 or 8.
        fit: scale and offset (x, y) from canvas units to the image's pixels, None without ink.
        slot: 0 for the network in use, 1 for the one beside it.
        ms: from ink to probabilities, inside the worker.
        step: of the network that answers, None where that is not known.
    """

    revision: int
    probabilities: tuple[float, ...]
    is_digit: float | None
    image: bytes
    side: int
    fit: tuple[float, float, float] | None = None
    slot: int = 0
    ms: float = 0.0
    step: int | None = None

    @property
    def refused(self) -> bool:
        """Whether the network calls the ink no digit; never where it has no head for that."""
        return self.is_digit is not None and self.is_digit < THRESHOLD

    @property
    def word(self) -> str:
        """The likeliest digit, or "not a digit"."""
        return NOT_A_DIGIT if self.refused else str(self.probabilities.index(max(self.probabilities)))


class DigitRead(NamedTuple):
    """One group of strokes of a number.

    Attributes:
        box: left, top, right, bottom of its centre lines, in canvas units.
        answer: "0" to "9", or "not a digit".
        probabilities: of the ten digits, given that it is one.
        is_digit: 0 to 1, None for a network without that head.
    """

    box: tuple[float, float, float, float]
    answer: str
    probabilities: tuple[float, ...]
    is_digit: float | None


class NumberRead(NamedTuple):
    """What the network in use reads in the ink of `revision`, taken for a whole number.

    Attributes:
        revision: `PlayState.revision` of the ink that was sent.
        text: its digits from left to right; what is none is a question mark.
        digits: the groups from left to right.
        ms: from ink to text, inside the worker.
    """

    revision: int
    text: str
    digits: tuple[DigitRead, ...]
    ms: float = 0.0


class ModelInfo(NamedTuple):
    """What is known of one run; `error` says why it cannot be used, `held_out` what the accuracy is of;
    `rejects`: it says, too, whether ink is a digit at all."""

    name: str
    path: str
    step: int | None = None
    accuracy: float | None = None
    date: str = ""
    parameters: int | None = None
    geometry: str = "mnist28"
    error: str = ""
    held_out: str = ""
    rejects: bool = False


class ModelReady(NamedTuple):
    """A network is loaded, compiled and warm."""

    info: ModelInfo
    slot: int = 0


class ModelFailed(NamedTuple):
    """No network: `missing` where there is none at all, else it could not be loaded; one sentence.

    `path` is the run that somebody chose, "" where nobody did; `empty`: the process that reads has no network
    in that slot.
    """

    message: str
    missing: bool = False
    slot: int = 0
    path: str = ""
    empty: bool = False


class ReaderEnded(NamedTuple):
    """The process that reads has ended and is not started again: no network answers any more."""

    message: str


class ModelsListed(NamedTuple):
    """Every run in the checkpoints folder."""

    models: tuple[ModelInfo, ...]


class FeatureMap(NamedTuple):
    """One layer's activations: so many maps of height x width, each scaled to 0..255, one after the other."""

    name: str
    maps: int
    height: int
    width: int
    pixels: bytes


class Explained(NamedTuple):
    """Why the network in use answers what it does.

    Attributes:
        revision: of the ink.
        digit: the digit that is explained.
        heat: how much each pixel of the image speaks for that digit, -1 to 1; side x side, row by row.
        side: 28 or 8.
        without: for each of the first strokes, the answer without it and that answer's probability, and the
            probability of the explained digit without it.
        layers: feature maps, the first layer first.
    """

    revision: int
    digit: int
    heat: tuple[float, ...]
    side: int
    without: tuple[tuple[str, float, float], ...] = ()
    layers: tuple[FeatureMap, ...] = ()


class KeptStep(NamedTuple):
    """A step whose params are kept.

    Attributes:
        step: of the training.
        accuracy: of held-out digits, else of the step's batch; None where neither is known.
        held_out: which of them it is.
    """

    step: int
    accuracy: float | None = None
    held_out: bool = False


class FramesListed(NamedTuple):
    """Steps of the run in use that can answer, as far as they are loaded."""

    path: str
    frames: tuple[KeptStep, ...]
    whole: bool = False


class Filmed(NamedTuple):
    """What each step of a run says of the ink of `revision`, and with what probability."""

    path: str
    revision: int
    said: tuple[tuple[str, float], ...]
