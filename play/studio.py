"""The Train screen's part of the state: what to train, and the run that is watched. Pure."""

from typing import NamedTuple

from digitjax import runs
from digitjax.config import TrainConfig
from digitjax.errors import InputError
from digitjax.presets.registry import PRESETS, preset

TABS = ("recipe", "curves", "digits", "hardest", "runs")
TITLES = {
    "recipe": "Recipe",
    "curves": "Curves",
    "digits": "Digits",
    "hardest": "Worst",
    "runs": "Runs",
}
ROWS = ("preset", "kind", "widths", "activation", "sees", "data", "epochs", "rate", "start")
LABELS = {
    "preset": "Preset",
    "kind": "Network",
    "widths": "Widths",
    "activation": "Activation",
    "sees": "Sees",
    "data": "Data",
    "epochs": "Epochs",
    "rate": "Learning rate",
    "start": "Begins with",
}
SHORT = {"rate": "Rate", "start": "Begins"}
"""Labels for where there is no room for the longer ones."""
MINE = "strokes:MINE"
"""Stands for the user's own drawings; where they lie is filled in outside."""
DATA: dict[str, tuple[str, ...]] = {
    "the preset's": (),
    "MNIST": ("mnist",),
    "MNIST, synthetic": ("mnist=9", "synthetic=1"),
    "synthetic": ("synthetic",),
    "my drawings": (MINE,),
    "mine, synthetic": (f"{MINE}=1", "synthetic=3"),
    "mine, MNIST": (f"{MINE}=1", "mnist=3"),
    "all three": (f"{MINE}=2", "mnist=7", "synthetic=1"),
    "8 × 8, synthetic": ("digits8x8=2", "synthetic=1"),
}
CHANNELS = ((8, 16), (8, 16, 32), (16, 32, 64), (32, 48, 96), (32, 64, 128))
HIDDEN = ((16,), (32,), (64,), (128,), (256,), (28, 28), (128, 128), (256, 128), (512,))
EPOCHS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 40, 60, 100)
RATES = (0.0003, 0.0006, 0.001, 0.002, 0.003, 0.006, 0.01, 0.02, 0.03, 0.06, 0.1)
"""Learning rates to choose from, before the training and on its way."""
STARTS = {"": "nothing", "in use": "network in use"}


class Recipe(NamedTuple):
    """What to train; a value of each row."""

    preset: str = "cnn"
    kind: str = "cnn"
    channels: tuple[int, ...] = (32, 48, 96)
    hidden: tuple[int, ...] = (96,)
    activation: str = "relu"
    sees: str = "mnist28"
    data: str = "the preset's"
    epochs: int = 6
    rate: float = 0.006
    start: str = ""


class EpochSeen(NamedTuple):
    """The end of an epoch: loss and accuracy on held-out digits, and their confusion, row = truth."""

    step: int
    loss: float | None
    accuracy: float | None
    confusion: tuple[tuple[int, ...], ...] | None = None

    @property
    def digits(self) -> tuple[float | None, ...]:
        """Accuracy of each digit."""
        rows = self.confusion or ((),) * 10
        return tuple(row[i] / sum(row) if sum(row) else None for i, row in enumerate(rows))


class RunSeen(NamedTuple):
    """What a run's folder says now; an event.

    Attributes:
        path: of the run.
        name: its folder's name.
        status: "starting", "training", "paused", "stopped", "finished", "failed" or "gone".
        text: one sentence where there is something to say.
        step: steps done.
        total: of the run.
        points: steps with loss and accuracy of their batches, some of them where there are many.
        epochs: their ends.
        kept: steps whose params are kept.
        images_per_second: lately; 0 where not known.
        left: seconds that are left at that rate.
        learning_rate: the schedule's height now.
        changed: steps at which something was changed.
        doing: while it starts, what its trainer does, in its own words; "" where nobody knows.
    """

    path: str
    name: str
    status: str
    text: str = ""
    step: int = 0
    total: int = 0
    points: tuple[tuple[int, float, float], ...] = ()
    epochs: tuple[EpochSeen, ...] = ()
    kept: tuple[int, ...] = ()
    images_per_second: float = 0.0
    left: float | None = None
    learning_rate: float = 0.0
    changed: tuple[int, ...] = ()
    doing: str = ""

    @property
    def lives(self) -> bool:
        """Whether somebody trains it."""
        return self.status in ("starting", "training", "paused")

    @property
    def failed(self) -> bool:
        """Whether it ended unfinished with something to say."""
        return self.status == "failed" and bool(self.text)


class HardDigit(NamedTuple):
    """A validation digit that the last epoch found hard; pixels row by row, 0 (paper) to 255 (ink)."""

    label: int
    said: int
    probability: float
    side: int
    pixels: bytes


