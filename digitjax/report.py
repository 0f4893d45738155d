"""report.png: one slide that says how a run went."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from digitjax.checkpoint import LoadedModel
from digitjax.data.pipeline import Examples
from digitjax.diagrams import FAINT, INK, QUIET, RIGHT, WRONG, draw_reliability, draw_risk
from digitjax.evaluate import Evaluation, has_ink
from digitjax.manifest import write_bytes
from digitjax.progress import duration

TRAIN = "#9ca3af"
SERIES = ("#2563eb", "#d97706", "#059669", "#7c3aed")
ROWS, COLUMNS = 2, 4
"""Worst errors shown."""
SMALLEST_ERROR = 1e-4
"""What the logarithmic axis shows for no error at all."""

_CURVES, _CONFUSIONS, _WORST = 0.05, 0.355, 0.722
_TOP, _BOTTOM = 0.675, 0.085
_HEADING = 0.735
_ODDS = 0.38
"""Where the heading of the diagrams is, below the worst errors."""


class Measured(NamedTuple):
    """A test set and how the network does on it.

    Attributes:
        examples: the set.
        evaluation: the measures.
        log_p: log-probabilities of the ten, float64 [n, 10].
        is_digit: log-odds of being a digit, float64 [n]; None for a network that takes all for one.
    """

    examples: Examples
    evaluation: Evaluation
    log_p: np.ndarray
    is_digit: np.ndarray | None = None


def write_report(
    path: Path,
    loaded: LoadedModel,
    lines: Sequence[dict[str, Any]],
    measured: Sequence[Measured],
    seconds: float,
) -> None:
    """Writes `draw_report` as a PNG, in one move."""
    png = io.BytesIO()
    FigureCanvasAgg(draw_report(loaded, lines, measured, seconds)).print_png(png)
    write_bytes(path, png.getvalue())


def draw_report(
    loaded: LoadedModel, lines: Sequence[dict[str, Any]], measured: Sequence[Measured], seconds: float
) -> Figure:
    """Headline figures, curves, confusions, worst errors and how honest the odds are, on 1920 x 1080.

    Args:
        loaded: the run's best step.
        lines: of its metrics.jsonl.
        measured: test sets; the first one's confusions, errors and odds are shown.
        seconds: time spent training.
    """
    figure = Figure(figsize=(16, 9), dpi=120, facecolor="white")
    _headline(figure, loaded, measured, seconds)
    _curves(figure, lines, loaded.step)
    if measured:
        _confusions(figure, measured[0])
        _worst(figure, measured[0])
        _odds(figure, measured[0])
    return figure


def _headline(figure: Figure, loaded: LoadedModel, measured: Sequence[Measured], seconds: float) -> None:
    config = loaded.config
    figure.text(0.05, 0.945, _short(loaded.run.name, 60), size=26, weight="bold", color=INK, va="center")
    trained = [m.evaluation.data.partition("@")[0] for m in measured] or ["its data"]
    about = (
        f"{config.epochs} epoch{'s' * (config.epochs > 1)} of {config.epoch_examples:,} examples from "
        f"{_short(' + '.join(trained), 60)}, seed {config.seed}; best by validation: step {loaded.step:,}"
    )
    figure.text(0.05, 0.9, about, size=13, color=QUIET, va="center")
    figures = [
        (_percent(m.evaluation.accuracy, 2), f"right on {_short(m.evaluation.data, 22)}", RIGHT)
        for m in measured[:3]
        if m.evaluation.accuracy is not None
    ]
    if measured:
        first = measured[0].evaluation
        figures.insert(1, (f"{first.n_wrong:,}", f"wrong of its {first.n_digits:,}", WRONG))
    if isinstance(parameters := loaded.record.get("parameters"), int):
        figures.append((f"{parameters:,}", "parameters", INK))
    figures.append((duration(seconds), "training", INK))
    for index, (number, caption, color) in enumerate(figures):
        x = 0.05 + index * 0.93 / len(figures)
        figure.text(x, 0.832, number, size=25, weight="bold", color=color, va="center")
        figure.text(x, 0.79, caption, size=12, color=QUIET, va="center")


def _curves(figure: Figure, lines: Sequence[dict[str, Any]], best: int) -> None:
    epochs = [line for line in lines if "epoch" in line]
    best_epoch = next((line["epoch"] for line in epochs if line["step"] == best), None)
    names = list(epochs[-1]["validation"]) if epochs else []
    _title(figure, _CURVES, "Learning", "dotted line: the epoch that was chosen")
    height = (_TOP - _BOTTOM) / 2 - 0.025
    loss = figure.add_axes((_CURVES + 0.015, _TOP - height, 0.245, height))
    error = figure.add_axes((_CURVES + 0.015, _BOTTOM, 0.245, height))
    x = [line["epoch"] for line in epochs]
    marker = "o" if len(x) < 3 else None
    for axes, train, field in ((loss, "train_loss", "loss"), (error, "train_accuracy", "accuracy")):
        values = [_shown(line[train], field) for line in epochs]
        axes.plot(x, values, color=TRAIN, lw=2, marker=marker, label="train, augmented")
        for name, color in zip(names, SERIES, strict=False):
            values = [_shown(line["validation"].get(name, {}).get(field), field) for line in epochs]
            axes.plot(x, values, color=color, lw=2.2, marker=marker, label=_short(name, 24))
        if best_epoch is not None:
            axes.axvline(best_epoch, color=QUIET, lw=1.2, ls=(0, (1, 2)))
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(FixedLocator(x) if len(x) < 2 else MaxNLocator(6, integer=True))
        if len(x) == 1:
            axes.set_xlim(x[0] - 0.3, x[0] + 0.9)  # beside the legend
        axes.grid(axis="y", color=FAINT, lw=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(colors=QUIET, labelsize=10, length=0)
    loss.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    error.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    loss.tick_params(labelbottom=False)
    _corner(loss, "loss")
    _corner(error, "errors")
    error.set_xlabel("epoch", color=QUIET, size=11)
    if x:
        loss.legend(fontsize=10, labelcolor=QUIET, loc="upper right", borderaxespad=0, edgecolor="white")


def _confusions(figure: Figure, measured: Measured) -> None:
    counts = measured.evaluation.confusion
    mistakes = _mistakes(counts)
    _title(figure, _CONFUSIONS, "Confusions", f"how often, on {_short(measured.evaluation.data, 30)}")
    axes = figure.add_axes((_CONFUSIONS + 0.02, _BOTTOM, 0.32, _TOP - _BOTTOM), anchor="NW")
    shades = LinearSegmentedColormap.from_list("mistakes", ["#ffffff", "#fecaca", WRONG])
    strength = np.sqrt(mistakes / max(mistakes.max(), 1))
    axes.imshow(strength, cmap=shades, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if row == column:
            axes.fill_between([column - 0.5, column + 0.5], row - 0.5, row + 0.5, color="#eff4ff", lw=0)
            axes.text(column, row, str(count), ha="center", va="center", size=11, color=RIGHT, weight="bold")
        elif count:
            color = "white" if strength[row, column] > 0.75 else INK
            axes.text(column, row, str(count), ha="center", va="center", size=11, color=color)
    axes.set_xticks(range(10), [str(digit) for digit in range(10)])
    axes.set_yticks(range(10), [str(digit) for digit in range(10)])
    axes.set_xlabel("answer", color=QUIET, size=11)
    axes.set_ylabel("truth", color=QUIET, size=11)
    axes.tick_params(length=0, labelsize=11, colors=INK)
    axes.spines[:].set_color(FAINT)


def _worst(figure: Figure, measured: Measured) -> None:
    labels = np.asarray(measured.examples.labels).astype(int)
    answers, inked = measured.log_p.argmax(axis=1), has_ink(np.asarray(measured.examples.images))
    wrong = np.flatnonzero((labels < 10) & (answers != labels) & inked)
    wrong = wrong[np.argsort(-measured.log_p[wrong].max(axis=1), kind="stable")][: ROWS * COLUMNS]
    caption = "truth → answer, and the probability that it gave" if wrong.size else "none"
    _title(figure, _WORST, "Worst errors", caption)
    width, height = 0.264 / COLUMNS, (_TOP - _ODDS - 0.05) / ROWS
    for place, index in enumerate(wrong):
        row, column = divmod(place, COLUMNS)
        left, bottom = _WORST + column * width, _TOP - (row + 1) * height
        figure.text(
            left, bottom + height - 0.004, f"{labels[index]} → {answers[index]}",
            size=11, weight="bold", color=INK, va="top",
        )  # fmt: skip
        figure.text(
            left + 0.9 * width, bottom + height - 0.004, _probability(np.exp(measured.log_p[index].max())),
            size=10, color=WRONG, va="top", ha="right",
        )  # fmt: skip
        axes = figure.add_axes((left, bottom + 0.012, 0.9 * width, height - 0.046), anchor="NW")
        axes.imshow(np.asarray(measured.examples.images[index])[..., 0], cmap="gray_r", vmin=0, vmax=255)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(FAINT)


def _odds(figure: Figure, measured: Measured) -> None:
    labels = np.asarray(measured.examples.labels)
    digits, inked = labels < 10, has_ink(np.asarray(measured.examples.images))
    log_p = measured.log_p[digits]
    confidence = np.exp(log_p.max(axis=1))
    right = (log_p.argmax(axis=1) == labels[digits]) & inked[digits]
    _title(figure, _WORST, "Honest odds", "how sure it was, and how often right", _ODDS)
    for left, draw in ((_WORST + 0.03, draw_reliability), (_WORST + 0.17, draw_risk)):
        draw(figure.add_axes((left, _BOTTOM, 0.092, 0.185)), confidence, right)


def _title(figure: Figure, x: float, text: str, caption: str, y: float = _HEADING) -> None:
    figure.text(x, y, text, size=15, weight="bold", color=INK, va="center")
    figure.text(x, y - 0.03, caption, size=11, color=QUIET, va="center")


def _corner(axes: Axes, text: str) -> None:
    axes.text(0.02, 0.04, text, transform=axes.transAxes, size=12, weight="bold", color=QUIET)


def _mistakes(counts: np.ndarray) -> np.ndarray:
    return counts - np.diag(np.diag(counts))


def _shown(value: float | None, field: str) -> float:
    if value is None:
        return float("nan")
    return max(value if field == "loss" else 1 - value, SMALLEST_ERROR)


def _percent(fraction: float | None, digits: int) -> str:
    return "" if fraction is None else f"{100 * fraction:.{digits}f} %"


def _probability(p: float) -> str:
    return f"{100 * p:.0f} %" if p < 0.995 else ">99 %"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
