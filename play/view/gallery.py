"""Gallery: the drawings on this machine, wrong ones first; relabel, delete, export, import."""

import os
from pathlib import PurePath
from typing import NamedTuple

import pygame

from play.events import FoundFile, RecordEntry
from play.gallery import EXPORTS, IMPORTS
from play.layout import Control, Layout, Rect
from play.places import Listing, gallery_places, gap_of, scroll_controls
from play.state import PlayState
from play.verdict import DIGITS, NOT_A_DIGIT, OTHER_WORD, with_article
from play.view import parts
from play.view.painter import Block, Painter, text_width
from play.view.screen import Screen

LABELS = (*map(str, range(10)), OTHER_WORD)
CHOOSES, ADDS = "Choose it, to correct its label or to delete it", "Add its drawings to yours"
UNCHOSEN = "Choose a drawing first"
FILES = (
    ("export:ndjson", "Export strokes", "X", "Write all drawings into one file, without times"),
    ("export:ndjson+times", "… with times", "", "Write all drawings and when each point was drawn"),
    ("export:png", "Export pictures", "", "Write a folder of pictures"),
    ("import", "Import", "", "Add the drawings of a file"),
)


class Detail(NamedTuple):
    """The right side: a card with its buttons inside, the buttons for files, and where files go."""

    card: Rect
    labels: tuple[Rect, ...]
    delete: Rect
    files: tuple[Rect, ...]
    folder: Rect


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The grid, and the chosen drawing."""
    listing, detail = gallery_places(state, layout)
    found = [_heading_block(state, listing)]
    files = state.gallery.files
    if files is not None:
        if not files:
            found.append(_no_files_block(state, _grid_rect(state, layout, listing)))
        found += [_file_block(state, rect, files[index]) for index, rect in listing.cells]
    elif not state.gallery.entries:
        found.append(_empty_block(_grid_rect(state, layout, listing)))
    else:
        found += [_cell_block(state, rect, state.gallery.entries[index]) for index, rect in listing.cells]
    places = _detail(layout, detail)
    found.append(_detail_block(state, layout, places.card))
    found.append(_folder_block(state, places.folder))
    return tuple(found)


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """The drawings, the labels, deleting, files."""
    listing, detail = gallery_places(state, layout)
    entries, chosen = state.gallery.entries, _chosen(state)
    found = [*scroll_controls(listing)]
    files = state.gallery.files
    for index, rect in listing.cells:
        if files is not None:
            found.append(Control(f"import:{files[index].path}", rect, "", own=True, tip=ADDS))
            continue
        entry = entries[index]
        on = entry.key == state.gallery.selected
        found.append(Control(f"entry:{entry.key}", rect, entry.word, on=on, own=True, tip=CHOOSES))
    places = _detail(layout, detail)
    for word, rect in zip(LABELS, places.labels, strict=True):
        text = "Not a digit" if word == OTHER_WORD else word
        on = chosen is not None and chosen.word == word
        key = "N" if word == OTHER_WORD else word
        tip = f"It is {'no digit' if word == OTHER_WORD else with_article(word)}"
        label = Control(f"label:{word}", rect, text, "", key, on=on, plate=True, tip=tip, why=UNCHOSEN)
        found.append(label._replace(enabled=chosen is not None))
    sure = chosen is not None and state.gallery.confirm == chosen.key
    text, tip = ("Really delete", "Once more removes it for good") if sure else ("Delete", "Remove it")
    delete = Control("delete", places.delete, text, "", "Del", on=sure, plate=True, tip=tip, why=UNCHOSEN)
    found.append(delete._replace(enabled=chosen is not None))
    for (action, text, key, tip), rect in zip(FILES, places.files, strict=True):
        on = action == "import" and files is not None
        able, why = (
            action == "import" or bool(entries),
            "There is nothing to export yet: save a drawing first",
        )
        label, tip = ("Close", "Back to the drawings") if on else (text, tip)
        found.append(Control(action, rect, label, "", key, on=on, enabled=able, tip=tip, why=why))
    return tuple(found)


def _chosen(state: PlayState) -> RecordEntry | None:
    return next((entry for entry in state.gallery.entries if entry.key == state.gallery.selected), None)


def _detail(layout: Layout, rect: Rect) -> Detail:
    gap, text = gap_of(layout), layout.text
    button = round(text * 2.2)
    line = 2 * round(round(text * 0.8) * 1.35)
    folder = Rect(rect.x, rect.bottom - line, rect.w, line)
    files = Rect(rect.x, folder.y - gap - 2 * button - gap, rect.w, 2 * button + gap)
    card = rect._replace(h=files.y - gap - rect.y)
    inner = card.inset(max(4, round(10 * layout.unit)))
    small = max(2, round(5 * layout.unit))
    wide = inner.w > 1.6 * inner.h
    place = inner._replace(x=inner.x + inner.w // 2, w=inner.w - inner.w // 2) if wide else inner
    height = min(button, (place.h - 2 * small) // 3)
    area = Rect(place.x, place.bottom - 3 * height - 2 * small, place.w, 3 * height + 2 * small)
    first, second, third = area.rows(3, small)
    other, delete = third.columns(2, small)
    labels = (*first.columns(5, small), *second.columns(5, small), other)
    upper, lower = files.rows(2, gap)
    return Detail(card, labels, delete, (*upper.columns(2, gap), *lower.columns(2, gap)), folder)


def _grid_rect(state: PlayState, layout: Layout, listing: Listing) -> Rect:
    heading = listing.heading
    _, detail = gallery_places(state, layout)
    panel = layout.panel
    bottom = panel.bottom if detail.x > heading.x else detail.y - gap_of(layout)
    top = heading.bottom + gap_of(layout)
    return Rect(heading.x, top, heading.w, max(0, bottom - top))


def _heading_block(state: PlayState, listing: Listing) -> Block:
    count = len(state.gallery.entries)
    files = state.gallery.files
    wrong = sum(1 for entry in state.gallery.entries if entry.wrong)
    room = 2 * listing.heading.h + listing.heading.h // 3 if listing.limit else 0

    legend = ""
    if files is not None:
        text = "Choose a file, or drop one here" if files else "Import"
    elif count:
        text = f"{count} drawing{'' if count == 1 else 's'}, {wrong} read wrongly"
        legend = ": what you said ✗ what it said" if wrong else ""
    else:
        text = "No drawings yet"

    def paint(painter: Painter, rect: Rect) -> None:
        painter.fill(rect, painter.palette.ground)
        whole = text + legend if text_width(text + legend, painter.text_size) <= rect.w else text
        painter.text(whole, rect, painter.palette.muted, smallest=0.75)

    return Block(listing.heading._replace(w=max(0, listing.heading.w - room)), text, paint)


def _file_block(state: PlayState, rect: Rect, file: FoundFile) -> Block:
    action = f"import:{file.path}"
    focused, hovered = state.focus == action, state.hover == action
    path = PurePath(file.path)
    size = f"{file.size / 1e6:.1f} MB" if file.size >= 1e5 else f"{-(-file.size // 1000)} kB"
    texts = (f"{_short_path(path.parent)}  ·  {size}  ·  {file.date}", f"{size}  ·  {file.date}", size)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect, focused=focused, hovered=hovered)
        inner = rect.inset(painter.px(10))
        line = round(painter.text_size * 1.35)
        needed = line + painter.px(2) + round(round(painter.text_size * 0.8) * 1.35)
        inner = inner.below(max(0, (inner.h - needed) // 2))
        painter.text(path.name, inner.top(line), palette.text, bold=True, smallest=0.6)
        parts.note(painter, texts, inner.below(line + painter.px(2)), palette.muted, size=0.8)

    return Block(rect, (file, focused, hovered), paint)


def _no_files_block(state: PlayState, rect: Rect) -> Block:
    folder = _short_path(PurePath(state.gallery.folder) / IMPORTS) if state.gallery.folder else ""

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(20))
        text = "Drop an .ndjson file of drawings on this window."
        inner = inner.below(painter.paragraph(text, inner, palette.text, size=1.15) + painter.px(10))
        text = "None was found in Downloads, Desktop, Documents or your home folder"
        painter.paragraph(f"{text}, nor in {folder}." if folder else f"{text}.", inner, palette.muted)

    return Block(rect, folder, paint)


def _folder_block(state: PlayState, rect: Rect) -> Block:
    """Where exports go."""
    folder = _short_path(PurePath(state.gallery.folder) / EXPORTS) if state.gallery.folder else ""

    def paint(painter: Painter, rect: Rect) -> None:
        painter.fill(rect, painter.palette.ground)
        if folder:
            texts = (f"Exports go to {folder}", folder, f"…{folder[-24:]}", f"…{folder[-14:]}")
            parts.note(painter, texts, rect, painter.palette.muted, size=0.8)

    return Block(rect, folder, paint)


def _short_path(path: PurePath) -> str:
    """With ~ for the home folder."""
    home = PurePath(os.path.expanduser("~"))
    return str(PurePath("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _empty_block(rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(20))
        text = "Draw a digit, then press its key: 0 to 9, or N for “not a digit”."
        inner = inner.below(painter.paragraph(text, inner, palette.text, size=1.15) + painter.px(10))
        text = "It is kept in one file on this machine and never sent anywhere."
        painter.paragraph(text, inner, palette.muted)

    return Block(rect, "empty", paint)


def _cell_block(state: PlayState, rect: Rect, entry: RecordEntry) -> Block:
    action = f"entry:{entry.key}"
    focused, hovered = state.focus == action, state.hover == action
    chosen = entry.key == state.gallery.selected
    key = (entry.key, entry.word, entry.said, focused, hovered, chosen)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect, focused=focused, hovered=hovered, chosen=chosen)
        inner = rect.inset(painter.px(7))
        line = round(painter.text_size * 1.3)
        picture = inner.top(inner.h - line)
        side = min(picture.w, picture.h)
        x = picture.x + (picture.w - side) // 2
        painter.surface.blit(_thumbnail(painter, entry, side), (x, picture.y))
        words = inner.below(picture.h)
        if entry.wrong:
            text = f"{_short(entry.word)} ✗ {_short(entry.said)}"
            painter.text(text, words, palette.second, size=0.9, bold=True, align="centre", smallest=0.7)
        else:
            painter.text(_short(entry.word), words, palette.text, size=0.9, align="centre", smallest=0.7)

    return Block(rect, key, paint)


def _thumbnail(painter: Painter, entry: RecordEntry, side: int) -> pygame.Surface:
    palette = painter.palette
    return parts.unit_thumbnail(entry.strokes, side, palette.paper, palette.ink)


def _short(word: str) -> str:
    """A word for a cell: digits as they are, everything else is "none"."""
    return word if word in DIGITS else "none" if word else "–"


def _spoken(word: str) -> str:
    return NOT_A_DIGIT if word and word not in DIGITS else word


def _detail_block(state: PlayState, layout: Layout, rect: Rect) -> Block:
    entry = _chosen(state)
    labels = _detail(layout, gallery_places(state, layout)[1]).labels
    top = min(place.y for place in labels)
    key = None if entry is None else (entry, state.gallery.confirm)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        if entry is None:
            place = inner._replace(h=max(0, top - inner.y - painter.px(6)))
            texts = (
                "Choose a drawing to see it, to correct its label or to delete it, by touch or arrow keys.",
                "Choose a drawing to correct its label or to delete it.",
                "Choose a drawing.",
            )
            parts.note(painter, texts, place, palette.muted, size=1.0)
            return
        beside = labels[0].x > inner.x + inner.w // 4
        words = 3 * round(painter.text_size * 1.4)
        if beside:
            picture = Rect(inner.x, inner.y, labels[0].x - inner.x - painter.px(10), inner.h)
            about = Rect(labels[0].x, inner.y, inner.right - labels[0].x, max(0, top - inner.y))
        else:
            picture = inner.top(max(0, top - inner.y - words - painter.px(12)))
            about = Rect(inner.x, picture.bottom + painter.px(6), inner.w, words)
        side = max(8, min(picture.w, picture.h))
        left = picture.x + (picture.w - side) // 2
        painter.surface.blit(_thumbnail(painter, entry, side), (left, picture.y + (picture.h - side) // 2))
        said = f", the network said {_spoken(entry.said)}" if entry.said else ""
        lines = [
            f"You said {_spoken(entry.word) or 'nothing'}{said}",
            entry.model or "no network",
            entry.date,
        ]
        height = round(painter.text_size * 1.4)
        for i, text in enumerate(lines[: about.h // height]):
            color = (palette.second if entry.wrong else palette.text) if i == 0 else palette.muted
            place = Rect(about.x, about.y + i * height, about.w, height)
            painter.text(text, place, color, bold=i == 0, size=1 if i == 0 else 0.85, smallest=0.65)

    return Block(rect, key, paint)


SCREEN = Screen(blocks, controls)
