"""The gallery's part of the state: recorded drawings, wrong ones first. Pure."""

from typing import NamedTuple

from play.effects import Delete, Effect, Export, Import, ListFiles
from play.events import UNSURE, FoundFile, RecordEntry

EXPORTS, IMPORTS = "export", "import"
"""Folders in the user's own: where exports go, and one of those where files to import are looked for."""


class Gallery(NamedTuple):
    """Attributes:
    entries: what was recorded, wrong ones first, then the newest.
    selected: key of the chosen entry.
    first: row at the top.
    confirm: key of the entry whose deletion waits for a second press.
    confirmed: time from which that press counts: not the second of a double click.
    follow: whether the chosen entry is brought into sight.
    folder: where the drawings are.
    files: what can be imported, while that is asked; else None.
    first_file: row at the top of those.
    """

    entries: tuple[RecordEntry, ...] = ()
    selected: str | None = None
    first: int = 0
    confirm: str | None = None
    confirmed: float = 0.0
    follow: bool = False
    folder: str = ""
    files: tuple[FoundFile, ...] | None = None
    first_file: int = 0


def listed(gallery: Gallery, entries: tuple[RecordEntry, ...], folder: str = "") -> Gallery:
    """The gallery after the file was read again."""
    ordered = tuple(sorted(entries, key=lambda entry: (not entry.wrong, -entry.number)))
    keys = {entry.key for entry in ordered}
    selected = gallery.selected if gallery.selected in keys else None
    first = min(gallery.first, max(len(ordered) - 1, 0))
    return gallery._replace(
        entries=ordered,
        selected=selected,
        first=first,
        confirm=None,
        follow=selected is not None,
        folder=folder or gallery.folder,
    )


def choose(gallery: Gallery, step: int) -> Gallery:
    """The next entry (step 1) or the one before; the first where none is chosen."""
    keys = [entry.key for entry in gallery.entries]
    if not keys:
        return gallery
    at = keys.index(gallery.selected) + step if gallery.selected in keys else 0
    return gallery._replace(selected=keys[min(max(at, 0), len(keys) - 1)], confirm=None, follow=True)


def press(gallery: Gallery, name: str, argument: str, time: float) -> tuple[Gallery, tuple[Effect, ...], str]:
    """What an action does here at a time: the gallery, what is to be done outside, and a sentence to say."""
    if name == "entry":
        if all(entry.key != argument for entry in gallery.entries):
            return gallery, (), ""
        selected = None if gallery.selected == argument else argument
        return gallery._replace(selected=selected, confirm=None), (), ""
    if name == "delete":
        if gallery.selected is None:
            return gallery, (), "Choose a drawing first."
        if gallery.confirm != gallery.selected:
            asked = gallery._replace(confirm=gallery.selected, confirmed=time + UNSURE)
            return asked, (), "Press Delete once more to remove it for good."
        if time < gallery.confirmed:
            return gallery, (), ""
        return gallery._replace(confirm=None, selected=None), (Delete(gallery.selected),), ""
    if name == "export":
        form, _, times = argument.partition("+")
        return gallery, (Export(form or "ndjson", times == "times"),), ""
    if name == "import" and argument:
        if all(file.path != argument for file in gallery.files or ()):
            return gallery, (), ""
        return gallery._replace(files=None), (Import(argument),), ""
    if name == "import":
        asked = gallery.files is None
        return gallery._replace(files=() if asked else None, first_file=0), (ListFiles(),) * asked, ""
    return gallery, (), ""
