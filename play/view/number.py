"""Number: a line of digits on a wide canvas, each in its box, and what is read while it is written."""

from play.answers import DigitRead
from play.layout import Layout, Rect, from_canvas
from play.state import PlayState
from play.verdict import NOT_A_DIGIT, SURE
from play.view import parts
from play.view.answer import huge_block
from play.view.draw import missing_block, problem_block
from play.view.painter import Block, Painter
from play.view.screen import Overlay, Screen

NARROWEST = 4.6
"""Width of a digit's card, in heights of the text."""
REACH = 12.0
"""How far a box is from its digit's centre lines beside the pen, in canvas units."""


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The number in huge type, and a card for each digit."""
    panel, gap = layout.panel, max(4, layout.margin // 2)
    if state.missing:
        return (missing_block(state, panel),)
    if state.problem:
        return (problem_block(state, panel),)
    if panel.w > 2.2 * panel.h:
        whole = panel._replace(w=round(panel.w * 0.42))
        rest = Rect(whole.right + gap, panel.y, panel.right - whole.right - gap, panel.h)
    else:
        whole = panel.top(round(panel.h * 0.5))
        rest = panel.below(whole.h + gap)
    read = state.number.text if state.number is not None and state.strokes else ""
    number = huge_block(state, whole, read, empty="Write a number on the canvas")
    return number, _cards_block(state, rest)


def overlay(state: PlayState, layout: Layout) -> Overlay | None:
    """A box around each digit with what it is read as."""
    read = state.number
    if read is None or not read.digits or not state.strokes:
        return None

    def paint(painter: Painter) -> None:
        for digit in read.digits:
            _paint_box(painter, layout, digit, state.pen / 2 + REACH)

    return Overlay((read.digits, state.pen), paint)


def _cards_block(state: PlayState, rect: Rect) -> Block:
    read = state.number if state.strokes else None
    digits = () if read is None else read.digits
    shown = tuple((digit.answer, *_odds(digit)) for digit in digits)
    heading = (
        _count(shown) if read is not None else "One moment." if state.strokes else "A card for each digit"
    )

    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        inner = parts.heading(painter, heading, inner)
        room = max(1, int(inner.w // (NARROWEST * painter.text_size)))
        for card, place in zip(
            shown[:room], inner.columns(max(4, min(room, len(shown))), painter.px(6)), strict=False
        ):
            _paint_card(painter, place, *card)

    return Block(rect, (shown, heading), paint)


def _paint_card(painter: Painter, rect: Rect, answer: str, sure: float, second: str) -> None:
    palette = painter.palette
    painter.box(rect, palette.raised, 8)
    inner = rect.inset(painter.px(6))
    line = round(painter.text_size * 1.4)
    sign = inner.top(inner.h - 2 * line)
    sign = sign.inset(round(0.12 * min(sign.w, sign.h)))
    words = inner.below(inner.h - 2 * line)
    if answer == NOT_A_DIGIT:
        painter.digit("?", sign, palette.second)
        painter.text(answer, words.top(line), palette.second, align="centre", size=0.85)
        return
    painter.digit(answer, sign, palette.text)
    painter.text(parts.percent(sure), words.top(line), palette.text, align="centre", size=0.9)
    if second:
        painter.text(f"or {second}", words.below(line), palette.second, align="centre", size=0.9)


def _paint_box(painter: Painter, layout: Layout, digit: DigitRead, reach: float) -> None:
    """Four lines and a label above them, or below where there is no room; nothing beyond the canvas."""
    palette, canvas = painter.palette, layout.canvas
    left, top = from_canvas(layout, digit.box[0] - reach, digit.box[1] - reach)
    right, bottom = from_canvas(layout, digit.box[2] + reach, digit.box[3] + reach)
    x0, y0 = max(canvas.x, round(left)), max(canvas.y, round(top))
    x1, y1 = min(canvas.right, round(right)), min(canvas.bottom, round(bottom))
    refused = digit.answer == NOT_A_DIGIT
    color = palette.second if refused else palette.accent
    thick = max(1, painter.px(2))
    for line in (
        Rect(x0, y0, x1 - x0, thick),
        Rect(x0, y1 - thick, x1 - x0, thick),
        Rect(x0, y0, thick, y1 - y0),
        Rect(x1 - thick, y0, thick, y1 - y0),
    ):
        painter.fill(line, color)
    label = "?" if refused else f"{digit.answer}  {parts.percent(_odds(digit)[0])}"
    height = round(painter.text_size * 1.3)
    y = y0 - height if y0 - height >= canvas.y else min(y1, canvas.bottom - height)
    width = min(canvas.w, round(painter.text_size * 4.2))
    x = min(max(x0, canvas.x), canvas.right - width)
    painter.text(label, Rect(x, y, width, height), color, size=0.9, bold=True)


def _odds(digit: DigitRead) -> tuple[float, str]:
    """Probability of the likeliest digit, and the second one where that is in doubt."""
    order = sorted(range(10), key=lambda d: (-digit.probabilities[d], d))
    sure = digit.probabilities[order[0]]
    return sure, str(order[1]) if sure < SURE and digit.answer != NOT_A_DIGIT else ""


def _count(shown: tuple[tuple[str, float, str], ...]) -> str:
    refused = sum(answer == NOT_A_DIGIT for answer, _, _ in shown)
    count = len(shown) - refused
    text = f"{count} digit{'' if count == 1 else 's'}"
    return f"{text}, {refused} not a digit" if refused else text


SCREEN = Screen(blocks, overlay=overlay)
