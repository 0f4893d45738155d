"""The list of runs on the Train screen: which one answers, which one is shown, copies, the bin."""

from pathlib import PurePath

from play import studio as studios
from play.answers import ModelInfo
from play.layout import Control, Layout, Rect
from play.places import Listing, gap_of
from play.state import PlayState
from play.view import parts
from play.view.painter import Block, Painter

LABELS = ("In use", "Shown", "Copy", "Sure?")
"""The buttons' longest, for columns that run through all cards."""


def controls(state: PlayState, layout: Layout, rect: Rect, info: ModelInfo) -> list[Control]:
    """Whose answer is on the canvas, whose curves are shown, and what can be done with its folder."""
    name, run, used = info.name, state.studio.run, state.models[0]
    uses, loads = used is not None and used.path == info.path, state.awaited[0] == info.path
    shown = run is not None and run.path == info.path
    sure, stays = state.studio.confirm == info.path, studios.stays(state.studio, name, info.path)
    buttons = (
        Control(
            f"model:{name}",
            rect,
            "…" if loads else "In use" if uses else "Use",
            on=uses,
            enabled=not loads and not info.error,
            tip="It answers for the canvas" if uses else "Let it answer for the canvas",
            why=info.error or "One moment: it is being loaded",
        ),
        Control(
            f"watch:{name}",
            rect,
            "Shown" if shown else "Show",
            on=shown,
            tip="How it learnt is what is shown" if shown else "Show how it learnt",
        ),
        Control(f"copy:{name}", rect, "Copy", tip="Copy it under another name"),
        Control(
            f"bin:{name}",
            rect,
            "Sure?" if sure else "Bin",
            on=sure,
            enabled=not stays,
            tip="Once more puts it into the bin" if sure else "Put it into the bin",
            why=stays,
        ),
    )
    _, below = _places(layout, rect)
    places = below.labelled(LABELS, max(2, round(4 * layout.unit)))
    return [one._replace(rect=place, plate=True) for one, place in zip(buttons, places, strict=True)]


def block(state: PlayState, layout: Layout, rect: Rect, info: ModelInfo) -> Block:
    """Its name and how well it reads; a border around the one that answers."""
    upper, _ = _places(layout, rect)
    accuracy = "" if info.accuracy is None else f"{100 * info.accuracy:.2f} %"
    used = state.models[0] is not None and state.models[0].path == info.path
    facts = "broken" if info.error else accuracy

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect, chosen=used)
        half = round(upper.w * 0.62)
        color = palette.second if info.error else palette.text
        painter.text(info.name, upper._replace(w=half), color, bold=True, smallest=0.5)
        place = Rect(upper.x + half, upper.y, upper.w - half, upper.h)
        painter.text(facts, place, palette.muted, size=0.9, align="right", smallest=0.5)

    return Block(rect, (info, used), paint)


def bin_control(state: PlayState, layout: Layout, listing: Listing) -> Control:
    """From the runs to those in the bin and back, in the list's heading."""
    count, heading = len(state.studio.binned), listing.heading
    right = listing.up.x - (gap_of(layout) if listing.limit else 0)
    width = min(round(layout.text * 4.4), heading.w // 2)
    return Control(
        "binned",
        Rect(right - width, heading.y, width, heading.h),
        f"Bin {count}" if count else "Bin",
        on=state.studio.in_bin,
        enabled=count > 0,
        tip="Back to the runs" if state.studio.in_bin else "The runs in the bin, to put them back",
        why="The bin is empty",
    )


def binned_control(layout: Layout, rect: Rect, path: str) -> Control:
    """Puts a run back that is in the bin."""
    _, below = _places(layout, rect)
    place = below._replace(w=below.w // 2)
    return Control(
        f"back:{PurePath(path).name}", place, "Put back", plate=True, tip="Among the other runs again"
    )


def binned_block(layout: Layout, rect: Rect, path: str) -> Block:
    """The name of a run that is in the bin."""
    upper, _ = _places(layout, rect)

    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        painter.text(PurePath(path).name, upper, painter.palette.text, bold=True, smallest=0.5)

    return Block(rect, ("binned", path), paint)


def _places(layout: Layout, rect: Rect) -> tuple[Rect, Rect]:
    """Of a run's card: where it is described, and its buttons."""
    inner = rect.inset(max(2, round(9 * layout.unit)))
    upper = inner.top(round(inner.h * 0.46))
    return upper, inner.below(upper.h)
