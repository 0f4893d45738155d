"""Whole numbers: composed, grouped, read by the network that comes along, and measured."""

import functools
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import cli
from digitjax.checkpoint import load_model
from digitjax.commands.data import prepare as prepare_spec
from digitjax.data import load, parse_spec
from digitjax.data import numbers as source
from digitjax.data.spec import EmptySplit
from digitjax.errors import DigitjaxError, InputError
from digitjax.numbers import NOTHING, UNREAD, Number, make_reader, outcome, read_number, read_on, total
from digitjax.strokes import Drawing, from_json, read_drawings, to_json, write_drawings
from digitjax.types import Logits

SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints" / "default"


def line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


def arc(x: float, y: float, width: float, height: float, start: float, stop: float) -> np.ndarray:
    turn = np.radians(np.linspace(start, stop, 24))
    return np.stack([x + width * np.cos(turn), y + height * np.sin(turn)], axis=1)


DIGITS = {
    "0": [arc(30, 50, 28, 50, -90, 270)],
    "1": [line((15, 0), (15, 100))],
    "2": [np.concatenate([arc(28, 27, 27, 27, -170, 40), line((4, 100), (60, 98))])],
    "4": [line((25, 0), (0, 60), (55, 60)), line((42, 30), (42, 100))],
    "6": [np.concatenate([line((45, 0), (10, 45)), arc(30, 72, 24, 28, 200, 560)])],
    "7": [line((0, 2), (58, 2), (22, 100)), line((12, 52), (48, 48))],
}
"""Digits 100 high, as one might draw them."""


def written(text: str, step: float = 85.0) -> list[np.ndarray]:
    return [
        stroke + np.array((step * place, 0)) for place, sign in enumerate(text) for stroke in DIGITS[sign]
    ]


@pytest.fixture(scope="module")
def shipped():
    return load_model(SHIPPED)


@pytest.fixture(scope="module")
def read(shipped):
    return functools.partial(make_reader(shipped.model), shipped.params)


@pytest.mark.parametrize(
    "text",
    ["2026", pytest.param("1", marks=pytest.mark.ci), "174", pytest.param("447", marks=pytest.mark.ci), "0"],
)
def test_a_line_is_read_and_each_stroke_is_in_one_digit(text, read):
    strokes = written(text)
    number = read_number(read, strokes)
    assert number.text == text
    assert sorted(i for digit in number.digits for i in digit.strokes) == list(range(len(strokes)))
    for digit in number.digits:
        own = np.concatenate([strokes[i] for i in digit.strokes])
        np.testing.assert_allclose(digit.box, [*own.min(axis=0), *own.max(axis=0)])
        assert digit.probabilities.sum() == pytest.approx(1) and digit.is_digit is not None


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (1, 3, 0, 2, 4), (4, 3, 2, 1, 0)])
def test_late_strokes_find_their_digit(order, read):
    strokes = written("471")
    number = read_number(read, [strokes[i] for i in order])
    assert number.text == "471"
    assert {tuple(sorted(order[i] for i in digit.strokes)) for digit in number.digits} == {
        (0, 1),
        (2, 3),
        (4,),
    }


@pytest.mark.parametrize(("x", "y", "times"), [(0, 0, 1e-3), (-4000, 900, 1), (1e6, 1e6, 64), (0, 0, 1e200)])
def test_place_and_size_change_no_answer(x, y, times, read):
    number = read_number(read, [(stroke + np.array((x, y))) * times for stroke in written("2740")])
    assert number.text == "2740"


@pytest.mark.parametrize("step", [62.0, 56.0])
def test_digits_that_touch_are_told_apart(step, read):
    assert read_number(read, written("2074", step)).text == "2074"


def test_a_dot_beside_digits_is_no_digit_and_a_dot_on_a_digit_belongs_to_it(read):
    digits = written("20")
    middle, dot = digits[-1].mean(axis=0), np.array([[0.0, 0.0], [1.0, 2.0]])
    assert read_number(read, [*digits, dot + middle + (90.0, 30.0)]).text == f"20{UNREAD}"
    assert read_number(read, [*digits, dot + middle]).text == "20"


def test_a_group_that_is_no_digit_is_said_so(read):
    random = np.random.default_rng(1)
    scrawl = np.cumsum(random.normal(0, 30, (60, 2)), axis=0)
    scrawl = (scrawl - scrawl.min(axis=0)) * (110, 95) / np.ptp(scrawl, axis=0)
    number = read_number(read, [*written("20"), scrawl + np.array((200, 0))])
    assert number.text == f"20{UNREAD}"
    assert number.digits[-1].answer == "not a digit" and (number.digits[-1].is_digit or 0) < 0.5
    assert "not a digit" in number.sentence()


