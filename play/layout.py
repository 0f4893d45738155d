"""Where everything is, as pure functions of the window's size and the text's: rectangles, controls, hits.

No pygame, so that the translator, the views and the tests agree about every place.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from play.events import CANVAS
from play.screens import SCREENS
from play.state import PENS, PlayState

TEXT_SCALE = {"small": 0.85, "normal": 1.0, "large": 1.25}
SMALLEST = 320
"""Side of the smallest window, in pixels, for which anything is laid out."""
TAB = 4.6
"""Width of a tab, in texts, below which the tabs stand in two rows."""
BARS = 80
"""Pixels of a small screen that are left to the desktop's bars."""
NOTHING = "Nothing is drawn yet"
NOT_SAVED = "A whole number is read, not saved: to save a digit, draw it on the Draw screen"
"""In a drawings file a word other than 0 to 9 counts as no digit."""
TOOLS = (
    ("undo", "Undo", "↶", "Z", "Undo", "There is nothing to undo"),
    ("redo", "Redo", "↷", "Y", "Redo", "There is nothing to redo"),
    ("clear", "Clear", "✕", "C", "Clear the canvas", NOTHING),
    ("pen", "Pen", "✎", "E", "Pen", ""),
    ("eraser", "Erase", "◧", "E", "Eraser", ""),
    ("pen-smaller", "Thin", "•", "[", "Thinner pen", "The pen is at its thinnest"),
    ("pen-bigger", "Thick", "●", "]", "Thicker pen", "The pen is at its thickest"),
    ("save", "Save", "↧", "S", "Save the drawing as …", NOTHING),
)
"""Action, label, sign, key, what it does, and why it may not."""


