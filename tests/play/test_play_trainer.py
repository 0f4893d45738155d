"""Trainings in processes of their own: started, asked for things at any time, ended; the folders of runs."""

import os
import signal
import time
from pathlib import Path

import pytest

from digitjax import claim, manifest, runs, steering
from digitjax.commands.train import config_of
from digitjax.config import ModelConfig, TrainConfig
from play import effects, runner, trainer, watching
from play.effects import Start, Steer, Watch
from play.events import BinListed, HardListed, Notice, Press, RunsChanged
from play.studio import Recipe, RunSeen
from play.update import update
from tests.play.made_up import TINY
from tests.play.scenes import scene

REPO = Path(__file__).parents[2]
SLOW = """
import sys, time
from pathlib import Path
from digitjax import claim, metrics, runs, steering
from digitjax.config import TrainConfig
run, imports, loads = Path(sys.argv[sys.argv.index("--out") + 1]), {imports}, {loads}
print("importing", flush=True)
time.sleep(imports)
with claim.new_run(TrainConfig(), run):
    time.sleep(loads)
    runs.write_config(run, TrainConfig())
    file = metrics.MetricsFile(run / runs.METRICS, 0)
    asked = steering.Steering(run, 0, print)
    while not any(change.name == "stop" for change in asked.take(0)):
        time.sleep(0.02)
"""
"""A trainer that takes so many seconds to import and to load, and then waits for requests."""


FAILS = """
import sys
from pathlib import Path
from digitjax import runs
from digitjax.config import TrainConfig
run = Path(sys.argv[sys.argv.index("--out") + 1])
run.mkdir()
runs.write_config(run, TrainConfig())
sys.exit(f"digitjax: no room in {run}: make some, then add --resume")
"""


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
    return folder


def events_until(one: runner.Runner, wanted, seconds: float = 60.0) -> list:
    """Events until `wanted` is true of one of them."""
    found, end = [], time.monotonic() + seconds
    while not any(wanted(event) for event in found):
        assert time.monotonic() < end, found[-3:]
        found += one.poll()
        time.sleep(0.01)
    return found


def is_status(name: str):
    return lambda event: isinstance(event, RunSeen) and event.status == name


def test_a_trainer_that_dies_is_said_in_a_sentence_and_the_window_goes_on(checkpoints, tmp_path, monkeypatch):
    programs = {
        "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "refused": "import sys; print('digitjax: no room: make some', file=sys.stderr); sys.exit(1)",
        "diverged": "import sys; sys.exit('digitjax: the loss is nan: give a lower --optim.learning-rate')",
    }
    for name, program in programs.items():
        monkeypatch.setattr(trainer, "COMMAND", ("-c", program))
        one = runner.Runner(tmp_path / "user")
        one.do(Start(Recipe(preset=name)))
        seen = events_until(one, is_status("failed"))[-1]
        words = {"killed": "signal 9", "refused": "no room: make some", "diverged": "a lower learning rate"}
        assert words[name] in seen.text and "--" not in seen.text
        one.do(effects.Steer(str(checkpoints / "none"), "pause"))
        (notice,) = events_until(one, lambda event: isinstance(event, Notice))
        assert "Nobody trains" in notice.text
        one.close()


def test_why_a_training_ended_stays_known_to_every_window_until_it_goes_on(
    checkpoints, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "COMMAND", ("-c", FAILS))
    one, other = runner.Runner(tmp_path / "user"), runner.Runner(tmp_path / "user")
    one.do(Start(Recipe()))
    seen = events_until(one, is_status("failed"))[-1]
    assert seen.text == "no room in cnn-0: make some, then press Go on"
    other.do(Watch(seen.path))
    assert events_until(other, is_status("failed"))[-1] == seen
    one.do(Start(Recipe(preset="mlp")))
    events_until(one, lambda event: is_status("failed")(event) and event.name == "mlp-0")
    one.do(Watch(seen.path))
    assert events_until(one, is_status("failed"))[-1] == seen, "the log is another's now"
    other.do(Watch(seen.path))
    assert events_until(other, is_status("stopped"))[-1].text == ""
    for window in (one, other):
        window.close()
    run, log = checkpoints / "mlp-0", tmp_path / "user" / trainer.LOG
    assert trainer.last_words(run, log).startswith("no room in mlp-0")
    (run / runs.METRICS).write_text("")
    later = log.stat().st_mtime_ns + 1
    os.utime(run / runs.METRICS, ns=(later, later))
    assert trainer.last_words(run, log) == "", "it has gone on since"
    os.utime(run / runs.METRICS, ns=(0, 0))
    log.write_text(f"{run}\ndigitjax: stopped and saved at step 3 of 9\n")
    assert trainer.last_words(run, log) == "" == trainer.last_words(run, tmp_path / "none")


