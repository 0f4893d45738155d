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
from digitjax.types import AugmentFn, Batch, Logits, LossFn, Metrics, Model, Teacher, TrainState

TAUGHT = 0.75
"""Part of the target that is the teacher's, where there is one."""


def cross_entropy(logits: Logits, batch: Batch) -> Float[Array, " batch"]:
    """Softmax cross-entropy of the ten over the digits, and of "is a digit" where the network says it.

    An example that is no digit teaches nothing about which digit it is.
    """
    loss = optax.softmax_cross_entropy(logits.digits, batch.target) * batch.is_digit
    if logits.is_digit is not None:
        loss = loss + optax.sigmoid_binary_cross_entropy(logits.is_digit, batch.is_digit)
    return loss


def distilled(batch: Batch, odds: Float[Array, "batch 10"]) -> Batch:
    """The batch with a target between its labels and a teacher's odds (Hinton et al., arXiv:1503.02531).

    Args:
        batch: what is learnt from; whether something is a digit stays the label's affair.
        odds: the teacher's probabilities of the ten digits for the same images.
    """
    return batch._replace(target=(1 - TAUGHT) * batch.target + TAUGHT * odds)


def init_state(key: Key[Array, ""], model: Model, tx: optax.GradientTransformation) -> TrainState:
    """A fresh state at step 0; `key` seeds the params and, folded with the step, every step."""
    params_key, step_key = jax.random.split(key)
    params = model.init(params_key)
    return TrainState(params, tx.init(params), jnp.zeros((), jnp.int32), step_key)


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    model: Model,
    tx: optax.GradientTransformation,
    loss_fn: LossFn = cross_entropy,
    augment: AugmentFn | None = None,
    teacher: Teacher | None = None,
) -> tuple[TrainState, Metrics]:
    """One step of gradient descent.

    Args:
        state: what changes. `state.key` never does: this step's keys are folded from it and the step.
        batch: what to learn from; `batch.x` must be images unless `augment` renders ink.
        model: the network.
        tx: the optimizer.
        loss_fn: loss of each example.
        augment: random change of `batch.x`; None for none.
        teacher: whose odds are learnt from, too, by `distilled`; None for none.

    Returns:
        The next state, and the metrics of this batch before the change.
    """
    augment_key, apply_key = jax.random.split(jax.random.fold_in(state.key, state.step))
    images = batch.x if augment is None else augment(augment_key, batch.x)
    # Else XLA fuses the augmentation into each of the first convolution's 25 windows: a quarter slower.
    images = jax.lax.optimization_barrier(images)
    total = jnp.maximum(batch.weight.sum(), 1e-9)
    taught = batch if teacher is None else distilled(batch, teacher(images))

    def mean_loss(params):
        logits = model.apply(params, images, apply_key)
        return (loss_fn(logits, taught) * batch.weight).sum() / total, logits

    (loss, logits), grads = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    counted = batch.weight * batch.is_digit
    right = logits.digits.argmax(axis=-1) == batch.target.argmax(axis=-1)
    accuracy = (right * counted).sum() / jnp.maximum(counted.sum(), 1e-9)
    metrics = Metrics(loss, accuracy, batch.weight.sum(), optax.tree.norm(grads))
    return TrainState(params, opt_state, state.step + 1, state.key), metrics


def make_train_step(
    config: TrainConfig, *, teacher: Teacher | None = None, convolution: Callable[..., Any] | None = None
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """`train_step` with everything of `config` bound, jitted, the state donated: what the trainer runs.

    Args:
        config: the configuration.
        teacher: what stands for the checkpoints of `config.distil`, which are not read here.
        convolution: takes `lax.conv_general_dilated`'s place; None for what is fast on this backend.
    """
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
