"""Makes .venv and installs digitjax into it, pinned: what `make setup` runs.

    python3 .setup/setup.py                     set up; does nothing where all is in place
    python3 .setup/setup.py --python PYTHON     with this interpreter, not the newest that works
    python3 .setup/setup.py --accel cuda        for cpu, cuda or tpu, not for what is found
    python3 .setup/setup.py --constraints       resolve the pins in .constraints/ anew

Any Python from 3.8 can run it, on Linux, macOS and Windows, with nothing but the standard library: it looks
for the interpreter that .venv is made with. A choice by --python holds until another is made. So does one by
--accel for what is installed, but a build once there stays: `make ACCEL=cpu` uses the CPU that once alone.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also where PYTHONSAFEPATH leaves it out

import accelerators
import interpreters
from interpreters import Interpreter
from programs import SetupError, clean_environment, run, say

REPO = Path(__file__).resolve().parents[1]
UNFINISHED, STAMP, LOG = "digitjax-unfinished", "digitjax-setup.json", "digitjax-setup.log"
SILENCE_SECONDS = 10.0
"""What pip says is told this often at most where there is no terminal to show it on."""
STARTED = (
    "beartype, flax.linen, hypothesis, jax, matplotlib.pyplot, optax, orbax.checkpoint, pygame, pytest, "
    "rich.console, scipy.ndimage, sklearn.datasets, tensorflow_datasets, tyro, grain"
)
"""What most of the time of a start goes into; last what Windows has not."""


def set_up(repo: Path, asked_python: str, asked_accel: str) -> None:
    """Brings .venv to what pyproject.toml and the pins say; mostly there is nothing to do."""
    asked = interpreters.asked_for(asked_python) if asked_python else None
    if is_current(repo, asked, asked_accel):
        return
    with only_one(repo):
        if is_current(repo, asked, asked_accel):
            return
        began = time.monotonic()
        venv = repo / ".venv"
        stamp = read_stamp(venv)
        wanted = wanted_stamp(repo, stamp, asked_accel)
        interpreter = kept_interpreter(venv, stamp, asked, repo)
        if interpreter is None:
            interpreter = make_venv(venv, [asked] if asked else interpreters.best())
        elif stamp:
            (venv / UNFINISHED).touch()
        say(f"{interpreter} in .venv, for {wanted['asked_accel'] or ', '.join(wanted['extras']) or 'cpu'}")
        install(repo, venv, interpreter, ["dev", *wanted["extras"]])
        if sys.dont_write_bytecode:
            keep_bytecode(venv)
        write_stamp(venv, {**wanted, "python": os.path.realpath(interpreter.executable)})
        say(f"done in {time.monotonic() - began:.0f} s")


def is_current(repo: Path, asked: Interpreter | None, asked_accel: str) -> bool:
    """Whether all is in place. Notes a choice of accelerator that needs nothing more to be installed."""
    venv = repo / ".venv"
    stamp = read_stamp(venv)
    if not stamp or not venv_python(venv).exists():
        return False
    if asked and os.path.realpath(asked.executable) != stamp["python"]:
        return False
    wanted = {**wanted_stamp(repo, stamp, asked_accel), "python": stamp["python"]}
    if {**wanted, "asked_accel": ""} != {**stamp, "asked_accel": ""}:
        return False
    if wanted != stamp:
        write_stamp(venv, wanted)
    return True


def wanted_stamp(repo: Path, stamp: dict, asked_accel: str) -> dict:
    """What the stamp of a finished set-up has to say. An extra once installed stays."""
    accel = accelerators.chosen(asked_accel, stamp)
    return {
        "requirements": requirements_hash(repo),
        "repo": str(repo),
        "extras": sorted({*stamp.get("extras", []), accel} - {"cpu"}),
        "asked_accel": asked_accel or stamp.get("asked_accel", ""),
    }


def requirements_hash(repo: Path) -> str:
    """Of all that decides what is installed: packaging sections and pins, not the linters' settings."""
    sections = re.split(r"(?m)^(?=\[)", (repo / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [s for s in sections if s.startswith(("[build-system", "[project", "[tool.hatch"))]
    parts += [pins.read_text(encoding="utf-8") for pins in sorted((repo / ".constraints").glob("*.txt"))]
    return hashlib.sha256("".join(parts).encode("utf-8")).hexdigest()


def read_stamp(venv: Path) -> dict:
    """What the last finished set-up wrote; empty where there was none."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
        return {} if (venv / UNFINISHED).exists() else {**stamp, "python": stamp["python"]}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def write_stamp(venv: Path, stamp: dict) -> None:
    """Records a finished set-up."""
    (venv / STAMP).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    with contextlib.suppress(FileNotFoundError):
        (venv / UNFINISHED).unlink()


def kept_interpreter(venv: Path, stamp: dict, asked: Interpreter | None, repo: Path) -> Interpreter | None:
    """The interpreter of an environment that can be kept; None where one has to be made."""
    if not venv.exists() or (venv / UNFINISHED).exists():
        return None
    if not (venv / "pyvenv.cfg").exists():
        if any(venv.iterdir()):
            raise SetupError(f"{venv} is no Python environment: move it away")
        return None
    answer = interpreters.probe((str(venv_python(venv)),))
    if isinstance(answer, str) or (stamp and stamp.get("repo") != str(repo)):
        return None
    if asked and os.path.realpath(asked.executable) != os.path.realpath(answer.executable):
        return None
    return answer


def make_venv(venv: Path, choices: list[Interpreter]) -> Interpreter:
    """Makes an empty environment with the first interpreter that manages to."""
    failures = []
    for interpreter in choices:
        if venv.exists():
            shutil.rmtree(venv)
        venv.mkdir()
        (venv / UNFINISHED).touch()
        done = run(interpreter.executable, "-m", "venv", str(venv))
        if done.returncode == 0:
            return interpreter
        said = (done.stdout + done.stderr).strip().splitlines() or [f"exit code {done.returncode}"]
        failures.append(f"{interpreter} cannot make an environment ({said[-1].strip()})")
    raise SetupError(f"{'; '.join(failures)}: name another with PYTHON=/path/to/python3")


def venv_python(venv: Path) -> Path:
    """The interpreter inside an environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def constraints_file(repo: Path, version: tuple[int, ...]) -> Path:
    """The pins for a Python version: jax 0.10 is the last for 3.11."""
    return repo / ".constraints" / ("python3.11.txt" if version[:2] == (3, 11) else "python3.12.txt")


def install(repo: Path, venv: Path, interpreter: Interpreter, extras: list[str]) -> None:
    """Runs pip: its progress is one line of a terminal, elsewhere a line now and then; a log keeps all."""
    pins = constraints_file(repo, interpreter.version)
    say(f"installing what {pins.relative_to(repo).as_posix()} pins; the first time takes a minute or more")
    command = [str(venv_python(venv)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    # Most of the files are never imported: the first import compiles what it needs, in a third of the time.
    command += ["--no-compile", "--progress-bar", "off", "-c", str(pins), "-e", f".[{','.join(extras)}]"]
    tail: list[str] = []
    terminal, heard = sys.stderr.isatty(), time.monotonic()
    width = max(shutil.get_terminal_size().columns - 1, 20)
    with open(venv / LOG, "w", encoding="utf-8") as log, subprocess.Popen(
        command,
        cwd=repo,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        for line in pip.stdout or ():
            log.write(line)
            tail = [*tail[-14:], line.rstrip()]
            if terminal:
                told = textwrap.shorten(line, width, placeholder=" ...")
                print("\r" + told.ljust(width), end="", file=sys.stderr, flush=True)
            elif _is_progress(line) and time.monotonic() - heard > SILENCE_SECONDS:
                say(textwrap.shorten(line, width, placeholder=" ..."))
                heard = time.monotonic()
    if terminal:
        print("\r" + " " * width, end="\r", file=sys.stderr)
    if pip.returncode:
        print(*tail, sep="\n", file=sys.stderr)
        raise SetupError(
            f"pip could not install everything (above; all of it in {venv / LOG}): see to the network or the "
            "disk, or try another Python with PYTHON=, then type the same again"
        )


def keep_bytecode(venv: Path) -> None:
    """Keeps in the environment what the first start compiles, where no start may (PYTHONDONTWRITEBYTECODE).

    Else each would compile it anew, in as long as all else takes that it does before it works. The user's own
    folders stay as they are.
    """
    say("keeping what a start compiles, since PYTHONDONTWRITEBYTECODE forbids it to a start")
    env = {name: value for name, value in clean_environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([str(venv_python(venv)), "-c", f"import {STARTED}"], env=env, capture_output=True)


def _is_progress(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("WARNING")


@contextlib.contextmanager
def only_one(repo: Path) -> Iterator[None]:
    """Lets a second set-up of the same clone wait for the first."""
    with open(repo / ".venv.lock", "a+", encoding="utf-8") as lock:
        if os.name == "nt":
            import msvcrt

            is_waiting = False
            while True:
                lock.seek(0)
                try:
                    msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
                    break
                except PermissionError:  # LK_LOCK would wait, but for 10 s only
                    if not is_waiting:
                        say("another set-up is at work: waiting for it")
                    is_waiting = True
                    time.sleep(0.5)
        else:
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another set-up is at work: waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_constraints(repo: Path) -> None:
    """Resolves the newest versions that pyproject.toml allows, once for each file of pins."""
    works = interpreters.best()
    for version, meant in (((3, 11), "Python 3.11"), ((3, 12), "Python 3.12 and later")):
        interpreter = next((i for i in works if i.version[:2] == version), None)
        if interpreter is None:
            raise SetupError(f"no Python 3.{version[1]} works here, which {meant} is resolved with")
        say(f"resolving with {interpreter}")
        with tempfile.TemporaryDirectory() as folder:
            venv, report = Path(folder) / "venv", Path(folder) / "report.json"
            make_venv(venv, [interpreter])
            command = [str(venv_python(venv)), "-m", "pip", "install", "--quiet", "--quiet", "--dry-run"]
            command += ["--ignore-installed", "--report", str(report), "-e", ".[dev,fuzz,cuda,tpu]"]
            if subprocess.run(command, cwd=repo, env=clean_environment()).returncode:
                raise SetupError("pip could not resolve pyproject.toml's bounds (above)")
            packages = [p["metadata"] for p in json.loads(report.read_text(encoding="utf-8"))["install"]]
        pins = sorted(f"{p['name'].lower().replace('_', '-')}=={p['version']}" for p in packages)
        lines = [
            f"# {meant}, every extra but scale and bench. Made by `make constraints`, read by `make setup`."
        ]
        lines += [pin for pin in pins if not pin.startswith("digitjax==")]
        constraints_file(repo, version).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="setup.py", description="Makes .venv and installs digitjax into it."
    )
    parser.add_argument("--python", default="", help="interpreter to use (else the newest that works)")
    parser.add_argument("--accel", default="", help="cpu, cuda or tpu (else what is found)")
    parser.add_argument("--constraints", action="store_true", help="resolve the pins anew instead")
    arguments = parser.parse_args(argv)
    try:
        if arguments.constraints:
            write_constraints(REPO)
        else:
            set_up(REPO, arguments.python, arguments.accel)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error.filename or REPO}: {error.strerror or error}; mend that and type the same again")
        return 1
    except KeyboardInterrupt:
        say("stopped; the same command again begins anew")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
