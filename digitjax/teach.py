"""Teaching a trained network a few labelled drawings, with replay, so that it forgets nothing.

The step, the optimizer and the batches are the trainer's. A sixteenth of each batch are the taught drawings,
each time moved anew; the rest is replayed. Drawings that are taught as no digit take the place of replayed
ones, so that they do not make the network refuse more in all. All is compiled before the first lesson.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int8, UInt8

from digitjax.config import ModelConfig, OptimConfig, TrainConfig
from digitjax.data.batches import NO_DIGITS, Part, Store, Taken, make_assemble, make_batches
from digitjax.data.labels import DIGITS, NOT_A_DIGIT, OTHER, label_of
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.spec import Source
from digitjax.errors import InputError
from digitjax.evaluate import Answers, apply_in_batches
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.segments import pack_all
from digitjax.strokes import Drawing
from digitjax.train import init_state, make_train_step
from digitjax.types import Batch, Params

TAUGHT, REPLAYED, STEPS = 8, 120, 100
"""Taught and replayed examples a step, and steps of a lesson."""
WAY = 0.6
"""How far the params go towards those that the lesson ends with: the last part costs more than it brings
(Wortsman et al., 2022, https://arxiv.org/abs/2109.01903). Chosen on forms that are not those measured."""
CONFIG = TrainConfig(
    epochs=1,
    epoch_examples=STEPS * (TAUGHT + REPLAYED),
    batch_size=TAUGHT + REPLAYED,
    optim=OptimConfig(learning_rate=1e-3, weight_decay=0.0, warmup=0.1),
)
"""What a lesson is: a sixth of a whole training's learning rate, risen and fallen once."""


ANSWERED, REFUSED = "answered", "refused"
"""Names of two more scores of a network that refuses: the held-out digits that it answers, right or not, and
what it refuses of what is no digit, drawn as the replayed is but in no lesson."""
UNSEEN = 50
"""Steps, after those of a lesson, of which what is no digit is held out."""


class Score(NamedTuple):
    """How many of `n` drawings are right: digits that are read, refused or not; others that are refused."""

    right: int
    n: int

    @property
    def accuracy(self) -> float:
        """Fraction that is right; 0 of none."""
        return self.right / self.n if self.n else 0.0

    @property
    def wrong(self) -> int:
        """How many are not right."""
        return self.n - self.right


class Lesson(NamedTuple):
    """Attributes:
    params: of the taught network.
    before: how well each set was read before, by its name; `ANSWERED` and `REFUSED` where it refuses.
    after: and afterwards.
    seconds: that the lesson took, measuring included.
    """

    params: Params
    before: dict[str, Score]
    after: dict[str, Score]
    seconds: float


class Teacher:
    """Teaches one network as often as one likes; nothing is compiled after the first lesson.

    Attributes:
        model: the network.
    """

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        replay: Sequence[Part],
        held_out: Mapping[str, Examples],
    ) -> None:
        """Compiles everything by a lesson that is thrown away.

        Args:
            config: of the network.
            params: its params; each lesson begins with them.
            replay: sources to replay, `REPLAYED` examples a step together.
            held_out: what is measured before and after, by name.

        Raises:
            InputError: the replay has another size.
        """
        if sum(part.take for part in replay) != REPLAYED:
            raise InputError(f"the replay takes other than {REPLAYED} examples a step: divide them anew")
        self._config = dataclasses.replace(CONFIG, model=config)
        self.model, self._params = make_model(config), params
        self._replay, self._held_out = tuple(replay), dict(held_out)
        self._step = make_train_step(self._config)
        self._assemble = make_assemble(
            self._parts(store_of(_blank(), config.geometry)), self._config, config.geometry
        )
        self._others = self._unseen() if config.rejects else None
        self._before = self._measured(params)
        self._learn(_blank(), 2)

    def begin_from(self, params: Params) -> None:
        """Lessons begin with these params from now on: the same network at another step of its training."""
        self._params, self._before = params, self._measured(params)

    def teach(
        self,
        drawings: Sequence[Drawing],
        at: Callable[[int, int], object] | None = None,
        beside: Mapping[str, Examples] | None = None,
    ) -> Lesson:
        """A lesson of drawings whose words are digits or, for a network that refuses, `labels.OTHER`.

        The network as it was given stays as it is.

        Args:
            drawings: what is taught.
            at: is told, after every tenth step, how many are done, and of how many.
            beside: what else is measured before and after this lesson, by name.

        Raises:
            InputError: there is no drawing, one with another word, or the network has none for what it is.
        """
        if not drawings or any(one.word not in (*DIGITS, OTHER) or not one.strokes for one in drawings):
            raise InputError(f"a lesson needs drawings that are labelled 0 to 9 or {OTHER}: label some first")
        labels = np.array([label_of(one.word or "") for one in drawings], np.int8)
        if (labels == NOT_A_DIGIT).any() and not self._config.model.rejects:
            raise InputError(
                'this network never says "not a digit": teach it digits, or another network those'
            )
        begin = time.monotonic()
        taught = Source("taught", labels, tuple(str(n) for n in labels), ink=pack_all(drawings))
        mine = to_examples(taught, self._config.model.geometry)
        beside = beside or {}
        before = {"taught": self._score(self._params, mine), **self._before}
        before |= {name: self._score(self._params, one) for name, one in beside.items()}
        params = self._learn(taught, STEPS, at)
        after = {"taught": self._score(params, mine), **self._measured(params)}
        after |= {name: self._score(params, one) for name, one in beside.items()}
        return Lesson(params, before, after, time.monotonic() - begin)

    def _learn(self, taught: Source, steps: int, at: Callable[[int, int], object] | None = None) -> Params:
        config, batch_at, weight = self._config, self._batches(taught), self._weights(taught)
        state = init_state(jax.random.key(config.seed), self.model, make_optimizer(config), self._params)
        for step in range(steps):
            state, _ = self._step(state, batch_at(step)._replace(weight=weight))
            if at is not None and (step + 1) % 10 == 0:
                jax.block_until_ready(state.step)
                at(step + 1, steps)
        return _between(self._params, state.params)

    def _parts(self, store: Store) -> list[Part]:
        return [Part("strokes", TAUGHT, store), *self._replay]

    def _batches(self, taught: Source) -> Callable[[int], Batch]:
        geometry = self._config.model.geometry
        parts = self._parts(store_of(taught, geometry))
        return make_batches(parts, self._config, geometry, assemble=self._assemble)

    def _replayed_others(self) -> Bool[np.ndarray, " batch"]:
        """Which rows of a batch are endlessly drawn and no digit."""
        endless = [part.name in NO_DIGITS and part.store is None for part in self._replay]
        return np.repeat([False, *endless], [TAUGHT, *(part.take for part in self._replay)])

    def _weights(self, taught: Source) -> Float[Array, " batch"]:
        """Ones; less for what is replayed and no digit, by as much as is taught and none."""
        others = self._replayed_others()
        instead = TAUGHT * (taught.labels == NOT_A_DIGIT).mean() / max(TAUGHT, others.sum())
        return jnp.asarray(np.where(others, 1 - instead, 1), jnp.float32)

    def _unseen(self) -> UInt8[np.ndarray, "n height width 1"]:
        """What is replayed and no digit, of steps that no lesson takes: nothing is compiled for it alone."""
        batch_at, others = self._batches(_blank()), self._replayed_others()
        drawn = [np.asarray(batch_at(STEPS + step).x)[others] for step in range(UNSEEN)]
        return np.rint(255 * np.concatenate(drawn)).astype(np.uint8)

    def _measured(self, params: Params) -> dict[str, Score]:
        scores, answered = {}, []
        for name, examples in self._held_out.items():
            said = apply_in_batches(self.model, params, examples.images)
            scores[name] = _right(said, examples.labels)
            if said.is_digit is not None:
                answered.append(said.is_digit[examples.labels < NOT_A_DIGIT] >= 0)
        if answered:
            scores[ANSWERED] = Score(int(sum(map(np.sum, answered))), sum(map(len, answered)))
        if self._others is not None and len(self._others):
            said = apply_in_batches(self.model, params, self._others)
            scores[REFUSED] = _right(said, np.full(len(self._others), NOT_A_DIGIT, np.int8))
        return scores

    def _score(self, params: Params, examples: Examples) -> Score:
        return _right(apply_in_batches(self.model, params, examples.images), examples.labels)


