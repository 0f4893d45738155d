"""Which folder a run gets, and that nobody else writes there."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from digitjax import claim, manifest, runs
from digitjax.config import TrainConfig
from digitjax.errors import InputError

CONFIG = TrainConfig(seed=4)
OTHER = TrainConfig(seed=4, epochs=3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    return tmp_path


def new_run(*args, **options):
    """The folder that a run would get."""
    with claim.new_run(*args, **options) as run:
        return run


def begin(run, config=CONFIG, *, finished=False):
    run.mkdir(parents=True, exist_ok=True)
    runs.write_config(run, config)
    if finished:
        manifest.write_json(run / runs.SUMMARY, {})
    return run


def test_the_first_run_is_named_by_preset_and_seed(folder):
    assert new_run(CONFIG) == folder / "cnn-4"
    assert new_run(CONFIG) == folder / "cnn-4", "an empty folder is free"


def test_an_unfinished_run_of_the_same_configuration_names_resume(folder):
    begin(folder / "cnn-4")
    with pytest.raises(InputError, match="--resume"):
        new_run(CONFIG)
    with pytest.raises(InputError, match="--resume"):
        new_run(CONFIG, folder / "cnn-4", anew=True)
    assert new_run(CONFIG, anew=True) == folder / "cnn-4-2"


def test_finished_and_different_runs_are_left_alone(folder):
    begin(folder / "cnn-4", finished=True)
    begin(folder / "cnn-4-2", OTHER)
    assert new_run(CONFIG) == folder / "cnn-4-3"
    with pytest.raises(InputError, match="finished"):
        new_run(CONFIG, folder / "cnn-4")
    with pytest.raises(InputError, match="another configuration"):
        new_run(CONFIG, folder / "cnn-4-2")
    (folder / "photos").mkdir()
    (folder / "photos" / "cat.png").write_text("")
    with pytest.raises(InputError, match="something else"):
        new_run(CONFIG, folder / "photos")
    assert new_run(CONFIG, folder / "a" / "b") == folder / "a" / "b"


def test_a_folder_that_cannot_be_written_is_one_sentence(folder):
    (folder / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written.*--out"):
        new_run(CONFIG, folder / "file" / "run")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
def test_a_folder_that_can_never_be_made_is_given_up():
    with pytest.raises(InputError, match="cannot be written"):
        new_run(CONFIG, Path("/proc/x"))


@pytest.mark.parametrize("name", ["latest", "newest", "history"])
def test_a_name_that_means_something_else_is_no_run_s(folder, name):
    with pytest.raises(InputError, match=f"{name} cannot be a run's folder"):
        new_run(CONFIG, folder / name)
    assert list(folder.iterdir()) == []


def test_a_claim_that_was_not_used_leaves_nothing(folder):
    with claim.new_run(CONFIG) as run:
        assert run.is_dir()
    assert list(folder.iterdir()) == []
    with pytest.raises(ZeroDivisionError), claim.new_run(CONFIG) as run:
        raise ZeroDivisionError
    assert list(folder.iterdir()) == []
    with claim.new_run(CONFIG) as run:
        begin(run)
    assert runs.is_run(run)


def interrupted_at(number: int, done) -> bool:
    """Does something, interrupted at the n-th line of `claim` that it comes to; False where it has fewer."""
    left = number

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename != claim.__file__:
            return None
        left -= event == "line"
        if left < 0:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        done()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("out", [None, "given", "deep/given"])
def test_who_is_interrupted_while_he_takes_a_folder_leaves_nothing(folder, out):
    def take():
        with claim.new_run(CONFIG, folder / out if out else None):
            sys.settrace(None)

    lines = 0
    while interrupted_at(lines, take):
        assert list(folder.iterdir()) == [], lines
        lines += 1
    assert lines > 20


def test_what_a_killed_process_had_begun_to_write_is_nobody_s(folder):
    for name in ("cnn-4", "given"):
        (folder / name).mkdir()
        (folder / name / claim.LOCK).touch()
        (folder / name / f".{7:032x}.part").write_text("half of a conf")
    with claim.new_run(CONFIG) as run, claim.new_run(CONFIG, folder / "given") as given:
        assert (run, given) == (folder / "cnn-4", folder / "given")
        assert [path.name for one in (run, given) for path in one.iterdir()] == [claim.LOCK] * 2
    assert list(folder.iterdir()) == []
    (folder / "given").mkdir()
    (folder / "given" / ".mine.part").touch()
    with pytest.raises(InputError, match="something else"), claim.new_run(CONFIG, folder / "given"):
        pass


def test_the_folders_above_an_unused_claim_go_too_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path / "deep" / "checkpoints"))
    new_run(CONFIG)
    new_run(CONFIG, tmp_path / "zz" / "yy" / "xx")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    new_run(CONFIG, tmp_path / "mine" / "yy" / "xx")
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    with claim.new_run(CONFIG) as first:
        with claim.new_run(CONFIG, first.parent / "other"):
            pass
        begin(first)
    assert runs.is_run(first) and [path.name for path in first.parent.iterdir()] == ["cnn-4"]
    with pytest.raises(InputError, match="cannot be written"):
        new_run(CONFIG, tmp_path / "zz" / ("long" * 100))
    assert not (tmp_path / "zz").exists()


def test_a_folder_that_is_held_is_not_given_again(folder):
    with claim.new_run(CONFIG) as first, claim.new_run(CONFIG) as second, claim.new_run(CONFIG) as third:
        assert [run.name for run in (first, second, third)] == ["cnn-4", "cnn-4-2", "cnn-4-3"]
    with claim.new_run(CONFIG, folder / "a"), pytest.raises(InputError, match="another process"):
        new_run(CONFIG, folder / "a")
    assert list(folder.iterdir()) == []


STARTS = """
import sys, time
from pathlib import Path
from digitjax import claim, runs
from digitjax.config import TrainConfig
got = []
for round in range(60):
    print("ready", flush=True)
    sys.stdin.readline()
    with claim.new_run(TrainConfig(seed=round)) as run:
        if sys.argv[1] == "begins":
            runs.write_config(run, TrainConfig(seed=round))
        print(run.name, flush=True)
        sys.stdin.readline()
