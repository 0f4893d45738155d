"""Several processes as one: how they are found, and (slow) that it makes no difference how many train."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import pytest

from digitjax import cli, metrics, processes, runs, sharding
from digitjax.config import AugmentConfig, TrainConfig
from digitjax.data import batches, pipeline
from digitjax.errors import InputError
from digitjax.interrupt import StopRequest
from digitjax.processes import Place, find
from digitjax.types import Batch

REPO = Path(__file__).resolve().parents[1]
SLURM = {
    "SLURM_JOB_ID": "5000",
    "SLURM_STEP_NODELIST": "gpu[07-16],x",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}
POD = {"TPU_WORKER_HOSTNAMES": "10.0.0.5,10.0.0.6", "TPU_WORKER_ID": "1"}


def test_alone_where_nothing_says_otherwise():
    assert find({}) is None
    assert find(SLURM | {"SLURM_STEP_NUM_TASKS": "1"}) is None
    assert find({name: value for name, value in SLURM.items() if name != "SLURM_STEP_NODELIST"}) is None
    assert find(POD | {"TPU_WORKER_HOSTNAMES": "localhost"}) is None


def test_the_tasks_of_a_slurm_step_meet_on_its_first_node():
    port = 61440 + 5000 % 4096
    assert find(SLURM) == Place(f"gpu07:{port}", 4, 3, (1,))
    for nodes, first in (("a", "a"), ("a,b", "a"), ("n[3,5-7]-ib,z", "n3-ib")):
        place = find(SLURM | {"SLURM_STEP_NODELIST": nodes})
        assert place is not None and place.coordinator == f"{first}:{port}"


@pytest.mark.parametrize(
    ("more", "devices"),
    [
        ({"SLURM_STEP_NUM_NODES": "4"}, None),  # a task a node: all of the node's
        ({"CUDA_VISIBLE_DEVICES": "2"}, None),  # SLURM has shown it its own
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, (1,)),
    ],
)
def test_a_task_takes_the_devices_that_are_its_own(more, devices):
    place = find(SLURM | more)
    assert place is not None and place.devices == devices


def test_the_workers_of_a_tpu_slice_meet_at_the_first():
    assert find(POD) == Place("10.0.0.5:8476", 2, 1)
    said = {"worker-network-endpoints": "a:0:10.1.0.2,b:1:10.1.0.3", "agent-worker-number": "0"}
    assert find({}, metadata=said.__getitem__) == Place("10.1.0.2:8476", 2, 0)

    def unreachable(name: str) -> str:
        raise OSError(name)

    assert find({}, metadata=unreachable) is None
    with pytest.raises(InputError, match="--coordinator"):
        find(POD | {"MEGASCALE_NUM_SLICES": "2"})


def test_the_options_go_before_the_environment():
    assert find(SLURM, "[fd00::1]:8476", 2, 0) == Place("[fd00::1]:8476", 2, 0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("a:1", None, None), "--processes N and --process I"),
        ((None, 2, 0), "--coordinator"),
        (("8476", 2, 0), "HOST:PORT"),
        (("a:70000", 2, 0), "HOST:PORT"),
        (("a:1", 0, 0), "--processes"),
        (("a:1", 2, 2), "give 0 to 1"),
    ],
)
def test_options_that_cannot_be_are_named(options, named):
    with pytest.raises(InputError, match=named):
        find({}, *options)


def test_a_wrong_argument_starts_no_process(monkeypatch, capfd):
    monkeypatch.setattr(processes, "supervise", lambda *args: pytest.fail("started"))
    several = ["--coordinator", "localhost:1", "--processes", "2", "--process"]
    assert cli.main(["train", "cnm", *several, "0"]) == 2
    assert cli.main(["train", *several, "5"]) == 2
    assert capfd.readouterr().err.count("\n") == 2


def test_the_first_s_choice_or_error_is_everybody_s(monkeypatch):
    assert processes.agree(lambda: {"folder": "é"}) == {"folder": "é"}
    said = []
    monkeypatch.setattr(sharding, "first_says", lambda text: said.append(text) or text)

    def refuse() -> dict:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        processes.agree(refuse)
    monkeypatch.setattr(sharding, "is_first", lambda: False)
    monkeypatch.setattr(sharding, "first_says", lambda text: said[0])
    with pytest.raises(InputError, match="no"):
        processes.agree(lambda: pytest.fail("asked"))


def test_who_is_asked_for_something_else_is_told_in_all_of_them(monkeypatch):
    asked = {"--resume": "False", "--seed": "3", "--data": "a" * 100 + "b"}
    processes.require_alike(asked)

    def say_both(first: dict[str, str], second: dict[str, str]) -> None:
        texts: list[str] = []
        monkeypatch.setattr(sharding, "all_say", lambda text: texts.append(text) or [text])
        processes.require_alike(first)
        processes.require_alike(second)
        monkeypatch.setattr(sharding, "all_say", lambda _: texts[:2])
        processes.require_alike(second)

    say_both(asked, dict(asked))
    with pytest.raises(InputError, match=r"processes 0 and 1 .*--seed 3 and 4\)"):
        say_both(asked, asked | {"--seed": "4"})
    with pytest.raises(InputError, match="not asked for the same"):
        say_both(asked, asked | {"--data": "a" * 100 + "c"})


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_others_are_awaited_ends_it(tmp_path, compiled, number):
    member, other = start(tmp_path / "run", compiled, 2, 1)
    other.kill()
    time.sleep(4)
    member.send_signal(number)
    (code, said), _ = finish([member, other], timeout=30)
    assert code == 128 + number and "what was saved before is kept" in said.splitlines()[-1], said


def test_a_signal_that_comes_twice_at_once_is_one():
    with StopRequest(same_within=60.0) as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stop.number == signal.SIGINT


@pytest.mark.slow
def test_the_shares_of_a_batch_are_the_batch(monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "_load_validation", lambda *_: ((), []))
    ink, rng = tmp_path / "ink.ndjson", np.random.default_rng(0)
    drawings = [{"word": str(i % 10), "drawing": rng.integers(0, 99, (2, 2, 4)).tolist()} for i in range(40)]
    ink.write_text("".join(json.dumps(drawing) + "\n" for drawing in drawings))
    config = TrainConfig(
        data=("digits8x8=3", f"strokes:{ink}@train=2", "synthetic=3"),
        batch_size=8,
        epoch_examples=8,
        augment=AugmentConfig(bend=0.02, unfinished=0.5),
    )

    def batch(rows: slice | None) -> Batch:
        return pipeline.make_pipeline(config, "mnist28", rows).batch_at(3)

    halves = jax.tree.map(lambda *leaves: np.concatenate(leaves), batch(slice(0, 4)), batch(slice(4, 8)))
    for one, other in zip(jax.tree.leaves(halves), jax.tree.leaves(batch(None)), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_rows_are_divided_among_the_sources_that_hold_them():
    counts, whole = [3, 2, 4], np.arange(9)
    parts = np.split(whole, np.cumsum(counts)[:-1])
    for start, stop in ((0, 9), (0, 2), (2, 6), (3, 5), (7, 9)):
        own = batches._divide(counts, slice(start, stop))
        found = np.concatenate([part[rows] for part, rows in zip(parts, own, strict=True)])
        np.testing.assert_array_equal(found, whole[start:stop])


def test_rows_of_a_batch_and_own_copies_where_there_is_one_process():
    mesh = sharding.data_mesh(8)
    assert sharding.own_rows(8, mesh) == slice(0, 8)
    tree = {"a": np.ones(2)}
    assert sharding.own_copy(tree) is tree
    assert sharding.largest(7) == 7 and sharding.is_first()


SMALL = [
    *("mlp-8x8", "--data", "digits8x8", "--seed", "3", "--model.hidden", "16"),
    *("--epoch-examples", "384", "--batch-size", "32"),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict[str, str]:
    """An environment in which all processes of this file share what they compile."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": str(REPO),
    }


