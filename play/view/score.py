"""Score my hand: writes twenty digits on request, then says how they were read."""

from pathlib import Path

from digitjax.paths import quoted
from play import score as scores
from play.events import Card, Taken
from play.layout import Control, Layout, Rect
from play.places import gap_of
from play.score import DIGITS, TIMES, Score
from play.state import PlayState
from play.verdict import NOT_A_DIGIT, with_article
from play.view import charts, parts
from play.view.painter import Block, Painter, text_width
from play.view.screen import Screen

SHOWN = 8
"""Drawings of the card at most: those that were read wrongly, then the least sure."""
MOST = 5
"""Confusions that are named; the matrix has all of them."""


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """What is asked for and how far one is, or the card."""
    upper, lower, _ = _places(state, layout)
    score = state.score
    card = score.card
    if card is not None:
        left, right = lower.columns(2, gap_of(layout))
        return _card_block(score, card, upper), _confusion_block(score, left), _worst_block(score, right)
    if score.asked:
        return _asked_block(score, upper), _progress_block(state, lower)
    return _begin_block(upper), _last_block(score.last, lower)


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """Begin, next, one back, stop; on the card once more, and where it is not saved, another try."""
    _, _, places = _places(state, layout)
    score = state.score
    if not score.order:
        return (Control("score:begin", places[0], "Begin", tip="Write twenty digits"),)
    if not score.asked:
        label, tip = "Once more", "Write twenty digits"
        if score.sure == "again":
            label, tip = "Really lose them", "These drawings are not saved"
        again = Control("score:again", places[-1], label, tip=tip)
        if not score.error:
            return (again,)
        return Control(
            "score:save", places[0], "Save again", "", "Enter", tip="Another try to save these drawings"
        ), again
    ready = bool(state.strokes)
    return (
        Control(
            "score:next",
            places[0],
            "Next",
            "",
            "Enter",
            enabled=ready,
            tip="It is written: the next one",
            why=f"Write {with_article(score.asked)} first",
        ),
        Control(
            "score:back",
            places[1],
            "Back",
            enabled=bool(score.taken),
            tip="Write the last one again",
            why="This is the first one",
        ),
        Control(
            "score:stop", places[2], "Stop", tip="Save these, and the card" if score.taken else "Not now"
        ),
    )


def _places(state: PlayState, layout: Layout) -> tuple[Rect, Rect, tuple[Rect, ...]]:
    panel, gap = layout.panel, gap_of(layout)
    button = round(layout.text * 2.6)
    rest = panel.top(max(0, panel.h - button - gap))
    count = 3 if state.score.asked else 2 if state.score.error else 1
    buttons = panel.below(rest.h + gap).columns(count, gap)
    if panel.w > 1.15 * panel.h:
        upper, lower = rest.columns(2, gap)
    else:
        upper = rest.top(round(rest.h * (0.55 if state.score.card is None else 0.5)))
        lower = rest.below(upper.h + gap)
    return upper, lower, buttons


def _begin_block(rect: Rect) -> Block:
    texts = (
        f"Write {len(DIGITS) * TIMES} digits as they are asked for, in your own hand. Then a card says how "
        "many were read, which were taken for others, which was slowest and which was least sure.",
        f"Write {len(DIGITS) * TIMES} digits as they are asked for; a card says how they were read.",
    )

    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        inner = rect.inset(painter.px(14))
        palette = painter.palette
        inner = inner.below(painter.paragraph("Score my hand", inner, palette.text, size=1.4, bold=True))
        parts.note(painter, texts, inner.below(painter.px(6)), palette.muted, size=1.0)

    return Block(rect, "begin", paint)


