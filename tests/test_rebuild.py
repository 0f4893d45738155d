"""The network that comes along made anew: which trainings are still to be run, and that they run."""

import dataclasses
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from digitjax import finish, runs
from digitjax.commands import rebuild
from digitjax.commands.train import config_of
from digitjax.config import TrainConfig
from digitjax.data import parse_spec
from digitjax.errors import InputError
from digitjax.presets.registry import preset


def asked(words: list[str]) -> TrainConfig:
    place = words.index("--out")
    return config_of(words[:place] + words[place + 2 :])


@pytest.fixture
def corpora(tmp_path):
    folder = tmp_path / "corpora"
    (folder / "strokes").mkdir(parents=True)
    for name in (rebuild.PEN_DIGITS, rebuild.DIGITS, rebuild.OTHERS):
        (folder / "strokes" / name).touch()
    return folder


def test_all_trainings_are_commands_that_train_takes(corpora, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "resolve", Path)
    all_ = rebuild.commands(corpora, tmp_path / "net", seed=3)
    first, second, third, last = map(asked, all_)
    *before, near = (str(tmp_path / name) for name in ("net-first", "net-second", "net-third"))
    assert (first.preset, first.seed, first.start, first.distil) == ("cnn-shipped", 3, "", ())
    assert (second.seed, second.start, second.distil) == (3, "", ())
    assert (third.seed, third.start, third.distil) == (3, before[0], tuple(before))
    assert (last.seed, last.start, last.distil) == (3, near, tuple(before))
    assert first.model == second.model == preset("cnn-shipped").model
    assert third.model == last.model == dataclasses.replace(first.model, dropout=0.0)
    assert first.model.rejects and last.optim.learning_rate < third.optim.learning_rate < 6e-3
    assert (
        last.epochs == 15
        and "marks" in " ".join(last.data)
        and "marks" not in " ".join((*first.data, *third.data))
    )
    assert {parse_spec(text).weight for text in first.data} == {54, 14, 22, 16, 10, 12}
    assert "unipen" not in " ".join(second.data)


def test_what_comes_along_was_made_by_the_last_of_them(corpora, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "resolve", Path)
    *_, last = map(asked, rebuild.commands(corpora, tmp_path / "net"))
    folder = runs.shipped()
    assert folder is not None
    own = runs.read_config(folder)
    same = {"start": "", "distil": (), "data": ()}
    assert dataclasses.replace(own, **same) == dataclasses.replace(last, **same)
    kept = [(parse_spec(text).name, parse_spec(text).weight) for text in own.data]
    assert kept == [(parse_spec(text).name, parse_spec(text).weight) for text in last.data]


def test_without_unipen_no_file_of_it_is_named(corpora, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "resolve", Path)
    for name in (rebuild.DIGITS, rebuild.OTHERS):
        (corpora / "strokes" / name).unlink()
    configs = [asked(words) for words in rebuild.commands(corpora, tmp_path / "net", unipen=False, seed=4)]
    assert "unipen-" not in " ".join(text for config in configs for text in config.data)
    assert [config.seed for config in configs] == [4, 5, 6, 4], (
        "of one mix and one seed two teachers were one"
    )
    assert ["marks" in " ".join(config.data) for config in configs] == [False, False, False, True]


def test_a_corpus_that_is_missing_is_named(corpora, tmp_path):
    (corpora / "strokes" / rebuild.OTHERS).unlink()
    with pytest.raises(InputError, match="holds no unipen-other-train"):
        rebuild.commands(corpora, tmp_path / "net")


@pytest.mark.slow
def test_what_has_finished_is_not_trained_again_and_what_was_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_OFFLINE", "1")
    made = np.random.default_rng(0)
    lines = [
        json.dumps(
            {
                "word": str(i % 10),
                "writer": f"w{i % 40}",
                "source": "made",
                "drawing": made.integers(0, 255, (2, 2, 6)).tolist(),
            }
        )
        for i in range(400)
    ]
    with gzip.open(tmp_path / rebuild.PEN_DIGITS, "wt") as file:
        file.write("\n".join(lines))
    mix = {rebuild.PEN_DIGITS: 2, "synthetic": 1, "nondigits": 1}
    stages = tuple(stage._replace(without_unipen=mix) for stage in rebuild.STAGES)
    monkeypatch.setattr(rebuild, "STAGES", stages)
    out, first = tmp_path / "net", tmp_path / "net-first"
    small = ["--epochs", "2", "--epoch-examples", "256", "--model.channels", "4", "--model.hidden", "8"]
    small += ["--model.no-border"]
    argv = [str(tmp_path), "--out", str(out), "--without-unipen", *small]

    with monkeypatch.context() as patched:
        patched.setattr(finish, "finish", lambda *_, **__: pytest.fail("killed before it had finished"))
        with pytest.raises(pytest.fail.Exception):
            rebuild.run(argv)
    assert runs.is_run(first) and not runs.is_finished(first)
    assert rebuild.commands(tmp_path, out, unipen=False)[0] == ["--resume", "--out", str(first)]

    assert rebuild.run(argv) == 0
    second = tmp_path / "net-second"
    assert all(map(runs.is_finished, (first, second, out)))
    assert runs.read_config(out).start == str(tmp_path / "net-third")
    assert runs.read_config(out).distil == tuple(
        str(run / runs.best_step(run).name) for run in (first, second)
    )
    shutil.rmtree(second)
    assert rebuild.commands(tmp_path, out, unipen=False) == [], "the last has finished"
