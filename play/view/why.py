"""Why: what speaks for the answer on one's own strokes, the answer without each, what the layers see."""

import functools
import math
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import pygame

from play import stages
from play.answers import Explained
from play.events import CANVAS
from play.layout import Control, Layout, Rect
from play.places import gap_of, wide_panel
from play.state import PlayState
from play.verdict import NOT_A_DIGIT
from play.view import layers, parts
from play.view.heat import band, paint_heat
from play.view.ink_layer import InkLayer
from play.view.painter import Block, Painter
from play.view.screen import Overlay, Screen
from play.view.theme import Color, Palette

SPACING = 20.0
"""Canvas units between points in the rows' pictures: less than a pixel of theirs."""


class Places(NamedTuple):
    """The panel's three cards, and the rows of the middle one."""

    head: Rect
    strokes: Rect
    rows: tuple[Rect, ...]
    layers: Rect


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The legend, a row a stroke, the feature maps."""
    places = _places(state, layout)
    why = _explained(state)
    found = [_head_block(state, places.head, why), _strokes_block(state, places.strokes, why)]
    if why is not None:
        placed = functools.cache(lambda: _placed(state))
        found += [_row_block(state, rect, i, why, placed) for i, rect in enumerate(places.rows)]
    return (*found, layers.block(places.layers, () if why is None else why.layers))


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """The strokes: pointed at, focused or touched, they are shown without."""
    rows = _places(state, layout).rows
    tip = "Show the drawing without stroke {}"
    return tuple(
        Control(f"stroke:{i}", rect, f"Stroke {i + 1}", own=True, tip=tip.format(i + 1))
        for i, rect in enumerate(rows)
    )


def overlay(state: PlayState, layout: Layout) -> Overlay | None:
    """Attribution on the ink, numbers at the strokes; or the ink without the stroke that is pointed at."""
    why = _explained(state)
    if why is None:
        return None
    without = _pointed(state, why)
    place = stages.image_map(state.strokes, state.answers[0])
    key: Hashable = (id(why), state.revision, place, without)
    return Overlay(
        key, functools.partial(_paint, state=state, layout=layout, why=why, place=place, without=without)
    )


def _explained(state: PlayState) -> Explained | None:
    return state.explained if state.strokes and state.answers[0] is not None else None


def _pointed(state: PlayState, why: Explained) -> int | None:
    for control in (state.hover, state.focus):
        name, _, number = (control or "").partition(":")
        if (
            name == "stroke"
            and number.isdecimal()
            and int(number) < min(len(why.without), len(state.strokes))
        ):
            return int(number)
    return None


def _places(state: PlayState, layout: Layout) -> Places:
    panel, gap, text = layout.panel, gap_of(layout), layout.text
    why = _explained(state)
    count = 0 if why is None else len(why.without)
    if wide_panel(panel):
        left = panel._replace(w=round(panel.w * 0.52))
        maps = Rect(left.right + gap, panel.y, panel.w - left.w - gap, panel.h)
        head = left.top(round(min(text * 6.4, left.h * 0.4)))
        strokes = left.below(head.h + gap)
    else:
        head = panel.top(round(min(text * 6.4, panel.h * 0.25)))
        rest = panel.below(head.h + gap)
        wanted = round(text * 2.6) + round(text * 3.4) * max(1, count)
        strokes = rest.top(min(wanted, round(rest.h * 0.45)))
        maps = rest.below(strokes.h + gap)
    inner = strokes.inset(max(4, round(10 * layout.unit))).below(
        round(text * 1.5) + max(1, round(4 * layout.unit))
    )
    small = max(1, round(3 * layout.unit))
    height = min(round(text * 3.2), (inner.h + small) // max(1, count) - small)
    rows = tuple(Rect(inner.x, inner.y + i * (height + small), inner.w, height) for i in range(count))
    return Places(head, strokes, rows, maps)


def _head_block(state: PlayState, rect: Rect, why: Explained | None) -> Block:
    digit = None if why is None else why.digit
    waiting = "Draw a digit on the canvas." if not state.strokes else state.problem or "One moment."
    second = state.shown.second if state.shown.word == str(digit) else ""
    refused = state.shown.word == NOT_A_DIGIT

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        if digit is None:
            painter.paragraph(waiting, inner, palette.muted)
            return
        side = min(inner.h, inner.w // 4)
        painter.digit(
            str(digit), Rect(inner.x, inner.y, side, inner.h), palette.muted if refused else palette.text
        )
        left = inner.x + side + painter.px(12)
        rest = Rect(left, inner.y, inner.right - left, inner.h)
        bar = round(painter.text_size * 2.4)
        words = rest.top(rest.h - bar)
        texts = (
            f"Blue ink speaks for {digit}, orange ink against it; grey says little.",
            f"Blue speaks for {digit}, orange against it.",
            f"Blue: for {digit}. Orange: against.",
        )
        if refused:
            texts = (
                f"Not a digit, says the network; the nearest is {digit}. Blue speaks for it.",
                *texts[1:],
            )
        elif second:
            texts = (f"{digit}, or perhaps {second}. Blue speaks for {digit}, orange against it.", *texts[1:])
        parts.note(painter, texts, words, palette.text, size=0.95)
        _legend(painter, rest.below(rest.h - bar), digit)

    return Block(rect, (digit, waiting, second, refused), paint)


def _legend(painter: Painter, rect: Rect, digit: int) -> None:
    half = round(painter.text_size * 1.2)
    band(painter, Rect(rect.x, rect.bottom - 2 * half, rect.w, max(4, half // 2)))
    line = Rect(rect.x, rect.bottom - round(painter.text_size * 1.3), rect.w, round(painter.text_size * 1.3))
    left, right = line.columns(2)
    painter.text(f"against {digit}", left, painter.palette.muted, size=0.85)
    painter.text(f"for {digit}", right, painter.palette.muted, size=0.85, align="right")


def _strokes_block(state: PlayState, rect: Rect, why: Explained | None) -> Block:
    rows = 0 if why is None else len(why.without)
    more = max(0, len(state.strokes) - rows) if rows else 0
    waiting = why is None and len(state.strokes) > 1

    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        title = "Without one stroke it reads" + (f" (the first {rows})" if more else "")
        inner = parts.heading(painter, title, rect.inset(painter.px(10)))
        if not rows and not waiting:
            texts = (
                "What it would be without a stroke: draw a digit of two strokes or more.",
                "Draw two strokes.",
            )
            parts.note(painter, texts, inner, painter.palette.muted)

    return Block(rect, (rows, more, waiting), paint)


def _placed(state: PlayState) -> tuple[parts.Lines, stages.Map]:
    """The strokes for small pictures, and where they lie in one."""
    place = stages.maps(state.strokes, state.pen, frozenset(), None)[2]
    return stages.thin(state.strokes, SPACING), place


@functools.lru_cache(maxsize=32)
def _picture(lines: parts.Lines, place: stages.Map, side: int, paper: Color, ink: Color) -> pygame.Surface:
    """A stroke, or none, in a row's picture: from frame to frame only the last stroke is another."""
    return parts.thumbnail(lines, place, side, paper, [ink] * len(lines))


