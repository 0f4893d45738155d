"""report.png: nothing overlaps or leaves the page, and it shows what was measured."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from digitjax.checkpoint import LoadedModel
from digitjax.config import TrainConfig
from digitjax.data.pipeline import Examples
from digitjax.evaluate import Evaluation
from digitjax.models import make_model
from digitjax.report import Measured, draw_report, write_report


def measured(name: str, n: int, wrong: int) -> Measured:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 10
    logits = np.full((n, 10), -8.0)
    answers = labels.copy()
    answers[:wrong] = (labels[:wrong] + rng.integers(1, 10, wrong)) % 10
    logits[np.arange(n), answers] = -1e-4
    confusion = np.zeros((10, 10), np.int64)
    np.add.at(confusion, (labels, answers), 1)
    images = rng.integers(0, 255, (n, 28, 28, 1)).astype(np.uint8)
    examples = Examples(name, images, labels.astype(np.int8), tuple(map(str, labels)))
    accuracy = 1 - wrong / n
    evaluation = Evaluation(name, n, 0, 0, accuracy, 0.1, 0.01, 1.0, accuracy, None, None, confusion, {})
    return Measured(examples, evaluation, logits)


def lines(epochs: int, names: tuple[str, ...]) -> list[dict]:
    return [
        {
            "epoch": e, "step": 468 * e, "train_loss": 1 / e, "train_accuracy": 1 - 0.1 / e,
            "loss": 0.5 / e, "accuracy": 1 - 0.05 / e, "seconds": e,
            "validation": {name: {"loss": 0.5 / e, "accuracy": 1 - 0.05 / e} for name in names},
        }
        for e in range(1, epochs + 1)
    ]  # fmt: skip


@pytest.fixture
def loaded() -> LoadedModel:
    config = TrainConfig()
    return LoadedModel(make_model(config.model), {}, config, Path("cnn-0"), 9360, {"parameters": 98698})


@pytest.mark.parametrize(
    ("epochs", "sets"),
    [
        (20, [("mnist@test", 10_000, 48), ("synthetic@test", 10_000, 312), ("digits8x8@test", 359, 3)]),
        (1, [("strokes:a/long/path/to/a/file/of/drawings.ndjson.gz@test", 300, 0)]),
        (3, []),
    ],
)
def test_no_text_overlaps_another_or_leaves_the_page(loaded, epochs, sets):
    figure = draw_report(
        loaded, lines(epochs, tuple(s[0] for s in sets)), [measured(*s) for s in sets], 158.0
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    width, height = canvas.get_width_height()
    assert (width, height) == (1920, 1080)
    ticks = {tick for axes in figure.axes for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in ticks]
    for axes in figure.axes:
        for labels, limits, which in (
            (axes.get_xticklabels(), axes.get_xlim(), 0),
            (axes.get_yticklabels(), axes.get_ylim(), 1),
        ):
            low, high = sorted(limits)
            texts += [t for t in labels if t.get_text() and low <= t.get_position()[which] <= high]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts]
    assert len(boxes) > 10
    for index, (text, box) in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
        for other, box2 in boxes[:index]:
            apart = box.x0 >= box2.x1 or box2.x0 >= box.x1 or box.y0 >= box2.y1 or box2.y0 >= box.y1
            assert apart, (text, other)


@pytest.mark.parametrize(("epochs", "ticks"), [(1, [1]), (2, [1, 2]), (20, None)])
def test_the_axis_of_epochs_has_whole_numbers_alone(loaded, epochs, ticks):
    figure = draw_report(loaded, lines(epochs, ("mnist@validation",)), [], 1.0)
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes[:2]:
        low, high = axes.get_xlim()
        shown = [value for value in axes.get_xticks() if low <= value <= high]
        assert all(value == round(value) for value in shown)
        assert ticks is None or shown == ticks
        assert high - low >= 1


def test_the_worst_errors_are_those_that_the_network_was_surest_of(loaded):
    test = measured("mnist@test", 100, 30)
    log_p = np.log(np.full((100, 10), 1e-3))
    sure = np.random.default_rng(1).permutation(np.linspace(0.3, 0.97, 30))
    answers = test.log_p.argmax(axis=1)
    log_p[np.arange(100), answers] = 0.0
    log_p[np.arange(30), answers[:30]] = np.log(sure)
    log_p[np.arange(30), test.examples.labels[:30]] = np.log(np.linspace(1e-9, 0.2, 30))
    figure = draw_report(loaded, [], [test._replace(log_p=log_p)], 1.0)
    texts = [t.get_text() for t in figure.findobj(Text)]
    shown = [text for text in texts if text.endswith(" %") and text[:-2].isdigit()]
    assert shown == [f"{100 * p:.0f} %" for p in sorted(sure, reverse=True)[:8]]


def test_it_shows_the_figures_and_the_errors(loaded, tmp_path):
    sets = [measured("mnist@test", 1000, 7)]
    figure = draw_report(loaded, lines(3, ("mnist@validation",)), sets, 158.0)
    texts = [t.get_text() for t in figure.findobj(Text)]
    for text in ("99.30 %", "98,698", "2 min 38 s", "7", "cnn-0"):
        assert text in texts, text
    assert sum("→" in text for text in texts) == 7 + 1, "each error, and the caption"
    write_report(tmp_path / "report.png", loaded, lines(3, ("mnist@validation",)), sets, 158.0)
    assert (tmp_path / "report.png").stat().st_size > 20_000
    assert [p.name for p in tmp_path.iterdir()] == ["report.png"]
