"""Many runs: every setting with every seed, by one compiled step, and settings compared by validation alone.

On the CPU one after the other: there members at once as batched products took 1.5 times as long (four seeds
of `speedrun`, median of nine rounds in turns, two busy cores, 2026-11-26), as grouped convolutions far more.
On an accelerator at once, where a network is small (`together.py`). Either way each is a run like any other,
resumable by itself.
"""

import contextlib
import dataclasses
import datetime
import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from signal import SIGINT
from typing import Any, NamedTuple

import numpy as np

from digitjax import claim, finish, loop, manifest, runs, sharding, together
from digitjax.checkpoint import LoadedModel, load_model, write_params
from digitjax.config import MAX_MEMBERS, OptimConfig, TrainConfig
from digitjax.data.pipeline import Examples
from digitjax.errors import DigitjaxError, Diverged, InputError
from digitjax.interrupt import Interrupted
from digitjax.models import count_params, make_model, stack_members
from digitjax.prepare import Prepared, prepare
from digitjax.progress import say
from digitjax.validation import pooled, validate

MEMBERS = 10_000
"""Runs in a sweep at most."""


class Setting(NamedTuple):
    """One combination of what is varied.

    Attributes:
        values: by the field's name on the command line; empty where nothing but the seed is varied.
        config: with the first seed.
    """

    values: Mapping[str, Any]
    config: TrainConfig


class Member(NamedTuple):
    """One run of a sweep.

    Attributes:
        setting: its place among the settings.
        run: its folder.
        config: its configuration.
    """

    setting: int
    run: Path
    config: TrainConfig


class Shared(NamedTuple):
    """What the members of a setting share.

    Attributes:
        key: the configuration without what may differ.
        prepared: data and compiled step.
        tests: the test splits.
    """

    key: TrainConfig
    prepared: Prepared
    tests: list[Examples]


def members_of(settings: Sequence[Setting], seeds: int, folder: Path) -> list[Member]:
    """The runs of a sweep, a folder each.

    Raises:
        InputError: too many of them.
    """
    if not 1 <= seeds * len(settings) <= MEMBERS:
        raise InputError(
            f"--seeds {seeds} with {len(settings)} settings is out of range: give 1 to {MEMBERS} runs in all"
        )
    found = []
    for number, setting in enumerate(settings):
        parts = [f"{name.rpartition('.')[2]}-{words(value, 'x')}" for name, value in setting.values.items()]
        for seed in range(setting.config.seed, setting.config.seed + seeds):
            name = "_".join((*parts, f"seed{seed}"))
            found.append(Member(number, folder / name, dataclasses.replace(setting.config, seed=seed)))
    return found


def sweep(settings: Sequence[Setting], seeds: int, folder: Path) -> dict[str, Any]:
    """Trains every member that has not finished, then averages those of the best setting into an ensemble.

    Args:
        settings: at least one.
        seeds: runs of each.
        folder: of the sweep; one that was stopped goes on, one of other configurations is refused.

    Returns:
        What sweep.json holds: `settings` in the order of their validation, `ensemble` (None for one seed).

    Raises:
        InputError: the folder or the data cannot be used.
        Interrupted: stopped by a signal, after saving; of members at once those that are written.
        DigitjaxError: no member could be trained to its end, or a checkpoint cannot be written.
    """
    members = members_of(settings, seeds, folder)
    with _held(folder, members):
        shared = _train_all(members)
        rows = [
            _row(setting, [member for member in members if member.setting == number])
            for number, setting in enumerate(settings)
        ]
        order = sorted(
            range(len(rows)), key=lambda n: (rows[n]["diverged"], -(rows[n]["validation"]["mean"] or 0))
        )
        best = settings[order[0]]
        if not rows[order[0]]["members"]:
            raise DigitjaxError(f"no run in {folder} was trained to its end: give lower learning rates")
        kept = [folder / name for name in rows[order[0]]["members"]][:MAX_MEMBERS]
        ensemble = _ensemble(best.config, kept, folder, shared)
        result = {"format": 1, "settings": [rows[number] for number in order], "ensemble": ensemble}
        manifest.write_json(folder / runs.SWEEP, result)
    return result