class Studio(NamedTuple):
    """Attributes:
    tab: one of `TABS`.
    recipe: what Start begins.
    run: the run that is watched, as last seen.
    hardest: its hardest digits.
    answers: path of the run that is to answer for the canvas as soon as it has a step; "" for none.
    asked: what the run was asked for while it starts: "pause", "stop" or "".
    confirm: path of the run whose deletion waits for a second press.
    confirmed: time from which that press counts: not the second of a double click.
    first: row at the top of the list of runs, or of the hardest digits.
    binned: paths of the runs in the bin, the last that came there first.
    in_bin: those are listed, not the others.
    """

    tab: str = "recipe"
    recipe: Recipe = Recipe()
    run: RunSeen | None = None
    hardest: tuple[HardDigit, ...] = ()
    answers: str = ""
    asked: str = ""
    confirm: str = ""
    confirmed: float = 0.0
    first: int = 0
    binned: tuple[str, ...] = ()
    in_bin: bool = False


def stays(studio: Studio, name: str, path: str) -> str:
    """Why a run cannot be put into the bin; "" where it can."""
    if name == runs.DEFAULT:
        return f"{name} came with the program: it stays"
    if studio.run is not None and studio.run.path == path and studio.run.lives:
        return f"{name} is being trained: stop it first"
    return ""


def value(recipe: Recipe, row: str) -> str:
    """A row's value in words."""
    match row:
        case "widths":
            return " · ".join(map(str, recipe.channels if recipe.kind == "cnn" else recipe.hidden))
        case "kind":
            return "convolutions" if recipe.kind == "cnn" else "dense layers"
        case "sees":
            return "8 × 8" if recipe.sees == "uci8" else "28 × 28"
        case "rate":
            return f"{recipe.rate:g}"
        case "start":
            return STARTS[recipe.start]
    return str(getattr(recipe, row))


def turn(recipe: Recipe, row: str, by: int) -> Recipe:
    """The recipe with a row's next value (1), or the one before (-1); nonsense changes nothing."""
    match row:
        case "preset":
            return of_preset(_next(tuple(PRESETS), recipe.preset, by))
        case "kind":
            return recipe._replace(kind=_next(("cnn", "mlp"), recipe.kind, by))
        case "widths" if recipe.kind == "cnn":
            return recipe._replace(channels=_next(CHANNELS, recipe.channels, by))
        case "widths":
            return recipe._replace(hidden=_next(HIDDEN, recipe.hidden, by))
        case "activation":
            return recipe._replace(activation=_next(("relu", "sigmoid", "tanh"), recipe.activation, by))
        case "sees":
            return recipe._replace(sees=_next(("mnist28", "uci8"), recipe.sees, by))
        case "data":
            return recipe._replace(data=_next(tuple(DATA), recipe.data, by))
        case "epochs":
            return recipe._replace(epochs=_near(EPOCHS, recipe.epochs, by))
        case "rate":
            return recipe._replace(rate=_near(RATES, recipe.rate, by))
        case "start":
            return recipe._replace(start=_next(tuple(STARTS), recipe.start, by))
    return recipe


def of_preset(name: str) -> Recipe:
    """The recipe that a preset is."""
    try:
        config: TrainConfig = preset(name)
    except InputError:
        return Recipe()
    model = config.model
    return Recipe(
        name,
        model.kind,
        model.channels,
        model.hidden,
        model.activation,
        model.geometry,
        epochs=config.epochs,
        rate=config.optim.learning_rate,
    )


def arguments(recipe: Recipe, mine: str) -> list[str]:
    """The recipe as arguments of `digitjax train`, those alone that differ from the preset's.

    Args:
        recipe: what to train.
        mine: file of the user's own drawings.
    """
    before, found = of_preset(recipe.preset), [recipe.preset]
    options = (
        ("kind", "--model.kind"),
        ("channels", "--model.channels"),
        ("hidden", "--model.hidden"),
        ("activation", "--model.activation"),
        ("sees", "--model.geometry"),
        ("epochs", "--epochs"),
        ("rate", "--optim.learning-rate"),
    )
    for name, option in options:
        given = getattr(recipe, name)
        if given != getattr(before, name):
            found += [option, *map(str, given if isinstance(given, tuple) else (given,))]
    if specs := DATA[recipe.data]:
        found += ["--data", *(spec.replace(MINE, f"strokes:{mine}") for spec in specs)]
    return found


def faster(rate: float, by: int) -> float:
    """The next of `RATES` above (1) or below (-1) a learning rate."""
    return _near(RATES, rate, by)


def _next(choices: tuple, now: object, by: int):
    """The choice after or before; one that is none of them stands before the first."""
    at = choices.index(now) + by if now in choices else (0 if by > 0 else -1)
    return choices[at % len(choices)]


def _near(choices: tuple, now: float, by: int):
    """As `_next` for numbers in order, without going round."""
    beyond = [one for one in choices if (one > now * 1.001 if by > 0 else one < now * 0.999)]
    return (beyond[0] if by > 0 else beyond[-1]) if beyond else now
