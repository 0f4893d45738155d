"""What ten drawings teach: a network that never saw one way of writing a digit, and is then shown ten of it.

The way is left out of the procedural hand, of the training and of the replay alike: the sevens, or the twos,
whose lines cross themselves (the bar of a 7, the loop of a 2). Taught is what a person would correct: the
first drawings of that way that are misread. Tested are others, as they come.
"""

import time
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool

from digitjax.bench.forms_left_out import Way, only, without
from digitjax.config import TrainConfig
from digitjax.data.batches import Part, Store, make_batches
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.spec import Source
from digitjax.data.synthetic import sample
from digitjax.evaluate import answer_digits
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.strokes import Drawing
from digitjax.teach import REPLAYED, Teacher, store_of
from digitjax.train import init_state, make_train_step
from digitjax.types import Params, Segments

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


def measure(way: Way, config: TrainConfig, seed: int = 0) -> Taught:
    """Trains without a way of writing, teaches ten drawings of it, and tests two hundred others."""
    keys = jax.random.split(jax.random.key(1000 + seed), 3)
    known = _drawn(keys[0], TRAINING, *without(way))
    held_out = to_examples(_drawn(keys[1], HELD_OUT, *without(way)), config.model.geometry)
    of_way = _drawn(keys[2], TESTED + SEEN, *only(way))
    test = to_examples(_part(of_way, slice(TESTED)), config.model.geometry)
    seen = _part(of_way, slice(TESTED, None))
    store = store_of(known, config.model.geometry)
    params = _train(config, store)
    teacher = Teacher(config.model, params, [Part("synthetic", REPLAYED, store)], {"held out": held_out})
    before = float(_misread(config, params, test).mean())
    misread = _misread(config, params, to_examples(seen, config.model.geometry))
    corrected = np.argsort(~misread, kind="stable")[:TAUGHT]
    begin = time.monotonic()
    lesson = teacher.teach(_drawings(_part(seen, corrected)))
    seconds = time.monotonic() - begin
    after = float(_misread(config, lesson.params, test).mean())
    kept = lesson.before["held out"].accuracy, lesson.after["held out"].accuracy
    return Taught(way.name, before, after, *kept, seconds)


def _train(config: TrainConfig, store: Store) -> Params:
    """The trainer's step on drawings in memory."""
    model, step = make_model(config.model), make_train_step(config)
    batch_at = make_batches([Part("synthetic", config.batch_size, store)], config, config.model.geometry)
    state = init_state(jax.random.key(config.seed), model, make_optimizer(config))
    for number in range(config.total_steps):
        state, _ = step(state, batch_at(number))
    return jax.block_until_ready(state.params)


def _drawn(key: jax.Array, n: int, forms, paths) -> Source:
    draw = jax.jit(lambda one: sample(one, AT_ONCE, forms, paths))
    parts = [jax.device_get(draw(jax.random.fold_in(key, i))) for i in range(-(-n // AT_ONCE))]
    ends = np.concatenate([ink.ends for ink, _ in parts])[:n]
    mask = np.concatenate([ink.mask for ink, _ in parts])[:n]
    labels = np.concatenate([digits for _, digits in parts])[:n].astype(np.int8)
    return Source("synthetic", labels, tuple(map(str, labels.tolist())), ink=Segments(ends, mask))


def _part(source: Source, rows: slice | np.ndarray) -> Source:
    ink = jax.tree.map(lambda leaf: leaf[rows], source.ink)
    labels = source.labels[rows]
    return source._replace(labels=labels, words=tuple(map(str, labels.tolist())), ink=ink)


def _drawings(source: Source) -> list[Drawing]:
    """As a person would have drawn them: a stroke a chain of pieces."""
    assert source.ink is not None
    found = []
    for ends, mask, word in zip(
        np.asarray(source.ink.ends), np.asarray(source.ink.mask), source.words, strict=True
    ):
        strokes: list[list] = []
        for x0, y0, x1, y1 in ends[mask].tolist():
            if not strokes or strokes[-1][-1] != (x0, y0):
                strokes.append([(x0, y0)])
            strokes[-1].append((x1, y1))
        found.append(Drawing(tuple(np.array(stroke) for stroke in strokes), None, word, None, None))
    return found


def _misread(config: TrainConfig, params: Params, examples: Examples) -> Bool[np.ndarray, " n"]:
    answered = answer_digits(make_model(config.model), params, examples)
    return answered.log_p.argmax(axis=1) != answered.labels
