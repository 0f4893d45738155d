"""Prepared data: folders that are either whole or not there.

A folder is written under another name beside its place, gets a manifest of its files last, and is then
renamed. Two processes may prepare the same one: the first to finish keeps the place.
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from digitjax.errors import DigitjaxError, InputError

MANIFEST = "prepared.json"
PREFIX = ".unfinished-"
"""What the names of unfinished folders begin with."""
STALE_SECONDS = 24 * 3600
"""Age after which somebody's unfinished folder is cleared away."""


def is_whole(folder: Path, *, contents: bool = True) -> bool:
    """Whether the folder holds what its manifest lists; without `contents` only sizes are compared."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(files) and all(
            (folder / name).stat().st_size == size and (not contents or sha256(folder / name) == digest)
            for name, (size, digest) in files.items()
        )
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return False


def is_there(folder: Path) -> bool:
    """Whether the folder is whole; what killed processes left beside it long ago is removed."""
    clear_stale(folder.parent)
    return is_whole(folder)


def publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Makes `folder` by `write`, whole or not at all; one that is there and not whole is replaced.

    Raises:
        InputError: the place cannot be written to.
        DigitjaxError: it failed on the way, as on a full disk; nothing is left behind.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        clear_stale(folder.parent)
        unfinished = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder.parent))
    except OSError as error:
        raise InputError(
            f"{folder.parent} cannot be written to ({error.strerror}): "
            "set DIGITJAX_DATA_DIR to a folder that can"
        ) from None
    try:
        write(unfinished)
        files = {
            file.relative_to(unfinished).as_posix(): (file.stat().st_size, sha256(file))
            for file in sorted(unfinished.rglob("*"))
            if file.is_file()
        }
        (unfinished / MANIFEST).write_text(json.dumps(files, indent=1), encoding="utf-8")
        _rename(unfinished, folder)
    except OSError as error:
        raise DigitjaxError(
            f"{folder} could not be prepared ({error.strerror or error}): make room, "
            "or set DIGITJAX_DATA_DIR to another place, then run again"
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def clear_stale(parent: Path) -> None:
    """Removes unfinished folders of processes that were killed long ago."""
    for entry in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(entry, ignore_errors=True)


def sha256(file: Path) -> str:
    """Hexadecimal digest of a file, computed again only where its size or time has changed."""
    now = file.stat()
    return _digest(file.absolute(), now.st_size, now.st_mtime_ns, now.st_ino)


@functools.cache  # a folder of pictures has many files
def _digest(file: Path, *_state: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _rename(unfinished: Path, folder: Path) -> None:
    for _ in range(10):
        try:
            os.rename(unfinished, folder)
            return
        except OSError:
            if not folder.exists():
                raise
        if is_whole(folder):
            return
        grave = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder.parent))
        with contextlib.suppress(OSError):
            os.rename(folder, grave / "damaged")
        shutil.rmtree(grave, ignore_errors=True)
    raise OSError(f"{folder} is in use")