def _train_all(members: Sequence[Member]) -> Shared | None:
    """Trains every member that has not finished; what the last of them shared, None where all had."""
    courses: dict[Path, together.Course] = {}
    keys = [_key(member.config) for member in members]
    alike = sorted(members, key=lambda member: keys.index(_key(member.config)))  # one step serves neighbours
    shared = None
    for number, member in enumerate(alike, start=1):
        if runs.is_finished(member.run):
            continue
        shared = _shared(member.config, shared)
        if together.wanted(member.config) and member.run not in courses and not runs.is_run(member.run):
            courses |= _train_together(alike[number - 1 :], shared)
        say(f"{member.run.name}: {number} of {len(members)}")
        _train(member, shared, courses.pop(member.run, None))
    return shared


def words(value: Any, between: str = " ") -> str:
    """A field's value as text."""
    return between.join(map(str, value)) if isinstance(value, tuple | list) else str(value)


@contextlib.contextmanager
def _held(folder: Path, members: Sequence[Member]) -> Iterator[None]:
    """Makes the folder of a sweep, which says that it is one, and holds it.

    After an error before the first member has begun all is as it was.
    """
    _require_fitting(folder, members)
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}): give --out a folder that can be written"
        ) from error
    is_new = not (folder / runs.SWEEP).exists()
    try:
        with claim.locked(folder):
            _require_fitting(folder, members)  # another sweep may have begun and ended in between
            if is_new:
                manifest.write_json(folder / runs.SWEEP, {"format": 1})
            yield
    except BaseException:
        own = {runs.SWEEP, claim.LOCK}
        with contextlib.suppress(OSError):
            if is_new and not claim.is_held(folder) and {path.name for path in folder.iterdir()} <= own:
                for name in own:
                    (folder / name).unlink(missing_ok=True)
                claim.remove_empty(missing)
        raise


def _require_fitting(folder: Path, members: Sequence[Member]) -> None:
    """Nothing is begun where a member's folder holds another run."""
    if (
        folder.exists()
        and not (folder / runs.SWEEP).exists()
        and (not folder.is_dir() or any(_is_another_s(path) for path in folder.iterdir()))
    ):
        raise InputError(f"{folder} is no sweep: give --out a folder that is empty or does not exist")
    for member in members:
        if runs.is_run(member.run) and runs.read_config(member.run) != member.config:
            raise InputError(
                f"{member.run} was trained by another configuration: give this sweep another --out"
            )


def _is_another_s(path: Path) -> bool:
    """Whether a file in a folder without sweep.json is none of a sweep that begins, or was killed then."""
    return path.name != claim.LOCK and not manifest.is_part(path)


def _shared(config: TrainConfig, before: Shared | None) -> Shared:
    """Data and step for a configuration; those of the one before where they serve."""
    key = _key(config)
    if before is not None and before.key == key:
        return before
    prepared = prepare(config, sharding.data_mesh(config.batch_size))
    tests = finish.test_sets(prepared.pipeline.specs, config.model.geometry)
    return Shared(key, prepared, tests)


def _key(config: TrainConfig) -> TrainConfig:
    """A configuration without what may differ between members that share data and step."""
    default = OptimConfig()
    optim = dataclasses.replace(
        config.optim,
        learning_rate=default.learning_rate,
        weight_decay=default.weight_decay,
        label_smoothing=default.label_smoothing,
    )
    return dataclasses.replace(config, seed=0, start="", optim=optim)


def _train_together(members: Sequence[Member], shared: Shared) -> dict[Path, together.Course]:
    """Trains the first of the members, not begun yet, with those after it that can be, if any; by folder."""
    fitting = [one for one in members if not runs.is_run(one.run) and _key(one.config) == shared.key]
    taken = fitting[: together.most(members[0].config)]
    if shared.prepared.pipeline.on_device is None or len(taken) == 1:
        return {}
    say(f"training {len(taken)} members at once, from {taken[0].run.name} on")
    try:
        courses = together.train([one.config for one in taken], shared.prepared)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped before the {len(taken)} members were done; the same command begins them anew", SIGINT
        ) from None
    return {one.run: course for one, course in zip(taken, courses, strict=True)}


