"""What the parts of the set-up share: its complaint, its voice, and how it runs other programs."""

from __future__ import annotations

import os
import subprocess
import sys


class SetupError(Exception):
    """One sentence for the person who typed `make`."""


def run(*command: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end and keeps what it says."""
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=clean_environment())


def clean_environment() -> dict[str, str]:
    """The environment without what would lead another interpreter, or pip in .venv, astray."""
    astray = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
    return {**{name: value for name, value in os.environ.items() if name not in astray}, "PIP_USER": "0"}


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)
