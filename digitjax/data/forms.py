"""Ways of writing the ten digits, as statistics of people's strokes: means and how hands differ from them.

`forms.npz` holds them, fitted by `fit_forms.py` to the training writers of the UCI pen digits and UNIPEN: for
each way the mean of its drawings and the principal directions of their differences. A drawing is the mean
plus a normal part of each direction (Cootes et al., Active Shape Models, 1995), so it is nobody's. Its
points are where a tablet would find a pen that moves as a hand does.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from digitjax.types import Segments

FORMS = Path(__file__).with_name("forms.npz")
"""Where the statistics are."""
STROKES = 3
"""Strokes of a digit at most."""
POINTS = 20
"""Points of a stroke: at equal distances in the statistics, at equal times in a drawing."""
DIRECTIONS = 10
"""Principal directions of each way."""
SLOW = 0.25
"""Fraction of the drawings that come from a tablet which says half as often where the pen is."""
SLUGGISH = 1.0
"""What is added to a line's curvature before its speed is taken, so that a straight one has one."""
STEPPED = 0.15
"""Fraction of the drawings that come from a tablet of few units a digit, 16 to 48."""


class Forms(NamedTuple):
    """Ways of writing.

    Attributes:
        digit: 0 to 9.
        strokes: how many strokes are used.
        weight: probability; every digit is as common, its ways as they were among people.
        mean: points in units of the box's longest side, about its middle.
        spread: principal directions times their standard deviations.
    """

    digit: Int[np.ndarray, " forms"]
    strokes: Int[np.ndarray, " forms"]
    weight: Float[np.ndarray, " forms"]
    mean: Float[np.ndarray, "forms strokes points 2"]
    spread: Float[np.ndarray, "forms directions strokes points 2"]


@functools.cache
def load_forms() -> Forms:
    """The statistics that come with digitjax."""
    with np.load(FORMS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    digit, count = arrays["digit"].astype(np.int32), arrays["count"].astype(np.float32)
    weight = count / np.bincount(digit, count, 10)[digit] / 10
    real = {name: arrays[name].astype(np.float32) for name in ("mean", "spread")}
    return Forms(digit, arrays["strokes"].astype(np.int32), weight.astype(np.float32), **real)


def sample_forms(
    key: Key[Array, ""], n: int, forms: Forms | None = None
) -> tuple[Segments, Int[Array, " n"]]:
    """Draws `n` digits as people's statistics have them.

    Args:
        key: the same key, the same drawings.
        n: how many. Static.
        forms: the ways of writing; by default those that come with digitjax.

    Returns:
        Ink in units of a digit's longest side, and the digits.
    """
    forms = forms or load_forms()
    form_key, draw_key = jax.random.split(key)
    chosen = jax.random.choice(form_key, len(forms.digit), (n,), p=jnp.asarray(forms.weight))
    arrays = jax.tree.map(jnp.asarray, forms)
    ink = jax.vmap(lambda one_key, form: _draw(one_key, jax.tree.map(lambda leaf: leaf[form], arrays)))(
        jax.random.split(draw_key, n), chosen
    )
    return ink, arrays.digit[chosen]


def _draw(key: Key[Array, ""], form: Forms) -> Segments:
    part_key, slow_key, step_key, grid_key = jax.random.split(key, 4)
    part = jax.random.normal(part_key, (DIRECTIONS,))
    points = jnp.asarray(form.mean) + jnp.einsum("d,dspc->spc", part, form.spread)
    times = jnp.linspace(0.0, 1.0, POINTS) * jnp.where(jax.random.bernoulli(slow_key, SLOW), 2.0, 1.0)
    points = jax.vmap(_at_times, (0, None))(points, jnp.minimum(times, 1.0))
    units = jax.random.uniform(grid_key, minval=16.0, maxval=48.0)
    stepped = jax.random.bernoulli(step_key, STEPPED)
    points = jnp.where(stepped, jnp.round(points * units) / units, points)
    ends = jnp.concatenate([points[:, :-1], points[:, 1:]], axis=-1)
    used = (jnp.arange(STROKES) < form.strokes)[:, None] & (times[:-1] < 1.0)[None]
    return Segments(ends.reshape(-1, 4), used.reshape(-1))


def _at_times(points: Float[Array, "points 2"], times: Float[Array, " times"]) -> Float[Array, "times 2"]:
    """Where a pen is at `times`, 0 to 1, that draws a stroke as a hand does, slower where it bends more.

    Speed is curvature to the power -1/3 (Lacquaniti, Terzuolo and Viviani, The law relating the kinematic and
    figural aspects of drawing movements, Acta Psychologica 54, 1983).
    """
    lines = jnp.diff(points, axis=0)
    length = jnp.maximum(jnp.hypot(lines[:, 0], lines[:, 1]), 1e-6)
    angle = jnp.arctan2(lines[:, 1], lines[:, 0])
    turn = jnp.abs((jnp.diff(angle) + jnp.pi) % (2 * jnp.pi) - jnp.pi)
    turn = jnp.concatenate([turn[:1], turn, turn[-1:]])
    curvature = (turn[:-1] + turn[1:]) / (2 * length)
    took = length * jnp.cbrt(curvature + SLUGGISH)
    began = jnp.cumsum(took) - took
    drawn = jnp.clip((times[:, None] * took.sum() - began[None]) / took[None], 0.0, 1.0)
    return points[:1] + drawn @ lines
