"""The one path from ink to what the network sees; `pixels.py` is its twin for pictures.

    strokes -> box -> 20 px -> centred by mass -> 28 x 28

Every stage is a pure function of arrays of fixed shape (jit, vmap), and a drawing program may show or
leave out each of them. Pixel coordinates: the centre of pixel i is at i. The recipe is MNIST's own, as
QMNIST's authors reproduced it (Yadav and Bottou, 2019, https://arxiv.org/abs/1905.10498).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from digitjax.errors import InputError
from digitjax.types import Segments

PEN_RADIUS = 1.3
"""Radius of the pen in pixels of the 28 x 28 image: the median stroke of MNIST is about 2.6 px wide."""
BOX = 20.0
"""Longest side of the inked area in pixels."""
CENTRE = 14.0
"""Pixel index on which MNIST's centre of mass lies (mean 13.993, 14.008 over the test images)."""
FAR = 1e6
"""Where padding is put, in pixels, so that it leaves no ink."""
SEGMENTS_AT_ONCE = 8
"""Segments that the renderer takes in one step of its loop."""
UCI_PEN_RADIUS = 2.44
"""Radius of the pen in pixels of the 32 x 32 bitmap: pen strokes get the UCI digits' mean ink, 0.305."""


class GeometryShape(NamedTuple):
    """Height and width of a geometry's images."""

    height: int
    width: int


GEOMETRIES = {"mnist28": GeometryShape(28, 28), "uci8": GeometryShape(8, 8)}
"""Input geometries by name."""


def geometry_shape(geometry: str) -> GeometryShape:
    """Height and width of the images of `geometry`.

    Raises:
        InputError: no geometry has that name.
    """
    if geometry not in GEOMETRIES:
        raise InputError(f"geometry {geometry!r} is unknown: use one of {', '.join(GEOMETRIES)}")
    return GEOMETRIES[geometry]


def bounding_box(segments: Segments) -> Float[Array, "4"]:
    """Left, top, right, bottom of the centre line in the ink's own unit; zeros without ink."""
    ends, mask = jnp.asarray(segments.ends), jnp.asarray(segments.mask)[:, None]
    corners = ends.reshape(-1, 2, 2)
    low = jnp.where(mask, corners.min(axis=1), jnp.inf).min(axis=0)
    high = jnp.where(mask, corners.max(axis=1), -jnp.inf).max(axis=0)
    box = jnp.concatenate([low, high])
    return jnp.where(mask.any(), box, 0.0)


def fit_to_box(segments: Segments, pen_radius: Float[Array, ""] | float = PEN_RADIUS) -> Segments:
    """Scales the ink so that its longest side, pen included, is 20 px, and puts the box's centre at 14.

    Ink without extent (a dot, or none) becomes a dot at the centre.
    """
    box = bounding_box(segments)
    extent = jnp.maximum(box[2] - box[0], box[3] - box[1])
    scale = jnp.where(extent > 0, (BOX - 2 * pen_radius) / jnp.where(extent > 0, extent, 1.0), 0.0)
    middle = (box[:2] + box[2:]) / 2
    ends = (jnp.asarray(segments.ends) - jnp.tile(middle, 2)[None]) * scale + CENTRE
    return Segments(ends, jnp.asarray(segments.mask))


