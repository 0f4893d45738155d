"""The files of Score my hand: drawings as the recorder writes them, a new file each time."""

import contextlib
import datetime
import json
import os
import uuid
from pathlib import Path

from digitjax.errors import InputError
from play import score
from play.effects import Record
from play.events import Card, ScoreSaved, ScoresListed, Taken
from play.record import RecordError, to_json

FOLDER = "scores"
MAX_SEEN = 1000
"""Files that are looked at."""


def save(folder: Path, records: tuple[Record, ...]) -> ScoreSaved:
    """Writes the drawings of one time into a new file.

    Raises:
        RecordError: the folder cannot be written.
    """
    target = folder / FOLDER
    name = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = target / f"{name}.ndjson"
        number = 1
        while path.exists():
            number += 1
            path = target / f"{name}-{number}.ndjson"
        part = path.with_suffix(".part")
        lines = (json.dumps(to_json(one, uuid.uuid4().hex), allow_nan=False) + "\n" for one in records)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise RecordError(
            f"Not saved: {target} cannot be written ({error.strerror}): make it writable or give --user-dir."
        ) from error
    return ScoreSaved(str(path))


def last_card(folder: Path) -> ScoresListed:
    """The card of the newest file that can be read."""
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(folder / FOLDER) as entries:
        names = sorted((e.name for e in entries if e.name.endswith(".ndjson")), reverse=True)[:MAX_SEEN]
    for name in names:
        with contextlib.suppress(OSError, InputError):
            if (card := _card(folder / FOLDER / name)) is not None:
                return ScoresListed(card)
    return ScoresListed(None)


def _card(path: Path) -> Card | None:
    from digitjax.strokes import MAX_LINE_BYTES, from_json

    taken = []
    with open(path, "rb") as file:
        for line in iter(lambda: file.readline(MAX_LINE_BYTES), b""):
            try:
                values = json.loads(line)
                from_json(values)
                word, said = str(values["word"]), str(values["said"])[:64]
                probability = float(values["probabilities"][int(word)])
                stamps = [time for stroke in values["drawing"] for time in stroke[2]]
                took = (stamps[-1] - stamps[0]) / 1000 if stamps else 0.0
                taken.append(Taken(word, said, probability, took, (), str(values.get("model", ""))[:200]))
            except (InputError, ValueError, TypeError, LookupError, RecursionError, OverflowError):
                return None
            if len(taken) > 1000:
                return None
    return score.card_of(tuple(taken), path.stem[:10]) if taken else None
