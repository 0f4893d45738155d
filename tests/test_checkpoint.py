"""Saving, retention, resolving, and every way in which a checkpoint can be unfit."""

import dataclasses
import json
import os
import shutil
import types
import unittest.mock
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

from digitjax import checkpoint, cli, manifest, runs
from digitjax.calibrate import Calibration
from digitjax.commands import ship
from digitjax.config import ModelConfig, TrainConfig, to_dict
from digitjax.errors import DigitjaxError, InputError
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.shipping import export, save_model
from digitjax.train import init_state

CONFIG = TrainConfig(model=ModelConfig(channels=(2, 3), hidden=(4,)))
SCORES = {0: None, 1: 0.2, 2: 0.9, 3: 0.4, 4: 0.3, 5: 0.5, 6: None}


@pytest.fixture(scope="module")
def state():
    return init_state(jax.random.key(3), make_model(CONFIG.model), make_optimizer(CONFIG))


def save_all(run: Path, state) -> None:
    run.mkdir(parents=True)
    runs.write_config(run, CONFIG, data=["digits8x8"])
    with checkpoint.Saver(run) as saver:
        for step, score in SCORES.items():
            params = jax.tree.map(lambda leaf, step=step: leaf + step, state.params)
            saver.save(
                state._replace(params=params, step=state.step + step),
                {"score": score, "accuracy": score, "epoch": step},
                full=step > 0,
                keep_params=step < 6,
            )


