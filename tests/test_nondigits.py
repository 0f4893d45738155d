import jax
import numpy as np
import pytest

from digitjax.data import load, procedural
from digitjax.data.labels import AMBIGUOUS, NOT_A_DIGIT
from digitjax.data.mark_paths import MARKS
from digitjax.data.marks import sample_marks
from digitjax.data.nondigits import sample_nondigits
from digitjax.data.signs import SIGNS
from digitjax.data.skeletons import load_marks, load_signs
from digitjax.data.things import DRAWERS, NUMBERS, PARTS, POINTS, Numbers, grid
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
    """A 1 is about as long as its box; what is drawn here goes to and fro, or has three strokes and more."""
    ink, _ = drawn
    ends, mask = np.asarray(ink.ends), np.asarray(ink.mask)[..., None]
    steps = np.where(mask, ends[..., 2:] - ends[..., :2], 0)
    lengths = np.hypot(steps[..., 0], steps[..., 1]).sum(axis=1)
    corners = np.where(np.repeat(mask, 2, axis=1), ends.reshape(256, -1, 2), np.nan)
    box = np.nanmax(corners, axis=1) - np.nanmin(corners, axis=1)
    lifted = np.abs(ends[:, 1:, :2] - ends[:, :-1, 2:]).max(axis=2) > 1e-5
    strokes = 1 + (lifted & mask[:, 1:, 0]).sum(axis=1)
    assert ((lengths > 1.5 * box.max(axis=1)) | (strokes >= 3)).mean() > 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("name", "word"), [("nondigits", "scribble"), ("marks", "mark")])
def test_as_a_source_it_has_fixed_splits(name, word):
    test, again = load(f"{name}@test"), load(f"{name}@test")
    assert len(test.labels) == procedural.COUNTS["test"] and set(test.words) == {word}
    assert test.ink is not None and again.ink is not None
    np.testing.assert_array_equal(test.ink.ends, again.ink.ends)


def many(draw, n):
    numbers = jax.random.uniform(jax.random.key(3), (n, NUMBERS), minval=1e-6, maxval=1 - 1e-6)
    return jax.jit(jax.vmap(lambda uniform: draw(Numbers(uniform))))(numbers)


@pytest.mark.parametrize("draw", DRAWERS, ids=lambda draw: draw.__name__)
def test_a_thing_is_no_lone_circle_or_line(draw):
    """A digit's line fills its box as a circle or a bar; a thing has corners, parts or dents."""
    parts, mask = many(draw, 200)
    parts, mask = np.asarray(parts), np.asarray(mask)
    assert parts.shape[1:] == (PARTS, POINTS, 2) and mask.shape == (200, PARTS)
    assert np.isfinite(parts).all() and mask.any(axis=1).all()
    between = np.linspace(0.0, 1.0, 8, endpoint=False)[:, None]
    lines = parts[:, :, :-1, None] + (parts[:, :, 1:] - parts[:, :, :-1])[:, :, :, None] * between
    weight = np.hypot(*np.moveaxis(parts[:, :, 1:] - parts[:, :, :-1], -1, 0)) * mask[:, :, None]
    weight = np.repeat(weight, 8, axis=2).reshape(200, -1)
    lines = np.where(mask[:, :, None, None, None], lines, np.nan).reshape(200, -1, 2)
    low, high = np.nanmin(lines, axis=1, keepdims=True), np.nanmax(lines, axis=1, keepdims=True)
    unit = (lines - low) / np.maximum(high - low, 1e-6) - 0.5  # a circle becomes one of radius 1/2
    off = np.nan_to_num(np.abs(np.hypot(unit[..., 0], unit[..., 1]) - 0.5))
    assert ((off * weight).sum(axis=1) / weight.sum(axis=1) > 0.03).mean() > 0.99
    assert ((high - low).min(axis=2) > 0.02).mean() > 0.99


def test_a_grid_is_lines_across_lines():
    parts, mask = many(grid, 100)
    sizes = np.ptp(np.asarray(parts), axis=2)  # [100, parts, 2]
    straight = (sizes < 1e-5).any(axis=-1)[:, :8]
    assert straight.all(), "all but the frame are parallel to a side"
    lines = np.asarray(mask)[:, :8].sum(axis=1) + 4 * np.asarray(mask)[:, 8]
    assert lines.min() >= 4


@pytest.fixture(scope="module")
def marks():
    return jax.jit(sample_marks, static_argnums=1)(jax.random.key(0), 256)


def test_marks_are_no_digits_about_one_high_and_no_two_are_alike(marks):
    ink, labels = marks
    assert set(np.asarray(labels).tolist()) == {NOT_A_DIGIT}
    ends = np.asarray(ink.ends)[np.asarray(ink.mask)]
    assert np.isfinite(ends).all() and np.abs(ends).max() < 3
    corners = np.where(np.asarray(ink.mask)[..., None], ink.ends, np.nan).reshape(256, -1, 2)
    size = np.nanmax(corners, axis=1) - np.nanmin(corners, axis=1)
    assert (size.max(axis=1) > 0.6).all() and (size.min(axis=1) > 0.15).mean() > 0.98, "no lone bar"
    images = np.asarray(jax.jit(inks_to_images)(ink)).reshape(256, -1)
    distance = np.abs(images[:, None] - images[None]).sum(axis=2) + 1e9 * np.eye(256)
    assert distance.min() > 1


def test_no_mark_is_a_lone_bar_and_all_lie_in_a_box_of_their_own():
    for name, ways in MARKS.items():
        for path in ways:
            words = path.replace("/", " ").replace("!", "").split()
            points = np.array([[float(x) for x in word.split(",")] for word in words])
            assert np.ptp(points, axis=0).min() >= 40, (name, path)
            assert points.min() >= -40 and points.max() <= 140, (name, path)


def test_every_mark_is_as_common_whichever_way_it_is_drawn():
    table = load_marks()
    assert len(table.label) == sum(map(len, MARKS.values())) and set(table.label.tolist()) == {NOT_A_DIGIT}
    assert table.weight.sum() == pytest.approx(1)
    assert table.weight[: len(MARKS["heart"])].sum() == pytest.approx(1 / len(MARKS))


def test_every_sign_is_one_that_no_digit_looks_like():
    assert not set(SIGNS) & (AMBIGUOUS | set("0123456789"))
    table = load_signs()
    assert set(table.label.tolist()) == {NOT_A_DIGIT} and table.weight.sum() == pytest.approx(1)
    assert table.mask.any(axis=1).all()
