"""Flax's MNIST example, written anew from its published settings, for `bench train`."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from digitjax.bench import contenders

if TYPE_CHECKING:
    from digitjax.bench.contenders import Laps

BATCH, LEARNING_RATE, MOMENTUM = 128, 0.1, 0.9


class Example(nn.Module):
    """Two convolutions with average pooling, two dense layers."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch 28 28 1"]) -> Float[Array, "batch 10"]:
        for channels in (32, 64):
            x = nn.avg_pool(nn.relu(nn.Conv(channels, (3, 3))(x)), (2, 2), (2, 2))
        x = nn.relu(nn.Dense(256)(x.reshape(x.shape[0], -1)))
        return nn.Dense(10)(x)


def train(laps: "Laps", folder: Path, epochs: int, seed: int) -> tuple[int, float]:
    """Trains and evaluates it; returns the images trained on and the test accuracy."""
    net, tx = Example(), optax.sgd(LEARNING_RATE, MOMENTUM)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: Any, images: Array, labels: Array) -> tuple[Any, Array]:
        params, opt_state = state

        def loss(params: Any) -> Array:
            logits = jnp.asarray(net.apply(params, images.astype(jnp.float32)[..., None] / 255))
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        value, grads = jax.value_and_grad(loss)(params)
        updates, opt_state = tx.update(grads, opt_state)
        return (optax.apply_updates(params, updates), opt_state), value

    @jax.jit
    def right(params: Any, images: Array, labels: Array) -> Array:
        logits = net.apply(params, images.astype(jnp.float32)[..., None] / 255)
        return (jnp.asarray(logits).argmax(-1) == labels).sum()

    def fresh() -> Any:
        params = net.init(jax.random.key(seed), jnp.zeros((1, 28, 28, 1)))
        return params, tx.init(params)

    laps.end("import")
    x, y, x_test, y_test = contenders.arrays(folder)
    laps.end("data")
    state, loss = step(fresh(), x[:BATCH], y[:BATCH])
    right(state[0], x_test[:1000], y_test[:1000]).block_until_ready()
    state = fresh()
    laps.end("compile")
    chance, images = np.random.default_rng(seed), 0
    for _ in range(epochs):
        order = chance.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            state, loss = step(state, x[rows], y[rows])
            images += BATCH
    loss.block_until_ready()
    laps.end("train")
    parts = [right(state[0], x_test[n : n + 1000], y_test[n : n + 1000]) for n in range(0, len(x_test), 1000)]
    accuracy = float(sum(int(part) for part in parts) / len(x_test))
    laps.end("evaluate")
    return images, accuracy
