"""report.png: one slide that says how a run went."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from digitjax.checkpoint import LoadedModel
from digitjax.finish import Measured
from digitjax.progress import duration

INK, QUIET, FAINT = "#1b1f27", "#6b7280", "#e5e7eb"
TRAIN, VALIDATION, WRONG = "#9ca3af", "#2563eb", "#dc2626"
SERIES = ("#2563eb", "#d97706", "#059669", "#7c3aed")
ROWS, COLUMNS = 5, 5
"""Worst errors shown."""


def write_report(
    path: Path,
    loaded: LoadedModel,
    lines: Sequence[dict[str, Any]],
    measured: Sequence[Measured],
    seconds: float,
) -> None:
    """Draws curves, confusions and worst errors, 1920 x 1080.

    Args:
        path: of the PNG.
        loaded: the run's best step.
        lines: of its metrics.jsonl.
        measured: test sets; the first one's confusions and errors are shown.
        seconds: time spent training.
    """
    figure = Figure(figsize=(16, 9), dpi=120, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    _headline(figure, loaded, measured, seconds)
    grid = figure.add_gridspec(
        1, 3, left=0.05, right=0.975, top=0.71, bottom=0.075, wspace=0.16, width_ratios=(1.0, 1.05, 1.05)
    )
    _curves(figure, grid[0], lines, loaded.step)
    if measured:
        _confusion(figure, grid[1], measured[0])
        _worst(figure, grid[2], measured[0])
    part = path.with_name(path.name + ".part")
    canvas.print_png(str(part))
    part.replace(path)


def _headline(figure: Figure, loaded: LoadedModel, measured: Sequence[Measured], seconds: float) -> None:
    figure.text(0.05, 0.945, loaded.run.name, size=26, weight="bold", color=INK, va="center")
    data = ", ".join(loaded.config.data) or "default data"
    about = (
        f"{loaded.config.epochs} epochs of {loaded.config.epoch_examples:,} from {_short(data, 60)}, "
        f"seed {loaded.config.seed}; best of the epochs by validation: step {loaded.step:,}"
    )
    figure.text(0.05, 0.9, about, size=13, color=QUIET, va="center")
    figures = [
        (f"{m.evaluation.accuracy:.2%}", f"of {_short(m.evaluation.data, 22)}", SERIES[0])
        for m in measured[:3]
        if m.evaluation.accuracy is not None
    ]
    if measured:
        counts = measured[0].evaluation.confusion
        wrong = int(counts.sum() - np.trace(counts))
        figures.append((f"{wrong:,}", f"wrong of {counts.sum():,}", WRONG))
    if isinstance(parameters := loaded.record.get("parameters"), int):
        figures.append((f"{parameters:,}", "parameters", INK))
    figures.append((duration(seconds), "training", INK))
    for index, (number, caption, color) in enumerate(figures):
        x = 0.05 + index * 0.925 / len(figures)
        figure.text(x, 0.835, number, size=25, weight="bold", color=color, va="center")
        figure.text(x, 0.79, caption, size=13, color=QUIET, va="center")


def _curves(figure: Figure, place: SubplotSpec, lines: Sequence[dict[str, Any]], best: int) -> None:
    grid = place.subgridspec(2, 1, hspace=0.32)
    epochs = [line for line in lines if "epoch" in line]
    x = [line["epoch"] for line in epochs]
    best_epoch = next((line["epoch"] for line in epochs if line["step"] == best), None)
    loss, error = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    names = list(epochs[-1]["validation"]) if epochs else []
    for axes, train, field in ((loss, "train_loss", "loss"), (error, "train_accuracy", "accuracy")):
        axes.set_yscale("log")
        marker = "o" if len(x) < 3 else None

        def shown(value: float | None, field: str = field) -> float:
            value = float("nan") if value is None else value
            return max(value if field == "loss" else 1 - value, 1e-5)

        axes.plot(
            x, [shown(e[train]) for e in epochs], color=TRAIN, lw=2, marker=marker, label="train (augmented)"
        )
        for name, color in zip(names, SERIES, strict=False):
            values = [shown(e["validation"].get(name, {}).get(field)) for e in epochs]
            axes.plot(x, values, color=color, lw=2.2, marker=marker, label=_short(name, 30))
        if best_epoch is not None:
            axes.axvline(best_epoch, color=INK, lw=1, ls=(0, (2, 3)))
        axes.grid(axis="y", color=FAINT, lw=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=QUIET, labelsize=11)
    error.yaxis.set_major_formatter(PercentFormatter(1.0))
    error.yaxis.set_minor_locator(NullLocator())
    loss.yaxis.set_minor_locator(NullLocator())
    _title(loss, "Loss")
    _title(error, "Errors")
    error.set_xlabel("epoch (dotted: the best)", color=QUIET, size=11)
    if x:
        loss.legend(frameon=False, fontsize=11, labelcolor=INK, loc="upper right")


def _confusion(figure: Figure, place: SubplotSpec, measured: Measured) -> None:
    axes = figure.add_subplot(place)
    counts = measured.evaluation.confusion
    mistakes = counts - np.diag(np.diag(counts))
    shades = LinearSegmentedColormap.from_list("mistakes", ["#ffffff", "#fecaca", WRONG])
    axes.imshow(np.sqrt(mistakes), cmap=shades, vmin=0, vmax=max(1.0, float(np.sqrt(mistakes.max()))))
    most = max(int(mistakes.max()), 1)
    for (row, column), count in np.ndenumerate(counts):
        if row == column:
            axes.fill_between([column - 0.5, column + 0.5], row - 0.5, row + 0.5, color="#eff4ff", lw=0)
            axes.text(
                column, row, f"{count}", ha="center", va="center", size=11, color=VALIDATION, weight="bold"
            )
        elif count:
            color = "white" if count > 0.45 * most and most > 2 else INK
            axes.text(column, row, f"{count}", ha="center", va="center", size=11, color=color)
    axes.set_xticks(range(10), [str(d) for d in range(10)])
    axes.set_yticks(range(10), [str(d) for d in range(10)])
    axes.set_xlabel("answer", color=QUIET, size=12)
    axes.set_ylabel("truth", color=QUIET, size=12)
    axes.tick_params(length=0, labelsize=12, colors=INK)
    axes.spines[:].set_color(FAINT)
    _title(axes, f"Confusions, {_short(measured.evaluation.data, 28)}")


def _worst(figure: Figure, place: SubplotSpec, measured: Measured) -> None:
    labels = np.asarray(measured.examples.labels).astype(int)
    answers = measured.log_p.argmax(axis=1)
    wrong = np.flatnonzero((labels < 10) & (answers != labels))
    given_truth = measured.log_p[wrong, labels[wrong]]
    wrong = wrong[np.argsort(given_truth)][: ROWS * COLUMNS]
    grid = place.subgridspec(ROWS, COLUMNS, hspace=0.5, wspace=0.12)
    for index in range(ROWS * COLUMNS):
        axes = figure.add_subplot(grid[index // COLUMNS, index % COLUMNS])
        axes.set_xticks([])
        axes.set_yticks([])
        if index == 0:
            _title(axes, "Worst errors: truth → answer, its probability", pad=26)
        if index >= len(wrong):
            axes.set_axis_off()
            continue
        which = wrong[index]
        image = np.asarray(measured.examples.images[which])[..., 0]
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        axes.spines[:].set_color(FAINT)
        probability = float(np.exp(measured.log_p[which, answers[which]]))
        axes.text(
            0.5,
            1.05,
            f"{labels[which]} → {answers[which]}",
            transform=axes.transAxes,
            ha="left" if False else "right",
            va="bottom",
            size=12,
            weight="bold",
            color=INK,
        )
        axes.text(
            0.98,
            1.05,
            f"{min(probability, 0.999):.0%}" if probability < 0.995 else ">99 %",
            transform=axes.transAxes,
            ha="right",
            va="bottom",
            size=11,
            color=WRONG,
        )


def _title(axes: Any, text: str, pad: float = 10) -> None:
    axes.set_title(text, loc="left", size=14, weight="bold", color=INK, pad=pad)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
