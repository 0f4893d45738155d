"""Source `pendigits:FILE`, against the same strokes as another program took them from the raw file."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from digitjax import cli, paths
from digitjax.data import load, pendigits
from digitjax.errors import InputError
from digitjax.strokes import Drawing, read_drawings

RAW = """.INCLUDE dene.doc
.HIERARCHY DIGIT

.SEGMENT DIGIT    7 ? "4"
.COMMENT 4 1 117
.PEN_DOWN
 100 400
 101 390
.PEN_UP
.DT 100
.PEN_DOWN
 110 395
.PEN_UP
.SEGMENT DIGIT 9-11 ? "0"
.COMMENT 0 12 118
.PEN_DOWN
 0 0
 500 500
.PEN_UP
"""


def same(a: Drawing, b: Drawing) -> bool:
    pairs = zip(a.strokes, b.strokes, strict=True)
    return a[1:] == b[1:] and all(np.array_equal(one, other) for one, other in pairs)


@pytest.fixture(scope="module")
def raw(datasets) -> Path:
    return datasets / "raw" / "pendigits-train"


@pytest.fixture(scope="module")
def expected(datasets) -> list[Drawing]:
    return list(read_drawings(datasets / "strokes" / "pendigits-train.ndjson.gz"))


@pytest.fixture(scope="module")
def folder(raw, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITJAX_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        return pendigits.prepare(raw)


def test_strokes_belong_to_the_segment_before_them_and_y_points_down():
    four, zero = map(pendigits.to_drawing, pendigits.parse(RAW))
    assert (four.word, four.source, four.writer, zero.word, zero.writer) == ("4", "pendigits", "1", "0", "12")
    assert [s.tolist() for s in four.strokes] == [[[100, 100], [101, 110]], [[110, 105]]]
    assert [s.tolist() for s in zero.strokes] == [[[0, 500], [500, 0]]]


@pytest.mark.ci
def test_the_prepared_copy_equals_the_strokes_drawing_by_drawing(folder, expected):
    found = list(pendigits.read_prepared(folder))
    assert len(found) == len(expected) == 7494
    assert all(map(same, found, expected))


def test_the_builder_gives_the_same_through_tfds(folder, expected):
    import tensorflow_datasets as tfds

    (version,) = folder.glob("digitjax_pendigits/*")
    source = tfds.builder_from_directory(version).as_data_source(split="train")  # pyright: ignore[reportCallIssue]
    assert len(source) == len(expected)
    for record in (source[i] for i in (0, 1, 2000, 7493)):
        strokes = pendigits.Strokes(*(record[name] for name in pendigits.Strokes._fields))
        assert same(pendigits.to_drawing(strokes), expected[int(record["index"])])


def test_it_is_split_like_the_strokes_and_prepared_once(raw, folder, datasets, monkeypatch):
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(folder.parent))
    monkeypatch.delattr(pendigits, "publish")
    strokes = f"strokes:{datasets}/strokes/pendigits-train.ndjson.gz"
    a, b = load(f"pendigits:{raw}@validation"), load(f"{strokes}@validation")
    assert a.words == b.words and a.writers == b.writers and a.ink is not None and b.ink is not None
    np.testing.assert_array_equal(a.ink.ends, b.ink.ends)


def test_without_array_record_the_copy_is_a_file_of_drawings_and_a_damaged_one_is_made_again(
    tmp_path, monkeypatch
):
    raw = tmp_path / "raw"
    raw.write_bytes(RAW.encode())
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(pendigits, "SHA256", hashlib.sha256(raw.read_bytes()).hexdigest())
    monkeypatch.setattr(pendigits, "has_array_record", lambda: False)
    folder = pendigits.prepare(raw)
    assert sorted(p.name for p in folder.iterdir()) == ["drawings.ndjson.gz", "prepared.json"]
    parsed = list(map(pendigits.to_drawing, pendigits.parse(RAW)))
    assert len(parsed) == 2 and all(map(same, pendigits.read_prepared(folder), parsed))
    (folder / pendigits.FALLBACK).write_bytes(b"")
    assert all(map(same, pendigits.read_prepared(pendigits.prepare(raw)), parsed))


def test_another_file_is_refused_by_its_checksum(raw, tmp_path, capfd):
    other = tmp_path / "pendigits-train"
    other.write_bytes(raw.read_bytes().replace(b"284", b"285", 1))
    assert cli.main(["data", "prepare", f"pendigits:{other}"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and f"{other} is not the raw training file" in err and len(err.splitlines()) == 1
    assert not list(paths.data_dir().glob("pendigits*"))
    with pytest.raises(InputError, match="did you mean .*pendigits-train"):
        load(f"pendigits:{tmp_path / 'pendigits_train'}")
    with pytest.raises(InputError, match="not the raw training file"):
        load(f"pendigits:{tmp_path}")
