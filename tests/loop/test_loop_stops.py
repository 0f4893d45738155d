"""Stopping the trainer in any way changes nothing, and what went wrong is a sentence."""

import math
import os
import shutil
import signal
import subprocess
import sys

import jax
import pytest

from digitjax import cli, loop, metrics, prepare, runs, sharding
from digitjax.checkpoint import load_model
from digitjax.errors import DigitjaxError, InputError
from tests.loop.small import ARGUMENTS, CONFIG, STEPS, assert_same_run, poison, stop_at

DIES_AT = """
import os, signal, sys
from digitjax import cli, prepare
make = prepare.make_pipeline
def dying(*args, **how):
    pipeline = make(*args, **how)
    def batch_at(step):
        if step == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return pipeline.batch_at(step)
    return pipeline._replace(batch_at=batch_at)
prepare.make_pipeline = dying
sys.exit(cli.main(["train", *sys.argv[2:]]))
"""


def test_signals_save_and_the_resumed_run_is_the_run_that_never_stopped(
    finished, checkpoints, monkeypatch, capfd, abstract_state
):
    run = checkpoints / "cnn-0"
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "make_pipeline", stop_at(5, signal.SIGINT))
        assert cli.main(["train", *ARGUMENTS]) == 130
    said = capfd.readouterr().err
    assert f"stopped and saved at step 6 of {STEPS}" in said
    assert f"-m digitjax train --out {run} --resume" in said
    assert int(runs.full_steps(run)[-1].name) == 6
    assert cli.main(["train", *ARGUMENTS]) == 2
    assert "--resume" in capfd.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "make_pipeline", stop_at(17, signal.SIGTERM))
        assert cli.main(["train", "--resume"]) == 143
    assert "resuming at step 6" in capfd.readouterr().err
    assert cli.main(["train", "--resume"]) == 0
    assert "resuming at step 18" in capfd.readouterr().err
    assert_same_run(finished, run, abstract_state)
    assert cli.main(["train", "--resume"]) == 2
    assert "has finished" in capfd.readouterr().err


def test_a_signal_after_the_last_step_was_looked_at_stops_before_the_report(checkpoints, monkeypatch, capfd):
    steps = loop._Trainer.steps

    def stopped_late(*args):
        steps(*args)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Trainer, "steps", stopped_late)
        assert cli.main(["train", *ARGUMENTS]) == 130
    assert f"stopped and saved at step {STEPS} of {STEPS}" in capfd.readouterr().err
    assert not runs.is_finished(checkpoints / "cnn-0")
    assert cli.main(["train", "--resume"]) == 0
    assert runs.is_finished(checkpoints / "cnn-0")


@pytest.mark.ci
def test_kill_minus_nine_and_resume_is_the_run_that_never_stopped(finished, checkpoints, abstract_state):
    run = checkpoints / "cnn-0"
    killed = subprocess.run(
        [sys.executable, "-c", DIES_AT, "21", *ARGUMENTS], env=os.environ, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not runs.is_finished(run)
    (run / "30.orbax-checkpoint-tmp").mkdir()
    with (run / runs.METRICS).open("a") as file:
        file.write('{"step": 22, "lo')
    assert cli.main(["train", "--resume"]) == 0
    assert_same_run(finished, run, abstract_state)
    assert not list(run.glob("*tmp*"))


def test_a_damaged_last_step_is_passed_over(finished, checkpoints, capfd, abstract_state):
    run = checkpoints / "cnn-0"
    shutil.copytree(finished, run)
    (run / runs.SUMMARY).unlink()
    array = next(p for p in (run / "24" / "params").rglob("*") if p.is_file() and p.parent.name == "d")
    array.write_bytes(array.read_bytes()[:-1] + b"!")
    assert cli.main(["train", "--resume"]) == 0
    said = capfd.readouterr().err
    assert "damaged" in said and "resuming at step 12" in said
    assert_same_run(finished, run, abstract_state)


@pytest.mark.parametrize(("at", "kept"), [(0, 0), (5, 4), (14, 12)])
def test_a_loss_that_is_no_number_stops_with_the_very_step_and_the_remedy(
    checkpoints, monkeypatch, capfd, at, kept
):
    monkeypatch.setattr(prepare, "make_pipeline", poison(at))
    assert cli.main(["train", *ARGUMENTS]) == 1
    said = capfd.readouterr().err
    run = checkpoints / "cnn-0"
    assert f"the loss is nan at step {at + 1}: " in said
    assert "--optim.learning-rate" in said and f"{run / str(kept)} stays" in said
    assert "Traceback" not in said
    assert runs.history(run)[-1].name == str(kept)
    assert load_model(run / str(kept)).step == kept, "nothing that is no number was saved"
    assert all(math.isfinite(line["loss"]) for line in metrics.read_metrics(run / runs.METRICS))


def test_a_loss_that_was_no_number_in_one_step_alone_is_found_too(checkpoints, monkeypatch):
    make = prepare.make_train_step

    def forgiving(config, **more):
        step = make(config, **more)

        def once(state, batch):
            number = int(state.step)
            state, measured = step(state, batch)
            return state, measured._replace(loss=measured.loss + math.inf) if number == 12 else measured

        return once

    monkeypatch.setattr(prepare, "make_train_step", forgiving)
    monkeypatch.setattr(sharding, "spread", lambda step, mesh, options: step)
    monkeypatch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
    run = checkpoints / "run"
    run.mkdir()
    with pytest.raises(DigitjaxError, match="the loss is inf at step 13"):
        loop.train(CONFIG, run)


def test_a_stop_after_a_nan_nobody_saw_saves_no_nan(checkpoints, monkeypatch):
    monkeypatch.setattr(prepare, "make_pipeline", poison(12, stop_at(13, signal.SIGINT)))
    run = checkpoints / "run"
    run.mkdir()
    with pytest.raises(DigitjaxError, match="nan at step 13"):
        loop.train(CONFIG, run)
    assert [step.name for step in runs.full_steps(run)] == ["12"]


def test_an_error_of_the_saver_stops_the_run(checkpoints, monkeypatch):
    run = checkpoints / "full"
    run.mkdir()
    monkeypatch.setattr("digitjax.checkpoint.shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(DigitjaxError, match="No space left"):
        loop.train(CONFIG, run)
    assert not runs.is_finished(run)


def test_a_run_whose_every_step_is_damaged_is_not_thrown_away(finished, checkpoints):
    run = checkpoints / "cnn-0"
    shutil.copytree(finished, run)
    for step in runs.full_steps(run):
        (step / "more").write_text("")
    with pytest.raises(InputError, match="no sound step"):
        loop.train(CONFIG, run, resume=True)
    assert len(runs.full_steps(run)) == 2


def test_a_resume_with_an_edited_config_names_it_and_throws_nothing_away(finished, checkpoints, capfd):
    run = checkpoints / "cnn-0"
    shutil.copytree(finished, run)
    (run / runs.SUMMARY).unlink()
    config = run / runs.CONFIG
    config.write_text(config.read_text().replace('"learning_rate": 0.006', '"learning_rate": 0.007'))
    assert cli.main(["train", "--resume"]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and str(config) in said and "undo what was changed" in said
    assert [step.name for step in runs.full_steps(run)] == ["12", "24"]
