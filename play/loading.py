"""Networks for the process that reads: loaded, compiled, and warmed up for what the screens will ask."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digitjax.errors import InputError


class Slot(NamedTuple):
    """A network in use.

    Attributes:
        loaded: digitjax.checkpoint.LoadedModel.
        reader: its compiled functions.
        follow: whether newer steps of its run are taken.
    """

    loaded: Any
    reader: Any
    follow: bool


class Loader:
    """Loads networks; one of the same kind as another in use takes over what is compiled."""

    def __init__(self) -> None:
        self._ahead: tuple[Any, Any, threading.Thread] | None = None

    def prepare(self, step: Path) -> None:
        """Compiles the reading in a thread while the checkpoint's files are checked and read.

        Tracing comes first: like the imports it holds the interpreter, which the compiler leaves alone.
        """
        import jax

        from digitjax import runs
        from digitjax.models import make_model
        from play.reader import make_reader

        with contextlib.suppress(Exception):  # whatever is wrong, loading will say it
            config = runs.read_config(runs.run_of(step)).model
            model = make_model(config)
            params = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0))
            reader = make_reader(model, config)
            lowered = reader.read.lower(params, *_dot())
            thread = threading.Thread(target=_compile, args=(lowered,), name="compiler", daemon=True)
            thread.start()
            self._ahead = (config, reader, thread)

    def load(self, path: str, follow: bool, others: Iterable[Slot]) -> Slot:
        """A network, its reading compiled.

        Args:
            path: of a run or a step.
            follow: whether newer steps of its run are to be taken.
            others: networks in use.

        Raises:
            InputError: the checkpoint cannot be used.
        """
        from digitjax.checkpoint import load_model
        from play.reader import make_reader, same_kind

        loaded = load_model(path)
        for other in others:
            if same_kind(other.loaded.config, loaded.config):
                return Slot(loaded, other.reader, follow)
        config, reader, compiler = self._ahead or (None, None, None)
        if reader is None or config != loaded.config.model:
            reader = make_reader(loaded.model, loaded.config.model)
        if compiler is not None:
            compiler.join()
            self._ahead = None
        np.asarray(reader.read(loaded.params, *_dot()))
        return Slot(loaded, reader, follow)


def require_device(jax: Any, device: str) -> None:
    """Sees to it that JAX has the device that was asked for.

    Raises:
        InputError: it has none that is usable here.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter without the plug-in
        raise InputError(f"no {device.upper()} is usable here: leave out --device {device}") from error


def warm_up(reader: Any, params: Any) -> Iterator[None]:
    """Compiles what the other screens need, one after another: stages off, explaining, whole numbers."""
    ends, mask = _dot()
    if reader.side == 28:
        np.asarray(reader.read_staged(params, ends, mask, np.zeros(2, np.float32), np.ones(3, bool)))
        yield
    from play.explain import without_each

    image = np.zeros((reader.side, reader.side), np.float32)
    nothing, nowhere, _ = without_each([])
    np.asarray(reader.explain(params, image, np.zeros(10, np.float32), nothing, nowhere).heat)
    yield
    from digitjax.numbers import BATCHES, SEGMENTS
    from digitjax.types import Segments

    for size in BATCHES:
        ink = Segments(np.zeros((size, SEGMENTS, 4), np.float32), np.zeros((size, SEGMENTS), bool))
        np.asarray(reader.number(params, ink).digits)
        yield


def _compile(lowered: Any) -> None:
    with contextlib.suppress(Exception):  # the first call says it
        lowered.compile()


def _dot() -> tuple[np.ndarray, np.ndarray]:
    """Ink to warm up with, packed."""
    from digitjax.segments import MAX_SEGMENTS

    ends, mask = np.zeros((MAX_SEGMENTS, 4), np.float32), np.zeros(MAX_SEGMENTS, bool)
    ends[0], mask[0] = (0, 0, 3, 4), True
    return ends, mask
