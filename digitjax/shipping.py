"""A step as a run of its own, small enough to ship: params alone, and no folder of whoever trained it."""

from pathlib import Path
from typing import Any

from digitjax import manifest, runs
from digitjax.checkpoint import LoadedModel, load_model, write_params
from digitjax.errors import InputError


def export(step: Path, target: Path) -> None:
    """Writes one step's params, alone and calibrated, as a run of its own: small enough to ship.

    Of the files that it learnt from only the names are kept, not the folders of whoever trained it.

    Args:
        step: folder of a published step.
        target: a folder that does not exist or is empty.

    Raises:
        InputError: the step is not sound, or the target is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise InputError(f"{target} is not empty: remove it or give another folder")
    loaded = load_model(step)
    target.mkdir(parents=True, exist_ok=True)
    config = manifest.read_json(loaded.run / runs.CONFIG)
    config.pop("notices", None)  # they name folders in words
    manifest.write_json(target / runs.CONFIG, _without_folders(config, loaded))
    record = _without_folders(loaded.record, loaded)
    record |= {"calibration": None, "calibrated": record.get("calibration")}
    write_params(target, loaded.step, loaded.params, record)


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
