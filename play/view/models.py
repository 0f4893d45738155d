"""Models: every run to choose from, broken ones with the reason; two networks on the same drawing."""

import numpy as np

from play.answers import Answered, ModelInfo
from play.layout import Control, Layout, Rect
from play.places import Listing, gap_of, models_places, scroll_controls
from play.state import PlayState
from play.view import parts
from play.view.answer import image_block, probabilities_block
from play.view.painter import Block, Painter, text_width, wrap
from play.view.screen import Screen


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The networks in use, side by side where there are two, and the list."""
    use, listing = models_places(state, layout)
    found: list[Block] = []
    broken = _pointed(state)
    if broken is not None:
        found.append(_broken_block(use, broken))
    elif state.models[1] is None:
        found += _one_blocks(state, layout, use)
    else:
        found += _two_blocks(state, layout, use)
    found.append(_heading_block(state, listing))
    for index, rect in listing.cells:
        found.append(_run_block(state, layout, rect, state.listed[index]))
    return tuple(found)


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """Use and Beside for each run, and the list's arrows."""
    _, listing = models_places(state, layout)
    found = [*scroll_controls(listing)]
    for index, rect in listing.cells:
        info = state.listed[index]
        if info.error:
            found.append(
                Control(f"broken:{info.name}", rect, info.name, own=True, tip="Why it cannot be used")
            )
            continue
        words = (
            ("model", "Use", "In use", "Let it answer for the canvas", "It answers for the canvas"),
            ("second", "Beside", "Remove", "Put it beside the one in use", "Take it away again"),
        )
        for slot, (action, choose, chosen, tip, undo) in enumerate(words):
            on, loads = _is(state.models[slot], info), state.awaited[slot] == info.path
            found.append(
                Control(
                    f"{action}:{info.name}",
                    _buttons(layout, rect)[slot],
                    "Loading" if loads else chosen if on else choose,
                    on=on,
                    enabled=not loads,
                    plate=True,
                    tip=undo if on else tip,
                    why="One moment: it is being loaded",
                )
            )
    return tuple(found)


def _is(used: ModelInfo | None, info: ModelInfo) -> bool:
    return used is not None and used.path == info.path


def _buttons(layout: Layout, rect: Rect) -> tuple[Rect, Rect]:
    inner = rect.inset(max(2, round(6 * layout.unit)))
    width = min(round(layout.text * 5.2), inner.w // 3)
    use, beside = Rect(inner.right - width, inner.y, width, inner.h).rows(2, max(2, round(4 * layout.unit)))
    return use, beside


def _pointed(state: PlayState) -> ModelInfo | None:
    """The broken run that has the focus."""
    name, _, run = (state.focus or "").partition(":")
    if name != "broken":
        return None
    return next((info for info in state.listed if info.error and info.name == run), None)


def _broken_block(rect: Rect, info: ModelInfo) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(14))
        title = f"{info.name} cannot be used"
        inner = inner.below(painter.paragraph(title, inner, palette.second, size=1.2, bold=True))
        inner = inner.below(painter.px(8))
        sizes = (1.0, 0.85, 0.7)
        size = next(
            (size for size in sizes if _lines(painter, info.error, inner, size) <= inner.h), sizes[-1]
        )
        painter.paragraph(info.error, inner, palette.text, size=size)

    return Block(rect, info, paint)


def _one_blocks(state: PlayState, layout: Layout, rect: Rect) -> list[Block]:
    gap = gap_of(layout)
    answer = state.answers[0] if state.strokes else None
    bars, best = _bars(answer)
    if rect.w > rect.h:
        left, chart = rect.columns(2, gap)
        head = left.top(round(left.h * 0.45))
        image = left.below(head.h + gap)
    else:
        head = rect.top(round(rect.h * 0.3))
        rest = rect.below(head.h + gap)
        image = rest.top(round(rest.h * 0.42))
        chart = rest.below(image.h + gap)
    title = "The network sees" if image.w > layout.text * 15 else "Sees"
    return [
        _head_block(state, head, 0, with_image=False),
        image_block(image, answer, state.models[0], title),
        probabilities_block(chart, bars, best),
    ]


