"""Everything that can be chosen about a training run, as frozen dataclasses.

Nothing here but the standard library, so that `--help` and a configuration check cost no time.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from digitjax.errors import InputError

Geometry = Literal["mnist28", "uci8"]
MAX_MEMBERS = 64
"""Networks in an ensemble at most: each is a copy of the whole program when it is compiled."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network."""

    kind: Literal["cnn", "mlp"] = "cnn"
    """Family of networks: convolutions before the dense layers, or dense layers alone."""
    channels: tuple[int, ...] = (32, 48, 96)
    """Channels of up to six convolutions, one after the other; mlp has none."""
    stages: tuple[int, ...] = (2, 1, 1)
    """Convolutions before each pooling: 2 1 1 is two, then one, then one. A pooling follows the last."""
    stem: Literal["coarse", "fine"] = "coarse"
    """First convolution: coarse, 5 x 5 at every second pixel, or fine, 3 x 3 at every pixel."""
    border: bool = True
    """Pad the first convolution: maps of 14 x 14, not 12 x 12 (fine: 28, not 26). MNIST's border is empty."""
    norm: Literal["none", "layer"] = "none"
    """Layer normalisation after every convolution, of each place's channels."""
    average: bool = False
    """Give the dense layers each channel's mean over its last map (global average pooling), not the map."""
    hidden: tuple[int, ...] = (96,)
    """Widths of the dense layers before the answer, any number of them."""
    activation: Literal["relu", "sigmoid", "tanh"] = "relu"
    """What follows every dense layer but the answer; convolutions are always followed by ReLU."""
    dropout: float = 0.25
    """Fraction of the last dense layer dropped in training, 0 to 1."""
    rejects: bool = False
    """A second head: is it a digit at all? `digitjax train` without --data learns it; else add nondigits."""
    geometry: Geometry = "mnist28"
    """Input geometry; it travels with the checkpoint."""
    members: int = 1
    """Networks whose probabilities are averaged; `digitjax sweep` makes more than one, from trained ones."""

    def __post_init__(self) -> None:
        _conform(self, ModelConfig, "model.")
        _require(
            1 <= len(self.channels) <= 6 and all(0 < c <= 4096 for c in self.channels),
            "model.channels",
            " ".join(map(str, self.channels)),
            "one to six numbers, 1 to 4096 each",
        )
        _require(
            1 <= len(self.stages) <= 3 and all(0 < count <= 6 for count in self.stages),
            "model.stages",
            " ".join(map(str, self.stages)),
            "one to three numbers, 1 to 6 each",
        )
        room = sum(self.stages[: 2 if self.geometry == "uci8" else 3])
        _require(
            self.kind != "cnn" or len(self.channels) <= room,
            "model.channels",
            " ".join(map(str, self.channels)),
            f"at most {room} with --model.stages {' '.join(map(str, self.stages))}"
            + (" and --model.geometry uci8" if self.geometry == "uci8" else ""),
        )
        _require(
            1 <= len(self.hidden) <= 32 and all(0 < width <= 65536 for width in self.hidden),
            "model.hidden",
            " ".join(map(str, self.hidden)),
            "one to 32 widths, 1 to 65536 each",
        )
        _require(0 <= self.dropout < 1, "model.dropout", self.dropout, "0 up to, not including, 1")
        _require(1 <= self.members <= MAX_MEMBERS, "model.members", self.members, f"1 to {MAX_MEMBERS}")


