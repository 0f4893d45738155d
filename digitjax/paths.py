"""The folders that digitjax reads and writes, from the environment or the system's own places.

An empty variable counts as unset. Nothing is created here.
"""

import os
import shlex
import sys
from pathlib import Path

import platformdirs

APPLICATION = "digitjax"
"""Name of the folders in the user's cache and data folders."""


def mnist_dir() -> Path | None:
    """The folder of given MNIST files, `DIGITJAX_MNIST_DIR`, or None."""
    return _from_environment("DIGITJAX_MNIST_DIR")


def data_dir() -> Path:
    """Prepared data: `DIGITJAX_DATA_DIR`, else the user's cache folder."""
    return _from_environment("DIGITJAX_DATA_DIR") or platformdirs.user_cache_path(
        APPLICATION, appauthor=False
    )


def user_dir() -> Path:
    """Recordings and settings: `DIGITJAX_USER_DIR`, else the user's data folder."""
    return _from_environment("DIGITJAX_USER_DIR") or platformdirs.user_data_path(APPLICATION, appauthor=False)


def checkpoints_dir() -> Path:
    """Runs: `DIGITJAX_CHECKPOINTS`, else `./checkpoints`, which need not exist yet."""
    return _from_environment("DIGITJAX_CHECKPOINTS") or Path("checkpoints")


def offline() -> bool:
    """Whether `DIGITJAX_OFFLINE` forbids the network; "0" and nothing do not."""
    return os.environ.get("DIGITJAX_OFFLINE", "").strip() not in ("", "0")


def quoted(path: Path) -> str:
    """A path as one word of a command line."""
    if sys.platform == "win32":
        return f'"{path}"' if " " in str(path) else str(path)
    return shlex.quote(str(path))


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return Path(value).expanduser() if value.strip() else None
