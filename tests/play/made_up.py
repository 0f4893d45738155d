"""Answers, explanations, recordings and runs, made up without a network."""

import math

import numpy as np

from digitjax.config import ModelConfig, TrainConfig
from play.answers import Answered, DigitRead, Explained, FeatureMap, ModelInfo, NumberRead
from play.events import FoundFile, RecordEntry
from play.ink import bounds
from play.state import PlayState
from play.studio import EpochSeen, HardDigit, RunSeen
from tests.play.drawings import DIGITS, dense, image_of, rendered

TINY = TrainConfig(
    data=("digits8x8",),
    epochs=2,
    epoch_examples=384,
    batch_size=32,
    model=ModelConfig(kind="mlp", hidden=(8,), geometry="uci8"),
)
"""A training of 24 steps."""
CNN = ModelInfo("cnn-7", "/runs/cnn-7", 9360, 0.9951, "2026-11-21 05:00", 98_827, rejects=True)
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

FILES = (
    FoundFile("/home/ada/Downloads/class-4b.ndjson", 48_211, "2026-11-21 05:40"),
    FoundFile("/home/ada/Desktop/digits from the tablet.ndjson.gz", 2_400_000, "2026-11-20 17:02"),
    *(FoundFile(f"/home/ada/set-{i}.ndjson", 900 * i, "2026-11-18 09:00") for i in range(1, 12)),
)


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
            [dense([(x * 0.025 + 1.5, y * 0.025 + 1.5) for x, y in s]) for s in DIGITS[word]]
        )
        pixels = np.rint(255 * rendered(ink)).astype(np.uint8).tobytes()
        said = int(word) if number % 5 == 4 else (3 * number + 1) % 10
        found.append(HardDigit(int(word), said, 0.02 * number + 0.01, 28, pixels))
    return tuple(found)
