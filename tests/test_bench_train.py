"""`bench train`: phases, medians and ratios within rounds, and peers that are what they say."""

import json
import sys

import numpy as np
import pytest

from digitjax import cli, optim
from digitjax.bench import contenders, peer_torch, training
from digitjax.bench.contenders import CONTENDERS, PHASES, Trained, missing

SECONDS = {"digitjax": [(1, 2), (4, 8), (3, 2)], "flax-example": [(2, 6), (4, 4), (3, 8)]}
"""Seconds of training and of every other phase, in each round."""


@pytest.fixture
def pretended(monkeypatch):
    """Programs that need the seconds above, and MNIST that is not needed."""
    turns = []

    def contend(name, folder, preset, channels, epochs, seed):
        turns.append(name)
        train, other = SECONDS[name][seed]
        return Trained(
            {phase: train if phase == "train" else other for phase in PHASES}, 600, 0.9 + seed / 100
        )

    def train(run, preset, channels, epochs, seed):
        turns.append(training.COMMAND)
        return {"checkpoint": 5.0 + seed, "report": 7.0 + seed}

    monkeypatch.setattr(training, "_contend", contend)
    monkeypatch.setattr(training, "_train", train)
    monkeypatch.setattr(
        training, "load", lambda _: type("Source", (), {"images": np.zeros((1, 784)), "labels": [1]})
    )
    return turns


def test_programs_take_turns_and_medians_and_ratios_are_right(pretended):
    ours, peer, command = training.measure(list(SECONDS), "speedrun", 3, 0, lambda _: None)
    assert pretended == [*SECONDS, training.COMMAND] * 3
    assert ours.seconds["train"] == 3 and ours.train_ratio == ours.total_ratio == 1
    assert peer.seconds["train"] == 3 and peer.seconds["data"] == 6
    assert peer.train_ratio == 1  # of 2, 1 and 1
    assert peer.total_ratio == pytest.approx(26 / 9)  # of 26/9, 20/36 and 35/11
    assert peer.images_per_second == 200 and peer.accuracy == pytest.approx(0.91)
    assert command.total == 6 and command.seconds["report"] == 8


def test_the_command_prints_a_table_or_json_and_leaves_out_what_is_not_installed(
    pretended, monkeypatch, capfd
):
    monkeypatch.setattr(contenders, "find_spec", lambda _: None)
    words = ["bench", "train", "cnn", "--programs", "flax-example", "pytorch-eager"]
    assert cli.main([*words, "--json"]) == 0
    printed = capfd.readouterr()
    assert [one["name"] for one in json.loads(printed.out)] == [
        "digitjax",
        "flax-example",
        "digitjax train cnn",
    ]
    assert "pytorch-eager is left out, it needs torch" in printed.err
    assert cli.main(words) == 0
    assert "flax-example" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("mlp-tiny", "by convolutions"),
        ("--rounds 0", "--rounds"),
        ("--programs torhc", "--programs"),
        ("cn", "'cnn'"),
        ("--channels 0", "model.channels"),
    ],
)
def test_bad_usage_is_one_sentence(words, said, capfd):
    assert cli.main(["bench", "train", *words.split()]) == 2
    printed = capfd.readouterr()
    assert printed.out == "" and said in printed.err and printed.err.count("\n") == 1


def test_the_schedule_of_the_peer_is_ours():
    ours = [np.asarray(optim.one_cycle(0.2, 50)(step)).item() for step in range(50)]
    assert [peer_torch.one_cycle(0.2, 50, step) for step in range(50)] == pytest.approx(ours, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTENDERS)
def test_each_program_learns(name, mnist_dir, tmp_path, monkeypatch, capfd):
    if sentence := missing(name):
        pytest.skip(sentence)
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(mnist_dir))
    for split in ("train", "test"):
        source = training.load(f"mnist@{split}")
        np.save(tmp_path / f"x_{split}.npy", np.asarray(source.images).reshape(-1, 28, 28)[:9000])
        np.save(tmp_path / f"y_{split}.npy", np.asarray(source.labels).astype(np.int64)[:9000])
    found = json.loads(
        training._run(
            [
                sys.executable,
                "-m",
                "digitjax.bench.contenders",
                name,
                str(tmp_path),
                "speedrun",
                "[4, 8, 16]",
                "1",
                "0",
                "0",
            ],
            name,
        )
    )
    assert list(found["seconds"]) == list(PHASES) and found["accuracy"] > 0.85


def test_what_needs_a_gpu_is_left_out_where_there_is_none(monkeypatch):
    monkeypatch.setattr(contenders, "find_spec", lambda _: object())
    for gpu, left in ((None, {"pytorch-graphs", "pytorch-compiled-graphs"}), ("NVIDIA H200", set())):
        monkeypatch.setattr(contenders, "nvidia_gpu", lambda gpu=gpu: gpu)
        assert {name for name in CONTENDERS if missing(name)} == left
        told: list[str] = []
        assert set(contenders.able(list(CONTENDERS), told.append)) == set(CONTENDERS) - left
        assert len(told) == len(left)


def test_networks_that_the_peers_have_not_are_refused(capfd):
    for words in (["train", "cnn-large"], ["accelerator", "cnn-large"]):
        assert cli.main(["bench", *words]) == 2
        assert "cnn-large" in capfd.readouterr().err
