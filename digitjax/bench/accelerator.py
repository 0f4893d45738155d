"""`bench accelerator`: a preset step by step, in the trainer's spans, in bfloat16, with many seeds at once.

Data and states are on the device; times leave compiling out, which is told apart. It runs on a CPU as well,
where it shows why the trainer goes step by step there, and why `sweep` loops.
"""

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from digitjax.augment import make_augment
from digitjax.config import TrainConfig
from digitjax.convolution import as_product
from digitjax.data import load
from digitjax.data.pipeline import Examples, Pipeline, make_pipeline, to_examples
from digitjax.evaluate import answer_digits, loss_and_accuracy
from digitjax.models import in_bfloat16, make_model, member_of
from digitjax.optim import make_optimizer
from digitjax.spans import MOST, length, make_loop, room_of, wanted
from digitjax.together import feeds, first_states, side_by_side
from digitjax.train import init_state, train_step
from digitjax.types import Model, Params, TrainState

GROUPS = 3
"""Trainings of several members in each way at most: each has as many seeds as members."""


class Way(NamedTuple):
    """How to train.

    Attributes:
        name: for people.
        model: the network, in the form and precision to be measured.
        looped: many steps a dispatch, as the trainer takes them on an accelerator; else one.
        members: trainings that count as one.
        batched: whether they run at once.
    """

    name: str
    model: Model
    looped: bool = True
    members: int = 1
    batched: bool = False


class Figure(NamedTuple):
    """One row.

    Attributes:
        name: what ran.
        compile_seconds: by which the first training took longer than the others.
        seconds: median of a whole training.
        images_per_second: of all members together.
        ratio: of the seconds by those of one training as the trainer does it on this device.
        accuracy: mean over seeds on MNIST's test split, 0 to 1.
        accuracy_sd: None for one seed.
    """

    name: str
    compile_seconds: float
    seconds: float
    images_per_second: float
    ratio: float
    accuracy: float
    accuracy_sd: float | None


def measure(config: TrainConfig, *, seeds: int, members: int, examples: int | None) -> Iterator[Figure]:
    """Trains the network of a configuration in each way; first as the trainer does it here.

    Args:
        config: network, optimizer, batch size, epochs.
        seeds: trainings of one in each way, one after the other; of several members `GROUPS` at most.
        members: trainings at once.
        examples: an epoch; None for as many as the configuration's.
    """
    model = make_model(config.model)
    config = dataclasses.replace(config, data=("mnist",))
    if examples is not None:
        config = dataclasses.replace(config, epoch_examples=examples)
    pipeline = make_pipeline(config, model.geometry)
    test = to_examples(load("mnist@test"), model.geometry)
    first: Figure | None = None
    for way in _ways(config, model, members):
        times = seeds if way.members == 1 else min(seeds, GROUPS)
        found = _train_all(way, config, times, pipeline, test)
        first = first or found
        yield found._replace(ratio=found.seconds / first.seconds)


def _ways(config: TrainConfig, model: Model, members: int) -> list[Way]:
    products = make_model(config.model, as_product)
    as_trained, low, in_low = wanted(), config.precision == "bfloat16", in_bfloat16(products)
    if low:
        model, products = in_bfloat16(model), in_low
    stepped, looped = Way("step by step", model, looped=False), Way("many steps a dispatch", model)
    return [
        *((looped, stepped) if as_trained else (stepped, looped)),
        *([] if low else [Way("many steps a dispatch, bfloat16", in_bfloat16(model))]),
        Way(f"{members} seeds, one after the other", model, as_trained, members),
        Way(f"{members} seeds at once, convolutions", model, True, members, True),
        Way(f"{members} seeds at once, products", products, True, members, True),
        *([] if low else [Way(f"{members} seeds at once, products, bfloat16", in_low, True, members, True)]),
    ]


def _train_all(way: Way, config: TrainConfig, seeds: int, pipeline: Pipeline, test: Examples) -> Figure:
    """Trains `seeds` times in one way."""
    train = train_members(way, config, pipeline)
    used = make_model(config.model)  # in float32, whatever it was trained in
    seconds, accuracies = [], []
    for number in range(seeds + 1):  # the first one compiles, and counts for nothing else
        own = list(range(number * way.members, (number + 1) * way.members))
        begun = time.monotonic()
        params = jax.block_until_ready(train(own))
        seconds.append(time.monotonic() - begun)
        if number:
            accuracies += [loss_and_accuracy(answer_digits(used, one, test))[1] for one in params]
    median = statistics.median(seconds[1:])
    images = way.members * config.total_steps * config.batch_size
    return Figure(
        way.name,
        max(seconds[0] - median, 0.0),
        median,
        images / median,
        1.0,
        statistics.mean(accuracies),
        statistics.stdev(accuracies) if len(accuracies) > 1 else None,
    )


def train_members(
    way: Way, config: TrainConfig, pipeline: Pipeline
) -> Callable[[Sequence[int]], list[Params]]:
    """A function from seeds to the params that each is trained to; in one group, or one after the other."""
    tx = make_optimizer(config)
    step = functools.partial(train_step, model=way.model, tx=tx, augment=make_augment(config.augment))
    init = jax.jit(lambda key: init_state(key, way.model, tx))
    run = _looped(way, step, config, pipeline) if way.looped else _stepped(step, config, pipeline)

    def train(seeds: Sequence[int]) -> list[Params]:
        if not way.batched:
            return [run(init(jax.random.key(seed)), [seed]).params for seed in seeds]
        configs = [dataclasses.replace(config, seed=seed) for seed in seeds]
        params = jax.device_get(run(first_states(configs), seeds).params)
        return [member_of(params, place) for place in range(len(seeds))]

    return train


def _stepped(
    step: Callable[..., Any], config: TrainConfig, pipeline: Pipeline
) -> Callable[[TrainState, Sequence[int]], TrainState]:
    """A whole training of one seed, a dispatch each step."""
    one = jax.jit(step, donate_argnums=0)

    def run(state: TrainState, seeds: Sequence[int]) -> TrainState:
        batch_at = pipeline.reseeded(dataclasses.replace(config, seed=seeds[0]))
        for done in range(config.total_steps):
            state, _ = one(state, batch_at(done))
        return state

    return run


def _looped(
    way: Way, step: Callable[..., Any], config: TrainConfig, pipeline: Pipeline
) -> Callable[[TrainState, Sequence[int]], TrainState]:
    """A whole training of one seed, or of several at once, by the trainer's own loop."""
    batches, room = pipeline.on_device, room_of(config)
    assert batches is not None
    loop = side_by_side(step, batches, config) if way.batched else make_loop(step, batches, room)
    loop = jax.jit(loop, donate_argnums=0)

    def run(state: TrainState, seeds: Sequence[int]) -> TrainState:
        configs = [dataclasses.replace(config, seed=seed) for seed in seeds]
        done = 0
        while done < config.total_steps:
            count = length(done, config, MOST)  # as the trainer: it stops where params are kept
            if way.batched:
                feed = feeds(configs, batches, done, count)
            else:
                feed = batches.feed(configs[0], done, count, room)
            state, _ = loop(state, batches.held, feed, np.int32(count))
            done += count
        return state

    return run
