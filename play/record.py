"""The user's drawings on their own machine: one NDJSON file that is a data spec as it stands.

Appending is one write to a file opened for appending, synced, under a lock of the operating system, so that
neither `kill -9` nor a second program loses or mixes drawings; the next start or writer cuts off a torn line.
Relabelling and deleting write the file anew and put it in the old one's place. Nothing leaves the machine.
"""

import contextlib
import datetime
import errno
import hashlib
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from digitjax.errors import InputError
from play.effects import Record
from play.events import RecordEntry
from play.ink import Ink, Stroke, fitted

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
        self._keys: dict[bytes, str] = {}

    @property
    def path(self) -> Path:
        """The file, behind a link too; it need not exist yet."""
        return Path(os.path.realpath(self.folder / FILE))

    def append(self, record: Record) -> int:
        """Adds a drawing and returns how many there are; it is on the disk when this returns.

        Raises:
            RecordError: the folder cannot be written or is locked for long.
        """
        key = uuid.uuid4().hex
        with self._errors(), self._locked():
            total = self._append(_line(to_json(record, key))) + 1
        self._keys[_digest(repr(record.ink).encode())] = key
        return total

    def key_of(self, ink: Ink) -> str | None:
        """The key under which this program has recorded this very ink; None where it has not."""
        return self._keys.get(_digest(repr(ink).encode()))

    def mend(self) -> None:
        """Makes the file a data spec again where a program was killed while it wrote; else does nothing.

        Raises:
            RecordError: the file is torn and cannot be written, or is locked for long.
        """
        with self._errors():
            if not self._part.exists() and not _is_torn(self.path):
                return
            with self._locked():
                self._part.unlink(missing_ok=True)
                if self.path.exists():
                    self._append(b"")

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
        with self._errors("read"):
            return tuple(entry_of(number, record) for number, record in self._records())

    def records(self) -> list[dict]:
        """The drawings as JSON values, in order."""
        with self._errors("read"):
            return [record for _, record in self._records()]

    def import_lines(self, lines: list[dict]) -> int:
        """Adds drawings that `digitjax.strokes.from_json` has checked; returns how many there are now."""
        text = b"".join(_line(record | {"key": uuid.uuid4().hex}) for record in lines)
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
        from digitjax.strokes import MAX_LINE_BYTES, from_json

        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b"")):
                record = parsed(line)
                if record is not None:
                    with contextlib.suppress(InputError):
                        from_json(record)
                        yield number, record | {"key": _key(record, line)}

    def _rewrite(self, key: str, change: Callable[[dict], dict | None]) -> None:
        with self._errors(), self._locked():
            found, lines = False, []
            if self.path.exists():
                self._append(b"")  # or the end of a torn line would become one for good
                lines = self.path.read_bytes().split(b"\n")[:-1]
            for number, line in enumerate(lines):
                record = parsed(line)
                if found or record is None or _key(record, line) != key:  # of equal lines only one is meant
                    lines[number] = line + b"\n"
                    continue
                found = True
                changed = change(record | {"key": key})
                try:
                    lines[number] = b"" if changed is None else _line(changed)
                except (ValueError, RecursionError):
                    raise RecordError("Its line holds what cannot be written again: delete it.") from None
            if not found:
                raise RecordError("The drawing is not in the file any more.")
            self._replace(b"".join(lines))

    @property
    def _part(self) -> Path:
        return self.path.with_suffix(".part")

    def _replace(self, text: bytes) -> None:
        part = self._part
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
        _sync_folder(part.parent)

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
    def _errors(self, verb: str = "written") -> Iterator[None]:
        try:
            if self.path.exists() and not self.path.is_file():  # a pipe would keep whoever opens it waiting
                raise OSError("it is no file")
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            begin, what = ("Not saved: ", remedy(error)) if verb == "written" else ("", "make it readable")
            raise RecordError(
                f"{begin}{self.path} cannot be {verb} ({reason}): {what} or give --user-dir."
            ) from error


def remedy(error: OSError) -> str:
    """What helps where a file cannot be written."""
    full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota of this name
    return "make room" if error.errno in full else "make it writable"


def to_json(record: Record, key: str) -> dict:
    """A line of the file: QuickDraw's form with milliseconds, and what the network had said."""
    start = record.ink[0].times[0]
    times = [[round((time - start) * 1000) for time in stroke.times] for stroke in record.ink]
    drawing = [[*points, own] for points, own in zip(columns(record.ink), times, strict=True)]
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


def columns(ink: Ink) -> list[list[list[float]]]:
    """x and y of each stroke's points as they are kept: a drawing is known again by them."""
    return [
        [[round(x, 2) for x, _ in stroke.points], [round(y, 2) for _, y in stroke.points]] for stroke in ink
    ]


def entry_of(number: int, record: dict) -> RecordEntry:
    """A line that `digitjax.strokes.from_json` takes, for the gallery, its ink fitted to the unit square."""
    ink = tuple(
        Stroke([(float(x), float(y)) for x, y in zip(stroke[0], stroke[1], strict=True)], ())
        for stroke in record["drawing"]
        if stroke[0]
    )
    return RecordEntry(
        record["key"],
        number,
        shown(record.get("word"), 64),
        shown(record.get("said"), 64),
        fitted(ink),
        shown(record.get("model"), 200),
        shown(record.get("date"), 16).replace("T", " "),
    )


def shown(value: object, length: int) -> str:
    """A value of somebody's file as text that can be painted and written; "" for what is no text."""
    text = str(value) if isinstance(value, str | int | float) else ""
    return text[:length].encode("utf-8", "replace").decode()


def _line(record: dict) -> bytes:
    """Half of a surrogate pair stays the escape as which it came."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _key(record: dict, line: bytes) -> str:
    """A drawing's key; of a line that somebody else wrote without one, a name that follows from it."""
    key = record.get("key")
    return key if isinstance(key, str) and key.isalnum() else f"line{_digest(line.strip()).hex()}"


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def _is_torn(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return False
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def parsed(line: bytes) -> dict | None:
    """The JSON object of a line, in UTF-8 and with no constants that JSON has not; None where it is none."""
    if not line.strip():
        return None
    try:
        record = json.loads(line.decode(), parse_constant=_no_constant)  # UTF-8, as digitjax.strokes reads it
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")  # and digitjax.strokes refuses the line


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
    if parsed(tail) is not None:
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
