"""States for every screen, made up without a network: for the reference pictures and the tests."""

import itertools
import math
from collections.abc import Callable

import numpy as np

from play import stages
from play.events import (
    Answered,
    Card,
    DigitRead,
    Event,
    Explained,
    FeatureMap,
    FilesListed,
    Filmed,
    FoundFile,
    FramesListed,
    HardListed,
    KeptStep,
    LessonTaught,
    ModelFailed,
    ModelInfo,
    ModelReady,
    ModelsListed,
    NumberRead,
    PenDown,
    PenMove,
    PenUp,
    Press,
    RecordEntry,
    RecordsListed,
    ScoreSaved,
    ScoresListed,
    TeacherReady,
    Tick,
)
from play.ink import bounds
from play.state import PlayState, Settings
from play.studio import EpochSeen, HardDigit, RunSeen
from play.update import update
from play.verdict import Shown

CNN = ModelInfo("cnn-7", "/runs/cnn-7", 9360, 0.9951, "2026-11-21 05:00", 98_827)
SMALL = ModelInfo("digits8x8-0", "/runs/digits8x8-0", 1200, 0.9778, "2026-11-20 17:12", 24_330, "uci8")
BROKEN = ModelInfo(
    "cnn-3",
    "/runs/cnn-3",
    error="/runs/cnn-3/9360: params/ocdbt.process_0/d/9f is damaged (its SHA-256 is not that of the "
    "manifest): train it again or copy it anew.",
)
RUNS = (
    CNN,
    SMALL,
    BROKEN,
    ModelInfo("default", "/runs/default", 4680, 0.9893, "2026-11-19 09:30", 61_002),
    *(
        ModelInfo(f"cnn-{i}", f"/runs/cnn-{i}", 468 * i, 0.99 + i / 1e4, "2026-11-18 10:00", 98_827)
        for i in range(9, 14)
    ),
)

HOME = "/home/ada/.local/share/digitjax"

Points = list[tuple[float, float]]


def curve(*points: tuple[float, float], pieces: int = 8) -> Points:
    """A smooth line through points (Catmull-Rom)."""
    found: Points = [points[0]]
    for i in range(len(points) - 1):
        p0, p1, p2 = points[max(0, i - 1)], points[i], points[i + 1]
        p3 = points[min(len(points) - 1, i + 2)]
        for k in range(1, pieces + 1):
            t = k / pieces
            weights = ((-t + 2 * t**2 - t**3) / 2, (2 - 5 * t**2 + 3 * t**3) / 2)
            weights += ((t + 4 * t**2 - 3 * t**3) / 2, (t**3 - t**2) / 2)
            x, y = (
                sum(w * p[axis] for w, p in zip(weights, (p0, p1, p2, p3), strict=True)) for axis in (0, 1)
            )
            found.append((x, y))
    return found


FOUR = (
    curve((362, 168), (338, 300), (312, 428), (330, 500), (420, 512), (560, 498), (690, 480)),
    curve((596, 190), (588, 360), (574, 560), (566, 800)),
)
DIGITS = {
    "0": (curve((520, 200), (360, 330), (340, 600), (480, 790), (640, 640), (650, 380), (520, 200)),),
    "1": (curve((420, 320), (520, 200)), curve((520, 200), (515, 500), (510, 800))),
    "2": (curve((350, 330), (470, 200), (620, 290), (560, 500), (360, 780)), [(360, 780), (660, 780)]),
    "3": (curve((360, 240), (560, 210), (600, 360), (460, 470), (630, 600), (540, 780), (350, 740)),),
    "4": FOUR,
    "7": ([(340, 220), (650, 220)], curve((650, 220), (560, 480), (450, 800))),
}


def strokes_events(strokes: tuple[Points, ...]) -> list[Event]:
    """A drawing as events, 120 points a second."""
    found: list[Event] = []
    time = 0.0
    for stroke in strokes:
        for i, (x, y) in enumerate(stroke):
            found.append(PenMove(x, y, time) if i else PenDown(x, y, time))
            time += 1 / 120
        found.append(PenUp(time))
    return found


