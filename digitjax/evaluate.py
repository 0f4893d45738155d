"""Exact evaluation: every example counts once, whatever the size of a batch.

What is measured runs through one jitted function of one shape; the measures themselves are NumPy in float64.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped, UInt8

from digitjax.calibrate import Answered
from digitjax.data.labels import AMBIGUOUS, NOT_A_DIGIT
from digitjax.data.pipeline import Examples
from digitjax.errors import InputError, NoNumber
from digitjax.normalize import geometry_shape
from digitjax.odds import THRESHOLD, Doubts, doubts, log_softmax, reliability, risk_at, sigmoid
from digitjax.types import ApplyFn, Logits, Model, Params

BATCH = 256
"""Images in one call of the network; the last call is padded, so that one shape is compiled."""

KEPT = 0.99
"""Fraction of the digits that must be answered where `Evaluation.refused` is measured."""


SLACK = 1e-3
"""How far a picture of floats may reach over 0 to 1 by rounding."""


class Answers(NamedTuple):
    """What a network says about many images, in float64.

    Attributes:
        log_p: log-probabilities of the ten digits, given that it is one.
        is_digit: log-odds of being a digit at all; None for a network without that head.
    """

    log_p: Float[np.ndarray, "n 10"]
    is_digit: Float[np.ndarray, " n"] | None


class Evaluation(NamedTuple):
    """How a network does on one data set. None where there is nothing to measure.

    Digits are the examples labelled 0 to 9, others those labelled as not a digit. An example whose word is in
    `digitjax.data.labels.AMBIGUOUS` (a letter O, a bar) and no digit is neither: it is counted in `n_skipped`
    together with the examples that have no label, and in nothing else. In an image without ink nothing is
    read: such a digit is wrong and not answered, and in no column of `confusion`.

    Attributes:
        data: canonical name of the data.
        n_digits: digits measured.
        n_other: others measured.
        n_skipped: unlabelled and ambiguous examples.
        accuracy: fraction of the digits whose likeliest of ten is right, abstention ignored.
        nll: mean negative log-likelihood of the digits, in nats.
        ece: expected calibration error of the digits (`odds.reliability`).
        answered: fraction of the digits that the network answers; 1 for a network that never abstains.
        accuracy_answered: accuracy over those.
        auroc: probability that a digit scores above another drawing as a digit, ties counted half.
        refused: fraction of the others refused at the highest threshold that answers `KEPT` of the digits.
        confusion: counts of the digits that have ink, row = truth, column = answer.
        writers: accuracy by writer where known, over each writer's digits.
        risk_at_99: part of the answers that is wrong when the surest 99 % are given; not in `to_json`.
        doubts: where two digits are both likely; not in `to_json`, whose keys are fixed.
    """

    data: str
    n_digits: int
    n_other: int
    n_skipped: int
    accuracy: float | None
    nll: float | None
    ece: float | None
    answered: float | None
    accuracy_answered: float | None
    auroc: float | None
    refused: float | None
    confusion: Int[np.ndarray, "10 10"]
    writers: Mapping[str, float]
    risk_at_99: float | None = None
    doubts: Doubts | None = None

    @property
    def n_wrong(self) -> int:
        """Digits that are not read as what they are."""
        return int(self.n_digits - np.trace(self.confusion))

    @property
    def n_blank(self) -> int:
        """Digits without ink."""
        return int(self.n_digits - self.confusion.sum())

    def to_json(self) -> dict:
        """The same as plain JSON values."""
        values = self._asdict() | {"confusion": self.confusion.tolist(), "writers": dict(self.writers)}
        return {name: value for name, value in values.items() if name not in ("risk_at_99", "doubts")}


def evaluate(model: Model, params: Params, examples: Examples) -> Evaluation:
    """Measures a network on all examples, each counted once.

    Args:
        model: the network; `examples.images` are in its geometry.
        params: its params.
        examples: `digitjax.data.pipeline.Examples(name, images, labels)`: images uint8, or floats from 0 to
            1, labels 0 to 9, or 10 for not a digit.

    Raises:
        InputError: there is no labelled example.
        NoNumber: the network answers something that is none.
        ValueError: images or labels hold something else, or are not as many as the others.
    """
    _labels(examples)  # before the network has read them all
    return score(examples, read_all(model, params, examples.images))


def has_ink(images: Shaped[np.ndarray, "n height width 1"]) -> Bool[np.ndarray, " n"]:
    """Which images show anything at all; in one of zeros there is nothing to read."""
    return images.any(axis=(1, 2, 3))


def read_all(
    model: Model,
    params: Params,
    images: UInt8[np.ndarray, "n height width 1"] | Float[np.ndarray, "n height width 1"],
    batch: int = BATCH,
) -> Answers:
    """As `apply_in_batches`; where there is no ink all digits are equally likely, and it is none."""
    found = apply_in_batches(model, params, images, batch)
    blank = ~has_ink(images)
    if not blank.any():
        return found
    is_digit = None if found.is_digit is None else np.where(blank, -np.inf, found.is_digit)
    return Answers(np.where(blank[:, None], np.log(0.1), found.log_p), is_digit)


def score(examples: Examples, answers: Answers) -> Evaluation:
    """Measures what a network has said about all examples, each counted once.

    Args:
        examples: the data set.
        answers: of `read_all`.

    Raises:
        InputError: there is no labelled example.
        ValueError: a label is none of those, or there are not as many of one thing as of another.
    """
    labels = _labels(examples)
    if len(answers.log_p) != len(labels):
        raise ValueError(f"there are {len(answers.log_p)} answers to {len(labels)} examples")
    neither = look_alikes(examples)
    digits, others = (labels < 10) & ~neither, (labels >= 10) & ~neither
    if not (digits.any() or others.any()):
        raise InputError(
            f"{examples.name} has no labelled digit or other drawing: there is nothing to evaluate"
        )
    log_p, truth = answers.log_p[digits], labels[digits].astype(np.int64)
    answer, inked = log_p.argmax(axis=1), has_ink(np.asarray(examples.images)[digits])
    right = (answer == truth) & inked
    confusion = np.zeros((10, 10), np.int64)
    np.add.at(confusion, (truth[inked], answer[inked]), 1)
    assert confusion.sum() + (~inked).sum() == digits.sum(), "an example was lost or counted twice"
    answered, scores = inked, None
    if answers.is_digit is not None:
        scores = answers.is_digit[digits], answers.is_digit[others]
        answered = inked & (sigmoid(scores[0]) >= THRESHOLD)
    return Evaluation(
        data=examples.name,
        n_digits=int(digits.sum()),
        n_other=int(others.sum()),
        n_skipped=int(examples.skipped + neither.sum()),
        accuracy=_mean(right),
        nll=_mean(-np.take_along_axis(log_p, truth[:, None], axis=1)),
        ece=reliability(np.exp(log_p.max(axis=1)), right).error if len(truth) else None,
        answered=_mean(answered),
        accuracy_answered=_mean(right[answered]),
        auroc=auroc(*scores) if scores and digits.any() and others.any() else None,
        refused=refused(*scores) if scores and digits.any() and others.any() else None,
        confusion=confusion,
        writers=_by_writer(examples, digits, right),
        risk_at_99=risk_at(np.exp(log_p.max(axis=1)), right) if len(truth) else None,
        doubts=doubts(log_p, truth),
    )


def answer_digits(model: Model, params: Params, examples: Examples) -> Answered:
    """The network's answers on the digits of `examples`, for validation.

    Compiled once for a model and an image size, however often it is called.

    Raises:
        InputError: there is no digit to measure.
        NoNumber: the network answers something that is none.
        ValueError: as `evaluate`.
    """
    labels = _labels(examples)
    digits = labels < 10
    if not digits.any():
        raise InputError(f"{examples.name} has no digit: there is nothing to validate on")
    answers = apply_in_batches(model, params, np.asarray(examples.images)[digits])
    return Answered(answers.log_p, labels[digits].astype(np.int64), answers.is_digit)


def loss_and_accuracy(answered: Answered) -> tuple[float, float]:
    """Mean negative log-likelihood in nats, and accuracy."""
    log_p = np.take_along_axis(answered.log_p, answered.labels[:, None], axis=1)
    return float(-log_p.mean()), float((answered.log_p.argmax(axis=1) == answered.labels).mean())


def apply_in_batches(
    model: Model,
    params: Params,
    images: UInt8[np.ndarray, "n height width 1"] | Float[np.ndarray, "n height width 1"],
    batch: int = BATCH,
) -> Answers:
    """The network's answers on any number of images; one shape is compiled.

    Args:
        model: the network.
        params: its params.
        images: in the model's geometry, uint8 from 0 (paper) to 255 (ink), or float32 from 0 to 1.
        batch: images a call.

    Raises:
        NoNumber: the network answers something that is none.
        ValueError: the images are no such numbers.
    """
    _require_images(images, model.geometry)
    calls = [_logits(params, part, apply=model.apply) for part in _batches(images, batch)]
    if not calls:
        return Answers(np.zeros((0, 10)), None)
    whole = jax.tree.map(lambda *parts: np.concatenate(parts)[: len(images)], *jax.device_get(calls))
    assert len(whole.digits) == len(images), "an image was lost or answered twice"
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(whole)):
        raise NoNumber(
            "the network answers something that is no number: train it again or take another checkpoint"
        )
    return Answers(
        log_softmax(whole.digits), None if whole.is_digit is None else whole.is_digit.astype(np.float64)
    )


def _require_images(images: np.ndarray, geometry: str) -> None:
    """Refuses pictures of other shapes and, what a network would read, and wrongly, other numbers.

    Raises:
        ValueError: they are not [n, height, width, 1] of the geometry, or neither uint8 nor floats from 0 to
            1.
    """
    wanted = (*geometry_shape(geometry), 1)
    if images.shape[1:] != wanted:
        raise ValueError(
            f"the images have shape {list(images.shape)}: give [n, {', '.join(map(str, wanted))}]"
        )
    ways = "give uint8 from 0 (paper) to 255 (ink), or floats from 0 to 1"
    if images.dtype != np.uint8 and not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(f"the images are {images.dtype}: {ways}")
    if not images.size or (images.dtype == np.uint8 and images.max() != 1):
        return
    if images.dtype == np.uint8:
        raise ValueError(f"the images are uint8 of 0 and 1 alone: {ways}")
    low, high = float(images.min()), float(images.max())
    if not (low >= -SLACK and high <= 1 + SLACK):
        raise ValueError(f"the images are floats from {low:g} to {high:g}: {ways}")


def _labels(examples: Examples) -> Int[np.ndarray, " n"]:
    """The labels of examples, of which each has one.

    Raises:
        ValueError: they are something else than 0 to `NOT_A_DIGIT`, or not as many as the images.
    """
    labels = np.asarray(examples.labels)
    if labels.ndim != 1:
        raise ValueError(f"{examples.name} has labels of shape {list(labels.shape)}: give a number an image")
    _require_as_many(examples)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{examples.name} has labels of {labels.dtype}: give whole numbers")
    if ((labels < 0) | (labels > NOT_A_DIGIT)).any():
        wrong = labels[(labels < 0) | (labels > NOT_A_DIGIT)][0]
        raise ValueError(
            f"{examples.name} has the label {wrong}: give 0 to 9, or {NOT_A_DIGIT} for what is no digit, "
            f"and leave out what has no label"
        )
    return labels


def _require_as_many(examples: Examples) -> None:
    """Refuses examples that have not as many labels as images or, where there are some, words or writers.

    Raises:
        ValueError: they have not.
    """
    for name in ("images", "words", "writers"):
        column = getattr(examples, name)
        count = 0 if column is None else len(column)
        if count != len(examples.labels) and (count or name == "images"):
            raise ValueError(f"{examples.name} has {len(examples.labels)} labels and {count} {name}")


def look_alikes(examples: Examples) -> Bool[np.ndarray, " n"]:
    """Which examples are no digits but look like one, or are a fragment."""
    labels = np.asarray(examples.labels)
    if not len(examples.words) or not (labels >= 10).any():
        return np.zeros(len(labels), bool)
    return np.array([word in AMBIGUOUS for word in examples.words], bool) & (labels >= 10)


def auroc(digits: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"]) -> float:
    """Area under the ROC curve: the fraction of pairs in the right order, ties half (Mann-Whitney)."""
    ranked = np.sort(others)
    below, not_above = np.searchsorted(ranked, digits, "left"), np.searchsorted(ranked, digits, "right")
    return float((below + not_above).sum() / (2 * len(digits) * len(others)))


def refused(digits: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"]) -> float:
    """The fraction of the others below the highest threshold that answers `KEPT` of the digits."""
    keep = int(np.ceil(KEPT * len(digits) - 1e-9))
    threshold = np.sort(digits)[len(digits) - keep]
    return float((others < threshold).mean())


@functools.partial(jax.jit, static_argnames="apply")
def _logits(
    params: Params,
    images: UInt8[Array, "batch height width 1"] | Float[Array, "batch height width 1"],
    *,
    apply: ApplyFn,
) -> Logits:
    logits = apply(params, images.astype(jnp.float32) / 255 if images.dtype == jnp.uint8 else images)
    if not isinstance(logits, Logits):
        raise ValueError(f"the network answers a {type(logits).__name__}: give Logits(digits, is_digit)")
    for name, shape in (("digits", (len(images), 10)), ("is_digit", (len(images),))):
        part = getattr(logits, name)
        if part is not None and part.shape != shape:
            raise ValueError(f"the network answers {name} of shape {list(part.shape)}: give {list(shape)}")
    return logits


def _batches(
    images: Shaped[np.ndarray, "n height width 1"], size: int
) -> Iterator[Shaped[np.ndarray, "{size} height width 1"]]:
    """The images of each batch, the last one padded with paper."""
    for start in range(0, len(images), size):
        part = images[start : start + size]
        if len(part) < size:
            part = np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), part.dtype)])
        yield part


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _by_writer(
    examples: Examples, digits: Bool[np.ndarray, " n"], right: Bool[np.ndarray, " d"]
) -> dict[str, float]:
    answers: dict[str, list[bool]] = {}
    for index, ok in zip(np.flatnonzero(digits), right, strict=True):
        writer = examples.writers[index] if examples.writers is not None and len(examples.writers) else None
        if writer is not None:
            answers.setdefault(writer, []).append(bool(ok))
    return {writer: sum(oks) / len(oks) for writer, oks in sorted(answers.items())}
