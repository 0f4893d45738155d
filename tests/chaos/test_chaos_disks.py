"""Disks that are full or read-only, a second trainer, and readers beside one that writes and prunes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from digitjax import cli, manifest, runs
from digitjax.checkpoint import load_model
from digitjax.strokes import read_drawings
from play.record import Recorder, RecordError
from tests.chaos.starter import (
    MARKS,
    REPO,
    SMALL,
    assert_same_run,
    cpu_seconds,
    published,
)
from tests.recorder import drawing

pytestmark = MARKS


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A file system of its own at `place`; skips where this user may mount none."""
    place.mkdir(exist_ok=True)
    mounted = shutil.which("mount") and os.geteuid() == 0
    if (
        not mounted
        or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place]).returncode
    ):
        pytest.skip("mounting needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def test_a_disk_that_fills_up_stops_a_training_with_a_sentence_and_resume_goes_on(starter, whole, tmp_path):
    with small_disk(tmp_path / "disk", "4500k"):
        run = tmp_path / "disk" / "run"
        code, said = starter.run([*SMALL, str(run)])
        assert code == 1 and "No space left" in said and "Traceback" not in said, said
        assert all(manifest.verify(step, run / runs.CONFIG) for step in published(run))
        remount(tmp_path / "disk", "size=64m")
        code, said = starter.run([*SMALL, str(run), "--resume"])
        assert code == 0, said
        assert_same_run(run, whole)


def test_a_full_or_read_only_disk_keeps_the_drawings_that_are_there(tmp_path):
    with small_disk(tmp_path / "disk", "64k"):
        recorder, kept = Recorder(tmp_path / "disk"), 0
        with pytest.raises(RecordError, match="No space left"):
            while True:
                kept = recorder.append(drawing(kept / 1000))
        assert len(list(read_drawings(recorder.path))) == kept > 10
        key = recorder.records()[3]["key"]
        with contextlib.suppress(RecordError):
            recorder.relabel(key, "7")
        assert len(list(read_drawings(recorder.path))) == kept
        remount(tmp_path / "disk", "ro")
        with pytest.raises(RecordError, match="Not saved.*Read-only"):
            recorder.append(drawing(0.5))
        assert len(recorder.records()) == kept
        remount(tmp_path / "disk", "rw,size=1m")
        assert recorder.append(drawing(0.5)) == kept + 1


def test_a_read_only_run_can_be_used_and_not_trained(starter, whole, tmp_path):
    with small_disk(tmp_path / "disk", "64m"):
        run = tmp_path / "disk" / "run"
        shutil.copytree(whole, run)
        (run / runs.SUMMARY).unlink()
        remount(tmp_path / "disk", "ro")
        assert load_model(run).step == load_model(whole).step
        for words in ([*SMALL, str(run), "--resume"], [*SMALL, str(tmp_path / "disk" / "other")]):
            code, said = starter.run(words)
            assert code == 2 and "Read-only" in said and said.count("\n") == 1, said


def test_beside_a_trainer_a_second_is_refused_and_a_reader_reads_while_it_prunes(starter, tmp_path):
    run = tmp_path / "run"
    words = [*SMALL, str(run)]
    words[words.index("--epochs") + 1] = "100000"
    child = starter.start(words)
    try:
        while len(runs.full_steps(run)) < 2:
            assert cpu_seconds(child) is not None, starter.wait()
            time.sleep(0.01)
        assert cli.main([*words, "--resume"]) == 2
        first = runs.full_steps(run)[0]
        seen, end = set(), time.monotonic() + 60
        while (len(seen) < 2 or first.exists()) and time.monotonic() < end:
            seen.add(load_model(run).step)
    finally:
        os.kill(child, signal.SIGTERM)
    code, said = starter.wait()
    assert code == 143, said
    assert len(seen) >= 2
    assert not first.exists() and all(manifest.verify(step, run / runs.CONFIG) for step in published(run))


def test_the_drawing_program_answers_beside_a_trainer_that_goes_on(starter, tmp_path):
    run = tmp_path / "run"
    words = [*SMALL, str(run)]
    words[words.index("--epochs") + 1] = "100000"
    child = starter.start(words)
    try:
        while not runs.full_steps(run):
            assert cpu_seconds(child) is not None, starter.wait()
            time.sleep(0.01)
        recorder = Recorder(tmp_path)
        recorder.append(drawing(0.7))
        command = [sys.executable, "-m", "play", "--headless", "--replay", str(recorder.path)]
        done = subprocess.run(
            [*command, "--checkpoint", str(run), "--user-dir", str(tmp_path / "user")],
            env=os.environ | {"PYTHONPATH": str(REPO), "XLA_FLAGS": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout.splitlines()[0])["probabilities"]) == 10
        trained = runs.full_steps(run)[-1]
        while runs.full_steps(run)[-1] == trained:
            assert cpu_seconds(child) is not None, starter.wait()
            time.sleep(0.01)
    finally:
        os.kill(child, signal.SIGTERM)
    code, said = starter.wait()
    assert code == 143, said


BESIDE = """
import multiprocessing, os, sys
from play import launch, worker
worker.Worker.run = lambda self: print(os.environ["JAX_PLATFORMS"], "jax" in sys.modules, file=sys.stderr)
worker.main(*multiprocessing.Pipe(), launch.Options())
"""


def test_the_reader_leaves_the_accelerator_to_the_trainer_before_jax_is_there():
    environment = os.environ | {"PYTHONPATH": str(REPO), "JAX_PLATFORMS": "cuda"}
    done = subprocess.run([sys.executable, "-c", BESIDE], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "cpu False\n")
