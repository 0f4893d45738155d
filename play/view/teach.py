"""Teach: drawings that a person labels become a lesson; before and after, keep or roll back."""

from pathlib import PurePath

from play.events import LessonTaught
from play.ink import fitted
from play.layout import NOTHING, Control, Layout, Rect
from play.lesson import Lesson
from play.places import gap_of
from play.state import PlayState
from play.teaching import NEVER, has_word, teachable
from play.verdict import OTHER_WORD, WORDS, with_article
from play.view import parts
from play.view.answer import strip_block
from play.view.painter import Block, Painter
from play.view.screen import Screen

NAMES = {
    "taught": "this lesson",
    "mine": "my drawings",
    "answered": "digits not refused",
    "refused": "non-digits refused",
}
SAID = {
    "": ("There is no network to teach: choose one in Models.",),
    "warming": ("Warming up …; draw already.", "Warming up …"),
    "ready": ("Draw what it misreads and press what it is.", "Draw, then press what it is."),
    "teaching": ("It is learning …",),
    "failed": ("The teacher has ended.",),
}
EMPTY = "Draw, then press what it is first"
WAITING = {
    "": "There is no network to teach",
    "warming": "One moment: its teacher warms up",
    "teaching": "One moment: it is learning",
}
"""Why a lesson cannot be taught yet, by the teacher's state."""
LOADING = ("The network is loading; draw already.", "Loading.")


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The answer, the labels, the lesson or what came of it."""
    answer, labels, body, _ = _places(state, layout)
    lesson = state.lesson
    shown = (
        _taught_block(lesson.taught, body)
        if lesson.taught is not None
        else _lesson_block(lesson, len(teachable(state)), body, state.loading)
    )
    return strip_block(state, answer), _labels_block(labels), shown


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """What it is, and what is done with the lesson."""
    _, labels, _, buttons = _places(state, layout)
    lesson = state.lesson
    found = [
        Control(
            f"label:{word}",
            rect,
            "Not a digit" if word == OTHER_WORD else word,
            "",
            "N" if word == OTHER_WORD else word,
            on=state.labelled == word,
            enabled=bool(state.strokes),
            plate=True,
            tip=f"It is {'no digit' if word == OTHER_WORD else with_article(word)}: "
            + ("into the lesson" if has_word(state, word) else "saved, not taught"),
            why=NOTHING,
        )
        for word, rect in zip(WORDS, _label_places(layout, labels), strict=True)
    ]
    if lesson.taught is not None:
        two = buttons.columns(2, gap_of(layout))
        found.append(Control("teach:keep", two[0], "Keep", "", "K", tip="Keep what it has learnt"))
        found.append(Control("teach:back", two[1], "Roll back", "", "R", tip="The network as it was"))
        return tuple(found)
    two = buttons.columns(2, gap_of(layout))
    if lesson.status == "failed":
        found.append(Control("teach:again", two[0], "Again", tip="Start the teacher again"))
    else:
        count = len(teachable(state))
        ready = lesson.status == "ready" and count > 0
        label = f"Teach {count}" if count else "Teach"
        none = NEVER.capitalize() if lesson.items else EMPTY
        why = WAITING.get(lesson.status, EMPTY) if count else none
        tip = "Teach it these drawings"
        found.append(Control("teach:go", two[0], label, enabled=ready, tip=tip, why=why))
    able = bool(lesson.items) and lesson.status != "teaching"
    why = WAITING["teaching"] if lesson.items else EMPTY
    found.append(
        Control(
            "teach:forget",
            two[1],
            "Remove last",
            enabled=able,
            tip="Take the last drawing out of the lesson",
            why=why,
        )
    )
    return tuple(found)


def _places(state: PlayState, layout: Layout) -> tuple[Rect, Rect, Rect, Rect]:
    """Answer, labels, lesson, buttons."""
    panel, gap, text = layout.panel, gap_of(layout), layout.text
    button = round(text * 2.4)
    if panel.w > 1.15 * panel.h:
        left, right = panel.columns(2, gap)
        answer = left.top(min(round(text * 6), round(left.h * 0.4)))
        labels = left.below(answer.h + gap)
        body = right.top(max(0, right.h - button - gap))
        return answer, labels, body, right.below(body.h + gap)
    answer = panel.top(round(text * 6))
    rest = panel.below(answer.h + gap)
    labels = rest.top(round(text * 8.6))
    rest = rest.below(labels.h + gap)
    body = rest.top(max(0, rest.h - button - gap))
    return answer, labels, body, rest.below(body.h + gap)


def _label_places(layout: Layout, rect: Rect) -> list[Rect]:
    inner = rect.inset(max(4, round(8 * layout.unit)))
    small = max(2, round(5 * layout.unit))
    area = inner.below(min(round(layout.text * 1.5), inner.h // 3))
    *digits, other = area.rows(3, small)
    return [*(place for row in digits for place in row.columns(5, small)), other]


def _labels_block(rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        inner = rect.inset(painter.px(8))
        line = min(round(painter.text_size * 1.4), inner.h // 3)
        painter.text("It is", inner.top(line), painter.palette.muted, size=0.9, smallest=0.6)

    return Block(rect, "labels", paint)


def _lesson_block(lesson: Lesson, count: int, rect: Rect, loading: bool) -> Block:
    """The drawings, and what is to be done; `count` of them can be taught."""
    texts = LOADING if loading and not lesson.status else SAID.get(lesson.status, ("",))
    if count and lesson.status == "ready":
        texts = (f"{count} in the lesson. Ten of a kind are plenty.", f"{count} in the lesson.")
    if (left := len(lesson.items) - count) and lesson.status == "ready":
        texts = (f"{count} in the lesson; {left} not taught: {NEVER}.", f"{count} taught, {left} not.")
    if lesson.doing:
        texts = (lesson.doing, *texts)
    name = PurePath(lesson.path).name if lesson.status else ""

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(12))
        line = round(painter.text_size * 1.2)
        if name:
            painter.text(f"Network: {name}", inner.top(line), palette.text, size=0.95, smallest=0.5)
            inner = inner.below(line + painter.px(2))
        used = parts.note(painter, texts, inner, palette.muted, size=0.95)
        area = inner.below(used + painter.px(6))
        columns = 5
        side = min(area.w // columns, round(painter.text_size * 4)) - painter.px(4)
        rows = max(0, area.h // (side + line + painter.px(4)))
        for i, (word, ink) in enumerate(lesson.items[-rows * columns :] if rows else ()):
            x = area.x + (i % columns) * (area.w // columns)
            y = area.y + (i // columns) * (side + line + painter.px(4))
            picture = parts.unit_thumbnail(fitted(ink), max(4, side), palette.paper, palette.ink)
            painter.surface.blit(picture, (x, y))
            said = "no digit" if word == OTHER_WORD else word
            painter.text(said, Rect(x, y + side, side, line), palette.text, size=0.85, align="centre")

    return Block(rect, ("lesson", lesson.items, name, texts), paint)


def _taught_block(taught: LessonTaught, rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(12))
        line = round(painter.text_size * 1.7)
        title = f"Taught in {taught.seconds:.1f} s"
        painter.text(title, inner.top(line), palette.text, size=1.2, bold=True, smallest=0.5)
        rest = inner.below(line + painter.px(4))
        widths = (0.46, 0.27, 0.27)
        _row(painter, rest.top(line), ("", "before", "after"), widths, palette.muted, False)
        for i, (name, before, n, after) in enumerate(taught.rows):
            cells = (NAMES.get(name, f"{name}, held out"), _percent(before, n), _percent(after, n))
            place = Rect(rest.x, rest.y + (i + 1) * line, rest.w, line)
            if place.bottom <= rest.bottom:
                _row(painter, place, cells, widths, palette.text, after > before)
        foot = rest.below((len(taught.rows) + 1) * line + painter.px(4))
        texts = (f"It is {taught.name} now and answers. Keep it, or roll back.", "Keep it, or roll back.")
        parts.note(painter, texts, foot, palette.muted, size=0.9)

    return Block(rect, ("taught", taught), paint)


def _row(
    painter: Painter, rect: Rect, cells: tuple[str, ...], widths: tuple[float, ...], color: tuple, bold: bool
) -> None:
    x = rect.x
    for i, (text, width) in enumerate(zip(cells, widths, strict=True)):
        place = Rect(x, rect.y, round(rect.w * width), rect.h)
        align = "left" if i == 0 else "right"
        painter.text(text, place, color, size=0.95, bold=bold and i == 2, align=align, smallest=0.5)
        x = place.right


def _percent(right: int, n: int) -> str:
    return f"{right} of {n}" if n < 100 else f"{100 * right / n:.2f} %"


SCREEN = Screen(blocks, controls)
