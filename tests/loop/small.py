"""A run of twenty-four steps, when two are the same, and how one is stopped or poisoned."""

import math
import shlex
import signal
from pathlib import Path

import jax
import numpy as np

from digitjax import metrics, prepare, runs
from digitjax.checkpoint import load_model, load_state
from digitjax.config import ModelConfig, TrainConfig

CONFIG = TrainConfig(
    data=("digits8x8",),
    epochs=2,
    epoch_examples=384,
    batch_size=32,
    model=ModelConfig(channels=(2, 4), border=False, hidden=(8,), geometry="uci8"),
)
ARGUMENTS = shlex.split(
    "--data digits8x8 --epochs 2 --epoch-examples 384 --batch-size 32 "
    "--model.channels 2 4 --model.hidden 8 --model.geometry uci8"
)
STEPS = 24


def lines_without_clock(run: Path) -> list[dict]:
    lines = metrics.read_metrics(run / runs.METRICS)
    return [{k: v for k, v in line.items() if k not in metrics.CLOCK_FIELDS} for line in lines]


def assert_same_run(one: Path, other: Path, abstract_state) -> None:
    assert lines_without_clock(one) == lines_without_clock(other)
    kept = [[s.name for s in runs.step_folders(run / runs.HISTORY)] for run in (one, other)]
    assert kept[0] == kept[1] == [str(n) for n in (0, 1, 2, 4, 8, 12, 16, 24)]
    for step in runs.history(one):
        a, b = load_model(step), load_model(other / step.relative_to(one))
        for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(b.params), strict=True):
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes(), step
    a, b = (load_state(run / str(STEPS), abstract_state) for run in (one, other))
    for x, y in zip(jax.tree.leaves(a.opt_state), jax.tree.leaves(b.opt_state), strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def stop_at(step: int, number: int):
    """`make_pipeline` whose process gets a signal while it asks for the batch of a step."""
    make = prepare.make_pipeline

    def signalling(*args, **how):
        pipeline = make(*args, **how)

        def batch_at(now):
            if now == step:
                signal.raise_signal(number)
            return pipeline.batch_at(now)

        return pipeline._replace(batch_at=batch_at)

    return signalling


def poison(at: int, make=None):
    """`make_pipeline` whose batch for step `at` (from 0) weighs NaN."""
    make = make or prepare.make_pipeline

    def poisoned(*args, **how):
        pipeline = make(*args, **how)

        def batch_at(step):
            batch = pipeline.batch_at(step)
            return batch._replace(weight=batch.weight * math.nan) if step == at else batch

        return pipeline._replace(batch_at=batch_at)

    return poisoned
