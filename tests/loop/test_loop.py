"""The trainer: what it leaves, and how it starts."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import cli, data, finish, loop, metrics, prepare, runs, sharding
from digitjax.calibrate import Calibration, fit
from digitjax.checkpoint import load_model, load_state
from digitjax.config import TrainConfig
from digitjax.data import DataUnavailable
from digitjax.data import pipeline as data_pipeline
from digitjax.data.labels import DIGITS, NOT_A_DIGIT
from digitjax.data.pipeline import Examples
from digitjax.evaluate import answer_digits, loss_and_accuracy
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.train import init_state, make_train_step
from digitjax.types import Logits, Metrics
from digitjax.validation import Validated
from tests.loop.small import ARGUMENTS, CONFIG


def test_a_finished_run_has_all_that_the_contract_names(finished, capsys):
    assert [int(s.name) for s in runs.history(finished)] == [0, 1, 2, 4, 8, 12, 16, 24]
    assert [int(s.name) for s in runs.full_steps(finished)] == [12, 24]
    assert runs.read_config(finished) == CONFIG
    about = json.loads((finished / runs.CONFIG).read_text())
    assert about["data"] == ["digits8x8"] and about["versions"]["jax"] == jax.__version__
    assert (finished / runs.REPORT).read_bytes().startswith(b"\x89PNG")
    assert runs.is_finished(finished) and runs.latest_run(finished.parent) == finished
    written = [path.stat().st_mtime_ns for path in (finished.parent / runs.LATEST, finished / runs.SUMMARY)]
    assert written == sorted(written), "killed in between it would be finished and never the latest"
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
    pipeline = prepare.make_pipeline(CONFIG, "uci8")
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
    (examples,) = prepare.make_pipeline(CONFIG, "uci8").validation
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
    (examples,) = prepare.make_pipeline(CONFIG, "uci8").validation
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


def test_the_device_is_asked_once_a_log_not_once_a_step(checkpoints, monkeypatch):
    fetched = []
    get = jax.device_get
    monkeypatch.setattr(loop.jax, "device_get", lambda tree: fetched.append(tree) or get(tree))
    run = checkpoints / "run"
    run.mkdir()
    loop.train(dataclasses.replace(CONFIG, epochs=1), run)
    lists = [tree for tree in fetched if isinstance(tree, list)]
    steps = [len(tree) for tree in lists if tree and isinstance(tree[0], Metrics)]
    assert steps == [1, 1, 2, 4, 2, 2], "of the steps to 1, 2, 4, 8, 10 and 12"


def test_a_run_compiles_its_step_once_also_when_resumed(checkpoints, monkeypatch):
    made = []
    spread = sharding.spread
    monkeypatch.setattr(sharding, "spread", lambda *a: made.append(spread(*a)) or made[-1])
    monkeypatch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
    config = TrainConfig(**{**CONFIG.__dict__, "epochs": 1})
    run = checkpoints / "one"
    run.mkdir()
    monkeypatch.setattr(loop, "validate", lambda *a: Validated({}, Calibration()))
    loop.train(config, run)
    state = load_state(run / "12", jax.eval_shape(lambda: prepare.fresh_state(config)))
    mesh = sharding.data_mesh(config.batch_size)
    batch = sharding.shard(prepare.make_pipeline(config, "uci8").batch_at(12), mesh)
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


def test_a_run_may_start_with_another_dropout(finished):
    model = dataclasses.replace(CONFIG.model, dropout=0.5)
    state = prepare.first_state(dataclasses.replace(CONFIG, model=model, start=str(finished)))
    jax.tree.map(np.testing.assert_array_equal, state.params, load_model(finished).params)


def test_a_teacher_is_the_mean_of_its_networks_odds(finished):
    config = dataclasses.replace(CONFIG, distil=(str(finished), str(finished / "history" / "0")))
    teacher, images = prepare.teacher_of(config), jax.random.uniform(jax.random.key(3), (5, 8, 8, 1))
    target = jax.nn.one_hot(jax.numpy.arange(5), 10)
    assert teacher is not None and prepare.teacher_of(CONFIG) is None
    odds = []
    for name in config.distil:
        loaded = load_model(name)
        logits = np.asarray(loaded.model.apply(loaded.params, images).digits, np.float64)
        odds.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    expected = 0.25 * np.asarray(target) + 0.75 * np.mean(odds, axis=0)
    np.testing.assert_allclose(teacher(images, target), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.ci
def test_a_run_that_learns_from_others_is_stopped_and_goes_on_with_them(finished, checkpoints, capsys):
    words = [*ARGUMENTS, "--distil", str(finished), "--out"]
    whole, parted = checkpoints / "whole", checkpoints / "parted"
    assert cli.main(["train", *words, str(whole)]) == 0
    assert f"learning from {finished.name}" in capsys.readouterr().err
    parted.mkdir()
    runs.write_config(parted, runs.read_config(whole), data=["digits8x8"])
    assert cli.main(["train", "--resume", "--out", str(parted)]) == 0
    assert runs.read_config(whole).distil == (str(finished / "24"),), "a step, not whichever is best"
    one, other = (jax.tree.leaves(load_model(run / "24").params) for run in (whole, parted))
    alone = jax.tree.leaves(load_model(finished / "24").params)
    assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
    assert not all(np.array_equal(*pair) for pair in zip(one, alone, strict=True))


@pytest.mark.ci
def test_who_cannot_be_learnt_from_is_said_before_anything_is_written(finished, checkpoints, capsys):
    for words, said in (
        ([*ARGUMENTS, "--distil", "nowhere"], "--distil nowhere: checkpoint 'nowhere' does not exist"),
        (["--data", "synthetic", "--distil", str(finished)], "reads uci8 and this network mnist28"),
    ):
        assert cli.main(["train", *words]) == 2
        assert said in (printed := capsys.readouterr().err) and "Traceback" not in printed
    assert list(checkpoints.iterdir()) == []


def test_a_run_whose_teacher_is_gone_says_which(checkpoints, capsys):
    run = checkpoints / "pupil"
    run.mkdir()
    runs.write_config(run, dataclasses.replace(CONFIG, distil=("/gone/cnn-0/64",)), data=["digits8x8"])
    assert cli.main(["train", "--resume", "--out", str(run)]) == 2
    assert f"{run} learns from /gone/cnn-0/64, which is not there any more" in capsys.readouterr().err


@pytest.mark.parametrize("rejects", [pytest.param(False, marks=pytest.mark.ci), True])
def test_mnist_that_cannot_be_loaded_gives_way_to_embedded_data(checkpoints, monkeypatch, capfd, rejects):
    def load(spec, default=None):
        if getattr(spec, "name", spec) == "mnist":
            raise DataUnavailable("no route to host")
        return data.load(spec, default)

    monkeypatch.setattr(data_pipeline, "unavailable", lambda name: None)
    monkeypatch.setattr(data_pipeline, "load", load)
    monkeypatch.setattr(data_pipeline, "EMBEDDED", {rejects: ("digits8x8",)})
    model = dataclasses.replace(CONFIG.model, rejects=rejects)
    config = dataclasses.replace(CONFIG, data=(), epochs=1, epoch_examples=32, model=model)
    run = checkpoints / "run"
    run.mkdir()
    assert loop.train(config, run).data == ("digits8x8",) == runs.read_data(run)
    about = json.loads((run / runs.CONFIG).read_text())
    assert about["config"]["data"] == [] and "no route to host" in about["notices"][0]
    said = capfd.readouterr().err
    assert said.count("no route to host") == 1 and "data: digits8x8" in said
    shutil.rmtree(run / "1")
    assert loop.train(config, run, resume=True).data == ("digits8x8",)


def test_the_test_sets_go_through_the_network_once(finished, monkeypatch):
    seen = []
    apply = finish.read_all
    monkeypatch.setattr("digitjax.evaluate.read_all", lambda *args: pytest.fail("a second time"))
    monkeypatch.setattr(finish, "read_all", lambda *args: seen.append(len(args[2])) or apply(*args))
    loaded = load_model(finished)
    (measured,) = finish.measure(loaded, finish.test_sets(["digits8x8"], "uci8"))
    assert seen == [359] == [measured.evaluation.n_digits]
    right = measured.log_p.argmax(axis=1) == measured.examples.labels
    assert measured.evaluation.accuracy == pytest.approx(right.mean())


@pytest.mark.parametrize("rejects", [True, False])
def test_the_end_says_how_often_not_a_digit_is_said(finished, tmp_path, monkeypatch, rejects):
    def apply(params, images, key=None):  # dark pictures are no digit
        score = images.mean(axis=(1, 2, 3)) - 0.5
        return Logits(jnp.zeros((len(images), 10)), score if rejects else None)

    def pictures(name, lightness, words):
        images = np.stack([np.full((8, 8, 1), one, np.uint8) for one in lightness])
        labels = np.array([DIGITS.index(word) if word in DIGITS else NOT_A_DIGIT for word in words], np.int8)
        return Examples(name, images, labels, tuple(words))

    sets = {
        "synthetic@test": pictures("synthetic@test", [200, 200, 200, 10], "0123"),
        "nondigits@test": pictures("nondigits@test", [200, 10, 10, 10], "AX#O"),  # the letter O is neither
    }
    monkeypatch.setattr(finish, "whole_test_split", lambda spec, *_, **__: sets[str(spec)])
    monkeypatch.setattr(finish, "write_report", lambda *_: None)
    loaded = load_model(finished)
    loaded = loaded._replace(model=loaded.model._replace(apply=apply), run=tmp_path)
    monkeypatch.setattr(finish, "load_model", lambda _: loaded)
    said = finish.finish(
        dataclasses.replace(CONFIG, preset="mlp-tiny"), tmp_path, ["synthetic", "nondigits"], 1.0
    )
    line = "not a digit    said of 66.67 % of 3 test drawings that are none and of 25.00 % of the test digits"
    assert (line in said.splitlines()) is rejects and ("not a digit" in said) is rejects
