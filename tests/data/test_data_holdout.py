"""Holding out some of somebody's own drawings."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from digitjax.data import holdout, load
from digitjax.data.holdout import NAMES, deal, hold_out
from digitjax.errors import InputError
from digitjax.strokes import Drawing, read_drawings, write_drawings


@pytest.fixture
def drawn(tmp_path) -> Path:
    """Sixty drawings of two sources and three hands, each of another width; two have no word."""
    path = tmp_path / "d.ndjson.gz"
    drawings = [
        Drawing(
            (np.array([(0.0, 0.0), (10 + i, 0), (4, 20)]),),
            word=None if i in (3, 40) else str(i % 10),
            source="here" if i < 40 else "there",
            writer=f"w{i % 3}",
        )
        for i in range(60)
    ]
    write_drawings(path, drawings)
    return path


def widths(path: Path) -> list[float]:
    return [float(drawing.strokes[0][1, 0]) - 10 for drawing in read_drawings(path)]


def test_parts_share_nothing_and_every_member_is_as_likely_in_each():
    taken: Counter[int] = Counter()
    for seed in range(400):
        train, test = deal(10, (6, 3), seed)
        assert len({*train.tolist(), *test.tolist()}) == 9 and len(train) == 6
        taken.update(test.tolist())
    assert all(80 < taken[member] < 160 for member in range(10))  # 120 expected, sd 9


def test_the_files_hold_different_drawings_of_the_source_that_was_asked_for(drawn, tmp_path):
    train, test = hold_out(drawn, tmp_path / "a", source="here", sizes=(30, 9), seed=4)
    both = widths(train) + widths(test)
    assert len(widths(train)) == 30 and sorted(both) == [i for i in range(40) if i != 3]
    for drawing in read_drawings(train):
        assert drawing.word == str(int(drawing.strokes[0][1, 0] - 10) % 10)
    again = hold_out(drawn, tmp_path / "b", source="here", sizes=(30, 9), seed=4)
    assert again[0].read_bytes() == train.read_bytes() and again[1].read_bytes() == test.read_bytes()
    assert widths(hold_out(drawn, tmp_path / "c", source="here", sizes=(30, 9), seed=5)[1]) != widths(test)


def test_the_training_file_has_a_validation_split_although_one_person_drew_it(drawn, tmp_path):
    train, _ = hold_out(drawn, tmp_path / "a", sizes=(50, 8))
    counts = [len(load(f"strokes:{train}@{split}").labels) for split in ("train", "validation", "test")]
    assert sum(counts) == 50 and min(counts) > 0 and counts[0] > 30


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"source": "ther"}, "--source ther: give one of here, there"),
        ({"sizes": (50, 9)}, "has 58 labelled drawings, --sizes 50 9 asks for 59"),
        ({"sizes": (5, 0)}, "--sizes 5 0"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(drawn, tmp_path, options, says):
    with pytest.raises(InputError, match=says):
        hold_out(drawn, tmp_path / "a", **{"sizes": (5, 5), **options})
    assert not (tmp_path / "a").exists()


def test_a_file_without_sources_and_a_single_drawing_have_their_sentences(tmp_path):
    path = tmp_path / "one.ndjson"
    write_drawings(path, [Drawing((np.zeros((2, 2)),), word="1")])
    with pytest.raises(InputError, match="no drawing of --source a: none names its source, leave --source"):
        hold_out(path, tmp_path / "a", source="a", sizes=(5, 5))
    with pytest.raises(InputError, match="has 1 labelled drawing, "):
        hold_out(path, tmp_path / "a", sizes=(5, 5))


def test_a_full_disk_leaves_neither_file_and_the_same_command_goes_on(drawn, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def full(path: Path, drawings) -> int:
        if path.name == NAMES[1]:
            raise OSError(28, "No space left on device")
        return write_drawings(path, drawings)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(holdout, "write_drawings", full)
        hold_out(drawn, out, sizes=(5, 5))
    assert list(out.iterdir()) == []
    (out / holdout.PART).mkdir()  # of one that was killed
    hold_out(drawn, out, sizes=(5, 5))
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)


def test_no_file_is_overwritten(drawn, tmp_path):
    hold_out(drawn, tmp_path, sizes=(5, 5))
    with pytest.raises(InputError, match="already there"):
        hold_out(drawn, tmp_path, sizes=(6, 5))
    assert len(widths(tmp_path / "train.ndjson.gz")) == 5
