"""What a training begins with: its data, its compiled steps, its state."""

import dataclasses
import functools
import os
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from digitjax import runs, sharding
from digitjax.checkpoint import load_model
from digitjax.config import TrainConfig
from digitjax.data.pipeline import Pipeline, make_pipeline
from digitjax.errors import InputError
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.processes import first_then_others
from digitjax.progress import say
from digitjax.spans import Spans, make_spans, wanted
from digitjax.train import distilled, init_state, make_train_step
from digitjax.types import Metrics, Model, Params, TeacherFn, TrainState

EIGEN = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_REDUCE"}
"""XLA's option by which YNNPACK gets matrix products and sums (the gradients of biases, three to eight times
faster than XLA's own), and convolutions are Eigen's."""


class Prepared(NamedTuple):
    """What runs share that differ in nothing but what their states and batches hold.

    Attributes:
        pipeline: their data; `reseeded` gives each its own batches.
        step: the train step, compiled as `compiler_options` say.
        teacher: of `config.distil`.
        spans: many steps in one dispatch, where that is faster.
        spent: seconds of training that were taken beforehand; None where nothing was.
    """

    pipeline: Pipeline
    step: sharding.Step
    teacher: TeacherFn | None = None
    spans: Spans | None = None
    spent: float | None = None


def prepare(
    config: TrainConfig, mesh: jax.sharding.Mesh, *, stream: bool = False, at_once: bool | None = None
) -> Prepared:
    """Opens the data of a configuration and makes its train step.

    Args:
        config: the configuration.
        mesh: the devices.
        stream: as in `train`.
        at_once: many steps in one dispatch, where the examples lie on the device; None: where `spans.wanted`.

    Raises:
        InputError: the data or a checkpoint of `config.distil` cannot be used.
    """
    model, rows = make_model(config.model), sharding.own_rows(config.batch_size, mesh)
    pipeline = first_then_others(lambda: make_pipeline(config, model.geometry, rows, stream=stream))
    teacher = teacher_of(config)
    step = make_train_step(config, teacher=teacher)
    batches = pipeline.on_device if (wanted() if at_once is None else at_once) else None
    spans = None if batches is None else make_spans(step, batches, config, mesh)
    return Prepared(pipeline, sharding.spread(step, mesh, compiler_options()), teacher, spans)


def compiler_options() -> dict[str, str] | None:
    """What XLA's compiler is told of a train step here; None where there is nothing to tell.

    From jaxlib 0.12 on, `EIGEN` on the CPU, unless XLA_FLAGS says something of it. With 0.10 it depends on
    the processor: on an AMD EPYC (AVX2) `speedrun` took a fifth longer with products alone; on an Intel Xeon
    (AVX-512) it takes a tenth less with sums, too, and `cnn` a third less.
    """
    told = "xla_cpu_experimental_ynn_fusion_type" in os.environ.get("XLA_FLAGS", "")
    return EIGEN if jax.default_backend() == "cpu" and jax.__version_info__ >= (0, 12) and not told else None


def advance(
    ready: Prepared, config: TrainConfig, mesh: jax.sharding.Mesh, state: TrainState, done: int, most: int
) -> tuple[TrainState, range, Metrics]:
    """Takes the next step, or as many as go in one dispatch.

    Args:
        ready: of this configuration, or of one that shares it.
        config: the configuration.
        mesh: the devices.
        state: after the steps done; it is donated.
        done: how many those are.
        most: steps to be taken at most.

    Returns:
        The state after them, which steps they were, from 1, and their metrics, on the device, perhaps with
        room for more.
    """
    if ready.spans is not None:
        state, count, metrics = ready.spans(config, state, done, most)
    else:
        count = 1
        state, metrics = ready.step(state, sharding.shard(ready.pipeline.batch_at(done), mesh))
    return state, range(done + 1, done + count + 1), metrics


def fresh_state(config: TrainConfig) -> TrainState:
    """A state of this configuration, its params drawn from the seed."""
    model = _with_compiled_init(make_model(config.model))
    return init_state(jax.random.key(config.seed), model, make_optimizer(config))


@functools.lru_cache(maxsize=8)
def _with_compiled_init(model: Model) -> Model:
    """The same, its params made by one program: operation by operation they would be some sixty."""
    return model._replace(init=jax.jit(model.init))


def first_state(config: TrainConfig) -> TrainState:
    """The state before the first step, with the params of `config.start` where it names a checkpoint.

    Raises:
        InputError: there is no such checkpoint, or it is of another network.
    """
    if not config.start:
        return fresh_state(config)
    params = _params_to_start_with(config)
    return init_state(jax.random.key(config.seed), make_model(config.model), make_optimizer(config), params)


def _params_to_start_with(config: TrainConfig) -> Params:
    """The params of `config.start`, calibrated as it was: the run begins where that network ended."""
    loaded = load_model(config.start)
    of_same_dropout = dataclasses.replace(loaded.config.model, dropout=config.model.dropout)
    if of_same_dropout != config.model:
        raise InputError(
            f"--start {config.start} is another network ({loaded.run / runs.CONFIG}): give one of the same "
            f"preset, or the --model options that it was trained with"
        )
    say(f"starting with {loaded}")
    return loaded.params


def teacher_of(config: TrainConfig) -> TeacherFn | None:
    """Targets as they are to be learnt, nearer to the mean odds of the checkpoints of `config.distil`.

    None where it names none.

    Raises:
        InputError: there is no such checkpoint, or it reads images of another geometry.
    """
    if not config.distil:
        return None
    teachers = [load_model(path) for path in config.distil]
    for path, loaded in zip(config.distil, teachers, strict=True):
        if loaded.model.geometry != config.model.geometry:
            raise InputError(
                f"--distil {path} reads {loaded.model.geometry} and this network {config.model.geometry}: "
                f"give a checkpoint of the same geometry"
            )
        say(f"learning from {loaded}")

    def teach(
        images: Float[Array, "batch height width 1"], target: Float[Array, "batch 10"]
    ) -> Float[Array, "batch 10"]:
        odds = [jax.nn.softmax(one.model.apply(one.params, images).digits) for one in teachers]
        return distilled(target, jnp.stack(odds).mean(axis=0), config.distil_weight)

    return teach
