"""Many steps in one dispatch are the steps one by one."""

import dataclasses
import json
import signal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import loop, metrics, runs, sharding, steering
from digitjax.checkpoint import load_model
from digitjax.config import TrainConfig
from digitjax.data.batches import Feed, OnDevice
from digitjax.interrupt import Interrupted
from digitjax.metrics import is_kept
from digitjax.prepare import advance, fresh_state, prepare
from digitjax.spans import length, make_loop
from digitjax.types import Metrics, TrainState
from tests.loop.small import CONFIG, lines_without_clock

MIXED = dataclasses.replace(CONFIG, data=("digits8x8=2", "synthetic=1"))


def close(one, other) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


@pytest.mark.ci
@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_params_and_losses_are_those_of_single_steps_whatever_the_seed(devices):
    mesh = sharding.data_mesh(MIXED.batch_size, jax.devices()[:devices])
    spans = prepare(MIXED, mesh, at_once=True)
    assert spans.spans is not None and prepare(MIXED, mesh).spans is None, "the CPU goes step by step"
    for seed in (0, 5):
        config, results = dataclasses.replace(MIXED, seed=seed), []
        steps = spans._replace(
            spans=None, pipeline=spans.pipeline._replace(batch_at=spans.pipeline.reseeded(config))
        )
        for ready in (steps, spans):
            state, measured, done = sharding.replicate(fresh_state(config), mesh), [], 0
            while done < 12:
                state, taken, values = advance(ready, config, mesh, state, done, 100)
                measured += np.atleast_1d(values.loss)[: len(taken)].tolist()
                done = taken[-1]
            assert len(measured) == done == 12 and int(state.step) == 12
            results.append((state.params, measured))
        close(*results)


def test_spans_of_any_length_are_as_many_steps_in_their_order():
    def step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        value = state.params * 1.5 + batch
        return TrainState(value, state.opt_state, state.step + 1, state.key), Metrics(*[value] * 4)

    room = 21
    never: Any = None
    number_of: Any = lambda held, feed, turn: jnp.asarray(feed.steps)[turn]  # noqa: E731
    batches = OnDevice([], never, never, number_of)
    loop = jax.jit(make_loop(step, batches, room))
    feed = Feed(jax.random.key(1), np.float32(0), np.arange(1, 33, dtype=np.int32), [])
    for count in (1, 7, 8, 9, 16, 17, room):
        state = TrainState(jnp.float32(1), jnp.int32(0), jnp.int32(0), jax.random.key(0))
        found, measured = loop(state, [], feed, np.int32(count))
        value, values = np.float32(1), []
        for one in feed.steps[:count]:
            value = np.float32(value * np.float32(1.5) + one)
            values.append(value)
        assert int(found.step) == count
        np.testing.assert_allclose(found.params, value, rtol=1e-6)
        np.testing.assert_allclose(measured.loss[:count], values, rtol=1e-6)


@pytest.mark.ci
def test_one_program_does_for_every_length():
    mesh = sharding.data_mesh(CONFIG.batch_size, jax.devices()[:1])
    ready, state, done = prepare(CONFIG, mesh, at_once=True), fresh_state(CONFIG), 0
    state, taken, _ = advance(ready, CONFIG, mesh, state, done, 1)
    compiled = []

    def listen(event: str, *_: object, **__: object) -> None:
        compiled.extend([event] if event.endswith("backend_compile_duration") else [])

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        while taken[-1] < CONFIG.total_steps:
            state, taken, _ = advance(ready, CONFIG, mesh, state, taken[-1], 5)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert not compiled


