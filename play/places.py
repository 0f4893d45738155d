"""Where the parts of the scrolling screens are, without pygame, so that the state can scroll by it. Pure."""

from typing import NamedTuple

from play.layout import Control, Layout, Rect
from play.state import PlayState
from play.studio import TABS, TITLES


class Listing(NamedTuple):
    """A list or a grid that scrolls by whole rows.

    Attributes:
        heading: above it.
        cells: index and place of what can be seen.
        first: row at the top.
        limit: the last row that can be at the top.
        columns: cells a row.
        up: button towards the beginning; no width where everything can be seen.
        down: and towards the end.
    """

    heading: Rect
    cells: tuple[tuple[int, Rect], ...]
    first: int
    limit: int
    columns: int
    up: Rect
    down: Rect


def wide_panel(rect: Rect) -> bool:
    """Whether a panel's parts stand side by side rather than one over the other."""
    return rect.w > 1.15 * rect.h


def models_places(state: PlayState, layout: Layout) -> tuple[Rect, Listing]:
    """Place of the networks in use, and the list of runs."""
    panel, gap = layout.panel, gap_of(layout)
    if wide_panel(panel):
        use, rest = panel.columns(2, gap)
    else:
        use = panel.top(round(panel.h * (0.46 if state.models[1] is None else 0.54)))
        rest = panel.below(use.h + gap)
    row = round(layout.text * 4.3)
    return use, listing(rest, layout, row, 1, len(state.listed), state.first_model)


class Sliding(NamedTuple):
    """Where a list follows finger or mouse, and pixels from one of its rows to the next."""

    area: Rect
    pitch: int


def list_of(state: PlayState, layout: Layout) -> Listing | None:
    """What scrolls on this screen."""
    if state.screen == "models":
        return models_places(state, layout)[1]
    if state.screen == "gallery":
        return gallery_places(state, layout)[0]
    if state.screen == "train":
        return train_list(state, train_places(state, layout).body, layout)
    return None


def sliding(state: PlayState, layout: Layout) -> Sliding | None:
    """Where this screen's list can be dragged; None where there is none or all of it is in sight."""
    found = list_of(state, layout)
    if found is None or not found.limit or not found.cells or state.help:
        return None
    (_, top), (_, last) = found.cells[0], found.cells[-1]
    area = Rect(found.heading.x, top.y, found.heading.w, last.bottom - top.y)
    return Sliding(area, top.h + gap_of(layout))


class TrainPlaces(NamedTuple):
    """Attributes:
    answer: what the network in use says of the canvas.
    tabs: one for each of `studio.TABS`.
    body: of the chosen tab.
    status: what is known of the run.
    buttons: start, pause and the like.
    """

    answer: Rect
    tabs: tuple[Rect, ...]
    body: Rect
    status: Rect
    buttons: Rect


