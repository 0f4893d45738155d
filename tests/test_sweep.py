"""Many runs at once: each is the run that `digitjax train` makes; their ensemble is a network."""

import json
import shutil
import signal
import statistics
from pathlib import Path

import jax
import numpy as np
import pytest

from digitjax import claim, cli, loop, manifest, prepare, runs, sharding
from digitjax.checkpoint import load_model
from digitjax.commands import sweep as command
from digitjax.config import ModelConfig, TrainConfig
from digitjax.errors import InputError
from digitjax.models import feature_maps, make_model, member_of, stack_members
from play.reader import make_reader, reading

SMALL = [
    *("mlp-8x8", "--data", "digits8x8", "--model.hidden", "4", "--model.rejects"),
    *("--epoch-examples", "64", "--batch-size", "32", "--epochs", "1"),
]
VARIED = ["--seeds", "2", "--over", "optim.lr=1e-3,0.3", "--seed", "5"]


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[Path, list[int]]:
    """A sweep, and how many programs were compiled while each member was trained."""
    folder = tmp_path_factory.mktemp("sweeps") / "sweep"
    compiled, counted = [0], []
    train = loop.train

    def counting(*args, **how):
        before = compiled[0]
        found = train(*args, **how)
        counted.append(compiled[0] - before)
        return found

    def listen(event: str, *_: object, **__: object) -> None:
        compiled[0] += event.endswith("backend_compile_duration")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "train", counting)
        patch.setattr(sharding.jax, "devices", lambda *a: jax.local_devices()[:1])
        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            assert cli.main(["sweep", *SMALL, *VARIED, "--out", str(folder)]) == 0
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
    return folder, counted


def test_a_sweep_compiles_once(swept):
    _, compiled = swept
    assert len(compiled) == 4 and compiled[0] > 0 and compiled[1:] == [0, 0, 0]


def test_a_member_is_the_run_that_train_makes(swept, tmp_path):
    folder, _ = swept
    assert sorted(path.name for path in folder.iterdir() if runs.is_finished(path)) == [
        "ensemble",
        *(f"learning-rate-{rate}_seed{seed}" for rate in ("0.001", "0.3") for seed in (5, 6)),
    ]
    member = folder / "learning-rate-0.3_seed6"
    words = [*SMALL, "--seed", "6", "--optim.learning-rate", "0.3", "--out", str(tmp_path / "run")]
    assert cli.main(["train", *words]) == 0
    assert runs.read_config(member) == runs.read_config(tmp_path / "run")
    one, other = (load_model(run / "2").params for run in (member, tmp_path / "run"))
    assert jax.tree.all(
        jax.tree.map(lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), one, other)
    )


def test_the_table_is_of_the_members_and_the_best_by_validation_comes_first(swept):
    folder, _ = swept
    result = manifest.read_json(folder / runs.SWEEP)
    means = []
    for row in result["settings"]:
        summaries = [manifest.read_json(folder / name / runs.SUMMARY) for name in row["members"]]
        validation = [summary["validation"] for summary in summaries]
        test = [summary["test"][0]["accuracy"] for summary in summaries]
        rate = row["setting"]["optim.learning-rate"]
        assert row["members"] == [f"learning-rate-{rate}_seed{seed}" for seed in (5, 6)]
        assert row["diverged"] == 0
        assert row["validation"]["mean"] == pytest.approx(statistics.mean(validation))
        assert row["test"]["digits8x8@test"]["sd"] == pytest.approx(statistics.stdev(test))
        means.append(statistics.mean(validation))
    assert len(means) == 2 and means == sorted(means, reverse=True)
    assert result["ensemble"]["members"] == result["settings"][0]["members"]


def noted(monkeypatch) -> list[str]:
    """The members that are trained from here on."""
    train, names = loop.train, []
    monkeypatch.setattr(
        loop, "train", lambda config, run, **how: names.append(run.name) or train(config, run, **how)
    )
    return names