class Rect(NamedTuple):
    """A rectangle in whole pixels."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        """x just outside."""
        return self.x + self.w

    @property
    def bottom(self) -> int:
        """y just outside."""
        return self.y + self.h

    def contains(self, x: float, y: float) -> bool:
        """Whether a place is inside."""
        return self.x <= x < self.right and self.y <= y < self.bottom

    def overlaps(self, other: "Rect") -> bool:
        """Whether they share a pixel."""
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )

    def inset(self, by: int) -> "Rect":
        """Smaller by so much on every side."""
        return Rect(self.x + by, self.y + by, max(0, self.w - 2 * by), max(0, self.h - 2 * by))

    def top(self, height: int) -> "Rect":
        """Its upper part."""
        return Rect(self.x, self.y, self.w, max(0, min(height, self.h)))

    def below(self, height: int) -> "Rect":
        """What is left under the upper part."""
        height = max(0, min(height, self.h))
        return Rect(self.x, self.y + height, self.w, self.h - height)

    def columns(self, count: int, gap: int = 0) -> tuple["Rect", ...]:
        """Equal columns that fill it."""
        return tuple(_part(self, i, count, gap, True) for i in range(count))

    def labelled(self, labels: Sequence[str], gap: int = 0) -> tuple["Rect", ...]:
        """Columns that fill it, a longer label's the wider one."""
        ends = [0, *itertools.accumulate(len(label) + 2 for label in labels)]
        room = max(0, self.w - gap * (len(labels) - 1))
        edges = [end * room // ends[-1] for end in ends]
        return tuple(
            Rect(self.x + edges[i] + i * gap, self.y, edges[i + 1] - edges[i], self.h)
            for i in range(len(labels))
        )

    def rows(self, count: int, gap: int = 0) -> tuple["Rect", ...]:
        """Equal rows that fill it."""
        return tuple(_part(self, i, count, gap, False) for i in range(count))


class Control(NamedTuple):
    """Something to press.

    Attributes:
        action: what `Press` carries; also its name for focus.
        rect: where.
        label: text on it.
        icon: a sign before or above the label.
        hint: the key that does the same.
        slides: it follows the pointer from left to right (`Press("ACTION=PART")`), and the arrow keys.
        tip: what it does, said in the status line while it is pointed at.
        why: what is said instead where it is not enabled: why, or what would change that.
        on: it is the chosen one, or switched on.
        enabled: it would do something.
        own: its screen paints it, with focus and pointer.
        plate: it lies on a panel's surface.
    """

    action: str
    rect: Rect
    label: str
    icon: str = ""
    hint: str = ""
    on: bool = False
    enabled: bool = True
    own: bool = False
    plate: bool = False
    tip: str = ""
    slides: bool = False
    why: str = ""

    @property
    def words(self) -> str:
        """What is said of it while it is pointed at, with its key."""
        if not self.enabled:
            return self.why
        return f"{self.tip}  ({self.hint})" if self.tip and self.hint else self.tip


class Layout(NamedTuple):
    """The window, divided.

    Attributes:
        window: all of it, at least `SMALLEST` on each side.
        size: width and height of the window itself, which shows a part of that where it is smaller.
        unit: pixels of one design pixel; everything that has a size is a multiple of it.
        text: pixels of normal text.
        header: the tabs.
        tools: beside the canvas, or under it where there is more room below.
        canvas: a square, or a low one for whole numbers; canvas units run over its width.
        panel: the screen's own.
        status: the line at the bottom.
        wide: whether the panel is beside the canvas.
        controls: of the frame; a screen adds its own.
    """

    window: Rect
    size: tuple[int, int]
    unit: float
    text: int
    margin: int
    header: Rect
    tools: Rect
    canvas: Rect
    panel: Rect
    status: Rect
    wide: bool
    controls: tuple[Control, ...]


def unit_of(width: int, height: int, text_size: str) -> tuple[float, int]:
    """Pixels of a design pixel, and of normal text, for a window."""
    unit = max(min(width / 1280, height / 800), min(min(width, height) / 800, 0.75), 0.45)
    return unit, max(9, round(17 * unit * TEXT_SCALE[text_size]))


def first_size(width: int, height: int) -> tuple[int, int]:
    """Size of the first window on a screen of so many pixels: no larger, and twice as large on a fine one."""
    times = max(1, min(width // 1920, height // 1080))
    return max(SMALLEST, min(1280 * times, width)), max(SMALLEST, min(800 * times, height - BARS))


def arrange(state: PlayState) -> Layout:
    """Divides the window."""
    width, height = max(state.width, SMALLEST), max(state.height, SMALLEST)
    unit, text = unit_of(width, height, state.settings.text_size)
    margin = max(4, round(14 * unit))
    bar = _bar(unit, text)
    window = Rect(0, 0, width, height)
    gap = max(2, round(6 * unit))
    rows = _tab_rows(width - 2 * margin, bar, text, gap)
    header = Rect(margin, margin, width - 2 * margin, rows * bar + (rows - 1) * gap)
    status_height = round(text * 1.7)
    status = Rect(margin, height - status_height - margin // 2, width - 2 * margin, status_height)
    top, bottom = header.bottom + margin, status.y - margin // 2
    wide = width >= 1.15 * height
    if wide:
        tool = max(round(58 * unit), round(text * 3.6))
        side = max(64, min(bottom - top, round((width - 4 * margin - tool) * 0.62)))
        tools = Rect(margin, top, tool, bottom - top)
        canvas = Rect(tools.right + margin, top, side, side)
        row = max(round(50 * unit), round(text * 2.6))
        larger = min(bottom - top - row - margin // 2, round((width - 3 * margin) * 0.62))
        if larger > side:
            canvas = Rect(margin, top, larger, larger)
            tools = Rect(margin, canvas.bottom + margin // 2, larger, row)
        panel = Rect(canvas.right + margin, top, max(0, width - canvas.right - 2 * margin), bottom - top)
    else:
        tool = max(round(50 * unit), round(text * 2.6))
        side = max(64, min(width - 2 * margin, round((bottom - top - tool - 2 * margin) * 0.6)))
        canvas = Rect((width - side) // 2, top, side, side)
        tools = Rect(margin, canvas.bottom + margin // 2, width - 2 * margin, tool)
        panel = Rect(
            margin, tools.bottom + margin, width - 2 * margin, max(0, bottom - tools.bottom - margin)
        )
    if SCREENS[state.screen].wide:
        canvas, tools, panel = _low_canvas(
            state, Rect(margin, top, width - 2 * margin, bottom - top), unit, text
        )
    if not SCREENS[state.screen].has_canvas:
        panel = Rect(margin, top, width - 2 * margin, bottom - top)
    size = state.width, state.height
    layout = Layout(window, size, unit, text, margin, header, tools, canvas, panel, status, wide, ())
    return layout._replace(controls=_controls(state, layout))


def _low_canvas(state: PlayState, rect: Rect, unit: float, text: int) -> tuple[Rect, Rect, Rect]:
    """Canvas, tools and panel one over the other; the canvas has half of the height at most."""
    share, gap = SCREENS[state.screen].height, max(2, round(7 * unit))
    side = max(64, min(rect.w, round(rect.h * 0.5 / share)))
    canvas = Rect(rect.x + (rect.w - side) // 2, rect.y, side, round(side * share))
    tools = Rect(rect.x, canvas.bottom + gap, rect.w, max(round(50 * unit), round(text * 2.6)))
    return canvas, tools, rect.below(tools.bottom + gap - rect.y)


def hit(controls: Sequence[Control], x: float, y: float) -> Control | None:
    """The control at a place, the last drawn first."""
    return next((control for control in reversed(controls) if control.rect.contains(x, y)), None)


def to_canvas(layout: Layout, x: float, y: float) -> tuple[float, float]:
    """Pixels to canvas units; outside of the canvas too."""
    canvas = layout.canvas
    return (x - canvas.x) * CANVAS / canvas.w, (y - canvas.y) * CANVAS / canvas.w


def from_canvas(layout: Layout, x: float, y: float) -> tuple[float, float]:
    """Canvas units to pixels."""
    canvas = layout.canvas
    return canvas.x + x * canvas.w / CANVAS, canvas.y + y * canvas.w / CANVAS


def _part(rect: Rect, index: int, count: int, gap: int, across: bool) -> Rect:
    length = (rect.w if across else rect.h) - gap * (count - 1)
    start = index * length // count + index * gap
    size = max(0, (index + 1) * length // count - index * length // count)
    if across:
        return Rect(rect.x + start, rect.y, size, rect.h)
    return Rect(rect.x, rect.y + start, rect.w, size)


def _controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    gap = max(2, round(6 * layout.unit))
    header = layout.header
    square = _bar(layout.unit, layout.text)
    small = 5 * square + 4 * gap
    tabs = Rect(header.x, header.y, max(0, header.w - small - 2 * gap), header.h)
    rows = _tab_rows(header.w, square, layout.text, gap)
    across = -(-len(SCREENS) // rows)
    tabs = tabs._replace(w=min(tabs.w, round(layout.text * 9 * across)))
    places = [place for row in tabs.rows(rows, gap) for place in row.columns(across, gap)]
    titles = [_title(name, rect.w, layout.text) for name, rect in zip(SCREENS, places, strict=False)]
    if rows == 1:
        places = tabs.labelled(titles, gap)
    controls = [
        Control(f"screen:{name}", rect, title, on=state.screen == name, tip=_about(name))
        for name, title, rect in zip(SCREENS, titles, places, strict=False)
    ]
    corner = Rect(header.right - small, header.y, small, square).columns(5, gap)
    numbers = "Numbers: milliseconds to the answer and of a frame"
    controls += [
        Control("text-cycle", corner[0], "", "Aa", "+ -", tip="Text size"),
        Control("theme", corner[1], "", "◐", "T", tip="Dark or light"),
        Control("numbers", corner[2], "", "ms", "F3", on=state.numbers_shown, tip=numbers),
        Control("fullscreen", corner[3], "", "⛶", "F11", on=state.fullscreen, tip="Full screen"),
        Control("help", corner[4], "", "?", "?", on=state.help, tip="Help and all keys"),
    ]
    if SCREENS[state.screen].has_canvas:
        controls += _tools(state, layout, gap)
    return tuple(controls)


def _bar(unit: float, text: int) -> int:
    """Height of a row of tabs."""
    return max(round(40 * unit), round(text * 2.1))


def _tab_rows(width: int, bar: int, text: int, gap: int) -> int:
    """Rows of tabs: two where one would leave no room for their titles."""
    room = width - 5 * bar - 6 * gap
    return 1 if room / len(SCREENS) >= TAB * text else 2


def _title(name: str, width: int, text: int) -> str:
    about = SCREENS[name]
    return about.short if about.short and width < 7.5 * text else about.title


def _about(name: str) -> str:
    return f"{SCREENS[name].title}: {SCREENS[name].help}"


def _tools(state: PlayState, layout: Layout, gap: int) -> list[Control]:
    tools = layout.tools
    if tools.h > tools.w:
        height = min(round(tools.w * 1.02), (tools.h - 7 * gap) // 8)
        places = Rect(tools.x, tools.y, tools.w, 8 * height + 7 * gap).rows(8, gap)
    else:
        places = tools.columns(8, gap)
    some, wide, pen = bool(state.strokes), SCREENS[state.screen].wide, state.settings.pen
    able = {"undo": bool(state.past), "redo": bool(state.future), "clear": some, "save": some and not wide}
    able |= {"pen-smaller": pen > 0, "pen-bigger": pen < len(PENS) - 1}
    on = {"pen": state.tool == "pen", "eraser": state.tool == "eraser", "save": state.saving}
    return [
        Control(
            action,
            rect,
            label,
            icon,
            hint,
            on=on.get(action, False),
            enabled=able.get(action, True),
            tip=tip,
            why=NOT_SAVED if action == "save" and wide else why,
        )
        for rect, (action, label, icon, hint, tip, why) in zip(places, TOOLS, strict=True)
    ]