def _over(palette: Palette) -> int:
    """How ink is laid over other ink without its paper."""
    dark = sum(palette.ink) > sum(palette.paper)
    return pygame.BLEND_RGB_MAX if dark else pygame.BLEND_RGB_MIN


def _row_block(
    state: PlayState,
    rect: Rect,
    number: int,
    why: Explained,
    placed: Callable[[], tuple[parts.Lines, stages.Map]],
) -> Block:
    answer, sure, left = why.without[number]
    now = 0.0 if state.answers[0] is None else state.answers[0].probabilities[why.digit]
    action = f"stroke:{number}"
    focused, hovered = state.focus == action, state.hover == action
    changed = answer != str(why.digit)
    key = (state.revision, answer, round(sure, 4), round(left, 4), round(now, 4), why.digit, focused, hovered)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.surface)
        body = parts.ring(painter, rect, 8, palette.surface) if focused else rect
        painter.box(body, palette.line if hovered else palette.raised, 8)
        inner = rect.inset(painter.px(4))
        x = inner.x + painter.px(2)
        mark = round(painter.text_size * 1.9)
        if inner.h >= painter.text_size * 1.2:
            middle = inner.y + inner.h / 2
            parts.disc_label(painter, str(number + 1), x + mark / 2, middle, palette.text, palette.ground)
        x += mark + painter.px(6)
        if inner.h >= painter.text_size * 1.9 and inner.w > painter.text_size * 15:
            lines, place = placed()
            left_out = _picture(lines[number : number + 1], place, inner.h, palette.paper, palette.line)
            painter.surface.blit(left_out, (x, inner.y))
            for i, line in enumerate(lines):
                if i != number:
                    kept = _picture((line,), place, inner.h, palette.paper, palette.ink)
                    painter.surface.blit(kept, (x, inner.y), special_flags=_over(palette))
            x += inner.h + painter.px(8)
        rest = Rect(x, inner.y, inner.right - x - painter.px(4), inner.h)
        said = answer if answer == NOT_A_DIGIT else f"{answer}  {parts.percent(sure)}"
        effect = f"{why.digit}: {parts.percent(now)} → {parts.percent(left)}"
        if rest.h >= painter.text_size * 2.4:
            upper, lower = rest.rows(2)
            painter.text(said, upper, palette.text, bold=changed, smallest=0.75)
            painter.text(effect, lower, palette.muted, size=0.85, smallest=0.75)
        else:
            first, other = (
                rest._replace(w=rest.w // 2),
                Rect(rest.x + rest.w // 2, rest.y, rest.w - rest.w // 2, rest.h),
            )
            painter.text(said, first, palette.text, bold=changed, smallest=0.7)
            painter.text(effect, other, palette.muted, size=0.85, align="right", smallest=0.7)

    return Block(rect, key, paint)


def _paint(
    painter: Painter,
    *,
    state: PlayState,
    layout: Layout,
    why: Explained,
    place: stages.Map | None,
    without: int | None,
) -> None:
    canvas = layout.canvas
    if without is not None:
        _paint_without(painter, state, canvas, without)
    elif place is not None:
        paint_heat(painter, state, canvas, why, place)
    if len(why.without) > 1:
        _paint_numbers(painter, state, canvas, len(why.without))


def _paint_without(painter: Painter, state: PlayState, canvas: Rect, without: int) -> None:
    """The stroke as a shadow, the others over it."""
    palette = painter.palette
    strokes = state.strokes
    whole = pygame.Rect(0, 0, canvas.w, canvas.h)
    ghost, rest = InkLayer(), InkLayer()
    ghost.update((strokes[without],), canvas.w, state.pen, palette.paper, palette.line)
    rest.update(
        (*strokes[:without], *strokes[without + 1 :]), canvas.w, state.pen, palette.paper, palette.ink
    )
    ghost.blit(painter.surface, canvas, whole)
    surface = pygame.Surface((canvas.w, canvas.h))
    rest.blit(surface, Rect(0, 0, canvas.w, canvas.h), whole)
    painter.surface.blit(surface, canvas, special_flags=_over(palette))


def _paint_numbers(painter: Painter, state: PlayState, canvas: Rect, count: int) -> None:
    palette = painter.palette
    away = painter.text_size * 0.9 + state.pen / 2 * canvas.w / CANVAS
    xs = [x for stroke in state.strokes for x, _ in stroke.points]
    middle = (min(xs) + max(xs)) / 2
    room = round(painter.text_size)
    wanted = []
    for stroke in state.strokes[:count]:
        x, y = stroke.points[0]
        side = -1 if x < middle else 1
        at_x = canvas.x + x * canvas.w / CANVAS + side * away
        at_y = canvas.y + y * canvas.h / CANVAS
        at_x = min(max(at_x, canvas.x + room), canvas.right - room)
        wanted.append((at_x, min(max(at_y, canvas.y + room), canvas.bottom - room)))
    for number, (x, y) in enumerate(_apart(wanted, 2 * room, canvas), start=1):
        parts.disc_label(painter, str(number), x, y, palette.text, palette.ground)


def _apart(places: Sequence[tuple[float, float]], distance: int, area: Rect) -> list[tuple[float, float]]:
    """The places, each moved down, else up, to where it is no nearer than `distance` to those before it.

    One for which `area` has no such place stays.
    """
    taken: list[tuple[float, float]] = []
    step = max(1, distance // 8)
    shifts = (*range(0, area.h, step), *range(-step, -area.h, -step))
    for x, y in places:
        free = (
            (x, y + shift)
            for shift in shifts
            if area.y + distance / 2 <= y + shift <= area.bottom - distance / 2
            and all(math.dist((x, y + shift), other) >= distance for other in taken)
        )
        taken.append(next(free, (x, y)))
    return taken


SCREEN = Screen(blocks, controls, overlay)