def test_the_same_command_trains_nothing_anew(swept, monkeypatch, capfd):
    folder, _ = swept
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    trained = noted(monkeypatch)
    assert cli.main(["sweep", *SMALL, *VARIED, "--out", str(folder), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == manifest.read_json(folder / runs.SWEEP)
    assert trained == [] and all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.slow
def test_a_sweep_that_was_stopped_goes_on_and_more_seeds_are_trained_alone(
    swept, tmp_path, monkeypatch, capfd
):
    folder, trained = shutil.copytree(swept[0], tmp_path / "sweep"), noted(monkeypatch)
    make = prepare.make_pipeline

    def signalling(*args, **how):
        pipeline = make(*args, **how)

        def reseeded(config):
            batch_at = pipeline.reseeded(config)
            return lambda step: signal.raise_signal(signal.SIGINT) or batch_at(step)

        return pipeline._replace(reseeded=reseeded)

    words = ["sweep", *SMALL, "--seeds", "3", "--over", "optim.lr=0.3", "--seed", "5", "--out", str(folder)]
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "make_pipeline", signalling)
        assert cli.main(words) == 130
    assert "the same command goes on" in capfd.readouterr().err
    assert cli.main(words) == 0
    assert trained == ["learning-rate-0.3_seed7"] * 2
    assert "resuming at step 1" in capfd.readouterr().err
    assert len(manifest.read_json(folder / runs.SWEEP)["ensemble"]["members"]) == 3


@pytest.mark.slow
def test_a_member_that_diverges_is_left_out(tmp_path, monkeypatch, capfd):
    make = prepare.make_pipeline

    def poisoned(*args, **how):
        pipeline = make(*args, **how)

        def reseeded(config):
            batch_at, bad = pipeline.reseeded(config), config.seed == 0
            return lambda step: (
                batch_at(step)._replace(weight=batch_at(step).weight * np.nan) if bad else batch_at(step)
            )

        return pipeline._replace(reseeded=reseeded)

    monkeypatch.setattr(prepare, "make_pipeline", poisoned)
    assert cli.main(["sweep", *SMALL, "--seeds", "2", "--out", str(tmp_path / "sweep"), "--json"]) == 0
    printed = capfd.readouterr()
    (row,) = json.loads(printed.out)["settings"]
    assert row["members"] == ["seed1"] and row["diverged"] == 1 and "seed0 is left out" in printed.err
    assert not (tmp_path / "sweep" / runs.ENSEMBLE).exists()
    with pytest.raises(InputError, match=r"sweep without an ensemble.*seed0, seed1"):
        load_model(tmp_path / "sweep")


def test_the_ensemble_s_odds_are_the_mean_of_its_members(swept):
    folder, _ = swept
    whole = load_model(folder)
    members = [
        load_model(folder / name) for name in manifest.read_json(folder / runs.SWEEP)["ensemble"]["members"]
    ]
    images = jax.random.uniform(jax.random.key(0), (3, 8, 8, 1))
    each = [one.model.apply(one.params, images) for one in members]
    expected = np.mean([np.exp(x.digits) / np.exp(x.digits).sum(axis=1, keepdims=True) for x in each], axis=0)
    found = whole.model.apply(whole.params, images)
    np.testing.assert_allclose(np.exp(found.digits), expected, rtol=1e-5)
    scores = np.mean([1 / (1 + np.exp(-np.asarray(x.is_digit))) for x in each], axis=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-np.asarray(found.is_digit))), scores, rtol=1e-5)
    assert whole.record["parameters"] == sum(one.record["parameters"] for one in members)


def test_evaluate_predict_and_the_drawing_program_s_reader_take_an_ensemble(swept, tmp_path, capfd):
    folder, _ = swept
    drawing = tmp_path / "one.ndjson"
    drawing.write_text('{"word":"1","drawing":[[[0,0],[0,9]]]}\n')
    assert cli.main(["predict", "--checkpoint", str(folder), str(drawing), "--json"]) == 0
    (answer,) = json.loads(capfd.readouterr().out)
    assert cli.main(["evaluate", "--checkpoint", str(folder), "--data", "digits8x8", "--json"]) == 0
    (measured,) = json.loads(capfd.readouterr().out)
    told = manifest.read_json(folder / runs.SWEEP)["ensemble"]["test"]["digits8x8@test"]
    assert measured["accuracy"] == pytest.approx(told)
    loaded = load_model(folder)
    reader = make_reader(loaded.model, loaded.config.model)
    ends, mask = np.zeros((128, 4), np.float32), np.zeros(128, bool)
    ends[0], mask[0] = (0, 0, 0, 9), True
    found = reading(np.asarray(reader.read(loaded.params, ends, mask)), reader.side)
    np.testing.assert_allclose(found.probabilities, answer["probabilities"], atol=1e-5)
    image = jax.numpy.zeros((1, 8, 8, 1))
    first = feature_maps(runs.read_config(folder / "learning-rate-0.3_seed5").model)
    ours = feature_maps(loaded.config.model)(loaded.params, image)
    jax.tree.map(np.testing.assert_allclose, ours, first(member_of(loaded.params, 0), image))


def test_an_ensemble_is_checked_like_any_checkpoint(swept, tmp_path):
    folder = shutil.copytree(swept[0], tmp_path / "sweep")
    config = folder / runs.ENSEMBLE / runs.CONFIG
    text = config.read_text()
    config.write_text(text.replace('"members": 2', '"members": 3', 1))
    with pytest.raises(InputError, match="not as it was"):
        load_model(folder)
    config.write_text(text.replace('"members": 2', '"members": 65', 1))
    with pytest.raises(InputError, match="1 to 64"):
        runs.read_config(folder / runs.ENSEMBLE)