def test_without_ink_there_is_no_number(read):
    for nothing in ([], [np.zeros((0, 2))]):
        number = read_number(read, nothing)
        assert number == Number("", ()) and number.sentence() == "no ink"


def test_empty_strokes_belong_to_nothing_and_keep_the_others_places(read):
    strokes = written("41")
    number = read_number(read, [strokes[0], np.zeros((0, 2)), *strokes[1:]])
    assert number.text == "41" and [digit.strokes for digit in number.digits] == [(0, 2), (3,)]


def test_hostile_ink_is_answered_or_refused(read):
    with pytest.raises(InputError, match="finite"):
        read_number(read, [line((np.nan, 0), (1, 1))])
    dots = [line((float(i % 5), 0)) for i in range(150)]
    assert len(read_number(read, dots).digits) >= 150 // 4
    read_number(read, [line((1e308, -1e308), (-1e308, 1e308)), line((0, 0))])


def test_a_network_that_says_nothing_of_digits_reads_numbers_too_and_nan_is_refused(read):
    strokes = written("27")
    assert read_number(lambda packed: Logits(read(packed).digits), strokes).text == "27"
    with pytest.raises(DigitjaxError, match="no number"):
        read_number(lambda packed: Logits(jnp.full((len(packed.mask), 10), jnp.nan)), strokes)


def test_many_groups_are_few_calls_of_few_shapes(read):
    sizes = []

    def counted(packed):
        sizes.append(len(packed.mask))
        return read(packed)

    read_number(counted, written("27"))
    read_number(counted, written("2714012"))
    assert sizes == [2, 8]


