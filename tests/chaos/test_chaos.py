"""Hard to kill: processes that die at random moments, and clocks that go back.

pytest -m 'chaos and not slow'      the short form
pytest -m 'chaos and slow'          a hundred kills of each kind
"""

import datetime
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from digitjax import manifest, runs
from digitjax.strokes import read_drawings
from play import record
from play.record import Recorder
from tests.chaos.starter import (
    MARKS,
    REPO,
    SMALL,
    Starter,
    assert_same_run,
    cpu_seconds,
    half_written,
    kill_after,
    published,
)
from tests.recorder import drawing

pytestmark = MARKS


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
