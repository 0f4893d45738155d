"""The network that comes along made anew: which trainings are still to be run, and that they run."""

import gzip
import json

import numpy as np
import pytest

from digitjax import finish, runs
from digitjax.commands import rebuild
from digitjax.commands.train import _config_of, _join_data, _parse
from digitjax.config import TrainConfig
from digitjax.data import parse_spec
from digitjax.errors import InputError


def asked(words: list[str]) -> TrainConfig:
    words = _join_data(words)
    return _config_of(words, _parse(words, TrainConfig()))


@pytest.fixture
def corpora(tmp_path):
    folder = tmp_path / "corpora"
    (folder / "strokes").mkdir(parents=True)
    for name in (rebuild.PEN_DIGITS, rebuild.DIGITS, rebuild.OTHERS):
        (folder / "strokes" / name).touch()
    return folder


def test_both_trainings_are_commands_that_train_takes(corpora, tmp_path):
    first, second = map(asked, rebuild.commands(corpora, tmp_path / "net", options=("--seed", "3")))
    assert (first.preset, first.seed, first.start) == ("cnn-shipped", 3, "")
    assert (second.start, second.epochs, second.seed) == (str(tmp_path / "net-first"), 14, 3)
    assert first.model.rejects and second.optim.learning_rate == pytest.approx(1.5e-3)
    assert {parse_spec(text).weight for text in first.data} == {52, 16, 24, 12, 8}


def test_without_unipen_no_file_of_it_is_named(corpora, tmp_path):
    for name in (rebuild.DIGITS, rebuild.OTHERS):
        (corpora / "strokes" / name).unlink()
    for words in rebuild.commands(corpora, tmp_path / "net", unipen=False):
        assert "unipen-" not in " ".join(asked(words).data)


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
    monkeypatch.setattr(rebuild, "WITHOUT_UNIPEN", mix)
    out, first = tmp_path / "net", tmp_path / "net-first"
    small = ["--epochs", "2", "--epoch-examples", "256", "--model.channels", "4", "--model.hidden", "8"]
    argv = [str(tmp_path), "--out", str(out), "--without-unipen", *small]

    with monkeypatch.context() as patched:
        patched.setattr(finish, "finish", lambda *_, **__: pytest.fail("killed before it had finished"))
        with pytest.raises(pytest.fail.Exception):
            rebuild.run(argv)
    assert runs.is_run(first) and not runs.is_finished(first)
    assert rebuild.commands(tmp_path, out, unipen=False)[0] == ["--resume", "--out", str(first)]

    assert rebuild.run(argv) == 0
    assert runs.is_finished(first) and runs.is_finished(out)
    assert runs.read_config(out).start == str(first)
    assert rebuild.commands(tmp_path, out, unipen=False) == []
