"""Which Pythons are here, and which of them can run digitjax."""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from programs import SetupError, run

OLDEST, NEWEST = (3, 11), (3, 14)  # for which every pinned package has wheels
RANGE = "3.11 to 3.14"
WITHOUT_JAX = ("Darwin x86_64", "Windows ARM64")  # on Apple silicon an interpreter under Rosetta, too

PROBE = """
import bz2, ctypes, ensurepip, json, lzma, platform, ssl, struct, sys, sysconfig, venv, zlib
print(json.dumps({
    "version": sys.version_info[:3],
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "implementation": platform.python_implementation(),
    "bits": struct.calcsize("P") * 8,
    "machine": platform.system() + " " + platform.machine(),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
}))
"""


class Interpreter(NamedTuple):
    """A Python that ran, is supported and has what environments are made with."""

    version: tuple[int, int, int]
    executable: str

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} ({self.executable})"


def probe(command: tuple[str, ...]) -> Interpreter | str:
    """Runs an interpreter and asks what it is; the reason in words where it cannot be used."""
    try:
        done = run(*command, "-c", PROBE, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not start ({getattr(error, 'strerror', None) or error})"
    try:
        found = json.loads(done.stdout)
        version = tuple(found["version"])
    except (ValueError, KeyError, TypeError):
        missing = re.search(r"No module named '(\w+)'", done.stderr)
        if missing:
            hint = ", which Debian packs as python3-venv" if missing.group(1) == "ensurepip" else ""
            return f"it lacks the module {missing.group(1)}{hint}"
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0].strip()
        if done.returncode == 0 or "import bz2" in done.stderr:  # it took the program for something else
            return "it is no Python"
        return f"it does not run ({said[:200]})"
    if version[:2] < OLDEST:
        return f"Python {'.'.join(map(str, version))} is too old"
    if version[:2] > NEWEST:
        return f"Python {'.'.join(map(str, version))} is newer than the pinned packages"
    if found["implementation"] != "CPython" or found["bits"] != 64 or found["free_threaded"]:
        kind = "free-threaded" if found["free_threaded"] else found["implementation"]
        return f"jax has no build for it ({kind}, {found['bits']} bits)"
    if found["machine"] in WITHOUT_JAX:
        return f"jax has no build for {found['machine']}"
    return Interpreter(version, found["executable"])


def candidates(path: str, home: Path, windows: bool = os.name == "nt") -> list[tuple[str, ...]]:
    """Commands that may be a supported Python, newest name first; each must still be run."""
    versions = [f"3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    folders = [folder for folder in path.split(os.pathsep) if folder]
    if not windows:
        folders += ["/opt/homebrew/bin", "/usr/local/bin"]
    found = []
    for version in versions:
        if windows:
            found.append(("py", f"-{version}"))
        else:
            found += [(os.path.join(folder, f"python{version}"),) for folder in folders]
        for managed in (
            ".pyenv/versions/{}.*/bin/python3",
            ".local/share/uv/python/cpython-{}.*/bin/python3",
        ):
            found += [(name,) for name in sorted(glob.glob(str(home / managed.format(version))))]
    suffix = ".exe" if windows else ""
    found += [(os.path.join(folder, name + suffix),) for name in ("python3", "python") for folder in folders]
    return [command for command in dict.fromkeys(found) if command[0] == "py" or os.path.isfile(command[0])]


def usable(commands: list[tuple[str, ...]]) -> tuple[list[Interpreter], list[str]]:
    """Runs the candidates: those that work, newest version first, and why the others do not."""
    works, refused = {}, []
    for command in commands:
        answer = probe(command)
        if isinstance(answer, Interpreter):
            works.setdefault(os.path.realpath(answer.executable), answer)
        else:
            refused.append(f"{' '.join(command)}: {answer}")
    return sorted(works.values(), key=lambda interpreter: interpreter.version, reverse=True), refused


def asked_for(asked: str) -> Interpreter:
    """The interpreter that PYTHON= names."""
    answer = probe((os.path.expanduser(asked),))
    if isinstance(answer, str):
        raise SetupError(
            f"PYTHON={asked} cannot be used: {answer}; name a Python from {RANGE}, or leave PYTHON out"
        )
    return answer


def best() -> list[Interpreter]:
    """All that work here, the newest first."""
    works, refused = usable(candidates(os.environ.get("PATH", ""), Path.home()))
    if not works:
        tried = "; ".join(refused) or "found none at all"
        raise SetupError(
            f"no Python from {RANGE} works here ({tried}): install one from python.org, "
            "or name it with PYTHON=/path/to/python3"
        )
    return works
