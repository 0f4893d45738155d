"""What it sees: the ink on its way to the 28 x 28 image, each stage live, each with a switch to break it."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pygame

from play import stages
from play.events import CANVAS
from play.ink import Ink, bounds
from play.layout import NOTHING, Control, Layout, Rect
from play.places import gap_of, wide_panel
from play.state import STAGES, PlayState
from play.verdict import NOT_A_DIGIT, Shown
from play.view import parts
from play.view.journey import maps_of, way
from play.view.painter import Block, Painter
from play.view.screen import Overlay, Screen

NOTES = {
    "box": (
        "A box around the ink; its middle goes to the middle.",
        "Its middle to the middle.",
        "To the middle.",
    ),
    "scale": ("The longer side becomes 20 of 28 pixels.", "Longer side: 20 pixels.", "To 20 pixels."),
    "mass": ("Its centre goes to pixel 14, as in MNIST.", "Its centre to pixel 14.", "To pixel 14."),
}
OWN_GEOMETRY = ("An 8 × 8 network has a way of its own.", "Not for 8 × 8.")


def blocks(state: PlayState, layout: Layout) -> tuple[Block, ...]:
    """A row a stage, then the image and the answer."""
    rows, result = _places(state, layout)
    thin: Callable[[], parts.Lines] = functools.cache(lambda: stages.thin(state.strokes))
    places = maps_of(state)
    step = -1 if state.journey is None else stages.way(state.time - state.journey).step
    found = [
        _stage_block(state, rect, number, places[number] if places else None, thin, step)
        for number, rect in enumerate(rows)
    ]
    return (*found, _result_block(state, result, step))


def controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """The switches, each as large as its row, and the journey."""
    rows, _ = _places(state, layout)
    text = layout.text
    gap = gap_of(layout)
    width, height = min(round(text * 7), rows[0].w // 3), min(round(text * 2.2), rows[0].h - 2 * gap)
    button = Rect(rows[0].right - width - gap, rows[0].y + (rows[0].h - height) // 2, width, height)
    label = "■ Stop" if state.journey is not None else "▶ Watch"
    able = bool(state.strokes) and _staged(state)
    journey = Control(
        "journey",
        button,
        label,
        hint="J",
        enabled=able,
        plate=True,
        tip="Stop here" if state.journey is not None else "Watch the ink on its way to the image",
        why=NOTHING if _staged(state) else OWN_GEOMETRY[0].rstrip("."),
    )
    switches = [
        Control(
            f"stage:{name}",
            rect,
            stages.TITLES[name],
            on=name not in state.off,
            enabled=_staged(state),
            own=True,
            tip="Switch this stage off" if name not in state.off else "Switch this stage on",
            why=OWN_GEOMETRY[0].rstrip("."),
        )
        for name, rect in zip(STAGES, rows[1:], strict=True)
    ]
    return (journey, *switches)


def overlay(state: PlayState, layout: Layout) -> Overlay | None:
    """Box and cross of mass on the ink; or the ink on its way, while that is shown."""
    if not state.strokes:
        return None
    answer = state.answers[0]
    if state.journey is not None and _staged(state):
        return way(state, layout)
    fit = None if answer is None else answer.fit
    key = ("guides", state.revision, fit, state.off)
    return Overlay(key, functools.partial(_paint_guides, state=state, layout=layout))


def _staged(state: PlayState) -> bool:
    info = state.models[0]
    return info is None or info.geometry == "mnist28"


def _places(state: PlayState, layout: Layout) -> tuple[tuple[Rect, ...], Rect]:
    panel, gap = layout.panel, gap_of(layout)
    if wide_panel(panel):
        left = panel._replace(w=round(panel.w * 0.58))
        return left.rows(4, gap), Rect(left.right + gap, panel.y, panel.w - left.w - gap, panel.h)
    upper = panel.top(round(panel.h * 0.6))
    return upper.rows(4, gap), panel.below(upper.h + gap)


def _stage_block(
    state: PlayState,
    rect: Rect,
    number: int,
    place: stages.Map | None,
    thin: Callable[[], parts.Lines],
    step: int,
) -> Block:
    name = stages.NAMES[number]
    on, able = name not in state.off, _staged(state)
    action = f"stage:{name}"
    focused, hovered = state.focus == action and number > 0, state.hover == action and number > 0
    points = sum(len(stroke.points) for stroke in state.strokes)
    key = (place, state.revision, on, able, focused, hovered, step == number)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect, focused=focused, hovered=hovered, chosen=step == number)
        inner = rect.inset(painter.px(8))
        side = min(inner.h, inner.w // 3)
        picture = Rect(inner.x, inner.y + (inner.h - side) // 2, side, side)
        painter.fill(picture, palette.paper)
        if place is not None and (able or number == 0):
            lines = thin()
            painter.surface.blit(
                parts.thumbnail(lines, place, side, palette.paper, [palette.ink] * len(lines)), picture
            )
            _mark(painter, picture, name, place, state.strokes)
        if side < 8:
            painter.box(picture, palette.line, 0, palette.line)
        else:
            _frame(painter, picture)
        rest = Rect(
            picture.right + painter.px(12), inner.y, inner.right - picture.right - painter.px(12), inner.h
        )
        wide = round(painter.text_size * 4.2)
        if number > 0 and able:
            parts.switch(painter, rest._replace(x=rest.right - wide, w=wide), on)
            rest = rest._replace(w=rest.w - wide - painter.px(6))
        elif number == 0:
            rest = rest._replace(
                w=max(0, rest.w - min(round(painter.text_size * 7), rect.w // 3) - painter.px(8))
            )
        title = rest.top(round(painter.text_size * 1.5))
        strokes = len(state.strokes)
        texts = NOTES.get(name) or (
            f"{strokes} stroke{'' if strokes == 1 else 's'}, {points} point{'' if points == 1 else 's'}",
            f"{points} points",
        )
        if number == 0 and not state.strokes:
            texts = ("Draw a digit on the canvas.", "Draw a digit.")
        if number > 0 and not able:
            texts = OWN_GEOMETRY
        below = rest.below(title.h + painter.px(2))
        pixels = round(painter.text_size * 0.85)
        needed = round(pixels * 1.35) * min(3, max(1, below.h // round(pixels * 1.35)))
        block = min(rest.h, title.h + painter.px(2) + needed)
        shift = 0 if block >= rest.h else (rest.h - block) // 2
        title, below = title._replace(y=title.y + shift), below._replace(y=below.y + shift, h=needed)
        painter.text(f"{number + 1}  {stages.TITLES[name]}", title, palette.text, bold=True, smallest=0.75)
        parts.note(painter, texts, below, palette.muted)

    return Block(rect, key, paint)


def _frame(painter: Painter, rect: Rect) -> None:
    pygame.draw.rect(painter.surface, painter.palette.line, rect, 1)


def _mark(painter: Painter, picture: Rect, name: str, place: stages.Map, ink: Ink) -> None:
    """The box, or the cross of mass, in a thumbnail."""
    palette, times = painter.palette, picture.w / stages.SIDE
    box = bounds(ink)
    if box is not None and name in ("box", "scale"):
        radius = place.pen / 2
        x0, y0 = place.point(box[0], box[1])
        x1, y1 = place.point(box[2], box[3])
        area = [(v + 0.5) * times for v in (x0 - radius, y0 - radius, x1 + radius, y1 + radius)]
        rect = pygame.Rect(round(area[0]), round(area[1]), round(area[2] - area[0]), round(area[3] - area[1]))
        clip = painter.surface.get_clip()
        painter.surface.set_clip(pygame.Rect(picture).clip(clip))
        shown = rect.move(picture.x, picture.y).inflate(4, 4)
        pygame.draw.rect(painter.surface, palette.accent, shown, painter.px(1.5))
        painter.surface.set_clip(clip)
    if name in ("box", "scale", "mass"):
        middle = (stages.MIDDLE + 0.5) * times
        reach = max(3, round(picture.w * 0.07))
        parts.cross(
            painter.surface,
            picture.x + middle,
            picture.y + middle,
            reach,
            max(1, painter.px(1)),
            palette.second,
            palette.paper,
        )


def _result_block(state: PlayState, rect: Rect, step: int) -> Block:
    answer = state.answers[0] if state.strokes else None
    shown = state.shown if state.strokes else Shown()
    info = state.models[0]
    side = answer.side if answer is not None else 8 if info is not None and info.geometry == "uci8" else 28
    best = None if answer is None else round(max(answer.probabilities), 4)
    image = None if answer is None else answer.image
    off = tuple(stages.TITLES[name].lower() for name in STAGES if name in state.off) if _staged(state) else ()
    last = step == len(stages.NAMES) - 1
    provisional = state.provisional and bool(shown.word)
    key = (image, side, shown.word, shown.second, best, off, last, provisional, state.problem, state.loading)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        parts.card(painter, rect, chosen=last)
        inner = rect.inset(painter.px(10))
        inner = parts.heading(painter, f"5  {side} × {side}: all that the network gets", inner)
        if wide_panel(inner):
            left = inner._replace(w=min(round(inner.w * 0.56), inner.h))
            right = Rect(
                left.right + painter.px(10), inner.y, inner.right - left.right - painter.px(10), inner.h
            )
        else:
            left = inner.top(min(inner.w, round(inner.h * 0.6)))
            right = inner.below(left.h + painter.px(8))
        values = np.zeros((side, side), np.uint8)
        if image is not None:
            values = np.frombuffer(image, np.uint8).reshape(side, side)
        painter.image(values, left, (0, 0, 0), (255, 255, 255))
        line = round(painter.text_size * 1.5)
        lines = []
        if shown.word and best is not None:
            doubt = f"or perhaps {shown.second}" if shown.second else ""
            sure = parts.percent(best)
            lines = [doubt or (sure if shown.word != NOT_A_DIGIT else "")]
        elif not state.strokes:
            lines = ["Draw a digit"]
        elif state.loading:
            lines = ["Loading"]
        elif state.problem:
            lines = ["No network"]
        if off:
            lines.append(f"without {', '.join(off)}" if len(off) == 1 else f"{len(off)} stages off")
        place = right.top(max(0, right.h - line * len(lines)))
        color = palette.muted if provisional else palette.text
        if shown.word == NOT_A_DIGIT:
            painter.text(NOT_A_DIGIT, place, color, size=1.8, bold=True, align="centre", smallest=0.3)
        elif shown.word:
            painter.digit(shown.word, place.inset(painter.px(4)), color)
        else:
            painter.text("…", place, palette.muted, size=3, align="centre")
        rest = right.below(place.h)
        for i, text in enumerate(lines):
            shade = palette.second if (off and i == len(lines) - 1) or shown.second else palette.muted
            painter.text(
                text, Rect(rest.x, rest.y + i * line, rest.w, line), shade, align="centre", smallest=0.7
            )

    return Block(rect, key, paint)


def _paint_guides(painter: Painter, *, state: PlayState, layout: Layout) -> None:
    """The box that is fitted, with its middle, and the cross of mass."""
    palette, canvas = painter.palette, layout.canvas
    box, answer = bounds(state.strokes), state.answers[0]
    if box is None or not _staged(state):
        return
    width = painter.px(2)
    scaled = maps_of(state)[2]
    radius = scaled.pen / 2 / scaled.scale if scaled.scale > 0 else state.pen / 2
    x0, y0 = _to_pixels(canvas, box[0] - radius, box[1] - radius)
    x1, y1 = _to_pixels(canvas, box[2] + radius, box[3] + radius)
    pygame.draw.rect(painter.surface, palette.accent, pygame.Rect(x0, y0, x1 - x0, y1 - y0), width)
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    ring = painter.px(10)
    pygame.draw.aacircle(
        painter.surface, palette.paper, middle, ring + painter.px(2), 2 * width + painter.px(2)
    )
    pygame.draw.aacircle(painter.surface, palette.accent, middle, ring, width)
    mass = stages.mass_on_canvas(answer)
    labels = [(("middle of the box", "middle"), middle, palette.accent)]
    if mass is not None:
        place = _to_pixels(canvas, *mass)
        parts.cross(painter.surface, *place, painter.px(13), painter.px(3), palette.second, palette.paper)
        labels.append((("centre of mass", "mass"), place, palette.second))
    away = max(radius, state.pen / 2) * canvas.w / CANVAS + painter.px(8)
    x0, y0 = (math.floor(v - away) for v in _to_pixels(canvas, box[0], box[1]))
    x1, y1 = (math.ceil(v + away) for v in _to_pixels(canvas, box[2], box[3]))
    taken = Rect(x0, y0, x1 - x0, y1 - y0)
    labels.sort(key=lambda label: label[1][1])
    marks, height = [y for _, (_, y), _ in labels], round(painter.text_size * 1.5)
    for short, wide in enumerate(round(painter.text_size * part) for part in (9, 4)):
        places = label_places(canvas.inset(painter.px(8)), taken, marks, wide, height)
        for (names, _, color), rect in zip(labels, places, strict=False):
            align = "right" if rect.right <= taken.x else "left"
            painter.text(names[short], rect, color, size=0.9, align=align)
        if places:
            return


def label_places(canvas: Rect, ink: Rect, heights: Sequence[float], wide: int, height: int) -> list[Rect]:
    """Where the marks' names stand: beside the ink, else below or above it; nowhere when it fills the canvas.

    Args:
        canvas: in pixels, as all here.
        ink: what the names must not lie on.
        heights: y of each mark, falling never.
        wide: width of a name.
        height: of a name.
    """
    block = height * len(heights)
    right, left = max(ink.right, canvas.x), min(ink.x, canvas.right) - wide
    if right + wide <= canvas.right or left >= canvas.x:
        x = right if right + wide <= canvas.right else left
        tops = [y - height / 2 for y in heights]
        if any(below - above < height for above, below in itertools.pairwise(tops)):
            middle = sum(heights) / len(heights) - block / 2
            tops = [middle + i * height for i in range(len(heights))]
    else:
        y = next((y for y in (ink.bottom, ink.y - block) if canvas.y <= y <= canvas.bottom - block), None)
        if y is None:
            return []
        x = min(max(canvas.x, ink.x), canvas.right - wide)
        tops = [float(y + i * height) for i in range(len(heights))]
    places: list[Rect] = []
    for i, top in enumerate(tops):
        first = places[-1].bottom if places else canvas.y
        last = canvas.bottom - height * (len(heights) - i)
        places.append(Rect(x, min(max(round(top), first), last), wide, height))
    return places


def _to_pixels(canvas: Rect, x: float, y: float) -> tuple[float, float]:
    return canvas.x + x * canvas.w / CANVAS, canvas.y + y * canvas.h / CANVAS


SCREEN = Screen(blocks, controls, overlay)
