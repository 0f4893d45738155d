"""Export and import of the user's drawings, on this machine alone, when a person asks for it."""

import json
from pathlib import Path

from digitjax.errors import InputError
from play.record import Recorder

EXPORTS, IMPORTS = "export", "import"
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
    part.write_text(text, encoding="utf-8")
    part.chmod(0o600)
    part.replace(path)
    return f"{len(records)} drawings are in {path}"


def import_folder(recorder: Recorder) -> str:
    """Adds the drawings of every NDJSON file in the user's `import` folder and says how many."""
    folder = recorder.folder / IMPORTS
    files = sorted([*folder.glob("*.ndjson"), *folder.glob("*.ndjson.gz")]) if folder.is_dir() else []
    if not files:
        return f"Put .ndjson files into {folder} and press Import again."
    from digitjax.strokes import read_drawings, to_json

    count = 0
    for path in files:
        try:
            drawings = [to_json(drawing) for drawing in read_drawings(path)]
        except InputError as error:
            return f"{error} ({count} drawings of other files were added.)"
        recorder.import_lines(drawings)
        count += len(drawings)
        path.rename(path.with_name(path.name + ".imported"))
    return f"{count} drawing{'' if count == 1 else 's'} added."


def _plain(record: dict, times: bool) -> dict:
    drawing = [stroke[: 3 if times else 2] for stroke in record["drawing"]]
    kept = {name: record[name] for name in ("word", "source", "writer") if record.get(name)}
    return kept | {"drawing": drawing}


def _pictures(recorder: Recorder, target: Path) -> int:
    import pygame

    from play.view.ink_layer import picture

    count = 0
    for entry in recorder.entries():
        if not entry.strokes:
            continue
        name = entry.word if entry.word in set("0123456789") else "other"
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pygame.image.save(
            picture(entry.strokes, PICTURE, MARGIN), str(folder / f"{entry.number + 1:05d}.png")
        )
        count += 1
    return count
