"""The user's drawings on their own machine: one NDJSON file that is a data spec as it stands.

Appending is one write to a file opened for appending, synced, under a lock of the operating system, so that
neither `kill -9` nor a second program loses or mixes drawings; the next writer cuts off a torn last line.
Relabelling and deleting write the file anew and put it in the old one's place. Nothing leaves the machine.
"""

import contextlib
import datetime
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from play.effects import Record
from play.events import RecordEntry
from play.ink import Ink, bounds

FILE = "drawings.ndjson"
LOCK = "drawings.lock"
SOURCE = "digitjax-play"
LOCK_SECONDS = 5.0


class RecordError(Exception):
    """The drawing could not be kept; one sentence."""


class Recorder:
    """The drawings file of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last: str | None = None

    @property
    def path(self) -> Path:
        """The file; it need not exist yet."""
        return self.folder / FILE

    def append(self, record: Record) -> int:
        """Adds a drawing and returns how many there are; it is on the disk when this returns.

        Raises:
            RecordError: the folder cannot be written or is locked for long.
        """
        key = uuid.uuid4().hex
        line = json.dumps(to_json(record, key), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        with self._errors(), self._locked():
            total = self._append(line.encode() + b"\n") + 1
        self.last = key
        return total

    def relabel(self, key: str, word: str) -> None:
        """Gives a drawing another word.

        Raises:
            RecordError: it is gone, or the file cannot be written.
        """
        self._rewrite(key, lambda record: record | {"word": word})

    def delete(self, key: str) -> None:
        """Removes a drawing; the file that held it is replaced, no copy stays.

        Raises:
            RecordError: it is gone, or the file cannot be written.
        """
        self._rewrite(key, lambda record: None)

    def entries(self) -> tuple[RecordEntry, ...]:
        """What is in the file, for the gallery; lines that are no drawings are left out."""
        with self._errors():
            return tuple(entry_of(number, record) for number, record in self._records())

    def records(self) -> list[dict]:
        """The drawings as JSON values, in order."""
        with self._errors():
            return [record for _, record in self._records()]

    def import_lines(self, lines: list[dict]) -> int:
        """Adds drawings that `digitjax.strokes.from_json` has checked; returns how many there are now."""
        text = b"".join(
            json.dumps(record | {"key": uuid.uuid4().hex}, ensure_ascii=False, separators=(",", ":")).encode()
            + b"\n"
            for record in lines
        )
        with self._errors(), self._locked():
            return self._append(text) + len(lines)

    def _append(self, text: bytes) -> int:
        """Appends whole lines under the lock; returns how many lines were there."""
        descriptor = os.open(
            self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600
        )
        try:
            _private(self.path)
            before = _mend(descriptor)
            end = os.fstat(descriptor).st_size
            written = os.write(descriptor, text)
            if written != len(text):  # a full disk: take the part back
                os.ftruncate(descriptor, end)
                raise OSError(28, "No space left on device")
            os.fsync(descriptor)
            return before
        finally:
            os.close(descriptor)

    def _records(self) -> Iterator[tuple[int, dict]]:
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            for number, line in enumerate(file):
                with contextlib.suppress(ValueError, RecursionError):
                    record = json.loads(line)
                    if isinstance(record, dict) and isinstance(record.get("drawing"), list):
                        yield number, record

    def _rewrite(self, key: str, change: Callable[[dict], dict | None]) -> None:
        with self._errors(), self._locked():
            if not self.path.exists():
                raise RecordError("The drawing is not in the file any more.")
            found, lines = False, []
            for line in self.path.read_bytes().splitlines(keepends=True):
                record = _parsed(line)
                if record is None or record.get("key") != key:
                    lines.append(line if line.endswith(b"\n") else line + b"\n")
                    continue
                found = True
                changed = change(record)
                if changed is not None:
                    text = json.dumps(changed, ensure_ascii=False, separators=(",", ":"))
                    lines.append(text.encode() + b"\n")
            if not found:
                raise RecordError("The drawing is not in the file any more.")
            self._replace(b"".join(lines))

    def _replace(self, text: bytes) -> None:
        part = self.path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(self.folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = time.monotonic() + LOCK_SECONDS
            while not _try_lock(descriptor):
                if time.monotonic() > end:
                    raise RecordError(
                        f"Another program holds {self.folder / LOCK}: close it, then press the key again."
                    )
                time.sleep(0.01)
            yield
        finally:
            os.close(descriptor)  # the lock goes with it, also when the program is killed

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise RecordError(
                f"Not saved: {self.path} cannot be written ({reason}): make it writable or give --user-dir."
            ) from error


def to_json(record: Record, key: str) -> dict:
    """A line of the file: QuickDraw's form with milliseconds, and what the network had said."""
    start = record.ink[0].times[0]
    drawing = [
        [
            [round(x, 2) for x, _ in stroke.points],
            [round(y, 2) for _, y in stroke.points],
            [round((time - start) * 1000) for time in stroke.times],
        ]
        for stroke in record.ink
    ]
    return {
        "word": record.word,
        "drawing": drawing,
        "source": SOURCE,
        "key": key,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "model": record.model,
        "said": record.said,
        "probabilities": [round(p, 5) for p in record.probabilities],
        "is_digit": None if record.is_digit is None else round(record.is_digit, 5),
    }