def image_of(state: PlayState) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The 28 x 28 image by brute force (distance to densely sampled ink), and its fit."""
    place = stages.maps(state.strokes, state.pen, state.off, None)[2]
    ink = np.concatenate([_dense([place.point(x, y) for x, y in stroke.points]) for stroke in state.strokes])
    image = _rendered(ink)
    shift = np.zeros(2)
    if "mass" not in state.off and image.sum() > 0:
        grid = np.arange(28)
        shift = 14 - np.array([(image.sum(0) * grid).sum(), (image.sum(1) * grid).sum()]) / image.sum()
    fit = (place.scale, float(place.x + shift[0]), float(place.y + shift[1]))
    return _rendered(ink + shift), fit


def answer(state: PlayState, digit: int = 4, sure: float = 0.93, second: int = 9, slot: int = 0) -> Answered:
    """What a network might say about the state's ink."""
    rest = (1 - sure) / 12
    probabilities = [rest] * 10
    probabilities[digit], probabilities[second] = sure, 4 * rest
    image, fit = image_of(state)
    pixels = np.rint(255 * image).astype(np.uint8)
    if slot:
        small = pixels[2:26, 2:26].reshape(8, 3, 8, 3).mean((1, 3)).astype(np.uint8)
        return Answered(state.revision, tuple(probabilities), None, small.tobytes(), 8, None, 1, 0.5)
    return Answered(state.revision, tuple(probabilities), 0.998, pixels.tobytes(), 28, fit, 0, 0.6)


def explained(state: PlayState) -> Explained:
    """Attribution that runs from against to for, down the image, and layers that look for edges."""
    image = image_of(state)[0]
    heat = image * np.linspace(-1, 1, 28)[:, None]
    rows = tuple(
        (("1", 0.91, 0.04), ("6", 0.55, 0.12), ("4", 0.9, 0.9))[i % 3] for i in range(len(state.strokes))
    )
    layers = []
    dy, dx = np.gradient(image)
    for name, count, step in (("conv0", 16, 2), ("conv1", 32, 2), ("conv2", 64, 4)):
        turns = np.arange(count)[:, None, None] * 2 * math.pi / count
        maps = np.maximum(0, np.cos(turns) * dx + np.sin(turns) * dy)
        side = 28 // step
        maps = maps.reshape(count, side, step, side, step).max((2, 4))
        layers.append(
            FeatureMap(name, count, side, side, np.rint(255 * maps / maps.max()).astype(np.uint8).tobytes())
        )
    units = np.rint(255 * np.abs(np.sin(np.arange(128) ** 2))).astype(np.uint8)
    layers.append(FeatureMap("hidden", 1, 1, 128, units.tobytes()))
    shown = rows if len(state.strokes) > 1 else ()
    return Explained(state.revision, 4, tuple(heat.ravel().tolist()), 28, shown, tuple(layers))


def entries(count: int = 30) -> tuple[RecordEntry, ...]:
    """Recorded drawings, a few of them read wrongly."""
    found = []
    for number in range(count):
        word = tuple(DIGITS)[number % len(DIGITS)]
        said = ("1", "7", "not a digit")[number % 3] if number % 7 == 3 else word
        strokes = tuple(
            tuple(((x - 200) / 600, (y - 200) / 600) for x, y in stroke) for stroke in DIGITS[word]
        )
        label = "not-a-digit" if number % 13 == 5 else word
        found.append(
            RecordEntry(f"k{number}", number, label, said, strokes, "cnn-7/9360", "2026-11-21 05:43")
        )
    return tuple(found)


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


def number_strokes(text: str, height: float = 190.0) -> tuple[Points, ...]:
    """A number on the wide canvas, its digits `height` units high."""
    part = height / 600
    return tuple(
        [(110 + 210 * place + part * (x - 340), 60 + part * (y - 200)) for x, y in stroke]
        for place, sign in enumerate(text)
        for stroke in DIGITS[sign]
    )


def number_events(text: str) -> list[Event]:
    """The same as events."""
    return strokes_events(number_strokes(text))


def number_read(state: PlayState, text: str, doubt: int = 1) -> NumberRead:
    """What a network might say of 2047, one digit in doubt; a question mark is no digit."""
    counts = [len(DIGITS[sign]) for sign in "2047"[: len(text)]]
    digits, first = [], 0
    for place, (sign, count) in enumerate(zip(text, counts, strict=True)):
        box = bounds(state.strokes[first : first + count]) or (0.0, 0.0, 0.0, 0.0)
        first += count
        sure, best = (0.61 if place == doubt else 0.98), 6 if sign == "?" else int(sign)
        odds = tuple(
            sure if d == best else (0.9 if d == (best + 6) % 10 else 0.0125) * (1 - sure) for d in range(10)
        )
        digits.append(
            DigitRead(box, "not a digit" if sign == "?" else sign, odds, 0.1 if sign == "?" else 0.99)
        )
    return NumberRead(state.revision, text, tuple(digits))


def _number(state: PlayState) -> PlayState:
    for event in number_events("2047"):
        state = update(state, event)
    return settle(update(state, number_read(state, "204?")))


def _models(state: PlayState) -> PlayState:
    return drawn(update(state, ModelsListed(RUNS)))


