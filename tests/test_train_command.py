"""The command line of `digitjax train`: what it understands, and what it says when it does not."""

import contextlib
import dataclasses
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from digitjax import claim, cli, runs
from digitjax.commands import train as command
from digitjax.config import TrainConfig
from digitjax.presets.registry import PRESETS, preset

REFUSING = dataclasses.replace(preset("cnn"), model=dataclasses.replace(preset("cnn").model, rejects=True))
"""What `digitjax train` begins where nothing is given."""


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def asked(checkpoints, monkeypatch):
    """What would have been trained, instead of training it."""
    calls = []
    monkeypatch.setattr(
        command, "_train", lambda config, folder, *, resume, **_: calls.append((config, folder, resume)) or 0
    )
    return calls


def test_every_field_can_be_given(asked, checkpoints):
    words = shlex.split(
        "cnn --data mnist=3 strokes:a.ndjson --seed 5 --data synthetic --epochs 3 --model.channels 8 16 "
        "--optim.learning-rate 1e-3 --augment.rotate 3 --data=digits8x8 --model.rejects"
    )
    assert cli.main(["train", *words]) == 0
    ((config, folder, resume),) = asked
    base = preset("cnn")
    assert config == dataclasses.replace(
        base,
        data=("mnist=3", "strokes:a.ndjson", "synthetic", "digits8x8"),
        seed=5,
        epochs=3,
        model=dataclasses.replace(base.model, channels=(8, 16), rejects=True),
        optim=dataclasses.replace(base.optim, learning_rate=1e-3),
        augment=dataclasses.replace(base.augment, rotate=3.0),
    )
    assert type(config) is TrainConfig
    assert folder == checkpoints / "cnn-5" and not resume


def test_nothing_given_is_the_first_preset(asked, checkpoints):
    assert cli.main(["train"]) == 0
    assert asked == [(REFUSING, checkpoints / "cnn-0", False)]


@pytest.mark.parametrize(
    ("words", "rejects"),
    [
        ("cnn --seed 1", True),
        ("--model.no-rejects", False),
        ("--data digits8x8", False),
        ("--data digits8x8 nondigits --model.rejects", True),
        ("speedrun", False),
    ],
)
def test_by_default_what_is_no_digit_is_learnt_where_nothing_else_is_asked_for(asked, words, rejects):
    assert cli.main(["train", *words.split()]) == 0
    assert asked[0][0].model.rejects is rejects


@pytest.mark.parametrize("words", ["", "--data digits8x8"])
@pytest.mark.parametrize("rejects", [False, True])
def test_a_run_that_begins_with_another_is_of_its_network(asked, checkpoints, monkeypatch, rejects, words):
    run = checkpoints / "first"
    base = preset("cnn")
    begin(run, dataclasses.replace(base, model=dataclasses.replace(base.model, rejects=rejects)))
    monkeypatch.setattr(runs, "resolve", lambda name: checkpoints / name / "history" / "7")
    assert cli.main(["train", "--start", "first", *words.split()]) == 0
    assert cli.main(["train", "--start", "first", "--model.no-rejects", *words.split()]) == 0
    assert [config.model.rejects for config, *_ in asked] == [rejects, False]


def test_teachers_are_gathered_as_data_are(asked, monkeypatch, capfd):
    monkeypatch.setattr(runs, "resolve", lambda name: Path("/runs") / name / "history" / "7")
    words = ["--distil", "a", "b", "speedrun", "--distil=c", "--distil-weight", "0.5"]
    assert cli.main(["train", *words]) == 0
    ((config, _, _),) = asked
    assert config.preset == "speedrun" and config.distil_weight == 0.5
    assert config.distil == ("/runs/a/7", "/runs/b/7", "/runs/c/7"), "steps, wherever they lie in their run"
    assert cli.main(["train", "--distil"]) == 2
    assert "--distil names nothing: give at least one checkpoint" in capfd.readouterr().err


def test_the_preset_may_stand_after_data_with_an_equals_sign(asked):
    assert cli.main(["train", "--data=digits8x8", "cnn", "--data=synthetic=2"]) == 0
    assert asked[0][0] == dataclasses.replace(preset("cnn"), data=("digits8x8", "synthetic=2"))
    assert cli.main(["train", "--data=digits8x8", "mnist"]) == 2  # no second spec, and no preset


def test_the_preset_may_stand_among_the_specs(asked):
    words = "--model.channels 8 16 --data digits8x8 cnn-shipped synthetic=2 --epochs 3"
    assert "cnn-shipped" in PRESETS and cli.main(["train", *words.split()]) == 0
    ((config, _, _),) = asked
    base = preset("cnn-shipped")
    model = dataclasses.replace(base.model, channels=(8, 16))
    assert config == dataclasses.replace(base, data=("digits8x8", "synthetic=2"), epochs=3, model=model)
    assert cli.main(["train", "cnn", "--data", "digits8x8", "cnn-shipped"]) == 2