@pytest.fixture(scope="module")
def saved(state, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("checkpoints") / "cnn-7"
    save_all(run, state)
    return run


@pytest.fixture
def run(saved, tmp_path) -> Path:
    """A copy to damage."""
    shutil.copytree(saved, tmp_path / "cnn-7")
    return tmp_path / "cnn-7"


def refused(path: Path | str, *words: str) -> str:
    with pytest.raises(InputError) as raised:
        checkpoint.load_model(path)
    sentence = str(raised.value)
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence
    return sentence


def reseal(step: Path, /, **changes) -> None:
    """Writes a manifest that is consistent with itself, as a newer or a hostile program would."""
    body = json.loads((step / manifest.NAME).read_text())
    body.pop("sha256")
    body |= changes
    (step / manifest.NAME).write_text(json.dumps(body | {"sha256": manifest._seal(body)}))


def test_the_last_two_and_the_best_keep_their_state_and_every_params_are_kept(saved):
    assert [step.name for step in runs.full_steps(saved)] == ["2", "5", "6"]
    assert [(s.name, s.parent.name) for s in runs.history(saved)] == [
        *((str(step), "history") for step in range(6)),
        ("6", "cnn-7"),
    ]


def test_what_is_not_kept_goes_in_one_move_so_that_no_kill_leaves_half_of_it(state, tmp_path, monkeypatch):
    run, moved = tmp_path / "run", set()

    def killed_here(run: Path) -> None:
        moved.update(step.name for step in (run / checkpoint.PRUNED).glob("*"))
        for step in runs.step_folders(run):
            manifest.verify(step, run / runs.CONFIG)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_delete_pruned", killed_here)
        save_all(run, state)
    assert moved == {"1", "3", "4"} and (run / checkpoint.PRUNED).is_dir()
    assert [step.name for step in runs.full_steps(run)] == ["2", "5", "6"]
    checkpoint.clear_unfinished(run)
    assert not (run / checkpoint.PRUNED).exists()


def test_a_run_means_its_best_step_and_its_params_come_back_exactly(saved, state):
    loaded = checkpoint.load_model(saved)
    assert (loaded.step, loaded.run, loaded.config) == (2, saved, CONFIG)
    assert loaded.record["accuracy"] == 0.9
    assert loaded.record["parameters"] == sum(leaf.size for leaf in jax.tree.leaves(state.params))
    assert "cnn-7, step 2" in str(loaded) and "90.00 %" in str(loaded)
    for mine, theirs in zip(jax.tree.leaves(state.params), jax.tree.leaves(loaded.params), strict=True):
        np.testing.assert_array_equal(mine + 2, theirs)
        assert theirs.dtype == mine.dtype
        assert theirs.devices() == {jax.devices()[0]}
    logits = loaded.model.apply(loaded.params, jax.numpy.zeros((1, 28, 28, 1)))
    assert logits.digits.shape == (1, 10)


def test_the_whole_state_comes_back_exactly(saved, state):
    loaded = checkpoint.load_state(saved / "5", jax.eval_shape(lambda: state))
    assert jax.tree.structure(loaded) == jax.tree.structure(state)
    assert int(loaded.step) == 5 and loaded.step.dtype == np.int32
    np.testing.assert_array_equal(jax.random.key_data(loaded.key), jax.random.key_data(state.key))
    for mine, theirs in zip(jax.tree.leaves(state.opt_state), jax.tree.leaves(loaded.opt_state), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_params_alone_cannot_be_trained_on(saved, state):
    with pytest.raises(InputError, match="params alone"):
        checkpoint.load_state(saved / "history" / "3", jax.eval_shape(lambda: state))


@pytest.mark.parametrize("load", ["load_model", "load_params", "load_state"])
def test_a_step_under_another_steps_name_is_refused(run, state, load):
    (run / "6").rename(run / "16")
    loads = {
        "load_model": checkpoint.load_model,
        "load_params": lambda step: checkpoint.load_params(step, make_model(CONFIG.model)),
        "load_state": lambda step: checkpoint.load_state(step, jax.eval_shape(lambda: state)),
    }
    with pytest.raises(InputError, match=r"16 holds step 6: name the folder 6 again"):
        loads[load](run / "16")


def test_params_of_a_verified_manifest_of_another_step_are_refused(run):
    checked = manifest.verify(run / "5", run / runs.CONFIG)
    with pytest.raises(InputError, match="holds step 5"):
        checkpoint.load_params(run / "6", make_model(CONFIG.model), checked)


def test_a_state_whose_own_step_is_another_is_refused(tmp_path, state):
    run = tmp_path / "cnn-7"
    run.mkdir()
    runs.write_config(run, CONFIG)
    with checkpoint.Saver(run) as saver:
        saver.save(state._replace(step=state.step + 3), {}, full=True, keep_params=False)
    (run / "3").rename(run / "4")
    reseal(run / "4", step=4)
    with pytest.raises(InputError, match="holds the state of step 3.*take another step"):
        checkpoint.load_state(run / "4", jax.eval_shape(lambda: state))


def test_an_edited_config_names_itself_and_its_remedy(run, state):
    config = run / runs.CONFIG
    config.write_text(config.read_text().replace('"epochs": 6', '"epochs": 7'))
    sentence = refused(run, str(config), "undo what was changed", "another run")
    assert "another step" not in sentence and "copy it anew" not in sentence


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            {
                "accuracy": 0.9629,
                "validation": {
                    "mnist@validation": {"accuracy": 0.995},
                    "strokes:a/b/mine.ndjson@validation": {"accuracy": 0.7234},
                },
            },
            "validation 99.50 % mnist, 72.34 % mine.ndjson",
        ),
        ({"accuracy": 0.9629}, "validation 96.29 %"),
        ({"accuracy": None, "validation": None}, ""),
        ({"accuracy": 1, "validation": {"x": 3, "y": {"accuracy": "no"}}}, ""),
    ],
)
def test_a_record_tells_the_validation_of_each_source(saved, record, said):
    assert runs.validation_text(record) == said
    text = str(checkpoint.load_model(saved)._replace(record=record))
    assert text == f"cnn-7, step 2{said and f', {said}'} ({saved})"


def test_nothing_in_a_checkpoint_is_a_pickle(saved):
    for path in saved.rglob("*"):
        if path.is_file():
            assert not path.read_bytes().startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")), (
                path
            )


def test_one_flipped_bit_anywhere_is_found(run):
    step = runs.best_step(run)
    files = [p for p in step.rglob("*") if p.is_file()] + [run / runs.CONFIG]
    assert len(files) > 8
    rng = np.random.default_rng(0)
    for path in files:
        sound = path.read_bytes()
        for _ in range(3):
            damaged = bytearray(sound)
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            refused(step)
        path.write_bytes(sound)
    checkpoint.load_model(step)