@pytest.mark.parametrize(("imports", "loads"), [(60, 0), (0, 60)])
def test_a_trainer_that_still_starts_is_stopped_and_leaves_nothing(
    imports, loads, checkpoints, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "COMMAND", ("-c", SLOW.format(imports=imports, loads=loads)))
    one = runner.Runner(tmp_path / "user")
    one.do(Start(Recipe()))
    path = Path(events_until(one, is_status("starting"))[-1].path)
    end = time.monotonic() + 30
    while one._trainers[path].doing == trainer.SILENT and time.monotonic() < end:
        time.sleep(0.01)  # Python itself, asked to end while it starts, ends with 1
    while loads and not claim.is_held(path) and time.monotonic() < end:
        time.sleep(0.01)
    one.do(Steer(str(path), "stop"))
    seen = events_until(one, is_status("failed"), 20)[-1]
    assert "before it had begun" in seen.text and not seen.total
    assert not path.exists() and one._trainers[path].process.returncode in trainer.SAVED
    one.close()


def test_what_a_trainer_does_while_it_starts_is_told_in_its_own_words(
    checkpoints, tmp_path, monkeypatch, request
):
    words = "WARNING: of a library", "preparing MNIST: 70,000 images", "Warning: of another"
    program = f"import time; time.sleep(0.5); print(*{words}, sep='\\n', flush=True); time.sleep(60)"
    monkeypatch.setattr(trainer, "COMMAND", ("-c", program))
    one = runner.Runner(tmp_path / "user")
    request.addfinalizer(one.end)
    one.do(Start(Recipe()))
    found = events_until(one, lambda event: isinstance(event, RunSeen) and "MNIST" in event.doing)
    told = [event.doing for event in found if isinstance(event, RunSeen)]
    assert told == [trainer.SILENT, "preparing MNIST: 70,000 images"]
    one.close()


def test_a_pause_waits_for_a_trainer_that_still_starts(checkpoints, tmp_path, monkeypatch, request):
    monkeypatch.setattr(trainer, "COMMAND", ("-c", SLOW.format(imports=0.5, loads=0.5)))
    one = runner.Runner(tmp_path / "user")
    request.addfinalizer(one.end)
    one.do(Start(Recipe()))
    path = events_until(one, is_status("starting"))[-1].path
    for name in ("pause", "resume", "pause"):
        one.do(Steer(path, name))
    events_until(one, is_status("paused"))
    one.do(Steer(path, "resume"))
    events_until(one, is_status("starting"))
    one.do(Steer(path, "stop"))
    events_until(one, is_status("stopped"))
    one.close()
    assert [change.name for change in steering.read_changes(Path(path))] == ["pause", "resume", "stop"]


def test_nothing_is_trained_on_drawings_that_are_not_there(checkpoints, tmp_path):
    one = runner.Runner(tmp_path / "user")
    one.do(Start(Recipe(data="my drawings")))
    (notice,) = events_until(one, lambda event: isinstance(event, Notice))
    assert "no drawings yet" in notice.text and not list(checkpoints.iterdir())
    one.close()


def test_a_run_that_was_started_is_the_one_that_is_to_answer(checkpoints, tmp_path, monkeypatch, request):
    monkeypatch.setattr(trainer, "COMMAND", ("-c", "import time; time.sleep(60)"))
    one = runner.Runner(tmp_path / "user")
    request.addfinalizer(one.end)
    state = update(scene("train-recipe"), Press("train:start"))
    one.do(state.effects[-1])
    for event in events_until(one, is_status("starting")):
        state = update(state, event)
    assert state.studio.answers == str(checkpoints / "cnn-0")
    one.close()


