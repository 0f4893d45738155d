"""What ten corrections teach a network about one person's hand: the writers that it reads worst, one by one.

Half of a writer's digits, by lot, are what the person has drawn before the lesson. Taught are ten of them:
those that are misread, as one would correct them, and where these are fewer others as they come. The rest of
the writer's digits are read before and after. Each writer is taught to the same network anew.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from digitjax.bench.parts import drawings_of, part_of
from digitjax.data.audit import Audit, findings
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.spec import Source
from digitjax.errors import InputError
from digitjax.evaluate import apply_in_batches
from digitjax.teach import ANSWERED, REFUSED, Score, Teacher
from digitjax.types import Model, Params

TAUGHT = 10
LEAST = 2 * TAUGHT
"""Digits of a writer that is measured, at least."""


class Writer(NamedTuple):
    """One lesson.

    Attributes:
        name: of the writer.
        corrected: how many of the taught drawings were misread.
        before: how many of the rest were read.
        after: and after the lesson.
        held_out_before: accuracy on held-out digits, none of them the writer's.
        held_out_after: after the lesson.
        seconds: of the lesson in a warm teacher.
    """

    name: str
    corrected: int
    before: Score
    after: Score
    held_out_before: float
    held_out_after: float
    seconds: float


class Digits(NamedTuple):
    """The digits of a source whose writers are known.

    Attributes:
        source: they alone, as ink.
        examples: the same as the network sees them.
        writers: who drew each.
        right: whether the network reads it.
    """

    source: Source
    examples: Examples
    writers: np.ndarray
    right: Bool[np.ndarray, " n"]


def read_digits(model: Model, params: Params, source: Source, audit: Audit) -> Digits:
    """The digits of known writers whose labels no reader doubts.

    Raises:
        InputError: there is no ink, or no writer is known.
    """
    if source.ink is None or source.writers is None:
        raise InputError(f"{source.name} has no drawings of known writers: give strokes with writers")
    examples = to_examples(source, model.geometry)
    doubted = [finding is not None for finding in findings(source.ids, source.labels, audit)]
    known = [writer is not None for writer in source.writers]
    rows = np.flatnonzero((source.labels < 10) & np.array(known) & ~np.array(doubted))
    examples = examples._replace(images=examples.images[rows], labels=examples.labels[rows])
    answers = apply_in_batches(model, params, examples.images)
    right = answers.log_p.argmax(axis=1) == examples.labels
    return Digits(part_of(source, rows), examples, np.array([source.writers[row] for row in rows]), right)


def worst_writers(digits: Digits, count: int) -> list[str]:
    """The writers of at least `LEAST` digits that are read worst, the worst first."""
    names, numbers = np.unique(digits.writers, return_inverse=True)
    n = np.bincount(numbers)
    accuracy = np.bincount(numbers, digits.right) / n
    order = np.argsort(accuracy, kind="stable")
    return [str(names[i]) for i in order if n[i] >= LEAST][:count]


def measure(teacher: Teacher, digits: Digits, names: list[str], seed: int) -> Iterator[Writer]:
    """A lesson for each of the named writers.

    Args:
        teacher: of the network that has read the digits, with one held-out set.
        digits: of these and other writers.
        names: of the writers.
        seed: deals their digits.
    """
    for name in names:
        taught, rest = dealt(digits, name, seed)
        lesson = teacher.teach(drawings_of(part_of(digits.source, taught)))
        answers = apply_in_batches(teacher.model, lesson.params, digits.examples.images[rest])
        right = answers.log_p.argmax(axis=1) == digits.examples.labels[rest]
        (kept,) = lesson.before.keys() - {"taught", ANSWERED, REFUSED}
        yield Writer(
            name,
            corrected=int((~digits.right[taught]).sum()),
            before=Score(int(digits.right[rest].sum()), len(rest)),
            after=Score(int(right.sum()), len(rest)),
            held_out_before=lesson.before[kept].accuracy,
            held_out_after=lesson.after[kept].accuracy,
            seconds=lesson.seconds,
        )


def dealt(
    digits: Digits, name: str, seed: int
) -> tuple[Int[np.ndarray, " taught"], Int[np.ndarray, " rest"]]:
    """Which of a writer's digits are taught, and all others."""
    own = np.flatnonzero(digits.writers == name)
    order = np.random.default_rng([seed, *name.encode()]).permutation(own)
    drawn = order[: len(own) // 2]
    taught = drawn[np.argsort(digits.right[drawn], kind="stable")][:TAUGHT]
    return taught, np.setdiff1d(own, taught)
