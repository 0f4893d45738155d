"""What a reader may import from digitjax itself."""

import subprocess
import sys

import pytest

import digitjax
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