"""


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _go_on(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")


@pytest.mark.ci
@pytest.mark.parametrize("what", ["begins", "leaves"])
def test_two_that_start_in_the_same_instant_get_a_folder_each(folder, what):
    command = [sys.executable, "-c", STARTS, what]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for round in range(60):
        assert {_line(process) for process in processes} == {"ready"}
        _go_on(processes)
        assert {_line(process) for process in processes} == {f"cnn-{round}", f"cnn-{round}-2"}
        _go_on(processes)
    assert [process.wait() for process in processes] == [0, 0]
    for process in processes:
        process.communicate()
    assert len(list(folder.iterdir())) == (120 if what == "begins" else 0)


def test_resume_takes_the_last_that_was_stopped(folder):
    with pytest.raises(InputError, match="nothing to resume"):
        claim.run_to_resume("cnn", 4)
    begin(folder / "cnn-4", finished=True)
    with pytest.raises(InputError, match="has finished"):
        claim.run_to_resume("cnn", 4)
    with pytest.raises(InputError, match="has finished"):
        claim.run_to_resume("cnn", 4, folder / "cnn-4")
    begin(folder / "cnn-4-2")
    begin(folder / "cnn-4-10")
    begin(folder / "cnn-4-3", finished=True)
    begin(folder / "cnn-42")  # another seed's
    assert claim.run_to_resume("cnn", 4) == folder / "cnn-4-10"
    assert claim.run_to_resume("cnn", 4, folder / "cnn-4-2") == folder / "cnn-4-2"
    with pytest.raises(InputError, match="no training run"):
        claim.run_to_resume("cnn", 4, folder / "nothing")
    with pytest.raises(InputError, match=r"--out .*/cnn-O is no training run: did you mean cnn-\d"):
        claim.run_to_resume("cnn", 4, folder / "cnn-O")


def test_another_seed_s_run_is_no_second_run_of_this_one(folder):
    begin(folder / "cnn-42")
    with pytest.raises(InputError, match="nothing to resume"):
        claim.run_to_resume("cnn", 4)
    begin(folder / "cnn-4")
    assert claim.run_to_resume("cnn", 4) == folder / "cnn-4"
    assert claim.run_to_resume("cnn", 42) == folder / "cnn-42"


def test_a_second_trainer_is_refused_until_the_first_is_gone_even_by_kill(folder):
    run = begin(folder / "cnn-4")
    hold = (
        "import sys, time; from pathlib import Path; from digitjax import claim\n"
        "with claim.locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(run)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline().strip() == b"held"
        with pytest.raises(InputError, match="another process"), claim.locked(run):
            pass
        assert new_run(CONFIG) == folder / "cnn-4-2", "not the run that the other is training"
        other.kill()
        other.wait()
    with claim.locked(run):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="flock is not Windows'")
def test_a_disk_without_locks_is_said_to_have_none(folder, monkeypatch):
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InputError, match=r"cannot be locked \(Function not implemented\)"), new_run(CONFIG):
        pass
