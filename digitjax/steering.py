"""Steering a training that runs, through its folder: a new learning rate, a pause, a stop.

    requests/ID.json     what somebody asks for; put there in one move, taken away by the trainer
    changes.jsonl        what was done, a line each, by the trainer alone; on the disk before it takes effect

    {"step": 480, "learning_rate": 0.003, "id": "…", "date": "…"}
    {"step": 500, "pause": true, "id": "…", "date": "…"}

A line counts between its step and the next. A resumed run sets the same values after the same steps, so it is
the run that never stopped; pauses and stops are not repeated. A line takes back lines above it that set the
same value at a later step: those were of a future that was given up. No JAX here.
"""

import contextlib
import datetime
import json
import math
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from digitjax import claim, manifest, paths, runs
from digitjax.config import OptimConfig
from digitjax.errors import InputError

CHANGES, REQUESTS = "changes.jsonl", "requests"
VALUES = ("learning_rate", "weight_decay")
"""Hyper-parameters that can change on the way; they live in the optimizer's state."""
PAUSE, RESUME, STOP = "pause", "resume", "stop"
LOOK_SECONDS = 0.1
"""How often the trainer looks for requests."""
MAX_REQUEST_BYTES, MAX_LINE_BYTES, MAX_LINES, AT_ONCE = 4096, 2**14, 100_000, 16


class Change(NamedTuple):
    """One thing that is asked for, or was done.

    Attributes:
        name: one of `VALUES`, or "pause", "resume", "stop".
        value: of a hyper-parameter; None for the others.
        id: tells requests apart.
        step: steps done when it was taken; None for a request.
    """

    name: str
    value: float | None = None
    id: str = ""
    step: int | None = None


def require(name: str, value: float | None = None) -> None:
    """Checks a request before it is made.

    Raises:
        InputError: the name is unknown, or the value is out of range.
    """
    if name in VALUES:
        OptimConfig(**{name: math.nan if value is None else value})
    elif name not in (PAUSE, RESUME, STOP) or value is not None:
        raise InputError(f"{name[:40]!r} cannot be asked of a training: give {', '.join(VALUES)} or pause")


def ask(run: Path, name: str, value: float | None = None) -> None:
    """Asks whoever trains in `run` for a change; it is taken between two steps.

    Args:
        run: the run's folder.
        name: one of `VALUES` with a value, or "pause", "resume", "stop".
        value: the hyper-parameter's new value.

    Raises:
        InputError: the request makes no sense, nobody trains there, or the folder cannot be written.
    """
    require(name, value)
    if not claim.is_held(run):
        raise InputError(f"nobody trains in {run}{_what_to_do(run)}")
    number = f"{_after_those_that_wait(run):020}-{uuid.uuid4().hex[:12]}"
    try:
        (run / REQUESTS).mkdir(exist_ok=True)
        body = {name: True if value is None else float(value), "id": number}
        manifest.write_json(run / REQUESTS / f"{number}.json", body)
    except OSError as error:
        raise InputError(
            f"{run / REQUESTS} cannot be written ({error.strerror}): make room or make it writable"
        ) from None


def _what_to_do(run: Path) -> str:
    """What may be done about a run that nobody trains, as the end of a sentence."""
    if not runs.is_run(run):
        near = runs.near_misses(run.name, run.parent)
        return f", it is no training run: {f'did you mean {near[0]}?' if near else 'give the folder of one'}"
    is_exported = bool(runs.step_folders(run)) and not (run / runs.METRICS).is_file()
    if runs.is_finished(run) or is_exported:
        return f", it is complete: train on from it with `digitjax train --start {paths.quoted(run)}`"
    return f": go on with `digitjax train --out {paths.quoted(run)} --resume`"


def _after_those_that_wait(run: Path) -> int:
    """The time in nanoseconds, or later than it is by a clock that was turned back since the last request."""
    waiting = [path.name.partition("-")[0] for path in _request_files(run)]
    return max([time.time_ns(), *(int(number) + 1 for number in waiting if number.isdecimal())])


def forget_commands(run: Path) -> None:
    """Takes away pauses and stops that a trainer which was killed has left unread; values stay asked for."""
    for path in _request_files(run):
        with contextlib.suppress(InputError, OSError):
            if _read_request(path).name not in VALUES:
                path.unlink()


def read_changes(run: Path, complain: Callable[[str], None] = lambda line: None) -> list[Change]:
    """What was done in a run, in the order of its lines.

    Args:
        run: the run's folder.
        complain: is told in a sentence of each line that is none of ours; such lines are passed over.

    Raises:
        InputError: the file cannot be read, or has more lines than any training writes.
    """
    path, found = run / CHANGES, []
    if not path.is_file():
        return found
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                if number > MAX_LINES:
                    raise InputError(
                        f"{path} has more than {MAX_LINES:,} lines: it was not written by digitjax"
                    )
                try:
                    found.append(_change(json.loads(line), with_step=True))
                except (ValueError, RecursionError, InputError):
                    complain(f"warning: line {number} of {path} is no change and is passed over")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): make it readable") from None
    return found


