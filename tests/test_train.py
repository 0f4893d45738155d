"""The train step: its formula, its keys, and that jit, scan, vmap and shardings leave it what it is."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jax.test_util import check_grads

from digitjax.config import ModelConfig, OptimConfig, TrainConfig
from digitjax.data import batches, pipeline
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.train import cross_entropy, init_state, make_train_step, train_step
from digitjax.types import Batch, Logits, Model, Segments

BATCH = 8
CONFIG = TrainConfig(
    epochs=1,
    epoch_examples=80,
    batch_size=BATCH,
    model=ModelConfig(channels=(2, 3, 4), hidden=(8,), rejects=True),
    optim=OptimConfig(learning_rate=0.01),
)
MODEL = make_model(CONFIG.model)
TX = make_optimizer(CONFIG)


def a_batch(seed: int = 0, n: int = BATCH) -> Batch:
    rng = np.random.default_rng(seed)
    target = np.eye(10)[rng.integers(0, 10, n)] * 0.9 + 0.01
    arrays = (rng.random((n, 28, 28, 1)), target, rng.random(n) < 0.8, rng.random(n) < 0.9)
    return Batch(*(jnp.asarray(a, jnp.float32) for a in arrays))


BATCHES = [a_batch(seed) for seed in range(3)]


def noisy(key, x):
    return x + 0.1 * jax.random.normal(key, x.shape)


def close(left, right, tolerance=2e-5):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def step():
    return functools.partial(train_step, model=MODEL, tx=TX, augment=noisy)


@pytest.fixture(scope="module")
def jitted(step):
    return jax.jit(step)


@pytest.fixture(scope="module")
def stepped(jitted):
    """The states and metrics of three steps, one by one."""
    state, metrics = init_state(jax.random.key(0), MODEL, TX), []
    states = [state]
    for batch in BATCHES:
        state, found = jitted(state, batch)
        states.append(state)
        metrics.append(found)
    return states, metrics


def test_a_step_moves_the_params_counts_and_leaves_the_key(stepped):
    states, metrics = stepped
    assert [int(state.step) for state in states] == [0, 1, 2, 3]
    assert states[0].step.dtype == jnp.int32
    keys = {jax.random.key_data(state.key).tobytes() for state in states}
    assert len(keys) == 1
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), states[0].params, states[3].params)
    assert all(change > 0 for change in jax.tree.leaves(moved))
    assert all(np.isfinite(found).all() for found in metrics)


def test_scan_is_step_by_step(step, stepped):
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *BATCHES)
    state, metrics = jax.jit(lambda s, b: jax.lax.scan(step, s, b))(stepped[0][0], stacked)
    close(state, stepped[0][-1])
    close(metrics, jax.tree.map(lambda *leaves: jnp.stack(leaves), *stepped[1]))


def test_vmap_over_seeds_is_one_seed_after_the_other(step, jitted):
    init = functools.partial(init_state, model=MODEL, tx=TX)
    together = jax.jit(jax.vmap(lambda seed: init(jax.random.key(seed))))(jnp.array([3, 4]))
    together, metrics = jax.jit(jax.vmap(step, in_axes=(0, None)))(together, BATCHES[0])
    for index, seed in enumerate((3, 4)):
        alone, found = jitted(init(jax.random.key(seed)), BATCHES[0])
        close(jax.tree.map(lambda leaf, index=index: leaf[index], together), alone)
        close(jax.tree.map(lambda leaf, index=index: leaf[index], metrics), found)
    assert np.abs(metrics.loss[0] - metrics.loss[1]) > 1e-6


def test_two_devices_are_as_one(step, stepped):
    assert len(jax.devices()) == 2
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
    same, parts = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("data",)))
    divided = jax.jit(step, in_shardings=(same, parts), out_shardings=(same, same))
    state = jax.device_put(stepped[0][0], same)
    for batch, expected, metrics in zip(BATCHES, stepped[0][1:], stepped[1], strict=True):
        batch = jax.device_put(batch, parts)
        assert len(batch.x.sharding.device_set) == 2
        state, found = divided(state, batch)
        close(found, metrics)
        close(state, expected)


def counting(model: Model, traces: list) -> Model:
    def apply(params, images, key=None):
        traces.append(1)
        return model.apply(params, images, key)

    return model._replace(apply=apply)


def test_many_steps_are_traced_once():
    traces = []
    step = jax.jit(functools.partial(train_step, model=counting(MODEL, traces), tx=TX), donate_argnums=0)
    state = init_state(jax.random.key(0), MODEL, TX)
    for number in range(5):
        state, _ = step(state, a_batch(number))
        if number == 2:
            state.opt_state.hyperparams["learning_rate"] = jnp.float32(0.5)
    assert len(traces) == 1


def test_the_trainers_own_step_donates_its_state_and_is_traced_once():
    step = make_train_step(CONFIG)
    state = init_state(jax.random.key(0), MODEL, TX)
    first, _ = step(state, BATCHES[0])
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    second, _ = step(first, BATCHES[1])
    assert int(second.step) == 2
    assert step._cache_size() == 1  # type: ignore[attr-defined]


def test_the_trainers_own_step_augments_and_repeats():
    step = make_train_step(CONFIG)
    losses = [
        float(step(init_state(jax.random.key(seed), MODEL, TX), BATCHES[0])[1].loss) for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def test_the_loss_is_the_formula_and_metrics_are_weighted_means(stepped):
    batch = a_batch(7)
    state = stepped[0][0]
    images_seen = []

    def apply(params, images, key=None):
        images_seen.append(images)
        return MODEL.apply(params, images)

    _, metrics = train_step(state, batch, model=MODEL._replace(apply=apply), tx=TX)
    np.testing.assert_array_equal(images_seen[0], batch.x)
    logits = MODEL.apply(state.params, jnp.asarray(batch.x))
    digits, certainty = np.asarray(logits.digits, np.float64), np.asarray(logits.is_digit, np.float64)
    target, is_digit, weight = (np.asarray(a, np.float64) for a in batch[1:])
    each = -(target * log_softmax(digits)).sum(axis=-1) * is_digit
    each += is_digit * np.log1p(np.exp(-certainty)) + (1 - is_digit) * np.log1p(np.exp(certainty))
    np.testing.assert_allclose(cross_entropy(logits, batch), each, rtol=1e-5)
    assert float(metrics.loss) == pytest.approx((each * weight).sum() / weight.sum(), rel=1e-5)
    assert float(metrics.weight) == weight.sum()
    counted = weight * is_digit
    right = (digits.argmax(-1) == target.argmax(-1)) * counted
    assert float(metrics.accuracy) == pytest.approx(right.sum() / counted.sum(), abs=1e-6)


def test_padding_changes_nothing(jitted, stepped):
    batch = a_batch(1)
    full = batch._replace(weight=jnp.array([1.0, 1, 1, 1, 0, 0, 0, 0]))
    other = full._replace(x=jnp.asarray(full.x).at[4:].set(0.3), target=full.target.at[4:].set(0.1))
    step = jax.jit(functools.partial(train_step, model=MODEL, tx=TX))
    left, right = (step(stepped[0][0], one) for one in (full, other))
    dropout_free = MODEL.apply(left[0].params, jnp.asarray(batch.x)).digits
    assert np.isfinite(np.asarray(dropout_free)).all()
    close(left, right, 1e-6)


def test_a_batch_without_weight_gives_no_nan(stepped):
    nothing = a_batch(1)._replace(weight=jnp.zeros(BATCH))
    state, metrics = jax.jit(functools.partial(train_step, model=MODEL, tx=TX))(stepped[0][0], nothing)
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves((state.params, metrics)))


def test_the_gradient_is_that_of_differences():
    params = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(784, 11)) * 0.05, jnp.float32)}

    def apply(params, images, key=None):
        z = images.reshape(images.shape[0], -1) @ params["w"]
        return Logits(z[:, :10], z[:, 10])

    batch = a_batch(2)

    def loss(params):
        return (cross_entropy(apply(params, batch.x), batch) * batch.weight).sum() / batch.weight.sum()

    check_grads(loss, (params,), order=1, modes=("rev",), atol=2e-2, rtol=2e-2, eps=1e-2)
    linear = Model(lambda key: params, apply, "mnist28")
    state = init_state(jax.random.key(0), linear, TX)
    _, metrics = train_step(state, batch, model=linear, tx=TX)
    norm = np.linalg.norm(np.asarray(jax.grad(loss)(params)["w"]))
    assert float(metrics.grad_norm) == pytest.approx(norm, rel=1e-4)


def key_bytes(key) -> list[bytes]:
    data = np.asarray(jax.random.key_data(key))
    return [row.tobytes() for row in data.reshape(-1, data.shape[-1])]


def test_keys_differ_by_step_purpose_and_seed(monkeypatch):
    seen: dict[str, list[bytes]] = {}

    def note(purpose, key):
        seen.setdefault(purpose, []).extend(key_bytes(key))

    def note_later(purpose, key):
        data = jax.random.key_data(key)
        jax.debug.callback(
            lambda found: seen.setdefault(purpose, []).append(np.asarray(found).tobytes()), data
        )

    def apply(params, images, key=None):
        note("dropout", key)
        return Logits(images.reshape(images.shape[0], -1)[:, :10] * params)

    def augment(key, x):
        note("augment", key)
        note("augment one by one", jax.random.split(jax.random.clone(key), BATCH))
        return x

    def init(key):
        note("params", key)
        return jnp.float32(1)

    def sample(key, n, hand=None):
        note_later("data", key)
        segments = Segments(jnp.zeros((n, 4, 4)), jnp.ones((n, 4), bool))
        return segments, jnp.zeros(n, jnp.int32)

    def sample_pens(key, n, hand=None):
        note_later("pens", key)
        return jnp.ones(n)

    monkeypatch.setitem(batches.ENDLESS, "synthetic", sample)
    monkeypatch.setattr(batches, "sample_pens", sample_pens)
    monkeypatch.setattr(pipeline, "_load_validation", lambda *_: ((), []))
    model = Model(init, apply, "mnist28")
    for seed in (0, 1, 2):
        config = TrainConfig(
            data=("synthetic", "synthetic"), seed=seed, epochs=1, epoch_examples=80, batch_size=BATCH
        )
        batch_at = pipeline.make_pipeline(config, "mnist28").batch_at
        state = init_state(jax.random.key(seed), model, TX)
        note("state", state.key)
        for number in range(3):
            batch_at(number)
            jax.effects_barrier()
            state, _ = train_step(state, a_batch(number), model=model, tx=TX, augment=augment)
    counts = {purpose: len(keys) for purpose, keys in seen.items()}
    assert counts == {
        "params": 3,
        "state": 3,
        "data": 18,
        "pens": 18,
        "augment": 9,
        "augment one by one": 9 * BATCH,
        "dropout": 9,
    }
    everything = [key for keys in seen.values() for key in keys]
    assert len(set(everything)) == len(everything)


def test_a_teacher_that_says_the_labels_teaches_what_the_labels_do_and_another_does_not(jitted):
    batch = BATCHES[0]

    def after(odds):
        def teacher(images, target):
            return odds

        step = functools.partial(train_step, model=MODEL, tx=TX, augment=noisy, teacher=teacher)
        return jax.jit(step)(init_state(jax.random.key(0), MODEL, TX), batch)[0].params

    plain = jitted(init_state(jax.random.key(0), MODEL, TX), batch)[0].params
    close(plain, after(batch.target))
    other = after(jnp.roll(batch.target, 1, axis=1))
    assert not np.allclose(plain["digits"]["kernel"], other["digits"]["kernel"], atol=1e-3)
    np.testing.assert_allclose(plain["is_digit"]["kernel"], other["is_digit"]["kernel"], atol=1e-6)


def test_a_step_that_should_learn_from_others_is_not_made_without_them():
    config = dataclasses.replace(CONFIG, distil=("checkpoints/cnn-0",))
    with pytest.raises(ValueError, match="teacher_of"):
        make_train_step(config)


def test_a_state_of_given_params_takes_nobody_else_s_memory():
    params = MODEL.init(jax.random.key(3))
    before = jax.tree.map(np.array, params)
    step = jax.jit(functools.partial(train_step, model=MODEL, tx=TX), donate_argnums=0)
    state, _ = step(init_state(jax.random.key(0), MODEL, TX, params), BATCHES[0])
    close(params, before, 0)
    assert not np.allclose(state.params["digits"]["kernel"], before["digits"]["kernel"])


@pytest.mark.parametrize("what", ["is_digit", "loss", "weight"])
def test_what_would_broadcast_is_refused_while_the_step_is_traced(what):
    def apply(params, images, key=None):
        column = images.mean(axis=(1, 2)) * params["w"]
        return Logits(jnp.tile(column, 10), column if what == "is_digit" else column[:, 0])

    def loss_fn(logits, batch):
        loss = cross_entropy(logits, batch)
        return loss[:, None] if what == "loss" else loss

    model, tx = Model(lambda key: {"w": jnp.ones(())}, apply, "mnist28"), optax.sgd(0.1)
    weight = jnp.ones((4, 1) if what == "weight" else 4)
    batch = Batch(jnp.ones((4, 28, 28, 1)), jnp.eye(10)[:4], jnp.ones(4), weight)
    state = init_state(jax.random.key(0), model, tx)
    with pytest.raises(ValueError, match=rf"^{what} has shape \[4, 1\], it must be \[4\]"):
        train_step(state, batch, model=model, tx=tx, loss_fn=loss_fn)