def entry_of(number: int, record: dict) -> RecordEntry:
    """A line of the file for the gallery, its ink fitted to the unit square."""
    strokes = []
    for stroke in record["drawing"]:
        with contextlib.suppress(TypeError, ValueError, LookupError, OverflowError):
            pairs = zip(stroke[0], stroke[1], strict=False)
            points = tuple((float(x), float(y)) for x, y in pairs)
            if points and all(math.isfinite(x) and math.isfinite(y) for x, y in points):
                strokes.append(points)
    return RecordEntry(
        str(record.get("key") or f"line-{number}"),
        number,
        str(record.get("word") or "")[:64],
        str(record.get("said") or "")[:64],
        _fitted(strokes),
        str(record.get("model") or "")[:200],
        str(record.get("date") or "")[:16].replace("T", " "),
    )


def ink_of(record: dict) -> Ink:
    """The ink of a line of the file, for those who want to draw it again."""
    from play.ink import Stroke

    strokes = []
    for x, y, *rest in record["drawing"]:
        times = tuple(t / 1000 for t in rest[0]) if rest else (0.0,) * len(x)
        strokes.append(Stroke(tuple(zip(x, y, strict=True)), times))
    return tuple(strokes)


def _fitted(strokes: list) -> tuple:
    from play.ink import Stroke

    box = bounds(tuple(Stroke(points, ()) for points in strokes))
    if box is None:
        return ()
    left, top, right, bottom = box
    extent = max(right - left, bottom - top) or 1.0
    x0, y0 = (left + right - extent) / 2, (top + bottom - extent) / 2
    return tuple(tuple(((x - x0) / extent, (y - y0) / extent) for x, y in points) for points in strokes)


def _parsed(line: bytes) -> dict | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _mend(descriptor: int) -> int:
    """Cuts off a torn last line, or ends a whole one; returns the number of lines."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, 0, os.SEEK_SET)
    count, tail, left = 0, b"", size
    while left:
        block = os.read(descriptor, min(left, 1 << 20))
        if not block:
            break
        left -= len(block)
        count += block.count(b"\n")
        cut = block.rfind(b"\n")
        tail = tail + block if cut < 0 else block[cut + 1 :]
    if not tail:
        return count
    if _parsed(tail) is not None:
        os.write(descriptor, b"\n")
        return count + 1
    os.ftruncate(descriptor, size - len(tail))
    return count


def _private(path: Path) -> None:
    if sys.platform != "win32" and path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
