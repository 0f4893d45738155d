"""Reading, writing, simplifying and packing ink."""

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from digitjax import strokes
from digitjax.errors import InputError
from digitjax.strokes import Drawing, from_json, pack, pack_all, read_drawings, to_json, write_drawings

SEVEN = '{"word":"7","drawing":[[[0,10,5],[0,0,20]]],"source":"s","writer":"w"}'


def line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


def file_with(folder: Path, content: bytes | str, name: str = "drawn.ndjson") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def ink(drawing: str) -> str:
    return f'{{"drawing":{drawing}}}'


def peucker(points: np.ndarray, tolerance: float) -> list[int]:
    """Ramer-Douglas-Peucker as the textbooks write it: the indices that stay."""
    a, b = points[0], points[-1]
    distances = []
    for p in points[1:-1]:
        t = 0.0 if (a == b).all() else min(1.0, max(0.0, float((p - a) @ (b - a) / ((b - a) @ (b - a)))))
        distances.append(float(np.hypot(*(p - a - t * (b - a)))))
    if not distances or max(distances) <= tolerance:
        return [0, len(points) - 1]
    split = 1 + int(np.argmax(distances))
    left, right = peucker(points[: split + 1], tolerance), peucker(points[split:], tolerance)
    return left + [split + i for i in right[1:]]


# reading


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


# packing


def test_a_short_drawing_is_packed_as_it_is():
    packed = pack([line((5, 5), (5, 5), (8, 9), (8, 9), (5, 5)), line((9, 9), (9, 9))])
    expected = [[0, 0, 3, 4], [3, 4, 0, 0], [4, 4, 4, 4]]
    assert packed.ends.shape == (128, 4) and packed.ends.dtype == np.float32
    assert packed.mask.sum() == 3 and packed.mask[:3].all()
    np.testing.assert_array_equal(packed.ends[:3], expected)
    np.testing.assert_array_equal(packed.ends[3:], 0)


@pytest.mark.parametrize("nothing", [[], [np.zeros((0, 2))]])
def test_no_ink_is_all_padding(nothing):
    assert not pack(nothing).mask.any()


def test_drawings_of_no_file_give_no_rows():
    packed = pack_all([])
    assert packed.ends.shape == (0, 128, 4) and packed.mask.shape == (0, 128)


@pytest.mark.parametrize("seed", range(6))
def test_long_ink_is_peucker_at_the_smallest_tolerance_that_fits(seed):
    random = np.random.default_rng(seed)
    drawn = [random.normal(size=(n, 2)).cumsum(0) for n in random.integers(20, 160, size=1 + seed % 3)]
    if seed == 5:
        drawn[0] = np.concatenate([drawn[0], drawn[0][:1]])  # closed
    limit = 24
    low, high = 0.0, 1e3
    for _ in range(60):
        middle = (low + high) / 2
        pieces = sum(len(peucker(stroke, middle)) - 1 for stroke in drawn)
        low, high = (middle, high) if pieces > limit else (low, middle)
    kept = [stroke[peucker(stroke, high)] for stroke in drawn]
    expected = np.concatenate([np.concatenate([k[:-1], k[1:]], axis=1) for k in kept])
    packed = pack(drawn, limit)
    origin = np.concatenate(drawn).min(0)
    np.testing.assert_allclose(packed.ends[packed.mask], expected - np.tile(origin, 2), atol=1e-4)


def test_points_on_a_straight_line_go_first():
    path = np.array([(x, 0) for x in range(500)] + [(499, y) for y in range(1, 500)], np.float64)
    packed = pack([path], 16)
    np.testing.assert_array_equal(packed.ends[packed.mask], [[0, 0, 499, 0], [499, 0, 499, 499]])


def test_of_too_many_strokes_the_longest_stay_in_order():
    lengths = np.random.default_rng(0).permutation(300).astype(np.float64)
    packed = pack([line((0, i), (0.5 + x, i)) for i, x in enumerate(lengths)])
    np.testing.assert_array_equal(packed.ends[:, 2], 0.5 + lengths[lengths >= 172])


@pytest.mark.parametrize("shift", [0.0, 1e5, -3e7])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30, 1e300])
def test_place_and_size_do_not_cost_precision(shift, scale):
    shape = np.array([(0, 0), (3, 4), (8, -2)]) * scale
    packed = pack([shape + shift * scale])
    ends = packed.ends[packed.mask]
    assert np.isfinite(ends).all() and 1e-3 < ends.max() < 2**20 + 1
    plain = pack([np.array([(0.0, 0.0), (3, 4), (8, -2)])])
    np.testing.assert_allclose(ends / ends.max(), plain.ends[plain.mask] / 8, atol=1e-6)


def test_the_widest_floats_do_not_overflow():
    ends = pack([line((-1.7e308, 0), (1.7e308, 1e308))]).ends
    assert np.isfinite(ends).all() and 128 <= ends.max() <= 256


def test_ink_that_is_not_finite_is_refused():
    for value in (np.nan, np.inf):
        with pytest.raises(InputError, match="not finite"):
            pack([line((0, 0), (value, 1))])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        hnp.arrays(np.float64, st.tuples(st.integers(0, 60), st.just(2)), elements=st.integers(-50, 50)),
        max_size=8,
    ),
    st.integers(1, 20),
)
def test_packing_keeps_the_box_of_the_strokes_ends_and_fits(drawn, limit):
    packed = pack(drawn, limit)
    ends = packed.ends[packed.mask]
    filled = [stroke for stroke in drawn if len(stroke)]
    assert len(ends) <= limit and not packed.ends[~packed.mask].any()
    assert bool(filled) == bool(len(ends))
    if not filled:
        return
    points = np.concatenate(filled)
    drawn_points = {tuple(p) for p in points - points.min(0)}
    assert {tuple(p) for p in ends.reshape(-1, 2).astype(np.float64)} <= drawn_points
    if len(filled) <= limit:
        firsts = {tuple(stroke[0] - points.min(0)) for stroke in filled}
        assert firsts <= {tuple(p) for p in ends[:, :2].astype(np.float64)}


def test_a_stroke_of_100_000_points_is_packed_without_recursion():
    turn = np.linspace(0, 200, 100_000)
    packed = pack([np.stack([turn * np.cos(turn), turn * np.sin(turn)], 1)])
    assert packed.mask.all()


def test_the_corpora_are_read_whole(datasets):
    counts = {"bridger": 822, "pendigits-train": 7494}
    for name, count in counts.items():
        drawings = list(read_drawings(datasets / "strokes" / f"{name}.ndjson.gz"))
        assert len(drawings) == count
        packed = pack_all(drawings[:200])
        pieces = [sum(max(len(s) - 1, 1) for s in drawing.strokes) for drawing in drawings[:200]]
        assert (packed.mask.sum(1) <= np.minimum(pieces, strokes.MAX_SEGMENTS)).all()
        assert packed.mask.any(1).all()