def test_a_missing_an_extra_and_a_linked_file_are_refused(run, tmp_path):
    step = runs.best_step(run)
    array = next(p for p in sorted((step / "params").rglob("*")) if p.is_file() and p.parent.name == "d")
    sound = array.read_bytes()
    array.unlink()
    refused(step, "damaged", array.name, "missing")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(sound)
    array.symlink_to(elsewhere)
    refused(step, "damaged", array.name, "link")
    array.unlink()
    array.write_bytes(sound)
    (step / "more").write_text("x")
    refused(step, "damaged", "more", "does not belong")
    (step / "more").unlink()
    (step / "aside").symlink_to(tmp_path, target_is_directory=True)
    refused(step, "damaged", "aside", "link")
    (step / "aside").unlink()
    step.rename(tmp_path / step.name)
    step.symlink_to(tmp_path / step.name, target_is_directory=True)
    refused(step, "damaged", step.name, "link")
    (run / runs.HISTORY).rename(tmp_path / runs.HISTORY)
    (run / runs.HISTORY).symlink_to(tmp_path / runs.HISTORY, target_is_directory=True)
    refused(run / runs.HISTORY / "0", "damaged", runs.HISTORY, "link")


def test_a_step_without_manifest_is_unfinished_and_never_shown(run, state, monkeypatch):
    best = runs.best_step(run)
    (best / manifest.NAME).unlink()
    refused(best, "unfinished")
    (run / "2" / manifest.NAME).unlink()
    assert [int(step.name) for step in runs.history(run)] == [0, 1, 3, 4, 5, 6]
    assert checkpoint.load_model(run).step == 5
    (run / "9.orbax-checkpoint-tmp").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda folder, **_: None)  # killed before the first file is deleted
        checkpoint.clear_unfinished(run, after=5)
    assert [step.name for step in runs.full_steps(run)] == ["5"], "what is deleted is not published any more"
    checkpoint.clear_unfinished(run, after=5)
    left = {path.relative_to(run).as_posix() for path in [*run.glob("*"), *run.glob("history/*")]}
    assert left == {"config.json", "5", "history", *(f"history/{n}" for n in (0, 1, 3, 4, 5))}


def test_a_step_that_names_no_contents_is_damaged(run):
    reseal(run / "2", contents=[])
    said = refused(run / "2", "is damaged, its manifest.json names no params")
    assert "params alone" not in said


@pytest.mark.parametrize(
    "changes",
    [
        *({"step": step} for step in (2.5, 2.0, "2", True)),
        {"contents": "params"},
        {"contents": [1]},
        {"record": []},
        {"config_sha256": 1},
        {"files": {"a": {"size": 1.5, "sha256": ""}}},
    ],
    ids=str,
)
def test_what_a_manifest_says_is_taken_for_nothing_else(run, changes):
    reseal(run / "2", **changes)
    refused(run / "2", "manifest.json lacks what it must hold")
    reseal(run / "2", format=True)
    refused(run / "2", "has no format version")


def test_absurd_sizes_are_refused_before_anything_is_read(run, monkeypatch):
    step = runs.best_step(run)
    huge = to_dict(TrainConfig(model=ModelConfig(channels=(4096, 4096, 4096), hidden=(65536,))))
    (run / runs.CONFIG).write_text(json.dumps({"format": 1, "config": huge}))
    reseal(step, config_sha256=manifest._sha256(run / runs.CONFIG))
    refused(step, "GiB")
    other = to_dict(TrainConfig(model=ModelConfig(channels=(2, 3), hidden=(5,))))
    (run / runs.CONFIG).write_text(json.dumps({"format": 1, "config": other}))
    reseal(step, config_sha256=manifest._sha256(run / runs.CONFIG))
    monkeypatch.setattr(checkpoint.ocp.PyTreeCheckpointHandler, "restore", None)
    refused(step, "does not fit", "digits-kernel", "float32[4, 10]", "float32[5, 10]")


