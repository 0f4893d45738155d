"""Number: a line of digits on a wide canvas, each in its box, and what is read while it is written."""

import itertools
from collections.abc import Sequence

from play.answers import DigitRead
from play.layout import Layout, Rect, from_canvas
from play.state import PlayState
from play.verdict import NOT_A_DIGIT, SURE
from play.view import parts
from play.view.answer import huge_block
from play.view.draw import missing_block, problem_block
from play.view.painter import Block, Painter, text_width
from play.view.screen import Overlay, Screen
from play.view.theme import Color

NARROWEST, LOWEST = 4.6, 5.0
"""Width and height of a digit's card, in heights of the text."""
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
    """A box around each digit with what it is read as; where there is no room for that, the box alone."""
    read = state.number
    if read is None or not read.digits or not state.strokes:
        return None

    def paint(painter: Painter) -> None:
        boxes = [_box(layout, digit, state.pen / 2 + REACH) for digit in read.digits]
        for digit, box in zip(read.digits, boxes, strict=True):
            _paint_box(painter, box, _color(painter, digit))
        size = max(6, round(0.9 * painter.text_size))
        widths = [text_width(_label(digit), size, True) + painter.px(6) for digit in read.digits]
        sure = [-1.0 if digit.answer == NOT_A_DIGIT else _odds(digit)[0] for digit in read.digits]
        places = label_places(layout.canvas, boxes, widths, round(painter.text_size * 1.3), sure)
        for digit, place in zip(read.digits, places, strict=True):
            if place is not None:
                painter.text(_label(digit), place, _color(painter, digit), size=0.9, bold=True)

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
        places = _card_places(painter, inner, len(shown))
        left = len(shown) - len(places)
        for card, place in zip(shown, places[:-1] if left > 0 else places, strict=False):
            _paint_card(painter, place, *card)
        if left > 0:
            text = f"and {left + 1} more"
            painter.text(text, places[-1], painter.palette.text, size=0.9, align="centre")

    return Block(rect, (shown, heading), paint)


def _card_places(painter: Painter, rect: Rect, count: int) -> tuple[Rect, ...]:
    """Places for so many cards, in as few rows as they need; fewer places where not all find room."""
    gap, text = painter.px(6), painter.text_size
    most = max(1, int((rect.w + gap) // (NARROWEST * text + gap)))
    rows = max(1, min(-(-count // most), int((rect.h + gap) // (LOWEST * text + gap))))
    across = max(min(4, most), min(most, -(-count // rows)))
    return tuple(place for row in rect.rows(rows, gap) for place in row.columns(across, gap))[:count]


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


def _box(layout: Layout, digit: DigitRead, reach: float) -> Rect:
    """Around a digit; nothing beyond the canvas."""
    canvas = layout.canvas
    left, top = from_canvas(layout, digit.box[0] - reach, digit.box[1] - reach)
    right, bottom = from_canvas(layout, digit.box[2] + reach, digit.box[3] + reach)
    x0, y0 = max(canvas.x, round(left)), max(canvas.y, round(top))
    return Rect(x0, y0, min(canvas.right, round(right)) - x0, min(canvas.bottom, round(bottom)) - y0)


def _paint_box(painter: Painter, box: Rect, color: Color) -> None:
    thick = max(1, painter.px(2))
    for line in (
        box.top(thick),
        box.below(box.h - thick),
        box._replace(w=thick),
        box._replace(x=box.right - thick, w=thick),
    ):
        painter.fill(line, color)


def _color(painter: Painter, digit: DigitRead) -> Color:
    return painter.palette.second if digit.answer == NOT_A_DIGIT else painter.palette.accent


def _label(digit: DigitRead) -> str:
    return "?" if digit.answer == NOT_A_DIGIT else f"{digit.answer}  {parts.percent(_odds(digit)[0])}"


def label_places(
    canvas: Rect, boxes: Sequence[Rect], widths: Sequence[int], height: int, sure: Sequence[float]
) -> list[Rect | None]:
    """Where each box's label stands, above it or else below, covering no other label.

    Args:
        canvas: which no label leaves.
        boxes: around the digits.
        widths: of the labels and the gaps after them, in pixels.
        height: of each.
        sure: the surest has the first choice.

    Returns:
        A place for each box; None where none is free.
    """
    found: dict[int, Rect] = {}
    for i in sorted(range(len(boxes)), key=lambda i: -sure[i]):
        box, width = boxes[i], min(widths[i], canvas.w)
        rows = (box.y - height, min(box.bottom, canvas.bottom - height), box.y - 2 * height)
        for y, x in itertools.product(rows, (box.x, box.right - width)):
            place = Rect(min(max(x, canvas.x), canvas.right - width), y, width, height)
            if y >= canvas.y and not any(place.overlaps(other) for other in found.values()):
                found[i] = place
                break
    return [found.get(i) for i in range(len(boxes))]


def _odds(digit: DigitRead) -> tuple[float, str]:
    """Probability of the likeliest digit, and the second one where that is in doubt."""
    order = sorted(range(10), key=lambda d: (-digit.probabilities[d], d))
    sure = digit.probabilities[order[0]]
    return sure, str(order[1]) if sure < SURE and digit.answer != NOT_A_DIGIT else ""


def _count(shown: tuple[tuple[str, float, str], ...]) -> str:
    refused = sum(answer == NOT_A_DIGIT for answer, _, _ in shown)
    count = len(shown) - refused
    text = f"{count} digit{'' if count == 1 else 's'}"
    if not refused:
        return text
    if not count:
        return "Not a digit" if refused == 1 else f"{refused} groups of strokes, none of them a digit"
    return f"{text}, and {refused} that {'is' if refused == 1 else 'are'} none"


SCREEN = Screen(blocks, overlay=overlay)