@pytest.mark.parametrize("words", ["{} --data synthetic cnn-shipped", "cnn-shipped {} --data synthetic"])
def test_a_field_is_judged_beside_its_own_preset_s_others(asked, words):
    base = preset("cnn-shipped")
    wider = tuple(2 * channels for channels in base.model.channels)
    assert len(wider) > sum(preset("cnn").model.stages), "too many for the preset that is taken by default"
    given = words.format(" ".join(["--model.channels", *map(str, wider)]))
    assert cli.main(["train", *given.split()]) == 0
    assert asked[0][0].model == dataclasses.replace(base.model, channels=wider)


def test_a_folder_that_is_named_as_a_preset_is_not_taken_for_it(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "--out cnn-shipped cnn --model.stages 1 1 1"  # too few for the channels of cnn-shipped
    assert cli.main(["train", *words.split()]) == 0
    assert asked[0][0].preset == "cnn" and asked[0][0].model.stages == (1, 1, 1)


@pytest.mark.parametrize("words", ["--data mnist -h", "--data -h", "--data --help", "--data mnist cnn -h"])
def test_a_question_for_help_is_no_spec(asked, capfd, words):
    assert cli.main(["train", *words.split()]) == 0
    assert "examples:" in capfd.readouterr().out and asked == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--data cnn", ["--data", "spec"]),
        ("cn", ["'cn'", "'cnn'"]),
        ("--epoch 3", ["--epoch:", "--epochs"]),
        ("--model.chanels 3", ["--model.chanels", "--model.channels"]),
        ("--no-resume", ["--no-resume"]),
        ("--epochs three", ["--epochs", "'three'"]),
        ("--epochs 0", ["--epochs 0", "1 to 100000"]),
        ("--seed -1", ["--seed -1", "0 to"]),
        ("--seed", ["--seed"]),
        ("--optim.learning-rate nan", ["--optim.learning-rate nan"]),
        ("--model.kind transformer", ["transformer", "cnn"]),
        ("--model.geometry mnist", ["mnist", "mnist28"]),
        ("--data", ["--data", "spec"]),
        ("cnn cnn", ["cnn"]),
        ("--model.border maybe", ["--model.border takes no value", "'maybe'", "--model.no-border"]),
        ("--no-audited=true", ["--no-audited takes no value", "or give --audited"]),
        ("--resume yes", ["--resume takes no value, 'yes' was given: leave it out\n"]),
        ("cnn-drawn", ["drawn/train.ndjson.gz, which is not there", "data split", "--data strokes:FILE"]),
    ],
)
def test_bad_usage_is_one_sentence_and_writes_nothing(checkpoints, capfd, words, said):
    assert cli.main(["train", *words.split()]) == 2
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err.startswith("digitjax: ") and printed.err.count("\n") == 1
    assert all(text in printed.err for text in said), printed.err
    assert list(checkpoints.iterdir()) == []


@pytest.mark.parametrize("words", ["--epochs three", "cnn cnn", "--model.kind transformer"])
def test_a_complaint_is_the_same_sentence_without_a_frame_in_any_encoding(words, checkpoints, monkeypatch):
    said = set()
    for encoding in ("ascii", "utf-8"):
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        assert cli.main(["train", *words.split()]) == 2
        assert out.buffer.getvalue() == b""
        said.add(err.buffer.getvalue())
    assert len(said) == 1 and b"---" not in said.pop()


def test_help_names_presets_options_defaults_and_examples(capfd):
    assert cli.main(["train", "--help"]) == 0
    text = re.sub(r"[│\s]+", " ", capfd.readouterr().out)
    for word in (
        "cnn:",
        "--data SPEC",
        "--out DIR",
        "--resume",
        "--optim.learning-rate",
        "examples:",
        f"default: {preset('cnn').epochs}",
    ):
        assert word in text, word
    for field in dataclasses.fields(TrainConfig):
        assert (
            field.name == "preset"
            or f"--{field.name.replace('_', '-')}" in text
            or f"--{field.name}." in text
        )


def test_the_help_of_a_preset_names_its_own_defaults(capfd):
    assert cli.main(["train", "speedrun", "--seed", "3", "--help"]) == 0
    text = re.sub(r"[│\s]+", " ", capfd.readouterr().out)
    config = preset("speedrun")
    assert f"Highest learning rate. (default: {config.optim.learning_rate})" in text
    assert f"Examples that make an epoch. (default: {config.epoch_examples})" in text
    assert "synthetic, nondigits. (default: mnist)" in text
    assert "(default: )" not in text and "(default: '')" not in text


