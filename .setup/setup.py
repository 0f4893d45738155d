"""Makes .venv and installs digitjax into it, pinned: what `make setup` runs.

    python3 .setup/setup.py                     set up; does nothing where all is in place
    python3 .setup/setup.py --python PYTHON     with this interpreter, not the newest that works
    python3 .setup/setup.py --accel cuda        for cpu, cuda or tpu, not for what is found
    python3 .setup/setup.py --constraints       resolve the pins in .constraints/ anew

Any Python from 3.8 can run it, on Linux, macOS and Windows, with nothing but the standard library: it looks
for the interpreter that .venv is made with. A choice by --python or --accel holds until another is made.
"""

import argparse
import contextlib
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

REPO = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = (3, 11), (3, 14)  # for which every pinned package has wheels
ACCELERATORS = ("cpu", "cuda", "tpu")
UNFINISHED, STAMP, LOG = "digitjax-unfinished", "digitjax-setup.json", "digitjax-setup.log"
GOOGLE_PCI_VENDOR = "0x1ae0"
PCI_STORAGE_OR_NETWORK = ("0x01", "0x02")  # Google's virtual disks and network cards are no TPUs
TPU_VARIABLES = ("TPU_NAME", "TPU_WORKER_ID", "TPU_ACCELERATOR_TYPE", "TPU_TOPOLOGY")

PROBE = """
import bz2, ctypes, ensurepip, json, lzma, platform, ssl, struct, sys, sysconfig, venv, zlib
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "implementation": platform.python_implementation(),
    "bits": struct.calcsize("P") * 8,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
}))
"""


class SetupError(Exception):
    """One sentence for the person who typed `make`."""


class Interpreter(NamedTuple):
    """A Python that ran, is supported and can make environments."""

    version: Tuple[int, ...]
    executable: str

    def __str__(self) -> str:
        return "Python {} ({})".format(".".join(map(str, self.version)), self.executable)


Command = Tuple[str, ...]


