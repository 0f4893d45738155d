"""Whose folder a run is: where a new one goes, which one is resumed, and one trainer at a time in it."""

import contextlib
import errno
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from digitjax import manifest, paths, runs
from digitjax.config import TrainConfig
from digitjax.errors import InputError

LOCK = ".lock"
LOOKED_SECONDS = 0.1
"""For so long a lock may be somebody's who only looks whether another has it."""
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""What the system answers where another has the lock; anything else is a disk that has none."""
_TRIES = 50


@contextlib.contextmanager
def new_run(config: TrainConfig, out: Path | None = None, *, anew: bool = False) -> Iterator[Path]:
    """The folder for a run that starts, made and held; removed again where no run has begun in it.

    With it go the folders above that were missing before.

    Of several that start in the same instant each gets a folder of its own: who holds a folder's lock has it.

    Args:
        config: the configuration as asked for.
        out: the folder asked for; None for `checkpoints/<preset>-<seed>` or the next free suffix.
        anew: take the next free suffix even where an unfinished run could be resumed.

    Raises:
        InputError: an unfinished run of the same configuration is there, `out` is taken or unwritable.
    """
    if out is not None and out.name in runs.RESERVED:
        raise InputError(f"--out {out} cannot be a run's folder, its name means something else: give another")
    wanted = out if out is not None else next(_names(config))
    above = [folder for folder in wanted.parents if not os.path.lexists(folder)]
    with contextlib.ExitStack() as at_last, contextlib.ExitStack() as stack:
        at_last.callback(remove_empty, above)
        if out is not None:
            if _is_taken(out):
                raise _taken(out, config)
            run = out
            if not _hold(run, stack):
                raise _being_trained(run)
            if _is_taken(run):  # by one that has just let go
                raise _taken(run, config)
        else:
            run = _hold_free_name(config, stack, anew=anew)
        yield run


def _hold_free_name(config: TrainConfig, stack: contextlib.ExitStack, *, anew: bool) -> Path:
    for run in _names(config):
        if not _is_taken(run):
            if not _hold(run, stack):
                continue
            if not _is_taken(run):
                return run
        elif is_held(run):
            continue
        if not anew and _is_unfinished(run, config):
            raise _taken(run, config)
    raise AssertionError("there is always a free name")


def run_to_resume(preset: str, seed: int, out: Path | None = None) -> Path:
    """The run that `--resume` means: `out`, else the last unfinished `checkpoints/<preset>-<seed>`.

    Raises:
        InputError: there is none, or it has finished.
    """
    if out is not None:
        run = out if runs.is_run(out) or out.is_absolute() else paths.checkpoints_dir() / out
        run = run if runs.is_run(run) else out
        if not run.is_dir() and (near := runs.near_misses(str(out), paths.checkpoints_dir())):
            raise InputError(f"--out {out} is no training run: did you mean {' or '.join(near)}?")
        runs.read_config(run)
        if runs.is_finished(run):
            raise InputError(
                f"{run} has finished, there is nothing to resume: leave --resume out to train anew"
            )
        return run
    folder = paths.checkpoints_dir()
    mine = [run for run in _existing(folder, f"{preset}-{seed}") if runs.is_run(run)]
    unfinished = [run for run in mine if not runs.is_finished(run)]
    if unfinished:
        return unfinished[-1]
    if mine:
        raise InputError(
            f"{mine[-1]} has finished, there is nothing to resume: leave --resume out to train anew"
        )
    others = [
        run.name for run in runs.list_runs(folder) if not runs.is_finished(run) and run.name != runs.DEFAULT
    ]
    hint = f"give --out {folder / others[-1]}" if others else "leave --resume out to start"
    raise InputError(f"{folder / f'{preset}-{seed}'} is no run, there is nothing to resume: {hint}")


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Holds the lock of a run that is there; the system lets go of it even when the process is killed.

    Raises:
        InputError: another trainer holds it, or the folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        if not _hold(run, stack, make=False):
            raise _being_trained(run)
        yield


def _hold(run: Path, stack: contextlib.ExitStack, *, make: bool = True) -> bool:
    """Takes the folder's lock until `stack` closes; False where another has it.

    With `make` the folder is made first, and removed by `stack` where no run has begun in it: it may close at
    any time, for a trainer is interrupted here as well.
    """
    failure = OSError(0, "it comes and goes")
    if make:
        stack.callback(_remove_unused, run)
    for _ in range(_TRIES):
        try:
            if make:
                run.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((run / LOCK).open("a+b"))
        except (FileNotFoundError, FileExistsError) as error:
            failure = error  # another made it, left it unused and removed it in between
            continue
        except OSError as error:
            raise _unwritable(run, error) from error
        try:
            is_ours = _lock_within(file.fileno(), LOOKED_SECONDS)
        except OSError as error:
            raise InputError(
                f"{run} cannot be locked ({error.strerror}), so that two could train in it: give --out a "
                f"folder on a disk with locks (Lustre: mounted with flock)"
            ) from error
        if is_ours and _is_lock_of(file.fileno(), run):
            manifest.remove_parts(run)
            return True
        file.close()
        if not is_ours:
            return False
    raise _unwritable(run, failure) from failure


def _is_lock_of(descriptor: int, run: Path) -> bool:
    """Whether an open lock is still the folder's, which may have been removed meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(run / LOCK))
    except OSError:
        return False