def start(
    run: Path, compiled: dict[str, str], count: int, devices: int, *words: str
) -> list[subprocess.Popen[str]]:
    """`digitjax train` in `count` processes with `devices` each, into one folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | compiled
    environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    command = [sys.executable, "-m", "digitjax", "train", *SMALL, "--out", str(run), *words]
    several = ["--coordinator", f"127.0.0.1:{port}", "--processes", str(count), "--process"]
    return [
        subprocess.Popen(
            [*command, *([*several, str(index)] if count > 1 else [])],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]


def finish(members: Sequence[subprocess.Popen[str]], timeout: float = 240) -> list[tuple[int, str]]:
    """Exit code and standard error of each."""
    try:
        return [
            (member.wait(), said) for member in members for said in [member.communicate(None, timeout)[1]]
        ]
    finally:
        for member in members:
            member.kill()


def wait_for_epoch(run: Path, members: Sequence[subprocess.Popen[str]]) -> None:
    """Returns when a full step has been published."""
    while not runs.full_steps(run):
        assert all(member.poll() is None for member in members), finish(members)
        time.sleep(0.02)


def losses(run: Path) -> list[tuple]:
    lines = metrics.read_metrics(run / runs.METRICS)
    return [(line["step"], "epoch" in line, line["loss"], line["accuracy"]) for line in lines]


def assert_same_to_rounding(one: Path, other: Path) -> None:
    ours, theirs = losses(one), losses(other)
    assert [line[:2] for line in ours] == [line[:2] for line in theirs]
    np.testing.assert_allclose([line[2:] for line in ours], [line[2:] for line in theirs], rtol=2e-3)
    tests = [json.loads((run / runs.SUMMARY).read_text())["test"] for run in (one, other)]
    for mine, its in zip(*tests, strict=True):
        assert mine["n_digits"] == its["n_digits"] == np.sum(mine["confusion"]) == np.sum(its["confusion"])
        assert np.abs(np.array(mine["confusion"]) - its["confusion"]).sum() <= 4


@pytest.fixture(scope="module")
def alone(tmp_path_factory, compiled) -> Path:
    """A run of one process with one device."""
    run = tmp_path_factory.mktemp("alone") / "run"
    ((code, said),) = finish(start(run, compiled, 1, 1, "--epochs", "3"))
    assert code == 0, said
    return run


@pytest.mark.slow
@pytest.mark.parametrize(("count", "devices"), [(2, 2), (1, 4)])
def test_every_layout_trains_the_same_network(alone, tmp_path, compiled, count, devices):
    ended = finish(start(tmp_path / "run", compiled, count, devices, "--epochs", "3"))
    assert [code for code, _ in ended] == [0] * count, ended
    assert f"on {count * devices} x cpu" in ended[0][1]
    assert [said for _, said in ended[1:]] == [""] * (count - 1), "one of them talks"
    assert_same_to_rounding(alone, tmp_path / "run")


@pytest.mark.slow
def test_a_signal_to_one_stops_all_and_another_layout_goes_on(alone, tmp_path, compiled):
    run = tmp_path / "run"
    members = start(run, compiled, 2, 1, "--epochs", "3")
    wait_for_epoch(run, members)
    members[1].send_signal(signal.SIGTERM)
    ended = finish(members)
    assert [code for code, _ in ended] == [143, 143], ended
    assert "stopped and saved at step" in ended[0][1] and ended[1][1] == ""
    ((code, said),) = finish(start(run, compiled, 1, 4, "--epochs", "3", "--resume"))
    assert code == 0 and "resuming at step" in said, said
    assert_same_to_rounding(alone, run)


def member_of(parent: int) -> int:
    """The process that trains, of its parent."""
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(child)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="/proc is Linux's")
@pytest.mark.parametrize("lost", [1, 0])
def test_when_one_is_killed_the_others_say_so_and_resume_goes_on(tmp_path, compiled, lost):
    run = tmp_path / "run"
    members = start(run, compiled, 2, 1, "--epochs", "100000")
    wait_for_epoch(run, members)
    os.kill(member_of(members[lost].pid), signal.SIGKILL)
    begin = time.monotonic()
    ended = finish(members, timeout=60)
    assert time.monotonic() - begin < 60
    assert [code for code, _ in ended] == [1, 1]
    assert "was lost" in ended[1 - lost][1].splitlines()[-1], ended
    assert "killed (signal 9)" in ended[lost][1].splitlines()[-1], ended
    assert "Traceback" not in ended[0][1] + ended[1][1]
    members = start(run, compiled, 2, 1, "--resume")
    step = int(runs.full_steps(run)[-1].name)
    while int(runs.full_steps(run)[-1].name) <= step:
        assert all(member.poll() is None for member in members), finish(members)
        time.sleep(0.02)
    os.kill(members[0].pid, signal.SIGINT)
    assert [code for code, _ in finish(members)] == [130, 130]


@pytest.mark.slow
def test_an_error_of_the_first_is_everybody_s(tmp_path, compiled):
    ended = finish(start(tmp_path / "run", compiled, 2, 1, "--data", "strokes:none.ndjson"))
    assert [code for code, _ in ended] == [2, 2], ended
    assert all("none.ndjson" in said and "Traceback" not in said for _, said in ended), ended
    assert list(tmp_path.iterdir()) == []
