"""The trainer: what it leaves, and that stopping it in any way changes nothing."""

import dataclasses
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from digitjax import cli, data, finish, loop, metrics, runs, sharding
from digitjax.calibrate import Calibration, fit
from digitjax.checkpoint import load_model, load_state
from digitjax.config import ModelConfig, TrainConfig
from digitjax.data import DataUnavailable
from digitjax.data import pipeline as data_pipeline
from digitjax.errors import DigitjaxError, InputError
from digitjax.evaluate import answer_digits, loss_and_accuracy
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.train import init_state, make_train_step
from digitjax.types import Metrics
from digitjax.validation import Validated

CONFIG = TrainConfig(
    data=("digits8x8",),
    epochs=2,
    epoch_examples=384,
    batch_size=32,
    model=ModelConfig(channels=(2, 4), hidden=(8,), geometry="uci8"),
)
ARGUMENTS = shlex.split(
    "--data digits8x8 --epochs 2 --epoch-examples 384 --batch-size 32 "
    "--model.channels 2 4 --model.hidden 8 --model.geometry uci8"
)
STEPS = 24
DIES_AT = """
import os, signal, sys
from digitjax import cli, loop
make = loop.make_pipeline
def dying(*args, **how):
    pipeline = make(*args, **how)
    def batch_at(step):
        if step == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return pipeline.batch_at(step)
    return pipeline._replace(batch_at=batch_at)
loop.make_pipeline = dying
sys.exit(cli.main(["train", *sys.argv[2:]]))
"""


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """The runs of this file compile the same programs: let the second take the first one's."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            jax.config.update(name, value)
            patch.setenv(name.upper(), str(value))
        yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run that never stopped, by the command line."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
        assert cli.main(["train", *ARGUMENTS]) == 0
    return folder / "cnn-0"


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def abstract_state():
    return jax.eval_shape(
        lambda: init_state(jax.random.key(0), make_model(CONFIG.model), make_optimizer(CONFIG))
    )


def lines_without_clock(run: Path) -> list[dict]:
    lines = metrics.read_metrics(run / runs.METRICS)
    return [{k: v for k, v in line.items() if k not in metrics.CLOCK_FIELDS} for line in lines]


def assert_same_run(one: Path, other: Path, abstract_state) -> None:
    assert lines_without_clock(one) == lines_without_clock(other)
    kept = [[s.name for s in runs.step_folders(run / runs.HISTORY)] for run in (one, other)]
    assert kept[0] == kept[1] == [str(n) for n in (0, 1, 2, 4, 8, 12, 16, 24)]
    for step in runs.history(one):
        a, b = load_model(step), load_model(other / step.relative_to(one))
        for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(b.params), strict=True):
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes(), step
    a, b = (load_state(run / str(STEPS), abstract_state) for run in (one, other))
    for x, y in zip(jax.tree.leaves(a.opt_state), jax.tree.leaves(b.opt_state), strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def test_a_finished_run_has_all_that_the_contract_names(finished, capsys):
    assert [int(s.name) for s in runs.history(finished)] == [0, 1, 2, 4, 8, 12, 16, 24]
    assert [int(s.name) for s in runs.full_steps(finished)] == [12, 24]
    assert runs.read_config(finished) == CONFIG
    about = json.loads((finished / runs.CONFIG).read_text())
    assert about["data"] == ["digits8x8"] and about["versions"]["jax"] == jax.__version__
    assert (finished / runs.REPORT).read_bytes().startswith(b"\x89PNG")
    assert runs.is_finished(finished) and runs.latest_run(finished.parent) == finished
    summary = json.loads((finished / runs.SUMMARY).read_text())
    (test,) = summary["test"]
    assert test["data"] == "digits8x8@test" and np.sum(test["confusion"]) == test["n_digits"] == 359


def test_the_lines_are_of_every_tenth_and_every_kept_step_and_their_means_are_right(finished):
    lines = metrics.read_metrics(finished / runs.METRICS)
    steps = [line for line in lines if "epoch" not in line]
    assert [line["step"] for line in steps] == [1, 2, 4, 8, 10, 12, 16, 20, 24]
    first, second = (line for line in lines if "epoch" in line)
    assert [first["step"], second["step"]] == [12, 24]
    assert first["train_loss"] == pytest.approx(np.mean([line["loss"] for line in steps[:6]]))
    assert second["train_accuracy"] == pytest.approx(np.mean([line["accuracy"] for line in steps[6:]]))
    assert first["accuracy"] == first["validation"]["digits8x8@validation"]["accuracy"]
    clock = [line["seconds"] for line in lines]
    assert clock == sorted(clock)


def test_a_step_by_hand_is_the_step_of_the_run(finished):
    pipeline = loop.make_pipeline(CONFIG, "uci8")
    state = init_state(jax.random.key(0), make_model(CONFIG.model), make_optimizer(CONFIG))
    step = make_train_step(CONFIG)
    seen = []
    for number in range(4):
        state, measured = step(state, pipeline.batch_at(number))
        seen.append(float(measured.loss))
    written = {line["step"]: line["loss"] for line in metrics.read_metrics(finished / runs.METRICS)}
    np.testing.assert_allclose([seen[0], seen[1], seen[3]], [written[1], written[2], written[4]], rtol=1e-5)


def test_the_record_of_a_step_is_what_validation_measures(finished):
    loaded = load_model(finished / "24")
    (examples,) = loop.make_pipeline(CONFIG, "uci8").validation
    answered = answer_digits(loaded.model, loaded.params, examples)
    loss, accuracy = loss_and_accuracy(answered)
    assert loaded.record["accuracy"] == pytest.approx(accuracy, rel=1e-5)
    assert loss < loaded.record["loss"]  # the record is of the logits as trained, the params are calibrated
    assert fit([answered]).temperature == pytest.approx(1.0, abs=1e-2)
    temperature = loaded.record["calibration"]["temperature"]
    hot = answered._replace(log_p=answered.log_p * temperature)
    hot = hot._replace(log_p=hot.log_p - np.log(np.exp(hot.log_p).sum(axis=1, keepdims=True)))
    assert loaded.record["loss"] == pytest.approx(loss_and_accuracy(hot)[0], rel=1e-4)
    assert loaded.record["epoch"] == 2


def test_the_confusion_and_the_hardest_digits_are_those_of_validation(finished):
    loaded = load_model(finished / "24")
    (examples,) = loop.make_pipeline(CONFIG, "uci8").validation
    labels = np.asarray(examples.labels)
    log_p = answer_digits(loaded.model, loaded.params, examples).log_p
    table = np.zeros((10, 10), int)
    for truth, said in zip(labels, log_p.argmax(axis=1), strict=True):
        table[truth, said] += 1
    (line,) = (line for line in metrics.read_metrics(finished / runs.METRICS) if line.get("epoch") == 2)
    assert line["confusion"] == table.tolist()
    hard = json.loads((finished / runs.HARDEST).read_text())
    assert hard["step"] == 24 and len(hard["digits"]) == 60
    hot = log_p * loaded.record["calibration"]["temperature"]  # the run's own odds were not calibrated
    right = (hot - np.log(np.exp(hot).sum(axis=1, keepdims=True)))[np.arange(len(labels)), labels]
    wanted = [np.asarray(examples.images)[i].tobytes().hex() for i in np.argsort(right)[:5]]
    assert [digit["pixels"] for digit in hard["digits"][:5]] == wanted
    assert [digit["label"] for digit in hard["digits"][:5]] == labels[np.argsort(right)[:5]].tolist()


def stop_at(step: int, number: int):
    """`make_pipeline` whose process gets a signal while it asks for the batch of a step."""
    make = loop.make_pipeline

    def signalling(*args, **how):
        pipeline = make(*args, **how)

        def batch_at(now):
            if now == step:
                signal.raise_signal(number)
            return pipeline.batch_at(now)

        return pipeline._replace(batch_at=batch_at)

    return signalling


def test_signals_save_and_the_resumed_run_is_the_run_that_never_stopped(
    finished, checkpoints, monkeypatch, capfd, abstract_state
):
    run = checkpoints / "cnn-0"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "make_pipeline", stop_at(5, signal.SIGINT))
        assert cli.main(["train", *ARGUMENTS]) == 130
    said = capfd.readouterr().err
    assert f"stopped and saved at step 6 of {STEPS}" in said
    assert f"-m digitjax train --out {run} --resume" in said
    assert int(runs.full_steps(run)[-1].name) == 6
    assert cli.main(["train", *ARGUMENTS]) == 2
    assert "--resume" in capfd.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(loop, "make_pipeline", stop_at(17, signal.SIGTERM))
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


def poison(at: int, make=None):
    """`make_pipeline` whose batch for step `at` (from 0) weighs NaN."""
    make = make or loop.make_pipeline

    def poisoned(*args, **how):
        pipeline = make(*args, **how)

        def batch_at(step):
            batch = pipeline.batch_at(step)
            return batch._replace(weight=batch.weight * math.nan) if step == at else batch

        return pipeline._replace(batch_at=batch_at)

    return poisoned


@pytest.mark.parametrize(("at", "kept"), [(0, 0), (5, 4), (14, 12)])
def test_a_loss_that_is_no_number_stops_with_the_very_step_and_the_remedy(
    checkpoints, monkeypatch, capfd, at, kept
):
    monkeypatch.setattr(loop, "make_pipeline", poison(at))
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
    make = loop.make_train_step

    def forgiving(config):
        step = make(config)

        def once(state, batch):
            number = int(state.step)
            state, measured = step(state, batch)
            return state, measured._replace(loss=measured.loss + math.inf) if number == 12 else measured

        return once

    monkeypatch.setattr(loop, "make_train_step", forgiving)
    monkeypatch.setattr(sharding, "spread", lambda step, mesh: step)
    monkeypatch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
    run = checkpoints / "run"
    run.mkdir()
    with pytest.raises(DigitjaxError, match="the loss is inf at step 13"):
        loop.train(CONFIG, run)


def test_the_device_is_asked_once_a_log_not_once_a_step(checkpoints, monkeypatch):
    fetched = []
    get = jax.device_get
    monkeypatch.setattr(loop.jax, "device_get", lambda tree: fetched.append(tree) or get(tree))
    run = checkpoints / "run"
    run.mkdir()
    loop.train(dataclasses.replace(CONFIG, epochs=1), run)
    lists = [tree for tree in fetched if isinstance(tree, list)]
    measured = [[one[0] for one in tree if isinstance(one[1], Metrics)] for tree in lists]
    assert [steps for steps in measured if steps] == [[1], [2], [3, 4], [5, 6, 7, 8], [9, 10], [11, 12]]


def test_a_stop_after_a_nan_nobody_saw_saves_no_nan(checkpoints, monkeypatch):
    monkeypatch.setattr(loop, "make_pipeline", poison(12, stop_at(13, signal.SIGINT)))
    run = checkpoints / "run"
    run.mkdir()
    with pytest.raises(DigitjaxError, match="nan at step 13"):
        loop.train(CONFIG, run)
    assert [step.name for step in runs.full_steps(run)] == ["12"]


def test_a_run_compiles_its_step_once_also_when_resumed(checkpoints, monkeypatch):
    made = []

    def counted(config):
        made.append(make_train_step(config))
        return made[-1]

    monkeypatch.setattr(loop, "make_train_step", counted)
    monkeypatch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
    config = TrainConfig(**{**CONFIG.__dict__, "epochs": 1})
    run = checkpoints / "one"
    run.mkdir()
    monkeypatch.setattr(loop, "validate", lambda *a: Validated({}, Calibration()))
    loop.train(config, run)
    state = load_state(run / "12", jax.eval_shape(lambda: loop.fresh_state(config)))
    mesh = sharding.data_mesh(config.batch_size)
    batch = sharding.shard(loop.make_pipeline(config, "uci8").batch_at(12), mesh)
    made[0](sharding.replicate(state, mesh), batch)
    assert made[0]._cache_size() == 1


@pytest.mark.parametrize("resume", [False, True], ids=["anew", "resumed before anything was saved"])
def test_a_run_starts_with_the_params_of_another(finished, checkpoints, monkeypatch, resume):
    monkeypatch.setattr(loop, "validate", lambda *a: Validated({}, Calibration()))
    run = checkpoints / "second"
    run.mkdir()
    config = TrainConfig(**{**CONFIG.__dict__, "epochs": 1, "seed": 5, "start": str(finished)})
    if resume:
        runs.write_config(run, config, data=["digits8x8"])
    loop.train(config, run, resume=resume)
    first, before = load_model(run / "history" / "0"), load_model(finished)
    jax.tree.map(np.testing.assert_array_equal, first.params, before.params)
    after = jax.tree.leaves(load_model(run / "history" / "12").params)
    assert any(not np.array_equal(*pair) for pair in zip(after, jax.tree.leaves(first.params), strict=True))


def test_a_run_cannot_start_with_another_network(finished, checkpoints, capsys):
    other = ["9" if word == "8" else word for word in ARGUMENTS]
    assert cli.main(["train", *other, "--start", str(finished)]) == 2
    assert "is another network" in capsys.readouterr().err
    assert list(checkpoints.iterdir()) == []


def test_mnist_that_cannot_be_loaded_gives_way_to_embedded_data(checkpoints, monkeypatch, capfd):
    def load(spec, default=None):
        if getattr(spec, "name", spec) == "mnist":
            raise DataUnavailable("no route to host")
        return data.load(spec, default)

    monkeypatch.setattr(data_pipeline, "unavailable", lambda name: None)
    monkeypatch.setattr(data_pipeline, "load", load)
    monkeypatch.setattr(data_pipeline, "EMBEDDED", ("digits8x8",))
    config = dataclasses.replace(CONFIG, data=(), epochs=1, epoch_examples=32)
    run = checkpoints / "run"
    run.mkdir()
    assert loop.train(config, run).data == ("digits8x8",) == runs.read_data(run)
    about = json.loads((run / runs.CONFIG).read_text())
    assert about["config"]["data"] == [] and "no route to host" in about["notices"][0]
    said = capfd.readouterr().err
    assert said.count("no route to host") == 1 and "data: digits8x8" in said
    shutil.rmtree(run / "1")
    assert loop.train(config, run, resume=True).data == ("digits8x8",)


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


def test_the_test_sets_go_through_the_network_once(finished, monkeypatch):
    seen = []
    apply = finish.apply_in_batches
    monkeypatch.setattr("digitjax.evaluate.apply_in_batches", lambda *args: pytest.fail("a second time"))
    monkeypatch.setattr(finish, "apply_in_batches", lambda *args: seen.append(len(args[2])) or apply(*args))
    loaded = load_model(finished)
    (measured,) = finish.measure(loaded, finish.test_sets(["digits8x8"], "uci8"))
    assert seen == [359] == [measured.evaluation.n_digits]
    right = measured.log_p.argmax(axis=1) == measured.examples.labels
    assert measured.evaluation.accuracy == pytest.approx(right.mean())
