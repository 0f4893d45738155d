"""What a reader may import from digitjax itself, and configurations made in Python."""

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import digitjax
from digitjax.config import AugmentConfig, ModelConfig, OptimConfig, TrainConfig
from digitjax.errors import InputError
from digitjax.types import Batch, Logits, Metrics, Model, Segments, TrainState

CONTRACT = (
    "Batch Logits Model TrainState train_step make_train_step load_model init_state Metrics LossFn AugmentFn"
)


@pytest.mark.parametrize("name", CONTRACT.split())
def test_every_name_of_the_contract_is_there(name):
    found = getattr(digitjax, name)
    assert found.__name__ == name
    assert name in dir(digitjax) and name in digitjax.__all__


def test_a_name_that_is_not_there_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="trainstep"):
        _ = digitjax.trainstep  # type: ignore[attr-defined]


def test_fields_are_those_of_the_contract():
    assert TrainState._fields == ("params", "opt_state", "step", "key")
    assert Batch._fields == ("x", "target", "is_digit", "weight")
    assert Model._fields == ("init", "apply", "geometry")
    assert Logits._fields == ("digits", "is_digit")
    assert set(Metrics._fields) == {"loss", "accuracy", "weight", "grad_norm"}
    assert Segments._fields == ("ends", "mask")
    assert Logits(digits=None).is_digit is None  # type: ignore[arg-type]


def test_importing_digitjax_imports_nothing_heavy():
    program = "import sys, digitjax; print(*sorted(n for n in sys.modules if '.' not in n))"
    came = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"jax", "jaxlib", "numpy", "flax", "optax", "orbax", "scipy", "PIL", "matplotlib", "pygame"}
    assert "digitjax" in came.stdout.split()
    assert heavy & set(came.stdout.split()) == set()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (ModelConfig, {"kind": "CNN"}, "--model.kind is 'CNN': give cnn or mlp"),
        (ModelConfig, {"stem": None}, "--model.stem is None: give coarse or fine"),
        (ModelConfig, {"kind": np.array(["cnn", "mlp"])}, "--model.kind is a list: give cnn or mlp"),
        (ModelConfig, {"norm": ["layer"]}, "--model.norm is a list: give none or layer"),
        (ModelConfig, {"activation": "gelu"}, "--model.activation is 'gelu': give relu or sigmoid or tanh"),
        (ModelConfig, {"hidden": 96}, r"--model.hidden is 96: give several in a tuple, as \(96, 32\)"),
        (ModelConfig, {"hidden": (96, 2.5)}, "--model.hidden is 2.5: give a whole number"),
        (ModelConfig, {"members": True}, "--model.members is True: give a whole number"),
        (ModelConfig, {"rejects": 1}, "--model.rejects is 1: give True or False"),
        (OptimConfig, {"learning_rate": "1e-3"}, "--optim.learning-rate is '1e-3': give a number"),
        (OptimConfig, {"warmup": 10**400}, "--optim.warmup is 1000.*: give a number"),
        (AugmentConfig, {"unfinished": "no"}, "--augment.unfinished is 'no': give a number"),
        (TrainConfig, {"precision": "bf16"}, "--precision is 'bf16': give float32 or bfloat16"),
        (TrainConfig, {"data": "synthetic"}, r'--data is .synthetic.: give several .*, as \("one", "two"\)'),
        (TrainConfig, {"epochs": 2.5}, "--epochs is 2.5: give a whole number"),
        (TrainConfig, {"start": None}, "--start is None: give a text"),
        (TrainConfig, {"seed": 10**5000}, "--seed a number of thousands of digits is out .*"),
        (
            OptimConfig,
            {"warmup": 10**5000},
            "--optim.warmup is a number of thousands of digits: give a number",
        ),
        (OptimConfig, {"warmup": np.zeros(1)}, "--optim.warmup is a list: give a number"),
        (TrainConfig, {"model": {"kind": "cnn"}}, "--model is a dict: give a ModelConfig"),
    ],
)
def test_a_configuration_from_python_is_checked_as_one_from_the_command_line_is(kind, values, says):
    with pytest.raises(InputError, match=f"^{says}$"):
        kind(**values)


@pytest.mark.usefixtures("unchecked")
def test_lists_and_numbers_of_other_libraries_make_an_equal_configuration():
    plain = ModelConfig(channels=(8, 16), hidden=(32,), dropout=0.5)
    loose = ModelConfig(channels=[8, np.int64(16)], hidden=np.array([32]), dropout=np.float64(0.5))  # type: ignore[arg-type]
    assert loose == plain and hash(loose) == hash(plain)
    whole = TrainConfig(seed=np.uint32(3), data=["synthetic"], audited=np.True_, model=loose)  # type: ignore[arg-type]
    assert repr(whole) == repr(TrainConfig(seed=3, data=("synthetic",), audited=True, model=plain))
    assert TrainConfig(data=("digits8x8",) * 1001).data[1000] == "digits8x8"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wider(TrainConfig):
    """A configuration with fields of somebody's own."""

    note: Any = 3
    mixed: float | str = "x"
    pieces: list[int] = dataclasses.field(default_factory=list)
    scales: tuple[float, str] = (1, "x")
    unknown: "Unknown" = None  # type: ignore[name-defined]  # noqa: F821
    late: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "late", self.seed + 1)


@pytest.mark.usefixtures("unchecked")
def test_who_derives_a_configuration_has_fields_of_any_type():
    wide = Wider(pieces=[1], seed=4)
    assert (wide.note, wide.mixed, wide.pieces, wide.scales, wide.late) == (3, "x", [1], (1, "x"), 5)
    with pytest.raises(InputError, match="--seed is 'x'"):
        Wider(seed="x")  # type: ignore[arg-type]
