"""Export and import of the user's drawings, on this machine alone, when a person asks for it."""

import contextlib
import datetime
import itertools
import json
import os
import re
from collections.abc import Hashable, Iterable
from pathlib import Path

from digitjax.errors import InputError
from play.events import FoundFile
from play.gallery import EXPORTS
from play.record import Recorder
from play.verdict import DIGITS

ENDINGS = (".ndjson", ".ndjson.gz")
MAX_FILES, MAX_SEEN = 200, 10_000
"""Files that are offered, and names that are looked at in one folder."""
MAX_DRAWINGS, MAX_POINTS = 100_000, 5_000_000
"""Drawings of one imported file, and their points."""
PICTURE = 280
"""Side of an exported picture in pixels."""
MARGIN = 0.12


def export(recorder: Recorder, form: str, *, times: bool = False) -> str:
    """Writes all drawings into the user's `export` folder and says where.

    Args:
        recorder: whose drawings.
        form: "ndjson", one file, or "png", a folder of pictures by word.
        times: keep the times of the points.
    """
    records = recorder.records()
    if not records:
        return "There is nothing to export yet."
    target = recorder.folder / EXPORTS
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    if form == "png":
        return f"{_pictures(recorder, target / 'png')} pictures are in {target / 'png'}"
    path = target / "drawings.ndjson"
    text = "".join(
        json.dumps(_plain(record, times), ensure_ascii=False, separators=(",", ":")) + "\n"
        for record in records
    )
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    binary = getattr(os, "O_BINARY", 0)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o600), "wb") as file:
        file.write(text.encode())
    os.replace(part, path)
    return f"{len(records)} drawings are in {path}"


def import_file(recorder: Recorder, path: Path) -> str:
    """Adds the drawings of an NDJSON file that are not there yet, all or none, and says how many."""
    from digitjax.strokes import read_drawings, to_json

    if not path.name.lower().endswith(ENDINGS):
        return f"{path.name} cannot be imported: give an .ndjson or .ndjson.gz file of drawings."
    known = {_ink(record) for record in recorder.records()}
    fresh, there, points = [], 0, 0
    try:
        for drawing in read_drawings(path):
            record = to_json(drawing)
            ink = _ink(record)
            there += ink in known
            if ink not in known:
                fresh.append(record)
                known.add(ink)
            points += sum(map(len, drawing.strokes))
            if len(fresh) > MAX_DRAWINGS or points > MAX_POINTS:
                return (
                    f"{path.name} has more than {MAX_DRAWINGS:,} drawings or {MAX_POINTS:,} points: split it."
                )
    except InputError as error:
        return f"Nothing was added. {error}"
    if fresh:
        recorder.import_lines(fresh)
    added = f"{len(fresh)} drawing{'' if len(fresh) == 1 else 's'} added"
    return f"{added}, {there} {'was' if there == 1 else 'were'} here already." if there else f"{added}."


def find_files(folders: Iterable[Path]) -> tuple[FoundFile, ...]:
    """The NDJSON files that lie in folders, not deeper, the newest first."""
    found: dict[Path, tuple[float, int]] = {}
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in itertools.islice(entries, MAX_SEEN):
                with contextlib.suppress(OSError):
                    if entry.name.lower().endswith(ENDINGS) and entry.is_file():
                        about = entry.stat()
                        found[Path(entry.path)] = about.st_mtime, about.st_size
    newest = sorted(found.items(), key=lambda item: (-item[1][0], str(item[0])))[:MAX_FILES]
    return tuple(FoundFile(str(path), size, _day(date)) for path, (date, size) in newest)


def usual_folders() -> list[Path]:
    """Where people keep what they were given: downloads, desktop, documents, home."""
    home = Path.home()
    found = [home / name for name in ("Downloads", "Desktop", "Documents")]
    named = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "user-dirs.dirs"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = re.findall(r'^XDG_(?:DOWNLOAD|DESKTOP|DOCUMENTS)_DIR="(.+)"$', named.read_text("utf-8"), re.M)
        found += [Path(line.replace("$HOME", str(home))) for line in lines]
    return [*dict.fromkeys(found), home]


def _day(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _ink(record: dict) -> Hashable:
    """What makes a drawing the same one: its word and the places of its points."""
    try:
        points = tuple((tuple(stroke[0]), tuple(stroke[1])) for stroke in record["drawing"] if stroke[0])
        hash(points)
    except (TypeError, IndexError, KeyError):  # a line that somebody else wrote
        return None
    return record.get("word") or "", points


def _plain(record: dict, times: bool) -> dict:
    drawing = [stroke[: 3 if times else 2] for stroke in record["drawing"]]
    kept = {name: record[name] for name in ("word", "source", "writer") if record.get(name)}
    return kept | {"drawing": drawing}


def _pictures(recorder: Recorder, target: Path) -> int:
    import pygame

    from play.view.ink_layer import picture

    for old in target.glob("*/*.png"):  # of drawings that may have been deleted since
        if re.fullmatch(r"\d{5}\.png", old.name):
            old.unlink()
    count = 0
    for entry in recorder.entries():
        if not entry.strokes:
            continue
        name = entry.word if entry.word in DIGITS else "other"
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pygame.image.save(
            picture(entry.strokes, PICTURE, MARGIN), str(folder / f"{entry.number + 1:05d}.png")
        )
        count += 1
    return count
