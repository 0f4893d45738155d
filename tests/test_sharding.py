"""Training on several devices."""

import dataclasses
import re
from typing import Any

import jax
import numpy as np
import pytest

from digitjax import sharding
from digitjax.config import ModelConfig, TrainConfig
from digitjax.data.pipeline import make_pipeline
from digitjax.prepare import compiler_options, fresh_state, prepare
from digitjax.train import make_train_step

CONFIG = TrainConfig(
    data=("digits8x8",), batch_size=32, model=ModelConfig(channels=(2, 4), hidden=(8,), geometry="uci8")
)


@pytest.mark.ci
def test_the_trainers_convolutions_are_eigens_and_it_computes_what_the_step_alone_does():
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, channels=(8, 16)))
    mesh = sharding.data_mesh(config.batch_size, jax.devices()[:1])
    alone, ready = make_train_step(config), prepare(config, mesh)
    state, batch = fresh_state(config), ready.pipeline.batch_at(0)
    steps: list[Any] = [alone, ready.step]
    programs = [one.lower(state, batch).compile() for one in steps]
    if compiler_options() is not None:
        ynn = [re.search(r"ynn_fusion[.\d]* = .*conv_general_dilated", one.as_text()) for one in programs]
        assert ynn[0] and not ynn[1]
    after = [one(jax.tree.map(lambda leaf: leaf.copy(), state), batch)[0].params for one in programs]
    for one, other in zip(*map(jax.tree.leaves, after), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


@pytest.mark.parametrize(
    ("platform", "version", "flags"),
    [
        ("gpu", (0, 12, 0), ""),
        ("cpu", (0, 10, 2), ""),
        ("cpu", (0, 12, 0), "--xla_cpu_experimental_ynn_fusion_type="),
    ],
)
def test_xla_is_told_nothing_elsewhere_by_older_ones_and_where_the_user_has_told_it(
    monkeypatch, platform, version, flags
):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(jax, "__version_info__", version)
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert compiler_options() is None


@pytest.mark.ci
def test_two_devices_train_as_one_does():
    pipeline = make_pipeline(CONFIG, "uci8")
    results = []
    for count in (1, 2):
        mesh = sharding.data_mesh(CONFIG.batch_size, jax.devices()[:count])
        step = sharding.spread(make_train_step(CONFIG), mesh)
        state = sharding.replicate(fresh_state(CONFIG), mesh)
        losses = []
        for number in range(3):
            batch = sharding.shard(pipeline.batch_at(number), mesh)
            state, measured = step(state, batch)
            losses.append(measured.loss)
            assert len(batch.target.sharding.device_set) == count
        assert jax.tree.leaves(state.params)[0].sharding.is_fully_replicated
        results.append((state.params, losses))
    for one, two in zip(jax.tree.leaves(results[0]), jax.tree.leaves(results[1]), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-4, atol=2e-6)