def begin(folder, config):
    folder.mkdir()
    runs.write_config(folder, config, data=["digits8x8"])


def test_resume_takes_the_run_s_configuration(asked, checkpoints):
    config = TrainConfig(seed=3, epochs=7)
    begin(checkpoints / "cnn-3", config)
    assert cli.main(["train", "cnn", "--resume", "--seed", "3"]) == 0
    assert cli.main(["train", "--resume", "--out", str(checkpoints / "cnn-3"), "--epochs", "7"]) == 0
    assert asked == [(config, checkpoints / "cnn-3", True)] * 2


def test_resume_names_the_near_miss_of_a_preset(asked, checkpoints, capfd):
    begin(checkpoints / "cnn-0", TrainConfig())
    assert cli.main(["train", "cn", "--resume"]) == 2
    assert "unknown preset 'cn': did you mean 'cnn'?" in capfd.readouterr().err
    begin(checkpoints / "mine", TrainConfig(preset="of-a-later-version"))
    assert cli.main(["train", "of-a-later-version", "--resume", "--out", str(checkpoints / "mine")]) == 0


@pytest.mark.parametrize(
    "words", ["--epochs 8", "--optim.learning-rate 0.1", "--model.channels 1 2", "--data mnist"]
)
def test_resume_refuses_another_configuration_by_the_field_s_name(asked, checkpoints, capfd, words):
    begin(checkpoints / "cnn-0", TrainConfig(epochs=7))
    assert cli.main(["train", "--resume", *words.split()]) == 2
    assert words.split()[0] in capfd.readouterr().err
    assert asked == []


def test_anew_starts_beside_an_unfinished_run(asked, checkpoints, capfd):
    begin(checkpoints / "cnn-0", REFUSING)
    assert cli.main(["train"]) == 2
    assert "--resume" in capfd.readouterr().err
    assert cli.main(["train", "--anew"]) == 0
    assert asked[0][1] == checkpoints / "cnn-0-2"


def test_a_failure_before_the_run_begins_leaves_no_folder(checkpoints, capfd):
    assert cli.main(["train", "--data", "mnst"]) == 2
    assert "'mnist'" in capfd.readouterr().err
    assert list(checkpoints.iterdir()) == []


@pytest.mark.parametrize("words", ["--data strokes:nope.ndjson", "--data mnst --out zz/yy"])
def test_a_failure_leaves_none_of_the_folders_above(tmp_path, monkeypatch, capfd, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIGITJAX_CHECKPOINTS")
    assert cli.main(["train", *words.split(" ")]) == 2
    assert list(tmp_path.iterdir()) == [], capfd.readouterr().err


def test_a_run_that_is_being_trained_is_refused(asked, checkpoints, capfd):
    begin(checkpoints / "cnn-0", TrainConfig())
    with claim.locked(checkpoints / "cnn-0"):
        assert cli.main(["train", "--resume"]) == 2
    assert "another process" in capfd.readouterr().err


@pytest.mark.parametrize(
    "words", ["--data strokes:none.ndjson", "--data mnist", "--batch-size 33 --data digits8x8"]
)
def test_bad_input_is_told_before_training_is_announced_and_leaves_no_folder(checkpoints, capfd, words):
    assert cli.main(["train", *words.split()]) == 2
    said = capfd.readouterr().err
    assert said.startswith("digitjax: ") and said.count("\n") == 1, said
    assert list(checkpoints.iterdir()) == []


def test_a_batch_that_the_devices_do_not_divide_names_both(checkpoints, capfd):
    assert cli.main(["train", "--batch-size", "33", "--data", "digits8x8"]) == 2
    said = capfd.readouterr().err
    assert "33" in said and "2 devices" in said
    assert list(checkpoints.iterdir()) == [], "nothing is written"


@pytest.mark.parametrize("words", [[], ["--model.no-rejects"]])
def test_what_one_process_chooses_for_all_heeds_that_others_are_to_be_refused(checkpoints, words):
    with contextlib.ExitStack() as stack:
        chosen = command._choose(words, command._parse_first(words), stack)
    assert any(text.startswith("nondigits") for text in chosen["data"]) is (not words)
    assert not any(text.startswith("nondigits") for text in chosen["data"][:2])


def test_every_field_has_one_name_by_which_it_is_found():
    names = command.field_names()
    assert {"audited", "seed", "model.border", "optim.learning-rate"} <= set(names)
    assert len(set(names)) == len(names)
    for name in names:
        command.field_of(TrainConfig(), name)
