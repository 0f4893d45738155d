"""Other networks as teachers: what is learnt from them beside the labels (`TrainConfig.distil`)."""

from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from digitjax import runs
from digitjax.checkpoint import LoadedModel, load_model
from digitjax.config import TrainConfig
from digitjax.data.batches import share
from digitjax.data.spec import parse_spec
from digitjax.errors import InputError
from digitjax.progress import say
from digitjax.train import distilled
from digitjax.types import TeacherFn


def teacher_of(config: TrainConfig, specs: Sequence[str] = ()) -> TeacherFn | None:
    """Targets as they are to be learnt, nearer to the mean odds of the checkpoints of `config.distil`.

    Of a source that some of them learnt from those alone speak; of any other source all do. What is a digit
    at all the labels say.

    Args:
        config: the run that learns.
        specs: the sources of a batch, with their weights, in its order. Without them, and of a batch of
            another size than the configuration's, every teacher speaks of every example.

    Returns:
        The teacher; None where the configuration names none.

    Raises:
        InputError: there is no such checkpoint, it reads images of another geometry, or others alone speak of
            every source.
    """
    if not config.distil:
        return None
    teachers = [_load(path, config) for path in config.distil]
    spoken_of = _spoken_of(config.distil, teachers, specs, config.batch_size)

    def teach(
        images: Float[Array, "batch height width 1"], target: Float[Array, "batch 10"]
    ) -> Float[Array, "batch 10"]:
        n = len(images)
        known = spoken_of if n == config.batch_size else np.ones((len(teachers), n), bool)
        odds = jnp.zeros((n, 10))
        for one, mask in zip(teachers, known, strict=True):
            rows = slice(None) if mask.all() else np.flatnonzero(mask)
            odds = odds.at[rows].add(jax.nn.softmax(one.model.apply(one.params, images[rows]).digits))
        return distilled(target, odds / known.sum(axis=0)[:, None], config.distil_weight)

    return teach


def _load(path: str, config: TrainConfig) -> LoadedModel:
    loaded = load_model(path)
    if loaded.model.geometry != config.model.geometry:
        raise InputError(
            f"--distil {path} reads {loaded.model.geometry} and this network {config.model.geometry}: "
            f"give a checkpoint of the same geometry"
        )
    return loaded


def _spoken_of(
    names: Sequence[str], teachers: Sequence[LoadedModel], specs: Sequence[str], batch_size: int
) -> Bool[np.ndarray, "teachers batch"]:
    """Which examples of a batch each teacher speaks of; told, too."""
    sources = _sources(specs)
    learnt = [_learnt_from(one.run) if specs else None for one in teachers]
    known = np.array([[one is None or source in one for source in sources] for one in learnt], bool)
    known[:, ~known.any(axis=0)] = True
    for name, one, speaks in zip(names, teachers, known, strict=True):
        if specs and not speaks.any():
            raise InputError(f"--distil {name} learnt from nothing that is learnt from here: leave it out")
        of = ", ".join(source.removesuffix(":") for source, said in zip(sources, speaks, strict=True) if said)
        say(f"learning from {one}" + ("" if speaks.all() else f", of {of}"))
    if not specs:
        return np.ones((len(teachers), batch_size), bool)
    counts = share([parse_spec(text).weight for text in specs], batch_size)
    return np.repeat(known, counts, axis=1)


def _learnt_from(run: Path) -> list[str] | None:
    """The sources that a run learnt from; None where it does not say, as one taught while drawing."""
    try:
        return _sources(runs.read_data(run))
    except InputError:
        return None


def _sources(specs: Sequence[str]) -> list[str]:
    """What tells sources apart, wherever their files lie: the spec's name and the last part of its path."""
    parsed = [parse_spec(text) for text in specs]
    folders = [(one.path or "").replace("\\", "/").rstrip("/") for one in parsed]
    return [f"{one.name}:{path.split('/')[-1]}" for one, path in zip(parsed, folders, strict=True)]
