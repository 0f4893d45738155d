"""Teaching a trained network a few labelled drawings, with replay, so that it forgets nothing.

The step, the optimizer and the batches are the trainer's. A sixteenth of each batch are the taught drawings,
each time moved anew; the rest is replayed. All is compiled before the first lesson.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from digitjax.config import ModelConfig, OptimConfig, TrainConfig
from digitjax.data.batches import Part, Store, Taken, make_assemble, make_batches
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.spec import Source
from digitjax.errors import InputError
from digitjax.evaluate import answer_digits
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.segments import pack_all
from digitjax.strokes import Drawing
from digitjax.train import init_state, make_train_step
from digitjax.types import Params

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


class Score(NamedTuple):
    """How many of `n` digits are read."""

    right: int
    n: int

    @property
    def accuracy(self) -> float:
        """Fraction read; 0 of none."""
        return self.right / self.n if self.n else 0.0

    @property
    def wrong(self) -> int:
        """How many are not read."""
        return self.n - self.right


class Lesson(NamedTuple):
    """Attributes:
    params: of the taught network.
    before: how well each set was read before, by its name.
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
        """A lesson of drawings whose words are digits; the network as it was given stays as it is.

        Args:
            drawings: what is taught.
            at: is told, after every tenth step, how many are done, and of how many.
            beside: what else is measured before and after this lesson, by name.

        Raises:
            InputError: there is no drawing, or one without a digit for its word.
        """
        if not drawings or any(one.word not in set("0123456789") or not one.strokes for one in drawings):
            raise InputError("a lesson needs drawings that are labelled 0 to 9: label some first")
        begin = time.monotonic()
        labels = np.array([int(one.word or 0) for one in drawings], np.int8)
        taught = Source("taught", labels, tuple(str(n) for n in labels), ink=pack_all(drawings))
        mine = to_examples(taught, self._config.model.geometry)
        before = {"taught": self._score(self._params, mine), **self._before}
        before |= {name: self._score(self._params, one) for name, one in (beside or {}).items()}
        params = self._learn(taught, STEPS, at)
        measured = {"taught": mine, **self._held_out, **(beside or {})}
        after = {name: self._score(params, one) for name, one in measured.items()}
        return Lesson(params, before, after, time.monotonic() - begin)

    def _learn(self, taught: Source, steps: int, at: Callable[[int, int], object] | None = None) -> Params:
        config = self._config
        batch_at = make_batches(
            self._parts(store_of(taught, config.model.geometry)),
            config,
            config.model.geometry,
            assemble=self._assemble,
        )
        state = init_state(jax.random.key(config.seed), self.model, make_optimizer(config), self._params)
        for step in range(steps):
            state, _ = self._step(state, batch_at(step))
            if at is not None and (step + 1) % 10 == 0:
                jax.block_until_ready(state.step)
                at(step + 1, steps)
        return _between(self._params, state.params)

    def _parts(self, store: Store) -> list[Part]:
        return [Part("strokes", TAUGHT, store), *self._replay]

    def _measured(self, params: Params) -> dict[str, Score]:
        return {name: self._score(params, one) for name, one in self._held_out.items()}

    def _score(self, params: Params, examples: Examples) -> Score:
        answered = answer_digits(self.model, params, examples)
        return Score(int((answered.log_p.argmax(axis=1) == answered.labels).sum()), len(answered.labels))


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
