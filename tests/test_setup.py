"""`make setup`: which interpreter is taken, what a second call does, and what a broken one leaves behind."""

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from digitjax import accelerators

REPO = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name == "nt", reason="the fake interpreters are shell scripts")

spec = importlib.util.spec_from_file_location("digitjax_setup", REPO / ".setup" / "setup.py")
assert spec and spec.loader
setup = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup)

FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
  "-c "*) echo '{probe}' ;;
  "-m venv") {venv}; mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; touch "$3/pyvenv.cfg" ;;
  "-m pip") echo "$@" >> "{log}"; [ ! -e "{log}.fail" ] ;;
  *) exec "{real}" "$@" ;;
esac
"""


def fake_python(path: Path, version: str, probe: dict[str, object] | None = None, venv: str = "true") -> Path:
    """A script that answers like an interpreter of some version and notes what pip was asked for."""
    log = path.parent / "pip.log"
    answer = {
        "version": [int(part) for part in version.split(".")],
        "executable": str(path),
        "implementation": "CPython",
        "bits": 64,
        "machine": "Linux x86_64",
        "free_threaded": False,
        **(probe or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return script(path, FAKE_PYTHON.format(probe=json.dumps(answer), venv=venv, log=log, real=sys.executable))


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh clone's packaging files, and a PATH with one fake Python 3.12 and no accelerator."""
    fake_python(tmp_path / "bin" / "python3", "3.12.1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin") + os.pathsep + "/usr/bin" + os.pathsep + "/bin")
    monkeypatch.setattr(
        setup.interpreters, "candidates", lambda path, home: [(str(tmp_path / "bin" / "python3"),)]
    )
    monkeypatch.setattr(setup.accelerators, "detect", lambda environment: "cpu")
    repo = tmp_path / "clone"
    shutil.copytree(REPO / ".constraints", repo / ".constraints")
    shutil.copy(REPO / "pyproject.toml", repo)
    return repo


def pip_calls(clone: Path) -> list[str]:
    log = clone.parent / "bin" / "pip.log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


# The choice of an interpreter


@posix
def test_candidates_are_run_before_they_are_believed_and_the_newest_that_works_comes_first(
    tmp_path: Path,
) -> None:
    shims, system = tmp_path / "shims", tmp_path / "system"
    script(shims / "python3.14", "#!/bin/sh\necho 'pyenv: python3.14: command not found' >&2\nexit 127\n")
    script(shims / "python3.13", "#!/bin/sh\nexit 0\n")
    script(shims / "python3.12", "no program at all")
    fake_python(system / "python3.11", "3.11.7")
    newest = fake_python(tmp_path / "home" / ".pyenv" / "versions" / "3.13.0" / "bin" / "python3", "3.13.0")
    fake_python(system / "python3", "3.12.4")

    path = os.pathsep.join([str(shims), str(system), str(tmp_path / "absent")])
    commands = setup.interpreters.candidates(path, tmp_path / "home", windows=False)
    works, refused = setup.interpreters.usable([c for c in commands if c[0].startswith(str(tmp_path))])

    assert [i.version for i in works] == [(3, 13, 0), (3, 12, 4), (3, 11, 7)]
    assert works[0].executable == str(newest)
    assert [r.split(":")[0] for r in refused] == [str(shims / f"python3.{minor}") for minor in (14, 13, 12)]
    assert "command not found" in refused[0]


@posix
@pytest.mark.parametrize(
    ("version", "probe", "reason"),
    [
        ("3.10.13", {}, "too old"),
        ("3.15.0", {}, "newer than the pinned packages"),
        ("3.12.0", {"implementation": "PyPy"}, "PyPy"),
        ("3.12.0", {"bits": 32}, "32 bits"),
        ("3.13.0", {"free_threaded": True}, "free-threaded"),
        ("3.13.0", {"machine": "Darwin x86_64"}, "no build for Darwin x86_64"),
    ],
)
def test_an_interpreter_without_wheels_is_refused(
    tmp_path: Path, version: str, probe: dict[str, object], reason: str
) -> None:
    answer = setup.interpreters.probe((str(fake_python(tmp_path / "python3", version, probe)),))
    assert isinstance(answer, str) and reason in answer


def test_the_interpreter_that_runs_these_tests_is_accepted() -> None:
    answer = setup.interpreters.probe((sys.executable,))
    assert answer.version == sys.version_info[:3]


@posix
def test_an_interpreter_that_lacks_a_module_is_refused_by_its_name(tmp_path: Path) -> None:
    broken = script(
        tmp_path / "python3",
        "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'ensurepip'\" >&2\nexit 1\n",
    )
    assert "ensurepip, which Debian packs as python3-venv" in setup.interpreters.probe((str(broken),))