def probe(command: Command) -> Union[Interpreter, str]:
    """Runs an interpreter and asks what it is; the reason in words when it cannot be used."""
    try:
        done = subprocess.run(
            [*command, "-c", PROBE], capture_output=True, text=True, timeout=60, env=clean_environment()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "it does not start ({})".format(getattr(error, "strerror", None) or error)
    try:
        found = json.loads(done.stdout)
        version = tuple(found["version"])
    except (ValueError, KeyError, TypeError):
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        missing = re.search(r"No module named '(\w+)'", done.stderr)
        if missing:
            hint = ", which Debian packs as python3-venv" if missing.group(1) == "ensurepip" else ""
            return "it lacks the module {}{}".format(missing.group(1), hint)
        return "it does not run ({})".format(lines[0] if lines else "exit code {}".format(done.returncode))
    name = ".".join(map(str, version))
    if version[:2] < OLDEST:
        return "Python {} is too old".format(name)
    if version[:2] > NEWEST:
        return "Python {} is newer than the pinned packages".format(name)
    if found["implementation"] != "CPython" or found["bits"] != 64 or found["free_threaded"]:
        kind = "free-threaded" if found["free_threaded"] else found["implementation"]
        return "jax has no build for it ({}, {} bits)".format(kind, found["bits"])
    return Interpreter(version, found["executable"])


def clean_environment() -> Dict[str, str]:
    """The environment without what would lead another interpreter, or pip in .venv, astray."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")}
    environment["PIP_USER"] = "0"
    return environment


def candidates(path: str, home: Path, windows: bool = os.name == "nt") -> List[Command]:
    """Commands that may be a supported Python, newest name first; every one must still be run."""
    versions = ["3.{}".format(minor) for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    folders = [folder for folder in path.split(os.pathsep) if folder]
    folders += [folder for folder in ("/opt/homebrew/bin", "/usr/local/bin") if not windows]
    suffix = ".exe" if windows else ""
    found = []  # type: List[Command]
    for version in versions:
        found += [(os.path.join(folder, "python" + version + suffix),) for folder in folders]
        for pattern in (".pyenv/versions/{}.*/bin/python3", ".local/share/uv/python/cpython-{}.*/bin/python3"):
            found += [(name,) for name in sorted(glob.glob(str(home / pattern.format(version))), reverse=True)]
        if windows:
            found.append(("py", "-" + version))
    for name in ("python3", "python"):
        found += [(os.path.join(folder, name + suffix),) for folder in folders]
    if windows:
        found.append(("py", "-3"))
    return [c for c in dict.fromkeys(found) if len(c) > 1 or os.path.isfile(c[0])]


def usable(commands: List[Command]) -> Tuple[List[Interpreter], List[str]]:
    """Runs the candidates: those that work, newest version first, and why the others do not."""
    works, refused = {}, []  # type: Dict[str, Interpreter], List[str]
    for command in commands:
        answer = probe(command)
        if isinstance(answer, Interpreter):
            works.setdefault(os.path.realpath(answer.executable), answer)
        else:
            refused.append("{}: {}".format(" ".join(command), answer))
    return sorted(works.values(), key=lambda interpreter: interpreter.version, reverse=True), refused


def asked_interpreter(asked: str) -> Interpreter:
    """The interpreter that PYTHON= names."""
    answer = probe((os.path.expanduser(asked),))
    if isinstance(answer, str):
        raise SetupError(
            "PYTHON={} cannot be used: {}; name a Python from {} to {}, or leave PYTHON out".format(
                asked, answer, dotted(OLDEST), dotted(NEWEST)
            )
        )
    return answer


def dotted(version: Tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def venv_python(venv: Path) -> Path:
    """The interpreter inside an environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_venv(venv: Path, interpreters: List[Interpreter]) -> Interpreter:
    """Makes an empty environment with the first interpreter that manages to."""
    failures = []
    for interpreter in interpreters:
        if venv.exists():
            shutil.rmtree(str(venv))
        venv.mkdir()
        (venv / UNFINISHED).touch()
        done = subprocess.run(
            [interpreter.executable, "-m", "venv", str(venv)], capture_output=True, text=True, env=clean_environment()
        )
        if done.returncode == 0:
            return interpreter
        output = (done.stderr + done.stdout).strip().splitlines() or ["exit code {}".format(done.returncode)]
        failures.append("{} cannot make an environment ({})".format(interpreter, output[-1].strip()))
    raise SetupError("; ".join(failures) + ": name another with PYTHON=/path/to/python3")


def detect_accelerator(
    environment: Dict[str, str],
    dev: Path = Path("/dev"),
    pci: Path = Path("/sys/bus/pci/devices"),
    system: Optional[str] = None,
) -> str:
    """ "cuda", "tpu" or "cpu": what this machine has and jax has a build for."""
    if (system or platform.system()) != "Linux":
        return "cpu"
    if any(environment.get(name) for name in TPU_VARIABLES) or has_tpu(dev, pci):
        return "tpu"
    program = shutil.which("nvidia-smi", path=environment.get("PATH", os.defpath))
    if program:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
            if listed.returncode == 0 and "GPU " in listed.stdout:
                return "cuda"
    return "cpu"


def has_tpu(dev: Path, pci: Path) -> bool:
    """A device file of the accelerator kind and a card of Google's that is no disk and no network card."""
    if not (list(dev.glob("accel[0-9]*")) or list(dev.glob("vfio/[0-9]*"))):
        return False
    for card in pci.glob("*"):
        with contextlib.suppress(OSError):
            vendor = (card / "vendor").read_text().strip()
            kind = (card / "class").read_text().strip()
            if vendor == GOOGLE_PCI_VENDOR and not kind.startswith(PCI_STORAGE_OR_NETWORK):
                return True
    return False


def constraints_file(repo: Path, version: Tuple[int, ...]) -> Path:
    """The pins for a Python version: jax 0.10 is the last for 3.11."""
    return repo / ".constraints" / ("python3.11.txt" if version[:2] == (3, 11) else "python3.12.txt")


def requirements_key(repo: Path) -> str:
    """A hash of all that decides what is installed: packaging sections and pins, not the linters' settings."""
    sections = re.split(r"(?m)^(?=\[)", (repo / "pyproject.toml").read_text(encoding="utf-8"))
    text = "".join(s for s in sections if s.startswith(("[build-system", "[project", "[tool.hatch")))
    for pins in sorted((repo / ".constraints").glob("*.txt")):
        text += pins.read_text(encoding="utf-8")
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_stamp(venv: Path) -> Dict:
    """What the last finished set-up wrote; empty where there was none."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and not (venv / UNFINISHED).exists() else {}


def chosen_accelerator(asked: str, stamp: Dict) -> str:
    """The accelerator asked for now, else asked for earlier, else found."""
    if asked:
        if asked not in ACCELERATORS:
            raise SetupError("ACCEL={} is unknown: give {}".format(asked, ", ".join(ACCELERATORS)))
        if asked != "cpu" and platform.system() != "Linux":
            raise SetupError("ACCEL={}: jax has such a build for Linux alone; leave ACCEL out".format(asked))
        return asked
    if stamp.get("accel_asked"):
        return stamp["accel_asked"]
    installed = stamp.get("accel", [])
    return installed[0] if installed else detect_accelerator(dict(os.environ))


def set_up(repo: Path, asked_python: str, asked_accel: str) -> None:
    """Brings .venv to what pyproject.toml and the pins say; nothing to do is the usual case."""
    venv = repo / ".venv"
    stamp = read_stamp(venv)
    accel = chosen_accelerator(asked_accel, stamp)
    extras = sorted({*stamp.get("accel", []), *([accel] if accel != "cpu" else [])})
    wanted = {
        "key": requirements_key(repo),
        "repo": str(repo),
        "accel": extras,
        "accel_asked": asked_accel or stamp.get("accel_asked", ""),
    }
    asked = asked_interpreter(asked_python) if asked_python else None
    same_python = asked is None or os.path.realpath(asked.executable) == stamp.get("python")
    if same_python and venv_python(venv).exists():
        if {**wanted, "python": stamp.get("python")} == stamp:
            return
        if {**wanted, "python": stamp.get("python"), "accel_asked": ""} == {**stamp, "accel_asked": ""}:
            write_stamp(venv, {**wanted, "python": stamp["python"]})
            return

    began = time.monotonic()
    interpreter = existing(venv, stamp, asked, str(repo))
    ours = interpreter is None or bool(stamp)
    if interpreter is None:
        works, refused = ([asked], []) if asked else usable(candidates(os.environ.get("PATH", ""), Path.home()))
        if not works:
            raise SetupError(
                "no Python from {} to {} works here ({}): install one from python.org, or name it with "
                "PYTHON=/path/to/python3".format(dotted(OLDEST), dotted(NEWEST), "; ".join(refused) or "none found")
            )
        interpreter = make_venv(venv, works)
    if ours:
        (venv / UNFINISHED).touch()
    say("{} in .venv, for {}".format(interpreter, accel))
    install(repo, venv, interpreter, ["dev", *extras])
    write_stamp(venv, {**wanted, "python": os.path.realpath(interpreter.executable)})
    say("done in {:.0f} s".format(time.monotonic() - began))


def existing(venv: Path, stamp: Dict, asked: Optional[Interpreter], repo: str) -> Optional[Interpreter]:
    """The interpreter of an environment that can be kept; None where one has to be made."""
    if not venv.exists() or (venv / UNFINISHED).exists():
        return None
    if not (venv / "pyvenv.cfg").exists():
        if any(venv.iterdir()):
            raise SetupError("{} is no Python environment: move it away".format(venv))
        return None
    answer = probe((str(venv_python(venv)),))
    if isinstance(answer, str) or (stamp and stamp.get("repo") != repo):
        return None
    if asked and os.path.realpath(asked.executable) != os.path.realpath(answer.executable):
        return None
    return answer


def install(repo: Path, venv: Path, interpreter: Interpreter, extras: List[str]) -> None:
    """pip, with one line of progress on a terminal; all that it says is kept in the log."""
    pins = constraints_file(repo, interpreter.version)
    command = [str(venv_python(venv)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "-c", str(pins), "-e", ".[{}]".format(",".join(extras))]
    say("installing what {} pins (the first time takes a minute or more)".format(pins.relative_to(repo).as_posix()))
    tail = []  # type: List[str]
    width = shutil.get_terminal_size().columns - 1
    with open(str(venv / LOG), "w", encoding="utf-8") as log:
        pip = subprocess.Popen(
            command, cwd=str(repo), env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        assert pip.stdout is not None
        for line in pip.stdout:
            log.write(line)
            tail = [*tail[-14:], line.rstrip()]
            if sys.stderr.isatty():
                sys.stderr.write("\r" + line.strip()[:width].ljust(width))
                sys.stderr.flush()
        code = pip.wait()
    if sys.stderr.isatty():
        sys.stderr.write("\r" + " " * width + "\r")
    if code:
        sys.stderr.write("\n".join(tail) + "\n")
        raise SetupError(
            "pip could not install everything (above; all of it in {}): see to the network or the disk, or try "
            "another Python with PYTHON=; then type the same again".format(venv / LOG)
        )


def write_stamp(venv: Path, stamp: Dict) -> None:
    """Records a finished set-up."""
    (venv / STAMP).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    with contextlib.suppress(FileNotFoundError):
        (venv / UNFINISHED).unlink()


def write_constraints(repo: Path) -> None:
    """Resolves the newest versions that pyproject.toml allows, once for each file of pins."""
    works, _ = usable(candidates(os.environ.get("PATH", ""), Path.home()))
    for version, meant in (((3, 11), "Python 3.11"), ((3, 12), "Python 3.12 and later")):
        interpreter = next((i for i in works if i.version[:2] == version), None)
        if interpreter is None:
            raise SetupError("no Python {} works here, which these pins are made with".format(dotted(version)))
        say("resolving with {}".format(interpreter))
        with tempfile.TemporaryDirectory() as folder:
            venv, report = Path(folder) / "venv", Path(folder) / "report.json"
            make_venv(venv, [interpreter])
            command = [str(venv_python(venv)), "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
            command += ["--report", str(report), "-e", ".[dev,cuda,tpu,bench]"]
            if subprocess.run(command, cwd=str(repo), env=clean_environment()).returncode:
                raise SetupError("pip could not resolve pyproject.toml's bounds (above)")
            packages = [p["metadata"] for p in json.loads(report.read_text(encoding="utf-8"))["install"]]
        pins = sorted("{}=={}".format(p["name"].lower().replace("_", "-"), p["version"]) for p in packages)
        lines = ["# {}, every extra. Made by `make constraints`, read by `make setup`.".format(meant)]
        lines += [pin for pin in pins if not pin.startswith("digitjax==")]
        constraints_file(repo, version).write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextlib.contextmanager
def only_one(repo: Path) -> Iterator[None]:
    """Lets a second set-up of the same clone wait for the first."""
    with open(str(repo / ".venv.lock"), "a+", encoding="utf-8") as lock:
        if os.name == "nt":
            import msvcrt

            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another set-up is at work: waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    sys.stderr.write("setup: {}\n".format(text))
    sys.stderr.flush()


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="setup.py", description="Makes .venv and installs digitjax into it.")
    parser.add_argument("--python", default="", help="interpreter to use; the newest that works unless given")
    parser.add_argument("--accel", default="", help="cpu, cuda or tpu; what is found unless given")
    parser.add_argument("--constraints", action="store_true", help="resolve the pins anew instead")
    arguments = parser.parse_args(argv)
    try:
        with only_one(REPO):
            if arguments.constraints:
                write_constraints(REPO)
            else:
                set_up(REPO, arguments.python, arguments.accel)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say("{}: {}; mend that and type the same again".format(error.filename or REPO, error.strerror or error))
        return 1
    except KeyboardInterrupt:
        say("stopped; the same command again begins anew")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
