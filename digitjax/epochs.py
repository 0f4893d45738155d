"""Whole epochs in one dispatch: the data stays on the device, the state is donated, one number comes back.

For accelerators. On the CPU a convolution inside `lax.scan` is far slower than outside (jax-ml/jax#12868):
there the trainer goes step by step.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt8

from digitjax.data.batches import make_targets
from digitjax.train import train_step
from digitjax.types import AugmentFn, Batch, Logits, Model, Params, TrainState


class Data(NamedTuple):
    """Digits on a device.

    Attributes:
        images: in the model's geometry, 255 ink on 0.
        labels: 0 to 9.
    """

    images: UInt8[Array | np.ndarray, "n height width 1"]
    labels: Int[Array | np.ndarray, " n"]


Steps = Callable[[TrainState, Data, Array | np.ndarray], tuple[TrainState, Array]]
"""From a state, the data and the rows of each step to the state after them and their mean loss."""


def make_steps(
    model: Model,
    tx: optax.GradientTransformation,
    *,
    label_smoothing: float = 0.0,
    augment: AugmentFn | None = None,
) -> Steps:
    """Any number of train steps as one scan; pure, not jitted: donate the first argument.

    Args:
        model: the network.
        tx: the optimizer.
        label_smoothing: probability spread evenly over all ten digits.
        augment: random change of the images.
    """
    step = functools.partial(train_step, model=model, tx=tx, augment=augment)

    def steps(
        state: TrainState, data: Data, rows: Int[Array | np.ndarray, "steps batch"]
    ) -> tuple[TrainState, Float[Array, ""]]:
        x, labels, rows = jnp.asarray(data.images), jnp.asarray(data.labels), jnp.asarray(rows)
        ones = jnp.ones(rows.shape[1])

        def one(state: TrainState, taken: Int[Array, " batch"]) -> tuple[TrainState, Float[Array, ""]]:
            images = x[taken].astype(jnp.float32) / 255
            batch = Batch(images, make_targets(labels[taken], label_smoothing), ones, ones)
            state, metrics = step(state, batch)
            return state, metrics.loss

        if rows.shape[0] == 1:  # XLA keeps a loop of one turn, and the CPU is slow inside it
            return one(state, rows[0])
        state, losses = jax.lax.scan(one, state, rows)
        return state, losses.mean()

    return steps


def order_of(seed: int, epoch: int, n: int, batch_size: int) -> Int[np.ndarray, "steps batch"]:
    """The examples of each step of an epoch: each of `n` once, but for those that fill no batch."""
    order = np.random.default_rng([seed, epoch]).permutation(n).astype(np.int32)
    return order[: n // batch_size * batch_size].reshape(-1, batch_size)


def in_bfloat16(model: Model) -> Model:
    """The same network computed in bfloat16; its params, gradients and answers stay float32."""

    def apply(
        params: Params, images: Float[Array, "batch height width 1"], key: Array | None = None
    ) -> Logits:
        low = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
        logits = model.apply(low, images.astype(jnp.bfloat16), key)
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), logits)

    return model._replace(apply=apply)
