"""Checkpoints on Orbax: saving beside the training, and loading what was checked first.

A step is published when its manifest is there (`digitjax.manifest`). Nothing is pickled.
"""

import contextlib
import errno
import logging
import os
import queue
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jaxtyping import PyTree
from orbax.checkpoint.checkpoint_managers import preservation_policy

from digitjax import manifest, runs, sharding
from digitjax.calibrate import calibrated, from_record
from digitjax.config import TrainConfig
from digitjax.errors import DigitjaxError, InputError
from digitjax.models import count_params, make_model
from digitjax.types import Model, Params, TrainState

PARAMS, STATE, SCORE = "params", "state", "score"
MAX_BYTES = 2 << 30
"""Params or optimizer state larger than this are refused before anything is allocated."""

PRUNED = ".pruned"
"""Where steps that are not kept go in one move: deleted file by file where they lie, a killed trainer would
leave one that has its manifest and cannot be read."""

_ONE_SAVES = threading.Lock()
"""Orbax's signals are those of the process: of two threads that save at once one waits for five minutes."""
_UNRANKED = -1e9
_SPARE_BYTES = 4 << 20


class LoadedModel(NamedTuple):
    """A trained network, and where it comes from.

    Attributes:
        model: the network; `model.geometry` says what images it reads.
        params: its params, on the default device, the calibration of its odds folded into the last layers.
        config: the configuration that it was trained by.
        run: the run's folder.
        step: the training step.
        record: what is known of these params: `accuracy` and `loss` by validation (None before the first),
            `validation` by data set, `epoch`, `parameters`, `date`.
    """

    model: Model
    params: Params
    config: TrainConfig
    run: Path
    step: int
    record: dict

    def __str__(self) -> str:
        known = runs.validation_text(self.record)
        return f"{self.run.name}, step {self.step}{known and f', {known}'} ({self.run})"


def load_model(path: Path | str | None = None) -> LoadedModel:
    """Loads a network for use on this machine's default device, whatever it was trained on.

    Args:
        path: folder of a run (its best step) or of a step, or anything that `--checkpoint` takes; None
            for the default.

    Raises:
        InputError: no checkpoint, unfinished, damaged, of a newer version, or of absurd size.
    """
    step = runs.resolve(None if path is None else str(path))
    run = runs.run_of(step)
    checked = _verify(step)
    config = runs.read_config(run)
    model = make_model(config.model)
    params = load_params(step, model, checked)
    return LoadedModel(model, params, config, run, checked.step, checked.record)


def load_params(step: Path, model: Model, checked: manifest.Manifest | None = None) -> Params:
    """The params of one step of a run, for a film of the training: verified, calibrated, on a device.

    Args:
        step: folder of the step.
        model: the network that the params must fit.
        checked: the step's manifest where it has just been verified.

    Raises:
        InputError: as `load_model`.
    """
    checked = _verify(step) if checked is None else _require_name(step, checked)
    try:
        expected = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0))  # a key itself is compiled
    except (RuntimeError, AssertionError):  # JAX finds no device: that is not the checkpoint's fault
        raise
    except Exception as error:
        raise InputError(
            f"{runs.run_of(step) / runs.CONFIG} describes a network that cannot be: give another checkpoint"
        ) from error
    params = _restore_params(step, expected, checked)
    calibration = from_record(checked.record)
    return jax.device_put(params if calibration is None else calibrated(params, calibration))


def load_state(step: Path, expected: TrainState) -> TrainState:
    """The full state of a step as NumPy arrays (the key as a key), to go on training from.

    Args:
        step: folder of the step.
        expected: `jax.eval_shape` of the state.

    Raises:
        InputError: as `load_model`, or the step holds params alone.
    """
    checked = _verify(step)
    params = _restore_params(step, expected.params, checked)
    key = jax.eval_shape(jax.random.key_data, expected.key)
    places = _flat(expected.opt_state)
    rest = _restore(step, STATE, {"opt_state": places, "step": expected.step, "key": key}, checked)
    if int(rest["step"]) != checked.step:
        raise InputError(
            f"{step} holds the state of step {int(rest['step'])}, so it is damaged: "
            f"take another step of this run"
        )
    opt_state = jax.tree.unflatten(
        jax.tree.structure(expected.opt_state), [rest["opt_state"][n] for n in places]
    )
    implementation = str(jax.random.key_impl(jax.random.key(0)))
    return TrainState(
        params, opt_state, rest["step"], jax.random.wrap_key_data(rest["key"], impl=implementation)
    )