def test_newer_formats_are_refused(run):
    step = runs.best_step(run)
    reseal(step, format=manifest.FORMAT + 1)
    refused(step, f"format {manifest.FORMAT + 1}", "update digitjax")
    reseal(step, format=manifest.FORMAT)
    (run / runs.CONFIG).write_text(json.dumps({"format": 7, "config": to_dict(CONFIG)}))
    with pytest.raises(InputError, match="format 7"):
        runs.read_config(run)


@pytest.mark.usefixtures("unchecked")
def test_the_first_format_had_one_dense_layer_and_is_still_read(run):
    first = to_dict(CONFIG)
    first["model"] = first["model"] | {"hidden": 4}
    del first["model"]["activation"]
    (run / runs.CONFIG).write_text(json.dumps({"format": 1, "config": first}))
    assert runs.read_config(run) == CONFIG
    (run / runs.CONFIG).write_text(json.dumps({"format": 2, "config": first}))
    with pytest.raises(InputError, match=r"model\.hidden"):
        runs.read_config(run)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        "null",
        "\udcff",
        "[" * 100_000,
        '{"format": 1}',
        '{"format": "1", "config": {}}',
        '{"format": true, "config": {}}',
        '{"format": 1, "config": {"sead": 3}}',
        '{"format": 1, "config": {"seed": true}}',
        '{"format": 1, "config": {"seed": NaN}}',
        '{"format": 1, "config": {"epochs": -3}}',
        '{"format": 1, "config": {"model": 4}}',
        '{"format": 1, "config": {"model": {"channels": "many"}}}',
        '{"format": 1, "config": {"model": {"channels": [1, "2"]}}}',
        '{"format": 1, "config": {"model": {"channels": []}}}',
        '{"format": 1, "config": {"model": {"kind": "../cnn"}}}',
    ],
)
def test_a_nonsense_config_is_one_sentence(run, body):
    (run / runs.CONFIG).write_bytes(body.encode("utf-8", "surrogateescape"))
    step = runs.best_step(run)
    reseal(step, config_sha256=manifest._sha256(run / runs.CONFIG))
    refused(step, runs.CONFIG)


def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path, run):
    refused(tmp_path / "nothing", "does not exist")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no training run")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "file")
    shutil.rmtree(run / "history")
    for step in runs.step_folders(run):
        shutil.rmtree(step)
    refused(run, "no finished checkpoint")


def test_params_that_are_no_numbers_are_refused(tmp_path, state):
    run = tmp_path / "nan-0"
    run.mkdir()
    runs.write_config(run, CONFIG)
    broken = state._replace(params=jax.tree.map(lambda leaf: leaf * np.nan, state.params))
    with checkpoint.Saver(run) as saver:
        saver.save(broken, {}, full=True, keep_params=True)
    refused(run, "no numbers")
    with pytest.raises(InputError, match="no numbers"):
        checkpoint.load_state(run / str(int(state.step)), jax.eval_shape(lambda: state))


def test_a_run_that_is_deleted_while_it_is_trained_is_said_to_be_gone(tmp_path, state):
    run = tmp_path / "cnn-0"
    run.mkdir()
    with pytest.raises(DigitjaxError, match="cnn-0 is not there any more"), checkpoint.Saver(run) as saver:
        shutil.rmtree(run)
        saver.save(state, {}, full=True, keep_params=True)


def test_an_export_names_no_folder_of_its_maker(run, tmp_path):
    specs = ("strokes:/home/ann/pens.ndjson.gz=16", "mnist=2")
    taught = ("/home/ann/runs/cnn-1/history/64", "/home/ann/runs/cnn-2")
    config = dataclasses.replace(CONFIG, data=specs, start="/home/ann/runs/cnn-0", distil=taught)
    data = {"data": list(config.data), "notices": ["no MNIST (/home/ann/mnist holds none of its files)"]}
    runs.write_config(run, config, **data)
    step = runs.best_step(run)
    record = manifest.read(step).record | {"validation": {"strokes:/home/ann/pens.ndjson.gz@validation": {}}}
    reseal(step, config_sha256=manifest._sha256(run / runs.CONFIG), record=record)
    export(step, tmp_path / "default")
    for file in (tmp_path / "default").rglob("*.json"):
        assert "/home/ann" not in file.read_text(encoding="utf-8")
    loaded = checkpoint.load_model(tmp_path / "default")
    assert loaded.config.data == ("strokes:pens.ndjson.gz=16", "mnist=2")
    assert loaded.config.start == "cnn-0" and loaded.config.distil == ("cnn-1/64", "cnn-2")
    assert list(loaded.record["validation"]) == ["strokes:pens.ndjson.gz@validation"]


