"""Steering a training through its folder: what is asked is done once, written down, repeated by a resume."""

import dataclasses
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from digitjax import claim, cli, loop, metrics, prepare, runs, sharding, steering
from digitjax.calibrate import Calibration
from digitjax.checkpoint import load_model, load_state
from digitjax.config import ModelConfig, TrainConfig
from digitjax.errors import InputError
from digitjax.interrupt import Interrupted
from digitjax.steering import Change, Steering
from digitjax.train import make_train_step
from digitjax.validation import Validated

CONFIG = TrainConfig(
    data=("digits8x8",),
    epochs=2,
    epoch_examples=384,
    batch_size=32,
    model=ModelConfig(kind="mlp", hidden=(8,), geometry="uci8"),
)


class Died(Exception):
    """In the place of `kill -9`: nothing is saved."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(steering, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
    monkeypatch.setattr(loop, "validate", lambda *a: Validated({}, Calibration()))
    monkeypatch.setattr(prepare, "make_train_step", compiled_step)


@functools.cache
def compiled_step(config: TrainConfig, **more: Any) -> Any:
    """Compiled once for all runs of this file."""
    return make_train_step(config, **more)


def train(run: Path, before: dict[int, Callable[[], object]], *, resume: bool = False) -> None:
    """Trains; `before[n]` is done while the batch of step n + 1 is made."""
    make = prepare.make_pipeline

    def acting(*args, **how):
        pipeline = make(*args, **how)

        def batch_at(step):
            before.get(step, lambda: None)()
            return pipeline.batch_at(step)

        return pipeline._replace(batch_at=batch_at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "make_pipeline", acting)
        with claim.locked(run) if resume else claim.new_run(CONFIG, run):
            loop.train(CONFIG, run, resume=resume)


def asks(run: Path, name: str, value: float | None = None) -> Callable[[], object]:
    return lambda: steering.ask(run, name, value)


def dies():
    raise Died


def state_of(run: Path, step: int = 24):
    return load_state(run / str(step), jax.eval_shape(lambda: prepare.fresh_state(CONFIG)))


def assert_same(one, other) -> None:
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        if not jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key):
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def lines(run: Path) -> list[dict]:
    clock = metrics.CLOCK_FIELDS
    return [
        {k: v for k, v in line.items() if k not in clock} for line in metrics.read_metrics(run / runs.METRICS)
    ]


SPREAD = []
"""The step that `changed` was trained with."""


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> Path:
    """A run that never stopped, its learning rate changed after steps 6 and 15, its weight decay after 15."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    before = {5: asks(run, "learning_rate", 0.05)}
    before[14] = lambda: [asks(run, "weight_decay", 0.5)(), asks(run, "learning_rate", 0.001)()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steering, "LOOK_SECONDS", 0.0)
        patch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
        patch.setattr(loop, "validate", lambda *a: Validated({}, Calibration()))
        patch.setattr(prepare, "make_train_step", compiled_step)
        spread = sharding.spread
        patch.setattr(sharding, "spread", lambda *a: SPREAD.append(spread(*a)) or SPREAD[-1])
        train(run, before)
    return run


def test_changes_are_taken_between_two_steps_and_written_down(changed):
    found = steering.read_changes(changed, pytest.fail)
    taken = [("learning_rate", 0.05, 6), ("weight_decay", 0.5, 15), ("learning_rate", 0.001, 15)]
    assert [(c.name, c.value, c.step) for c in found] == taken
    assert len({c.id for c in found}) == 3 and list((changed / steering.REQUESTS).iterdir()) == []
    values = state_of(changed).opt_state.hyperparams
    assert float(values["learning_rate"]) == np.float32(0.001)
    assert float(values["weight_decay"]) == 0.5
    assert steering.current(found, "learning_rate", 0.006) == 0.001


def test_a_new_learning_rate_is_what_the_step_uses(changed):
    """By hand, with the changes set in the state: the same losses as the run wrote."""
    pipeline, step = prepare.make_pipeline(CONFIG, "uci8"), SPREAD[0]
    assert step._cache_size() == 1, "a changed learning rate is compiled anew"
    state, seen = prepare.fresh_state(CONFIG), {}
    for number in range(17):
        for change in steering.read_changes(changed):
            if change.step == number:
                state.opt_state.hyperparams[change.name] = jax.numpy.float32(change.value)
        state, measured = step(state, pipeline.batch_at(number))
        seen[number + 1] = float(measured.loss)
    written = {line["step"]: line["loss"] for line in lines(changed) if "epoch" not in line}
    for number in (4, 8, 12, 16):
        assert seen[number] == pytest.approx(written[number], rel=1e-5)