class Saver:
    """Writes the steps of one run in a thread of its own, so that training goes on meanwhile.

    Use as a context manager: leaving it waits for what is under way. An error in the thread is raised by
    the next call.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._jobs: queue.Queue = queue.Queue(maxsize=2)
        self._error: Exception | None = None
        self._logger = logging.getLogger("absl")
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL)  # Orbax logs the errors that are raised here as a sentence
        self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
        self._thread.start()

    def save(self, state: TrainState, record: Mapping[str, Any], *, full: bool, keep_params: bool) -> None:
        """Copies what is to be saved on the device and returns before it is written.

        Args:
            state: the state after `state.step` steps.
            record: JSON values; `record["score"]` ranks the steps, more is better, None is unranked.
            full: save all of the state as a step that training can go on from.
            keep_params: keep these params for the run's life.
        """
        self._raise()
        params = jax.tree.map(lambda leaf: leaf.copy(), state.params)
        rest = None
        if full:
            opt_state = {name: leaf.copy() for name, leaf in _flat(state.opt_state).items()}
            rest = {
                "opt_state": opt_state,
                "step": state.step.copy(),
                "key": jax.random.key_data(state.key).copy(),
            }
        record = dict(record) | {"parameters": count_params(params)}
        self._jobs.put((params, rest, state.step.copy(), record, keep_params))

    def wait(self) -> None:
        """Returns when everything handed over is published."""
        self._jobs.join()
        self._raise()

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._jobs.put(None)
        self._thread.join()
        self._logger.setLevel(self._level)
        if kind is None:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            if isinstance(error, FileNotFoundError):
                raise DigitjaxError(
                    f"{self._run} is not there any more, it was deleted or moved meanwhile: train anew"
                ) from error
            raise DigitjaxError(
                f"checkpoint in {self._run} cannot be written ({_reason(error)}): make room or make the "
                f"folder writable, then add --resume"
            ) from error

    def _work(self) -> None:
        with contextlib.ExitStack() as stack:
            full = kept = None
            while (job := self._jobs.get()) is not None:
                try:
                    if self._error is None:
                        if full is None or kept is None:
                            full = stack.enter_context(_manager(self._run, best_only=True))
                            kept = stack.enter_context(_manager(self._run / runs.HISTORY, best_only=False))
                        with _ONE_SAVES:
                            self._write(job, full, kept)
                except Exception as error:
                    self._error = error
                finally:
                    self._jobs.task_done()
            with contextlib.suppress(Exception):
                stack.close()
            self._jobs.task_done()

    def _write(self, job: tuple, full: ocp.CheckpointManager, kept: ocp.CheckpointManager) -> None:
        params, rest, number, record, keep_params = job
        step = int(number)
        is_first = sharding.is_first()
        _require_room(self._run, (params, rest))
        metrics = {SCORE: _UNRANKED if record.get(SCORE) is None else record[SCORE]}
        config = self._run / runs.CONFIG
        # The full step last: with it a resumed run takes this step as done, its history included.
        folder = self._run / runs.HISTORY / str(step)
        if keep_params and not manifest.is_published(folder):
            kept.save(step, args=ocp.args.Composite(**{PARAMS: ocp.args.PyTreeSave(params)}), force=True)
            kept.wait_until_finished()
            if is_first:
                manifest.write(folder, step=step, contents=(PARAMS,), record=record, config=config)
        if rest is not None and not manifest.is_published(self._run / str(step)):
            items = {PARAMS: ocp.args.PyTreeSave(params), STATE: ocp.args.PyTreeSave(rest)}
            full.save(step, args=ocp.args.Composite(**items), metrics=metrics, force=True)
            full.wait_until_finished()
            if is_first:
                manifest.write(
                    self._run / str(step), step=step, contents=(PARAMS, STATE), record=record, config=config
                )
                _delete_pruned(self._run)


def _delete_pruned(run: Path) -> None:
    shutil.rmtree(run / PRUNED, ignore_errors=True)


def clear_unfinished(run: Path, *, after: int | None = None) -> None:
    """Removes what a killed trainer left half-written, and the steps after `after`, which will come again."""
    _delete_pruned(run)
    for folder in (run, run / runs.HISTORY):
        for step in runs.step_folders(folder):
            if not manifest.is_published(step) or (after is not None and int(step.name) > after):
                (step / manifest.NAME).unlink(missing_ok=True)  # first: half of it is no published step
                shutil.rmtree(step)
        for part in folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(part)
        if folder.is_dir():
            manifest.remove_parts(folder)


def write_params(run: Path, step: int, params: Params, record: Mapping[str, Any]) -> None:
    """Publishes params alone as a step of a run whose config.json is there.

    Args:
        run: the run's folder.
        step: the step's number.
        params: as `load_model` will give them back where the record has no calibration.
        record: JSON values, as `Saver.save` takes them.

    Raises:
        DigitjaxError: it cannot be written.
    """
    try:
        _require_room(run, params)
        with _ONE_SAVES, _manager(run, best_only=False) as manager:
            manager.save(step, args=ocp.args.Composite(**{PARAMS: ocp.args.PyTreeSave(params)}), force=True)
            manager.wait_until_finished()
        manifest.write(
            run / str(step), step=step, contents=(PARAMS,), record=dict(record), config=run / runs.CONFIG
        )
    except Exception as error:
        raise DigitjaxError(
            f"checkpoint in {run} cannot be written ({_reason(error)}): make room or make the folder "
            f"writable, then give the same command again"
        ) from error


def _require_room(folder: Path, tree: PyTree) -> None:
    """Refuses to write on a full disk, where Orbax prints tracebacks of its own.

    Raises:
        OSError: there is too little room.
    """
    needed = 2 * sum(leaf.nbytes for leaf in jax.tree.leaves(tree)) + _SPARE_BYTES
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _manager(folder: Path, *, best_only: bool) -> ocp.CheckpointManager:
    policy = preservation_policy.PreserveAll()
    if best_only:
        policy = preservation_policy.AnyPreservationPolicy(
            [
                preservation_policy.LatestN(2),
                preservation_policy.BestN(get_metric_fn=_score_of, n=1),
            ]
        )
    options = ocp.CheckpointManagerOptions(
        best_fn=_score_of if best_only else None,
        preservation_policy=policy,
        create=False,  # Orbax makes no folder for several processes
        save_root_metadata=False,
        todelete_subdir=PRUNED if best_only else None,
        multiprocessing_options=_all_processes(folder),
    )
    folder.mkdir(parents=True, exist_ok=True)
    return ocp.CheckpointManager(folder.resolve(), options=options)


def _all_processes(folder: Path) -> ocp.options.MultiprocessingOptions:
    """Orbax on every process. Naming them makes it wait at the coordinator: by itself it would wait on the
    devices, from the saving thread, where the training's own sums are under way."""
    if jax.process_count() == 1:
        return ocp.options.MultiprocessingOptions()
    return ocp.options.MultiprocessingOptions(
        primary_host=0,
        active_processes=set(range(jax.process_count())),
        barrier_sync_key_prefix=folder.name,
    )


