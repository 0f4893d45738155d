"""`digitjax info`: versions, devices, folders, data and checkpoints, to paste into a bug report."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from digitjax import compiled, manifest, paths, runs
from digitjax.commands.arguments import Parser
from digitjax.data import registry
from digitjax.errors import DigitjaxError, InputError, one_line

PACKAGES = (
    "digitjax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "tensorflow-datasets",
    "array-record",
    "numpy",
    "scipy",
    "scikit-learn",
    "matplotlib",
    "pillow",
    "pygame-ce",
)
"""Packages whose versions matter to a bug report."""
VARIABLES = (
    "DIGITJAX_MNIST_DIR",
    "DIGITJAX_DATA_DIR",
    "DIGITJAX_USER_DIR",
    "DIGITJAX_CHECKPOINTS",
    "DIGITJAX_OFFLINE",
    "JAX_PLATFORMS",
    "JAX_COMPILATION_CACHE_DIR",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
    "SDL_VIDEODRIVER",
)
"""Environment variables that change what we do."""
MAX_FILES = 20_000
"""Files looked at to say how large a folder is."""
PATIENCE = 60
"""Seconds in which JAX must say what devices it has."""

_ASK_JAX = """
import jax
for device in jax.devices():
    print(f"{device.platform}:{device.id} {device.device_kind}")
"""


def run(argv: list[str]) -> int:
    """Prints what there is, for people or as JSON, and returns the exit code.

    Raises:
        InputError: an unknown option.
    """
    parser = Parser(prog="digitjax info", description=__doc__ or "")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse(argv)
    found = gather()
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print("\n".join(map(_printable, _lines(found))))
    return 0


def gather() -> dict:
    """All of it as plain JSON values, whatever is broken; nothing is created, and no network is asked."""
    return {
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": f"{platform.platform()}, {os.cpu_count()} cores",
        "packages": {name: _tried(_version, name) for name in PACKAGES},
        "devices": _devices(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "folders": {
            "mnist": _folder(paths.mnist_dir()),
            "data": _folder(paths.data_dir()),
            "user": _folder(paths.user_dir()),
            "checkpoints": _folder(paths.checkpoints_dir()),
            "compiled": _folder(paths.data_dir() / "compiled"),
            "JAX's cache": _folder(_jax_cache()),
        },
        "data": {name: _tried(_state, name) for name in registry.MODULES},
        "checkpoints": _checkpoints(paths.checkpoints_dir()),
        "default": _tried(lambda: str(runs.resolve(None))),
    }


def _tried(read: Callable[..., str | None], *given: object) -> str | None:
    """What `read` finds, or why it cannot: a report on a broken machine has to be whole."""
    try:
        return read(*given)
    except Exception as error:
        return _why(error)


def _why(error: Exception) -> str:
    text = one_line(str(error)) or type(error).__name__
    return text if isinstance(error, DigitjaxError) else f"unknown, {type(error).__name__}: {text[:200]}"


def _jax_cache() -> Path:
    """Where JAX keeps what it compiles: where the environment says, else in the user's own folder."""
    place = os.environ.get(compiled.GIVEN)
    return Path(place) if place else compiled.place()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    """JAX is asked in a process of its own: a wrong XLA_FLAGS ends one, and a driver may never answer."""
    command = [sys.executable, "-P", "-c", _ASK_JAX]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return [f"none: JAX has not answered within {PATIENCE} seconds"]
    except OSError as error:
        return [f"none: {sys.executable} cannot be started ({error.strerror})"]
    if done.returncode == 0:
        return done.stdout.splitlines()
    said = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
    return [f"none: {said[-1 if done.returncode == 1 else 0]}"]  # a traceback's last line, an abort's first


def _folder(folder: Path | None) -> dict | None:
    if folder is None:
        return None
    if not os.path.isdir(folder):
        return {"path": str(folder), "files": None, "bytes": None}
    errors: list[OSError] = []
    files = size = 0
    for place, _, names in os.walk(folder, onerror=errors.append):
        for name in names:
            files += 1
            try:
                size += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
        if files > MAX_FILES:
            break
    found: dict = {"path": str(folder), "files": files, "bytes": size}
    if errors:
        found["error"] = f"{errors[0].filename} cannot be read ({errors[0].strerror})"
    return found


def _state(name: str) -> str:
    kind = registry.kind(name)
    if kind.takes:
        return "your files"
    return "at hand" if kind.at_hand() else "not at hand"


def _checkpoints(folder: Path) -> list[dict]:
    try:
        return [_checkpoint(run) for run in runs.list_runs(folder)]
    except InputError as error:
        return [{"run": folder.name, "error": str(error)}]


def _checkpoint(run: Path) -> dict:
    try:
        step = runs.best_step(run)
        record = manifest.verify(step, run / runs.CONFIG).record
        runs.read_config(run)
    except Exception as error:
        return {"run": run.name, "error": _why(error)}
    return {
        "run": run.name,
        "step": int(step.name),
        "state": _state_of(run),
        "validation": runs.validation_text(record),
        "parameters": _count(record.get("parameters")),
        "date": str(record.get("date"))[:32],
    }


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 10**15 else None


def _state_of(run: Path) -> str:
    if runs.is_finished(run):
        return "finished"
    return "unfinished" if (run / runs.METRICS).is_file() else "parameters alone"


def _lines(found: dict) -> list[str]:
    lines = [f"Python       {found['python']}", f"platform     {found['platform']}"]
    lines += [f"device       {device}" for device in found["devices"]]
    packages = (f"{name} {version or 'not installed'}" for name, version in found["packages"].items())
    lines.append(f"packages     {', '.join(packages)}")
    lines += [f"environment  {name}={value}" for name, value in found["environment"].items()]
    for name, folder in found["folders"].items():
        if folder is not None:
            size = "not there" if folder["files"] is None else _size(folder)
            lines.append(f"folder       {name}: {folder['path']} ({size})")
    lines += [f"data         {name}: {state}" for name, state in found["data"].items()]
    lines += [f"checkpoint   {_checkpoint_text(one)}" for one in found["checkpoints"]]
    return [*lines, f"default      {found['default']}"]


def _checkpoint_text(one: dict) -> str:
    if "error" in one:
        return f"{one['run']}: broken, {one['error']}"
    about = f"step {one['step']}, {one['state']}, {one['parameters'] or 0:,} parameters, {one['date']}"
    return f"{one['run']}: {about}{one['validation'] and ', ' + one['validation']}"


def _size(folder: dict) -> str:
    more = "more than " if folder["files"] > MAX_FILES else ""
    wrong = f"; {folder['error']}" if "error" in folder else ""
    return f"{more}{folder['files']:,} files, {folder['bytes'] / 1e6:,.1f} MB{wrong}"


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in line)