def _two_blocks(state: PlayState, layout: Layout, rect: Rect) -> list[Block]:
    gap = gap_of(layout)
    upper = rect.top(round(rect.h * 0.46))
    heads = upper.columns(2, gap)
    lower = rect.below(upper.h + gap)
    return [
        *(_head_block(state, head, slot, with_image=True) for slot, head in enumerate(heads)),
        _both(state, lower),
    ]


def _bars(answer: Answered | None) -> tuple[tuple[float, ...], int | None]:
    """The ten bars, and which of them is the answer."""
    if answer is None:
        return (0.0,) * 10, None
    best = None if answer.refused else max(range(10), key=lambda i: answer.probabilities[i])
    return tuple(round(p, 4) for p in answer.probabilities), best


def _both(state: PlayState, rect: Rect) -> Block:
    """Two bars a digit, the one in use above the other."""
    answers = state.answers if state.strokes else (None, None)
    (first, best), (second, other) = (_bars(answer) for answer in answers)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        left = round(painter.text_size * 1.5)
        for digit, row in enumerate(inner.rows(10, painter.px(3))):
            chosen = digit in (best, other)
            color = palette.text if chosen else palette.muted
            painter.text(str(digit), row._replace(w=left), color, bold=chosen, smallest=0.6)
            track = Rect(row.x + left, row.y, max(0, row.w - left), row.h)
            painter.box(track, palette.raised, 3)
            for half, value, shade in zip(
                track.rows(2), (first[digit], second[digit]), (palette.accent, palette.second), strict=True
            ):
                if filled := round(half.w * value):
                    painter.box(half._replace(w=filled), shade, 3)

    return Block(rect, (first, second), paint)