def test_an_ensemble_of_one_network_is_that_network():
    config = ModelConfig(kind="mlp", hidden=(4,), geometry="uci8")
    model, same = make_model(config), make_model(ModelConfig(**{**config.__dict__, "members": 3}))
    params = model.init(jax.random.key(1))
    images = jax.random.uniform(jax.random.key(2), (2, 8, 8, 1))
    found = same.apply(stack_members([params] * 3), images).digits
    np.testing.assert_allclose(
        found, jax.nn.log_softmax(model.apply(params, images).digits), rtol=1e-5, atol=1e-6
    )
    assert make_model(config) is model


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seeds 0", "--seeds 0"),
        ("--seeds 20000", "1 to 10000"),
        ("--over optim.lr=", "lacks a value"),
        ("cnn --over optim.lr", "--over optim.lr lacks a value"),
        ("--over optim.lr cnn", "--over optim.lr lacks a value"),
        ("--over optim.lr=1e-3 cnnn", "did you mean 'cnn'?"),
        ("--over optim.lr=1e-3,2e-3 optim.learning-rate=3e-3 --seeds 10001", "with 3 settings"),
        ("--over optim.learning-rat=1", "did you mean optim.learning-rate?"),
        ("--over seed=1,2", "give --seeds"),
        ("--over optim.lr=1e-3,x", "--optim.learning-rate"),
        ("--over optim.lr=1e-3,99", "above 0, below 10"),
        ("--resume", "--resume is for one run"),
        ("--model.members 3", "--model.members 3"),
        ("cn", "did you mean 'cnn'?"),
        ("--sedes 3", "--sedes"),
    ],
)
def test_bad_usage_is_one_sentence_and_writes_nothing(words, said, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    assert cli.main(["sweep", *words.split()]) == 2
    printed = capfd.readouterr()
    assert printed.out == "" and said in printed.err and printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [("--data strokes:none.ndjson", "none.ndjson"), ("--out /proc/self/sweep", "cannot be written")],
)
def test_what_cannot_be_read_or_written_is_bad_input_and_leaves_nothing(
    words, said, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path / "runs"))
    assert cli.main(["sweep", *SMALL, *words.split()]) == 2
    assert said in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_stays_empty_where_the_data_cannot_be_read(tmp_path, capfd):
    assert cli.main(["sweep", *SMALL, "--data", "strokes:none.ndjson", "--out", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []


def test_of_two_sweeps_in_one_folder_the_second_is_refused_and_touches_nothing(swept, tmp_path, capfd):
    for folder in (shutil.copytree(swept[0], tmp_path / "sweep"), tmp_path / "new"):
        folder.mkdir(exist_ok=True)
        with claim.locked(folder):
            before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            assert cli.main(["sweep", *SMALL, *VARIED, "--out", str(folder)]) == 2
            assert "by another process" in capfd.readouterr().err
            assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sweep_that_was_killed_while_it_began_begins_anew(tmp_path, capfd):
    for name in (claim.LOCK, f".{7:032x}.part"):
        (tmp_path / name).touch()
    assert cli.main(["sweep", *SMALL, "--data", "strokes:none.ndjson", "--out", str(tmp_path)]) == 2
    assert "none.ndjson" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_one_member_has_no_ensemble_and_that_of_more_goes_in_one_move(swept, tmp_path, capfd, monkeypatch):
    folder = shutil.copytree(swept[0], tmp_path / "sweep")
    words = ["sweep", *SMALL, "--seed", "5", "--over", "optim.lr=0.3", "--out", str(folder)]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as if it were killed here
        assert cli.main([*words, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["ensemble"] is None
    assert not (folder / runs.ENSEMBLE).exists() and list(folder.glob(".ensemble*"))
    with pytest.raises(InputError, match=r"sweep without an ensemble: give one of its members \(learning"):
        load_model(folder)
    assert cli.main([*words, "--seeds", "2"]) == 0
    loaded = load_model(folder)
    assert loaded.config.model.members == 2
    assert cli.main(words) == 0
    assert not list(folder.glob("*ensemble*"))


def test_a_folder_of_something_else_is_refused(swept, tmp_path, capfd):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert cli.main(["sweep", *SMALL, "--out", str(tmp_path / "mine")]) == 2
    assert "is no sweep" in capfd.readouterr().err
    folder, _ = swept
    other = [*SMALL, *VARIED, "--epochs", "2", "--out", str(folder)]
    assert cli.main(["sweep", *other]) == 2
    assert "another configuration" in capfd.readouterr().err


def test_what_serves_every_seed_gives_each_its_own_batches():
    config = TrainConfig(data=("digits8x8",), batch_size=32)
    pipeline = prepare.make_pipeline(config, "uci8")
    other = TrainConfig(data=("digits8x8",), batch_size=32, seed=1)
    shared, own = pipeline.reseeded(other)(3), prepare.make_pipeline(other, "uci8").batch_at(3)
    jax.tree.map(np.testing.assert_array_equal, shared, own)
    assert not np.array_equal(np.asarray(shared.x), np.asarray(pipeline.batch_at(3).x))


def test_a_switch_is_varied_by_its_two_options():
    assert command._option("model.border", "false") == ["--model.no-border"]
    assert command._option("model.rejects", "True") == ["--model.rejects"]
    assert command._option("audited", "False") == ["--no-audited"]
    assert command._option("model.channels", "8 16") == ["--model.channels", "8", "16"]