@pytest.mark.ci
def test_what_was_changed_in_the_middle_of_a_span_is_changed_again_when_a_run_goes_on(tmp_path):
    mesh = sharding.data_mesh(CONFIG.batch_size)
    for name, at_once in (("steps", False), ("spans", True)):
        run, ready = tmp_path / name, prepare(CONFIG, mesh, at_once=at_once)
        run.mkdir()
        line = {"step": 6, "learning_rate": 1e-9}
        (run / steering.CHANGES).write_text(json.dumps(line) + "\n", encoding="utf-8")
        loop.train(CONFIG, run, prepared=ready)
    # Nothing is learnt from step 7 on, so the params of step 8 are those of step 16.
    for name in ("steps", "spans"):
        close(load_model(tmp_path / name / "8").params, load_model(tmp_path / name / "16").params)
    close(*(load_model(tmp_path / name / "24").params for name in ("steps", "spans")))


@pytest.mark.ci
def test_a_run_of_spans_stops_and_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    mesh = sharding.data_mesh(CONFIG.batch_size)
    ready = prepare(CONFIG, mesh, at_once=True)
    spans = ready.spans
    assert spans is not None

    def stopping(config, state, done, most):
        state, count, measured = spans(config, state, done, most)
        if done <= 8 < done + count:
            signal.raise_signal(signal.SIGINT)
        return state, count, measured

    whole, parted = tmp_path / "whole", tmp_path / "parted"
    for run in (whole, parted):
        run.mkdir()
    loop.train(CONFIG, whole, prepared=ready)
    with pytest.raises(Interrupted):
        loop.train(CONFIG, parted, prepared=ready._replace(spans=stopping))
    loop.train(CONFIG, parted, resume=True, prepared=ready)
    for one, other in zip(
        *(jax.tree.leaves(load_model(run / "24").params) for run in (whole, parted)), strict=True
    ):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def test_a_run_writes_the_same_lines_and_keeps_the_same_steps(tmp_path):
    mesh = sharding.data_mesh(CONFIG.batch_size)
    for name, at_once in (("steps", False), ("spans", True)):
        (tmp_path / name).mkdir()
        loop.train(CONFIG, tmp_path / name, prepared=prepare(CONFIG, mesh, at_once=at_once))
    one, other = (lines_without_clock(tmp_path / name) for name in ("steps", "spans"))
    assert [line["step"] for line in one] == [line["step"] for line in other]
    close([line["loss"] for line in one], [line["loss"] for line in other])
    kept = [[step.name for step in runs.history(tmp_path / name)] for name in ("steps", "spans")]
    assert kept[0] == kept[1] == [str(n) for n in (0, 1, 2, 4, 8, 12, 16, 24)]
    for name in kept[0]:
        close(*(load_model(tmp_path / run / name).params for run in ("steps", "spans")))


def test_a_loss_that_is_no_number_is_named_with_its_step(tmp_path):
    config = dataclasses.replace(CONFIG, optim=dataclasses.replace(CONFIG.optim, learning_rate=9.9))
    mesh, run = sharding.data_mesh(config.batch_size), tmp_path / "run"
    ready = prepare(config, mesh, at_once=True)
    spans = ready.spans
    assert spans is not None

    def poisoned(config, state, done, most):
        state, count, measured = spans(config, state, done, most)
        bad = np.where(np.arange(done + 1, done + len(measured.loss) + 1) == 11, np.nan, measured.loss)
        return state, count, measured._replace(loss=bad)

    run.mkdir()
    with pytest.raises(loop.Diverged, match="at step 11"):
        loop.train(config, run, prepared=ready._replace(spans=poisoned))
    assert [line["step"] for line in metrics.read_metrics(run / runs.METRICS)] == [1, 2, 4, 8, 10]


@pytest.mark.parametrize(("examples", "epochs"), [(384, 3), (200_000, 1), (32, 9)])
def test_spans_end_where_params_are_kept(examples, epochs):
    config = TrainConfig(data=("digits8x8",), epochs=epochs, epoch_examples=examples, batch_size=32)
    done, ends = 0, []
    while done < config.total_steps:
        count = length(done, config, 700)
        assert 1 <= count <= 700
        done += count
        ends.append(done)
    assert done == config.total_steps
    assert {step for step in range(1, done + 1) if is_kept(step, config)} <= set(ends)
