"""Changes of ink that is still ink: bent by a smooth field, sampled half as often, or left unfinished."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from digitjax.normalize import bounding_box
from digitjax.types import Segments

FREQUENCIES = 4
"""Cosines of the smooth random field along each axis."""
LEAST_THINNED = 24
"""Segments of a drawing that can be sampled half as often and is still the same to the eye."""


def smooth_field(
    normal: Float[Array, "2 rows columns"], points: Float[Array, "points 2"], sd: Float[Array, ""] | float
) -> Float[Array, "points 2"]:
    """A smooth random displacement: cosines of few frequencies, the slower the stronger.

    Args:
        normal: standard normal amplitudes, `FREQUENCIES` a side.
        points: where; the ink fills 0 to 1.
        sd: strength, in the same unit; the ink moves about 1.4 times as far.
    """
    order = np.arange(FREQUENCIES)
    fall = 1.0 / (1.0 + order[:, None] ** 2 + order[None, :] ** 2)
    fall[0, 0] = 0.0
    fall /= np.sqrt((fall**2).sum() / 4)
    amplitude = normal * fall.astype(np.float32)[None] * sd
    wave_x = jnp.cos(np.pi * order[None, :] * points[:, :1])
    wave_y = jnp.cos(np.pi * order[None, :] * points[:, 1:])
    return jnp.einsum("cij,pi,pj->pc", amplitude, wave_x, wave_y)


def bend(key: Key[Array, ""], ink: Segments, sd: float) -> Segments:
    """One drawing, bent by a smooth random field; `sd` in units of the box's longest side."""
    box = bounding_box(ink)
    size = jnp.maximum(jnp.maximum(box[2] - box[0], box[3] - box[1]), 1e-9)
    points = jnp.asarray(ink.ends).reshape(-1, 2)
    normal = jax.random.normal(key, (2, FREQUENCIES, FREQUENCIES))
    moved = points + smooth_field(normal, (points - box[None, :2]) / size, sd) * size
    return Segments(moved.reshape(-1, 4), jnp.asarray(ink.mask))


def thin(ink: Segments, first: Int[Array, ""] | int = 0) -> Segments:
    """One drawing sampled half as often: of the points between two segments every second is left out.

    The ends of a stroke stay where they are, unless the next one begins at its very end: segments do not say
    where a stroke does. A drawing of fewer than `LEAST_THINNED` segments stays as it is: whoever wrote it had
    a slow tablet already.

    Args:
        ink: the drawing.
        first: 0 or 1, the row of the first segment that may take the next one in.
    """
    ends, mask = jnp.asarray(ink.ends), jnp.asarray(ink.mask)
    row = jnp.arange(mask.shape[0])
    meet = (ends[:-1, 2:] == ends[1:, :2]).all(axis=1) & mask[:-1] & mask[1:]
    takes = jnp.append(meet, False) & (row % 2 == first) & (mask.sum() >= LEAST_THINNED)
    taken = jnp.roll(takes, 1)
    after = jnp.where(takes[:, None], jnp.roll(ends[:, 2:], -1, axis=0), ends[:, 2:])
    return Segments(jnp.concatenate([ends[:, :2], after], axis=1), mask & ~taken)


def cut_off(ink: Segments, kept: Float[Array, ""] | float) -> Segments:
    """One drawing as it was when the fraction `kept` of its ink had been written, 0 to 1.

    The segment under way is shortened; a dot stays while its turn has come.
    """
    ends, mask = jnp.asarray(ink.ends), jnp.asarray(ink.mask)
    length = jnp.where(mask, jnp.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]), 0.0)
    done = jnp.cumsum(length)
    limit = kept * done[-1]
    part = jnp.clip((limit - (done - length)) / jnp.where(length > 0, length, 1.0), 0.0, 1.0)
    end = ends[:, :2] + part[:, None] * (ends[:, 2:] - ends[:, :2])
    return Segments(jnp.concatenate([ends[:, :2], end], axis=1), mask & (done - length <= limit))
