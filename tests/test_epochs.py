"""Whole epochs in one dispatch are the steps one by one; many members at once are the members one by one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from digitjax import cli
from digitjax.config import ModelConfig
from digitjax.convolution import as_product
from digitjax.data.batches import make_targets
from digitjax.epochs import Data, in_bfloat16, make_steps, order_of
from digitjax.models import make_model
from digitjax.train import init_state, train_step
from digitjax.types import Batch

CONFIG = ModelConfig(channels=(2, 3), hidden=(8,), dropout=0.0, geometry="uci8")
MODEL, TX = make_model(CONFIG), optax.adam(1e-2)


@pytest.fixture(scope="module")
def data() -> Data:
    rng = np.random.default_rng(0)
    return Data(rng.integers(0, 256, (40, 8, 8, 1), np.uint8), rng.integers(0, 10, 40, np.int32))


def close(one, other) -> None:
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5), one, other)


@pytest.mark.slow
def test_an_epoch_is_its_steps_by_the_train_step(data):
    rows = order_of(1, 0, 40, 12)
    assert rows.shape == (3, 12) and len(set(rows.ravel())) == 36
    assert not np.array_equal(rows, order_of(1, 1, 40, 12)) and np.array_equal(rows, order_of(1, 0, 40, 12))
    state = init_state(jax.random.key(0), MODEL, TX)
    steps = jax.jit(make_steps(MODEL, TX, label_smoothing=0.1))
    whole, loss = steps(state, data, rows)
    losses = []
    for taken in rows:
        target = make_targets(jnp.asarray(data.labels[taken], jnp.int32), 0.1)
        batch = Batch(jnp.asarray(data.images[taken], jnp.float32) / 255, target, jnp.ones(12), jnp.ones(12))
        state, metrics = train_step(state, batch, model=MODEL, tx=TX)
        losses.append(float(metrics.loss))
    assert int(whole.step) == 3 and float(loss) == pytest.approx(np.mean(losses), rel=1e-4)
    close(whole.params, state.params)
    one, _ = steps(init_state(jax.random.key(0), MODEL, TX), data, rows[:1])
    assert int(one.step) == 1


@jax.debug_key_reuse(False)  # it takes a stack of keys for keys that were used
@pytest.mark.slow
def test_members_at_once_as_products_are_members_one_by_one_as_convolutions(data):
    rows = np.stack([order_of(seed, 0, 40, 20) for seed in range(3)])
    products = make_model(CONFIG, as_product)
    keys = jnp.stack([jax.random.key(number) for number in range(3)])
    states = jax.jit(jax.vmap(lambda key: init_state(key, products, TX)))(keys)
    together, _ = jax.jit(jax.vmap(make_steps(products, TX), in_axes=(0, None, 0)))(states, data, rows)
    for number in range(3):
        alone, _ = make_steps(MODEL, TX)(init_state(jax.random.key(number), MODEL, TX), data, rows[number])
        close(jax.tree.map(lambda leaf, n=number: leaf[n], together.params), alone.params)


@pytest.mark.slow
def test_bfloat16_computes_low_and_learns_high(data):
    low = in_bfloat16(MODEL)
    state = init_state(jax.random.key(0), low, TX)
    images = jnp.asarray(data.images[:4], jnp.float32) / 255
    exact, found = MODEL.apply(state.params, images).digits, low.apply(state.params, images).digits
    assert found.dtype == jnp.float32 and 0 < float(jnp.abs(found - exact).max()) < 0.05
    after, _ = make_steps(low, TX)(state, data, order_of(0, 0, 40, 20))
    assert {leaf.dtype for leaf in jax.tree.leaves(after.params)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--members 1", "2 to 4096"),
        ("--examples 3", "less than a batch"),
        ("mlp-8x8", "does not read MNIST"),
        ("--out no/where.md", "--out no/where.md"),
    ],
)
def test_bad_usage_of_the_bench_is_one_sentence(words, said, capfd):
    assert cli.main(["bench", "accelerator", *words.split()]) == 2
    printed = capfd.readouterr()
    assert printed.out == "" and said in printed.err and printed.err.count("\n") == 1


@pytest.mark.slow
def test_all_figures_come_on_a_cpu_too(mnist_dir, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(mnist_dir))
    words = ["--seeds", "1", "--members", "2", "--examples", "128", "--rounds", "0", "--out"]
    assert cli.main(["bench", "accelerator", *words, str(tmp_path / "figures.md")]) == 0
    text = (tmp_path / "figures.md").read_text()
    assert (
        capfd.readouterr().out == text
        and text.count("\n| ") == 9
        and "cpu" in text
        and "2 seeds at once" in text
    )
