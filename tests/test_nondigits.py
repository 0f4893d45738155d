import jax
import numpy as np
import pytest

from digitjax.data import load
from digitjax.data.labels import NOT_A_DIGIT
from digitjax.data.nondigits import sample_nondigits
from digitjax.normalize import inks_to_images


@pytest.fixture(scope="module")
def drawn():
    return jax.jit(sample_nondigits, static_argnums=1)(jax.random.key(0), 256)


def test_they_are_finite_about_one_high_and_no_digits(drawn):
    ink, labels = drawn
    assert set(np.asarray(labels).tolist()) == {NOT_A_DIGIT}
    assert np.asarray(ink.mask).any(axis=1).all()
    ends = np.asarray(ink.ends)[np.asarray(ink.mask)]
    assert np.isfinite(ends).all() and np.abs(ends).max() < 10


def test_the_same_key_draws_the_same_and_no_two_are_alike(drawn):
    ink, _ = drawn
    again, _ = jax.jit(sample_nondigits, static_argnums=1)(jax.random.key(0), 256)
    np.testing.assert_array_equal(again.ends, ink.ends)
    images = np.asarray(jax.jit(inks_to_images)(ink)).reshape(256, -1)
    distance = np.abs(images[:, None] - images[None]).sum(axis=2) + 1e9 * np.eye(256)
    assert distance.min() > 1


def test_none_is_a_lone_line_or_arc(drawn):
    """A 1 is about as long as its box; what is drawn here goes to and fro more often."""
    ink, _ = drawn
    ends, mask = np.asarray(ink.ends), np.asarray(ink.mask)[..., None]
    steps = np.where(mask, ends[..., 2:] - ends[..., :2], 0)
    lengths = np.hypot(steps[..., 0], steps[..., 1]).sum(axis=1)
    corners = np.where(np.repeat(mask, 2, axis=1), ends.reshape(256, -1, 2), np.nan)
    box = np.nanmax(corners, axis=1) - np.nanmin(corners, axis=1)
    assert (lengths > 1.5 * box.max(axis=1)).mean() > 0.98


def test_as_a_source_it_has_fixed_splits():
    test, again = load("nondigits@test"), load("nondigits@test")
    assert len(test.labels) == 10_000 and set(test.words) == {"scribble"}
    assert test.ink is not None and again.ink is not None
    np.testing.assert_array_equal(test.ink.ends, again.ink.ends)
