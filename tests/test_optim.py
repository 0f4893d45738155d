"""The optimizer against AdamW in NumPy, its schedule, and its changeable hyper-parameters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax.config import OptimConfig, TrainConfig
from digitjax.optim import make_optimizer, one_cycle

CONFIG = TrainConfig(
    epochs=1,
    epoch_examples=80,
    batch_size=8,
    optim=OptimConfig(learning_rate=0.02, weight_decay=0.1, warmup=0.3),
)


def adamw(params, gradients, rates, decay, b1=0.9, b2=0.999, eps=1e-8):
    """Loshchilov and Hutter's algorithm 2; biases (one axis) are not decayed."""
    params = {name: value.astype(np.float64) for name, value in params.items()}
    first = {name: np.zeros_like(value) for name, value in params.items()}
    second = {name: np.zeros_like(value) for name, value in params.items()}
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        for name, g in gradient.items():
            first[name] = b1 * first[name] + (1 - b1) * g
            second[name] = b2 * second[name] + (1 - b2) * g**2
            move = first[name] / (1 - b1**t) / (np.sqrt(second[name] / (1 - b2**t)) + eps)
            if params[name].ndim > 1:
                move = move + decay * params[name]
            params[name] = params[name] - rate * move
    return params


def a_run(steps: int):
    rng = np.random.default_rng(0)
    params = {"kernel": rng.normal(size=(3, 4)), "bias": rng.normal(size=4)}
    gradients = [{name: rng.normal(size=value.shape) for name, value in params.items()} for _ in range(steps)]
    return jax.tree.map(np.float32, params), jax.tree.map(np.float32, gradients)


def test_updates_are_those_of_adamw_on_the_schedule():
    params, gradients = a_run(6)
    tx = make_optimizer(CONFIG)
    state, current = tx.init(params), params
    for gradient in gradients:
        updates, state = tx.update(gradient, state, current)
        current = jax.tree.map(jnp.add, current, updates)
    # 10 steps, 3 of them rising.
    shape = [min((t + 1) / 3, 0.5 * (1 + np.cos(np.pi * max(0, (t + 1 - 3) / 7)))) for t in range(6)]
    expected = adamw(params, gradients, 0.02 * np.array(shape), 0.1)
    for name in params:
        np.testing.assert_allclose(current[name], expected[name], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("warmup", "total"), [(0.15, 1000), (0.3, 40), (0.0, 10), (0.5, 1)])
def test_the_schedule_rises_then_falls_to_nothing(warmup, total):
    values = np.asarray(jax.jit(jax.vmap(one_cycle(warmup, total)))(jnp.arange(total)), np.float64)
    top = int(values.argmax())
    assert values.max() == pytest.approx(1, abs=1e-6)
    assert top + 1 == max(1, round(warmup * total))
    assert (np.diff(values[: top + 1]) > 0).all()
    assert (np.diff(values[top:]) < 0).all()
    assert (values >= 0).all()
    if total > 1:
        assert values[-1] == pytest.approx(0, abs=1e-6)
    assert float(np.asarray(one_cycle(warmup, total)(total + 5))) <= 1e-6 or total == 1


def test_hyper_parameters_live_in_the_state_and_change_without_another_trace():
    params, gradients = a_run(1)
    tx = make_optimizer(CONFIG)
    traces = []

    @jax.jit
    def update(gradient, state):
        traces.append(1)
        return tx.update(gradient, state, params)

    state: Any = tx.init(params)
    assert set(state.hyperparams) == {"learning_rate", "weight_decay"}
    assert float(state.hyperparams["learning_rate"]) == pytest.approx(0.02)
    assert float(state.hyperparams["weight_decay"]) == pytest.approx(0.1)
    plain, _ = update(gradients[0], state)
    for rate, decay in ((0.04, 0.1), (0.02, 0.5)):
        changed = state._replace(
            hyperparams={"learning_rate": jnp.float32(rate), "weight_decay": jnp.float32(decay)}
        )
        updates, after = update(gradients[0], changed)
        expected = adamw(params, gradients, [rate / 3], decay)
        np.testing.assert_allclose(updates["kernel"], expected["kernel"] - params["kernel"], rtol=1e-4)
        assert float(after.hyperparams["learning_rate"]) == pytest.approx(rate)
        assert np.abs(updates["kernel"] - plain["kernel"]).max() > 1e-5
    assert len(traces) == 1


def test_a_sweep_batches_over_hyper_parameters():
    params, gradients = a_run(1)
    tx = make_optimizer(CONFIG)
    state: Any = tx.init(params)
    rates, decays = jnp.array([0.01, 0.02, 0.03]), jnp.array([0.0, 0.1, 0.2])

    def updated(rate, decay):
        one = state._replace(hyperparams={"learning_rate": rate, "weight_decay": decay})
        updates: Any = tx.update(gradients[0], one, params)[0]
        return updates["kernel"]

    together = jax.vmap(updated)(rates, decays)
    for index in range(3):
        np.testing.assert_allclose(together[index], updated(rates[index], decays[index]), rtol=1e-5)
