"""What frames every screen: controls, the status line, notices, numbers."""

import functools

from play.answers import ModelInfo
from play.layout import Control, Layout, Rect
from play.state import PlayState
from play.view import parts
from play.view.painter import Block, Painter, text_width
from play.view.theme import Color

FULL = "⛶"


Labels = tuple[tuple[str, Rect], ...]


@functools.lru_cache(maxsize=64)
def alike(controls: tuple[Control, ...]) -> dict[str, Labels]:
    """For each button the labels and places of its like, its own too: in its row, or of its shape."""
    groups: list[list[Control]] = []
    for one in controls:
        if one.icon or one.own or not one.label:
            continue
        near = [group for group in groups if any(_is_like(one, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([one, *(other for group in near for other in group)])
    found = {}
    for group in groups:
        labels = tuple((one.label, one.rect) for one in group)
        found |= dict.fromkeys((one.action for one in group), labels)
    return found


def _is_like(one: Control, other: Control) -> bool:
    if one.plate != other.plate or one.rect.h != other.rect.h:
        return False
    return one.rect.y == other.rect.y or abs(one.rect.w - other.rect.w) <= 1


def control_block(control: Control, focused: bool, hovered: bool, labels: Labels = ()) -> Block:
    """A button in its state; its label is as large as those of its like (`alike`)."""

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        ground = palette.surface if control.plate else palette.ground
        painter.fill(rect, ground)
        color = palette.raised if control.plate or (hovered and control.enabled) else palette.surface
        if control.plate and hovered and control.enabled:
            color = palette.line
        text = palette.text if control.enabled else palette.muted
        if control.on:
            color, text = palette.accent, palette.on_accent
        painter.box(parts.ring(painter, rect, 9, ground) if focused else rect, color, 9)
        inner = rect.inset(painter.px(4))
        if control.icon and control.label:
            half = inner.top(round(inner.h * 0.56))
            sign = text if control.enabled else palette.line
            painter.text(control.icon, half, sign, size=1.4, align="centre")
            painter.text(control.label, inner.below(half.h), text, size=0.78, align="centre")
        elif control.icon == FULL:
            _corners(painter, rect, text)
        else:
            places = [(label, at.inset(painter.px(4))) for label, at in labels]
            size = painter.common(places, bold=True)  # a chosen one is bold: none changes its size by that
            painter.text(
                control.icon or control.label, inner, text, size=size, align="centre", bold=control.on
            )

    return Block(control.rect, (control, focused, hovered, labels), paint)


def _corners(painter: Painter, rect: Rect, color: Color) -> None:
    """The sign for the whole screen, which the font lacks: the corners of a frame."""
    side = min(rect.w, rect.h, round(painter.text_size * 0.95))
    long, thick = side // 3, max(1, round(painter.text_size / 9))
    x, y = rect.x + (rect.w - side) // 2, rect.y + (rect.h - side) // 2
    for at_x, at_y in (
        (x, y),
        (x + side - long, y),
        (x, y + side - long),
        (x + side - long, y + side - long),
    ):
        painter.fill(Rect(at_x, y if at_y == y else y + side - thick, long, thick), color)
        painter.fill(Rect(x if at_x == x else x + side - thick, at_y, thick, long), color)


def status_block(state: PlayState, layout: Layout, tip: str = "") -> Block:
    """What is pointed at, a notice, or which network is used."""
    info = state.models[0]
    shorter: list[str] = []
    if state.notice:
        text = state.notice
    elif tip:
        text = tip
    elif info is not None:
        text, *shorter = _network(info, dated=not state.numbers_shown)  # the numbers need the date's room
    elif state.problem:
        text = state.problem
        if state.missing:
            text = "No network yet: train one on the Train screen"
        elif _told(state):
            text = "No network: choose one in Models"
    else:
        text = "Loading the network; you can draw already."
    numbers = ""
    options = (text, *shorter)
    if state.numbers_shown:
        answer = state.numbers.ink_to_answer
        known = "no answer yet" if answer is None else f"ink to answer {answer:.1f} ms"
        skipped = state.numbers.dropped
        numbers = f"{known} · frame {state.numbers.frame:.1f} ms · {skipped} skipped"

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        right = round(rect.w * 0.45) if numbers else 0
        left = rect._replace(w=rect.w - right)
        color = palette.text if state.notice else palette.muted
        size = round(0.9 * painter.text_size)
        text = next((one for one in options if text_width(one, size) <= left.w), options[-1])
        painter.text(text, left, color, size=0.9, bold=bool(state.notice), smallest=0.7)
        if numbers:
            place = Rect(rect.right - right, rect.y, right, rect.h)
            painter.text(numbers, place, palette.muted, size=0.9, align="right", smallest=0.7)

    return Block(layout.status, (options, numbers, bool(state.notice)), paint)


def _told(state: PlayState) -> bool:
    """Whether the panel says why there is no network."""
    if state.screen == "why":
        return bool(state.strokes)
    return state.screen == "number" or (state.screen == "draw" and not state.saving)


def _network(info: ModelInfo, *, dated: bool) -> tuple[str, ...]:
    """Which network is used and how well it reads which digits, the longest first."""
    name = f"{info.name} · step {info.step}"
    if info.accuracy is None:
        return (f"{name} · {info.date}",) if dated and info.date else (name,)
    reads = f"{name} · reads {100 * info.accuracy:.2f} % of"
    whole = f"{reads} {info.held_out or 'held-out digits'}"
    short = f"{reads} {info.held_out.partition(' (')[0]}, held out" if info.held_out else whole
    return (f"{whole} · {info.date}", whole, short) if dated and info.date else (whole, short)