def test_what_is_said_of_a_run_is_not_of_the_one_that_was_looked_at_before(checkpoints, tmp_path):
    held, stopped, begun = (checkpoints / name for name in ("cnn-0", "cnn-1", "cnn-2"))
    for run in (held, stopped, begun):
        run.mkdir()
    for run in (held, stopped):
        runs.write_config(run, TINY)
    one = runner.Runner(tmp_path / "user")
    with claim.locked(held), claim.locked(begun):
        for run, status in ((held, "starting"), (stopped, "stopped"), (begun, "starting")):
            one.do(Watch(str(run)))
            (seen, *_) = events_until(one, lambda event, of=str(run): getattr(event, "path", "") == of)
            assert (seen.path, seen.status) == (str(run), status)
    one.close()


def test_the_network_that_comes_along_has_finished():
    seen = watching.RunWatch(REPO / "checkpoints" / "default").look(False)
    assert seen.status == "finished" and not seen.lives


def test_runs_are_copied_and_put_into_the_bin_and_never_lost(checkpoints, tmp_path):
    run = checkpoints / "cnn-0"
    run.mkdir()
    runs.write_config(run, TINY)
    one = runner.Runner(tmp_path / "user")
    (checkpoints / ".cnn-0-copy.part" / "0").mkdir(parents=True)  # of a window that was killed
    for _ in range(2):
        one.do(effects.CopyRun(str(run)))
        events_until(one, lambda event: isinstance(event, RunsChanged))
    assert {p.name for p in runs.list_runs(checkpoints)} == {"cnn-0", "cnn-0-copy", "cnn-0-copy-2"}
    with claim.locked(run):
        one.do(effects.BinRun(str(run)))
        assert "being trained" in events_until(one, lambda event: True)[0].text
    for place, words in ((tmp_path, "no run of yours"), (checkpoints / "none", "not there any more")):
        one.do(effects.BinRun(str(place)))
        assert words in events_until(one, lambda event: True)[0].text
    one.do(effects.BinRun(str(run)))
    events_until(one, lambda event: isinstance(event, RunsChanged))
    assert not run.exists() and runs.read_config(checkpoints / runner.BIN / "cnn-0") == TINY
    run.mkdir()
    runs.write_config(run, TINY)
    one.do(effects.BinRun(str(run), quiet=True))
    said = events_until(one, lambda event: isinstance(event, BinListed))
    assert not run.exists() and not any(isinstance(event, Notice) for event in said)
    one.close()


def bin_after(one: runner.Runner, effect: effects.Effect) -> list[str]:
    """The names in the bin after an effect, which changes the list of runs."""
    one.do(effect)
    found = events_until(one, lambda event: isinstance(event, BinListed))
    assert RunsChanged() in found
    return [Path(path).name for event in found if isinstance(event, BinListed) for path in event.paths]


def test_a_run_is_put_back_out_of_the_bin_under_a_free_name(checkpoints, tmp_path):
    one, run = runner.Runner(tmp_path / "user"), checkpoints / "cnn-0"
    for names in (["cnn-0"], ["cnn-0-2", "cnn-0"]):  # the last first
        run.mkdir()
        runs.write_config(run, TINY)
        assert bin_after(one, effects.BinRun(str(run))) == names
    run.mkdir()
    runs.write_config(run, TINY)
    binned = checkpoints / runner.BIN
    assert bin_after(one, effects.PutBack(str(binned / "cnn-0"))) == ["cnn-0-2"]
    assert bin_after(one, effects.PutBack(str(binned / "cnn-0-2"))) == []
    assert {path.name for path in runs.list_runs(checkpoints)} == {"cnn-0", "cnn-0-2", "cnn-0-2-2"}
    one.do(effects.PutBack(str(run)))
    assert "no run in the bin" in events_until(one, lambda event: True)[0].text
    one.close()


