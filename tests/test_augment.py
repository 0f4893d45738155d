"""Augmentation against SciPy; nothing configured changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from digitjax.augment import (
    augment_image,
    augment_ink,
    make_augment,
    random_affine,
    random_field,
    sample_bilinear,
)
from digitjax.config import AugmentConfig
from digitjax.normalize import centre_of_mass, inks_to_images
from digitjax.types import Segments

STILL = AugmentConfig(rotate=0.0, scale=0.0, shear=0.0, shift=0.0, elastic=0.0, pen=0.0)
INK = Segments(
    np.array([[[0, 0, 8, 3], [8, 3, 2, 20]], [[5, 0, 5, 30], [0, 15, 12, 15]]], np.float32),
    np.ones((2, 2), bool),
)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    noise = np.random.default_rng(0).random((28, 28))
    return ndimage.gaussian_filter(noise, 1).astype(np.float32)


def test_affine_warp_is_that_of_scipy(image):
    config = AugmentConfig(rotate=20.0, scale=0.2, shear=0.3, shift=2.0)
    warp = jax.jit(lambda key: augment_image(key, jnp.asarray(image)[..., None], config))
    for seed in range(4):
        key = jax.random.key(seed)
        affine = np.asarray(random_affine(jax.random.split(jax.random.clone(key), 3)[0], config), np.float64)
        # Ours maps (x, y) about pixel 14; SciPy's maps (row, column) about 0.
        matrix = affine[::-1, 1::-1]
        offset = affine[::-1, 2] + 14 - matrix @ [14, 14]
        padded = np.pad(image, 20)  # SciPy fades out at the border in a way of its own
        expected = ndimage.affine_transform(
            padded,
            matrix,
            offset + 20 - matrix @ [20, 20],  # type: ignore[arg-type]  # SciPy's stubs know one number alone
            order=1,
            mode="constant",
        )[20:-20, 20:-20]
        np.testing.assert_allclose(warp(key)[..., 0], expected, atol=2e-4)


def test_sampling_anywhere_is_that_of_scipy(image):
    x, y = np.random.default_rng(1).uniform(-4, 32, (2, 40, 30)).astype(np.float32)
    expected = ndimage.map_coordinates(np.pad(image, 10), [y + 10, x + 10], order=1)
    np.testing.assert_allclose(
        jax.jit(sample_bilinear)(jnp.asarray(image), jnp.asarray(x), jnp.asarray(y)), expected, atol=1e-5
    )


def test_nothing_configured_changes_nothing(image):
    augment = jax.jit(make_augment(STILL))
    pictures = jnp.asarray(np.stack([image, image.T]))[..., None]
    np.testing.assert_allclose(augment(jax.random.key(0), pictures), pictures, atol=1e-6)
    rendered = augment(jax.random.key(1), INK)
    np.testing.assert_allclose(rendered, inks_to_images(INK, "mnist28"), atol=1e-4)


@pytest.mark.parametrize(
    "config", [pytest.param(AugmentConfig(), marks=pytest.mark.ci), AugmentConfig(elastic=1.0, pen=0.3)]
)
def test_examples_and_keys_differ_and_the_same_key_repeats(image, config):
    augment = jax.jit(make_augment(config))
    pictures = jnp.asarray(np.stack([image] * 3))[..., None]
    once, again, other = (augment(jax.random.key(seed), pictures) for seed in (0, 0, 1))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).mean() > 0.01
    assert np.abs(once[0] - once[1]).mean() > 0.01
    assert np.asarray(once).min() >= 0 and np.asarray(once).max() <= 1


def test_augmented_ink_is_rendered_and_fitted():
    augment = jax.jit(make_augment(AugmentConfig(pen=0.3)))
    many = Segments(np.repeat(INK.ends, 16, axis=0), np.repeat(INK.mask, 16, axis=0))
    images = augment(jax.random.key(0), many)
    assert images.shape == (32, 28, 28, 1)
    centres = np.asarray(jax.vmap(centre_of_mass)(images[..., 0]))
    np.testing.assert_allclose(centres, 14, atol=0.1)
    widths = np.asarray(images[16:, 5, :, 0]).sum(axis=1)  # across the cross's upright stroke
    assert widths.std() > 0.2


def test_ink_is_moved_by_the_affine_map():
    config = AugmentConfig(rotate=20.0, scale=0.2, shear=0.3)
    one = Segments(INK.ends[0], INK.mask[0])
    moved = augment_ink(jax.random.key(3), one, config)
    affine = np.asarray(random_affine(jax.random.key(3), config))
    np.testing.assert_allclose(moved.ends[1, 2:], affine[:, :2] @ one.ends[1, 2:], rtol=1e-4)
    np.testing.assert_array_equal(moved.ends[0, 2:], moved.ends[1, :2])


def test_random_strengths_are_the_configured_standard_deviations():
    config = AugmentConfig(rotate=10.0, scale=0.0, shear=0.0, shift=1.5)
    affines = jax.jit(jax.vmap(lambda key: random_affine(key, config)))(
        jax.random.split(jax.random.key(0), 4000)
    )
    angles = np.rad2deg(np.arctan2(affines[:, 1, 0], affines[:, 0, 0]))
    assert angles.std() == pytest.approx(10, rel=0.05)
    assert np.asarray(affines[:, :, 2]).std() == pytest.approx(1.5, rel=0.05)
    fields = jax.jit(jax.vmap(lambda key: random_field(key, 28, 2.0)))(
        jax.random.split(jax.random.key(1), 200)
    )
    assert fields.shape == (200, 2, 28, 28)
    assert 1.0 < np.asarray(fields).std() < 2.5
    assert np.diff(np.asarray(fields), axis=-1).std() < 0.35 * np.asarray(fields).std()
