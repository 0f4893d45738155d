"""Hard to kill: processes that die at random moments, disks that are full or read-only.

pytest -m 'chaos and not slow'      the short form
pytest -m 'chaos and slow'          a hundred kills of each kind
"""

import contextlib
import datetime
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from digitjax import cli, manifest, metrics, runs
from digitjax.checkpoint import load_model, load_state
from digitjax.loop import fresh_state
from digitjax.strokes import read_drawings
from play import record
from play.record import Recorder, RecordError
from tests.recorder import drawing

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="signals and /proc are Linux's"),
]
REPO = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
SMALL = [
    *("train", "mlp-8x8", "--data", "digits8x8", "--seed", "3", "--model.hidden", "16"),
    *("--epoch-examples", "192", "--batch-size", "32", "--epochs", "20", "--out"),
]
STARTER = """
import itertools, json, os, sys, time
import digitjax.finish, digitjax.loop  # what takes long is imported once; no device is touched before a fork
from digitjax import cli
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
            words = json.loads(line)
            if words[0] == "backwards":  # the clock on the wall, an hour with each look
                hours = itertools.count(int(time.time()), -3600)
                time.time, time.time_ns = (lambda: float(next(hours))), (lambda: next(hours) * 10**9)
            code = cli.main(words[words[0] == "backwards" :])
        finally:
            os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Starter:
    """Starts `digitjax` in processes of their own, one after the other, without importing it each time."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "said"
        self._process = subprocess.Popen(
            [sys.executable, "-c", STARTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ
            | {
                "PYTHONPATH": str(REPO),
                "XLA_FLAGS": "",
                "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            },
        )

    def start(self, words: list[str]) -> int:
        """Starts a command and returns its process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._said.write_text("")
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> tuple[int, str]:
        """Exit code of the command, and what it said."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline()), self._said.read_text()

    def run(self, words: list[str]) -> tuple[int, str]:
        """Runs a command to its end."""
        self.start(words)
        return self.wait()

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def starter(tmp_path_factory) -> Iterator[Starter]:
    starter = Starter(tmp_path_factory.mktemp("starter"))
    yield starter
    starter.close()


@pytest.fixture(scope="module")
def whole(starter, tmp_path_factory) -> Path:
    """A run that nothing happened to."""
    run = tmp_path_factory.mktemp("whole") / "run"
    code, said = starter.run([*SMALL, str(run)])
    assert code == 0, said
    return run


def cpu_seconds(process: int) -> float | None:
    """Time that a process has computed; None once it has ended. A busy machine does not change it."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / TICKS


def kill_after(process: int, seconds: float) -> bool:
    """Kills a process when it has computed for so long; False where it ended before."""
    while (spent := cpu_seconds(process)) is not None:
        if spent >= seconds:
            os.kill(process, signal.SIGKILL)
            return True
        time.sleep(0.002)
    return False


def published(run: Path) -> list[Path]:
    return [step for folder in (run, run / runs.HISTORY) for step in runs.step_folders(folder) if named(step)]


def named(step: Path) -> bool:
    return (step / manifest.NAME).exists()


def half_written(run: Path) -> bool:
    folders = (run, run / runs.HISTORY)
    return any(True for folder in folders for _ in folder.glob("*.orbax-checkpoint-tmp*")) or any(
        not named(step) for folder in folders for step in runs.step_folders(folder)
    )


def assert_same_run(run: Path, whole: Path) -> None:
    """Every line but the clock's fields, every param and the whole last state, bit by bit."""

    def lines(run: Path) -> list[dict]:
        found = metrics.read_metrics(run / runs.METRICS)
        return [{k: v for k, v in line.items() if k not in metrics.CLOCK_FIELDS} for line in found]

    def leaves(run: Path, step: Path) -> list[bytes]:
        return [np.asarray(x).tobytes() for x in jax.tree.leaves(load_model(run / step).params)]

    assert lines(run) == lines(whole)
    steps = [step.relative_to(whole) for step in runs.history(whole)]
    assert [step.relative_to(run) for step in runs.history(run)] == steps
    for step in (steps[0], steps[len(steps) // 2], steps[-1]):
        assert leaves(run, step) == leaves(whole, step), step
    config = runs.read_config(whole)
    expected = jax.eval_shape(lambda: fresh_state(config))
    one, other = (load_state(each / str(config.total_steps), expected) for each in (run, whole))
    for x, y in zip(jax.tree.leaves(one.opt_state), jax.tree.leaves(other.opt_state), strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def kill_trainings(starter: Starter, whole: Path, folder: Path, kills: int) -> tuple[int, int, int]:
    """Kills trainings until that many are dead, resumed each time; returns kills, those in a write, runs."""
    chance, killed, in_a_write, finished = random.Random(kills), 0, 0, 0
    while killed < kills or not finished:
        run = folder / f"run{finished}"
        last = -1
        while not runs.is_finished(run):
            child = starter.start([*SMALL, str(run), *(["--resume"] if runs.is_run(run) else [])])
            struck = killed < kills and kill_after(child, chance.uniform(0.2, 6.0))
            code, said = starter.wait()
            assert code == (-signal.SIGKILL if struck else 0), said
            killed += struck
            in_a_write += struck and half_written(run)
            for step in published(run):
                manifest.verify(step, run / runs.CONFIG)
            full = [int(step.name) for step in runs.full_steps(run)]
            assert max(full, default=-1) >= last, "a full step was lost"
            last = max(full, default=-1)
        assert_same_run(run, whole)
        finished += 1
    return killed, in_a_write, finished


def test_killed_trainings_go_on_to_the_same_bits(starter, whole, tmp_path):
    killed, _, _ = kill_trainings(starter, whole, tmp_path, 4)
    assert killed == 4


@pytest.mark.slow
def test_a_hundred_killed_trainings_go_on_to_the_same_bits(starter, whole, tmp_path):
    killed, in_a_write, finished = kill_trainings(starter, whole, tmp_path, 100)
    print(f"{killed} kills, {in_a_write} of them inside a checkpoint write, {finished} runs finished")
    assert killed == 100 and in_a_write >= 10


def test_a_clock_that_goes_back_changes_nothing(starter, whole, tmp_path):
    run = tmp_path / "run"
    child = starter.start(["backwards", *SMALL, str(run)])
    while len(runs.full_steps(run)) < 2:
        assert cpu_seconds(child) is not None, starter.wait()
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    starter.wait()
    for age, step in enumerate(published(run)):  # the later it was written, the older it looks
        when = time.time() - 3600 * age
        os.utime(step / manifest.NAME, (when, when))
    code, said = starter.run(["backwards", *SMALL, str(run), "--resume"])
    assert code == 0 and "resuming at step" in said, said
    assert_same_run(run, whole)


def test_drawings_are_kept_in_their_order_while_the_clock_goes_back(tmp_path, monkeypatch):
    days = iter(range(28, 0, -1))

    class Backwards(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime(2026, 11, next(days), tzinfo=tz)

    monkeypatch.setattr(record.datetime, "datetime", Backwards)
    recorder = Recorder(tmp_path)
    for number in range(5):
        assert recorder.append(drawing(number / 10)) == number + 1
    recorder.relabel(recorder.records()[3]["key"], "8")
    found = recorder.records()
    assert [one["word"] for one in found] == ["0", "1", "2", "8", "4"]
    assert [one["date"][:10] for one in found] == [f"2026-11-{day}" for day in range(28, 23, -1)]


def kill_writers(folder: Path, kills: int) -> int:
    """Kills recording programs and compares the file with what each acknowledged; returns how much."""
    chance, kept, acknowledged = random.Random(kills), {}, 0
    for number in range(kills):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.recorder", str(folder), str(number)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(REPO)},
        ) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(chance.randrange(1, 30))]
            time.sleep(chance.uniform(0, 0.01))
            writer.kill()
            said = [line.split() for line in [*lines, *writer.stdout]]
        for _, what, key, word in (line for line in said if len(line) == 4 and line[0] == "done"):
            acknowledged += 1
            kept |= {key: word}
            if what == "delete":
                del kept[key]
        recorder = Recorder(folder)
        recorder.mend()
        found = {record["key"]: record["word"] for record in recorder.records()}
        assert len(list(read_drawings(recorder.path))) == len(found)
        under_way = said[-1] if said[-1][0] == "begin" else ["", "", "", ""]
        allowed = {under_way[2]} if under_way[1] != "add" else set(found) - set(kept)
        assert len(allowed) <= 1
        differ = {key for key in {*kept, *found} if kept.get(key) != found.get(key)}
        assert differ <= allowed, f"lost or changed: {differ}, under way: {under_way}"
        kept = found
    return acknowledged


def test_killed_recordings_lose_nothing_that_was_acknowledged(tmp_path):
    assert kill_writers(tmp_path, 6) > 6


@pytest.mark.slow
def test_a_hundred_killed_recordings_lose_nothing_that_was_acknowledged(tmp_path):
    acknowledged = kill_writers(tmp_path, 100)
    print(f"100 kills, {acknowledged} acknowledged changes, none lost")
    assert acknowledged > 500


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
import os, sys
from play import launch, worker
worker.Worker.run = lambda self: print(os.environ["JAX_PLATFORMS"], "jax" in sys.modules, file=sys.stderr)
worker.main(None, None, launch.Options())
"""


def test_the_reader_leaves_the_accelerator_to_the_trainer_before_jax_is_there():
    environment = os.environ | {"PYTHONPATH": str(REPO), "JAX_PLATFORMS": "cuda"}
    done = subprocess.run([sys.executable, "-c", BESIDE], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "cpu False\n")
