"""What the end of an epoch measures on held-out digits: loss, accuracy, confusion, the hardest of them."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digitjax import manifest, runs
from digitjax.calibrate import Answered, Calibration, fit
from digitjax.checkpoint import SCORE
from digitjax.data.pipeline import Examples
from digitjax.evaluate import answer_digits, loss_and_accuracy
from digitjax.types import Model, Params

ENOUGH = 1000
"""Digits of people's validation sets from which a calibration is fitted on them alone."""
HARDEST = 60
"""Digits kept of those to which the right answer seemed least likely."""


class Hard(NamedTuple):
    """A digit that the network finds hard.

    Attributes:
        label: what it is.
        said: the likeliest answer.
        probability: of the label, 0 to 1.
        side: of the image.
        pixels: row by row, 0 (paper) to 255 (ink), side x side bytes.
    """

    label: int
    said: int
    probability: float
    side: int
    pixels: bytes


class Validated(NamedTuple):
    """Attributes:
    results: loss, accuracy and number `n` of each validation set's digits, by its name.
    calibration: fitted on people's handwriting alone, where there is enough of it; its threshold only where
        that is of more than one set.
    confusion: 10 x 10 counts over people's sets, row = truth; None where nothing was measured.
    hardest: of people's sets, the hardest first.
    """

    results: dict[str, dict[str, float]]
    calibration: Calibration
    confusion: list[list[int]] | None = None
    hardest: tuple[Hard, ...] = ()


def validate(model: Model, params: Params, sources: Sequence[Examples]) -> Validated:
    """Measures a network on the digits of each validation set."""
    answered = {examples.name: answer_digits(model, params, examples) for examples in sources}
    results = {}
    for name, one in answered.items():
        loss, accuracy = loss_and_accuracy(one)
        results[name] = {"loss": loss, "accuracy": accuracy, "n": len(one.labels)}
    people = by_people(answered)
    own = people if sum(len(one.labels) for one in people.values()) >= ENOUGH else answered
    # One set says little of how other people's digits vary: synthetic ones help to find the threshold.
    for_threshold = own if len(people) > 1 else answered
    calibration = fit(list(own.values()), list(for_threshold.values()))
    confusion = np.zeros((10, 10), np.int64)
    for one in people.values():
        np.add.at(confusion, (one.labels, one.log_p.argmax(axis=1)), 1)
    hard = [
        found for examples in sources if examples.name in people for found in _hardest(examples, answered)
    ]
    hard = tuple(sorted(hard, key=lambda one: one.probability)[:HARDEST])
    return Validated(results, calibration, confusion.tolist() if people else None, hard)


def by_people(sets: dict[str, Any]) -> dict[str, Any]:
    """The sets that people wrote; all where nobody did."""
    return {name: one for name, one in sets.items() if not name.startswith("synthetic")} or sets


def pooled(validation: dict[str, dict[str, float]], name: str) -> float | None:
    """The mean over all digits of all sets."""
    n = sum(result["n"] for result in validation.values())
    return sum(result[name] * result["n"] for result in validation.values()) / n if n else None


def step_record(line: dict[str, Any] | None) -> dict[str, Any]:
    """What a checkpoint says of itself; `score` ranks it: accuracy, and loss where that is equal.

    The score is over all sets, synthetic ones too, so that a small set's luck does not choose the best step.
    """
    record: dict[str, Any] = {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    line = line or {}
    validation = line.get("validation") or {}
    accuracy, loss = pooled(validation, "accuracy"), pooled(validation, "loss")
    score = None if accuracy is None or loss is None else accuracy - 1e-6 * min(loss, 100.0)
    names = ("epoch", "accuracy", "loss", "validation")
    return record | {name: line.get(name) for name in names} | {SCORE: score}


def epoch_text(line: dict[str, Any], epochs: int) -> str:
    """What the screen says of an epoch, from its line of metrics."""
    parts = [f"epoch {line['epoch']:>{len(str(epochs))}}/{epochs}"]
    if line["train_loss"] is not None:
        parts.append(f"train loss {line['train_loss']:.4f}")
    for name, result in line["validation"].items():
        parts.append(f"{name} {100 * result['accuracy']:.2f} % (loss {result['loss']:.4f})")
    if line["images_per_second"]:
        parts.append(f"{line['images_per_second']:,} images/s")
    return "  ".join(parts)


def write_hardest(run: Path, step: int, hardest: Sequence[Hard]) -> None:
    """Writes the hardest digits of a step into the run's folder, in place of an earlier step's."""
    digits = [one._asdict() | {"pixels": one.pixels.hex()} for one in hardest]
    manifest.write_json(run / runs.HARDEST, {"step": step, "digits": digits})


def _hardest(examples: Examples, answered: dict[str, Answered]) -> list[Hard]:
    one, labels = answered[examples.name], np.asarray(examples.labels)
    images = np.asarray(examples.images)[labels < 10]
    right = np.take_along_axis(one.log_p, one.labels[:, None], axis=1)[:, 0]
    return [
        Hard(
            int(one.labels[i]),
            int(one.log_p[i].argmax()),
            float(np.exp(right[i])),
            images.shape[1],
            images[i].astype(np.uint8).tobytes(),
        )
        for i in np.argsort(right, kind="stable")[:HARDEST]
    ]
