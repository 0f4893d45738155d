"""The folder of a training run, and which step of which run a word on the command line means.

    checkpoints/
      latest                 text: the name of the last `cnn…` run that finished
      cnn-0/
        config.json          the configuration, versions, devices and what the data came with
        metrics.jsonl        a line for every tenth step and for each epoch
        468/ 936/ ...        full state: the last two and the best by validation
        history/0/ 1/ 2/ ... params alone: steps 0, 1, 2, 4, 8 … and each epoch
        changes.jsonl        what was changed while it was trained, by `digitjax.steering`
        hardest.json         the validation digits that the last epoch found hardest
        summary.json         written when the run has finished
        report.png
      cnn-sweep/             many runs at once (`digitjax sweep`), each as above
        sweep.json           what was varied, and how each setting did
        seed0/ seed1/ ...
        ensemble/            the members of the best setting as one network

No JAX here, so that a checkpoint is found before anything heavy is imported.
"""

import contextlib
import dataclasses
import difflib
import os
import typing
from collections.abc import Mapping
from pathlib import Path

from digitjax import manifest, paths
from digitjax.config import TrainConfig, to_dict
from digitjax.errors import InputError

CONFIG, METRICS, SUMMARY, REPORT = "config.json", "metrics.jsonl", "summary.json", "report.png"
HARDEST = "hardest.json"
HISTORY, LATEST, DEFAULT, NEWEST = "history", "latest", "default", "newest"
SWEEP, ENSEMBLE = "sweep.json", "ensemble"
RESERVED = (HISTORY, LATEST, NEWEST)
"""Names that mean something else than a run."""
SHIPPED = (
    Path(__file__).resolve().parent / "_shipped" / DEFAULT,
    Path(__file__).resolve().parents[1] / "checkpoints" / DEFAULT,
)
"""Where a wheel carries the shipped checkpoint, and where a clone does."""


class NoCheckpoint(InputError):
    """There is no checkpoint that could be taken: one has to be trained first."""


def write_config(run: Path, config: TrainConfig, **about: object) -> None:
    """Writes the run's config.json; `about` is what else is to be known (versions, devices, notices)."""
    manifest.write_json(run / CONFIG, {"format": manifest.FORMAT, "config": to_dict(config), **about})


def read_config(run: Path) -> TrainConfig:
    """The configuration of a run.

    Raises:
        InputError: config.json is missing, of a newer version, or says nonsense.
    """
    path = run / CONFIG
    if not path.is_file():
        raise InputError(
            f"{run} is no training run: it has no {CONFIG}; give a folder that `digitjax train` made"
        )
    body = manifest.read_json(path)
    version = body.get("format")
    if type(version) is not int or version < 1:
        raise InputError(f"{path} is damaged: it has no format version; give another checkpoint")
    if version > manifest.FORMAT:
        raise InputError(
            f"{path} has format {version}, this digitjax reads up to {manifest.FORMAT}: update digitjax"
        )
    try:
        return config_from_dict(_migrated(body.get("config"), version))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_data(run: Path) -> tuple[str, ...]:
    """The specs that a run was begun with, the default filled in.

    Raises:
        InputError: config.json does not say.
    """
    data = manifest.read_json(run / CONFIG).get("data")
    if not isinstance(data, list) or not data or not all(isinstance(text, str) for text in data):
        raise InputError(
            f"{run / CONFIG} does not say what the run was trained on: train anew without --resume"
        )
    return tuple(data)


def was_streamed(run: Path) -> bool:
    """Whether a run was begun with `--stream`, and so goes on with it."""
    return manifest.read_json(run / CONFIG).get("stream") is True


def config_from_dict(values: object) -> TrainConfig:
    """The configuration that `config.to_dict` wrote, every value checked.

    Raises:
        InputError: an unknown field, a value of another type, or one out of range.
    """
    return _build(TrainConfig, values, "")


def is_run(folder: Path) -> bool:
    """Whether the folder is that of a training run."""
    return os.path.isfile(folder / CONFIG)  # False also where one may not look


def is_finished(run: Path) -> bool:
    """Whether the run has trained to its end and was evaluated."""
    return (run / SUMMARY).is_file()


def run_of(step: Path) -> Path:
    """The run folder that a step belongs to."""
    return step.parent.parent if step.parent.name == HISTORY else step.parent


def step_folders(folder: Path) -> list[Path]:
    """Every folder in `folder` that is named like a step, finished or not, in order."""
    if not folder.is_dir():
        return []
    return sorted(
        (p for p in folder.iterdir() if p.is_dir() and _is_number(p.name)), key=lambda p: int(p.name)
    )


