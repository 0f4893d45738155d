"""What the reading process lists, and when it does what the ink need not wait for."""

import gc
import multiprocessing
import threading
import time

import pytest

from play import launch, wire, worker


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
    return folder


def test_runs_that_cannot_be_used_are_listed_with_the_reason(checkpoints, tmp_path):
    for run in (tmp_path / "elsewhere", checkpoints / "empty"):
        run.mkdir()
        (run / "config.json").write_text("{}", encoding="utf-8")
    (checkpoints / "aside").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (checkpoints / "no-run").mkdir()
    listed = {model.name: model.error for model in worker.list_models() if model.name != "default"}
    assert set(listed) == {"aside", "empty"}
    assert "link" in listed["aside"] and str(tmp_path / "elsewhere") in listed["aside"]
    assert "no finished checkpoint" in listed["empty"]


def test_what_is_not_needed_for_the_ink_waits_until_the_pen_rests(checkpoints, monkeypatch):
    monkeypatch.setattr(worker, "QUIET_SECONDS", 0.2)
    ends = multiprocessing.Pipe()
    process = worker.Worker(*ends, launch.Options())
    process._inked = time.monotonic() + 60
    process._jobs.put({"kind": "list"})
    threading.Thread(target=process._work, daemon=True).start()
    process._results.get(timeout=30)()
    assert wire.unpack(ends[0].recv_bytes())[0]["kind"] == "models"
    time.sleep(0.3)
    assert not process._warm
    process._inked = time.monotonic()
    end = time.monotonic() + 30
    while not process._warm and time.monotonic() < end:
        time.sleep(0.01)
    gc.unfreeze()
    assert process._warm and time.monotonic() > process._inked + worker.QUIET_SECONDS
