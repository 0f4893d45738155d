"""Handwriting in JAX: from a fresh clone to a network that reads digits.

Nothing heavy is imported until a name is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitjax.checkpoint import load_model as load_model
    from digitjax.config import AugmentConfig as AugmentConfig
    from digitjax.config import ModelConfig as ModelConfig
    from digitjax.config import OptimConfig as OptimConfig
    from digitjax.config import TrainConfig as TrainConfig
    from digitjax.models import make_model as make_model
    from digitjax.optim import make_optimizer as make_optimizer
    from digitjax.presets.registry import preset as preset
    from digitjax.shipping import save_model as save_model
    from digitjax.train import init_state as init_state
    from digitjax.train import make_train_step as make_train_step
    from digitjax.train import train_step as train_step
    from digitjax.types import AugmentFn as AugmentFn
    from digitjax.types import Batch as Batch
    from digitjax.types import Logits as Logits
    from digitjax.types import LossFn as LossFn
    from digitjax.types import Metrics as Metrics
    from digitjax.types import Model as Model
    from digitjax.types import Segments as Segments
    from digitjax.types import TrainState as TrainState

__version__ = "0.1.0"

_ROOMS = {
    "AugmentConfig": "config",
    "AugmentFn": "types",
    "Batch": "types",
    "Logits": "types",
    "LossFn": "types",
    "Metrics": "types",
    "Model": "types",
    "ModelConfig": "config",
    "OptimConfig": "config",
    "Segments": "types",
    "TrainConfig": "config",
    "TrainState": "types",
    "init_state": "train",
    "load_model": "checkpoint",
    "make_model": "models",
    "make_optimizer": "optim",
    "make_train_step": "train",
    "preset": "presets.registry",
    "save_model": "shipping",
    "train_step": "train",
}

__all__ = ["__version__", *_ROOMS]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'digitjax' has no attribute {name!r}")
    return getattr(importlib.import_module(f"digitjax.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