def test_an_export_is_small_holds_params_alone_and_loads(run, tmp_path, state):
    export(run / "history" / "3", tmp_path / "default")
    loaded = checkpoint.load_model(tmp_path / "default")
    assert loaded.step == 3 and loaded.record["accuracy"] == 0.4
    np.testing.assert_array_equal(jax.tree.leaves(loaded.params)[0], jax.tree.leaves(state.params)[0] + 3)
    assert sum(p.stat().st_size for p in (tmp_path / "default").rglob("*") if p.is_file()) < 100_000
    with pytest.raises(InputError, match="not empty"):
        export(run / "history" / "3", tmp_path / "default")


def test_what_a_loop_of_one_s_own_has_trained_is_saved_and_loads(state, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    (tmp_path / "mine").mkdir()
    record = {"accuracy": jax.numpy.float32(0.25), "note": np.array([0.5])}
    saved = save_model(tmp_path / "mine", state.params, CONFIG, step=state.step + 7, record=record)
    loaded = checkpoint.load_model("mine")
    assert (loaded.step, loaded.config, loaded.run.name) == (7, CONFIG, "mine") == (7, saved.config, "mine")
    assert loaded.record["note"] == [0.5] and loaded.record["accuracy"] == 0.25
    assert runs.is_finished(loaded.run), "or `digitjax train` would ask to go on with it"
    jax.tree.map(np.testing.assert_array_equal, loaded.params, state.params)
    assert cli.main(["evaluate", "--checkpoint", "mine", "--data", "digits8x8", "--json"]) == 0
    assert '"n_digits"' in capsys.readouterr().out
    assert cli.main(["info"]) == 0 and "mine" in capsys.readouterr().out
    with pytest.raises(InputError, match="mine is not empty"):
        save_model(tmp_path / "mine", state.params, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_network_that_was_loaded_is_saved_as_it_answers_calibrated_once(state, tmp_path):
    """The calibration of `load_model` is in its params, whatever its record says."""
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, rejects=True))
    params = make_model(config.model).init(jax.random.key(0))
    (tmp_path / "run").mkdir()
    runs.write_config(tmp_path / "run", config)
    calibration = Calibration(temperature=2.0, threshold=0.7)._asdict()
    checkpoint.write_params(tmp_path / "run", 3, params, {"calibration": calibration})
    loaded = checkpoint.load_model(tmp_path / "run")
    assert not np.allclose(loaded.params["digits"]["kernel"], params["digits"]["kernel"])
    again = save_model(tmp_path / "again", loaded.params, config, step=loaded.step, record=loaded.record)
    jax.tree.map(np.testing.assert_array_equal, again.params, loaded.params)
    third = save_model(tmp_path / "third", again.params, config, record=again.record)
    assert again.record["calibrated"] == third.record["calibrated"] == calibration
    assert third.record["calibration"] is None and third.record["date"] >= again.record["date"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda params: jax.tree.map(lambda leaf: leaf * np.nan, params), "the params are no numbers"),
        (lambda params: {"mine": params["digits"]}, "another network .*absent"),
        (lambda params: {"params": params}, "another network .*absent"),
        (lambda params: None, "another network .*absent"),
        (lambda params: jax.tree.map(lambda leaf: 0.5, params), "another network .*float64\\[\\]"),
        (lambda params: jax.tree.map(lambda leaf: leaf[None], params), r"the network needs float32\["),
        (lambda params: jax.tree.map(lambda leaf: leaf.astype("bfloat16"), params), "bfloat16.* needs float"),
        (lambda params: jax.tree.map(lambda leaf: _deleted(leaf), params), "not there any more: a step that"),
    ],
)
def test_params_of_another_network_are_not_saved(state, tmp_path, change, says):
    with pytest.raises(InputError, match=f"^the params are .*{says.removeprefix('the params are ')}"):
        save_model(tmp_path / "deep" / "x", change(state.params), CONFIG)
    assert list(tmp_path.iterdir()) == []


