"""Params as a run of their own: of somebody's own loop, or of one step, small enough to ship."""

import datetime
import operator
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, SupportsIndex

from digitjax import manifest, runs
from digitjax.checkpoint import LoadedModel, load_model, write_params
from digitjax.config import TrainConfig
from digitjax.errors import InputError
from digitjax.models import count_params
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
        run: a folder that does not exist or is empty.
        params: of `make_model(config.model)`.
        config: whose `model` is the network; the rest is kept as it is.
        step: after how many steps.
        record: JSON values that are to be kept, as `LoadedModel.record`.

    Returns:
        What `load_model` gives.

    Raises:
        InputError: the folder holds something, or the params are not of this network, or no numbers.
        DigitjaxError: it cannot be written.
    """
    run = Path(run)
    _require_empty(run)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    known = dict.fromkeys(("accuracy", "loss", "epoch")) | {"validation": {}}
    known |= {"parameters": count_params(params), "date": date} | dict(record or {})
    part = run.absolute().with_name(f".{run.absolute().name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of one that was killed
    try:
        _make(part)
        runs.write_config(part, config, date=date)
        write_params(part, operator.index(step), params, known)
        load_model(part)
        if run.exists():
            run.rmdir()
        part.rename(run)
    except InputError as error:
        raise InputError(str(error).replace(str(part), str(run))) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return load_model(run)


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
    _make(target)
    config = manifest.read_json(loaded.run / runs.CONFIG)
    config.pop("notices", None)  # they name folders in words
    manifest.write_json(target / runs.CONFIG, _without_folders(config, loaded))
    record = _without_folders(loaded.record, loaded)
    record |= {"calibration": None, "calibrated": record.get("calibration")}
    write_params(target, loaded.step, loaded.params, record)


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder: give another")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: remove it or give another folder")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): give another folder") from error


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
