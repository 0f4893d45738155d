"""Params as a run of their own: of somebody's own loop, or of one step, small enough to ship."""

import contextlib
import datetime
import json
import operator
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, SupportsIndex

import jax
import numpy as np

from digitjax import claim, finish, manifest, runs
from digitjax.checkpoint import LoadedModel, difference, load_model, write_params
from digitjax.config import TrainConfig
from digitjax.errors import DigitjaxError, InputError, one_line
from digitjax.models import count_params, make_model
from digitjax.types import Params


def save_model(
    run: Path | str,
    params: Params,
    config: TrainConfig,
    *,
    step: SupportsIndex = 0,
    record: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """Writes what a loop of one's own has trained as a run: for `load_model`, `evaluate`, the window.

    It stands there whole or not at all, and is read back before.

    Args:
        run: a folder that does not exist or is empty, not inside another run.
        params: of `make_model(config.model)`, as they are to be used: those that `load_model` gave have the
            calibration that its record speaks of in them already.
        config: whose `model` is the network; the rest is kept as it is.
        step: after how many steps.
        record: JSON values and arrays that are to be kept, as `LoadedModel.record`.

    Returns:
        What `load_model` gives.

    Raises:
        InputError: the folder cannot be had, the params are not of this network, or no numbers, or what is to
            be kept is no JSON.
        DigitjaxError: it cannot be written.
    """
    run = Path(run).resolve()
    number = operator.index(step)
    if not isinstance(config, TrainConfig):
        raise InputError(f"config is a {type(config).__name__}: give TrainConfig(model=...)")
    if not 0 <= number < 10**18:
        raise InputError(f"step {number} is out of range: give 0 to {10**18 - 1}")
    held = _on_host(params, config)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    known = dict.fromkeys(("accuracy", "loss", "epoch")) | {"validation": {}} | _as_json(record or {})
    known |= {"parameters": count_params(held), "date": date, **_folded_in(known)}
    above = [folder for folder in run.parents if not os.path.lexists(folder)]
    part = run.parent / f".{uuid.uuid4().hex}.part"
    try:
        _require_place(run)
        part.mkdir(parents=True)
        runs.write_config(part, config, date=date)
        write_params(part, number, held, known)
        loaded = load_model(part)
        finish.write_summary(part, loaded, (), None)
        if run.is_dir():
            run.rmdir()  # Windows renames to no folder that is there
        part.rename(run)
    except OSError as error:
        with contextlib.suppress(OSError):
            _require_empty(run)  # another may have been faster
        raise InputError(f"{run} cannot be written ({error.strerror}): give another folder") from error
    except DigitjaxError as error:
        raise type(error)(str(error).replace(str(part), str(run))) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        claim.remove_empty(above)
    return loaded._replace(run=run)


def _require_place(run: Path) -> None:
    """Refuses a folder that is no place for a run.

    Raises:
        InputError: it holds something, lies in a run, or its name or place means something else.
    """
    around = next((folder for folder in (run.parent, run.parent.parent) if _is_ours(folder)), None)
    if around is not None:
        raise InputError(f"{run} lies in the run {around}: give a folder beside it")
    if not run.name or run.name in runs.RESERVED or run.name.startswith("."):
        raise InputError(f"{run} cannot be a run's folder, its name means something else: give another name")
    if run == Path.cwd():
        raise InputError(f"{run} is the folder that this program runs in: give one inside it")
    _require_empty(run)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is that of a run, by what its config.json says: others have such files, too."""
    try:
        return {"format", "config"} <= manifest.read_json(folder / runs.CONFIG).keys()
    except InputError:
        return False


def _folded_in(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record is to say of the calibration where the params have it in them."""
    return {"calibration": None, "calibrated": record.get("calibration") or record.get("calibrated")}


def _on_host(params: Params, config: TrainConfig) -> Params:
    """The params as NumPy arrays, after their tree, shapes, dtypes and numbers were looked at.

    Raises:
        InputError: they are not of the network, no numbers, or were given away.
    """
    if any(isinstance(leaf, jax.Array) and leaf.is_deleted() for leaf in jax.tree.leaves(params)):
        raise InputError(
            "the params are not there any more: a step that donates its state has them; save those of the "
            "state that it gave back"
        )
    held = jax.tree.map(np.asarray, jax.device_get(params))
    key = jax.eval_shape(jax.random.key, 0)
    if wrong := difference(jax.eval_shape(make_model(config.model).init, key), held):
        raise InputError(f"the params are of another network than config.model: {wrong}")
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(held)):
        raise InputError("the params are no numbers: save those of an earlier step")
    return held


def _as_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """The same in JSON's own types.

    Raises:
        InputError: something in it is no JSON, or it is too large to be read back.
    """
    try:
        text = json.dumps(dict(record), default=_listed, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"record holds what is no JSON ({one_line(str(error))}): leave it out") from error
    if len(text) > manifest.MAX_JSON_BYTES // 2:
        raise InputError(f"record has {len(text) >> 20} MiB: keep what is large in a file of its own")
    return json.loads(text)


def export(step: Path, target: Path) -> None:
    """Writes one step's params, alone and calibrated, as a run of its own: small enough to ship.

    Of the files that it learnt from only the names are kept, not the folders of whoever trained it.

    Args:
        step: folder of a published step.
        target: a folder that does not exist or is empty.

    Raises:
        InputError: the step is not sound, or the target is not empty.
    """
    _require_empty(target)
    loaded = load_model(step)
    target.mkdir(parents=True, exist_ok=True)
    config = manifest.read_json(loaded.run / runs.CONFIG)
    config.pop("notices", None)  # they name folders in words
    manifest.write_json(target / runs.CONFIG, _without_folders(config, loaded))
    record = _without_folders(loaded.record, loaded)
    record |= _folded_in(record)
    write_params(target, loaded.step, loaded.params, record)


def _listed(value: Any) -> Any:
    if not isinstance(value, np.ndarray | np.generic | jax.Array):
        raise TypeError(f"a {type(value).__name__}")
    return value.tolist()


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder: give another")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: remove it or give another folder")


def _without_folders(values: Any, loaded: LoadedModel) -> Any:
    """JSON values in which the paths of the run's data, and of networks that it learnt from, are names."""
    if isinstance(values, dict):
        return {_without_folders(k, loaded): _without_folders(v, loaded) for k, v in values.items()}
    if isinstance(values, list):
        return [_without_folders(value, loaded) for value in values]
    if isinstance(values, str):
        for spec in loaded.config.data:
            path = spec.partition(":")[2]
            folder = path[: max(path.rfind("/"), path.rfind("\\")) + 1]
            values = values.replace(f":{folder}", ":") if folder else values
        if values in (loaded.config.start, *loaded.config.distil):
            parts = values.replace("\\", "/").replace(f"/{runs.HISTORY}/", "/").rstrip("/").split("/")
            values = "/".join(parts[-2:] if parts[-1].isdigit() else parts[-1:])
    return values