def _right(said: Answers, labels: Int8[np.ndarray, " n"]) -> Score:
    """Digits whose likeliest answer is right, others that are refused; without a second head only digits."""
    digits = labels < NOT_A_DIGIT
    right = said.log_p.argmax(axis=1) == labels
    if said.is_digit is None:
        return Score(int(right.sum()), int(digits.sum()))
    return Score(int(np.where(digits, right, said.is_digit < 0).sum()), len(labels))


@jax.jit
def _between(before: Params, after: Params) -> Params:
    """`WAY` from the one to the other."""
    return jax.tree.map(lambda one, other: one + WAY * (other - one), before, after)


def _blank() -> Source:
    """One drawing to compile with."""
    drawing = Drawing((np.array([[0.0, 0.0], [0.0, 9.0]]),), None, "1", None, None)
    return Source("taught", np.ones(1, np.int8), ("1",), ink=pack_all([drawing]))


def store_of(source: Source, geometry: str) -> Store:
    """A source's examples as a batch takes them: ink of one shape, pictures in the model's geometry."""
    if source.ink is None:
        images = to_examples(source, geometry).images
        return Store(len(images), lambda indices: Taken(source.labels[indices], images[indices]))
    ink: Any = source.ink

    def take(indices: Int[np.ndarray, " taken"]) -> Taken:
        return Taken(source.labels[indices], None, jax.tree.map(lambda leaf: np.asarray(leaf)[indices], ink))

    return Store(len(source.labels), take)
