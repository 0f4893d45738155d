"""The networks, as Flax modules behind `Model(init, apply)`: the only room that imports flax.

No hidden state: no batch statistics, no mode flags. A key switches dropout on.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from digitjax.config import Convolution, ModelConfig, convolutions
from digitjax.convolution import convolve
from digitjax.normalize import geometry_shape
from digitjax.types import Logits, Model, Params

HEADS = ("digits", "is_digit")
"""Layers that answer."""


def max_pool(x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns channels"]:
    """The largest of each 2 x 2 block, an odd last row or column left out.

    Four strided slices: the gradient of `lax.reduce_window` takes 14 times as long on the CPU.
    """
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    blocks = [x[:, y:height:2, z:width:2] for y in (0, 1) for z in (0, 1)]
    return jnp.maximum(jnp.maximum(blocks[0], blocks[1]), jnp.maximum(blocks[2], blocks[3]))


ACTIVATIONS = {"relu": nn.relu, "sigmoid": nn.sigmoid, "tanh": nn.tanh}
"""What can follow a dense layer, by the name in the configuration."""


class Network(nn.Module):
    """Convolutions, some with a pooling after them; dense layers; the heads.

    Without convolutions it is a perceptron of dense layers.
    """

    convolutions: Sequence[Convolution]
    norm: str
    average: bool
    hidden: Sequence[int]
    activation: str
    dropout: float
    rejects: bool
    convolution: Callable[..., Any] = convolve

    @nn.compact
    def __call__(self, images: Float[Array, "batch height width 1"], train: bool) -> Logits:
        x = images
        for number, layer in enumerate(self.convolutions):
            conv = nn.Conv(
                layer.features,
                (layer.window, layer.window),
                layer.stride,
                padding="SAME" if layer.padded else "VALID",
                conv_general_dilated=self.convolution,
                name=f"conv{number}",
            )
            x = conv(x)
            if self.norm == "layer":  # Ba et al., 2016, https://arxiv.org/abs/1607.06450
                x = nn.LayerNorm(name=f"norm{number}")(x)
            if layer.pooled:  # before the activation: the same answer, from a quarter of the numbers
                x = max_pool(x)
            x = nn.relu(x)
        x = x.mean(axis=(1, 2)) if self.average and self.convolutions else x.reshape(x.shape[0], -1)
        for layer, width in enumerate(self.hidden):
            x = ACTIVATIONS[self.activation](nn.Dense(width, name=f"hidden{layer or ''}")(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        digits = nn.Dense(10, name="digits")(x)
        is_digit = nn.Dense(1, name="is_digit")(x)[:, 0] if self.rejects else None
        return Logits(digits, is_digit)


def _module(config: ModelConfig, convolution: Callable[..., Any] = convolve) -> Network:
    layers = tuple(convolutions(config, geometry_shape(config.geometry).height))
    return Network(
        convolutions=layers,
        norm=config.norm,
        average=config.average,
        hidden=config.hidden,
        activation=config.activation,
        dropout=config.dropout,
        rejects=config.rejects,
        convolution=convolution,
    )


@functools.lru_cache(maxsize=32)
def make_model(config: ModelConfig, convolution: Callable[..., Any] = convolve) -> Model:
    """The network of a configuration as two pure functions; an ensemble where it has several members.

    Of equal configurations it is the same object, so that what is jitted with it is compiled once.

    Args:
        config: the network.
        convolution: takes `lax.conv_general_dilated`'s place; on the CPU, forward-mode derivatives of the
            answer (`jax.jvp`, `jacfwd`) of many images at once need that one itself.

    `apply` raises a ValueError, while it is traced, for images of another shape or of whole numbers.
    """
    shape = (*geometry_shape(config.geometry), 1)
    module = _module(config, convolution)

    def init(key: Key[Array, ""]) -> Params:
        return module.init(key, jnp.zeros((1, *shape)), train=False)["params"]

    def apply(
        params: Params, images: Float[Array, "batch height width 1"], key: Key[Array, ""] | None = None
    ) -> Logits:
        if images.shape[1:] != shape or not jnp.issubdtype(images.dtype, jnp.floating):
            raise ValueError(
                f"the images are {images.dtype}{list(images.shape)}: this network reads [batch, "
                f"{', '.join(map(str, shape))}], floats from 0 (paper) to 1 (ink)"
            )
        rngs = None if key is None else {"dropout": key}
        return cast(Logits, module.apply({"params": params}, images, train=key is not None, rngs=rngs))

    one = Model(init, apply, config.geometry)
    return one if config.members == 1 else _averaged(one, config.members)


def in_bfloat16(model: Model) -> Model:
    """The same network computed in bfloat16; its params, gradients and answers stay float32."""

    def apply(
        params: Params, images: Float[Array, "batch height width 1"], key: Key[Array, ""] | None = None
    ) -> Logits:
        low = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
        logits = model.apply(low, images.astype(jnp.bfloat16), key)
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), logits)

    return model._replace(apply=apply)


def stack_members(members: Sequence[Any]) -> Any:
    """Params of several networks, or other trees, as one tree: the members along a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def member_of(stacked: Any, index: int) -> Any:
    """One member's params, or other tree, of those that `stack_members` made one."""
    return jax.tree.map(lambda leaf: leaf[index], stacked)


