"""The kept steps of a run in the reading process's memory, so that going back in time costs no disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digitjax import manifest, metrics, runs
from digitjax.errors import InputError
from digitjax.manifest import Manifest

MAX_BYTES = 256 << 20
"""Params of all steps together; of a larger run's steps some are left out."""
MAX_FRAMES = 60


class Frame(NamedTuple):
    """One step: its params, and what is known of them.

    Attributes:
        step: of the training.
        params: on the device, calibrated.
        manifest: of the step as its params were read.
        accuracy: of held-out digits, else of the step's batch; None where neither is known.
        held_out: which of them it is.
    """

    step: int
    params: Any
    manifest: Manifest
    accuracy: float | None
    held_out: bool


class Film(NamedTuple):
    """The frames of one run in order."""

    run: Path
    frames: tuple[Frame, ...]


def load(run: Path, model: Any, take: Callable[[Film, bool], None], before: Film | None = None) -> None:
    """Loads a run's steps one after the other.

    Args:
        run: its folder.
        model: its network.
        take: is given the film so far with each step that was read, and at last all of it, then with True.
        before: a film whose frames are taken over where they are of the same files.
    """
    from digitjax.checkpoint import load_params

    known = {} if before is None or before.run != run else {frame.step: frame for frame in before.frames}
    batches = {line["step"]: line["accuracy"] for line in metrics.read_metrics(run / runs.METRICS)}
    film = Film(run, ())
    for step in chosen(runs.history(run)):
        number = int(step.name)
        there = known.get(number)
        try:
            about = manifest.read(step)
            if there is not None and there.manifest != about:  # written anew
                there = None
            params = load_params(step, model) if there is None else there.params
        except InputError:  # pruned meanwhile, or damaged: the others are there
            continue
        accuracy = about.record.get("accuracy")
        held_out = isinstance(accuracy, float)
        frame = Frame(number, params, about, accuracy if held_out else batches.get(number), held_out)
        film = Film(run, (*film.frames, frame))
        if there is None:
            take(film, False)
    take(film, True)


def chosen(steps: Sequence[Path]) -> list[Path]:
    """All steps, or so many that they have room, the first and the last among them."""
    if not steps:
        return []
    size = sum(path.stat().st_size for path in steps[0].rglob("*") if path.is_file())
    most = max(2, min(MAX_FRAMES, MAX_BYTES // max(size, 1)))
    if len(steps) <= most:
        return list(steps)
    places = sorted({round(i * (len(steps) - 1) / (most - 1)) for i in range(most)})
    return [steps[place] for place in places]


def answers(film: Film, reader: Any, ends: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What each frame says of packed ink: ten probabilities and is_digit (NaN for none), a row a frame."""
    read = [np.asarray(reader.read(frame.params, ends, mask))[:11] for frame in film.frames]
    return np.stack(read) if read else np.zeros((0, 11), np.float32)
