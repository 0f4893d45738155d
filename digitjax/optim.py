"""From a configuration to an optax transformation."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from digitjax.config import TrainConfig
from digitjax.types import TrainState


def one_cycle(warmup: float, total_steps: int) -> optax.Schedule:
    """Rises linearly from 0 to 1 in the first `warmup` of the steps, then falls to 0 along half a cosine.

    Smith and Topin, 2018, https://arxiv.org/abs/1708.07120.
    """
    rise = max(1, round(warmup * total_steps))
    fall = max(1, total_steps - rise)

    def schedule(step: Any) -> Float[Array, ""]:
        rising = (jnp.asarray(step) + 1.0) / rise
        falling = 0.5 * (1 + jnp.cos(math.pi * jnp.clip((jnp.asarray(step) + 1.0 - rise) / fall, 0.0, 1.0)))
        return jnp.minimum(rising, falling)

    return schedule


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101) on a one-cycle schedule.

    The highest learning rate and the weight decay live in the optimizer's state
    (`optax.inject_hyperparams`), so that a sweep can batch over them and a running training change them.
    Biases and the scales of a normalisation are not decayed.
    """
    schedule = one_cycle(config.optim.warmup, config.total_steps)

    @optax.inject_hyperparams
    def adamw(learning_rate, weight_decay) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale_by_adam(),
            optax.add_decayed_weights(
                weight_decay, mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params)
            ),
            optax.scale_by_schedule(schedule),
            optax.scale_by_learning_rate(learning_rate),
        )

    return adamw(learning_rate=config.optim.learning_rate, weight_decay=config.optim.weight_decay)


def with_hyperparams(state: TrainState, values: Mapping[str, Any]) -> TrainState:
    """The state with other hyper-parameters; the step that is compiled takes it as it is.

    Args:
        state: a state of `make_optimizer`'s.
        values: f32[] by name, "learning_rate" or "weight_decay", placed as the state is.
    """
    hyperparams = {**state.opt_state.hyperparams, **values}
    return state._replace(opt_state=state.opt_state._replace(hyperparams=hyperparams))
