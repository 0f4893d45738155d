"""What `bench accelerator` measures: members at once are members one by one, bfloat16 learns in float32."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import cli
from digitjax.bench.accelerator import Way, train_members
from digitjax.convolution import as_product
from digitjax.data.pipeline import make_pipeline
from digitjax.models import in_bfloat16, make_model
from digitjax.prepare import fresh_state
from digitjax.train import make_train_step
from tests.loop.small import CONFIG

MODEL = make_model(CONFIG.model)


@jax.debug_key_reuse(False)  # it takes a stack of keys for keys that were used
@pytest.mark.slow
def test_members_at_once_as_products_are_members_one_by_one_as_convolutions():
    pipeline, products = make_pipeline(CONFIG, MODEL.geometry), make_model(CONFIG.model, as_product)
    alone = train_members(Way("", MODEL, looped=False, members=3), CONFIG, pipeline)([0, 1, 2])
    together = train_members(Way("", products, True, 3, batched=True), CONFIG, pipeline)([0, 1, 2])
    close = functools.partial(np.testing.assert_allclose, rtol=5e-3, atol=1e-3)
    for one, other in zip(alone, together, strict=True):
        jax.tree.map(close, one, other)
    assert not np.allclose(alone[0]["digits"]["kernel"], alone[1]["digits"]["kernel"], atol=1e-3)


@pytest.mark.slow
def test_bfloat16_computes_low_and_learns_high():
    config = dataclasses.replace(CONFIG, precision="bfloat16")
    batch = make_pipeline(CONFIG, MODEL.geometry).batch_at(0)
    state, images = fresh_state(config), jnp.asarray(batch.x)
    exact = MODEL.apply(state.params, images).digits
    found = in_bfloat16(MODEL).apply(state.params, images).digits
    assert found.dtype == jnp.float32 and 0 < float(jnp.abs(found - exact).max()) < 0.05
    _, expected = make_train_step(CONFIG)(fresh_state(CONFIG), batch)
    low, measured = make_train_step(config)(state, batch)
    assert float(measured.loss) == pytest.approx(float(expected.loss), rel=0.02)
    assert float(measured.loss) != float(expected.loss)
    assert {leaf.dtype for leaf in jax.tree.leaves(low.params)} == {jnp.dtype("float32")}


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
