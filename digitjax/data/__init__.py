"""Data sources: a spec such as `strokes:drawn.ndjson@test` to labelled ink or pixels.

    parse_spec(text) -> Spec -> load -> Source (ink | images, labels, words, writers)      in memory
                             -> open_records -> Records (read by place)                    of any size

One module a source and one line a source in `registry`. A `Source` is in its own units; the model's
geometry is applied last (`pipeline.to_examples`). Nothing heavy is imported until a name is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitjax.data.sources import load as load
    from digitjax.data.sources import unavailable as unavailable
    from digitjax.data.spec import DataUnavailable as DataUnavailable
    from digitjax.data.spec import EmptySplit as EmptySplit
    from digitjax.data.spec import Kind as Kind
    from digitjax.data.spec import Source as Source
    from digitjax.data.spec import Spec as Spec
    from digitjax.data.spec import parse_spec as parse_spec

_MODULES = {
    "DataUnavailable": "spec",
    "EmptySplit": "spec",
    "Kind": "spec",
    "Source": "spec",
    "Spec": "spec",
    "load": "sources",
    "parse_spec": "spec",
    "unavailable": "sources",
}

__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'digitjax.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"digitjax.data.{_MODULES[name]}"), name)
