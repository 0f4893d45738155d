"""Statistics of people's strokes: what is fitted, and what is drawn from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax.data import fit_forms, load
from digitjax.data import forms as forms_module
from digitjax.data.fit_forms import FEWEST, WRITERS, find_forms, fit, normalised, resample
from digitjax.data.forms import DIRECTIONS, POINTS, STROKES, load_forms, sample_forms
from digitjax.strokes import Drawing, write_drawings


@pytest.fixture(scope="module")
def forms():
    return load_forms()


def test_what_comes_along_is_sound_and_nobodys(forms):
    n = len(forms.digit)
    assert forms.mean.shape == (n, STROKES, POINTS, 2)
    assert forms.spread.shape == (n, DIRECTIONS, STROKES, POINTS, 2)
    assert np.isfinite(forms.mean).all() and np.isfinite(forms.spread).all()
    np.testing.assert_allclose(np.bincount(forms.digit, forms.weight, 10), 0.1, rtol=1e-5)
    assert {(int(d), int(s)) for d, s in zip(forms.digit, forms.strokes, strict=True)} >= {
        *((digit, 1) for digit in range(10)),
        *((digit, 2) for digit in (0, 4, 5, 7, 8, 9)),
    }
    unused = np.arange(STROKES)[None] >= forms.strokes[:, None]
    assert not forms.mean[unused].any()


def test_drawings_have_the_mean_and_the_spread_of_their_way(forms):
    """Against NumPy: over many drawings of one-stroke digits, the middle point's mean and covariance."""
    ink, digits = jax.jit(sample_forms, static_argnums=1)(jax.random.key(0), 20_000)
    ends, mask, digits = np.asarray(ink.ends), np.asarray(ink.mask), np.asarray(digits)
    assert np.isfinite(ends).all() and np.bincount(digits, minlength=10).min() > 1700
    for digit in (2, 6):
        mine = (digits == digit) & ~mask[:, POINTS - 1 :].any(axis=1)
        here = (forms.digit == digit) & (forms.strokes == 1)
        weight = forms.weight[here] / forms.weight[here].sum()
        first = forms.mean[here][:, 0, 0]
        mean = weight @ first
        within = np.einsum("f,fda,fdb->ab", weight, *[forms.spread[here][:, :, 0, 0]] * 2)
        between = np.einsum("f,fa,fb->ab", weight, first - mean, first - mean)
        np.testing.assert_allclose(ends[mine, 0, :2].mean(axis=0), mean, atol=0.01)
        np.testing.assert_allclose(np.cov(ends[mine, 0, :2].T), within + between, atol=0.004)


def test_strokes_are_connected_lines(forms):
    ink, _ = jax.jit(sample_forms, static_argnums=1)(jax.random.key(1), 256)
    ends, mask = np.asarray(ink.ends), np.asarray(ink.mask)
    joined = np.abs(ends[:, 1:, :2] - ends[:, :-1, 2:]).max(axis=2) < 1e-6
    inside = np.ones(ends.shape[1] - 1, bool)
    inside[POINTS - 2 :: POINTS - 1] = False
    assert joined[:, inside][(mask[:, 1:] & mask[:, :-1])[:, inside]].all()


def test_a_hand_that_draws_an_ellipse_swings_in_it(monkeypatch):
    """Speed as curvature to the -1/3 is what a point has that swings as a cosine across and a sine along."""
    monkeypatch.setattr(forms_module, "SLUGGISH", 0.0)
    fine = np.linspace(0.0, 2 * np.pi, 20_001)
    way = np.stack([np.cos(fine), 0.4 * np.sin(fine)], axis=-1)
    gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(way, axis=0).T))])
    along = np.interp(np.linspace(0.0, gone[-1], 401), gone, fine)
    points = np.stack([np.cos(along), 0.4 * np.sin(along)], axis=-1).astype(np.float32)
    times = np.linspace(0.0, 1.0, 33, dtype=np.float32)
    found = np.asarray(forms_module._at_times(jnp.asarray(points), jnp.asarray(times)))
    expected = np.stack([np.cos(2 * np.pi * times), 0.4 * np.sin(2 * np.pi * times)], axis=-1)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_straight_stroke_is_drawn_at_one_speed_and_a_corner_slowly():
    half = np.linspace(0.0, 1.0, 10, dtype=np.float32)
    straight = np.stack([half, half], axis=-1)
    found = np.asarray(forms_module._at_times(jnp.asarray(straight), jnp.asarray(half)))
    np.testing.assert_allclose(found, straight, atol=1e-5)
    corner = np.concatenate(
        [np.stack([half, 0 * half], axis=-1), np.stack([0 * half + 1, half], axis=-1)[1:]]
    )
    found = np.asarray(forms_module._at_times(jnp.asarray(corner), jnp.linspace(0.0, 1.0, 21)))
    steps = np.hypot(*np.diff(found, axis=0).T)
    assert steps[9:11].max() < 0.6 * steps[:5].min()
    np.testing.assert_allclose(found[[0, -1]], corner[[0, -1]], atol=1e-6)


