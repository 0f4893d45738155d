"""The two diagrams of honest odds: reliability, and risk against coverage."""

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from digitjax.odds import COVERAGE, reliability, risk_at, risk_by_coverage

INK, QUIET, FAINT = "#1b1f27", "#6b7280", "#e5e7eb"
RIGHT, WRONG = "#2563eb", "#dc2626"

_LARGEST = 140
"""Area of the dot of a bin that holds all answers, in points squared."""


def draw_reliability(
    axes: Axes, confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], size: float = 9.0
) -> None:
    """A dot for each bin of confidence: how often those answers are right; larger for more answers.

    On the diagonal odds come true as often as they say.

    Args:
        axes: where.
        confidence: probability of each answer.
        right: which answers are right.
        size: of the text, in points.
    """
    found = reliability(confidence, right)
    filled = found.counts > 0
    share = np.log1p(found.counts[filled]) / np.log1p(len(confidence))
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (1, 2)))
    axes.scatter(
        found.confidence[filled], found.accuracy[filled], s=_LARGEST * share**2, color=RIGHT, lw=0, zorder=3
    )
    axes.set_xlim(0, 1.04)
    axes.set_ylim(0, 1.04)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([0, 0.5, 1]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.set_xlabel("how sure", color=QUIET, size=size)
    _finish(axes, f"right this often:\noff by {100 * found.error:.2f} %", size)


def draw_risk(
    axes: Axes, confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], size: float = 9.0
) -> None:
    """The part of the answers that is wrong when only the surest are given; arguments as above."""
    coverage, risk = risk_by_coverage(confidence, right)
    axes.plot(coverage, risk, color=WRONG, lw=1.6)
    axes.axvline(COVERAGE, color=QUIET, lw=1, ls=(0, (1, 2)))
    axes.set_xlim(0.8, 1.004)
    axes.set_ylim(0, max(1.25 * float(risk[-1]), 1e-3))
    axes.xaxis.set_major_locator(FixedLocator([0.8, 0.9, 1]))
    axes.yaxis.set_major_locator(FixedLocator(sorted({0.0, float(risk[-1])})))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.2g} %"))
    axes.set_xlabel("answered, the surest first", color=QUIET, size=size)
    _finish(axes, f"wrong: {100 * risk_at(confidence, right):.2f} %\nat 99 % answered", size)


def _finish(axes: Axes, title: str, size: float) -> None:
    axes.set_title(title, loc="left", size=size, color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=QUIET, labelsize=size, length=0)
    axes.tick_params(axis="x", pad=6)  # the zeros in the corner stay apart