def _score_of(metrics: Mapping[str, float]) -> float:
    return metrics[SCORE]


def _verify(step: Path) -> manifest.Manifest:
    """The manifest of a step that is as it was written, under the name that it was written under."""
    return _require_name(step, manifest.verify(step, runs.run_of(step) / runs.CONFIG))


def _require_name(step: Path, checked: manifest.Manifest) -> manifest.Manifest:
    if str(checked.step) != step.name:
        raise InputError(f"{step} holds step {checked.step}: name the folder {checked.step} again")
    return checked


def _restore_params(step: Path, expected: PyTree, checked: manifest.Manifest) -> Any:
    params = _restore(step, PARAMS, expected, checked)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        raise InputError(f"{step} holds params that are no numbers: take an earlier step of this run")
    return params


def _restore(step: Path, item: str, expected: PyTree, checked: manifest.Manifest) -> Any:
    """Arrays of one item as NumPy, after its tree, shapes and dtypes have been compared with `expected`."""
    if item not in checked.contents:
        if PARAMS not in checked.contents:
            raise InputError(
                f"{step} is damaged, its {manifest.NAME} names no {PARAMS}: take another step of this run"
            )
        raise InputError(f"{step} holds params alone: training cannot go on from it, take another step")
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(expected))
    if size > MAX_BYTES:
        raise InputError(
            f"{step} asks for {size / 2**30:.1f} GiB of {item}, more than {MAX_BYTES >> 30} GiB: "
            f"it is damaged or not for this program"
        )
    folder, handler = epath.Path(step.resolve() / item), ocp.PyTreeCheckpointHandler()
    try:
        found = handler.metadata(folder).tree
        _compare(step, item, expected, found)
        how = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), expected)
        return handler.restore(folder, args=ocp.args.PyTreeRestore(item=expected, restore_args=how))
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"{step} cannot be read by Orbax ({_reason(error)}): it is damaged, take another step of this run"
        ) from error
    finally:
        handler.close()


def _compare(step: Path, item: str, expected: PyTree, found: PyTree) -> None:
    if wrong := difference(expected, found):
        raise InputError(f"{step} does not fit its {runs.CONFIG}: {item} {wrong}; give another checkpoint")


def difference(expected: PyTree, found: PyTree) -> str:
    """Where a tree of arrays first differs from one that fits, in names, shapes or dtypes; "" for nowhere."""
    wanted, there = _shapes(expected), _shapes(found)
    for name in [*wanted, *there]:
        if wanted.get(name) != there.get(name):
            return f"{name} is {_text(there.get(name))}, the network needs {_text(wanted.get(name))}"
    return ""


def _shapes(tree: PyTree) -> dict[str, tuple]:
    return {name: (tuple(leaf.shape), np.dtype(leaf.dtype).name) for name, leaf in _flat(tree).items()}


def _text(shape_and_dtype: tuple | None) -> str:
    return "absent" if shape_and_dtype is None else f"{shape_and_dtype[1]}{list(shape_and_dtype[0])}"


def _flat(tree: PyTree) -> dict[str, Any]:
    """Leaves by the name of their place in the tree (no slash: it is a key in the file)."""
    pairs = jax.tree_util.tree_flatten_with_path(tree)[0]
    named = {jax.tree_util.keystr(path, simple=True, separator="-"): leaf for path, leaf in pairs}
    assert len(named) == len(pairs), "two places in a tree have one name"
    return named


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
