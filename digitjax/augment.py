"""Random changes of training examples, keyed and jit-able: how hands, pens and papers differ.

Pictures are resampled; ink that a caller brings is changed as ink and rendered to 28 x 28. The trainer's own
batches are pictures: their ink is bent, cut off and drawn in `data.batches`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from digitjax.config import AugmentConfig
from digitjax.normalize import PEN_RADIUS, fit_ink, render
from digitjax.types import AugmentFn, Segments

FIELD = 4
"""Control points, a side, of the smooth random field."""


def random_affine(key: Key[Array, ""], config: AugmentConfig) -> Float[Array, "2 3"]:
    """A random rotation, scale, shear and shift: output pixel offsets from the centre to input ones."""
    turn, size, slant, move = jax.random.split(key, 4)
    angle = jax.random.normal(turn) * jnp.deg2rad(config.rotate)
    scale = jnp.exp(jax.random.normal(size, (2,)) * config.scale)
    shear = jax.random.normal(slant) * config.shear
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    matrix = jnp.array([[cos, -sin], [sin, cos]]) @ jnp.array([[1.0, shear], [0.0, 1.0]]) * scale[None, :]
    return jnp.concatenate([matrix, jax.random.normal(move, (2, 1)) * config.shift], axis=1)


def random_field(key: Key[Array, ""], size: int, sd: float) -> Float[Array, "2 {size} {size}"]:
    """A smooth random displacement: normal at 4 x 4 control points, cubic between them; `sd` in pixels."""
    control = jax.random.normal(key, (2, FIELD, FIELD)) * sd
    # As two matrix products: `jax.image.resize` for each image is ten times slower.
    with jax.ensure_compile_time_eval():
        weights = jax.image.resize(jnp.eye(FIELD), (size, FIELD), "cubic")
    return jnp.einsum("yi,cij,xj->cyx", weights, control, weights)


def sample_bilinear(
    image: Float[Array, "height width"], x: Float[Array, "rows columns"], y: Float[Array, "rows columns"]
) -> Float[Array, "rows columns"]:
    """The image at real pixel coordinates, bilinear between pixels and 0 outside."""
    height, width = image.shape
    padded = jnp.pad(image, 1).reshape(-1)
    x = jnp.clip(x, -1.0, width) + 1.0
    y = jnp.clip(y, -1.0, height) + 1.0
    left, top = jnp.clip(jnp.floor(x), 0, width), jnp.clip(jnp.floor(y), 0, height)
    across, down = x - left, y - top
    index = top.astype(jnp.int32) * (width + 2) + left.astype(jnp.int32)
    above = padded[index] * (1 - across) + padded[index + 1] * across
    below = padded[index + width + 2] * (1 - across) + padded[index + width + 3] * across
    return above * (1 - down) + below * down


def augment_image(
    key: Key[Array, ""], image: Float[Array, "size size 1"], config: AugmentConfig
) -> Float[Array, "size size 1"]:
    """One picture, moved by a random affine map and, where configured, a smooth random field."""
    size = image.shape[0]
    affine_key, field_key, pen_key = jax.random.split(key, 3)
    affine = random_affine(affine_key, config)
    offset = jnp.arange(size) - size / 2
    x = affine[0, 0] * offset[None, :] + affine[0, 1] * offset[:, None] + affine[0, 2] + size / 2
    y = affine[1, 0] * offset[None, :] + affine[1, 1] * offset[:, None] + affine[1, 2] + size / 2
    if config.elastic:
        field = random_field(field_key, size, config.elastic)
        x, y = x + field[0], y + field[1]
    moved = sample_bilinear(image[:, :, 0], x, y)
    if config.pen:
        moved = _change_pen(moved, jax.random.normal(pen_key) * config.pen)
    return moved[:, :, None]


def _change_pen(image: Float[Array, "size size"], amount: Float[Array, ""]) -> Float[Array, "size size"]:
    """Soft dilation (amount > 0) or erosion (< 0) by a part of the plus-shaped neighbourhood."""
    padded = jnp.pad(image, 1)
    around = [padded[1:-1, 1:-1], padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    stacked = jnp.stack(around)
    goal = jnp.where(amount > 0, stacked.max(axis=0), stacked.min(axis=0))
    return image + jnp.minimum(jnp.abs(amount), 1.0) * (goal - image)


def augment_ink(key: Key[Array, ""], ink: Segments, config: AugmentConfig) -> Segments:
    """One drawing, changed by a random affine map about the middle of its box; the unit stays its own.

    Scale and shift are left to `normalize.fit_ink`, which takes them away, but for the two axes' ratio.
    """
    affine = random_affine(key, config)
    ends = jnp.asarray(ink.ends).reshape(-1, 2, 2) @ affine[:, :2].T
    return Segments(ends.reshape(-1, 4), jnp.asarray(ink.mask))


def moves_pictures(config: AugmentConfig) -> bool:
    """Whether a configuration changes pictures at all: resampling them to what they were takes time too."""
    return any((config.rotate, config.scale, config.shear, config.shift, config.elastic, config.pen))


def make_augment(config: AugmentConfig) -> AugmentFn:
    """The augmentation of a configuration: pictures stay pictures, ink is changed as ink and rendered."""

    def augment(
        key: Key[Array, ""], x: Float[Array, "batch size size 1"] | Segments
    ) -> Float[Array, "batch size size 1"]:
        if isinstance(x, Segments):
            keys = jax.random.split(key, x.mask.shape[0])

            def draw(one_key: Key[Array, ""], ink: Segments) -> Float[Array, "28 28 1"]:
                shape_key, pen_key = jax.random.split(one_key)
                radius = PEN_RADIUS * jnp.exp(jax.random.normal(pen_key) * config.pen)
                return render(fit_ink(augment_ink(shape_key, ink, config), radius), radius)[:, :, None]

            return jax.vmap(draw)(keys, x)
        if not moves_pictures(config):
            return x
        keys = jax.random.split(key, x.shape[0])
        return jax.vmap(lambda one_key, image: augment_image(one_key, image, config))(keys, x)

    return augment