def _models_two(state: PlayState) -> PlayState:
    state = update(_models(state), ModelReady(SMALL, 1))
    state = update(state, answer(state))
    return settle(update(state, answer(state, 4, 0.52, 1, slot=1)))


def _gallery(state: PlayState) -> PlayState:
    return update(update(state, RecordsListed(entries(), HOME)), Press("entry:k3"))


FILES = (
    FoundFile("/home/ada/Downloads/class-4b.ndjson", 48_211, "2026-11-21 05:40"),
    FoundFile("/home/ada/Desktop/digits from the tablet.ndjson.gz", 2_400_000, "2026-11-20 17:02"),
    *(FoundFile(f"/home/ada/set-{i}.ndjson", 900 * i, "2026-11-18 09:00") for i in range(1, 12)),
)


def _gallery_import(state: PlayState) -> PlayState:
    return update(update(_gallery(state), Press("import")), FilesListed(FILES))


def confusion(epoch: int) -> tuple[tuple[int, ...], ...]:
    """Digits that are told apart better with each epoch; 4 and 9, 3 and 5 worst."""
    wrong = {(4, 9): 40, (9, 4): 32, (3, 5): 24, (5, 3): 18, (7, 2): 16, (8, 3): 9, (1, 7): 6, (0, 6): 4}
    table = [[0] * 10 for _ in range(10)]
    for (truth, said), count in wrong.items():
        table[truth][said] = round(count / epoch)
    for digit in range(10):
        table[digit][digit] = 500 - sum(table[digit])
    return tuple(map(tuple, table))


def run_seen(status: str = "training", epochs: int = 3) -> RunSeen:
    """A run of six epochs, some of them done."""
    step = 468 * epochs + 210
    points = tuple(
        (s, 2.3 * math.exp(-s / 120) + 0.09 + 0.05 * math.sin(s), 1 - 0.9 * math.exp(-s / 150) - 0.02)
        for s in range(10, step, 10)
    )
    ends = tuple(
        EpochSeen(468 * n, 0.11 / n, 0.963 + 0.029 * (1 - 1 / n), confusion(n)) for n in range(1, epochs + 1)
    )
    kept = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, *(468 * n for n in range(1, epochs + 1)))
    path = "/runs/cnn-14"
    going = status == "training"
    rate, left = (3240.0, 96.0) if going else (0.0, None)
    return RunSeen(path, "cnn-14", status, "", step, 2808, points, ends, kept, rate, left, 0.003, (640,))


def hard_digits(count: int = 30) -> tuple[HardDigit, ...]:
    """Pictures of the drawn digits, said to be something else."""
    found = []
    for number in range(count):
        word = tuple(DIGITS)[number % len(DIGITS)]
        ink = np.concatenate(
            [_dense([(x * 0.025 + 1.5, y * 0.025 + 1.5) for x, y in s]) for s in DIGITS[word]]
        )
        pixels = np.rint(255 * _rendered(ink)).astype(np.uint8).tobytes()
        said = int(word) if number % 5 == 4 else (3 * number + 1) % 10
        found.append(HardDigit(int(word), said, 0.02 * number + 0.01, 28, pixels))
    return tuple(found)


def _train(tab: str, status: str = "training") -> Callable[[PlayState], PlayState]:
    def make(state: PlayState) -> PlayState:
        state = drawn(update(state, ModelsListed(RUNS)))
        if status:
            state = update(update(state, run_seen(status)), HardListed("/runs/cnn-14", hard_digits()))
        return update(state, Press(f"tab:{tab}"))

    return make


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
    return update(state, explained(state))


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
            rows = (("taught", 1, 10, 10), ("MNIST", 4962, 5000, 4961), ("mine", 118, 131, 128))
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
    "number-empty": ("number", lambda state: state),
    "models": ("models", _models),
    "models-two": ("models", _models_two),
    "models-broken": ("models", lambda state: update(_models(state), Press("broken:cnn-3"))),
    "train": ("train", _train("curves")),
    "train-recipe": ("train", _train("recipe", "")),
    "train-digits": ("train", _train("digits")),
    "train-hardest": ("train", _train("hardest", "paused")),
    "train-runs": ("train", _train("runs", "stopped")),
    "train-nothing": ("train", _train("curves", "")),
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


def _dense(points: Points) -> np.ndarray:
    line = np.array(points)
    return np.concatenate([np.linspace(a, b, 12) for a, b in itertools.pairwise(line)] or [line])


def _rendered(ink: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:28, :28]
    nearest = np.hypot(x[..., None] - ink[:, 0], y[..., None] - ink[:, 1]).min(-1)
    return np.clip(1.3 + 0.5 - nearest, 0, 1)
