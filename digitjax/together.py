"""Members of a sweep at once, for accelerators: states side by side, convolutions as batched products.

fresh states -> stacked -> the trainer's loop under vmap -> a course each -> the trainer, which takes
that in place of steps of its own and leaves a run like any other
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from digitjax import spans
from digitjax.config import OptimConfig, TrainConfig, multiply_adds
from digitjax.convolution import as_product
from digitjax.data.batches import Feed, OnDevice, base_key
from digitjax.metrics import is_kept
from digitjax.models import count_params, make_model, member_of, stack_members
from digitjax.normalize import geometry_shape
from digitjax.optim import make_optimizer, with_hyperparams
from digitjax.prepare import Prepared, first_state
from digitjax.sharding import Step
from digitjax.train import init_state, make_train_step
from digitjax.types import Metrics, Params, TrainState

MEMBERS = 64
"""Members at once at most."""
MOST_MULTIPLY_ADDS = 1 << 30
"""Multiply-adds of a member's forward pass over a batch at most: a larger one fills a GPU alone."""
HELD_BYTES = 2 << 30
"""Memory in which the courses are held until they are written, at most."""


class Course(NamedTuple):
    """How one member was trained.

    Attributes:
        kept: params and optimizer state after each step whose params are kept, NumPy.
        metrics: of every step, NumPy.
        seconds: its share of the time.
    """

    kept: Mapping[int, tuple[Params, Any]]
    metrics: Metrics
    seconds: float


def wanted(config: TrainConfig) -> bool:
    """Whether this machine trains members of a configuration faster at once than one after the other."""
    side = geometry_shape(config.model.geometry).height
    small = config.batch_size * multiply_adds(config.model, side) <= MOST_MULTIPLY_ADDS
    return spans.wanted() and jax.device_count() == 1 and small


def most(config: TrainConfig) -> int:
    """How many members of a configuration are trained at once at most."""
    params = jax.eval_shape(make_model(config.model).init, jax.random.key(0))
    ends = config.epochs + config.total_steps.bit_length()  # or fewer, see `metrics.is_kept`
    bytes_each = ends * 3 * 4 * count_params(params)  # Adam has two numbers for each param
    return max(1, min(MEMBERS, HELD_BYTES // bytes_each))


def train(configs: Sequence[TrainConfig], ready: Prepared) -> list[Course]:
    """Trains all members from their first step to the last.

    Args:
        configs: they differ in seed, start, learning rate, weight decay and label smoothing at most.
        ready: of any of them, its examples on the device.
    """
    batches = ready.pipeline.on_device
    assert batches is not None
    begun, config, done = time.monotonic(), configs[0], 0
    step = make_train_step(config, teacher=ready.teacher, convolution=as_product)
    loop = jax.jit(side_by_side(step, batches, config), donate_argnums=0)
    state = first_states(configs)
    kept: dict[int, Any] = {}
    parts: list[Metrics] = []
    count = spans.length(done, config, spans.MOST)
    feed = feeds(configs, batches, done, count)
    while done < config.total_steps:
        state, measured = loop(state, batches.held, feed, np.int32(count))
        done, taken = done + count, count
        if done < config.total_steps:  # the next one's feed is made while the device is at this one
            count = spans.length(done, config, spans.MOST)
            feed = feeds(configs, batches, done, count)
        parts.append(jax.tree.map(lambda leaf, taken=taken: np.asarray(leaf)[:, :taken], measured))
        if is_kept(done, config):
            kept[done] = jax.device_get((state.params, state.opt_state))
    metrics = jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)
    seconds = (time.monotonic() - begun) / len(configs)
    found = []
    for place in range(len(configs)):
        own = {end: member_of(held, place) for end, held in kept.items()}
        found.append(Course(own, member_of(metrics, place), seconds))
    return found


def first_states(configs: Sequence[TrainConfig]) -> TrainState:
    """The states before the first step, side by side; by one program where none begins with a checkpoint."""
    if any(config.start for config in configs):
        return stack_members([first_state(one) for one in configs])
    seeds = np.asarray([config.seed for config in configs], np.uint32)
    # Learning rate and weight decay are set below, and label smoothing has no part in a state.
    alike = dataclasses.replace(configs[0], seed=0, optim=OptimConfig(warmup=configs[0].optim.warmup))
    state = _fresh_states(alike)(seeds)
    own = {
        name: jnp.asarray([getattr(config.optim, name) for config in configs], jnp.float32)
        for name in ("learning_rate", "weight_decay")
    }
    return with_hyperparams(state, own)


@functools.lru_cache(maxsize=8)
def _fresh_states(config: TrainConfig) -> Callable[[Any], TrainState]:
    """From the seeds of several members, u32[members], to their states: one program for all groups."""
    model, tx = make_model(config.model), make_optimizer(config)
    return jax.jit(jax.vmap(lambda seed: init_state(jax.random.key(seed), model, tx)))


def taking(ready: Prepared, course: Course) -> Prepared:
    """What the trainer is given to write a member's run: it takes the course in place of steps of its own."""

    def spans(
        config: TrainConfig, state: TrainState, done: int, most: int
    ) -> tuple[TrainState, int, Metrics]:
        end = min(step for step in course.kept if step > done)
        params, opt_state = jax.device_put(course.kept[end])
        taken = jax.tree.map(lambda leaf: leaf[done:end], course.metrics)
        return state._replace(params=params, opt_state=opt_state, step=jnp.int32(end)), end - done, taken

    return ready._replace(spans=spans, spent=course.seconds)


def side_by_side(step: Step, batches: OnDevice, config: TrainConfig) -> spans.Loop:
    """The trainer's loop for several members at once; pure, not jitted.

    Args:
        step: the train step of one member; convolutions should be products, `as_product`.
        batches: what it learns from.
        config: of any member.
    """
    own = ("base", "smoothing", "indices")
    axes: Any = {name: 0 if name in own else None for name in Feed._fields}
    loop = spans.make_loop(step, batches, spans.room_of(config))
    return jax.vmap(loop, in_axes=(0, None, Feed(**axes), None))


def feeds(configs: Sequence[TrainConfig], batches: OnDevice, done: int, count: int) -> Feed:
    """What the members' loop is told of the `count` steps after `done`."""
    room = spans.room_of(configs[0])
    each = [batches.indices(config, done, count, room) for config in configs]
    seeds = np.asarray([config.seed for config in configs], np.uint32)
    return Feed(
        jax.vmap(base_key)(seeds),
        np.asarray([config.optim.label_smoothing for config in configs], np.float32),
        np.arange(done, done + room, dtype=np.int32),
        jax.tree.map(lambda *rows: np.stack(rows), *each),
    )
