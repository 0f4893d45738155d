"""The types that every room shares: NamedTuples of arrays, and of pure functions.

Positional arguments are traced data; keyword-only arguments are static functions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

Params = Any
"""A pytree of float32 arrays."""


class Segments(NamedTuple):
    """Ink as straight pieces between two points, padded to a fixed number.

    Attributes:
        ends: x0, y0, x1, y1 of each piece; y points down. The unit is the source's own until
            `normalize.fit_ink` has moved the ink to the network's pixels. A dot has equal ends.
        mask: False where the row is padding.
    """

    ends: Float[Array | np.ndarray, "*batch segments 4"]
    mask: Bool[Array | np.ndarray, "*batch segments"]


class Batch(NamedTuple):
    """What one step learns from.

    Attributes:
        x: images in the model's geometry, 0 (paper) to 1 (ink), or ink still as segments.
        target: probabilities of the ten digits, label smoothing included; rows sum to 1.
        is_digit: 1 for a digit, 0 for anything else.
        weight: 1 for an example that counts, 0 for padding.
    """

    x: Float[Array, "batch height width 1"] | Segments
    target: Float[Array, "batch 10"]
    is_digit: Float[Array, " batch"]
    weight: Float[Array, " batch"]


class Logits(NamedTuple):
    """What a network answers.

    Attributes:
        digits: unnormalised log-odds of the ten digits, given that it is a digit.
        is_digit: log-odds of being a digit at all; None for a network without that head.
    """

    digits: Float[Array, "batch 10"]
    is_digit: Float[Array, " batch"] | None = None


class Metrics(NamedTuple):
    """What a step measured of its batch before it changed the params; still on the device.

    Attributes:
        loss: mean over the batch, weighted by `Batch.weight`.
        accuracy: fraction of its digits alone whose likeliest answer is the target's, 0 where there is none.
        weight: sum of `Batch.weight`.
        grad_norm: of all gradients together, before the optimizer.
    """

    loss: Float[Array, ""]
    accuracy: Float[Array, ""]
    weight: Float[Array, ""]
    grad_norm: Float[Array, ""]


class TrainState(NamedTuple):
    """All that training changes, and the key from which every step derives its own."""

    params: Params
    opt_state: Any
    step: Int[Array, ""]
    key: Key[Array, ""]


@runtime_checkable
class ApplyFn(Protocol):
    def __call__(
        self,
        params: Params,
        images: Float[Array, "batch height width 1"],
        key: Key[Array, ""] | None = None,
        /,
    ) -> Logits: ...


class Model(NamedTuple):
    """A network as two pure functions and the name of the geometry it reads.

    Attributes:
        init: a key to fresh params, in arrays of their own: a step that donates its state overwrites them.
        apply: params and images to logits. A key switches dropout on; None means inference.
        geometry: "mnist28" or "uci8" (`digitjax.normalize`).
    """

    init: Callable[[Key[Array, ""]], Params]
    apply: ApplyFn
    geometry: str


@runtime_checkable
class LossFn(Protocol):
    def __call__(self, logits: Logits, batch: Batch, /) -> Float[Array, " batch"]: ...


@runtime_checkable
class AugmentFn(Protocol):
    def __call__(
        self, key: Key[Array, ""], x: Float[Array, "batch height width 1"] | Segments, /
    ) -> Float[Array, "batch height width 1"]: ...


@runtime_checkable
class TeacherFn(Protocol):
    def __call__(
        self, images: Float[Array, "batch height width 1"], target: Float[Array, "batch 10"], /
    ) -> Float[Array, "batch 10"]: ...
