"""`bench accelerator`: a preset step by step, by whole epochs, in bfloat16, with many seeds at once.

Data and states are on the device; times leave compiling out, which is told apart. It runs on a CPU as well,
where it shows why the trainer goes step by step there, and why `sweep` loops.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from digitjax.augment import make_augment, moves_pictures
from digitjax.config import TrainConfig
from digitjax.convolution import as_product
from digitjax.data import load
from digitjax.data.pipeline import Examples, to_examples
from digitjax.epochs import Data, in_bfloat16, make_steps, order_of
from digitjax.evaluate import answer_digits, loss_and_accuracy
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.train import init_state
from digitjax.types import Model, Params


class Way(NamedTuple):
    """How to train.

    Attributes:
        name: for people.
        model: the network, in the form and precision to be measured.
        at_once: steps a dispatch; None for an epoch.
        members: trainings that count as one.
        batched: whether they run at once.
    """

    name: str
    model: Model
    at_once: int | None = None
    members: int = 1
    batched: bool = False


class Figure(NamedTuple):
    """One row.

    Attributes:
        name: what ran.
        compile_seconds: by which the first training took longer than the others.
        seconds: median of a whole training.
        images_per_second: of all members together.
        ratio: of the seconds by those of one training step by step.
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


def measure(
    config: TrainConfig, *, seeds: int, members: int, examples: int | None, tell: Callable[[str], None]
) -> list[Figure]:
    """Trains the network of a configuration in each way.

    Args:
        config: network, optimizer, batch size, epochs.
        seeds: trainings of each way, one after the other.
        members: trainings at once.
        examples: of the training split; None for as many as an epoch of the configuration has.
        tell: says what has been done.
    """
    model = make_model(config.model)
    train, test = (to_examples(load(f"mnist@{split}"), model.geometry) for split in ("train", "test"))
    n = min(examples or config.epoch_examples, len(train.labels))
    config = dataclasses.replace(config, epoch_examples=n)
    data = jax.device_put(Data(train.images[:n], train.labels[:n].astype(np.int32)))
    first = _train_all(Way("step by step", model, 1), config, seeds, data, test, None)
    tell(f"{first.name}: {first.seconds:.3f} s")
    found = [first]
    for way in _ways(config, model, members):
        found.append(_train_all(way, config, seeds, data, test, first))
        tell(f"{way.name}: {found[-1].seconds:.3f} s")
    return found


def _ways(config: TrainConfig, model: Model, members: int) -> list[Way]:
    products = make_model(config.model, as_product)
    at_once = 1 if jax.default_backend() == "cpu" else None  # as the trainer of this backend would loop
    return [
        Way("an epoch a dispatch", model),
        Way("an epoch a dispatch, bfloat16", in_bfloat16(model)),
        Way(f"{members} seeds, one after the other", model, at_once, members),
        Way(f"{members} seeds at once, convolutions", model, None, members, True),
        Way(f"{members} seeds at once, products", products, None, members, True),
        Way(f"{members} seeds at once, products, bfloat16", in_bfloat16(products), None, members, True),
    ]


def _train_all(
    way: Way, config: TrainConfig, seeds: int, data: Data, test: Examples, first: Figure | None
) -> Figure:
    """Trains `seeds` times in one way."""
    tx = make_optimizer(config)
    augment = make_augment(config.augment) if moves_pictures(config.augment) else None
    smoothing = config.optim.label_smoothing
    steps = make_steps(way.model, tx, label_smoothing=smoothing, augment=augment)
    init = jax.jit(lambda key: init_state(key, way.model, tx))
    if way.batched:
        steps, init = jax.vmap(steps, in_axes=(0, None, 0)), jax.vmap(init)
    run, init = jax.jit(steps, donate_argnums=0), jax.jit(init)
    n = len(data.labels)

    def train(seeds: list[int]) -> list[Params]:
        """The params of each seed's training; in one group or one after the other."""
        done = []
        for group in [seeds] if way.batched else [[seed] for seed in seeds]:
            keys = jax.numpy.stack([jax.random.key(seed) for seed in group])
            state = init(keys if way.batched else keys[0])
            for epoch in range(config.epochs):
                rows = np.stack([order_of(seed, epoch, n, config.batch_size) for seed in group])
                rows = rows if way.batched else rows[0]
                for start in range(0, rows.shape[-2], way.at_once or rows.shape[-2]):
                    taken = slice(start, start + (way.at_once or rows.shape[-2]))
                    state, _ = run(state, data, rows[..., taken, :])
            done.append(state.params)
        jax.block_until_ready(done)
        if way.batched:
            return [jax.tree.map(lambda leaf, i=i: leaf[i], done[0]) for i in range(len(seeds))]
        return done

    seconds, accuracies = [], []
    for number in range(seeds + 1):  # the first one compiles, and counts for nothing else
        own = list(range(number * way.members, (number + 1) * way.members))
        begun = time.monotonic()
        params = train(own)
        seconds.append(time.monotonic() - begun)
        if number:
            accuracies += [loss_and_accuracy(answer_digits(way.model, one, test))[1] for one in params]
    median = statistics.median(seconds[1:])
    images = way.members * config.epochs * (n // config.batch_size) * config.batch_size
    return Figure(
        way.name,
        max(seconds[0] - median, 0.0),
        median,
        images / median,
        median / first.seconds if first else 1.0,
        statistics.mean(accuracies),
        statistics.stdev(accuracies) if len(accuracies) > 1 else None,
    )