def _head_block(state: PlayState, rect: Rect, slot: int, *, with_image: bool) -> Block:
    """A network's name and answer, and what it sees."""
    info, answer = state.models[slot], state.answers[slot] if state.strokes else None
    none = "No network" if state.problem else "Loading …"
    name = none if info is None else info.name
    said, sure, image, side = "…", "", b"", 28
    if answer is not None:
        said, sure = answer.word, "" if answer.refused else parts.percent(max(answer.probabilities))
        image, side = answer.image, answer.side
    mark = "" if state.models[1] is None else "AB"[slot]
    provisional = answer is not None and (state.pen_down or answer.revision != state.revision)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        line = round(painter.text_size * 1.6)
        title = inner.top(line)
        if mark:
            radius = round(painter.text_size * 0.85)
            shade = palette.second if slot else palette.accent
            parts.disc_label(painter, mark, title.x + radius, title.y + line / 2, shade, palette.on_accent)
            title = Rect(title.x + round(line * 1.5), title.y, title.w - round(line * 1.5), line)
        painter.text(name, title, palette.text, bold=True, smallest=0.75)
        rest = inner.below(line + painter.px(4))
        color = palette.muted if provisional or said == "…" else palette.text
        if with_image:
            square = min(rest.h, rest.w // 2)
            place = Rect(rest.right - square, rest.y, square, rest.h)
            values = np.frombuffer(image or bytes(side * side), np.uint8).reshape(side, side)
            painter.image(values, place, (0, 0, 0), (255, 255, 255))
            rest = rest._replace(w=rest.w - square - painter.px(6))
            digit, words = rest, Rect(rest.x, rest.y, 0, 0)
            if sure and rest.h > 4 * painter.text_size:
                digit = rest.top(rest.h - line)
                words = rest.below(digit.h)
        else:
            digit = rest._replace(w=rest.w // 2) if sure else rest
            words = Rect(digit.right, rest.y, rest.right - digit.right, rest.h)
        if said == "…" or len(said) > 1:
            painter.text(said, digit, color, size=2, bold=len(said) > 1, align="centre", smallest=0.3)
        else:
            painter.digit(said, digit.inset(painter.px(2)), color)
        painter.text(sure, words, palette.muted, size=1.2, align="centre", smallest=0.6)

    return Block(rect, (name, said, sure, mark, provisional, with_image and image, side), paint)


def _heading_block(state: PlayState, listing: Listing) -> Block:
    broken = sum(1 for info in state.listed if info.error)
    count = len(state.listed)
    width = listing.heading.w - (2 * listing.heading.h + listing.heading.h // 3 if listing.limit else 0)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        text = f"{count} run{'' if count == 1 else 's'}" + (f", {broken} broken" if broken else "")
        if not count:
            text = (
                "No run yet: make train" if state.missing else "Looking for runs in the checkpoints folder."
            )
        painter.text(text, rect, palette.muted, smallest=0.75)

    return Block(listing.heading._replace(w=max(0, width)), (count, broken, state.missing), paint)


def _run_block(state: PlayState, layout: Layout, rect: Rect, info: ModelInfo) -> Block:
    uses = tuple(_is(state.models[slot], info) for slot in (0, 1))
    two = state.models[1] is not None
    focused, hovered = (bool(info.error) and at == f"broken:{info.name}" for at in (state.focus, state.hover))

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect, focused=focused, hovered=hovered, chosen=any(uses))
        inner = rect.inset(painter.px(10))
        if not info.error:
            inner = inner._replace(w=max(0, _buttons(layout, rect)[0].x - inner.x - painter.px(8)))
        line = round(painter.text_size * 1.4)
        shift = max(0, (inner.h - round(2.3 * line)) // 2)
        title = Rect(inner.x, inner.y + shift, inner.w, line)
        below = Rect(
            inner.x, title.bottom + painter.px(2), inner.w, inner.bottom - title.bottom - painter.px(2)
        )
        marks = "".join(mark for mark, on in zip("AB", uses, strict=True) if on and two)
        name = info.name + (f"  ({' and '.join(marks)})" if marks else "")
        if info.error:
            painter.text(f"{info.name}: broken", title, palette.second, bold=True, smallest=0.75)
            if _lines(painter, info.error, below, 0.85) <= below.h:
                painter.paragraph(info.error, below, palette.muted, size=0.85)
            else:
                reason = info.error.removeprefix(info.path).lstrip("/ ")
                pixels = max(6, round(painter.text_size * 0.85))
                width = below.w - text_width(" …", pixels)
                first = f"{wrap(reason, pixels, False, width)[0]} …"
                parts.note(painter, (first, "Press: why?"), below, palette.muted)
            return
        painter.text(name, title, palette.text, bold=True, smallest=0.75)
        parts.note(painter, _facts(info), below, palette.muted)

    return Block(rect, (info, uses, two, focused, hovered), paint)


def _lines(painter: Painter, text: str, rect: Rect, size: float) -> int:
    pixels = max(6, round(painter.text_size * size))
    return round(pixels * 1.35) * len(wrap(text, pixels, False, rect.w))


def _facts(info: ModelInfo) -> tuple[str, ...]:
    """Accuracy, size, input and date, in several lengths."""
    accuracy = "" if info.accuracy is None else f"{100 * info.accuracy:.2f} %"
    count = info.parameters
    size = "" if count is None else f"{count / 1000:.0f}k" if count >= 1000 else str(count)
    side = "8 × 8" if info.geometry == "uci8" else "28 × 28"
    day = info.date[:10]
    words = f"{size} parameters" if size else ""
    long = [f"{accuracy} right" if accuracy else "", words, f"sees {side}"]
    whole = [*long, f"step {info.step}" if info.step is not None else "", info.date]
    return tuple(
        "  ·  ".join(part for part in some if part)
        for some in (
            whole,
            [*long, day],
            [accuracy, words, side, day],
            [accuracy, words, side],
            [accuracy, size, side, day],
            [accuracy, size, side],
            [accuracy, size],
        )
    )


SCREEN = Screen(blocks, controls)
