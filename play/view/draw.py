"""The draw screen: the answer, the ten bars, and always the image that the network sees."""

from play.layout import Control, Layout, Rect
from play.state import PlayState
from play.verdict import OTHER_WORD, with_article
from play.view import parts
from play.view.answer import answer_block, bars_block, seen_block
from play.view.painter import Block, Painter
from play.view.screen import Screen


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The panel's three parts: one over the other, or side by side where the panel is low."""
    panel, gap = layout.panel, max(4, layout.margin // 2)
    if state.saving:
        answer, card, _ = _saving_places(layout)
        return answer_block(state, answer), _saving_block(state, card)
    if state.missing:
        return (missing_block(state, panel),)
    if state.problem:
        return (problem_block(state, panel),)
    if panel.w > 1.15 * panel.h:
        left, right = panel.columns(2, gap)
        upper = left.top(round(left.h * 0.5))
        lower = left.below(upper.h + gap)
        return answer_block(state, upper), seen_block(state, lower), bars_block(state, right)
    answer = panel.top(round(panel.h * 0.33))
    rest = panel.below(answer.h + gap)
    bars = rest.top(round(rest.h * 0.57))
    return answer_block(state, answer), bars_block(state, bars), seen_block(state, rest.below(bars.h + gap))


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """What the drawing can be saved as, while that is asked."""
    if not state.saving:
        return ()
    _, _, places = _saving_places(layout)
    words = (*"1234567890", OTHER_WORD)
    return tuple(
        Control(
            f"label:{word}",
            rect,
            "Not a digit" if word == OTHER_WORD else word,
            on=word == state.labelled,
            plate=True,
            tip=f"Save it as {'no digit' if word == OTHER_WORD else with_article(word)}",
        )
        for word, rect in zip(words, places, strict=True)
    )


def _saving_places(layout: Layout) -> tuple[Rect, Rect, tuple[Rect, ...]]:
    """The answer, the card below or beside it, and eleven buttons on that."""
    panel, gap = layout.panel, max(4, layout.margin // 2)
    if panel.w > 1.15 * panel.h:
        answer, card = panel.columns(2, gap)
    else:
        answer = panel.top(round(panel.h * 0.33))
        card = panel.below(answer.h + gap)
    inner = card.inset(max(4, round(10 * layout.unit))).below(round(layout.text * 1.9))
    rows = inner.top(min(inner.h, round(layout.text * 18))).rows(4, gap)
    digits = [place for row in rows[:3] for place in row.columns(3, gap)]
    zero, _, last = rows[3].columns(3, gap)
    return (
        answer,
        card,
        (*digits, zero, Rect(zero.right + gap, zero.y, last.right - zero.right - gap, zero.h)),
    )


def _saving_block(state: PlayState, rect: Rect) -> Block:
    def paint(painter: Painter, rect: Rect) -> None:
        parts.card(painter, rect)
        parts.heading(painter, "Save it on this machine as", rect.inset(painter.px(10)))

    return Block(rect, "saving", paint)


def missing_block(state: PlayState, rect: Rect) -> Block:
    """What is said where there is no network at all: the one command to run."""

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        inner = rect.inset(painter.px(18))
        inner = inner.below(painter.paragraph("No network yet", inner, palette.text, size=1.7, bold=True))
        inner = inner.below(painter.px(10))
        text = "You can draw, but nobody reads it: there is no trained network."
        inner = inner.below(painter.paragraph(text, inner, palette.text)).below(painter.px(14))
        text = "Train one (about three minutes): press Start on the Train screen, or give the command"
        inner = inner.below(painter.paragraph(text, inner, palette.muted))
        command = inner.below(painter.px(6)).top(round(painter.text_size * 2.4))
        painter.box(command, palette.raised, 8)
        painter.text("make train", command.inset(painter.px(8)), palette.text, size=1.3, bold=True)
        rest = inner.below(command.h + painter.px(14))
        painter.paragraph("It is taken up by itself as soon as it is trained.", rest, palette.muted)

    return Block(rect, "missing", paint)


def problem_block(state: PlayState, rect: Rect) -> Block:
    """Why no network could be loaded, and where to choose another."""

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.fill(rect, palette.ground)
        painter.box(rect, palette.surface, 12)
        inner = rect.inset(painter.px(18))
        inner = inner.below(painter.paragraph("No network", inner, palette.text, size=1.7, bold=True))
        inner = inner.below(painter.px(10))
        inner = inner.below(painter.paragraph(state.problem, inner, palette.second)).below(painter.px(14))
        painter.paragraph("You can draw, and choose a network in Models.", inner, palette.muted)

    return Block(rect, ("problem", state.problem), paint)


SCREEN = Screen(blocks, controls)
