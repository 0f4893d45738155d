"""`bench drawn`: intervals against closed forms, measures against numbers made by hand, what is printed."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from rich.console import Console
from scipy import stats

from digitjax import cli
from digitjax.bench import bootstrap, drawn
from digitjax.bench.sheet import draw_sheet, write_sheet
from digitjax.checkpoint import LoadedModel
from digitjax.commands import bench_drawn as command
from digitjax.config import TrainConfig
from digitjax.data import parse_spec
from digitjax.data.pipeline import Examples
from digitjax.data.splits import ink_digest
from digitjax.strokes import Drawing, write_drawings
from digitjax.types import Logits, Model

GROUP = {"n", "accuracy"}
ESTIMATE = {"value", "low", "high"}
DATA = {
    *("data", "n", "n_other", "n_skipped", "resampled", "accuracy", "mean_over_writers", "worst_tenth"),
    *("nll", "risk_at_99", "audited", "digits", "sources", "writers"),
}
AUDITED = {
    *("n", "left_out", "accuracy", "mean_over_writers", "worst_tenth", "nll", "risk_at_99"),
}
MISTAKE = {"data", "place", "word", "answer", "probability", "writer"}


def read(labels, answers, sure=None, writers=None, name="made", others=0, ids=None) -> drawn.Read:
    """Digits with given answers; `others` drawings that are none stand before them, read as 0."""
    n = others + len(labels)
    sure = np.concatenate([np.full(others, 0.9), np.full(len(labels), 0.9) if sure is None else sure])
    p = np.repeat(((1 - sure) / 9)[:, None], 10, axis=1)
    p[np.arange(n), [0] * others + list(answers)] = sure
    names = None if writers is None else (None,) * others + tuple(writers)
    images = np.arange(-others, n - others).astype(np.uint8)[:, None, None, None]
    every = np.array([10] * others + list(labels), np.int8)
    numbers = None if ids is None else np.array([0] * others + list(ids), np.uint64)
    images = np.where(images == 0, 200, images).astype(np.uint8) + np.zeros((1, 8, 8, 1), np.uint8)
    return drawn.Read(Examples(name, images, every, tuple(map(str, every)), names, 2, numbers), np.log(p))


def test_where_there_is_no_ink_nothing_is_read():
    made = read([0, 1, 2, 0], [0, 3, 2, 0])
    images = made.examples.images.copy()
    images[[1, 3]] = 0
    blank = [made._replace(examples=made.examples._replace(images=images))]
    digits = drawn.digits_of(blank, {})
    assert digits.right.tolist() == [True, False, True, False]
    assert digits.only(np.array([False, True, True, True])).right.tolist() == [False, True, False]
    assert drawn.measure(blank, {}).accuracy.value == 0.5 and drawn.worst(blank, 9) == []


# Intervals


def binomial(n: int, p: float) -> tuple[float, float]:
    """The exact 95 % range of the mean of n resampled zeros and ones: their sum is binomial."""
    return tuple(stats.binom.ppf(np.array([0.025, 0.975]), n, p) / n)


@pytest.mark.parametrize(("n", "wrong"), [(400, 40), (1000, 8), (50, 25)])
def test_drawings_of_nobody_known_have_the_binomial_interval(n, wrong):
    labels = np.arange(n) % 10
    right = np.ones(n, bool)
    right[:wrong] = False
    found = bootstrap.estimate(labels, right, np.full(n, -1))
    assert found.resampled == "drawings" and found.mean_over_writers is found.worst_tenth is None
    assert found.accuracy.value == 1 - wrong / n
    one = 1.01 / n  # quantiles of 2,000 resamples may lie a drawing beside
    np.testing.assert_allclose(found.accuracy[1:], binomial(n, 1 - wrong / n), atol=max(one, 0.004))


def test_writers_are_resampled_whole():
    people, each = 100, 20  # a writer is read right or wrong throughout: as sure as 100 drawings, not 2,000
    writers = np.repeat(np.arange(people), each)
    found = bootstrap.estimate(np.zeros(2000, int), writers >= 10, writers)
    assert found.resampled == "writers"
    expected = binomial(people, 0.9)
    for estimate in (found.accuracy, found.mean_over_writers, found.digits[0]):
        assert estimate is not None and estimate.value == pytest.approx(0.9)
        np.testing.assert_allclose(estimate[1:], expected, atol=0.0101)
    assert found.digits[1:] == (None,) * 9


def test_the_mean_over_writers_counts_each_once_and_has_the_interval_of_a_mean():
    counts = np.array([1, 200, 10, 40, 5] * 40)
    hits = np.random.default_rng(1).binomial(counts, 0.8)
    writers = np.repeat(np.arange(200), counts)
    right = np.concatenate([np.arange(n) < k for n, k in zip(counts, hits, strict=True)])
    found = bootstrap.estimate(np.zeros(len(writers), int), right, writers)
    each = hits / counts
    assert found.mean_over_writers is not None
    assert found.mean_over_writers.value == pytest.approx(each.mean())
    half = 1.96 * each.std() / np.sqrt(200)
    np.testing.assert_allclose(
        found.mean_over_writers[1:], [each.mean() - half, each.mean() + half], atol=0.004
    )


def test_writers_and_drawings_of_nobody_known_are_resampled_together():
    writers = np.concatenate([np.repeat(np.arange(50), 4), np.full(300, -1)])
    right = np.arange(500) % 5 > 0
    found = bootstrap.estimate(np.zeros(500, int), right, writers)
    assert found.accuracy.value == 0.8
    half = 1.96 * np.sqrt(0.16 / 500)  # both parts alike, so about as 500 drawings
    np.testing.assert_allclose(found.accuracy[1:], [0.8 - half, 0.8 + half], atol=0.015)


def test_a_single_writer_has_the_interval_of_the_drawings():
    right = np.arange(400) >= 40
    found = bootstrap.estimate(np.zeros(400, int), right, np.zeros(400, int))
    assert found.resampled == "drawings" and found.accuracy.low < 0.9 < found.accuracy.high
    (own,) = bootstrap.estimate_each(np.array([360]), np.array([400]))
    np.testing.assert_allclose(own[1:], binomial(400, 0.9), atol=0.005)


def test_the_same_data_gives_the_same_intervals_in_any_number_of_pieces(monkeypatch):
    rng = np.random.default_rng(2)
    arguments = rng.integers(0, 10, 300), rng.random(300) < 0.9, rng.integers(-1, 30, 300)
    first = bootstrap.estimate(*arguments)
    assert bootstrap.estimate(*arguments) == first
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 7000)
    again = bootstrap.estimate(*arguments)
    np.testing.assert_allclose(again.accuracy, first.accuracy, atol=0.01)


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([0.9], 0.9),
        ([0.5, 1.0], 0.5),
        ([1.0] * 9 + [0.2], 0.2),
        ([1.0] * 9 + [0.2, 0.6], 0.4),
        ([1.0] * 17 + [0.3, 0.6, 0.9], 0.45),
        ([1.0] * 18 + [0.3, 0.6, 0.9], 0.6),
    ],
)
def test_the_worst_tenth_is_rounded_up_to_whole_writers(accuracies, expected):
    assert bootstrap.worst_mean(np.array(accuracies)) == pytest.approx(expected)


def test_the_worst_tenth_of_a_resample_is_that_of_the_resampled_writers():
    rng = np.random.default_rng(3)
    accuracies = rng.random(37)
    times = rng.multinomial(37, np.full(37, 1 / 37), 50).astype(float)
    expected = [bootstrap.worst_mean(np.repeat(accuracies, row.astype(int))) for row in times]
    np.testing.assert_allclose(bootstrap._worst(accuracies, times), expected)


# Measures


def test_a_data_set_is_measured_by_source_writer_and_digit():
    labels = [0, 0, 1, 1, 2, 2, 3, 3]
    answers = [0, 0, 1, 7, 2, 7, 7, 7]
    writers = ["s/a", "s/a", "s/b", "s/b", "t/a", "t/a", None, "c"]
    found = drawn.measure([read(labels, answers, writers=writers, others=3)], {})
    assert (found.data, found.n, found.n_other, found.n_skipped) == ("made", 8, 3, 2)
    assert found.accuracy.value == 0.5 and found.accuracy.low < 0.5 < found.accuracy.high
    assert {k: (g.n, g.accuracy.value) for k, g in found.writers.items()} == {
        "s/a": (2, 1.0), "s/b": (2, 0.5), "t/a": (2, 0.5), "c": (1, 0.0)
    }  # fmt: skip
    assert {k: (g.n, g.accuracy.value) for k, g in found.sources.items()} == {"s": (4, 0.75), "t": (2, 0.5)}
    assert {k: (g.n, g.accuracy.value) for k, g in found.digits.items()} == {
        "0": (2, 1.0), "1": (2, 0.5), "2": (2, 0.5), "3": (2, 0.0)
    }  # fmt: skip
    assert found.mean_over_writers is not None and found.mean_over_writers.value == 0.5
    assert found.worst_tenth is not None and found.worst_tenth.value == 0


def test_odds_and_risk_are_those_of_the_digits_alone():
    one = read([1, 2, 3, 4], [1, 2, 3, 9], sure=[0.9, 0.8, 0.7, 0.6], others=5)
    found = drawn.measure([one], {})
    assert found.nll == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.7, 0.4 / 9])))
    assert found.risk_at_99 == pytest.approx((4 * 0.99 - 3) / (4 * 0.99))
    assert found.audited is None


def test_audited_figures_leave_out_the_drawings_whose_label_is_doubted():
    one = read([1, 2, 3, 4], [1, 7, 3, 9], writers=["a", "a", "b", "c"], ids=[5, 6, 7, 2**64 - 1], others=1)
    two = read([2], [2], ids=[6], name="two")
    audit = {(6, 2): "cut", (7, 4): "cut", (2**64 - 1, 4): "mislabelled"}  # nothing is 7 with the label 4
    found = drawn.measure([one], audit).audited
    assert found is not None and (found.n, found.left_out) == (2, {"cut": 1, "mislabelled": 1})
    assert found.accuracy.value == 1 and found.risk_at_99 == 0
    assert found.nll == pytest.approx(-np.log(0.9))
    assert found.mean_over_writers is not None and found.mean_over_writers.value == 1
    both = drawn.measure([one, two], audit).audited
    assert both is not None and both.left_out == {"cut": 2, "mislabelled": 1}, "repeated ink counts each time"
    assert drawn.measure([read([1], [1])], audit).audited is None, "pictures without ids have no findings"


def test_data_sets_as_one_keep_each_writer_whole():
    one = read([1, 2], [1, 2], writers=["s/a", "s/b"], name="one")
    two = read([3], [4], writers=["s/a"], name="two")
    found = drawn.measure([one, two], {}, drawn.POOLED)
    assert found.data == drawn.POOLED and found.accuracy.value == pytest.approx(2 / 3)
    assert {k: (g.n, g.accuracy.value) for k, g in found.writers.items()} == {
        "s/a": (2, 0.5),
        "s/b": (1, 1.0),
    }


def test_the_worst_mistakes_are_the_surest_ones_of_all_data_sets():
    one = read([1, 2, 3], [7, 2, 8], [0.6, 0.99, 0.8], ["w", None, "v"], "one", others=4)
    two = read([4, 5], [9, 0], [0.7, 0.95], name="two")
    found = drawn.worst([one, two], 3)
    assert [(m.data, m.place, m.word, m.answer, m.writer) for m in found] == [
        ("two", 1, "5", "0", None), ("one", 6, "3", "8", "v"), ("two", 0, "4", "9", None)
    ]  # fmt: skip
    np.testing.assert_allclose([m.probability for m in found], [0.95, 0.8, 0.7])
    assert found[1].image.shape == (8, 8) and (found[1].image == 2).all()
    assert drawn.worst([one, two], 0) == []


def test_the_sheet_shows_each_mistake_and_says_what_it_is():
    labels = list(range(10)) * 2
    answers = [(d + 3) % 10 for d in labels]
    reads = [read(labels, answers, writers=["s/$x^"] * 20)]
    mistakes, digits = drawn.worst(reads, 19), drawn.digits_of(reads, {})
    figure = draw_sheet(mistakes, digits, "title", "caption")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:2] == ["title", "caption"] and texts.count("90.0 %") == 19
    assert [t for t in texts if "→" in t] == [f"{m.word} → {m.answer}" for m in mistakes]
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    assert all((a == m.image).all() for a, m in zip(shown, mistakes, strict=True))
    FigureCanvasAgg(figure).draw()
    assert [axes.get_xlabel() for axes in figure.axes[1:]] == ["how sure", "answered, the surest first"]
    long = mistakes[0]._replace(word="light\nning$", image=mistakes[1].image)
    more = draw_sheet(mistakes, digits, "title", "caption", [long])
    assert "ligh… → 3" in [text.get_text() for text in more.axes[0].texts]
    assert (np.asarray(more.axes[0].images[-1].get_array()) == long.image).all()
    assert more.get_figheight() > figure.get_figheight()
    FigureCanvasAgg(more).draw()
    nameless = draw_sheet([], digits, "title", "", [long._replace(word=" ")])
    assert "? → 3" in [text.get_text() for text in nameless.axes[0].texts]


@pytest.mark.parametrize("word", ["umbrella", "flower", "heart", "MM", "\U0001d518"])
def test_what_it_is_stands_beside_how_likely(word, tmp_path, recwarn):
    (mistake,) = drawn.worst([read([1], [7])], 1)
    sheet = draw_sheet(
        [mistake._replace(word=word, probability=0.9999)], drawn.digits_of([read([1], [7])], {}), "", ""
    )
    write_sheet(tmp_path / "sheet.png", sheet)
    boxes = {text.get_text(): text.get_window_extent() for text in sheet.axes[0].texts}
    (words,) = (box for text, box in boxes.items() if "→" in text)
    assert words.x1 < boxes[">99.9 %"].x0 and not recwarn.list


# The command


@pytest.fixture
def data(tmp_path, monkeypatch) -> list[str]:
    """Two files, and a network that answers 7 to whatever has ink, and 1 to what is narrow."""

    def apply(params, images, key=None):
        narrow = (images.max(axis=(1, 3)) > 0.3).sum(axis=1) < 8
        return Logits(
            jnp.stack([jnp.where(narrow, 3.0 * (d == 1), 2.0 * (d == 7)) for d in range(10)], axis=1)
        )

    model = Model(lambda key: {}, apply, "mnist28")
    loaded = LoadedModel(model, {}, TrainConfig(), Path("checkpoints/tiny"), 7, {})
    monkeypatch.setattr("digitjax.checkpoint.load_model", lambda checkpoint: loaded)
    specs = []
    for name in ("one", "two"):
        drawings = [
            Drawing((np.array([(0.0, 0.0), (9.0 * (i % 2), 9.0)]),), None, word, "s", f"{name}{i % 3}")
            for i, word in enumerate(["1", "7", "1", "7", "7", "2", "x", None])
        ]
        write_drawings(tmp_path / f"{name}.ndjson", drawings)
        specs.append(f"strokes:{tmp_path / name}.ndjson")
    return specs


def test_json_is_alone_on_stdout_and_has_these_fields(data, tmp_path, capfd):
    out = tmp_path / "worst.png"
    assert cli.main(["bench", "drawn", "--data", *data, "--json", "--out", str(out)]) == 0
    text = capfd.readouterr()
    found = json.loads(text.out)
    assert set(found) == {
        *("checkpoint", "step", "resamples", "level", "seed"),
        *("data", "pooled", "rejection", "unfinished", "worst"),
    }
    assert (found["checkpoint"], found["step"]) == (str(Path("checkpoints/tiny")), 7)
    assert (found["resamples"], found["level"], found["seed"]) == (2000, 0.95, 0)
    assert [one["data"] for one in found["data"]] == data and found["pooled"]["data"] == "all together"
    for one in [*found["data"], found["pooled"]]:
        assert set(one) == DATA and set(one["accuracy"]) == ESTIMATE
        for name in ("digits", "sources", "writers"):
            assert one[name] and all(set(group) == GROUP for group in one[name].values())
            assert all(set(group["accuracy"]) == ESTIMATE for group in one[name].values())
    one = found["data"][0]
    assert (one["n"], one["n_other"], one["n_skipped"], one["resampled"]) == (6, 1, 1, "writers")
    assert one["accuracy"]["value"] == pytest.approx(4 / 6)  # a narrow 7 and a wide 2 are wrong
    assert one["audited"] is None and found["rejection"] == found["unfinished"] == []
    assert len(one["writers"]) == 3 and len(found["pooled"]["writers"]) == 6
    assert len(found["worst"]) == 4 and all(set(mistake) == MISTAKE for mistake in found["worst"])
    assert [m["word"] + m["answer"] for m in found["worst"]] == ["71", "71", "27", "27"]
    with Image.open(out) as sheet:
        assert sheet.format == "PNG" and sheet.width > 800
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.ndjson", "two.ndjson", "worst.png"]
    assert "4 surest mistakes" in text.err


def test_people_get_a_table(data, capfd):
    assert cli.main(["bench", "drawn", "--data", *data]) == 0
    out = capfd.readouterr().out
    assert "accuracy, writers resampled" in out and "66.67 %" in out and "all together" in out
    assert "left out: 1 no digits, 1 unlabelled" in out and "worst tenth of the writers" in out
    assert "surest mistake: 7 read as 1" in out and max(map(len, out.splitlines())) <= 80
    capfd.readouterr()
    assert cli.main(["bench", "drawn", "--data", data[0], "--count", "0", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["pooled"] is None and found["worst"] == []


def test_doubted_labels_and_other_drawings_have_figures_of_their_own(data, tmp_path, monkeypatch, capfd):
    loaded = command.load_named(None)

    def apply(params, images, key=None):
        ink = images.sum(axis=(1, 2, 3))
        return Logits(loaded.model.apply(params, images).digits, ink.max() - 2 * jnp.abs(ink - ink.mean()))

    model = loaded.model._replace(apply=apply)
    monkeypatch.setattr("digitjax.checkpoint.load_model", lambda checkpoint: loaded._replace(model=model))
    wide = Drawing((np.array([(0.0, 0.0), (9.0, 9.0)]),), None, "2")
    audit = tmp_path / "audit.csv"
    audit.write_text(
        f"id,key,label,finding,reading\n{ink_digest(wide.strokes)[:8].hex()},k,2,mislabelled,7\n"
    )
    dot, bar = np.zeros((1, 2)), np.array([(0.0, 0.0), (0.0, 9.0)])
    letters = [Drawing((dot,), None, word) for word in ("W", "O")] + [Drawing((bar,), None, "M")]
    write_drawings(tmp_path / "letters.ndjson", letters)
    letters = f"strokes:{tmp_path / 'letters.ndjson'}"
    argv = ["bench", "drawn", "--data", data[0], letters, "--audit", str(audit), "--unfinished"]
    assert cli.main([*argv, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [one["data"] for one in found["data"]] == [data[0]] and found["pooled"] is None
    assert set(found["data"][0]["audited"]) == AUDITED
    assert found["data"][0]["audited"]["left_out"] == {"mislabelled": 1}
    assert found["data"][0]["audited"]["accuracy"]["value"] == pytest.approx(4 / 5)
    inside, other = found["rejection"]  # the first file has an "x"
    assert (inside["n"], inside["n_all"], other["n"], other["n_all"]) == (1, 1, 2, 3)
    assert inside["n_digits"] == other["n_digits"] == 6
    assert other["auroc"] != other["auroc_all"]
    (cut,) = found["unfinished"]
    assert cut["n"] == 6 and list(cut["by_cut"]) == ["0.6", "0.7", "0.8", "0.9", "0.99"]
    assert cut["refused"] == pytest.approx(np.mean(list(cut["by_cut"].values())))
    assert cli.main(argv) == 0
    out = capfd.readouterr().out
    assert (
        "without the 1 of doubted labels:" in out
        and "(2; look-alikes left out)" in out
        and "(3; look-alikes too)" in out
    )
    passing = other["passing"]
    assert passing and all(set(one) == MISTAKE | {"lacking"} for one in passing)
    assert {one["word"] for one in passing} <= {"W", "M"}, "an O looks like a 0"
    assert f"with their part of what that lacks of 1: {passing[0]['word']} for" in " ".join(out.split())
    assert "6 digits cut off" in out and max(map(len, out.splitlines())) <= 80


def test_names_that_look_like_markup_are_printed_as_they_are(capfd):
    found = drawn.measure([read([1, 2], [1, 2], writers=["[red]/a", "[/x]/b"], name="strokes:[bold]")], {})
    command.show(command.Measured([found], None, [], [], []), Console(width=80))
    out = capfd.readouterr().out
    assert "strokes:[bold]" in out and "[/x]/b" in out and "[red]" in out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "bench names no measurement: write digitjax bench NAME"),
        (["drwan"], "did you mean 'drawn'?"),
        (["zebra"], "unknown measurement 'zebra': give one of drawn"),
        (["--data", "mnist"], "names no measurement"),
        (["drawn"], "--data"),
        (["drawn", "--data"], "--data"),
        (["drawn", "--data", "strkes:a.ndjson"], "did you mean 'strokes'"),
        (["drawn", "--data", "strokes:none.ndjson"], "does not exist"),
        (["drawn", "--data", "digits8x8", "digits8x8"], "given twice"),
        (["drawn", "--data", "digits8x8", "digits8x8@test"], "given twice"),
        (["drawn", "--data", "strokes:a.ndjson@test", "strokes:./a.ndjson@test"], "given twice"),
        (["drawn", "--data", "digits8x8", "--out", "a.jpg"], "ends in .png"),
        (["drawn", "--data", "digits8x8", "--out", "no/a.png"], "cannot be written there"),
        (["drawn", "--data", "digits8x8", "--count", "-1"], "0 to 2000"),
        (["drawn", "--data", "digits8x8", "--jsno"], "did you mean --json?"),
        (["drawn", "--data", "LETTERS"], "has no digit"),
        (["drawn", "--data", "digits8x8", "--audit", "no.csv"], "no.csv cannot be read"),
        (["drawn", "--data", "digits8x8", "--unfinished"], "none of the data is ink"),
        (["drawn", "--data", "ONE", "--unfinished"], "never says that something is no digit"),
    ],
)
def test_wrong_use_is_one_sentence_and_writes_nothing(argv, says, data, tmp_path, monkeypatch, capfd):
    folder = tmp_path / "here"
    folder.mkdir()
    write_drawings(tmp_path / "letters.ndjson", [Drawing((np.zeros((2, 2)),), None, "a")])
    monkeypatch.chdir(folder)
    named = {"LETTERS": f"strokes:{tmp_path / 'letters.ndjson'}", "ONE": data[0]}
    argv = [named.get(word, word) for word in argv]
    assert cli.main(["bench", *argv]) == 2
    out, err = capfd.readouterr()
    sentence = [line for line in err.splitlines() if not line.startswith("checkpoint:")]
    assert out == "" and len(sentence) == 1 and says in sentence[0]
    assert list(folder.iterdir()) == []


def test_help_names_the_measurements(capfd):
    assert cli.main(["bench", "--help"]) == 0
    assert "drawn" in capfd.readouterr().out
    assert cli.main(["bench", "drawn", "--help"]) == 0
    assert "--data" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mnist", "mnist@test", True),
        ("mnist", "mnist@validation", False),
        ("strokes:a", "strokes:./a@test", True),
        ("strokes:a@validation", "strokes:a@test", False),
        ("strokes:a", "strokes:b", False),
        ("strokes:a", "images:a", False),
    ],
)
def test_what_would_count_twice_is_known_by_what_is_read(one, other, same):
    assert command._overlap(parse_spec(one), parse_spec(other)) is same
