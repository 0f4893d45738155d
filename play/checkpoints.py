"""Which networks there are: the steps to try at the start, and every run with what is known of it."""

from pathlib import Path
from typing import Any

from digitjax import manifest, paths, runs
from digitjax.config import ModelConfig
from digitjax.errors import InputError
from play.answers import ModelInfo


class NoDefault(InputError):
    """There are runs to choose from, but none that is taken unasked."""


def first_steps(checkpoint: str | None) -> tuple[list[Path], list[str]]:
    """The steps to try at the start in their order, and why others before them cannot be used.

    Raises:
        InputError: none can be used.
        NoCheckpoint: there is none at all.
        NoDefault: there are runs to choose from.
    """
    if checkpoint is not None:
        return [runs.resolve(checkpoint)], []
    folder, steps, passed = paths.checkpoints_dir(), [], []
    latest = runs.latest_run(folder)
    if latest is None and (folder / runs.LATEST).exists():
        passed.append(f"{folder / runs.LATEST} names no run that is there")
    for run in dict.fromkeys((latest, folder / runs.DEFAULT, runs.shipped())):
        if run is not None and runs.is_run(run):
            try:
                _refuse_link_outside(run)
                steps.append(runs.best_step(run))
            except InputError as error:
                passed.append(str(error))
    if not steps and passed:
        raise InputError("; ".join(passed))
    if not steps and runs.list_runs(folder):
        raise NoDefault(
            f"{folder} has runs but no default: choose a run in Models, or name one with --checkpoint"
        )
    return steps or [runs.resolve(None)], passed


def info_of(loaded: Any) -> ModelInfo:
    """What the screen says about a loaded network."""
    return _info(loaded.run, loaded.step, loaded.record, loaded.config.model)


def list_models() -> tuple[ModelInfo, ...]:
    """Every run in the checkpoints folder and the shipped one, broken ones with the reason."""
    folder = paths.checkpoints_dir()
    folders = runs.list_runs(folder)
    if folder.is_dir():
        bare = (path for path in folder.iterdir() if not runs.is_run(path))
        folders += [
            path for path in bare if runs.step_folders(path) or runs.step_folders(path / runs.HISTORY)
        ]
        folders.sort()
    if (shipped := runs.shipped()) is not None and all(folder.name != runs.DEFAULT for folder in folders):
        folders.append(shipped)
    found = []
    for run in folders:
        try:
            _refuse_link_outside(run)
            step = runs.best_step(run)
            if not runs.is_run(run):
                runs.read_config(run)
            checked = manifest.verify(step, run / runs.CONFIG)
            found.append(_info(run, checked.step, checked.record, runs.read_config(run).model))
        except Exception as error:
            found.append(ModelInfo(run.name, str(run), error=" ".join(str(error).split())[:300]))
    return tuple(found)


def _refuse_link_outside(run: Path) -> None:
    if run.is_symlink() and run.resolve().parent != run.parent.resolve():
        raise InputError(f"{run} is a link to {run.resolve()}: name that folder with --checkpoint")


def _info(run: Path, step: int, record: dict, model: ModelConfig) -> ModelInfo:
    accuracy, date, parameters = record.get("accuracy"), record.get("date"), record.get("parameters")
    return ModelInfo(
        run.name,
        str(run),
        step,
        float(accuracy) if isinstance(accuracy, int | float) else None,
        str(date)[:16].replace("T", " ") if date else "",
        int(parameters) if isinstance(parameters, int) else None,
        model.geometry,
        held_out=held_out(record),
        rejects=model.rejects,
    )


def held_out(record: dict) -> str:
    """The digits of which a step's record says the one accuracy: "mnist and 2 more sets together (8,321
    validation digits)"; "" where it does not say.

    As in training, they are those that people wrote; all where nobody did.
    """
    sets = record.get("validation")
    counts = {
        name: result["n"]
        for name, result in (sets.items() if isinstance(sets, dict) else ())
        if isinstance(result, dict) and isinstance(result.get("n"), int)
    }
    names = [name for name in counts if not name.startswith("synthetic")] or [*counts]
    if not names:
        return ""
    first = names[0].removesuffix("@validation")
    first = Path(first.partition(":")[2]).name.partition(".")[0] or first
    others = len(names) - 1
    more = f" and {others} more set{'s' if others > 1 else ''} together" if others else ""
    return f"{first}{more} ({sum(counts[name] for name in names):,} validation digits)"
