"""Help: what this screen shows and all keys, over everything; a press anywhere closes it."""

from play.layout import Control, Layout, Rect
from play.screens import SCREENS
from play.state import PlayState
from play.view import parts
from play.view.painter import Block, Painter, text_width, wrap

CANVAS_KEYS = (
    ("Z  Y", "undo, redo"),
    ("C", "clear"),
    ("E", "eraser and back"),
    ("[  ]", "thinner, thicker pen"),
    ("S", "save the drawing as …"),
    ("0 … 9", "save it as this digit"),
    ("N", "save it as “not a digit”"),
)
KEYS = (
    ("Page ↑ ↓", "other screens"),
    ("Tab", "next group of buttons"),
    ("← → ↑ ↓", "move inside a group"),
    ("Enter", "press the button"),
    ("T", "dark or light"),
    ("+  −", "larger, smaller text"),
    ("F11", "full screen"),
    ("F3", "numbers"),
    ("Esc", "back to drawing"),
    ("Ctrl Q", "leave"),
)


def controls(layout: Layout) -> tuple[Control, ...]:
    """All of the window closes it."""
    return (Control("help", layout.window, "Close", own=True),)


def block(state: PlayState, layout: Layout) -> Block:
    """The card in the middle of the window."""
    window, text = layout.window, layout.text
    about = SCREENS[state.screen]
    named = {key for key, _ in about.keys}  # on this screen they do that too
    common = [row for row in CANVAS_KEYS if row[0] not in named] if about.has_canvas else []
    keys = (*about.keys, *common, *KEYS)
    width = min(window.w - 2 * layout.margin, round(text * 44))
    inner = width - 2 * max(1, round(22 * layout.unit))
    lines = len(wrap(about.help, text, False, inner))
    rows = -(-len(keys) // 2)
    wanted = round(text * (6.6 + 1.35 * lines + rows * 1.75)) + 2 * max(1, round(22 * layout.unit))
    height = min(window.h - 2 * layout.margin, wanted)
    rect = Rect((window.w - width) // 2, (window.h - height) // 2, width, height)

    def paint(painter: Painter, rect: Rect) -> None:
        palette = painter.palette
        painter.box(rect, palette.surface, 14, palette.text, 2)
        inside = rect.inset(painter.px(22))
        title = inside.top(round(painter.text_size * 2.2))
        close = round(painter.text_size * 2)
        painter.text(about.title, title, palette.text, size=1.5, bold=True)
        corner = Rect(title.right - close, title.y, close, title.h)
        painter.text("✕", corner, palette.muted, size=1.4, align="right")
        rest = inside.below(title.h + painter.px(4))
        rest = rest.below(painter.paragraph(about.help, rest, palette.text) + painter.px(14))
        foot = round(painter.text_size * 1.8)
        table = rest.top(rest.h - foot)
        for half, column in zip((keys[:rows], keys[rows:]), table.columns(2, painter.px(20)), strict=True):
            left = max(text_width(key, painter.text_size, True) for key, _ in half) + painter.px(14)
            for (key, meaning), row in zip(half, column.rows(rows), strict=False):
                painter.text(key, row._replace(w=left), palette.text, bold=True, smallest=0.7)
                place = Rect(row.x + left, row.y, max(0, row.w - left), row.h)
                painter.text(meaning, place, palette.text, smallest=0.7)
        place = rest.below(table.h + painter.px(6))
        texts = (
            "Nothing that you draw leaves this machine. Press anywhere to go on.",
            "Press anywhere to go on.",
        )
        parts.note(painter, texts, place, palette.muted, size=0.9)

    return Block(rect, ("help", state.screen), paint)
