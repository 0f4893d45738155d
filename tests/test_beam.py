"""Beam writes the records that the plain conversion writes, whatever the sharding; skipped without it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from digitjax import cli
from digitjax.data import beam_builder
from digitjax.data.beam_builder import pieces_of, prepare_with_beam
from digitjax.data.drawings import file_folder, prepare
from digitjax.data.prepared import is_whole
from digitjax.data.records import GROUP, open_records, record_files
from digitjax.errors import InputError
from digitjax.strokes import Drawing, read_numbered, write_drawings

with_beam = pytest.mark.skipif(
    importlib.util.find_spec("apache_beam") is None, reason="apache_beam, the extra `scale`, is not here"
)
quiet = pytest.mark.filterwarnings("ignore")  # Beam's own imports warn


@pytest.fixture
def file(tmp_path, monkeypatch):
    """300 drawings, some without a word, with blank lines between; a data folder of its own."""
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    drawings = [
        Drawing(
            tuple(
                rng.integers(0, 500, (int(rng.integers(1, 200)), 2)).astype(float) for _ in range(1 + i % 3)
            ),
            None,
            None if i % 11 == 0 else "é" if i % 7 == 0 else str(i % 10),
            "tests",
            f"w{i % 30}" if i % 2 else None,
        )
        for i in range(300)
    ]
    path = tmp_path / "drawn.ndjson"
    write_drawings(path, drawings)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n\n".join([b"", *lines[:100], b"\n", *lines[100:]]).rstrip())
    return path


@pytest.mark.parametrize("size", [1, 700, 5_000, 10**9])
def test_pieces_hold_every_line_once_under_its_number(file, size):
    pieces = pieces_of(file, size)
    assert len(pieces) == 1 if size == 10**9 else len(pieces) > 10
    lines = [(line, drawing.word, len(drawing.strokes)) for line, drawing in read_numbered(file)]
    found = [
        (line, drawing.word, len(drawing.strokes))
        for piece in pieces
        for line, drawing in read_numbered(file, *piece)
    ]
    assert found == lines


def written_how(file: Path) -> str:
    from array_record.python.array_record_module import ArrayRecordReader

    return ArrayRecordReader(str(file)).writer_options_string()


@with_beam
@quiet
@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 4])
def test_beam_writes_what_the_plain_conversion_writes(file, monkeypatch, shards):
    monkeypatch.setattr(beam_builder, "PIECE_BYTES", 20_000)
    folder = prepare_with_beam(file, shards=shards)
    assert is_whole(folder) and len(record_files(folder)) == shards
    assert all(f"group_size:{GROUP}" in written_how(file) for file in record_files(folder))
    by_beam = open_records("x", folder, None)
    records = by_beam.read(by_beam.entries["place"].astype(np.int64))
    assert prepare_with_beam(file) == prepare(file) == folder  # already there, so nobody makes it again
    for old in record_files(folder):
        old.unlink()
    plain = open_records("x", prepare(file), None)
    for name in ("bucket", "label", "ambiguous", "rows"):
        np.testing.assert_array_equal(by_beam.entries[name], plain.entries[name])
    for one, other in zip(records, plain.read(plain.entries["place"].astype(np.int64)), strict=True):
        assert one[:4] == other[:4]
        np.testing.assert_array_equal(one.ink, other.ink)


@with_beam
@quiet
@pytest.mark.slow
def test_a_line_that_a_worker_refuses_gets_its_sentence(file, capfd):
    file.write_bytes(file.read_bytes() + b'\n{"drawing": 7}\n')
    number = file.read_bytes().count(b"\n")
    with pytest.raises(InputError, match=f"drawn.ndjson:{number}: .*give a list of strokes"):
        prepare_with_beam(file)
    assert not file_folder(file).exists()
    with pytest.raises(InputError, match="--beam cannot be"):
        prepare_with_beam(file, "--runner='")


def test_without_beam_and_for_other_sources_the_sentence_says_so(file, monkeypatch, capfd):
    monkeypatch.setattr(beam_builder.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"install digitjax\[scale\]"):
        prepare_with_beam(file)
    assert cli.main(["data", "prepare", "digits8x8", "--beam"]) == 2
    assert "give strokes:FILE" in capfd.readouterr().err
    assert cli.main(["data", "list", "--beam"]) == 2
