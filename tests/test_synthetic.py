"""Procedural handwriting: what the skeletons say, and what a drawing made from them must be."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax.data.skeletons import CORNER, LAST, PATHS, SMOOTH, load_skeletons
from digitjax.data.synthetic import PER_PIECE, Hand, sample, sample_paths, sample_pens
from digitjax.ink import FREQUENCIES, smooth_field
from digitjax.normalize import inks_to_images
from digitjax.segments import MAX_SEGMENTS

N = 512
STEADY = Hand(
    miss=0.0,
    field=0.0,
    bar=0.0,
    stretch=0.0,
    shear=0.0,
    slant=0.0,
    turn=0.0,
    rounding=0.0,
    early=0.0,
    tremor=0.0,
)
traces = []


@functools.partial(jax.jit, static_argnums=0)
def draw(hand, key):
    traces.append(hand)
    return sample(key, N) if hand is None else sample_paths(key, N, load_skeletons(), hand)


@pytest.fixture(scope="module")
def drawn():
    ink, labels = draw(None, jax.random.key(0))
    return np.asarray(ink.ends), np.asarray(ink.mask), np.asarray(labels)


def test_every_path_is_well_formed_and_stays_in_its_box():
    skeletons = load_skeletons()
    assert sorted(PATHS) == list(range(10))
    assert len(skeletons.label) == sum(len(paths) for paths in PATHS.values())
    row = 0
    for digit, paths in PATHS.items():
        for weight, text in paths:
            assert weight > 0
            strokes = [stroke.split() for stroke in text.split("/")]
            assert all(len(stroke) >= 2 for stroke in strokes)
            points = np.array(
                [[float(v) for v in word.rstrip("!").split(",")] for s in strokes for word in s]
            )
            assert points.min() >= 0 and points.max() <= 100, (digit, text)
            assert np.ptp(points[:, 1]) >= 50, (digit, text)
            assert skeletons.label[row] == digit
            assert skeletons.mask[row].sum() == sum(len(s) - 1 for s in strokes)
            corners = sum(word.endswith("!") for s in strokes for word in s[1:-1])
            assert (skeletons.kinds[row][skeletons.mask[row]] == CORNER).sum() == 2 * corners
            assert (skeletons.kinds[row][skeletons.mask[row]] == LAST).sum() == 2 * len(strokes)
            row += 1
    assert set(np.unique(skeletons.kinds)) <= {LAST, CORNER, SMOOTH}


def test_digits_are_equally_likely():
    weight, label = load_skeletons().weight, load_skeletons().label
    np.testing.assert_allclose(np.bincount(label, weight), 0.1, rtol=1e-5)
    labels = np.concatenate([np.asarray(draw(None, jax.random.key(seed))[1]) for seed in range(10, 20)])
    assert np.bincount(labels, minlength=10).min() > 400
    assert np.bincount(labels, minlength=10).max() < 600


def test_the_same_key_draws_the_same_and_another_key_others(drawn):
    again, labels = draw(None, jax.random.key(0))
    np.testing.assert_array_equal(again.ends, drawn[0])
    np.testing.assert_array_equal(labels, drawn[2])
    other, _ = draw(None, jax.random.key(1))
    assert np.abs(np.asarray(other.ends) - drawn[0]).max() > 0.1


def test_drawings_are_finite_fit_the_fixed_shape_and_are_about_one_high(drawn):
    ends, mask, labels = drawn
    assert np.isfinite(ends).all()
    assert ends.shape == (*mask.shape, 4) and mask.shape[1] <= MAX_SEGMENTS
    assert ((labels >= 0) & (labels <= 9)).all()
    y = np.where(mask[..., None], ends[..., 1::2], np.nan)
    heights = np.nanmax(y, axis=(1, 2)) - np.nanmin(y, axis=(1, 2))
    assert 0.7 < np.median(heights) < 1.3 and heights.min() > 0.2


@pytest.mark.ci
def test_pieces_of_a_stroke_are_connected_and_strokes_are_not_joined():
    ink, labels = draw(STEADY, jax.random.key(2))
    ends, mask = np.asarray(ink.ends), np.asarray(ink.mask)
    most_strokes = {digit: max(text.count("/") + 1 for _, text in paths) for digit, paths in PATHS.items()}
    for one, seen, label in zip(ends, mask, np.asarray(labels), strict=True):
        used = one[seen]
        assert len(used) % PER_PIECE == 0
        gaps = np.hypot(*(used[1:, :2] - used[:-1, 2:]).T)
        assert (gaps > 1e-5).sum() <= most_strokes[int(label)] - 1


def test_a_steady_hand_draws_the_skeleton_itself():
    ink, labels = draw(STEADY, jax.random.key(3))
    skeletons = load_skeletons()
    for one, seen, label in zip(*map(np.asarray, ink), np.asarray(labels), strict=True):
        through = one[seen].reshape(-1, 2)
        distances = []
        for points in skeletons.points[skeletons.label == label]:
            points = points[points.any(axis=1)]
            distances.append(
                np.hypot(*(points[:, None] - through[None]).transpose(2, 0, 1)).min(axis=1).max()
            )
        assert min(distances) < 1e-4


def test_each_deformation_does_something():
    names = ["miss", "bar", "stretch", "shear", "slant", "turn", "rounding", "early", "tremor"]

    @jax.jit
    def ends(strengths):
        hand = object.__new__(Hand)  # its own constructor takes no traced numbers
        hand.__dict__.update(zip(names, strengths, strict=True), field=0.0)
        return sample_paths(jax.random.key(4), 32, load_skeletons(), hand)[0].ends

    plain, strong = np.zeros(len(names), np.float32), 0.2 * np.eye(len(names), dtype=np.float32)
    for name, strengths in zip(names, strong, strict=True):
        assert np.abs(np.asarray(ends(strengths)) - np.asarray(ends(plain))).max() > 1e-3, name


def test_the_field_is_smooth_and_as_strong_as_said():
    points = jnp.asarray(np.random.default_rng(0).random((50, 2)) * [0.72, 1.0], jnp.float32)
    waves = jax.random.normal(jax.random.key(0), (300, 2, FREQUENCIES, FREQUENCIES))
    moves = np.asarray(jax.vmap(lambda wave: smooth_field(wave, points, 0.1))(waves))
    assert 0.1 < moves.std() < 0.15
    beside = np.asarray(jax.vmap(lambda wave: smooth_field(wave, points + 0.01, 0.1))(waves))
    assert np.abs(beside - moves).std() < 0.01


def test_rendered_drawings_are_fitted_and_no_two_alike(drawn):
    ink, _ = draw(None, jax.random.key(0))
    images = np.asarray(jax.jit(inks_to_images)(jax.tree.map(lambda leaf: leaf[:64], ink)))[..., 0]
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        np.testing.assert_allclose(images.sum(axis=axis) @ np.arange(28) / mass, 14, atol=0.1)
    assert len(np.unique(images.reshape(64, -1), axis=0)) == 64
    assert 0.04 < images.mean() < 0.25


def test_pens_lie_between_their_limits():
    pens = np.asarray(sample_pens(jax.random.key(0), 2000))
    hand = Hand()
    assert hand.pen_low <= pens.min() < 1.05 * hand.pen_low
    assert 0.95 * hand.pen_high < pens.max() <= hand.pen_high * 1.0001
    assert np.log(pens).mean() == pytest.approx(np.log(hand.pen_low * hand.pen_high) / 2, abs=0.03)


def test_fixed_numbers_are_traced_once():
    for seed in range(3):
        draw(None, jax.random.key(seed))
    assert traces.count(None) == 1
