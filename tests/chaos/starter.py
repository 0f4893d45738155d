"""A small training in processes that can be killed, and when what it left is what an untouched one leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from digitjax import manifest, metrics, runs
from digitjax.checkpoint import load_model, load_state
from digitjax.prepare import fresh_state

MARKS = [
    pytest.mark.chaos,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="signals and /proc are Linux's"),
]
"""Of every test in this folder."""
REPO = Path(__file__).resolve().parents[2]
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