def _train(member: Member, shared: Shared, course: together.Course | None) -> None:
    """Trains a member, or what is left of it, or writes how it was trained; measures it."""
    resume = runs.is_run(member.run)
    same_data = not resume or runs.read_data(member.run) == shared.prepared.pipeline.specs
    ready = shared.prepared if course is None else together.taking(shared.prepared, course)
    with claim.locked(member.run) if resume else claim.new_run(member.config, member.run):
        try:
            trained = loop.train(
                member.config, member.run, resume=resume, prepared=ready if same_data else None
            )
        except Interrupted as stopped:
            raise Interrupted(
                f"stopped and saved {member.run.name}; the same command goes on", stopped.exit_code - 128
            ) from None
        except Diverged as error:
            say(f"{member.run.name} is left out: {error}")
            return
        loaded = load_model(member.run)
        evaluations = [one.evaluation for one in finish.measure(loaded, shared.tests)]
        finish.write_summary(member.run, loaded, evaluations, trained.seconds)


def _row(setting: Setting, members: Sequence[Member]) -> dict[str, Any]:
    """What is known of a setting: means and sample standard deviations over its finished members."""
    finished = [member for member in members if runs.is_finished(member.run)]
    summaries = [manifest.read_json(member.run / runs.SUMMARY) for member in finished]
    tests = {test["data"]: [] for summary in summaries for test in summary["test"]}
    for test in itertools.chain.from_iterable(summary["test"] for summary in summaries):
        tests[test["data"]].append(test["accuracy"])
    return {
        "setting": dict(setting.values),
        "members": [member.run.name for member in finished],
        "diverged": len(members) - len(finished),
        "validation": _spread([summary["validation"] for summary in summaries]),
        "test": {data: _spread(values) for data, values in tests.items()},
        "training_seconds": _spread([summary["training_seconds"] for summary in summaries]),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    return {
        "mean": float(np.mean(values)) if values else None,
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
    }


def _ensemble(
    config: TrainConfig, members: Sequence[Path], folder: Path, shared: Shared | None
) -> dict[str, Any] | None:
    """Publishes the members' best steps as one network, a run like any other, and says how it does.

    Of one member there is none, and one of more that were trained before goes.
    """
    if len(members) == 1:
        _discard(folder / runs.ENSEMBLE)
        return None
    loaded = [load_model(member) for member in members]
    taken = {one.run.name: one.step for one in loaded}
    run = folder / runs.ENSEMBLE
    if runs.is_finished(run) and manifest.read_json(run / runs.CONFIG).get("members") == taken:
        return _about_ensemble(run)
    whole = dataclasses.replace(config, model=dataclasses.replace(config.model, members=len(loaded)))
    shared = _shared(config, shared)
    part = run.with_name(f".{run.name}.part")  # no run for who lists them
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    specs = list(shared.prepared.pipeline.specs)
    runs.write_config(part, whole, data=specs, members=taken, date=date)
    write_params(part, *_averaged(whole, loaded, shared.prepared.pipeline.validation, date))
    found = load_model(part)
    evaluations = [one.evaluation for one in finish.measure(found, shared.tests)]
    seconds = sum(manifest.read_json(member / runs.SUMMARY)["training_seconds"] for member in members)
    finish.write_summary(part, found, evaluations, seconds)
    _discard(run)  # until here the one before could be taken
    part.rename(run)
    return _about_ensemble(run)


def _discard(run: Path) -> None:
    """Removes a run that may be there, in one move: half of one could be taken for a whole one."""
    old = run.with_name(f".{run.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if run.exists():
        run.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def _averaged(
    config: TrainConfig, loaded: Sequence[LoadedModel], validation: Sequence[Examples], date: str
) -> tuple[int, Any, dict[str, Any]]:
    """Step, params and record of an ensemble."""
    params = stack_members([one.params for one in loaded])
    sets = [examples for examples in validation if (np.asarray(examples.labels) < 10).any()]
    results = validate(make_model(config.model), params, sets).results
    record: dict[str, Any] = {name: pooled(results, name) for name in ("accuracy", "loss")}
    record |= {"validation": results, "parameters": count_params(params), "date": date, "epoch": None}
    return max(one.step for one in loaded), params, record


def _about_ensemble(run: Path) -> dict[str, Any]:
    summary = manifest.read_json(run / runs.SUMMARY)
    return {
        "checkpoint": str(run.parent),
        "members": list(manifest.read_json(run / runs.CONFIG)["members"]),
        "validation": summary["validation"],
        "test": {test["data"]: test["accuracy"] for test in summary["test"]},
    }


def combine(base: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Every combination of the values of each field, the last field's changing first."""
    for values in itertools.product(*base.values()):
        yield dict(zip(base, values, strict=True))
