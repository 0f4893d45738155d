"""States for every screen, made up without a network: for the reference pictures and the tests."""

from collections.abc import Callable

from play.answers import (
    Filmed,
    FramesListed,
    KeptStep,
    ModelFailed,
    ModelReady,
    ModelsListed,
)
from play.events import (
    BinListed,
    Card,
    FilesListed,
    HardListed,
    LessonTaught,
    Measured,
    Press,
    RecordsListed,
    ScoreSaved,
    ScoresListed,
    TeacherReady,
    Tick,
)
from play.state import PlayState, Settings
from play.update import update
from play.verdict import Shown
from tests.play.drawings import DIGITS, FOUR, Points, number_events, strokes_events
from tests.play.made_up import (
    CNN,
    FILES,
    HOME,
    RUNS,
    SMALL,
    answer,
    entries,
    explained,
    hard_digits,
    number_read,
    run_seen,
)

FULL = (
    "checkpoint in cnn-14 cannot be written (No space left on device): make room or make the folder "
    "writable, then press Go on"
)


def settle(state: PlayState) -> PlayState:
    """The bars at rest."""
    for _ in range(120):
        state = update(state, Tick(state.time + 1 / 60))
    return state


def drawn(state: PlayState, strokes: tuple[Points, ...] = FOUR, sure: float = 0.93) -> PlayState:
    """With a drawing and its answer."""
    for event in strokes_events(strokes):
        state = update(state, event)
    return settle(update(state, answer(state, sure=sure)))


def _draw(state: PlayState) -> PlayState:
    return drawn(state, sure=0.74)


def _sees(state: PlayState) -> PlayState:
    off_centre = tuple([(0.7 * x + 250, 0.7 * y + 20) for x, y in stroke] for stroke in FOUR)
    return drawn(state, off_centre)


def _sees_off(state: PlayState) -> PlayState:
    state = update(update(_sees(state), Press("stage:mass")), Press("stage:box"))
    return settle(update(state, answer(state, 6, 0.41)))


def _sees_way(state: PlayState) -> PlayState:
    state = update(_sees(state), Press("journey"))
    for _ in range(round(60 * 4.6)):
        state = update(state, Tick(state.time + 1 / 60))
    return state


def _why(state: PlayState) -> PlayState:
    state = drawn(state)
    return update(state, explained(state))


def _number(state: PlayState) -> PlayState:
    for event in number_events("2047"):
        state = update(state, event)
    return settle(update(state, number_read(state, "204?")))


def _number_long(state: PlayState) -> PlayState:
    """Fifteen digits, each over a part of the one before."""
    state = _number(state)
    read = state.number
    assert read is not None
    digits = tuple(
        read.digits[i % 3]._replace(box=(40.0 + 55 * i, 90.0, 110.0 + 55 * i, 210.0)) for i in range(15)
    )
    return settle(update(state, read._replace(text="204" * 5, digits=digits)))


def _models(state: PlayState) -> PlayState:
    return drawn(update(state, ModelsListed(RUNS)))


def _models_two(state: PlayState) -> PlayState:
    state = update(_models(state), ModelReady(SMALL, 1))
    state = update(state, answer(state))
    return settle(update(state, answer(state, 4, 0.52, 1, slot=1)))


def _gallery(state: PlayState) -> PlayState:
    return update(update(state, RecordsListed(entries(), HOME)), Press("entry:k3"))


def _gallery_import(state: PlayState) -> PlayState:
    return update(update(_gallery(state), Press("import")), FilesListed(FILES))


def _train(tab: str, status: str = "training") -> Callable[[PlayState], PlayState]:
    def make(state: PlayState) -> PlayState:
        state = drawn(update(state, ModelsListed(RUNS)))
        if status:
            text = FULL if status == "failed" else ""
            seen = run_seen(status)._replace(text=text)
            state = update(update(state, seen), HardListed("/runs/cnn-14", hard_digits()))
            state = update(state, Tick(state.time + 60))  # no notice any more
        return update(state, Press(f"tab:{tab}"))

    return make


def _bin(state: PlayState) -> PlayState:
    state = _train("runs", "stopped")(state)
    paths = tuple(f"/runs/.bin/cnn-{number}" for number in range(8))
    return update(update(state, BinListed(paths)), Press("binned"))


def _time(state: PlayState) -> PlayState:
    """The drawing was read as a 9 at first, and is a 4 since step 64."""
    state = update(state, Press("screen:time"))
    steps = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, *range(1560, 9361, 1560))
    accuracies = [None, 0.09, 0.11, 0.2, 0.42, 0.55, 0.7, 0.81, 0.9, 0.94, 0.96, 0.97]
    frames = tuple(
        KeptStep(step, accuracies[i], False)
        if i < len(accuracies)
        else KeptStep(step, 0.984 + 0.0018 * (i - 11), True)
        for i, step in enumerate(steps)
    )
    state = drawn(update(state, FramesListed(CNN.path, frames, True)))
    words = ("1", "1", "9", "9", "9", "4", "9", *("4",) * 11)
    said = tuple((word, 0.3 + 0.65 * i / 17) for i, word in enumerate(words))
    state = update(state, Filmed(CNN.path, state.revision, said))
    state = update(state, Press("slide:frame=0.5"))
    step = frames[state.timeline.shown].step
    state = update(state, ModelReady(CNN._replace(step=step)))
    state = update(state, answer(state, sure=0.6)._replace(step=step))
    return update(settle(state), explained(state))


