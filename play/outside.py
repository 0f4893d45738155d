"""Carries out what the state asks for outside: files of the user's folder, in one thread, in order.

Trainings and runs are `play.runner`'s.
"""

import concurrent.futures
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from play import effects, scores
from play.events import Event, FilesListed, Notice, Recorded, RecordsListed, ScoreSaved
from play.gallery import EXPORTS, IMPORTS
from play.record import Recorder, RecordError
from play.runner import Runner
from play.state import PENS, TEXT_SIZES, THEMES, Settings

SETTINGS = "settings.json"
MAX_SETTINGS = 2**16
"""Bytes of the settings at most."""


class Outside:
    """The user's folder: drawings and settings. A full disk or a locked file costs the window no frame."""

    def __init__(self, folder: Path) -> None:
        self.recorder = Recorder(folder)
        self.runner = Runner(folder)
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "files")
        self._waiting: list[concurrent.futures.Future] = []
        self._pool.submit(_guarded, lambda: _mended(self.recorder))

    def do(self, effect: effects.Effect) -> None:
        """Begins what the effect asks for; effects that are not for files are passed over."""
        if self.runner.do(effect):
            return
        job = self._job(effect)
        if job is not None:
            self._waiting.append(self._pool.submit(_guarded, job))

    def poll(self, wait: bool = False) -> list[Event]:
        """Events of what is done; `wait` for all that was begun."""
        if wait:
            concurrent.futures.wait(self._waiting)
        events = self.runner.poll()
        while self._waiting and self._waiting[0].done():
            events += self._waiting.pop(0).result()
        return events

    def close(self) -> list[Event]:
        """Returns when everything is on the disk, with the events that have not been polled."""
        self.runner.close()
        self._pool.shutdown(wait=True)
        return self.poll()

    def _job(self, effect: effects.Effect) -> Callable[[], list[Event]] | None:
        recorder = self.recorder
        match effect:
            case effects.Record():
                return lambda: _recorded(recorder, effect)
            case effects.Relabel(key, word):
                return lambda: _relabel(recorder, key, word)
            case effects.Delete(key):
                return lambda: _delete(recorder, key)
            case effects.ListRecords():
                return lambda: [_listed(recorder)]
            case effects.Export(form, times):
                return lambda: _export(recorder, form, times)
            case effects.Import(path):
                return lambda: _import(recorder, path)
            case effects.ListFiles():
                return lambda: _files(recorder)
            case effects.SaveScore(records):
                return lambda: [_scored(recorder, records)]
            case effects.ListScores():
                return lambda: [scores.last_card(recorder.folder)]
            case effects.SaveSettings(settings):
                return lambda: save_settings(recorder.folder, settings)
        return None


def load_settings(folder: Path) -> Settings:
    """The settings of the last time; the defaults where there are none or nonsense."""
    path = folder / SETTINGS
    try:
        if not path.is_file() or path.stat().st_size > MAX_SETTINGS:
            return Settings()
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        theme, text_size, pen = values["theme"], values["text_size"], values["pen"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Settings()
    good = theme in THEMES and text_size in TEXT_SIZES and type(pen) is int and 0 <= pen < len(PENS)
    return Settings(theme, text_size, pen) if good else Settings()


def save_settings(folder: Path, settings: dict) -> list[Event]:
    """Writes the settings in one move; that they cannot be written is no reason to disturb anybody."""
    part = folder / (SETTINGS + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.write_text(json.dumps(settings), encoding="utf-8")
        os.replace(part, folder / SETTINGS)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
    return []


def _guarded(job: Callable[[], list[Event]]) -> list[Event]:
    try:
        return job()
    except RecordError as error:
        return [Notice(str(error))]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return [Notice(f"{where}{error.strerror or error}: make it writable or give --user-dir.")]
    except Exception as error:  # whatever is in the files, the drawing goes on
        return [Notice(f"That failed ({type(error).__name__}: {error}): please report it.")]


def _mended(recorder: Recorder) -> list[Event]:
    recorder.mend()
    return []


def _recorded(recorder: Recorder, effect: effects.Record) -> list[Event]:
    """The same ink again is another label for it, unless the drawing was deleted meanwhile."""
    try:
        key = recorder.key_of(effect.ink)
        if key is not None and any(record["key"] == key for record in recorder.records()):
            return _relabel(recorder, key, effect.word)
        return [Recorded(effect.word, recorder.append(effect))]
    except RecordError as error:
        return [Recorded(effect.word, 0, str(error))]


def _scored(recorder: Recorder, records: tuple[effects.Record, ...]) -> Event:
    try:
        return scores.save(recorder.folder, records)
    except RecordError as error:
        return ScoreSaved("", str(error))


def _relabel(recorder: Recorder, key: str, word: str) -> list[Event]:
    recorder.relabel(key, word)
    return [Notice(f"Changed to {word}."), _listed(recorder)]


def _delete(recorder: Recorder, key: str) -> list[Event]:
    recorder.delete(key)
    exports = recorder.folder / EXPORTS
    kept = exports.is_dir() and any(exports.iterdir())
    notice = f"Deleted. Earlier exports may still hold it: {exports}" if kept else "Deleted."
    return [Notice(notice), _listed(recorder)]


def _export(recorder: Recorder, form: str, times: bool) -> list[Event]:
    from play import share

    return [Notice(share.export(recorder, form, times=times))]


def _import(recorder: Recorder, path: str) -> list[Event]:
    from play import share

    return [Notice(share.import_file(recorder, Path(path))), _listed(recorder)]


def _files(recorder: Recorder) -> list[Event]:
    from play import share

    return [FilesListed(share.find_files([recorder.folder / IMPORTS, *share.usual_folders()]))]


def _listed(recorder: Recorder) -> Event:
    return RecordsListed(recorder.entries(), str(recorder.folder))