def _deleted(leaf: jax.Array) -> jax.Array:
    copy = leaf.copy()
    copy.delete()
    return copy


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"step": -1}, "step -1 is out of range"),
        ({"step": 2**70}, "step 118.* is out of range"),
        ({"record": {"accuracy": float("nan")}}, "record holds what is no JSON"),
        ({"record": {"path": Path("x")}}, "record holds what is no JSON"),
        ({"record": {"text": "\udcff"}}, "record holds what is no JSON"),
        ({"record": {"times": np.zeros(1, "M8[s]")}}, "record holds what is no JSON .a datetime"),
        ({"record": "note"}, "record holds what is no JSON"),
        ({"record": {"long": "x" * 5_000_000}}, "record has 4 MiB: keep what is large"),
        ({"run": "latest"}, "latest cannot be a run's folder"),
        ({"run": "newest"}, "newest cannot be a run's folder"),
        ({"config": CONFIG.model}, r"config is a ModelConfig: give TrainConfig\(model="),
        ({"run": "history"}, "history cannot be a run's folder"),
        ({"run": "cnn-7/5"}, "cnn-7/5 lies in the run .*cnn-7: give a folder beside it"),
        ({"run": "cnn-7/history/5"}, "lies in the run .*cnn-7"),
        ({"run": "file"}, "file is no folder"),
        ({"run": "file/x"}, "file/x cannot be written .Not a directory"),
        ({"run": "long" * 99}, "cannot be written .File name too long"),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(run, state, tmp_path, options, says):
    (tmp_path / "file").touch()
    place = tmp_path / options.pop("run", "deep/x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=says) as raised:
        save_model(place, state.params, options.pop("config", CONFIG), **options)
    assert sorted(tmp_path.rglob("*")) == before and ".part" not in str(raised.value)


def test_a_save_goes_where_a_link_leads_and_a_stranger_s_config_is_no_run(state, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(InputError, match="is the folder that this program runs in"):
        save_model(".", state.params, CONFIG)
    for name in ("empty", "gone"):
        (tmp_path / f"to-{name}").symlink_to(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for name in ("to-empty", "to-gone"):
        assert checkpoint.load_model(save_model(name, state.params, CONFIG).run).step == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "empty",
        "gone",
        "to-empty",
        "to-gone",
    ]


def test_a_save_of_one_s_own_that_fails_leaves_nothing(state, tmp_path, monkeypatch):
    (tmp_path / ".x.part").mkdir()  # somebody else's
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        with monkeypatch.context() as patch, pytest.raises((DigitjaxError, KeyboardInterrupt)) as raised:
            patch.setattr(manifest, "write", unittest.mock.Mock(side_effect=error))
            save_model(tmp_path / "x", state.params, CONFIG)
        assert not str(raised.value) or f"checkpoint in {tmp_path / 'x'} cannot be written" in str(
            raised.value
        )
    full = types.SimpleNamespace(free=1000)
    with monkeypatch.context() as patch, pytest.raises(DigitjaxError, match="x cannot be written .No space"):
        patch.setattr(checkpoint.shutil, "disk_usage", lambda _: full)
        save_model(tmp_path / "x", state.params, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == [".x.part"]


def test_of_two_that_save_under_one_name_one_does(state, tmp_path):
    def save(number: int) -> str:
        try:
            return str(save_model(tmp_path / "x", state.params, CONFIG, step=number).step)
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(save, range(3)))
    won = checkpoint.load_model(tmp_path / "x").step
    assert said[won] == str(won) and sum(one.isdigit() for one in said) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_save_that_fails_is_one_sentence_and_leaves_what_was_there(run, state, monkeypatch):
    kept = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    full = shutil.disk_usage(run)._replace(free=0)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: full)
    with pytest.raises(DigitjaxError, match="No space left.*--resume"), checkpoint.Saver(run) as saver:
        saver.save(state._replace(step=state.step + 7), {}, full=True, keep_params=True)
        saver.wait()
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == kept


def test_params_alone_on_a_full_disk_are_one_sentence(run, state, monkeypatch):
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=1000))
    with pytest.raises(DigitjaxError, match="cannot be written .No space left on device.: make room"):
        checkpoint.write_params(run, 77, state.params, {})
    assert not (run / "77").exists()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="/proc is Linux's")
