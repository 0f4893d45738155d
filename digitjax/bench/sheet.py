"""A picture of the drawings that a network is surest about and wrong, and of how honest its odds are."""

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from digitjax.bench.drawn import Digits, Mistake
from digitjax.diagrams import FAINT, INK, QUIET, WRONG, draw_reliability, draw_risk
from digitjax.errors import one_line
from digitjax.manifest import write_bytes

COLUMNS = 8
"""Drawings in a row."""

_TILE, _CAPTION, _GAP, _HEAD, _HEADING = 1.0, 0.42, 0.22, 0.95, 0.4
_CHARACTERS = 19
_DIAGRAMS = 3.1
"""Height of the diagrams below the drawings."""
_PASSING = "no digits that pass best for one: what it is → the digit it would be, how likely it is one at all"


def write_sheet(path: Path, sheet: Figure) -> None:
    """Writes what `draw_sheet` drew as a PNG, in one move."""
    png = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a word may be in any script
        FigureCanvasAgg(sheet).print_png(png)
    write_bytes(path, png.getvalue())


def draw_sheet(
    mistakes: Sequence[Mistake],
    digits: Digits,
    title: str,
    caption: str,
    passing: Sequence[Mistake] = (),
) -> Figure:
    """Each drawing as the network saw it, with truth, answer, how sure the answer was, and who drew it.

    Below them are reliability and risk against coverage of all digits.

    Args:
        mistakes: in the order in which they are shown.
        digits: all that were read.
        title: large, above them.
        caption: a line below the title.
        passing: drawings that are no digits and pass for some, shown likewise below those.
    """
    first, last = -(-len(mistakes) // COLUMNS), -(-len(passing) // COLUMNS)
    row, width = _TILE + _GAP + _CAPTION, COLUMNS * (_TILE + _GAP) + _GAP
    others = _HEAD + first * row + (_HEADING if passing else 0)
    height = others + last * row + _GAP + _DIAGRAMS
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.text(_GAP, 0.34, title, size=15, weight="bold", color=INK, va="center")
    axes.text(_GAP, 0.66, caption, size=9, color=QUIET, va="center")
    if passing:
        axes.text(_GAP, others - 0.12, _PASSING, size=9, color=QUIET, va="center")
    for top, shown in ((_HEAD, mistakes), (others, passing)):
        for place, mistake in enumerate(shown):
            down, right = divmod(place, COLUMNS)
            _draw_tile(axes, _GAP + right * (_TILE + _GAP), top + _GAP / 2 + down * row, mistake)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    for left, draw in ((0.09, draw_reliability), (0.58, draw_risk)):
        box = (left, 0.55 / height, 0.38, (_DIAGRAMS - 0.75) / height)
        draw(figure.add_axes(box), digits.confidence, digits.right)
    return figure


def _draw_tile(axes: Axes, left: float, top: float, mistake: Mistake) -> None:
    right, bottom = left + _TILE, top + 0.2 + _TILE
    word = one_line(mistake.word) or "?"
    size = 10 if len(word) == 1 else 6  # beside the odds
    words = f"{word if len(word) < 6 else word[:4] + '…'} → {mistake.answer}"
    axes.text(left, top + 0.08, words, size=size, weight="bold", color=INK, va="center", parse_math=False)
    sure = _percent(mistake.probability)
    axes.text(right, top + 0.08, sure, size=8, color=WRONG, va="center", ha="right")
    axes.imshow(mistake.image, cmap="gray_r", vmin=0, vmax=255, extent=(left, right, bottom, top + 0.2))
    across, down = [left, right, right, left, left], [bottom, bottom, top + 0.2, top + 0.2, bottom]
    axes.plot(across, down, color=FAINT, lw=1)
    axes.text(left, bottom + 0.1, _short(mistake), size=6, color=QUIET, va="center", parse_math=False)


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %" if probability < 0.9995 else ">99.9 %"


def _short(mistake: Mistake) -> str:
    name = mistake.writer or re.split(r"[:/\\]", mistake.data)[-1].partition("@")[0]
    text = f"{name if len(name) < 14 else name.rpartition('/')[2]} #{mistake.place}"
    printable = one_line(text)
    return printable if len(printable) <= _CHARACTERS else "…" + printable[1 - _CHARACTERS :]