@pytest.mark.parametrize(
    "dead", [pytest.param(16, marks=pytest.mark.ci), pytest.param(13, marks=pytest.mark.slow)]
)
def test_a_changed_run_that_was_killed_and_resumed_is_the_run_that_never_stopped(changed, tmp_path, dead):
    run = tmp_path / "killed"
    before = {5: asks(run, "learning_rate", 0.05)}
    both = [asks(run, "weight_decay", 0.5), asks(run, "learning_rate", 0.001)]
    before[14] = lambda: [ask() for ask in both]
    with pytest.raises(Died):
        train(run, before | {dead: dies})
    assert [step.name for step in runs.full_steps(run)] == ["12"]
    train(run, {14: before[14]} if dead < 14 else {}, resume=True)
    assert_same(state_of(run), state_of(changed))
    assert lines(run) == lines(changed)
    for step in runs.history(changed):
        assert_same(load_model(step).params, load_model(run / step.relative_to(changed)).params)


def test_a_pause_saves_and_waits_and_a_stop_saves_and_leaves(changed, tmp_path, monkeypatch, capfd):
    run, waited = tmp_path / "paused", []

    def sleep(seconds):
        waited.append([step.name for step in runs.full_steps(run)])
        if len(waited) == 3:
            steering.ask(run, "resume")

    monkeypatch.setattr(loop.time, "sleep", sleep)
    before = {5: asks(run, "learning_rate", 0.05), 9: asks(run, "pause"), 16: asks(run, "stop")}
    before[14] = lambda: [asks(run, "weight_decay", 0.5)(), asks(run, "learning_rate", 0.001)()]
    with pytest.raises(Interrupted, match="saved at step 18") as left:
        train(run, before)
    assert left.value.exit_code == 143 and len(waited) >= 3
    commands = [(c.name, c.step) for c in steering.read_changes(run) if c.name not in steering.VALUES]
    assert commands == [("pause", 10), ("resume", 10), ("stop", 17)]
    assert "paused and saved at step 10" in capfd.readouterr().err
    train(run, {}, resume=True)  # neither pauses nor stops again
    assert_same(state_of(run), state_of(changed))


def test_a_change_in_a_resumed_run_takes_back_those_of_the_future_that_was_given_up(tmp_path):
    recorded = [(6, "learning_rate", 0.05), (15, "learning_rate", 0.001), (15, "weight_decay", 0.5)]
    recorded += [(13, "learning_rate", 0.02), (18, "learning_rate", 0.03)]
    text = "".join(json.dumps({"step": step, name: value}) + "\n" for step, name, value in recorded)
    (tmp_path / steering.CHANGES).write_text(text)
    again = Steering(tmp_path, 12, pytest.fail)
    due = {step: found for step in range(12, 24) if (found := again.due(step))}
    assert due == {13: {"learning_rate": 0.02}, 15: {"weight_decay": 0.5}, 18: {"learning_rate": 0.03}}
    (tmp_path / steering.REQUESTS).mkdir()
    (tmp_path / steering.REQUESTS / "1.json").write_text('{"learning_rate": 0.04}')
    again = Steering(tmp_path, 12, pytest.fail)
    assert again.due(12) == {} and len(again.take(12)) == 1
    assert [again.due(step).get("learning_rate") for step in range(13, 24)] == [None] * 11


def test_torn_and_hostile_lines_get_a_sentence_and_nothing_else_is_lost(tmp_path):
    path = tmp_path / steering.CHANGES
    good = b'{"step": 3, "learning_rate": 0.01, "id": "a", "date": "x"}\n'
    hostile = [
        b"\xff\xfe\n",
        b"[" * 9000 + b"\n",
        b'{"step": -1, "learning_rate": 0.1}\n',
        b'{"step": 3, "learning_rate": NaN}\n',
        b'{"step": 3, "learning_rate": 1e400}\n',
        b'{"step": 3, "learning_rate": true}\n',
        b'{"step": 3, "learning_rate": 0.1, "weight_decay": 0.1}\n',
        b'{"step": true, "pause": true}\n',
        b'{"step": 3, "params": 7}\n',
        b'{"step": 5, "learning_ra',
    ]
    path.write_bytes(good + b"".join(hostile))
    said = []
    first = Steering(tmp_path, 0, said.append)
    assert first.due(2) == {} and first.due(3) == {"learning_rate": 0.01} and first.due(3) == {}
    assert len(said) == len(hostile) and all(str(path) in line and len(line) < 300 for line in said)
    before = path.read_bytes()
    (tmp_path / steering.REQUESTS).mkdir()
    (tmp_path / steering.REQUESTS / "1.json").write_text('{"weight_decay": 0.2}')
    assert [(c.name, c.value) for c in first.take(7)] == [("weight_decay", 0.2)]
    assert path.read_bytes().startswith(before + b"\n"), "the torn line is ended, not gone on with"
    assert Steering(tmp_path, 7, said.append).due(7) == {"weight_decay": 0.2}
    path.write_bytes(b"x\n" * (steering.MAX_LINES + 1))
    with pytest.raises(InputError, match="more than"):
        steering.read_changes(tmp_path)


