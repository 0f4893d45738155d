"""Training on several devices."""

import jax
import numpy as np

from digitjax import sharding
from digitjax.config import ModelConfig, TrainConfig
from digitjax.data.pipeline import make_pipeline
from digitjax.prepare import fresh_state
from digitjax.train import make_train_step

CONFIG = TrainConfig(
    data=("digits8x8",), batch_size=32, model=ModelConfig(channels=(2, 4), hidden=(8,), geometry="uci8")
)


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