def train_places(state: PlayState, layout: Layout) -> TrainPlaces:
    """The Train screen's panel: one over the other, or the answer and the buttons beside the rest."""
    run = state.studio.run
    panel, gap = layout.panel, gap_of(layout)
    button = round(layout.text * 2.2)
    status = round(layout.text * (6.2 if run is not None and run.failed else 4.2))
    if wide_panel(panel):
        left = panel._replace(w=round(panel.w * 0.4))
        right = Rect(left.right + gap, panel.y, panel.right - left.right - gap, panel.h)
        answer = left.top(max(0, left.h - button - status - 2 * gap))
        below = left.below(answer.h + gap)
        tabs, body = right.top(button), right.below(button + gap)
    else:
        answer = panel.top(round(layout.text * 6))
        rest = panel.below(answer.h + gap)
        tabs = rest.top(button)
        body = rest.below(button + gap)
        body = body.top(max(0, body.h - button - status - 2 * gap))
        below = Rect(panel.x, body.bottom + gap, panel.w, status + gap + button)
    return TrainPlaces(
        answer,
        tabs.labelled([TITLES[tab] for tab in TABS], max(2, gap // 2)),
        body,
        below.top(max(0, below.h - button - gap)),
        below.below(max(0, below.h - button)),
    )


def train_list(state: PlayState, body: Rect, layout: Layout) -> Listing | None:
    """The list of the chosen tab, if it has one: runs, or the hardest digits."""
    studio, text = state.studio, layout.text
    if studio.tab == "runs":
        count = len(studio.binned) if studio.in_bin else len(state.listed)
        return listing(body, layout, round(text * 4.6), 1, count, studio.first)
    if studio.tab == "hardest":
        times = max(2, round(2 * layout.unit))  # of the image's 28 pixels
        cell = 28 * times + round(12 * layout.unit) + round(text * 1.3)
        columns = max(1, (body.w + gap_of(layout)) // (cell + gap_of(layout)))
        return listing(body, layout, cell, columns, len(studio.hardest), studio.first)
    return None


def gallery_places(state: PlayState, layout: Layout) -> tuple[Listing, Rect]:
    """The grid of drawings (or the list of files), and the place for the chosen one and what can be done."""
    panel, gap = layout.panel, gap_of(layout)
    if panel.w > panel.h:
        side = max(round(panel.w * 0.3), min(round(layout.text * 17), panel.w // 2))
        grid = panel._replace(w=panel.w - side - gap)
        detail = Rect(grid.right + gap, panel.y, side, panel.h)
    else:
        height = max(round(panel.h * 0.38), min(round(layout.text * 17), panel.h // 2))
        grid = panel.top(panel.h - height - gap)
        detail = panel.below(grid.h + gap)
    if state.gallery.files is not None:
        row = round(layout.text * 4)
        return listing(grid, layout, row, 1, len(state.gallery.files), state.gallery.first_file), detail
    cell = max(round(92 * layout.unit), round(layout.text * 6.2))
    columns = max(1, (grid.w + gap) // (cell + gap))
    gallery = state.gallery
    found = listing(grid, layout, cell, columns, len(gallery.entries), gallery.first)
    chosen = next((i for i, entry in enumerate(gallery.entries) if entry.key == gallery.selected), None)
    if gallery.follow and chosen is not None and chosen not in {index for index, _ in found.cells}:
        found = listing(grid, layout, cell, columns, len(gallery.entries), chosen // columns)
    return found, detail


def listing(rect: Rect, layout: Layout, row: int, columns: int, count: int, first: int) -> Listing:
    """A list in a place: a heading, then as many rows as fit; buttons in the heading where not all do."""
    gap = gap_of(layout)
    heading = rect.top(round(layout.text * 2.2))
    rest = rect.below(heading.h + gap)
    fit = max(1, (rest.h + gap) // (row + gap))
    rows = -(-count // columns)
    limit = max(0, rows - fit)
    first = min(max(first, 0), limit)
    size = heading.h if limit else 0
    down = Rect(heading.right - size, heading.y, size, heading.h)
    up = Rect(down.x - size - (gap if size else 0), heading.y, size, heading.h)
    places = Rect(rest.x, rest.y, rest.w, row)
    cells = []
    for line in range(min(fit, rows - first)):
        across = places._replace(y=rest.y + line * (row + gap), h=min(row, rest.h)).columns(columns, gap)
        start = (first + line) * columns
        cells += [(start + i, across[i]) for i in range(min(columns, count - start))]
    return Listing(heading, tuple(cells), first, limit, columns, up, down)


def scroll_controls(found: Listing) -> tuple[Control, ...]:
    """The arrows of a list; none where all of it is in sight."""
    if not found.limit:
        return ()
    up, down = found.first > 0, found.first < found.limit
    return (
        Control("scroll:up", found.up, "▲", enabled=up, tip="Up", why="This is the top"),
        Control("scroll:down", found.down, "▼", enabled=down, tip="Down", why="This is the end"),
    )


def gap_of(layout: Layout) -> int:
    """Pixels between parts of a panel."""
    return max(4, layout.margin // 2)
