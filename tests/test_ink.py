import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitjax.ink import LEAST_THINNED, bend, cut_off, thin
from digitjax.segments import pack
from digitjax.types import Segments

SEVEN = [np.array([[0.0, 0.0], [10.0, 0.0], [4.0, 20.0]]), np.array([[2.0, 10.0], [9.0, 10.0]])]


def packed(strokes) -> Segments:
    ink = pack(strokes, 16)
    return Segments(jnp.asarray(ink.ends), jnp.asarray(ink.mask))


def length(ink: Segments) -> float:
    ends = np.asarray(ink.ends)[np.asarray(ink.mask)]
    return float(np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]).sum())


@settings(deadline=None)
@given(st.floats(0.0, 1.0))
def test_cut_off_keeps_that_part_of_the_length_from_the_beginning(kept):
    whole = packed(SEVEN)
    part = cut_off(whole, kept)
    assert length(part) == pytest.approx(kept * length(whole), abs=1e-3)
    np.testing.assert_array_equal(np.asarray(part.ends)[:, :2], np.asarray(whole.ends)[:, :2])
    assert not (np.asarray(part.mask) & ~np.asarray(whole.mask)).any()


def test_all_of_it_is_the_drawing_itself_and_half_a_seven_has_no_bar():
    whole = packed(SEVEN)
    np.testing.assert_allclose(cut_off(whole, 1.0).ends, whole.ends, atol=1e-6)
    np.testing.assert_array_equal(cut_off(whole, 1.0).mask, whole.mask)
    assert int(np.asarray(cut_off(whole, 0.5).mask).sum()) == 2


def test_a_dot_stays_a_dot_and_no_ink_stays_none():
    dot = packed([np.array([[3.0, 4.0]])])
    for ink in (dot, Segments(dot.ends, jnp.zeros_like(dot.mask))):
        for changed in (cut_off(ink, 0.7), bend(jax.random.key(0), ink, 0.05)):
            assert np.isfinite(np.asarray(changed.ends)[np.asarray(ink.mask)]).all()
            np.testing.assert_array_equal(changed.mask, ink.mask)
            assert length(changed) == 0


@pytest.mark.parametrize("unit", [1.0, 300.0])
def test_a_bend_moves_ink_by_its_strength_in_any_unit_and_tears_nothing(unit):
    whole = packed([stroke * unit + 7 * unit for stroke in SEVEN])
    bent = jax.vmap(lambda key: bend(key, whole, 0.03))(jax.random.split(jax.random.key(1), 400))
    rows = np.asarray(whole.mask)
    moved = (np.asarray(bent.ends) - np.asarray(whole.ends)[None])[:, rows] / (20 * unit)
    assert 0.02 < np.sqrt((moved**2).sum(axis=-1).mean() / 4) < 0.06
    np.testing.assert_allclose(np.asarray(bent.ends)[:, 0, 2:], np.asarray(bent.ends)[:, 1, :2], rtol=1e-5)


@pytest.mark.parametrize("first", [0, 1])
def test_thinned_ink_leaves_every_second_point_out_and_keeps_the_ends_of_strokes(first):
    angle = np.linspace(0, 2 * np.pi, LEAST_THINNED + 2)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ink = pack([circle, np.array([[0.0, 3.0], [4.0, 3.0]]), np.full((1, 2), 5.0)], 64)
    rows = np.asarray(ink.ends)[np.asarray(ink.mask)]  # the circle's, the line and the dot
    found = thin(Segments(jnp.asarray(ink.ends), jnp.asarray(ink.mask)), first)
    left = np.asarray(found.ends)[np.asarray(found.mask)]
    points = np.concatenate([rows[: len(circle) - 1, :2], rows[len(circle) - 2 : len(circle) - 1, 2:]])
    kept = [0, *range(2 - first, len(circle) - 1, 2)]
    kept += [] if kept[-1] == len(circle) - 1 else [len(circle) - 1]
    np.testing.assert_array_equal(left[:-2], np.concatenate([points[kept[:-1]], points[kept[1:]]], axis=1))
    np.testing.assert_array_equal(left[-2:], rows[-2:])


def test_coarse_ink_is_not_thinned():
    whole = packed(SEVEN)
    jax.tree.map(np.testing.assert_array_equal, thin(whole), whole)