@posix
def test_the_next_interpreter_is_taken_when_the_newest_cannot_make_an_environment(tmp_path: Path) -> None:
    bad = fake_python(tmp_path / "bad" / "python3.13", "3.13.0", venv="echo no ensurepip >&2; exit 1")
    good = fake_python(tmp_path / "good" / "python3.12", "3.12.0")
    works, _ = setup.interpreters.usable([(str(bad),), (str(good),)])
    assert setup.make_venv(tmp_path / ".venv", works).executable == str(good)
    with pytest.raises(setup.SetupError, match="no ensurepip"):
        setup.make_venv(tmp_path / ".venv2", works[:1])


@posix
@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
@pytest.mark.parametrize(
    ("python", "says"),
    [
        ("/no/such/python", "it does not start"),
        ("/bin/ls", "it is no Python"),
        ("/bin/echo", "it is no Python"),
        ("/bin/cat", "it does not run"),
        ("{old}", "too old"),
    ],
)
def test_a_bad_python_named_to_make_gets_one_sentence_and_leaves_nothing(
    tmp_path: Path, python: str, says: str
) -> None:
    for name in (".setup", ".constraints"):
        shutil.copytree(REPO / name, tmp_path / name)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPO / name, tmp_path)
    python = python.format(old=fake_python(tmp_path / "old" / "python3", "3.9.2"))
    done = subprocess.run(
        ["make", "setup", f"PYTHON={python}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={
            "HOME": str(tmp_path),
            "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
        },
    )
    sentences = [line for line in done.stderr.splitlines() if line.startswith("setup: ")]
    assert done.returncode != 0
    assert len(sentences) == 1 and python in sentences[0] and says in sentences[0]
    assert "Traceback" not in done.stderr and "import" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith("make")]) == 1
    assert not (tmp_path / ".venv").exists()


# What a call does


@posix
def test_the_second_call_installs_nothing(clone: Path) -> None:
    setup.set_up(clone, "", "")
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 1
    assert "-c" in pip_calls(clone)[0] and pip_calls(clone)[0].endswith("-e .[dev]")
    assert str(Path(".constraints/python3.12.txt")) in pip_calls(clone)[0]


@posix
@pytest.mark.parametrize("given", ["", "1"])
def test_where_a_start_may_keep_no_bytecode_the_set_up_keeps_it(clone: Path, monkeypatch, given: str) -> None:
    """`python -c` of the environment's interpreter, which may then write: as the import says, and once."""
    asked: list[tuple[list[str], str | None]] = []
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", given)
    monkeypatch.setattr(setup.sys, "dont_write_bytecode", bool(given))
    real = setup.subprocess.run

    def note(command: list[str], **options: Any) -> Any:
        if command[1] == "-c" and command[2].startswith("import beartype"):
            asked.append((command, options["env"].get("PYTHONDONTWRITEBYTECODE")))
        return real(command, **options)

    monkeypatch.setattr(setup.subprocess, "run", note)
    setup.set_up(clone, "", "")
    setup.set_up(clone, "", "")
    assert [(Path(command[0]), may_not) for command, may_not in asked] == (
        [(clone / ".venv" / "bin" / "python", None)] if given else []
    )


def test_all_that_the_set_up_imports_beforehand_is_there() -> None:
    for name in setup.STARTED.split(", "):
        assert importlib.util.find_spec(name) or (os.name, name) == ("nt", "grain"), name


@posix
def test_linter_settings_install_nothing_but_a_dependency_and_a_pin_do(clone: Path) -> None:
    setup.set_up(clone, "", "")
    project = clone / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("line-length = 110", "line-length = 99"))
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 1
    project.write_text(project.read_text(encoding="utf-8").replace('"rich>=14', '"rich>=15'))
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 2
    with (clone / ".constraints" / "python3.12.txt").open("a") as pins:
        pins.write("another==1\n")
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 3


@posix
def test_what_an_interrupted_set_up_left_is_made_anew(clone: Path) -> None:
    log = clone.parent / "bin" / "pip.log"
    Path(f"{log}.fail").touch()
    with pytest.raises(setup.SetupError, match="pip could not install"):
        setup.set_up(clone, "", "")
    (clone / ".venv" / "half").touch()
    Path(f"{log}.fail").unlink()
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 2
    assert not (clone / ".venv" / "half").exists()
    (clone / ".venv" / "bin" / "python").unlink()  # such as after the interpreter was uninstalled
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 3


@posix
def test_a_clone_that_was_moved_is_set_up_again(clone: Path) -> None:
    setup.set_up(clone, "", "")
    moved = clone.rename(clone.with_name("moved"))
    setup.set_up(moved, "", "")
    assert len(pip_calls(clone)) == 2


@posix
def test_a_choice_of_interpreter_holds_until_another_is_made(clone: Path) -> None:
    old = fake_python(clone.parent / "bin" / "python3.11", "3.11.7")
    for asked in (str(old), "", str(old)):
        setup.set_up(clone, asked, "")
        assert setup.read_stamp(clone / ".venv")["python"] == str(old)
    assert len(pip_calls(clone)) == 1
    assert "python3.11.txt" in pip_calls(clone)[0]
    setup.set_up(clone, str(clone.parent / "bin" / "python3"), "")
    assert len(pip_calls(clone)) == 2
    assert "python3.12.txt" in pip_calls(clone)[1]


