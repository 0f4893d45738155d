"""Time machine: the kept steps of the network in use on a slider, and the drawing's own time on another."""

from play import timeline
from play.answers import KeptStep
from play.ink import seconds
from play.layout import NOTHING, Control, Layout, Rect
from play.places import gap_of, wide_panel
from play.stages import image_map
from play.state import PlayState
from play.timeline import Timeline
from play.verdict import NOT_A_DIGIT
from play.view import parts
from play.view.answer import probabilities_block, strip_block
from play.view.heat import legend_block, paint_heat
from play.view.painter import Block, Painter
from play.view.screen import Overlay, Screen
from play.view.theme import mix

ONE_STEP = "One step is kept: train, and its steps stand here."


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """The answer, the two sliders, what each step says, the ten bars."""
    answer, steps, own, legend, bars = _places(layout)
    line, why = state.timeline, state.explained
    answered = any(state.bars) and state.strokes and state.shown.word != NOT_A_DIGIT
    best = max(range(10), key=lambda digit: state.bars[digit]) if answered else None
    return (
        strip_block(state, answer),
        _steps_block(state, layout, steps),
        _own_block(state, layout, own, line),
        legend_block(legend, why.digit if why is not None and state.strokes else None),
        probabilities_block(bars, tuple(round(bar, 4) for bar in state.bars), best),
    )


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """The two sliders; the first where there is another step to go to."""
    _, steps, own, _, _ = _places(layout)
    line = state.timeline
    some = bool(state.strokes) or line.ink is not None
    training = Control(
        "slide:frame",
        _track(layout, steps),
        "",
        own=True,
        slides=True,
        enabled=len(line.frames) > 1,
        hint="← →",
        tip="Back and forth in the training",
        why="Its steps are not here yet",
    )
    drawing = Control(
        "slide:part",
        _track(layout, own),
        "",
        own=True,
        slides=True,
        enabled=some,
        tip="Back and forth in the drawing",
        why=NOTHING,
    )
    return (drawing,) if _alone(line) else (training, drawing)


def overlay(state: PlayState, layout: Layout) -> Overlay | None:
    """What speaks for the step's answer, on the ink itself."""
    why = state.explained if state.strokes and state.answers[0] is not None else None
    place = None if why is None else image_map(state.strokes, state.answers[0])
    if why is None or place is None:
        return None
    key = ("heat", id(why), state.revision, place)
    return Overlay(key, lambda painter: paint_heat(painter, state, layout.canvas, why, place))


def _alone(line: Timeline) -> bool:
    """Whether there is but one step, or none, to go to."""
    return line.whole and len(line.frames) < 2


def _places(layout: Layout) -> tuple[Rect, Rect, Rect, Rect, Rect]:
    """Answer, training, drawing, what the ink's colours say, bars."""
    panel, gap, text = layout.panel, gap_of(layout), layout.text
    own_height, legend = round(text * 4.4), round(text * 1.9)
    if wide_panel(panel):
        left, right = panel.columns(2, gap)
        answer = left.top(min(round(text * 6), round(left.h * 0.4)))
        rest = left.below(answer.h + gap)
        steps = right.top(max(0, right.h - own_height - gap))
        return answer, steps, right.below(steps.h + gap), rest.top(legend), rest.below(legend + gap)
    answer = panel.top(round(text * 6))
    rest = panel.below(answer.h + gap)
    steps = rest.top(min(round(text * 12), round(rest.h * 0.42)))
    rest = rest.below(steps.h + gap)
    own = rest.top(own_height)
    rest = rest.below(own.h + gap)
    return answer, steps, own, rest.top(legend), rest.below(legend + gap)


def _track(layout: Layout, rect: Rect) -> Rect:
    """The slider at the bottom of a card."""
    inner = rect.inset(max(4, round(10 * layout.unit)))
    height = max(min(16, inner.h), round(layout.text * 1.8))
    return Rect(inner.x, inner.bottom - height, inner.w, height)


def _steps_block(state: PlayState, layout: Layout, rect: Rect) -> Block:
    line, track = state.timeline, _track(layout, rect)
    focused, hovered = state.focus == "slide:frame", state.hover == "slide:frame"
    current = bool(state.strokes) and line.said_for >= state.ground
    said = line.said if current and len(line.said) == len(line.frames) else ()
    at = line.frame_of(state.step)  # as what is answered; the knob alone is where the pointer is
    known = (line.frames, line.whole, line.shown, at, said, state.models[0] is None, bool(state.strokes))

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        inner = inner._replace(h=max(0, track.y - inner.y - painter.px(6)))
        line_height = round(painter.text_size * 1.4)
        if not line.frames:
            text = "Reading the steps of this network."
            if state.models[0] is None or line.whole:
                text = "No network" if state.models[0] is None else "Its steps are not there any more."
            painter.text(text, inner.top(line_height), palette.muted, smallest=0.5)
            return
        painter.text(_about(line.frames[at]), inner.top(line_height), palette.text, bold=True, smallest=0.5)
        words = inner.below(line_height)
        texts = _learnt(line, said, bool(state.strokes))
        used = parts.note(painter, texts, words.top(2 * line_height), palette.muted, size=0.9)
        strip = words.below(used + painter.px(4))
        _strip(painter, strip, line, at, said)
        if _alone(line):
            painter.text(ONE_STEP, track, palette.muted, size=0.9, smallest=0.5)
            return
        part = line.shown / max(1, len(line.frames) - 1)
        _knob(painter, track, part, focused, hovered, off=len(line.frames) < 2)

    return Block(rect, ("steps", known, focused, hovered), paint)


