"""The loss and the train step: pure functions, not jitted, for anybody's loop.

step = functools.partial(train_step, model=model, tx=tx, augment=augment)
jax.jit(step, donate_argnums=0)          # a training loop
jax.lax.scan(step, state, batches)       # an epoch on the device
jax.vmap(step, in_axes=(0, None))        # many seeds at once
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from digitjax.config import TrainConfig
from digitjax.types import AugmentFn, Batch, Logits, LossFn, Metrics, Model, Params, TeacherFn, TrainState


def cross_entropy(logits: Logits, batch: Batch) -> Float[Array, " batch"]:
    """Softmax cross-entropy of the ten over the digits, and of "is a digit" where the network says it.

    An example that is no digit teaches nothing about which digit it is.
    """
    loss = optax.softmax_cross_entropy(logits.digits, batch.target) * batch.is_digit
    if logits.is_digit is not None:
        loss = loss + optax.sigmoid_binary_cross_entropy(logits.is_digit, batch.is_digit)
    return loss


def distilled(
    target: Float[Array, "batch 10"], odds: Float[Array, "batch 10"], weight: float
) -> Float[Array, "batch 10"]:
    """Targets, `weight` of the way to a teacher's odds (Hinton et al., 2015, https://arxiv.org/abs/1503.02531)."""
    return (1 - weight) * target + weight * odds


def init_state(
    key: Key[Array, ""], model: Model, tx: optax.GradientTransformation, params: Params | None = None
) -> TrainState:
    """A fresh state at step 0.

    Args:
        key: seeds the params and, folded with the step, every step.
        model: the network.
        tx: the optimizer.
        params: to go on from, copied, so that a step may take the state's memory; None for fresh ones.
    """
    params_key, step_key = jax.random.split(key)
    copied = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), params)
    first = model.init(params_key) if params is None else copied
    return TrainState(first, tx.init(first), jnp.zeros((), jnp.int32), step_key)


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    model: Model,
    tx: optax.GradientTransformation,
    loss_fn: LossFn = cross_entropy,
    augment: AugmentFn | None = None,
    teacher: TeacherFn | None = None,
) -> tuple[TrainState, Metrics]:
    """One step of gradient descent.

    Args:
        state: what changes. `state.key` never does: this step's keys are folded from it and the step.
        batch: what to learn from; `batch.x` must be images unless `augment` renders ink.
        model: the network.
        tx: the optimizer.
        loss_fn: loss of each example.
        augment: random change of `batch.x`; None for none.
        teacher: from images and their targets to what is learnt in the targets' place, as `distilled`; None
            for the targets.

    Returns:
        The next state, and the metrics of this batch before the change.
    """
    augment_key, apply_key = jax.random.split(jax.random.fold_in(state.key, state.step))
    images = batch.x if augment is None else augment(augment_key, batch.x)
    # Else XLA fuses the augmentation into each of the first convolution's 25 windows: a quarter slower.
    images = jax.lax.optimization_barrier(images)
    total = jnp.maximum(batch.weight.sum(), 1e-9)
    taught = batch if teacher is None else batch._replace(target=teacher(images, batch.target))

    def mean_loss(params):
        logits = model.apply(params, images, apply_key)
        _require_vectors(len(batch.target), is_digit=logits.is_digit)
        _require_vectors(len(batch.target), is_digit=batch.is_digit)
        loss = loss_fn(logits, taught)
        _require_vectors(len(batch.target), loss=loss, weight=batch.weight)
        return (loss * batch.weight).sum() / total, logits

    (loss, logits), grads = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    counted = batch.weight * batch.is_digit
    right = logits.digits.argmax(axis=-1) == batch.target.argmax(axis=-1)
    accuracy = (right * counted).sum() / jnp.maximum(counted.sum(), 1e-9)
    metrics = Metrics(loss, accuracy, batch.weight.sum(), optax.tree.norm(grads))
    return TrainState(params, opt_state, state.step + 1, state.key), metrics


def _require_vectors(count: int, **arrays: Array | None) -> None:
    """A number an example each: [batch, 1] beside [batch] would silently become [batch, batch].

    Raises:
        ValueError: one has another shape; found while the step is traced.
    """
    for name, array in arrays.items():
        if array is not None and jnp.shape(array) != (count,):
            raise ValueError(
                f"{name} has shape {list(jnp.shape(array))}, it must be [{count}], a number an example: "
                f"x[:, 0] makes it of [{count}, 1]"
            )


def make_train_step(
    config: TrainConfig, *, teacher: TeacherFn | None = None, convolution: Callable[..., Any] | None = None
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """`train_step` with everything of `config` bound, jitted, the state donated: what the trainer runs.

    (On the CPU the trainer compiles it with `digitjax.prepare.compiler_options`: the same to rounding.)

    Args:
        config: the configuration.
        teacher: what stands for the checkpoints of `config.distil`, which are not read here.
        convolution: takes `lax.conv_general_dilated`'s place; None for what is fast on this backend.

    Raises:
        ValueError: the configuration learns from other networks and no teacher stands for them.
    """
    if config.distil and teacher is None:
        raise ValueError(
            "this configuration learns from other networks: give teacher=digitjax.prepare.teacher_of(config) "
            "or do without them, dataclasses.replace(config, distil=())"
        )
    # Imported here, so that whoever brings a model of their own gets neither Flax nor our presets.
    from digitjax.augment import make_augment
    from digitjax.convolution import convolve
    from digitjax.models import in_bfloat16, make_model
    from digitjax.optim import make_optimizer

    model = make_model(config.model, convolution or convolve)
    step = functools.partial(
        train_step,
        model=in_bfloat16(model) if config.precision == "bfloat16" else model,
        tx=make_optimizer(config),
        augment=make_augment(config.augment),
        teacher=teacher,
    )
    return jax.jit(step, donate_argnums=0)
