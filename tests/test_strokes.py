"""Reading and writing drawings."""

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitjax.errors import InputError
from digitjax.segments import MAX_SEGMENTS, pack, pack_all
from digitjax.strokes import Drawing, from_json, read_drawings, to_json, write_drawings

SEVEN = '{"word":"7","drawing":[[[0,10,5],[0,0,20]]],"source":"s","writer":"w"}'


def line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


def file_with(folder: Path, content: bytes | str, name: str = "drawn.ndjson") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def ink(drawing: str) -> str:
    return f'{{"drawing":{drawing}}}'


@pytest.mark.parametrize("name", ["drawn.ndjson", "drawn.ndjson.gz"])
def test_what_is_written_is_read(tmp_path, name):
    drawings = [
        Drawing((line((0, 0), (1.5, -2)), line((3, 3))), None, "7", "here", "me"),
        Drawing((line((1e-3, 1e9)),), (np.array([12.5]),), "ü", None, None),
        Drawing((), None, None, None, None),
    ]
    assert write_drawings(tmp_path / name, drawings) == 3
    assert [p.name for p in tmp_path.iterdir()] == [name]
    for read, written in zip(read_drawings(tmp_path / name), drawings, strict=True):
        assert to_json(read) == to_json(written)
        assert read[2:] == written[2:]
        for a, b in zip(read.strokes, written.strokes, strict=True):
            np.testing.assert_array_equal(a, b)


def test_whole_numbers_stay_integers_and_times_are_kept():
    record = {"word": "1", "drawing": [[[3, 4], [5, 6.5], [0, 16]]]}
    assert json.dumps(to_json(from_json(record))) == json.dumps(record)


def test_unknown_keys_blank_lines_and_a_byte_order_mark_are_tolerated(tmp_path):
    more = '{"drawing":[[[1],[2]],[[],[]]],"key_id":"a","recognized":true,"word":null,"writer":""}'
    path = file_with(tmp_path, b"\xef\xbb\xbf" + f"{SEVEN}\r\n\n{more}".encode())
    seven, other = read_drawings(path)
    assert (seven.word, seven.source, seven.writer) == ("7", "s", "w")
    assert other.word is None and other.writer is None and len(other.strokes) == 1


def test_times_count_only_where_every_stroke_has_them():
    assert from_json({"drawing": [[[1], [2], [3]], [[1], [2]]]}).times is None


def test_a_file_that_fails_to_be_written_leaves_what_was_there(tmp_path):
    path = file_with(tmp_path, SEVEN)
    with pytest.raises(ValueError):
        write_drawings(path, [Drawing((line((0, 0)),)), Drawing((line((np.nan, 0)),))])
    assert path.read_text() == SEVEN and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{", "JSON"),
        ("[]", "a list of 0"),
        ("7", "the number 7"),
        ('{"word":"7"}', 'no "drawing"'),
        ('{"drawings":[]}', 'did you mean "drawings"'),
        (ink('"x"'), "give a list of strokes"),
        (ink("[[[0,1],[0]]]"), "2 x, 1 y"),
        (ink("[[[0],[0],[0,1]]]"), "1 x, 1 y, 2 times"),
        (ink("[[[0,1],[0,1]],[[0]]]"), "stroke 2 is a list of 1"),
        (ink("[[0,1]]"), "x of stroke 1 is the number 0"),
        (ink("[[[NaN],[0]]]"), "NaN"),
        (ink("[[[0],[-Infinity]]]"), "Infinity"),
        (ink("[[[1e999],[0]]]"), "1e308"),
        (ink(f"[[[1{'0' * 400}],[0]]]"), "1e308"),
        (ink(f"[[[1{'0' * 9999}],[0]]]"), "thousands of digits"),
        (ink('[[["1"],[0]]]'), "the text '1'"),
        (ink("[[[true],[0]]]"), "true"),
        (ink("[[[null],[0]]]"), "null"),
        ("[" * 100_000, "nested too deeply"),
        ('{"drawing":[],"word":7}', '"word" is the number 7'),
        ('{"drawing":[],"word":"' + "x" * 65 + '"}', "65 characters"),
        ('{"drawing":[],"word":"\\ud800"}', "surrogate"),
        (ink(str([[[0], [0]]] * 10_001)), "10001 strokes"),
        (ink(str([[[0] * 200_001] * 2])), "200000 points"),
    ],
)
def test_a_bad_line_is_refused_by_file_and_line(tmp_path, bad, says):
    path = file_with(tmp_path, f"{SEVEN}\n\n{bad}\n{SEVEN}\n")
    reader = read_drawings(path)
    assert next(reader).word == "7"
    with pytest.raises(InputError) as error:
        next(reader)
    assert str(error.value).startswith(f"{path}:3: ") and says in str(error.value)
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)


def test_words_of_64_characters_are_the_longest():
    assert from_json({"drawing": [], "word": "x" * 64}).word == "x" * 64


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no drawings"),
        (b"\n \n", "holds no drawings"),
        (b'{"word":"\xff","drawing":[]}', ":1: byte 10 is not UTF-8"),
        ((SEVEN + "\n").encode("utf-16"), ":1: byte 1 is not UTF-8"),
        (gzip.compress(f"{SEVEN}\n{SEVEN}\n".encode(), mtime=0)[:-10], "damaged or cut off"),
        (b"\x1f\x8b" + bytes(30), "damaged or cut off"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, content, says):
    with pytest.raises(InputError, match=says):
        list(read_drawings(file_with(tmp_path, content)))


def test_a_missing_file_names_its_neighbour(tmp_path):
    file_with(tmp_path, SEVEN)
    with pytest.raises(InputError, match=r"did you mean .*drawn\.ndjson"):
        list(read_drawings(tmp_path / "drwan.ndjson"))
    with pytest.raises(InputError, match="nor does the folder"):
        list(read_drawings(tmp_path / "no" / "drawn.ndjson"))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_drawings(tmp_path))


@pytest.mark.parametrize("bomb", ["one line", "many lines"])
def test_a_zip_bomb_is_refused_in_little_memory(tmp_path, bomb):
    path = tmp_path / "bomb.ndjson.gz"
    piece = b" " * 2**20 if bomb == "one line" else (b" " * 1023 + b"\n") * 2**10
    with gzip.GzipFile(path, "wb") as file:
        for _ in range(100):
            file.write(piece)
    tracemalloc.start()
    with pytest.raises(InputError, match="longer than 8 MiB" if bomb == "one line" else "400 times"):
        list(read_drawings(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(tmp_path_factory, content):
    path = file_with(tmp_path_factory.mktemp("bytes"), content)
    try:
        list(read_drawings(path))
    except InputError as error:
        assert str(error).startswith(str(path))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries({"drawing": anything}, optional={"word": anything, "writer": anything}))
def test_no_record_raises_anything_else(record):
    try:
        drawing = from_json(record)
    except InputError:
        return
    assert all(np.isfinite(s).all() and s.shape[1] == 2 and len(s) for s in drawing.strokes)
    pack(drawing.strokes)


@pytest.mark.ci
def test_the_corpora_are_read_whole(datasets):
    counts = {"bridger": 822, "pendigits-train": 7494}
    for name, count in counts.items():
        drawings = list(read_drawings(datasets / "strokes" / f"{name}.ndjson.gz"))
        assert len(drawings) == count
        packed = pack_all(drawings[:200])
        pieces = [sum(max(len(s) - 1, 1) for s in drawing.strokes) for drawing in drawings[:200]]
        assert (packed.mask.sum(1) <= np.minimum(pieces, MAX_SEGMENTS)).all()
        assert packed.mask.any(1).all()