def _about(frame: KeptStep) -> str:
    if frame.accuracy is None:
        return f"Step {frame.step:,}"
    kind = "held out" if frame.held_out else "of its batch"
    return f"Step {frame.step:,}: {100 * frame.accuracy:.1f} % {kind}"


def _learnt(line: Timeline, said: tuple, some: bool) -> tuple[str, ...]:
    """When it learnt this drawing, in several lengths."""
    if not line.whole:
        return (f"{len(line.frames)} steps so far.",)
    if not some:
        return ("Draw a digit: here stands when it was learnt.", "Draw a digit.")
    at = timeline.learnt(said)
    if at is None:
        return ("One moment.",)
    word = said[-1][0]
    step = line.frames[at].step
    if len(line.frames) == 1:
        return (f"The only step that is kept says {word}.", f"{word}, by its only step.")
    if at == 0:
        return (f"From the first step on it says {word}.", f"{word} from the first step on.")
    return (
        f"It has said {word} of this drawing since step {step:,}.",
        f"{word} since step {step:,}.",
    )


def _strip(painter: Painter, rect: Rect, line: Timeline, at: int, said: tuple) -> None:
    """A cell for each step, one of which answers: what it says of the drawing, as tall as it is sure."""
    palette, count = painter.palette, len(line.frames)
    if rect.h < 8 or rect.w < count:
        return
    last, head = said[-1][0] if said else "", round(painter.text_size * 1.2)
    bars = rect.below(head)
    gap = 1 if rect.w > 3 * count else 0
    columns = zip(rect.top(head).columns(count, gap), bars.columns(count, gap), strict=True)
    for i, (above, cell) in enumerate(columns):
        shown = i == at
        painter.fill(cell, palette.line if shown else palette.raised)
        if not said:
            continue
        word, sure = said[i]
        shade = mix(
            palette.raised, palette.accent if word == last else palette.second, 1.0 if shown else 0.65
        )
        height = max(2, round(cell.h * sure))
        painter.fill(Rect(cell.x, cell.bottom - height, cell.w, height), shade)
        if cell.w >= painter.text_size * 0.55:
            letter = "–" if word == NOT_A_DIGIT else word
            color = palette.text if shown else palette.muted
            painter.text(letter, above, color, size=0.8, bold=shown, align="centre", smallest=0.7)


def _own_block(state: PlayState, layout: Layout, rect: Rect, line: Timeline) -> Block:
    ink = state.strokes if line.ink is None else line.ink
    length = round(seconds(ink), 1)
    track = _track(layout, rect)
    focused, hovered = state.focus == "slide:part", state.hover == "slide:part"
    part = round(line.part, 3)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect)
        inner = rect.inset(painter.px(10))
        inner = inner._replace(h=max(0, track.y - inner.y))
        text = (
            f"{length * part:.1f} of {length:.1f} s of the drawing"
            if length
            else f"{round(100 * part)} % of it"
        )
        if not ink:
            text = "The drawing's own time"
        painter.text(text, inner.top(round(painter.text_size * 1.4)), palette.muted, size=0.9, smallest=0.5)
        _knob(painter, track, part, focused, hovered, off=not ink)

    return Block(rect, ("own", length, part, bool(ink), focused, hovered), paint)


def _knob(
    painter: Painter, track: Rect, part: float, focused: bool, hovered: bool, *, off: bool = False
) -> None:
    """A slider: the way behind it filled, a round knob."""
    palette = painter.palette
    thick = max(2, track.h // 4)
    body = Rect(track.x, track.y + (track.h - thick) // 2, track.w, thick)
    painter.box(body, palette.raised, 100)
    side = min(track.h, track.w)
    x = track.x + round(part * (track.w - side))
    painter.box(
        body._replace(w=max(1, x - track.x + side // 2)), palette.muted if off else palette.accent, 100
    )
    knob = Rect(x, track.y, side, track.h)
    color = palette.muted if off else palette.text if hovered else palette.accent
    painter.box(knob.inset(max(1, side // 8)), color, 100)
    if focused:
        painter.box(parts.ring(painter, knob, 100, palette.surface), color, 100)


SCREEN = Screen(blocks, controls, overlay)
