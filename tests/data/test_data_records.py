"""Prepared records: what is put in comes out, one at a time; what is damaged is refused or made anew."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digitjax.data.drawings import prepare
from digitjax.data.records import INDEX, Record, encode, index_row, open_files, record_files, write_records
from digitjax.errors import InputError
from digitjax.strokes import Drawing, write_drawings

pytest.importorskip("grain")
pytest.importorskip("array_record")

REPO = Path(__file__).resolve().parents[2]


def test_a_record_is_what_was_put_in_and_the_index_says_enough_of_it(tmp_path):
    rng = np.random.default_rng(5)
    records = [
        Record(3, 8, "7", "a/b", ink=rng.normal(size=(5, 4)).astype(np.float32)),
        Record(0, 0, None, None, ink=np.zeros((0, 4), np.float32)),
        Record(2, 9, "é", None, picture=rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)),
        Record(1, 1, "O", "b", picture=rng.integers(0, 256, (1, 2), dtype=np.uint8)),
    ]
    write_records(records, tmp_path, "a few")
    _, read = open_files(record_files(tmp_path))
    for given, got in zip([records[i] for i in (2, 0, 3)], read(np.array([2, 0, 3])), strict=True):
        assert got[:4] == given[:4]
        for name in ("ink", "picture"):
            np.testing.assert_array_equal(getattr(got, name), getattr(given, name))
    assert [index_row(i, record)[1:] for i, record in enumerate(records)] == [
        (8, 7, False, 5),
        (0, -1, False, 0),
        (9, 10, False, 0),
        (1, 10, True, 0),
    ]
    assert INDEX.itemsize == 8


def test_records_in_groups_are_read_one_by_one_and_nothing_is_logged(tmp_path, caplog):
    logging.getLogger("absl").addHandler(caplog.handler)
    records = [Record(i, i % 10, str(i % 10), ink=np.full((1 + i % 7, 4), i, np.float32)) for i in range(50)]
    write_records(records, tmp_path, "groups", 16)
    _, read = open_files(record_files(tmp_path))
    for places in ([49, 3, 3, 17], range(50)):
        found = read(np.array(places))
        assert [one.key for one in found] == list(places)
        for one in found:
            np.testing.assert_array_equal(one.ink, records[one.key].ink)
    logging.getLogger("absl").removeHandler(caplog.handler)
    assert not caplog.records


def test_records_are_read_one_after_the_other_from_the_source(tmp_path):
    """Each is written before the next is asked for, so nothing gathers."""
    alive = 0

    class Ink(np.ndarray):
        def __del__(self):
            nonlocal alive
            alive -= 1

    def source():
        nonlocal alive
        for key in range(300):
            ink = np.zeros((2, 4), np.float32).view(Ink)
            alive += 1
            assert alive < 5
            yield Record(key, 0, "1", ink=ink)
            del ink

    write_records(source(), tmp_path, "many")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_disk_that_is_full_is_no_traceback(tmp_path):
    """ArrayRecord writes in a thread of its own and tells of it only when the file is closed."""
    program = """
import resource, sys
import numpy as np
from pathlib import Path
from digitjax.data.records import Record, write_records
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
ink = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
try:
    write_records((Record(i, 0, "1", ink=ink) for i in range(200)), Path(sys.argv[1]), "x")
except OSError as error:
    print("told:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stdout.startswith("told:"), done.stderr


def test_a_changed_file_gets_records_of_its_own_and_damaged_records_are_made_anew(tmp_path):
    path = tmp_path / "mine.ndjson"
    write_drawings(path, some_drawings(30))
    first = prepare(path)
    (file,) = record_files(first)
    content = file.read_bytes()
    file.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    assert prepare(path) == first and file.read_bytes() == content
    write_drawings(path, some_drawings(31))
    assert prepare(path) != first


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 20,
        encode(Record(0, 11, "1", ink=np.zeros((1, 4), np.float32))),
        encode(Record(0, 1, "1", ink=np.zeros((129, 4), np.float32))),
        encode(Record(0, 1, "1", ink=np.full((1, 4), np.nan, np.float32))),
        encode(Record(0, 1, "1", picture=np.zeros((2, 3), np.uint8))).replace(b"\2\3", b"\2\x7f"),
    ],
    ids=["empty", "noise", "bucket", "long", "nan", "shape"],  # the bytes' own order differs by process
)
def test_bytes_that_are_no_record_get_a_sentence(tmp_path, raw):
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(str(tmp_path / "x.array_record"), "group_size:1")
    writer.write(raw)
    writer.close()
    with pytest.raises(InputError, match="damaged .*delete that folder"):
        open_files(record_files(tmp_path))[1](np.array([0]))


def test_files_that_are_no_records_get_a_sentence(tmp_path):
    (tmp_path / "x.array_record").write_bytes(b"no records at all" * 9000)
    with pytest.raises(InputError, match="damaged .*delete that folder"):
        open_files(record_files(tmp_path))
    with pytest.raises(InputError, match="delete that folder"):
        open_files([])


def some_drawings(count: int):
    rng = np.random.default_rng(6)
    for index in range(count):
        yield Drawing(
            (rng.integers(0, 255, (30, 2)).astype(float),), None, str(index % 10), "tests", f"w{index}"
        )
