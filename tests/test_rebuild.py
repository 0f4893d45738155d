"""The network that comes along made anew: what is still to be run, and that it runs."""

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


def test_it_is_a_command_that_train_takes(corpora, tmp_path):
    config = asked(rebuild.command(corpora, tmp_path / "net", options=("--seed", "3")))
    assert (config.preset, config.seed, config.model.rejects) == ("cnn-shipped", 3, True)
    weights = [parse_spec(text).weight for text in config.data]
    assert len(weights) == 6 and sum(weights) == config.batch_size


def test_without_unipen_no_file_of_it_is_named(corpora, tmp_path):
    for name in (rebuild.DIGITS, rebuild.OTHERS):
        (corpora / "strokes" / name).unlink()
    words = rebuild.command(corpora, tmp_path / "net", unipen=False)
    assert "unipen-" not in " ".join(asked(words).data)


def test_a_corpus_that_is_missing_is_named(corpora, tmp_path):
    (corpora / "strokes" / rebuild.OTHERS).unlink()
    with pytest.raises(InputError, match="holds no unipen-other-train"):
        rebuild.command(corpora, tmp_path / "net")


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
    out = tmp_path / "net"
    small = ["--epochs", "2", "--epoch-examples", "256", "--model.channels", "4", "--model.hidden", "8"]
    argv = [str(tmp_path), "--out", str(out), "--without-unipen", *small]

    with monkeypatch.context() as patched:
        patched.setattr(finish, "finish", lambda *_, **__: pytest.fail("killed before it had finished"))
        with pytest.raises(pytest.fail.Exception):
            rebuild.run(argv)
    assert runs.is_run(out) and not runs.is_finished(out)
    assert rebuild.command(tmp_path, out, unipen=False) == ["--resume", "--out", str(out)]

    assert rebuild.run(argv) == 0
    assert runs.is_finished(out)
    assert rebuild.command(tmp_path, out, unipen=False) == []
