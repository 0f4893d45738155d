"""The registry of presets: a line a preset; its module is imported only when it is used.

To add a preset, write `digitjax/presets/NAME.py` with a `config()` that makes a `TrainConfig`, and add its
line here.
"""

import dataclasses
import difflib
import importlib
import inspect

from digitjax.config import TrainConfig
from digitjax.errors import InputError

PRESETS = {
    "cnn": "digitjax.presets.cnn",
    "cnn-shipped": "digitjax.presets.cnn_shipped",
    "cnn-drawn": "digitjax.presets.cnn_drawn",
    "cnn-large": "digitjax.presets.cnn_large",
    "cnn-valid": "digitjax.presets.cnn_valid",
    "speedrun": "digitjax.presets.speedrun",
    "mlp-8x8": "digitjax.presets.mlp_8x8",
    "mlp-28x28": "digitjax.presets.mlp_28x28",
    "mlp-tiny": "digitjax.presets.mlp_tiny",
}
"""Modules by the name that `digitjax train` takes."""


def preset(name: str) -> TrainConfig:
    """The configuration of the preset of that name.

    Raises:
        InputError: no preset has it; the message names the nearest one.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"give one of {', '.join(PRESETS)}"
        raise InputError(f"unknown preset {name!r}: {hint}")
    return dataclasses.replace(importlib.import_module(PRESETS[name]).config(), preset=name)


def about(name: str) -> str:
    """What the preset of that name is: the first sentence of its module's docstring, on one line."""
    text = inspect.getdoc(importlib.import_module(PRESETS[name])) or ""
    return " ".join(text.partition("\n\n")[0].split())
