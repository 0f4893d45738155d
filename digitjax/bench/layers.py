"""`bench layers`: each convolution of a network, both ways, against matrix products of the same size.

The forms of `digitjax.convolution` and the products take turns, so that a slow moment falls on all of them;
XLA is told what the trainer tells it.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from digitjax.config import Convolution, TrainConfig, convolutions
from digitjax.convolution import as_product, convolve
from digitjax.normalize import geometry_shape
from digitjax.prepare import compiler_options

FORMS: dict[str, Callable[..., Array]] = {
    "used": convolve,
    "stock": lax.conv_general_dilated,
    "patches x weights": as_product,
}
"""Ways to convolve; the first one is what networks use."""


def describe(layer: Convolution) -> str:
    """A convolution in words."""
    size = (
        f"{layer.side} x {layer.side} x {layer.channels} to {layer.features}, {layer.window} x {layer.window}"
    )
    return size + (f", every {layer.stride}nd" if layer.stride > 1 else "")


class Cost(NamedTuple):
    """What one layer takes.

    Attributes:
        layer: as text.
        milliseconds: median of each of `FORMS`, and of the `products`.
        gflops: floating-point operations of one run, in 10^9.
    """

    layer: str
    milliseconds: dict[str, float]
    gflops: float


def layers_of(config: TrainConfig) -> list[Convolution]:
    """The convolutions of a configuration's network."""
    return convolutions(config.model, geometry_shape(config.model.geometry).height)


def measure(layer: Convolution, batch: int, rounds: int) -> Cost:
    """Times a layer's answer and both its gradients, and three matrix products of the same size."""
    keys = jax.random.split(jax.random.key(0), 3)
    images = jax.random.normal(keys[0], (batch, layer.side, layer.side, layer.channels))
    kernel = jax.random.normal(keys[1], (layer.window, layer.window, layer.channels, layer.features))
    goal = jax.random.normal(keys[2], (batch, layer.out, layer.out, layer.features))
    rows, width = batch * layer.out**2, layer.window**2 * layer.channels
    left, weights, wanted = jnp.ones((rows, width)), kernel.reshape(width, -1), goal.reshape(rows, -1)
    calls: dict[str, Callable[[], Any]] = {
        name: _bound(_both_ways(form, layer), images, kernel, goal) for name, form in FORMS.items()
    }
    calls["products"] = _bound(_products, left, weights, wanted)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):  # the first one compiles
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            if number:
                taken[name].append((time.perf_counter() - start) * 1e3)
    milliseconds = {name: statistics.median(each) for name, each in taken.items()}
    return Cost(describe(layer), milliseconds, 6 * rows * width * layer.features / 1e9)


def _bound(function: Callable[..., Any], *given: Array) -> Callable[[], Any]:
    compiled = jax.jit(function, compiler_options=compiler_options())
    return lambda: compiled(*given)


def _both_ways(form: Callable[..., Array], layer: Convolution) -> Callable[..., Any]:
    def run(images: Array, kernel: Array, goal: Array) -> Any:
        numbers = lax.conv_dimension_numbers(images.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))
        strides, padding = (layer.stride, layer.stride), "SAME" if layer.padded else "VALID"
        answer, back = jax.vjp(
            lambda x, w: form(x, w, strides, padding, dimension_numbers=numbers), images, kernel
        )
        return answer, back(goal)

    return run


def _products(left: Array, weights: Array, wanted: Array) -> Any:
    return left @ weights, left.T @ wanted, wanted @ weights.T