def test_all_that_a_manifest_names_is_on_the_disk_before_it(tmp_path, state, monkeypatch):
    """What a power cut may not take: each file and folder is flushed before the manifest gets its name."""
    run, events, fsync, replace = tmp_path / "run", [], os.fsync, os.replace

    def flush(descriptor: int) -> None:
        events.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def move(one: Path, other: Path) -> None:
        events.append("published" if Path(other).name == manifest.NAME else "moved")
        replace(one, other)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", move)
    save_all(run, state)
    step = runs.full_steps(run)[-1]
    last = len(events) - 1 - events[::-1].index("published")
    before, after = set(events[:last]), events[last + 1 :]
    inside = {str(path) for path in step.rglob("*")} - {str(step / manifest.NAME)}
    assert inside and inside | {str(step)} <= before
    assert str(step) in after and str(run) in after


@pytest.mark.chaos
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax's own loops
def test_a_write_that_fails_halfway_is_one_sentence_and_leaves_what_was_there(run, state):
    resource = pytest.importorskip("resource")
    kept = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with (
            pytest.raises(DigitjaxError, match="cannot be written.*--resume"),
            checkpoint.Saver(run) as saver,
        ):
            saver.save(state._replace(step=state.step + 7), {}, full=True, keep_params=True)
            saver.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {p: p.read_bytes() for p in kept} == kept
    assert "7" not in {step.name for step in runs.history(run)}


def test_ship_takes_the_checkpoint_that_is_there_away_in_one_move(run, tmp_path, monkeypatch):
    out = tmp_path / "default"
    assert ship.run([str(run), "--out", str(out)]) == 0
    (tmp_path / ".default.part" / "new").mkdir(parents=True)  # of one that was killed
    moves, rename = [], Path.rename

    def second_fails(path: Path, target: Path) -> Path:
        moves.append((path.name, target.name))
        if len(moves) == 2:
            assert not out.exists()
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", second_fails)
        ship.run([str(run / "history" / "3"), "--out", str(out)])
    assert moves == [("default", "old"), ("new", "default"), ("old", "default")]
    assert checkpoint.load_model(out).step == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([run.name, "default"])


def test_ship_replaces_a_shipped_checkpoint_and_nothing_else(run, tmp_path, monkeypatch):
    out = tmp_path / "checkpoints" / "default"
    for words, step in (([str(run)], 2), ([str(run / "history" / "3")], 3)):
        assert ship.run([*words, "--out", str(out)]) == 0
        assert checkpoint.load_model(out).step == step
    (run / runs.METRICS).write_text("")
    with pytest.raises(InputError, match="something else"):
        ship.run([str(run), "--out", str(run)])
    assert checkpoint.load_model(run).step == 2
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is no folder"):
        ship.run([str(run), "--out", str(tmp_path / "file")])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="something else"):
        ship.run([str(run), "--out", "."])
    (tmp_path / "new").mkdir()
    (tmp_path / "new.part").mkdir()
    (tmp_path / "new.part" / "mine").write_text("kept")
    monkeypatch.chdir(tmp_path / "new")
    assert ship.run([str(run), "--out", "."]) == 0
    assert checkpoint.load_model(tmp_path / "new").step == 2
    assert (tmp_path / "new.part" / "mine").read_text() == "kept"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
