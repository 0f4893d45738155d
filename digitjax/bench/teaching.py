"""What ten drawings teach: a network that never saw a way of writing a digit, and is then shown ten of it.

The ways are left out of the procedural hand, of the training and of the replay alike: the sevens with a bar
and the twos with a loop. Each is a lesson of its own to the same network. Taught is what a person would
correct: the first drawings of that way that are misread. Tested are others, as they come.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool

from digitjax.bench.forms_left_out import Strokes, Way, is_without, only, shows, without
from digitjax.bench.parts import drawings_of, part_of
from digitjax.config import TrainConfig
from digitjax.data.batches import Part, Store, make_batches
from digitjax.data.forms import Forms
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.skeletons import Skeletons
from digitjax.data.spec import Source
from digitjax.data.synthetic import sample
from digitjax.evaluate import answer_digits
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.teach import REPLAYED, Teacher, store_of
from digitjax.train import init_state, make_train_step
from digitjax.types import Params

TRAINING, HELD_OUT, TAUGHT, TESTED = 60_000, 10_000, 10, 200
SEEN = 800
"""Drawings among which those to correct are found."""
AT_ONCE = 5_000


class Taught(NamedTuple):
    """One trial.

    Attributes:
        way: what was left out.
        wrong_before: part of `TESTED` drawings of it that are misread.
        wrong_after: after the lesson.
        held_out_before: accuracy on `HELD_OUT` drawings without that way.
        held_out_after: after the lesson.
        seconds: of the lesson in a warm teacher.
    """

    way: str
    wrong_before: float
    wrong_after: float
    held_out_before: float
    held_out_after: float
    seconds: float

    @property
    def cut(self) -> float:
        """Part of the errors that the lesson takes away."""
        return 1 - self.wrong_after / self.wrong_before if self.wrong_before else 0.0


def measure(ways: Sequence[Way], config: TrainConfig, seed: int = 0) -> Iterator[Taught]:
    """Trains without all of these ways; of each teaches ten drawings and tests two hundred others."""
    keys = jax.random.split(jax.random.key(1000 + seed), 3)
    known = drawn_without(ways, keys[0], TRAINING)
    held_out = to_examples(drawn_without(ways, keys[1], HELD_OUT), config.model.geometry)
    store = store_of(known, config.model.geometry)
    params = _train(config, store)
    teacher = Teacher(config.model, params, [Part("synthetic", REPLAYED, store)], {"held out": held_out})
    for way in ways:
        yield _taught(teacher, params, way, drawn_only(way, keys[2], TESTED + SEEN), config.model.geometry)


def _taught(teacher: Teacher, params: Params, way: Way, drawn: Source, geometry: str) -> Taught:
    """A lesson of what a network misreads of a way, and what that changes."""
    test = to_examples(part_of(drawn, slice(TESTED)), geometry)
    seen = part_of(drawn, slice(TESTED, None))
    misread = _misread(teacher, params, to_examples(seen, geometry))
    corrected = np.argsort(~misread, kind="stable")[:TAUGHT]
    lesson = teacher.teach(drawings_of(part_of(seen, corrected)))
    return Taught(
        way.name,
        float(_misread(teacher, params, test).mean()),
        float(_misread(teacher, lesson.params, test).mean()),
        lesson.before["held out"].accuracy,
        lesson.after["held out"].accuracy,
        lesson.seconds,
    )


def _train(config: TrainConfig, store: Store) -> Params:
    """The trainer's step on drawings in memory."""
    model, step = make_model(config.model), make_train_step(config)
    batch_at = make_batches([Part("synthetic", config.batch_size, store)], config, config.model.geometry)
    state = init_state(jax.random.key(config.seed), model, make_optimizer(config))
    for number in range(config.total_steps):
        state, _ = step(state, batch_at(number))
    return jax.block_until_ready(state.params)


def drawn_without(ways: Sequence[Way], key: jax.Array, n: int) -> Source:
    """`n` procedural digits of which none has anything of these ways."""
    return _drawn(key, n, without(ways), lambda digit, strokes: is_without(ways, digit, strokes))


def drawn_only(way: Way, key: jax.Array, n: int) -> Source:
    """`n` procedural digits that are plainly of the way."""
    return _drawn(key, n, only(way), lambda _, strokes: shows(way, strokes))


def _drawn(
    key: jax.Array, n: int, tables: tuple[Forms, Skeletons], keep: Callable[[int, Strokes], bool]
) -> Source:
    draw = jax.jit(lambda one: sample(one, min(AT_ONCE, 2 * n), *tables))
    parts, kept = [], 0
    while kept < n:
        ink, digits = jax.device_get(draw(jax.random.fold_in(key, len(parts))))
        whole = Source("synthetic", digits.astype(np.int8), tuple(map(str, digits.tolist())), ink=ink)
        rows = [
            row for row, one in enumerate(drawings_of(whole)) if keep(int(digits[row]), list(one.strokes))
        ]
        parts.append(part_of(whole, np.array(rows, int)))
        kept += len(rows)
    ink = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:n], *[part.ink for part in parts])
    labels = np.concatenate([part.labels for part in parts])[:n]
    return Source("synthetic", labels, tuple(map(str, labels.tolist())), ink=ink)


def _misread(teacher: Teacher, params: Params, examples: Examples) -> Bool[np.ndarray, " n"]:
    answered = answer_digits(teacher.model, params, examples)
    return answered.log_p.argmax(axis=1) != answered.labels