def _last_block(last: Card | None, rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        inner = parts.heading(painter, "Last time", rect.inset(painter.px(14)))
        if last is None:
            painter.paragraph("Nothing yet.", inner, painter.palette.muted)
            return
        _lines(painter, inner, last, others=True)

    return Block(rect, ("last", last), paint)


def _asked_block(score: Score, rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = parts.heading(painter, "Write", rect.inset(painter.px(14)))
        painter.digit(score.asked, inner.inset(painter.px(6)), palette.accent)

    return Block(rect, ("asked", score.asked, len(score.taken)), paint)


def _progress_block(state: PlayState, rect: Rect) -> Block:
    score, info = state.score, state.models[0]
    done, count = len(score.taken), len(score.order)
    reader = "" if info is None else f"Read by {info.name}, step {info.step}"
    texts = (f"{reader}: newer steps wait until the last.", f"{reader}.") if reader else ()

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = parts.heading(painter, f"{done + 1} of {count}", rect.inset(painter.px(14)))
        inner = inner.below(parts.note(painter, texts, inner, palette.muted, size=0.85)) if texts else inner
        columns = 10 if inner.w > inner.h else 5
        rows = -(-count // columns)
        side = min(inner.w // columns, max(1, inner.h // rows))
        for i in range(count):
            place = Rect(inner.x + (i % columns) * side, inner.y + (i // columns) * side, side, side)
            place = place.inset(max(1, side // 16))
            painter.box(place, palette.raised, 6)
            if i < done:
                lines = score.taken[i].strokes
                small = parts.unit_thumbnail(lines, max(4, place.w), palette.raised, palette.text)
                painter.surface.blit(small, (place.x, place.y))
            elif i == done:
                painter.box(place, palette.raised, 6, palette.accent, 3)

    return Block(rect, ("progress", score.taken, done, texts), paint)


def _card_block(score: Score, card: Card, rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(14))
        line = round(painter.text_size * 2.4)
        text = f"{card.right} of {card.of} read"
        painter.text(text, inner.top(line), palette.text, size=1.9, bold=True, smallest=0.4)
        if score.error:
            texts = (score.error, score.error.partition(":")[0], "Not saved")
            line += parts.note(painter, texts, inner.below(line), palette.second, size=0.95) + painter.px(4)
        used = line + _lines(painter, inner.below(line), card, others=False)
        rest = inner.below(used + painter.px(4))
        if score.last is not None and rest.h > 0:
            then = f"Last time: {score.last.right} of {score.last.of}"
            reader = scores.by(score.last)
            texts = (f"{then}, {score.last.date}, by {reader}", f"{then}, by {reader}", then)
            used = parts.note(painter, [t.replace(", ,", ",") for t in texts], rest, palette.text, size=0.95)
            rest = rest.below(used + painter.px(4))
        if score.saved:
            name = score.saved.replace("\\", "/").rsplit("/", 2)
            short = "/".join(name[-2:])
            command = f"digitjax bench drawn --data strokes:{quoted(Path(score.saved))}"
            texts = (f"Score them again: {command}", f"Saved: {score.saved}", f"Saved: {short}", short)
            parts.note(painter, texts, rest, palette.muted, size=0.8)

    return Block(rect, ("card", card, score.last, score.saved, score.error), paint)


def _lines(painter: Painter, rect: Rect, card: Card, *, others: bool) -> int:
    """Confusions, slowest, least sure; returns the height used."""
    palette = painter.palette
    pairs = scores.confused(card)
    wrong = [
        f"{word} as {'none' if said == NOT_A_DIGIT else said}" + (f" ×{count}" if count > 1 else "")
        for word, said, count in pairs
    ]
    shown = ", ".join(wrong[:MOST]) + (f" and {len(wrong) - MOST} more" if len(wrong) > MOST else "")
    texts: list[tuple[str, ...]] = (
        [(f"{card.right} of {card.of} read", f"{card.right} of {card.of}")] if others else []
    )
    texts += [
        (f"Taken for others: {shown}", f"{len(card.wrong)} taken for others")
        if wrong
        else ("None taken for another",)
    ]
    if card.slowest[1]:
        seconds, slow = card.slowest
        texts.append(
            (
                f"Slowest to write: {with_article(slow)}, in {seconds:.1f} s",
                f"Slowest: {slow}, in {seconds:.1f} s",
            )
        )
    if card.worst[1]:
        odds, word = parts.percent(card.worst[0]), card.worst[1]
        texts.append(
            (
                f"Least sure of {with_article(word)}: the network gave it {odds}",
                f"Least sure: {odds} for {with_article(word)}",
            )
        )
    if others and card.date:
        texts.append((f"{card.date}, by {scores.by(card)}", f"By {scores.by(card)}", card.date))
    elif card.model:
        texts.insert(0, (f"Read by {scores.by(card)}",))
    used = 0
    for options in texts:
        used += parts.note(painter, options, rect.below(used), palette.muted, size=0.95)
    return used


def _confusion_block(score: Score, rect: Rect) -> Block:
    table = scores.table(score.taken)

    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        inner = parts.heading(painter, "Written ↓ read →", rect.inset(painter.px(8)))
        charts.confusion(painter, inner, table, counts=True)

    return Block(rect, ("confusion", table), paint)


def _worst_block(score: Score, rect: Rect) -> Block:
    worst = sorted(score.taken, key=lambda one: (one.right, one.probability))[:SHOWN]

    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        inner = parts.below_heading(painter, rect.inset(painter.px(8)))
        line = round(painter.text_size * 1.3)
        columns = max(2, min(4, inner.w // round(painter.text_size * 4.4)))
        rows = max(1, min(inner.h // (line + round(painter.text_size * 2.2)), -(-SHOWN // columns)))
        width = inner.w // columns
        side = min(width, max(4, inner.h // rows - line)) - painter.px(6)
        shown, of = min(len(worst), rows * columns), len(score.taken)
        parts.heading(painter, _hardest(painter, inner.w, shown, of), rect.inset(painter.px(8)))
        for i, one in enumerate(worst[: rows * columns]):
            x, y = inner.x + (i % columns) * width, inner.y + (i // columns) * (side + line + painter.px(6))
            _thumbnail(painter, Rect(x + (width - side) // 2, y, side, side), one)
            _caption(painter, Rect(x, y + side, width, line), one)

    return Block(rect, ("worst", tuple(worst), len(score.taken)), paint)


def _hardest(painter: Painter, width: int, shown: int, of: int) -> str:
    """A title that says of how many these are."""
    if shown == of:
        return "Hardest first"
    long = f"Hardest to read: {shown} of {of}"
    fits = text_width(long, round(0.9 * painter.text_size)) <= width
    return long if fits else f"Hardest: {shown} of {of}"


def _thumbnail(painter: Painter, rect: Rect, one: Taken) -> None:
    palette = painter.palette
    if rect.w < 4:
        return
    painter.surface.blit(
        parts.unit_thumbnail(one.strokes, rect.w, palette.paper, palette.ink), (rect.x, rect.y)
    )


def _caption(painter: Painter, rect: Rect, one: Taken) -> None:
    palette = painter.palette
    said = "none" if one.said == NOT_A_DIGIT else one.said
    text = f"{one.word} · {parts.percent(one.probability)}" if one.right else f"{one.word} ✗ {said}"
    color = palette.muted if one.right else palette.second
    painter.text(text, rect, color, size=0.85, bold=not one.right, align="centre", smallest=0.5)


SCREEN = Screen(blocks, controls)
