"""The answer in huge type, the ten bars, and the image that the network sees: parts of several screens."""

import numpy as np

from play.answers import Answered, ModelInfo
from play.layout import Rect
from play.state import PlayState
from play.verdict import NOT_A_DIGIT, Shown
from play.view import parts
from play.view.painter import Block, Painter
from play.view.theme import mix


def answer_block(state: PlayState, rect: Rect) -> Block:
    """The answer, with words for doubt beneath; muted while it is provisional."""
    shown = state.shown if state.strokes else Shown()
    doubt = f"or perhaps {shown.second}" if shown.second else ""
    answer = state.answers[0]
    never_refuses = answer is not None and answer.is_digit is None
    note = "this network takes all ink for a digit" if never_refuses else ""
    if shown.word == NOT_A_DIGIT:
        note = "several digits? Number reads them" if shown.several else "the bars: if it were a digit"
    return huge_block(state, rect, shown.word, empty="Draw a digit on the canvas", doubt=doubt, note=note)


def huge_block(
    state: PlayState, rect: Rect, text: str, *, empty: str, doubt: str = "", note: str = ""
) -> Block:
    """What is read as large as there is room; beneath it words of doubt, or why nothing is read yet.

    Args:
        state: says whether it is provisional, and what is waited for.
        rect: its place.
        text: what is read, "" for nothing yet.
        empty: what is said where nothing is drawn.
        doubt: what else it may be.
        note: said of what is read where there is neither doubt nor more to come.
    """
    provisional = state.provisional and bool(text)
    words = doubt or ("still drawing" if provisional else note)
    if not state.strokes:
        words = empty
    elif not text:
        words = "The network is loading" if state.loading else "No network" if state.problem else ""

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        inner = rect.inset(painter.px(12))
        line = round(painter.text_size * 1.7)
        place = inner.top(inner.h - line - painter.px(4))
        color = palette.muted if provisional else palette.text
        if text == NOT_A_DIGIT:
            painter.text(text, place, color, size=2.6, bold=True, align="centre", smallest=0.3)
        elif text:
            unread = None if provisional else palette.second
            painter.digit(text, place.inset(painter.px(6)), color, unread=unread)
        else:
            painter.text("…", place, palette.muted, size=4, align="centre")
        shade = palette.second if doubt else palette.muted
        painter.text(words, inner.below(inner.h - line), shade, align="centre", size=1.1)

    return Block(rect, (text, words, doubt, provisional), paint)


def bars_block(state: PlayState, rect: Rect, title: str = "") -> Block:
    """Ten bars in fixed order; the likeliest in the accent's colour, none where it is no digit."""
    bars = tuple(round(bar, 4) for bar in state.bars)
    answer = state.answers[0] if state.strokes and state.shown.word != NOT_A_DIGIT else None
    best = None if answer is None else max(range(10), key=lambda digit: answer.probabilities[digit])
    return probabilities_block(rect, bars, best, title)


