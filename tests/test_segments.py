"""Simplifying ink and packing it into fixed shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from digitjax.errors import InputError
from digitjax.segments import _as_written, pack, pack_all, simplify, straight


def line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


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


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.ci) for seed in (3, 4, 5))])
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


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_strokes_are_simplified_each_as_if_it_were_packed_alone(seed, limit):
    random = np.random.default_rng(seed)
    strokes = [random.integers(0, 300, (random.integers(1, 40), 2)).astype(float) for _ in range(4)]
    for stroke, line in zip(strokes, simplify(strokes, limit), strict=True):
        alone = straight([stroke], limit).ends + np.tile(stroke.min(axis=0), 2)
        np.testing.assert_array_equal(
            np.concatenate([line[: len(alone)], line[-len(alone) :]], axis=1), alone
        )
    assert simplify([], limit) == []


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
        with pytest.raises(InputError, match="not finite"):
            pack([line((0, 0), (1, value), (2, 2))])


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


@pytest.mark.ci
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        hnp.arrays(np.float64, st.tuples(st.integers(0, 9), st.just(2)), elements=st.integers(-400, 400)),
        max_size=10,
    ),
    st.sampled_from([0.0, 0.1, 1e9]),
    st.sampled_from([1.0, 1 / 3, 1e-9, 1e7, 1e160]),
    st.integers(1, 60),
)
def test_packing_is_the_straight_pieces_in_single_precision(drawn, shift, scale, limit):
    is_packed_as_it_is_straightened([stroke * scale + shift for stroke in drawn], limit)


TALL = line((0, 0), (1, 60), (2, 5), (0, 100))
WALK = np.random.default_rng(0).normal(size=(129, 2)).cumsum(0)


@pytest.mark.parametrize(
    ("drawn", "at_once"),
    [
        ([TALL], True),
        ([TALL.astype(np.float32) / 3, TALL[::-1]], True),
        ([line((0, 0), (2**20, 1)), line((5, 5), (6, 6))], True),
        ([line((0, 0), (1, 2**20 + 1))], False),
        ([line((0, 0), (0, 2**-6))], True),
        ([line((0, 0), (2**-7, 0))], False),
        ([TALL] * 8, True),
        ([TALL] * 9, False),
        ([WALK], True),
        ([np.concatenate([WALK, WALK[:1]])], False),
        ([TALL, TALL[:1]], False),
        ([TALL, TALL[:0]], False),
        ([TALL[[0, 0, 1]]], False),
        ([line((1e17, 0), (1e17, 9), (1e17 + 1, 9))], False),
    ],
)
def test_ink_of_which_every_point_stays_is_packed_at_once(drawn, at_once):
    assert (_as_written(drawn, 128) is not None) == at_once
    is_packed_as_it_is_straightened(drawn, 128)


def is_packed_as_it_is_straightened(drawn, limit):
    ends = straight(drawn, limit).ends
    packed = pack(drawn, limit)
    assert packed.mask.sum() == len(ends) and packed.mask[: len(ends)].all()
    np.testing.assert_array_equal(packed.ends[: len(ends)], ends.astype(np.float32))
    assert not packed.ends[len(ends) :].any()


def test_a_stroke_of_100_000_points_is_packed_without_recursion():
    turn = np.linspace(0, 200, 100_000)
    packed = pack([np.stack([turn * np.cos(turn), turn * np.sin(turn)], 1)])
    assert packed.mask.all()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("strokes", "shape"),
    [
        (np.array([[0.0, 0], [1, 5], [3, 8]]), "2"),
        ([[[0, 1, 2], [3, 4, 5]]], "2, 3"),
        ([np.zeros((5, 3))], "5, 3"),
        ([np.eye(2), []], "0"),
        ([np.eye(2), np.zeros((4, 1))], "4, 1"),
    ],
    ids=["one stroke", "rows of x and y", "with times", "of nothing", "of one column"],
)
def test_what_is_no_list_of_strokes_is_refused(strokes, shape):
    with pytest.raises(ValueError, match=rf"a stroke has shape \[{shape}\]: give a list of strokes,"):
        pack(strokes)
    assert pack([[(0, 0), (1, 5)], [(2, 2), (3, 3)]]).mask.sum() == 2  # type: ignore[arg-type]
