"""The files of Score my hand: drawings as the recorder writes them, a new file each time."""

import contextlib
import datetime
import itertools
import json
import os
import uuid
from pathlib import Path

from digitjax.errors import InputError
from play import score
from play.effects import Record
from play.events import Card, ScoreSaved, ScoresListed, Taken
from play.record import RecordError, parsed, remedy, shown, to_json
from play.verdict import DIGITS, NOT_A_DIGIT

FOLDER = "scores"
MAX_SEEN = 1000
"""Files that are looked at."""
MAX_LINES = 1000
"""Lines of a file at most."""
MAX_SECONDS = 86400.0
"""What the writing of one digit may have taken."""


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
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordError(
            f"Not saved ({error.strerror or error}): {target} cannot be written, {remedy(error)} or give "
            "--user-dir."
        ) from error
    return ScoreSaved(str(path))


def last_card(folder: Path) -> ScoresListed:
    """The card of the newest file that can be read."""
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(folder / FOLDER) as entries:
        found = (entry.name for entry in entries if entry.name.endswith(".ndjson") and entry.is_file())
        names = sorted(found, reverse=True)[:MAX_SEEN]  # a pipe would keep whoever opens it waiting
    for name in names:
        with contextlib.suppress(OSError, InputError):
            if (card := _card(folder / FOLDER / name)) is not None:
                return ScoresListed(card)
    return ScoresListed(None)


def _card(path: Path) -> Card | None:
    """The card of a file; lines that are none of ours are passed over."""
    from digitjax.strokes import MAX_LINE_BYTES

    with open(path, "rb") as file:
        lines = itertools.islice(iter(lambda: file.readline(MAX_LINE_BYTES), b""), MAX_LINES)
        taken = tuple(one for one in map(_taken, lines) if one is not None)
    return score.card_of(taken, shown(path.stem, 10)) if taken else None


def _taken(line: bytes) -> Taken | None:
    from digitjax.strokes import from_json

    values = parsed(line)
    if values is None:
        return None
    word, said, probabilities = (values.get(name) for name in ("word", "said", "probabilities"))
    if word not in DIGITS or said not in (*DIGITS, NOT_A_DIGIT):
        return None
    if not isinstance(probabilities, list) or len(probabilities) != len(DIGITS):
        return None
    if not all(type(part) in (int, float) and 0 <= part <= 1 for part in probabilities):
        return None
    try:
        from_json(values)
        stamps = [time for stroke in values["drawing"] for time in (stroke[2] if len(stroke) > 2 else ())]
        took = (stamps[-1] - stamps[0]) / 1000 if stamps else 0.0
    except (InputError, ValueError, TypeError, LookupError, OverflowError):
        return None
    if not 0 <= took <= MAX_SECONDS:
        return None
    return Taken(word, said, float(probabilities[int(word)]), took, (), shown(values.get("model"), 200))
