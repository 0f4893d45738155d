"""`bench train`: the phases of a training from the process's start, next to those of other programs.

Every round runs each program once, in turns and in a process of its own, so that a slow minute of the machine
falls on all; what is told are medians, and ratios taken within the rounds.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digitjax import runs
from digitjax.bench.contenders import PHASES, Trained
from digitjax.data import load
from digitjax.errors import DigitjaxError
from digitjax.interrupt import ended_with_children
from digitjax.presets import registry

COMMAND = "digitjax train"
"""The whole command, up to its saved checkpoint: told beside the contenders."""


class Timing(NamedTuple):
    """What is known of one program.

    Attributes:
        name: of the contender, or `COMMAND`.
        seconds: median of each phase.
        total: median of the whole process's phases.
        images_per_second: median, while it trains; None for `COMMAND`.
        accuracy: mean over the rounds, each with a seed of its own; None for `COMMAND`.
        train_ratio: median over the rounds of its training time by that of the first program.
        total_ratio: the same of the whole time.
    """

    name: str
    seconds: dict[str, float]
    total: float
    images_per_second: float | None = None
    accuracy: float | None = None
    train_ratio: float | None = None
    total_ratio: float | None = None


def measure(
    names: Sequence[str],
    preset: str,
    rounds: int,
    epochs: int,
    tell: Callable[[str], None],
    channels: Sequence[int] = (),
) -> list[Timing]:
    """Runs each contender once a round, and `digitjax train` itself.

    Args:
        names: contenders; ratios are to the first.
        preset: whose network digitjax and some peers train.
        rounds: one seed each.
        epochs: of all of them; 0 for their own.
        tell: says what has been done.
        channels: of the convolutions, in place of the preset's; none for those.

    Raises:
        DigitjaxError: one of them failed.
        InputError: MNIST is not to be had.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for split, name in (("train", "train"), ("test", "test")):
            source = load(f"mnist@{split}")
            np.save(folder / f"x_{name}.npy", np.asarray(source.images).reshape(-1, 28, 28))
            np.save(folder / f"y_{name}.npy", np.asarray(source.labels).astype(np.int64))
        done: dict[str, list[Trained]] = {name: [] for name in names}
        command: list[dict[str, float]] = []
        for number in range(rounds):
            for name in names:
                done[name].append(_contend(name, folder, preset, channels, epochs, number))
                tell(in_words(name, done[name][-1]))
            command.append(_train(folder / f"run{number}", preset, channels, epochs, number))
            tell(f"{COMMAND} {preset}: {command[-1]['checkpoint']:.2f} s to its checkpoint")
    timings = [_timing(name, done[name], done[names[0]]) for name in names]
    seconds = {phase: statistics.median(one[phase] for one in command) for phase in command[0]}
    return [*timings, Timing(f"{COMMAND} {preset}", seconds, seconds["checkpoint"])]


def in_words(name: str, one: Trained) -> str:
    """A line about one process."""
    phases = ", ".join(f"{phase} {one.seconds[phase]:.2f}" for phase in PHASES)
    return f"{name}: {phases} s; {100 * one.accuracy:.2f} % of the test split"


def _timing(name: str, done: Sequence[Trained], first: Sequence[Trained]) -> Timing:
    pairs = list(zip(done, first, strict=True))
    return Timing(
        name,
        {phase: statistics.median(one.seconds[phase] for one in done) for phase in PHASES},
        statistics.median(sum(one.seconds.values()) for one in done),
        statistics.median(one.images / one.seconds["train"] for one in done),
        statistics.mean(one.accuracy for one in done),
        statistics.median(one.seconds["train"] / other.seconds["train"] for one, other in pairs),
        statistics.median(sum(one.seconds.values()) / sum(other.seconds.values()) for one, other in pairs),
    )


def _contend(
    name: str, folder: Path, preset: str, channels: Sequence[int], epochs: int, seed: int
) -> Trained:
    words = [name, str(folder), preset, json.dumps(channels), str(epochs), str(seed), repr(time.monotonic())]
    found = json.loads(_run([sys.executable, "-m", "digitjax.bench.contenders", *words], name))
    return Trained(**found)


def _train(run: Path, preset: str, channels: Sequence[int], epochs: int, seed: int) -> dict[str, float]:
    """Seconds from the start of `digitjax train` to its last checkpoint, and to its end."""
    words = [
        "train",
        preset,
        "--seed",
        str(seed),
        "--out",
        str(run),
        *([] if registry.preset(preset).model.rejects else ["--model.no-rejects"]),  # as the contender is
        *(["--epochs", str(epochs)] if epochs else []),
        *(["--model.channels", *map(str, channels)] if channels else []),
    ]
    began = time.time()
    _run([sys.executable, "-m", "digitjax", *words], COMMAND)
    ended = time.time()
    saved = (runs.full_steps(run)[-1] / "manifest.json").stat().st_mtime
    return {"checkpoint": saved - began, "report": ended - began}


def _run(command: list[str], name: str) -> str:
    with ended_with_children():
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        remedy = "see `digitjax train --help`" if name == COMMAND else "leave it out with --programs"
        raise DigitjaxError(f"{name} failed ({last[:300]}): {remedy}")
    return (done.stdout.splitlines() or [""])[-1]