def is_paused(changes: list[Change]) -> bool:
    """Whether the last command of a run that is being trained was to pause."""
    commands = [change.name for change in changes if change.name not in VALUES]
    return bool(commands) and commands[-1] == PAUSE


def current(changes: list[Change], name: str, begun_with: float) -> float:
    """What a hyper-parameter is after all changes."""
    return next((c.value for c in reversed(changes) if c.name == name and c.value is not None), begun_with)


class Steering:
    """The trainer's side: takes requests and writes them down, and knows what a resumed run must repeat.

    Only who holds the run's lock (`digitjax.claim`) makes one, so there is one writer.
    """

    def __init__(self, run: Path, start: int, say: Callable[[str], None], *, writes: bool = True) -> None:
        """Reads what is recorded.

        Args:
            run: the run's folder.
            start: steps that are done; what was set later is set again when its step is done.
            say: is told what a person should know.
            writes: False for a process that takes no requests, since another one does.

        Raises:
            InputError: as `read_changes`.
        """
        self._run, self._say, self._writes = run, say, writes
        self._due: list[Change] = []
        self._looked = -math.inf
        self._passed_over: set[str] = set()
        recorded = read_changes(run, say if writes else lambda line: None)
        self._taken = {change.id for change in recorded if change.id}
        for change in recorded:
            self._note(change)
        self._due = [change for change in self._due if (change.step or 0) >= start]

    def due(self, step: int) -> dict[str, float]:
        """The values that were set when `step` steps were done, to be set again; asked once for each step."""
        found = {c.name: c.value for c in self._due if c.step == step and c.value is not None}
        self._due = [change for change in self._due if (change.step or 0) > step]
        return found

    def next_due(self) -> int | None:
        """How many steps will be done when something is to be set again next; None: never."""
        return min((change.step or 0 for change in self._due), default=None)

    def take(self, step: int) -> list[Change]:
        """What is asked for now that `step` steps are done; it is on the disk when this returns."""
        now = time.monotonic()
        if not self._writes or now - self._looked < LOOK_SECONDS:
            return []
        self._looked = now
        taken = []
        for path in _request_files(self._run)[:AT_ONCE]:
            if path.name in self._passed_over:
                continue
            try:
                change = _read_request(path)._replace(step=step)
                if change.id not in self._taken:  # else a trainer was killed before it removed the request
                    _append(self._run / CHANGES, change)
                    taken.append(change)
                    self._note(change)
            except InputError as error:
                self._say(f"warning: {error}")
            except OSError as error:
                self._say(f"warning: nothing was changed, {self._run / CHANGES}: {error.strerror}; make room")
            try:
                path.unlink()
            except OSError:  # else it would be taken again and again
                self._passed_over.add(path.name)
        return taken

    def _note(self, change: Change) -> None:
        if change.name in VALUES:
            later = [c for c in self._due if c.name == change.name and (c.step or 0) > (change.step or 0)]
            self._due = [c for c in self._due if c not in later] + [change]


def _request_files(run: Path) -> list[Path]:
    """Requests, the oldest first."""
    try:
        with os.scandir(run / REQUESTS) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".json"))
    except OSError:
        return []
    return [run / REQUESTS / name for name in names]


def _read_request(path: Path) -> Change:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_REQUEST_BYTES:
        raise InputError(f"{path} is no request: ask with `digitjax steer`")
    return _change(manifest.read_json(path), with_step=False)


def _change(values: object, *, with_step: bool) -> Change:
    """A checked line or request.

    Raises:
        InputError: it is none.
    """
    if isinstance(values, dict):
        names = [name for name in values if name in (*VALUES, PAUSE, RESUME, STOP)]
        number, step = values.get("id", ""), values.get("step") if with_step else None
        good = isinstance(number, str) and len(number) <= 100
        if good and len(names) == 1 and (not with_step or (type(step) is int and 0 <= step < 2**31)):
            name, value = names[0], values[names[0]]
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
            if name not in VALUES or is_number:
                value = float(value) if name in VALUES else None
                require(name, value)
                return Change(name, value, number, step)
    raise InputError("a request to a training is no object with one change: ask with `digitjax steer`")


def _append(path: Path, change: Change) -> None:
    """Writes a line so that it is on the disk whole, or not there at all."""
    value: Any = True if change.value is None else change.value
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    line = json.dumps({"step": change.step, change.name: value, "id": change.id, "date": date}) + "\n"
    with _opened(path) as descriptor:
        end = os.fstat(descriptor).st_size
        os.lseek(descriptor, max(end - 1, 0), os.SEEK_SET)
        torn = b"" if os.read(descriptor, 1) in (b"", b"\n") else b"\n"  # a line that a killed trainer began
        text = torn + line.encode()
        if os.write(descriptor, text) != len(text):
            os.ftruncate(descriptor, end)
            raise OSError(28, "No space left on device")
        os.fsync(descriptor)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
