"""Many train steps in one dispatch, for accelerators: the examples lie on the device, the state is donated.

    state, held, feed (which examples each step takes), count -> loop -> state, metrics of each step

The loop's length is a number that it is given, so one program does for every span. A GPU is asked after each
turn of a loop of unknown length whether it was the last, and only one of known length goes on by itself: so
steps are taken by the eight, and what would be too many change nothing. On the CPU a convolution
inside a loop is far slower than outside (jax-ml/jax#12868): there the trainer goes step by step.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from digitjax import sharding
from digitjax.config import TrainConfig
from digitjax.data.batches import Feed, OnDevice, Taken
from digitjax.metrics import is_kept
from digitjax.types import Batch, Metrics, TrainState

MOST = 1000
"""Steps in one dispatch at most."""
TURNS = 8
"""Steps between two questions whether the span has ended."""
MOST_EXAMPLES = 1 << 24
"""Examples in one dispatch at most: four bytes of each go to the device, which is which."""

Loop = Callable[[TrainState, list[Taken | None], Feed, Any], tuple[TrainState, Metrics]]
"""From a state, the examples, which of them each step takes, and how many steps to the state after them and
the metrics of each; there is room for more, a multiple of `TURNS`, and what follows the last step's does not
count."""
Spans = Callable[[TrainConfig, TrainState, int, int], tuple[TrainState, int, Metrics]]
"""From a configuration (its seed and label smoothing count), a state, the steps done and how many may follow
to the state after some of them, how many those are, and their metrics, perhaps with room for more."""


def wanted() -> bool:
    """Whether this machine trains faster that way, and alone."""
    return jax.default_backend() != "cpu" and jax.process_count() == 1


def make_loop(
    step: sharding.Step,
    batches: OnDevice,
    room: int,
    divide: Callable[[Batch], Batch] = lambda batch: batch,
) -> Loop:
    """The train step in a loop; pure, not jitted: donate the first argument, vmap over members.

    Args:
        step: the train step.
        batches: what it learns from.
        room: steps that there may be at most.
        divide: what is done to a batch before the step.
    """

    def loop(
        state: TrainState, held: list[Taken | None], feed: Feed, count: Any
    ) -> tuple[TrainState, Metrics]:
        def turn(place: Any, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
            before, measured = carry
            state, metrics = step(before, divide(batches.batch_of(held, feed, place)))
            changed = jax.tree.map(
                lambda new, old: jnp.where(place < count, new, old),
                state._replace(key=None),
                before._replace(key=None),
            )
            measured = jax.tree.map(lambda all_, one: all_.at[place].set(one), measured, metrics)
            return changed._replace(key=before.key), measured

        def turns(number: Any, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
            return jax.lax.fori_loop(0, TURNS, lambda more, it: turn(TURNS * number + more, it), carry)

        _, shapes = jax.eval_shape(step, state, batches.batch_of(held, feed, jnp.int32(0)))
        padded = -(-room // TURNS) * TURNS
        empty = jax.tree.map(lambda one: jnp.zeros((padded, *one.shape), one.dtype), shapes)
        return jax.lax.fori_loop(0, (count + TURNS - 1) // TURNS, turns, (state, empty))

    return loop


def make_spans(step: sharding.Step, batches: OnDevice, config: TrainConfig, mesh: jax.sharding.Mesh) -> Spans:
    """The loop, compiled, for the spans of a configuration.

    Args:
        step: the train step.
        batches: what it learns from.
        config: of which the lengths of a run and of an epoch count.
        mesh: the devices of this process; a batch is divided among them.
    """
    room, held = room_of(config), batches.held
    loop = make_loop(step, batches, room, lambda batch: sharding.divide(batch, mesh))
    compiled = sharding.same_everywhere(loop, mesh)
    if mesh.size > 1:
        held = sharding.replicate(held, mesh)

    def spans(
        config: TrainConfig, state: TrainState, done: int, most: int
    ) -> tuple[TrainState, int, Metrics]:
        count = length(done, config, most)
        state, metrics = compiled(state, held, batches.feed(config, done, count, room), np.int32(count))
        return state, count, metrics

    return spans


def room_of(config: TrainConfig) -> int:
    """Steps that one dispatch takes at most."""
    return max(1, min(MOST, MOST_EXAMPLES // config.batch_size, config.steps_per_epoch))


def length(done: int, config: TrainConfig, most: int) -> int:
    """Steps from `done` to the next whose params are kept, at most `most` and what one dispatch takes."""
    last = min(done + min(room_of(config), most), config.total_steps)
    ends = (step for step in range(done + 1, last) if is_kept(step, config))
    return next(ends, last) - done