def render(
    segments: Segments,
    pen_radius: Float[Array, ""] | float = PEN_RADIUS,
    size: int = 28,
    *,
    sparing: bool = False,
) -> Float[Array, "{size} {size}"]:
    """Draws the ink with a round pen: a pixel's value is how far the pen covers it, 0 to 1.

    The coverage is that of a straight edge through the pixel, `radius + 1/2 - distance`, clipped; the
    distance is to the nearest segment, so the order of strokes and overlaps make no difference.

    Args:
        segments: the ink, in pixels.
        pen_radius: in pixels.
        size: of the image. Static.
        sparing: end with the last segment of ink, which saves time where one drawing is rendered and costs
            some where many are at once. The same bits, but nothing to differentiate backwards. Static.
    """
    x0, y0, x1, y1 = jnp.moveaxis(jnp.asarray(segments.ends), -1, 0)
    dx, dy = x1 - x0, y1 - y0
    squared = dx * dx + dy * dy
    inverse = jnp.where(squared > 0, 1.0 / jnp.where(squared > 0, squared, 1.0), 0.0)
    x0 = jnp.where(jnp.asarray(segments.mask), x0, FAR)
    rows = jnp.stack([x0, y0, dx, dy, inverse], axis=-1)
    missing = -rows.shape[0] % SEGMENTS_AT_ONCE
    rows = jnp.concatenate([rows, jnp.full((missing, 5), jnp.array([FAR, 0.0, 0.0, 0.0, 0.0]))])
    grid = jnp.arange(size, dtype=jnp.float32)
    pixel_x, pixel_y = jnp.tile(grid, size), jnp.repeat(grid, size)

    def nearest_of(nearest, group):
        for row in group:
            from_x, from_y = pixel_x - row[0], pixel_y - row[1]
            along = jnp.clip((from_x * row[2] + from_y * row[3]) * row[4], 0.0, 1.0)
            off_x, off_y = from_x - along * row[2], from_y - along * row[3]
            nearest = jnp.minimum(nearest, off_x * off_x + off_y * off_y)
        return nearest, None

    # One reduction over all segments would be 40 times slower on the CPU: XLA does not vectorise it.
    groups = rows.reshape(-1, SEGMENTS_AT_ONCE, 5)
    far = jnp.full(size * size, FAR)
    if sparing:
        mask = jnp.asarray(segments.mask)
        used = jnp.where(mask, jnp.arange(len(mask)) // SEGMENTS_AT_ONCE + 1, 0).max(initial=0)
        nearest = jax.lax.fori_loop(0, used, lambda at, nearest: nearest_of(nearest, groups[at])[0], far)
    else:
        nearest, _ = jax.lax.scan(nearest_of, far, groups)
    # Never 0, where the root has no slope: so near to the line the pen covers the whole pixel anyway.
    nearest = jnp.sqrt(jnp.maximum(nearest, 1e-12)).reshape(size, size)
    return jnp.clip(pen_radius + 0.5 - nearest, 0.0, 1.0)


def centre_of_mass(image: Float[Array, "height width"]) -> Float[Array, "2"]:
    """x and y of the mean ink in pixel indices; the centre (14 of 28) for an empty image."""
    height, width = image.shape
    mass = image.sum()
    x = (image.sum(axis=0) * jnp.arange(width)).sum()
    y = (image.sum(axis=1) * jnp.arange(height)).sum()
    middle = jnp.array([width / 2, height / 2], dtype=image.dtype)
    return jnp.where(mass > 0, jnp.stack([x, y]) / jnp.where(mass > 0, mass, 1.0), middle)


def centre_by_mass(
    segments: Segments, pen_radius: Float[Array, ""] | float = PEN_RADIUS, *, sparing: bool = False
) -> Segments:
    """Moves ink in pixels, by a real number, so that the rendered mass lies on pixel index 14.0.

    Args:
        segments: the ink, in pixels.
        pen_radius: in pixels.
        sparing: as in `render`.
    """
    shift = CENTRE - centre_of_mass(render(segments, pen_radius, sparing=sparing))
    return Segments(jnp.asarray(segments.ends) + jnp.tile(shift, 2)[None], jnp.asarray(segments.mask))


def fit_ink(
    segments: Segments, pen_radius: Float[Array, ""] | float = PEN_RADIUS, *, sparing: bool = False
) -> Segments:
    """Ink in any unit to ink in pixels of the 28 x 28 image: box, 20 px, centred by mass.

    Args:
        segments: the ink.
        pen_radius: in pixels.
        sparing: as in `render`.
    """
    return centre_by_mass(fit_to_box(segments, pen_radius), pen_radius, sparing=sparing)


def count_blocks(bitmap: Float[Array, "32 32"]) -> Float[Array, "8 8"]:
    """Pixels that are on in each 4 x 4 block of a bitmap, divided by 16 (Alpaydin and Kaynak, 1998)."""
    on = (bitmap >= 0.5).astype(jnp.float32)
    return on.reshape(8, 4, 8, 4).sum(axis=(1, 3)) / 16.0


def _fit_to_uci(segments: Segments) -> Segments:
    """Fits ink to 32 x 32 by height, or by width where it is wider, and centres the box."""
    box = bounding_box(segments)
    extent = jnp.maximum(box[2] - box[0], box[3] - box[1])
    scale = jnp.where(extent > 0, (32.0 - 2 * UCI_PEN_RADIUS) / jnp.where(extent > 0, extent, 1.0), 0.0)
    middle = (box[:2] + box[2:]) / 2
    ends = (jnp.asarray(segments.ends) - jnp.tile(middle, 2)[None]) * scale + 15.5
    return Segments(ends, jnp.asarray(segments.mask))


def ink_to_image(segments: Segments, geometry: str = "mnist28") -> Float[Array, "height width 1"]:
    """One drawing, in any unit, to what a network of `geometry` sees.

    Args:
        segments: without a batch axis; `vmap` it, or use `inks_to_images`. The unit is any, but the
            origin should be near the ink (`segments.pack` sees to it), for float32's sake.
        geometry: "mnist28" or "uci8". Static.

    Returns:
        0 (paper) to 1 (ink). No ink gives an empty image; ink without extent gives a dot.

    Raises:
        InputError: no geometry has that name.
        ValueError: there is a batch axis.
    """
    geometry_shape(geometry)
    if jnp.ndim(segments.mask) != 1:
        raise ValueError(
            f"the mask has shape {list(jnp.shape(segments.mask))}, one drawing's is [segments]: take "
            f"inks_to_images for a batch, or vmap"
        )
    if geometry == "uci8":
        return count_blocks(render(_fit_to_uci(segments), UCI_PEN_RADIUS, 32))[:, :, None]
    return render(fit_ink(segments))[:, :, None]


def inks_to_images(segments: Segments, geometry: str = "mnist28") -> Float[Array, "batch height width 1"]:
    """`ink_to_image` for a batch.

    Raises:
        ValueError: there is no batch axis.
    """
    if jnp.ndim(segments.mask) != 2:
        raise ValueError(
            f"the mask has shape {list(jnp.shape(segments.mask))}, a batch's is [batch, segments]: take "
            f"ink_to_image for one drawing"
        )
    return jax.vmap(lambda one: ink_to_image(one, geometry))(
        Segments(jnp.asarray(segments.ends), jnp.asarray(segments.mask))
    )