def _averaged(one: Model, members: int) -> Model:
    """An ensemble: its probabilities are the mean of its members'.

    Lakshminarayanan et al., 2017, https://arxiv.org/abs/1612.01474. One member after the other: `vmap` over
    params makes grouped convolutions, far slower on the CPU.
    """

    def init(key: Key[Array, ""]) -> Params:
        return stack_members([one.init(one_key) for one_key in jax.random.split(key, members)])

    def apply(
        params: Params, images: Float[Array, "batch height width 1"], key: Key[Array, ""] | None = None
    ) -> Logits:
        keys = [None] * members if key is None else list(jax.random.split(key, members))
        each = [one.apply(member_of(params, index), images, keys[index]) for index in range(members)]
        digits = _mean_log([jax.nn.log_softmax(logits.digits) for logits in each])
        scores = [logits.is_digit for logits in each if logits.is_digit is not None]
        if not scores:
            return Logits(digits)
        yes, no = (_mean_log([jax.nn.log_sigmoid(sign * score) for score in scores]) for sign in (1, -1))
        return Logits(digits, yes - no)

    return Model(init, apply, one.geometry)


def _mean_log(logs: Sequence[Float[Array, "*shape"]]) -> Float[Array, "*shape"]:
    """The logarithm of the mean of numbers that are given by their logarithms."""
    return jax.nn.logsumexp(jnp.stack(logs), axis=0) - jnp.log(len(logs))


def feature_maps(
    config: ModelConfig,
) -> Callable[[Params, Float[Array, "batch height width 1"]], dict[str, Float[Array, "batch ..."]]]:
    """A function of params and images to what each hidden layer lets through, after its activation.

    It returns activations by the layer's name, whose order is that of the layers: batch x height x width x
    channels of a convolution, batch x units of a dense layer. Of an ensemble they are its first member's.
    """
    module = _module(config)

    def look(
        params: Params, images: Float[Array, "batch height width 1"]
    ) -> dict[str, Float[Array, "batch ..."]]:
        _, state = module.apply(
            {"params": params if config.members == 1 else member_of(params, 0)},
            images,
            train=False,
            capture_intermediates=lambda layer, _: isinstance(layer, nn.Conv | nn.LayerNorm | nn.Dense),
            mutable=["intermediates"],
        )
        found: dict[str, Any] = dict(state["intermediates"])
        for number in range(len(config.channels)):  # what a convolution lets through has been normalised
            if normalised := found.pop(f"norm{number}", None):
                found[f"conv{number}"] = normalised
        return {
            name: (nn.relu if name.startswith("conv") else ACTIVATIONS[config.activation])(one["__call__"][0])
            for name, one in sorted(found.items())
            if name not in HEADS
        }

    return look


def count_params(params: Params) -> int:
    """Numbers in a pytree of arrays (or of their shapes)."""
    return sum(int(leaf.size) for leaf in jax.tree.leaves(params))