def test_hostile_requests_are_refused_by_a_sentence_and_never_twice(tmp_path):
    folder = tmp_path / steering.REQUESTS
    folder.mkdir()
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text('{"learning_rate": 1e9}')
    (folder / "c.json").write_bytes(b"x" * 10_000)
    (folder / "d.json").mkdir()
    os.symlink("/etc/passwd", folder / "e.json")
    (folder / "f.json.part").write_text("{")
    (folder / "z.json").write_text('{"pause": true}')
    said: list[str] = []
    taking = Steering(tmp_path, 0, said.append)
    assert taking.take(4) == [Change("pause", None, "", 4)]
    assert len(said) == 5 and taking.take(5) == [] and len(said) == 5
    assert sorted(path.name for path in folder.iterdir()) == ["d.json", "f.json.part"]
    assert steering.is_paused(steering.read_changes(tmp_path))


def test_a_request_that_was_written_down_before_a_kill_is_not_taken_again(tmp_path, monkeypatch):
    monkeypatch.setattr(steering, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(steering.claim, "is_held", lambda run: True)
    steering.ask(tmp_path, "learning_rate", 0.5)
    unlink = Path.unlink

    def killed(path: Path, **how) -> None:
        if path.parent.name == steering.REQUESTS:
            raise Died
        unlink(path, **how)

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(Path, "unlink", killed)
        Steering(tmp_path, 0, pytest.fail).take(50)
    resumed = Steering(tmp_path, 48, pytest.fail)
    assert resumed.take(48) == [] and not list((tmp_path / steering.REQUESTS).iterdir())
    assert resumed.due(50) == {"learning_rate": 0.5}
    assert [change.step for change in steering.read_changes(tmp_path, pytest.fail)] == [50]


def test_what_cannot_be_written_down_is_not_done(tmp_path, monkeypatch):
    folder = tmp_path / steering.REQUESTS
    folder.mkdir()
    for name in ("1.json", "2.json"):
        (folder / name).write_text('{"learning_rate": 0.5}')
    said: list[str] = []
    write = os.write
    monkeypatch.setattr(steering.os, "write", lambda fd, text: write(fd, text[:9]))
    assert Steering(tmp_path, 0, said.append).take(1) == [] and "No space left" in said[0]
    assert (tmp_path / steering.CHANGES).read_bytes() == b""


def test_a_request_is_refused_before_it_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    for name, value in (("learning_rate", 50.0), ("learning_rate", None), ("pause", 1.0), ("seed", 3.0)):
        with pytest.raises(InputError):
            steering.require(name, value)
    with pytest.raises(InputError, match="nobody trains in .*none, it is no training run: give the folder"):
        steering.ask(tmp_path / "none", "pause")
    idle = tmp_path / "y-0"
    (idle / "3").mkdir(parents=True)
    runs.write_config(idle, CONFIG)
    with pytest.raises(InputError, match="it is complete: train on from it with `digitjax train --start"):
        steering.ask(idle, "pause")
    (idle / runs.METRICS).touch()
    with pytest.raises(
        InputError, match=r"nobody trains in \S+y-0: go on with `digitjax train --out \S+ --res"
    ):
        steering.ask(idle, "pause")
    (idle / runs.SUMMARY).touch()
    with pytest.raises(InputError, match="it is complete"):
        steering.ask(idle, "pause")
    with pytest.raises(InputError, match="did you mean y-0"):
        steering.ask(tmp_path / "y-00", "pause")
    assert cli.main(["steer", "--pause"]) == 2 and "no run in" in capsys.readouterr().err
    with claim.new_run(dataclasses.replace(CONFIG, preset="x")) as run:
        runs.write_config(run, CONFIG)
        assert cli.main(["steer", "--learning-rate", "0.02"]) == 0
        assert cli.main(["steer", run.name, "--stop"]) == 0
        assert cli.main(["steer", "--pause", "--resume"]) == 2
        asked = [json.loads(path.read_text()) for path in sorted((run / steering.REQUESTS).iterdir())]
        assert [one.get("learning_rate") for one in asked] == [0.02, None] and asked[1]["stop"] is True
        assert cli.main(["steer", "--weight-decay", "0"]) == 0
        assert cli.main(["steer", "--learning-rate", "0"]) == 2 and "above 0" in capsys.readouterr().err
        last = max((run / steering.REQUESTS).iterdir())
        assert json.loads(last.read_text())["weight_decay"] == 0.0
        steering.forget_commands(run)
        assert len(list((run / steering.REQUESTS).iterdir())) == 2, "what is set stays"


def test_requests_are_taken_in_their_order_though_the_clock_was_turned_back(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with claim.new_run(CONFIG, run):
        for now, value in ((2_000_000_000, 0.1), (1_000_000_000, 0.2), (1_500_000_000, 0.3)):
            monkeypatch.setattr(steering.time, "time_ns", lambda now=now: now * 10**9)
            steering.ask(run, "learning_rate", value)
        assert [change.value for change in Steering(run, 0, print).take(1)] == [0.1, 0.2, 0.3]