class Convolution(NamedTuple):
    """One convolution of a network.

    Attributes:
        side: rows and columns that come in.
        channels: that come in.
        features: that go out.
        window: rows and columns of the kernel.
        stride: in both directions.
        padded: whether it reaches over the edge, so that nothing but the stride makes its answer smaller.
        pooled: whether 2 x 2 pooling follows, which `out` does not count.
    """

    side: int
    channels: int
    features: int
    window: int
    stride: int = 1
    padded: bool = True
    pooled: bool = False

    @property
    def out(self) -> int:
        """Rows and columns that go out."""
        return -(-self.side // self.stride) if self.padded else (self.side - self.window) // self.stride + 1


def convolutions(model: ModelConfig, side: int) -> list[Convolution]:
    """The convolutions of a network on pictures of `side` pixels a side, in order; a perceptron has none."""
    ends = {sum(model.stages[:count]) for count in range(1, len(model.stages) + 1)}
    found: list[Convolution] = []
    for number, features in enumerate(model.channels if model.kind == "cnn" else (), 1):
        pooled = number in ends or number == len(model.channels)
        if not found:
            padded = model.border or model.geometry == "uci8"
            window, stride = (5, 2) if model.stem == "coarse" else (3, 1)
            found.append(Convolution(side, 1, features, window, stride, padded, pooled))
        else:
            before = found[-1]
            size = before.out // 2 if before.pooled else before.out
            found.append(Convolution(size, before.features, features, window=3, pooled=pooled))
    return found


def multiply_adds(model: ModelConfig, side: int) -> int:
    """Multiply-adds by which a network answers one picture of `side` pixels a side."""
    convs = convolutions(model, side)
    found = sum(one.out**2 * one.window**2 * one.channels * one.features for one in convs)
    width = side**2
    if convs:
        last = convs[-1]
        width = last.features * (1 if model.average else (last.out // 2 if last.pooled else last.out) ** 2)
    for wide in (*model.hidden, 10 + model.rejects):
        found, width = found + width * wide, wide
    return found * model.members


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
        _conform(self, OptimConfig, "optim.")
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
    pens: float = 1.0
    """How far the pens of ink differ: 1 as those of people and screens, 0 not at all."""
    bend: float = 0.0
    """How far a smooth random field bends people's ink, in units of its longest side."""
    resample: float = 0.0
    """Fraction of people's drawings, 0 to 1, that are sampled half as often, as by a slow tablet."""
    unfinished: float | None = None
    """Fraction of the drawings, 0 to 1, that are cut off where 60 to 100 % of their ink was written; by
    default 0.1 where nothing is learnt but what comes with the program, else 0."""

    def __post_init__(self) -> None:
        _conform(self, AugmentConfig, "augment.")
        for name in ("rotate", "scale", "shear", "shift", "elastic", "pen", "bend"):
            value = getattr(self, name)
            _require(0 <= value <= 90, f"augment.{name}", value, "0 to 90")
        for name in ("pens", "resample", "unfinished"):
            value = getattr(self, name)
            _require(value is None or 0 <= value <= 1, f"augment.{name}", value, "0 to 1")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run."""

    preset: str = "cnn"
    """Name of the preset that this began as."""
    data: tuple[str, ...] = ()
    """Data specs, NAME[:PATH][@SPLIT][=WEIGHT]; none means MNIST, if to be had, and synthetic handwriting."""
    audited: bool = False
    """Leave out of training what has a label that a reader doubts, by the lists in `digitjax/data/audits`."""
    seed: int = 0
    """Seed of params, batches and augmentation."""
    start: str = ""
    """A checkpoint whose params the run begins with, a run, RUN/STEP or newest; by default fresh ones."""
    distil: tuple[str, ...] = ()
    """Checkpoints, named as in --start, whose mean odds are learnt from beside the labels."""
    distil_weight: float = 0.75
    """Part of what is learnt that comes from those odds, 0 to 1; the rest is the labels'."""
    epochs: int = 6
    """Epochs."""
    epoch_examples: int = 60_000
    """Examples that make an epoch."""
    batch_size: int = 128
    """Examples a step, over all devices."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the network is trained in; its params, and what it is used in, stay float32."""
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        _conform(self, TrainConfig, "")
        _require(0 <= self.seed < 2**32, "seed", self.seed, "0 to 4294967295")
        _require(0 <= self.distil_weight <= 1, "distil-weight", self.distil_weight, "0 to 1")
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


_hints = functools.lru_cache(get_type_hints)
_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


def _conform(config: object, kind: type, prefix: str) -> None:
    """Makes every field of its type: tuples of lists, Python's own numbers of NumPy's and JAX's.

    Args:
        config: of one of the dataclasses here, not yet used.
        kind: that dataclass; fields that a derived one adds are left alone.
        prefix: of its options.

    Raises:
        InputError: a value is of another type, or not among those that there are.
    """
    for name, hint in _hints(kind).items():
        value = _conforming(hint, getattr(config, name), prefix + name.replace("_", "-"))
        object.__setattr__(config, name, value)


def _conforming(hint: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(value, "tolist"):  # an array, or a number of an array library
        value = value.tolist()
    if type(None) in arguments:
        return None if value is None else _conforming(arguments[0], value, name)
    if origin is tuple:
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return tuple(_conforming(arguments[0], item, name) for item in value)
        example = {str: '("one", "two")', int: "(96, 32)"}[arguments[0]]
        raise _refusal(name, value, f"several in a tuple, as {example}")
    if origin is Literal:
        if not isinstance(value, str) or value not in arguments:
            raise _refusal(name, value, " or ".join(arguments))
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
        raise _refusal(name, value, "a number")
    elif not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _refusal(name, value, _NAMES.get(hint) or f"a {hint.__name__}")
    return value


def _refusal(name: str, value: object, allowed: str) -> InputError:
    is_short = isinstance(value, str | int | float | None)
    what = _shown(value, 40, repr) if is_short else f"a {type(value).__name__}"
    return InputError(f"--{name} is {what}: give {allowed}")


def _shown(value: object, most: int, written: Callable[[object], str]) -> str:
    try:
        text = written(value)
    except ValueError:  # Python writes no whole number of over 4,300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= most else text[:most] + "..."


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise InputError(f"--{name} {_shown(value, 60, str)} is out of range: give {allowed}")


def to_dict(config: TrainConfig) -> dict:
    """The configuration as plain JSON values."""
    return dataclasses.asdict(config)