def full_steps(run: Path) -> list[Path]:
    """Published steps that training can go on from, in order."""
    return [step for step in step_folders(run) if manifest.is_published(step)]


def history(run: Path) -> list[Path]:
    """Every published step of a run in order, each once; what a film of the training is made of."""
    steps = {int(p.name): p for p in step_folders(run) if manifest.is_published(p)}
    steps |= {int(p.name): p for p in step_folders(run / HISTORY) if manifest.is_published(p)}
    return [steps[number] for number in sorted(steps)]


def best_step(run: Path) -> Path:
    """The published step with the best validation, else the last.

    Raises:
        InputError: the run has no finished step.
    """
    steps = history(run)
    if not steps:
        for step in (*step_folders(run), *step_folders(run / HISTORY)):
            if (step / manifest.NAME).is_file():
                manifest.verify(step, run / CONFIG)
        raise InputError(f"{run} has no finished checkpoint yet: wait for its first step or give another run")
    return max(steps, key=lambda step: (_score(step), int(step.name)))


def newest_step(folder: Path) -> Path:
    """The step published last in any run of the checkpoints folder.

    Raises:
        NoCheckpoint: there is none.
    """
    steps = [
        max(found, key=_published_at)
        for run in list_runs(folder)
        if run.name != DEFAULT and (found := history(run))
    ]
    if not steps:
        raise NoCheckpoint(f"{folder} has no checkpoint: run `make train`, or `digitjax train`, first")
    return max(steps, key=_published_at)


def list_runs(folder: Path) -> list[Path]:
    """Every run in the checkpoints folder, by name, but those under a dot, which are not whole.

    Raises:
        InputError: the folder cannot be read.
    """
    if not folder.is_dir():
        return []
    try:
        return sorted(p for p in folder.iterdir() if is_run(p) and not p.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): make it readable") from None


def validation_text(record: Mapping[str, typing.Any]) -> str:
    """`validation 99.40 % mnist, 93.08 % synthetic`: a step's record for people; "" where it has none."""
    by_source, pooled = record.get("validation"), record.get("accuracy")
    if isinstance(by_source, dict):
        parts = [
            f"{100 * accuracy:.2f} % {_short(name)}"
            for name, result in by_source.items()
            if _is_fraction(accuracy := isinstance(result, dict) and result.get("accuracy"))
        ]
        if parts:
            return f"validation {', '.join(parts)}"
    return f"validation {100 * pooled:.2f} %" if _is_fraction(pooled) else ""


def _is_fraction(value: object) -> typing.TypeGuard[float]:
    return isinstance(value, float) and 0 <= value <= 1


def _short(spec: str) -> str:
    """`mnist` of `mnist@validation`, `a.ndjson` of `strokes:there/a.ndjson@validation`."""
    name = spec.removesuffix("@validation")
    return Path(name.partition(":")[2]).name or name


def near_misses(text: str, folder: Path, *words: str) -> list[str]:
    """What may have been meant by a run's name or path, as it can be typed, the nearest first.

    Args:
        text: a run, its path, or RUN/STEP.
        folder: whose runs go by their names.
        words: what else could have been meant.
    """
    path = Path(text)
    typed = {word: word for word in words} | {run.name: run.name for run in list_runs(folder)}
    for place in (path.parent, path.parent.parent):
        with contextlib.suppress(OSError, InputError):
            for run in list_runs(place):
                typed.setdefault(run.name, str(run))
    named = path.parent.name if _is_number(path.name) else path.name
    near = difflib.get_close_matches(text, typed, n=3, cutoff=0.6)
    near += difflib.get_close_matches(named, typed, n=3, cutoff=0.6)
    return [typed[name] for name in dict.fromkeys(near)][:3]


def set_latest(run: Path) -> None:
    """Makes `run` what is used when nothing is said; a run outside the checkpoints folder never is."""
    if run.parent.resolve() != paths.checkpoints_dir().resolve():
        return
    manifest.write_text(run.parent / LATEST, run.name + "\n")


def latest_run(folder: Path) -> Path | None:
    """The run that `latest` names, if it is still there."""
    try:
        if not (folder / LATEST).is_file():
            return None
        with (folder / LATEST).open(encoding="utf-8") as file:
            name = file.read(256).strip()
    except (OSError, UnicodeDecodeError):
        return None
    run = folder / name
    return run if name != ".." and Path(name).name == name and is_run(run) else None


