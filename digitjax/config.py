"""Everything that can be chosen about a training run, as frozen dataclasses, and the named presets.

Nothing here but the standard library, so that `--help` and a configuration check cost no time.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from digitjax.errors import InputError

Geometry = Literal["mnist28", "uci8"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network."""

    kind: Literal["cnn", "mlp"] = "cnn"
    """Family of networks: convolutions before the dense layers, or dense layers alone."""
    channels: tuple[int, ...] = (32, 48, 96)
    """Channels of up to four convolutions: two on 14 x 14, one on 7 x 7, one on 3 x 3; mlp has none."""
    hidden: tuple[int, ...] = (96,)
    """Widths of the dense layers before the answer, any number of them."""
    activation: Literal["relu", "sigmoid", "tanh"] = "relu"
    """What follows every dense layer but the answer; convolutions are always followed by ReLU."""
    dropout: float = 0.25
    """Fraction of the last dense layer dropped in training, 0 to 1."""
    rejects: bool = False
    """A second head that says whether the drawing is a digit at all."""
    geometry: Geometry = "mnist28"
    """Input geometry; it travels with the checkpoint."""

    def __post_init__(self) -> None:
        _require(
            1 <= len(self.channels) <= 4 and all(0 < c <= 4096 for c in self.channels),
            "model.channels",
            " ".join(map(str, self.channels)),
            "one to four numbers, 1 to 4096 each",
        )
        _require(
            1 <= len(self.hidden) <= 32 and all(0 < width <= 65536 for width in self.hidden),
            "model.hidden",
            " ".join(map(str, self.hidden)),
            "one to 32 widths, 1 to 65536 each",
        )
        _require(
            self.geometry != "uci8" or self.kind != "cnn" or len(self.channels) <= 3,
            "model.channels",
            " ".join(map(str, self.channels)),
            "at most three numbers with --model.geometry uci8",
        )
        _require(0 <= self.dropout < 1, "model.dropout", self.dropout, "0 up to, not including, 1")


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """The optimizer: AdamW, its learning rate rising, then falling to nothing."""

    learning_rate: float = 6e-3
    """Highest learning rate."""
    weight_decay: float = 0.05
    """Decoupled weight decay."""
    warmup: float = 0.15
    """Fraction of the steps in which the learning rate rises."""
    label_smoothing: float = 0.02
    """Probability that the target spreads evenly over all ten digits."""

    def __post_init__(self) -> None:
        _require(0 < self.learning_rate < 10, "optim.learning-rate", self.learning_rate, "above 0, below 10")
        _require(0 <= self.weight_decay < 10, "optim.weight-decay", self.weight_decay, "0 up to 10")
        _require(0 <= self.warmup < 1, "optim.warmup", self.warmup, "0 up to, not including, 1")
        _require(0 <= self.label_smoothing < 1, "optim.label-smoothing", self.label_smoothing, "0 up to 1")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes of each training example; standard deviations unless said otherwise."""

    rotate: float = 7.0
    """Degrees."""
    scale: float = 0.08
    """Relative size, each axis its own."""
    shear: float = 0.12
    """Slant, x per y."""
    shift: float = 0.7
    """Pixels."""
    elastic: float = 0.0
    """Pixels that a smooth random field moves the ink."""
    pen: float = 0.0
    """Relative pen width."""
    bend: float = 0.0
    """How far a smooth random field bends people's ink, in units of its longest side."""
    unfinished: float = 0.0
    """Fraction of the drawings, 0 to 1, that are cut off where 60 to 100 % of their ink was written."""

    def __post_init__(self) -> None:
        for name in ("rotate", "scale", "shear", "shift", "elastic", "pen", "bend"):
            value = getattr(self, name)
            _require(0 <= value <= 90, f"augment.{name}", value, "0 to 90")
        _require(0 <= self.unfinished <= 1, "augment.unfinished", self.unfinished, "0 to 1")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run."""

    preset: str = "cnn"
    """Name of the preset that this began as."""
    data: tuple[str, ...] = ()
    """Data specs, NAME[:PATH][@SPLIT][=WEIGHT]; none means MNIST, if to be had, and synthetic handwriting."""
    seed: int = 0
    """Seed of params, batches and augmentation."""
    epochs: int = 6
    """Epochs."""
    epoch_examples: int = 60_000
    """Examples that make an epoch."""
    batch_size: int = 128
    """Examples a step, over all devices."""
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        _require(0 <= self.seed < 2**32, "seed", self.seed, "0 to 4294967295")
        _require(0 < self.epochs <= 100_000, "epochs", self.epochs, "1 to 100000")
        _require(0 < self.batch_size <= 1_000_000, "batch-size", self.batch_size, "1 to 1000000")
        _require(
            self.batch_size <= self.epoch_examples <= 10**10,
            "epoch-examples",
            self.epoch_examples,
            "at least the batch size",
        )
        _require(
            self.total_steps < 2**31, "epochs", self.epochs, "fewer, so that the run has below 2^31 steps"
        )

    @property
    def steps_per_epoch(self) -> int:
        """Steps an epoch; the last incomplete batch is not taken."""
        return self.epoch_examples // self.batch_size

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise InputError(f"--{name} {value} is out of range: give {allowed}")


def cnn() -> TrainConfig:
    """A small convolutional network for MNIST-shaped images; what `make train` trains.

    digitjax train cnn

    With MNIST: 2 min 30 s on two CPU cores (jax 0.12.0, 2026-11-21), 99.54 +- 0.05 % of MNIST's test split
    over seeds 0, 1 and 2; 140,282 parameters.
    """
    return TrainConfig(preset="cnn")


def cnn_shipped() -> TrainConfig:
    """The network that comes with the program: digits of many hands, and whether it is one at all.

    digitjax train cnn-shipped --data mnist=52 strokes:PENDIGITS=16 strokes:UNIPEN-DIGITS=24
        strokes:UNIPEN-OTHERS=16 synthetic=12 nondigits=8

    The files are the corpora named in checkpoints/README.md; without `--data` it learns from MNIST and
    procedural ink alone. 140,379 parameters.
    """
    return TrainConfig(
        preset="cnn-shipped",
        data=("mnist=52", "synthetic=52", "nondigits=24"),
        epochs=75,
        model=ModelConfig(rejects=True),
        augment=AugmentConfig(bend=0.02, unfinished=0.1),
    )


def mlp_8x8() -> TrainConfig:
    """64-32-10 on 8 x 8 images, the UCI digits that come with the program; trains anywhere in seconds.

    digitjax train mlp-8x8
    """
    return TrainConfig(
        preset="mlp-8x8",
        data=("digits8x8=3", "synthetic=1"),
        epochs=8,
        epoch_examples=20_000,
        model=ModelConfig(kind="mlp", hidden=(32,), dropout=0.0, geometry="uci8"),
        augment=AugmentConfig(rotate=3.0, scale=0.03, shear=0.05, shift=0.3),
    )


def mlp_28x28() -> TrainConfig:
    """784-128-128-10, the perceptron of many a first course.

    digitjax train mlp-28x28
    """
    return TrainConfig(
        preset="mlp-28x28",
        data=("mnist",),
        epochs=20,
        model=ModelConfig(kind="mlp", hidden=(128, 128), dropout=0.1),
        optim=OptimConfig(learning_rate=3e-3),
        augment=AugmentConfig(rotate=4.0, scale=0.05, shear=0.08, shift=0.5),
    )


def mlp_tiny() -> TrainConfig:
    """784-28-28-10 with sigmoids; `--model.hidden 28 28` takes any number and width of layers.

    digitjax train mlp-tiny
    """
    return TrainConfig(
        preset="mlp-tiny",
        data=("mnist",),
        epochs=20,
        model=ModelConfig(kind="mlp", hidden=(28, 28), activation="sigmoid", dropout=0.0),
        optim=OptimConfig(learning_rate=1e-2, weight_decay=0.0, label_smoothing=0.0),
        augment=AugmentConfig(rotate=2.0, scale=0.02, shear=0.03, shift=0.2),
    )


def cnn_valid() -> TrainConfig:
    """Two convolutions with L2 on MNIST alone, chosen on its validation split, reported on its test split.

    digitjax train cnn-valid
    """
    return TrainConfig(
        preset="cnn-valid",
        data=("mnist",),
        epochs=10,
        model=ModelConfig(channels=(32, 64), hidden=(128,), dropout=0.4),
        optim=OptimConfig(label_smoothing=0.0),
    )


PRESETS = {
    "cnn": cnn,
    "cnn-shipped": cnn_shipped,
    "cnn-valid": cnn_valid,
    "mlp-8x8": mlp_8x8,
    "mlp-28x28": mlp_28x28,
    "mlp-tiny": mlp_tiny,
}
"""Preset names and the functions that make them."""


def to_dict(config: TrainConfig) -> dict:
    """The configuration as plain JSON values."""
    return dataclasses.asdict(config)