def _remove_unused(run: Path) -> None:
    """Removes a folder in which no run has begun, so that a wrong argument leaves nothing; not another's."""
    with contextlib.suppress(OSError):
        if not run.is_dir() or _is_taken(run):
            return
        with (run / LOCK).open("a+b") as file:
            is_ours = _lock_within(file.fileno(), LOOKED_SECONDS) and _is_lock_of(file.fileno(), run)
            if not is_ours or _is_taken(run):
                return
            manifest.remove_parts(run)
            if sys.platform == "win32":  # where no file is removed that somebody has open
                file.close()
            (run / LOCK).unlink()
            run.rmdir()


def remove_empty(folders: list[Path]) -> None:
    """Removes folders, the deepest first, as far as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def is_held(run: Path) -> bool:
    """Whether another process trains in the folder, or is about to."""
    try:
        with (run / LOCK).open("r+b") as file:
            return not _try_lock(file.fileno())
    except OSError:
        return False


def _lock_within(descriptor: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not _try_lock(descriptor):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True


def _names(config: TrainConfig) -> Iterator[Path]:
    base = paths.checkpoints_dir() / f"{config.preset}-{config.seed}"
    yield base
    number = 2
    while True:
        yield base.with_name(f"{base.name}-{number}")
        number += 1


def _existing(folder: Path, name: str) -> list[Path]:
    """`name`, `name-2`, `name-3` … as far as they exist, in the order of their numbers."""
    found = []
    for path in folder.glob(f"{name}*") if folder.is_dir() else []:
        match = re.fullmatch(re.escape(name) + r"(?:-([0-9]+))?", path.name)
        if match and path.is_dir():
            found.append((int(match[1] or 1), path))
    return [path for _, path in sorted(found)]


def _is_taken(run: Path) -> bool:
    try:
        return any(entry.name != LOCK and not manifest.is_part(entry) for entry in run.iterdir())
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return run.exists()


def _is_unfinished(run: Path, config: TrainConfig) -> bool:
    try:
        return not runs.is_finished(run) and runs.read_config(run) == config
    except InputError:
        return False


def _taken(run: Path, config: TrainConfig) -> InputError:
    if _is_unfinished(run, config):
        return InputError(
            f"{run} holds this very run, unfinished: add --resume to go on, or give another --out"
        )
    if runs.is_run(run):
        state = "a finished run" if runs.is_finished(run) else "a run of another configuration"
        return InputError(f"--out {run} holds {state}: give a folder that is empty or does not exist")
    return InputError(
        f"--out {run} is taken by something else: give a folder that is empty or does not exist"
    )


def _being_trained(run: Path) -> InputError:
    return InputError(f"{run} is being trained by another process: wait for it or give another --out")


def _unwritable(run: Path, error: OSError) -> InputError:
    return InputError(f"{run} cannot be written ({error.strerror}): give --out a folder that can be written")