def shipped() -> Path | None:
    """The checkpoint that came with digitjax, wherever the program was started."""
    return next((run for run in SHIPPED if is_run(run)), None)


def resolve(checkpoint: str | None = None) -> Path:
    """The step that `--checkpoint` means: a run (its best step), a sweep (its ensemble), RUN/STEP, `newest`,
    or nothing.

    Nothing means the last `cnn…` run that finished, else `checkpoints/default`, else what was shipped.

    Raises:
        InputError: no such checkpoint; near misses are named.
        NoCheckpoint: nothing was given, or `newest`, and there is none.
    """
    folder = paths.checkpoints_dir()
    if checkpoint == NEWEST:
        return newest_step(folder)
    if checkpoint is None:
        for run in (latest_run(folder), folder / DEFAULT, shipped()):
            if run is not None and is_run(run):
                return best_step(run)
        raise NoCheckpoint(f"{folder} has no checkpoint: run `make train`, or `digitjax train`, first")
    if not checkpoint.strip():
        raise InputError("--checkpoint '' names nothing: give a run, RUN/STEP or newest")
    places = [Path(checkpoint), folder / checkpoint]
    if checkpoint == DEFAULT and (own := shipped()) is not None:
        places.append(own)
    for place in places:
        if (step := _step_at(place)) is not None:
            return step
    for place in places:
        if place.is_dir():
            read_config(place)
    raise _unknown(checkpoint, folder)


def _step_at(place: Path) -> Path | None:
    if is_run(place):
        return best_step(place)
    if is_run(place / ENSEMBLE):
        return best_step(place / ENSEMBLE)
    if os.path.isfile(place / SWEEP):
        members = ", ".join(run.name for run in list_runs(place)[:8]) or "none has begun"
        raise InputError(f"{place} is a sweep without an ensemble: give one of its members ({members})")
    if place.is_dir() and _is_number(place.name) and is_run(run_of(place)):
        return place
    kept_params = place.parent / HISTORY / place.name
    if _is_number(place.name) and kept_params.is_dir():
        return kept_params
    return None


def _unknown(checkpoint: str, folder: Path) -> InputError:
    run, _, step = checkpoint.rpartition("/")
    for place in (Path(run), folder / run):
        if run and _is_number(step) and is_run(place):
            steps = [int(p.name) for p in history(place)]
            near = ", ".join(str(s) for s in sorted(sorted(steps, key=lambda s: abs(s - int(step)))[:5]))
            return InputError(
                f"checkpoint {checkpoint!r}: {place} has no step {step}; give one of {near or '(none)'}"
            )
    if near := near_misses(checkpoint, folder, NEWEST, DEFAULT):
        return InputError(f"checkpoint {checkpoint!r} does not exist: did you mean {' or '.join(near)}?")
    known = ", ".join(p.name for p in list_runs(folder)[:8]) or "it is empty"
    return InputError(
        f"checkpoint {checkpoint!r} does not exist: give a run in {folder} ({known}), RUN/STEP or newest"
    )


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 18


def _score(step: Path) -> float:
    score = manifest.read(step).record.get("score")
    with contextlib.suppress(OverflowError):
        return float(score) if isinstance(score, int | float) else float("-inf")
    return float("-inf")


def _published_at(step: Path) -> tuple[int, int]:
    return (step / manifest.NAME).stat().st_mtime_ns, int(step.name)


def _migrated(values: object, version: int) -> object:
    """A configuration in this format; in the first one the only dense layer's width was a number."""
    model = values.get("model") if isinstance(values, dict) else None
    if version > 1 or not isinstance(values, dict) or not isinstance(model, dict):
        return values
    hidden = model.get("hidden")
    return values | {"model": model | ({"hidden": [hidden]} if isinstance(hidden, int) else {})}


def _build(kind: type, values: object, prefix: str) -> typing.Any:
    if not isinstance(values, dict):
        raise InputError(f"{prefix.rstrip('.') or 'config'} is no table of fields: give another checkpoint")
    hints = typing.get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise InputError(f"field {(prefix + name)[:60]!r} is unknown: it needs a newer digitjax")
    given = {}
    for name, value in values.items():
        is_table = dataclasses.is_dataclass(hints[name])
        value = _build(hints[name], value, f"{prefix}{name}.") if is_table else value
        given[name] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**given)
    except InputError as error:
        raise InputError(f"{error}, or another checkpoint") from None
