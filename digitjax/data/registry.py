"""The registry of sources: a line a source; its module is imported only when it is used.

To add a source, write `digitjax/data/NAME.py` with a `KIND` (`digitjax.data.spec.Kind`) and add its
line here.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import digitjax.data.spec

MODULES = {
    "mnist": "digitjax.data.mnist",
    "synthetic": "digitjax.data.procedural",
    "nondigits": "digitjax.data.nondigits",
    "marks": "digitjax.data.marks",
    "digits8x8": "digitjax.data.digits8x8",
    "strokes": "digitjax.data.drawings",
    "pendigits": "digitjax.data.pendigits",
    "unipen": "digitjax.data.unipen",
    "images": "digitjax.data.images",
    "numbers": "digitjax.data.numbers",
}
"""Modules by the name that stands first in a data spec."""


def kind(name: str) -> "digitjax.data.spec.Kind":
    """What the registry knows about the source of that name.

    Raises:
        KeyError: no source has that name; `parse_spec` has already refused it with a sentence.
    """
    return importlib.import_module(MODULES[name]).KIND