def test_a_line_that_grows_is_read_as_at_once_and_only_what_is_new_goes_to_the_network(read):
    strokes = [*written("4712"), DIGITS["7"][1] + np.array((85 * 3, 0))]  # a bar that comes last
    sizes, known, every = [], NOTHING, 0

    def counted(packed):
        sizes.append(int(packed.mask.any(axis=1).sum()))
        return read(packed)

    for stroke in range(len(strokes)):
        for points in (0, 1, 2, len(strokes[stroke]) // 2, len(strokes[stroke]), len(strokes[stroke])):
            ink = [*strokes[:stroke], strokes[stroke][:points]]
            before = sum(sizes)
            number, known = read_on(counted, ink, known)
            alone = read_number(read, ink)
            assert number.text == alone.text
            for one, other in zip(number.digits, alone.digits, strict=True):
                assert (one.strokes, one.box, one.answer) == (other.strokes, other.box, other.answer)
                np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
            assert sum(sizes) - before <= 10 and len(known.answers) <= 1.5 * len(ink) + 6
            every += len(known.answers)
        assert sum(sizes) - before == 0  # the same ink again
    assert sum(sizes) < every / 4
    undone, fewer = read_on(read, strokes[:2], known)
    assert undone.text == "4" and len(fewer.answers) <= 3 and len(fewer.lines) == 2


def test_digits_may_be_written_in_any_order_and_mended_later(read):
    strokes = written("2407")
    for order in ([4, 5, 3, 1, 2, 0], [0, 3, 4, 5, 1, 2], [5, 4, 3, 2, 1, 0], [1, 0, 3, 4, 2, 5]):
        number = read_number(read, [strokes[i] for i in order])
        assert number.text == "2407"
        groups = [tuple(sorted(order[i] for i in digit.strokes)) for digit in number.digits]
        assert groups == [(0,), (1, 2), (3,), (4, 5)]


def test_one_digit_is_read_as_without_number(tmp_path, capsys):
    file = tmp_path / "digits.ndjson"
    write_drawings(file, [Drawing(tuple(strokes)) for strokes in DIGITS.values()])
    argv = ["predict", "--checkpoint", str(SHIPPED), str(file), "--json"]
    assert cli.main(argv) == 0
    alone = json.loads(capsys.readouterr().out)
    assert cli.main([*argv, "--number"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    for one, number in zip(alone, numbers, strict=True):
        assert set(number) == {"file", "index", "text", "digits"}
        assert set(number["digits"][0]) == {"box", "strokes", "answer", "probabilities", "is_digit"}
        assert [digit["answer"] for digit in number["digits"]] == [one["answer"]]
        np.testing.assert_allclose(number["digits"][0]["probabilities"], one["probabilities"], atol=0.02)
        assert number["digits"][0]["is_digit"] == pytest.approx(one["is_digit"], abs=0.02)


def test_predict_names_the_bad_files_and_reads_the_others(tmp_path, capsys):
    good, picture = tmp_path / "line.ndjson", tmp_path / "photo.png"
    write_drawings(good, [Drawing(tuple(written("2026")))])
    picture.write_bytes(b"")
    assert cli.main(["predict", "--number", "--checkpoint", str(SHIPPED), str(picture), str(good)]) == 2
    out, err = capsys.readouterr()
    assert "2026" in out and "photo.png is no file of drawings" in err


def numbers_file(path: Path) -> Path:
    whole = Drawing(tuple(written("2740")), word="2740", digit_of=(0, 1, 1, 2, 2, 3))
    wrong = Drawing(tuple(written("27")), word="29", digit_of=(0, 1, 0))
    others = [Drawing(tuple(written("1")), word=word) for word in ("1", "one", None)]
    write_drawings(path, [whole, wrong, *others])
    return path


def test_evaluate_counts_numbers_and_their_groups(tmp_path, capsys):
    file = numbers_file(tmp_path / "numbers.ndjson")
    argv = ["evaluate", "--number", "--checkpoint", str(SHIPPED), "--data", f"strokes:{file}"]
    assert cli.main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"exact": 2 / 3, "grouping": 2 / 3, "n": 3}]
    assert cli.main(argv) == 0
    assert "66.67 %" in capsys.readouterr().out


def test_numbers_that_do_not_say_whose_strokes_are_whose_have_no_grouping(read):
    drawing = Drawing(tuple(written("20")), word="20")
    found = outcome(read_number(read, drawing.strokes), drawing)
    assert total([found]) == (1.0, None, 1)


@pytest.mark.parametrize(
    ("spec", "said"),
    [("synthetic", "--number measures drawings"), ("strokes:{}", "no drawing whose word is a number")],
)
def test_evaluate_refuses_what_holds_no_numbers(spec, said, tmp_path, capsys):
    file = tmp_path / "letters.ndjson"
    write_drawings(file, [Drawing((DIGITS["1"][0],), word="l")])
    argv = ["evaluate", "--number", "--checkpoint", str(SHIPPED), "--data", spec.format(file)]
    assert cli.main(argv) == 2
    assert said in capsys.readouterr().err


def people(path: Path, writers: int = 12, each: int = 12) -> Path:
    """A file in which every writer draws digits of a size and in a place of their own."""
    random = np.random.default_rng(0)
    drawings = []
    for writer in range(writers):
        for place in range(each):
            word = "".join(random.choice([*DIGITS]))
            strokes = tuple(stroke * (writer + 1) + 50 * place for stroke in DIGITS[word])
            drawings.append(Drawing(strokes, word=word, source="made", writer=str(writer)))
    write_drawings(path, drawings)
    return path


@pytest.fixture
def data_dir(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(source, "NUMBERS", 300)
    return tmp_path / "data"


def test_prepared_numbers_stand_as_they_should(tmp_path, data_dir, capsys):
    file = people(tmp_path / "people.ndjson")
    prepare_spec(parse_spec(f"numbers:{file}"))
    folder = source.prepare(parse_spec(f"numbers:{file}"))
    assert folder.parent == data_dir and str(folder) in capsys.readouterr().err
    late, seconds = 0, 0
    for name, (low, high) in source.GAPS.items():
        drawings = list(read_drawings(folder / f"{name}.ndjson.gz"))
        assert len(drawings) == source.NUMBERS and {len(one.word or "") for one in drawings} == {
            source.LENGTH
        }
        assert len({one.writer for one in drawings}) == 12
        heights, feet, gaps = [], [], []
        for one in drawings:
            places = np.array(one.digit_of)
            boxes = []
            for place in range(source.LENGTH):
                own = np.concatenate([s for s, p in zip(one.strokes, places, strict=True) if p == place])
                boxes.append([*own.min(axis=0), *own.max(axis=0)])
                count = len(DIGITS[(one.word or "")[place]])
                assert np.count_nonzero(places == place) == count
                seconds += count > 1
            late += np.count_nonzero(np.diff(places) < 0) > 0
            boxes = np.array(boxes)
            heights += (boxes[:, 3] - boxes[:, 1]).tolist()
            feet += boxes[:, 3].tolist()
            gaps += (boxes[1:, 0] - boxes[:-1, 2]).tolist()
        unit = source.HEIGHT
        assert np.mean(heights) == pytest.approx(unit, rel=0.02) and np.std(heights) == pytest.approx(
            0.12 * unit, rel=0.1
        )
        assert np.mean(feet) == pytest.approx(0, abs=0.02 * unit) and np.std(feet) == pytest.approx(
            0.08 * unit, rel=0.1
        )
        assert (
            low * unit - 1 <= min(gaps) < (low + 0.02) * unit
            and (high - 0.02) * unit < max(gaps) <= high * unit + 1
        )
    assert 0.04 < late / seconds < 0.13  # of two in one number, and in the last digit, one cannot be seen


def test_composed_numbers_are_the_same_each_time_and_a_damaged_folder_is_made_anew(tmp_path, data_dir):
    spec = parse_spec(f"numbers:{people(tmp_path / 'people.ndjson')}@train")
    folder = source.prepare(spec)
    before = (folder / "spaced.ndjson.gz").read_bytes()
    (folder / "spaced.ndjson.gz").write_bytes(b"")
    assert source.prepare(spec) == folder
    assert (folder / "spaced.ndjson.gz").read_bytes() == before


def test_a_split_has_its_own_writers(tmp_path, data_dir):
    file = people(tmp_path / "people.ndjson", writers=30, each=4)
    writers = {
        split: {
            one.writer
            for one in read_drawings(
                source.prepare(parse_spec(f"numbers:{file}@{split}")) / "touching.ndjson.gz"
            )
        }
        for split in ("train", "test")
    }
    assert writers["train"] and writers["test"] and not writers["train"] & writers["test"]


def test_numbers_are_not_trained_on_and_too_few_digits_make_none(tmp_path, data_dir):
    file = people(tmp_path / "few.ndjson", writers=2, each=2)
    with pytest.raises(InputError, match="data prepare numbers"):
        load(f"numbers:{file}")
    with pytest.raises(EmptySplit, match="nobody drew 3 digits"):
        source.prepare(parse_spec(f"numbers:{file}"))
    assert not data_dir.exists()


@pytest.mark.parametrize("seed", range(3))
def test_a_digit_of_ink_without_extent_is_composed(seed):
    dot = Drawing((line((5, 5), (5, 5)),), word="1")
    number = source.compose([dot] * 3, source.GAPS["spaced"], np.random.default_rng(seed))
    assert number.digit_of == (0, 1, 2) and all(np.isfinite(stroke).all() for stroke in number.strokes)


def test_whose_strokes_are_whose_is_kept_in_files():
    drawing = Drawing(tuple(written("47")), word="47", digit_of=(0, 0, 1, 1))
    assert from_json(to_json(drawing)).digit_of == (0, 0, 1, 1)
    record = to_json(drawing)
    record["drawing"].insert(1, [[], []])
    record["digit_of"].insert(1, 1)
    assert from_json(record).digit_of == (0, 0, 1, 1)


@pytest.mark.parametrize(
    "places", ["01", [0], [0, 0, 1, 2], [0, 0, 1, -1], [0, 0, 1, True], [0, 0, 1, 1.0], {}]
)
def test_places_that_do_not_fit_are_refused(places):
    record = to_json(Drawing(tuple(written("47")), word="47")) | {"digit_of": places}
    with pytest.raises(InputError, match="digit_of"):
        from_json(record)


@pytest.mark.ci
def test_bench_numbers_reads_what_it_composes(tmp_path, monkeypatch, capsys):
    from digitjax.bench import numbers as bench
    from digitjax.commands import bench_numbers

    file = people(tmp_path / "people.ndjson")
    small = lambda model, params, hands: bench.measure(model, params, hands, count=20, lines=2)  # noqa: E731
    monkeypatch.setattr(bench, "WARM_UPS", 1)
    monkeypatch.setattr(bench_numbers, "measure", small)
    argv = ["bench", "numbers", "--checkpoint", str(SHIPPED), "--data", f"strokes:{file}"]
    assert cli.main([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["numbers"]
    assert [one["way"] for one in found] == ["spaced", "touching"]
    assert found[0]["exact"]["value"] > 0.8 and found[0]["n"] == 20
    assert 0 < found[0]["line_ms"][0] <= found[0]["line_ms"][1]
    assert 0 < found[0]["frame_ms"][0] <= found[0]["frame_ms"][1]
    assert cli.main(["bench", "numbers", "--data", "synthetic"]) == 2
