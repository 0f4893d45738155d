"""How well a small network can tell synthetic digits from people's: 0.5 is not at all, 1 always.

Both are rendered by the one path. The judge learns from the training writers and is measured on the others.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, UInt8

from digitjax.config import ModelConfig
from digitjax.data.synthetic import sample
from digitjax.evaluate import apply_in_batches, auroc
from digitjax.models import make_model
from digitjax.normalize import inks_to_images
from digitjax.train import init_state, train_step
from digitjax.types import Batch, Logits

JUDGE = ModelConfig(channels=(16, 32, 32), hidden=(32,), dropout=0.2, rejects=True)
"""The network that judges; its second head says "a person's"."""
EPOCHS = 8
"""How often the judge sees each person's drawing; synthetic ones are new every time."""
BATCH = 128
LEARNING_RATE = 3e-3
AT_ONCE = 512
"""Synthetic drawings rendered in one call."""


class Realism(NamedTuple):
    """What the judge can tell.

    Attributes:
        auroc: area under its ROC curve on drawings of unseen writers against fresh synthetic ones.
        n: how many of each it was measured on.
    """

    auroc: float
    n: int


def judge_loss(logits: Logits, batch: Batch) -> Float[Array, " batch"]:
    """Binary cross-entropy of "a person's" alone."""
    assert logits.is_digit is not None
    return optax.sigmoid_binary_cross_entropy(logits.is_digit, batch.is_digit)


def measure(
    train: UInt8[np.ndarray, "n 28 28 1"], unseen: UInt8[np.ndarray, "m 28 28 1"], seed: int = 0
) -> Realism:
    """Trains the judge and measures it.

    Args:
        train: people's digits to learn from, 255 ink.
        unseen: digits of other writers.
        seed: of the judge, the batches and the synthetic digits.
    """
    model = make_model(JUDGE)
    steps = EPOCHS * len(train) // (BATCH // 2)
    tx = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))
    key, draw_key, test_key = jax.random.split(jax.random.key(seed), 3)
    state = init_state(key, model, tx)
    step = jax.jit(functools.partial(train_step, model=model, tx=tx, loss_fn=judge_loss), donate_argnums=0)
    people = jnp.ones(BATCH // 2)
    labels = jnp.concatenate([people, 0 * people])

    @jax.jit
    def batch_of(number: Array, mine: Array) -> Batch:
        drawn, _ = sample(jax.random.fold_in(draw_key, number), BATCH // 2)
        images = jnp.concatenate([mine.astype(jnp.float32) / 255, inks_to_images(drawn)])
        return Batch(images, jnp.full((BATCH, 10), 0.1), labels, jnp.ones(BATCH))

    rng = np.random.default_rng(seed)
    for number in range(steps):
        mine = train[rng.integers(0, len(train), BATCH // 2)]
        state, _ = step(state, batch_of(np.int32(number), mine))
    real = apply_in_batches(model, state.params, unseen).is_digit
    made = apply_in_batches(model, state.params, _draw(test_key, len(unseen))).is_digit
    assert real is not None and made is not None
    return Realism(auroc(real, made), len(unseen))


def _draw(key: Array, n: int) -> UInt8[np.ndarray, "n 28 28 1"]:
    """`n` synthetic digits as the network sees them."""

    @jax.jit
    def some(one_key: Array) -> Array:
        return jnp.round(inks_to_images(sample(one_key, AT_ONCE)[0]) * 255).astype(jnp.uint8)

    parts = [np.asarray(some(jax.random.fold_in(key, i))) for i in range(-(-n // AT_ONCE))]
    return np.concatenate(parts)[:n]