def test_a_quarter_of_the_drawings_has_half_the_points_and_bends_have_more_of_them():
    ink, digits = jax.jit(sample_forms, static_argnums=1)(jax.random.key(2), 2000)
    ends, mask, digits = np.asarray(ink.ends), np.asarray(ink.mask), np.asarray(digits)
    strokes = mask.reshape(len(mask), STROKES, POINTS - 1).sum(axis=2)
    slow = strokes[:, 0] == POINTS // 2
    assert set(strokes[:, 0]) == {POINTS // 2, POINTS - 1} and 0.2 < slow.mean() < 0.3
    steps = ends[:, : POINTS - 1, 2:] - ends[:, : POINTS - 1, :2]
    length = np.hypot(steps[..., 0], steps[..., 1])
    angle = np.arctan2(steps[..., 1], steps[..., 0])
    turn = np.abs((np.diff(angle, axis=1) + np.pi) % (2 * np.pi) - np.pi)
    threes = ~slow & (digits == 3) & (mask.sum(axis=1) == POINTS - 1)  # an arc, a corner, an arc
    around = (length[threes, 1:] + length[threes, :-1]) / 2
    most = around[turn[threes] > 1.0].mean()
    assert most < 0.75 * around[turn[threes] < 0.2].mean()


def test_the_fit_finds_two_ways_and_how_each_differs():
    rng = np.random.default_rng(0)
    t = np.linspace(0.0, 1.0, POINTS)
    up, bow = np.stack([t * 0, t], 1), np.stack([np.sin(np.pi * t), t], 1)
    lean = np.stack([t - 0.5, t * 0], 1)
    ink = [shape + rng.normal() * 0.1 * lean for shape in (up, bow) for _ in range(80)]
    found = find_forms(np.stack(ink)[:, None], [str(i % 9) for i in range(160)])
    assert sorted(count for count, *_ in found) == [76, 76]  # 4 % of each, the farthest, left out
    for _, mean, spread in found:
        nearest = min((up, bow), key=lambda shape: np.abs(mean[0] - shape).max())
        assert np.abs(mean[0] - nearest).max() < 0.05
        size = np.linalg.norm(spread[0])
        assert size == pytest.approx(0.1 * np.linalg.norm(lean), rel=0.25)
        assert abs((spread[0, 0] * lean).sum()) == pytest.approx(size * np.linalg.norm(lean), rel=1e-3)
        assert np.abs(spread[1:]).max() < 1e-6


def test_too_few_drawings_or_writers_leave_nothing():
    ink = np.random.default_rng(0).normal(size=(FEWEST - 1, 1, POINTS, 2))
    assert find_forms(ink, [str(i) for i in range(len(ink))]) == []
    ink = np.random.default_rng(0).normal(size=(FEWEST + 10, 1, POINTS, 2))
    assert find_forms(ink, ["a"] * (WRITERS - 1) + ["b"] * (len(ink) - WRITERS + 1)) == []


def test_a_drawing_is_normalised_whatever_its_unit_and_sampling():
    stroke = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 10.0]])
    one = normalised(Drawing((stroke,), word="1"))
    np.testing.assert_allclose(normalised(Drawing((stroke * 7 + 100,), word="1")), one, atol=1e-12)
    finer = np.insert(stroke, 1, [[0.6, 0.8], [1.5, 2.0]], axis=0)
    np.testing.assert_allclose(normalised(Drawing((finer,), word="1")), one, atol=1e-12)
    assert np.ptp(one[0], axis=0).max() == pytest.approx(1.0)
    np.testing.assert_allclose(resample(stroke[:1], 5), np.zeros((5, 2)))


def test_only_drawings_of_the_training_split_are_fitted_to(tmp_path, monkeypatch):
    """Also those without a writer, which are dealt by their ink."""
    rng = np.random.default_rng(0)
    drawings = [Drawing((rng.normal(size=(5, 2)),), word="3") for _ in range(60)]
    path = tmp_path / "mine.ndjson"
    write_drawings(path, drawings)
    fitted: list[Drawing] = []
    monkeypatch.setattr(fit_forms, "fit", lambda some: fitted.extend(some) or {"digit": np.zeros(0)})
    assert fit_forms.main([str(path), "--out", str(tmp_path / "forms.npz")]) == 0
    wanted = load(f"strokes:{path}@train").labels
    assert len(fitted) == len(wanted) and 30 < len(wanted) < 60


def test_words_that_are_no_digits_and_many_strokes_are_left_out():
    line = np.array([[0.0, 0.0], [0.0, 9.0]])
    drawings = [Drawing((line,) * (STROKES + 1), word="4")] * 50 + [Drawing((line,), word="l")] * 50
    assert len(fit(drawings)["digit"]) == 0