def _time_part(state: PlayState) -> PlayState:
    return update(_time(state), Press("slide:part=0.55"))


def _lesson(count: int, status: str) -> Callable[[PlayState], PlayState]:
    """Teach with so many sevens in the lesson, and what came of it where it was taught."""

    def make(state: PlayState) -> PlayState:
        if status != "warming":
            state = update(state, TeacherReady(CNN.path))
        for number in range(count):
            word = ("7", "2")[number % 2]
            for event in strokes_events(DIGITS[word]):
                state = update(state, event)
            state = update(state, Press(f"label:{word}"))
        state = drawn(state)
        if status == "taught":
            rows = (("taught", 1, 10, 10), ("MNIST", 4962, 5000, 4961), ("answered", 4981, 5000, 4979))
            rows += (("refused", 1160, 1200, 1162), ("mine", 118, 131, 128))
            state = update(state, Press("teach:go"))
            state = update(state, LessonTaught("/runs/cnn-7-taught", "cnn-7-taught", rows, 6.4))
        return state

    return make


def _score(count: int) -> Callable[[PlayState], PlayState]:
    """Score my hand after so many digits, every seventh read wrongly."""

    def make(state: PlayState) -> PlayState:
        last = Card(
            17, 20, (("4", "9"), ("7", "1"), ("9", "4")), (2.4, "8"), (0.08, "4"), "2026-11-19", "cnn-7/9360"
        )
        state = update(update(state, ScoresListed(last)), Press("score:begin"))
        for number in range(count):
            asked = state.score.asked
            state = state._replace(shown=Shown())
            for event in strokes_events(DIGITS.get(asked, FOUR)):
                state = update(state, event)
            said = (int(asked) + 5) % 10 if number % 7 == 3 else int(asked)
            given = answer(
                state, said, 0.55 + 0.02 * number, int(asked) if said != int(asked) else (said + 1) % 10
            )
            state = update(update(state, given), Press("score:next"))
        path = f"{HOME}/scores/2026-11-26-001500.ndjson"
        return update(state, ScoreSaved(path)) if count == 20 else state

    return make


def _help(state: PlayState) -> PlayState:
    return update(_draw(state), Press("help"))


SCENES: dict[str, tuple[str, Callable[[PlayState], PlayState]]] = {
    "draw": ("draw", _draw),
    "numbers": (
        "draw",
        lambda state: update(update(_draw(state), Press("numbers")), Measured(16.7, 123.4, 99)),
    ),
    "saving": ("draw", lambda state: update(_draw(state), Press("save"))),
    "empty": ("draw", lambda state: state),
    "missing": ("draw", lambda state: state),
    "sees": ("sees", _sees),
    "sees-off": ("sees", _sees_off),
    "sees-way": ("sees", _sees_way),
    "sees-empty": ("sees", lambda state: state),
    "why": ("why", _why),
    "why-empty": ("why", lambda state: state),
    "number": ("number", _number),
    "number-long": ("number", _number_long),
    "number-empty": ("number", lambda state: state),
    "models": ("models", _models),
    "models-two": ("models", _models_two),
    "models-broken": ("models", lambda state: update(_models(state), Press("broken:cnn-3"))),
    "train": ("train", _train("curves")),
    "train-recipe": ("train", _train("recipe", "")),
    "train-digits": ("train", _train("digits")),
    "train-hardest": ("train", _train("hardest", "paused")),
    "train-runs": ("train", _train("runs", "stopped")),
    "train-failed": ("train", _train("curves", "failed")),
    "train-nothing": ("train", _train("curves", "")),
    "train-bin": ("train", _bin),
    "time": ("time", _time),
    "time-part": ("time", _time_part),
    "time-nothing": ("time", lambda state: state),
    "teach": ("teach", _lesson(10, "taught")),
    "teach-lesson": ("teach", _lesson(7, "ready")),
    "teach-begin": ("teach", _lesson(0, "warming")),
    "score": ("score", _score(20)),
    "score-asked": ("score", lambda state: drawn(_score(8)(state))),
    "score-begin": ("score", _score(0)),
    "score-nothing": ("score", lambda state: state),
    "gallery": ("gallery", _gallery),
    "gallery-empty": ("gallery", lambda state: update(state, RecordsListed((), HOME))),
    "gallery-import": ("gallery", _gallery_import),
    "gallery-import-empty": (
        "gallery",
        lambda state: update(update(state, RecordsListed((), HOME)), Press("import")),
    ),
    "help": ("draw", _help),
}
"""Scenes by name: the screen, and what is done there."""


def scene(
    name: str, width: int = 800, height: int = 600, theme: str = "dark", text_size: str = "normal"
) -> PlayState:
    """The state of a scene."""
    screen, make = SCENES[name]
    state = PlayState(width=width, height=height, settings=Settings(theme, text_size, 2))
    if name == "missing":
        message = "/home/ada/checkpoints has no checkpoint: run `make train`, or name one with --checkpoint."
        return make(update(state, ModelFailed(message, missing=True)))
    state = update(state, ModelReady(CNN))
    return make(update(state, Press(f"screen:{screen}")))