def probabilities_block(rect: Rect, bars: tuple[float, ...], best: int | None, title: str = "") -> Block:
    """Ten bars as given; grey where none is the answer."""

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        inner = rect.inset(painter.px(10))
        if title:
            height = round(painter.text_size * 1.5)
            painter.text(title, inner.top(height), palette.muted, size=0.9)
            inner = inner.below(height)
        left, right = round(painter.text_size * 1.4), round(painter.text_size * 3.2)
        rows = inner.rows(10, painter.px(2))
        if rows[0].h < 0.8 * painter.text_size and inner.w > 12 * painter.text_size:
            halves = inner.columns(2, painter.px(16))  # two columns of five, as the text would be too small
            rows = tuple(row for half in halves for row in half.rows(5, painter.px(2)))
        for digit, row in enumerate(rows):
            chosen = digit == best
            color = palette.text if chosen else palette.muted
            painter.text(str(digit), row._replace(w=left), color, bold=chosen)
            track = Rect(row.x + left, row.y, max(0, row.w - left - right), row.h)
            height = max(2, round(row.h * 0.62))
            track = Rect(track.x, row.y + (row.h - height) // 2, track.w, height)
            painter.box(track, palette.raised, 4)
            filled = round(track.w * bars[digit])
            if filled > 0:
                shade = palette.muted if best is None else palette.accent
                shade = shade if chosen else mix(palette.raised, shade, 0.6)
                painter.box(track._replace(w=max(filled, min(track.w, painter.px(3)))), shade, 4)
            place = Rect(row.right - right, row.y, right, row.h)
            painter.text(parts.percent(bars[digit]), place, color, align="right", size=0.9)

    return Block(rect, (bars, best, title), paint)


def seen_block(state: PlayState, rect: Rect, slot: int = 0, title: str = "The network sees") -> Block:
    """The image that the network sees, as whole-pixel squares."""
    answer = state.answers[slot] if state.strokes else None
    info = state.models[slot]
    return image_block(rect, answer, info, title)


def image_block(rect: Rect, answer: Answered | None, info: ModelInfo | None, title: str) -> Block:
    """An answer's image; empty where there is none."""
    key = (
        None if answer is None else (answer.image, answer.side),
        None if info is None else info.geometry,
        title,
    )

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        inner = rect.inset(painter.px(10))
        height = round(painter.text_size * 1.5)
        side = 8 if info is not None and info.geometry == "uci8" else 28
        if answer is not None:
            side = answer.side
        painter.text(f"{title}: {side} × {side}", inner.top(height), palette.muted, size=0.9)
        inner = inner.below(height)
        values = np.zeros((side, side), np.uint8)
        if answer is not None:
            values = np.frombuffer(answer.image, np.uint8).reshape(side, side)
        painter.image(values, inner, (0, 0, 0), (255, 255, 255))

    return Block(rect, key, paint)


def strip_block(state: PlayState, rect: Rect, note: str = "") -> Block:
    """The answer small, ten bars beside it, and which network says so: for screens about something else."""
    shown = state.shown if state.strokes else Shown()
    bars = tuple(round(bar, 4) for bar in state.bars)
    info = state.models[0]
    name = "" if info is None else f"{info.name}, step {state.step}"
    text = note or name or ("The network is loading" if state.loading else "No network")
    provisional = state.provisional and bool(shown.word)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        inner = rect.inset(painter.px(8))
        left = inner._replace(w=min(round(inner.h * 1.1), inner.w // 3))
        color = palette.muted if provisional else palette.text
        if shown.word == NOT_A_DIGIT:
            painter.text("none", left, color, size=1.3, bold=True, align="centre", smallest=0.4)
        elif shown.word:
            painter.digit(shown.word, left.inset(painter.px(4)), color)
        else:
            painter.text("…", left, palette.muted, size=2, align="centre")
        right = Rect(
            left.right + painter.px(8), inner.y, max(0, inner.right - left.right - painter.px(8)), inner.h
        )
        line = round(painter.text_size * 1.3)
        painter.text(text, right.top(line), palette.muted, size=0.85, smallest=0.5)
        foot = round(painter.text_size * 1.1)
        area = right.below(line + painter.px(2))
        accent = palette.muted if shown.word == NOT_A_DIGIT else palette.accent
        for digit, column in enumerate(area.columns(10, painter.px(3))):
            likeliest = bars[digit] == max(bars) and bars[digit] > 0 and accent == palette.accent
            track = column.top(max(2, column.h - foot))
            painter.box(track, palette.raised, 3)
            if filled := round(track.h * bars[digit]):
                shade = accent if likeliest else mix(palette.raised, accent, 0.6)
                painter.box(Rect(track.x, track.bottom - filled, track.w, filled), shade, 3)
            place = column.below(track.h)
            color = palette.text if likeliest else palette.muted
            painter.text(str(digit), place, color, size=0.75, bold=likeliest, align="centre")

    return Block(rect, (shown.word, bars, text, provisional), paint)