def test_the_network_that_comes_along_can_be_copied(checkpoints, tmp_path):
    one = runner.Runner(tmp_path / "user")
    one.do(effects.CopyRun(str(REPO / "checkpoints" / "default")))
    events_until(one, lambda event: isinstance(event, RunsChanged))
    one.close()
    assert runs.best_step(checkpoints / "default-copy").is_dir()


def test_the_list_of_runs_is_read_anew_when_a_manifest_comes(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "LOCK_LOOK_SECONDS", 0.05)
    run = checkpoints / "cnn-0"
    step = run / runs.HISTORY / "8"
    step.mkdir(parents=True)
    runs.write_config(run, TINY)
    one = runner.Runner(tmp_path / "user")
    one.do(effects.FollowRuns(True))
    time.sleep(0.5)
    assert one.poll() == [], "a step without a manifest is none"
    (step / manifest.NAME).write_text("{}")
    assert events_until(one, lambda event: True) == [RunsChanged()]
    run.rename(checkpoints / "cnn-1")
    assert events_until(one, lambda event: True) == [RunsChanged()]
    one.do(effects.FollowRuns(False))
    time.sleep(0.3)
    (checkpoints / "cnn-1").rename(run)
    time.sleep(0.3)
    one.close()
    assert one.poll() == []


@pytest.mark.slow
def test_a_training_is_started_steered_paused_stopped_and_gone_on_with(checkpoints, tmp_path, request):
    """The ordinary trainer, on the smallest network; killed at the end, it leaves the window whole."""
    recipe = Recipe("mlp-8x8", "mlp", (32, 48, 96), (16,), "relu", "uci8", "the preset's", 100, 0.006)
    one = runner.Runner(tmp_path / "user")
    request.addfinalizer(one.end)
    one.do(Start(recipe))
    seen = events_until(one, is_status("training"), 180)[-1]
    pid = one._trainers[Path(seen.path)].process.pid
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(own + trainer.NICE, 19)
    one.do(Steer(seen.path, "learning_rate", 0.001))
    events_until(one, lambda event: isinstance(event, RunSeen) and event.learning_rate == 0.001)
    one.do(Steer(seen.path, "pause"))
    paused = events_until(one, is_status("paused"))[-1]
    time.sleep(1.0)
    assert all(event.step == paused.step for event in one.poll() if isinstance(event, RunSeen))
    one.do(Steer(seen.path, "resume"))
    events_until(one, lambda event: isinstance(event, HardListed), 180)
    one.do(Steer(seen.path, "stop"))
    stopped = events_until(one, is_status("stopped"))[-1]
    assert stopped.text == "" and runs.full_steps(Path(seen.path))
    one.do(Start(recipe, "", seen.path))
    again = events_until(one, lambda e: is_status("training")(e) and e.step > stopped.step, 180)[-1]
    one.close()
    other = runner.Runner(tmp_path / "user")  # a program that was started anew finds what is being trained
    other.do(Watch(""))
    assert events_until(other, is_status("training"))[-1].path == again.path
    process = one._trainers[Path(seen.path)].process
    process.send_signal(signal.SIGKILL)
    process.wait()
    events_until(other, is_status("stopped"))
    other.close()


def test_a_trainer_whose_log_had_no_room_is_said_to_have_filled_the_disk(tmp_path, monkeypatch):
    log = tmp_path / trainer.LOG
    log.write_text("")
    assert "exit code 1" in trainer._ended(1, tmp_path, log)
    monkeypatch.setattr(trainer.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 0}))
    assert "disk is full: make room" in trainer._ended(1, tmp_path, log)
    log.write_text("digitjax: the loss is nan at step 3: train anew\n")
    assert trainer._ended(1, tmp_path, log).startswith("the loss is nan")


def test_a_training_that_begins_with_a_run_has_its_network(tmp_path):
    model = ModelConfig(stem="fine", norm="layer", average=True, channels=(2, 3), border=False, rejects=True)
    runs.write_config(tmp_path, TrainConfig(model=model))
    words = ["cnn", "--model.channels", "9", "9", "--seed", "4", "--model.rejects"]
    command = runner._same_network(words, tmp_path)
    assert command[:3] == ["cnn", "--seed", "4"]
    assert config_of(command).model == model