@posix
def test_an_environment_that_somebody_else_made_is_kept_and_a_folder_that_is_none_refused(
    clone: Path,
) -> None:
    subprocess.run([str(clone.parent / "bin" / "python3"), "-m", "venv", str(clone / ".venv")], check=True)
    (clone / ".venv" / "theirs").touch()
    setup.set_up(clone, "", "")
    assert (clone / ".venv" / "theirs").exists()
    shutil.rmtree(clone / ".venv")
    (clone / ".venv").mkdir()
    (clone / ".venv" / "thesis.txt").touch()
    with pytest.raises(setup.SetupError, match="move it away"):
        setup.set_up(clone, "", "")
    assert (clone / ".venv" / "thesis.txt").exists()


# Accelerators


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="jax has such builds for Linux alone")
def test_an_accelerator_adds_its_extra_and_a_choice_holds(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.set_up(clone, "", "cpu")
    monkeypatch.setattr(setup.accelerators, "detect", lambda environment: "cuda")
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 1
    setup.set_up(clone, "", "cuda")
    assert pip_calls(clone)[1].endswith("-e .[dev,cuda]")
    setup.set_up(clone, "", "cpu")
    setup.set_up(clone, "", "")
    assert len(pip_calls(clone)) == 2
    shutil.rmtree(clone / ".venv")
    setup.set_up(clone, "", "")
    assert pip_calls(clone)[2].endswith("-e .[dev,cuda]")
    with pytest.raises(setup.SetupError, match="ACCEL=gpu is unknown: give cpu, cuda, tpu"):
        setup.set_up(clone, "", "gpu")


@posix
@pytest.mark.parametrize(
    ("smi", "found"),
    [("echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)'", "cuda"), ("echo failed; exit 9", "cpu"), ("true", "cpu")],
)
def test_a_gpu_counts_when_nvidia_smi_runs_and_lists_one(tmp_path: Path, smi: str, found: str) -> None:
    script(tmp_path / "nvidia-smi", f"#!/bin/sh\n{smi}\n")
    nothing = tmp_path / "nothing"
    detected = setup.accelerators.detect({"PATH": str(tmp_path)}, dev=nothing, pci=nothing, system="Linux")
    assert detected == found
    assert setup.accelerators.detect({"PATH": str(tmp_path)}, nothing, nothing, system="Darwin") == "cpu"


@pytest.mark.parametrize(
    ("device", "vendor", "kind", "found"),
    [
        ("accel0", "0x1ae0", "0xff0000", "tpu"),
        ("vfio/0", "0x1ae0", "0x120000", "tpu"),
        ("vfio/vfio", "0x1ae0", "0xff0000", "cpu"),  # the control file that every such kernel has
        ("vfio/0", "0x1ae0", "0x020000", "cpu"),  # Google's virtual network card
        ("accel/accel0", "0x8086", "0x120000", "cpu"),  # a laptop's neural processor
        ("accel0", "0x8086", "0x120000", "cpu"),
    ],
)
def test_a_tpu_is_a_device_file_and_a_card_of_googles(
    tmp_path: Path, device: str, vendor: str, kind: str, found: str
) -> None:
    (tmp_path / "dev" / device).parent.mkdir(parents=True)
    (tmp_path / "dev" / device).touch()
    card = tmp_path / "pci" / "0000:00:05.0"
    card.mkdir(parents=True)
    (card / "vendor").write_text(vendor + "\n")
    (card / "class").write_text(kind + "\n")
    places = {"dev": tmp_path / "dev", "pci": tmp_path / "pci", "system": "Linux"}
    assert setup.accelerators.detect({"PATH": ""}, **places) == found
    assert accelerators.has_tpu(tmp_path / "dev", tmp_path / "pci") == (found == "tpu")
    assert setup.accelerators.detect({"PATH": "", "TPU_NAME": "local"}, **places) == "tpu"


def test_a_second_set_up_waits_on_windows_too_longer_than_its_lock_does(tmp_path, monkeypatch, capsys):
    tries = []

    def locking(descriptor: int, mode: str, size: int) -> None:
        tries.append((mode, size))
        if len(tries) < 4:
            raise OSError(errno.EDEADLK if mode == "LK_LOCK" else errno.EACCES, "Resource deadlock avoided")

    windows = types.SimpleNamespace(LK_LOCK="LK_LOCK", LK_NBLCK="LK_NBLCK", locking=locking)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setattr(setup, "os", types.SimpleNamespace(name="nt"))
    monkeypatch.setattr(setup, "time", types.SimpleNamespace(sleep=lambda seconds: None))
    with setup.only_one(tmp_path):
        assert len(tries) == 4
    assert capsys.readouterr().err.count("another set-up is at work: waiting for it") == 1
