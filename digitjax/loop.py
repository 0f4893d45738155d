"""The trainer: every side effect of training is here, around the pure step of `digitjax.train`."""

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from digitjax import runs, sharding
from digitjax.checkpoint import Saver
from digitjax.config import TrainConfig
from digitjax.errors import Diverged, NoNumber
from digitjax.interrupt import Interrupted, StopRequest
from digitjax.metrics import MetricsFile, is_kept, is_logged
from digitjax.models import make_model
from digitjax.optim import with_hyperparams
from digitjax.paths import quoted
from digitjax.prepare import Prepared, advance, first_state, fresh_state, prepare
from digitjax.progress import TrainingProgress, say, this_python
from digitjax.provenance import about
from digitjax.restore import restore
from digitjax.steering import LOOK_SECONDS, PAUSE, RESUME, STOP, Steering
from digitjax.types import Metrics, Model, TrainState
from digitjax.validation import by_people, epoch_text, pooled, step_record, validate, write_hardest

DEAF_SECONDS = 1.0
"""How long a dispatch of many steps should take: Ctrl-C and what else is asked wait for its end."""
DOUBLED = 1.0
"""Seconds in which SLURM's signal to a process and the one that its parent passes on are one."""


class Trained(NamedTuple):
    """What a run's training leaves for its evaluation.

    Attributes:
        data: the specs that it was trained on.
        seconds: time spent training, resumed parts together.
    """

    data: tuple[str, ...]
    seconds: float


def train(
    config: TrainConfig,
    run: Path,
    *,
    resume: bool = False,
    told: Sequence[str] = (),
    data: Sequence[str] = (),
    stream: bool = False,
    prepared: Prepared | None = None,
) -> Trained:
    """Trains to the end of the configured steps, from the start or from the last sound step of `run`.

    Where several processes have met (`digitjax.processes`) all call this; the first one alone speaks and
    writes, but for the checkpoints, which are everybody's.

    Args:
        config: the configuration; with `resume` that of the run.
        run: the run's folder, from `claim.new_run` or `claim.run_to_resume`.
        resume: go on where the run stopped; on the CPU the result is the same to the bit as if it never had.
        told: notices that the user has read already.
        data: the specs to train on where the configuration names none and they were chosen already.
        stream: take examples from prepared records instead of memory; nothing else changes.
        prepared: `prepare` of a configuration that differs in seed, start, learning rate, weight decay and
            label smoothing at most: then nothing is loaded or compiled anew.

    Raises:
        InputError: the data, the batch size or the folder cannot be used.
        Interrupted: stopped by Ctrl-C or SIGTERM, after saving.
        DigitjaxError: the loss is no number any more, or a checkpoint cannot be written.
    """
    mesh = sharding.data_mesh(config.batch_size)
    model = make_model(config.model)
    specs = runs.read_data(run) if resume else tuple(data) or config.data
    ready = prepared or prepare(dataclasses.replace(config, data=specs), mesh, stream=stream)
    if prepared:
        ready = ready._replace(pipeline=ready.pipeline._replace(batch_at=ready.pipeline.reseeded(config)))
    pipeline = ready.pipeline
    _say_all([notice for notice in pipeline.notices if notice not in told])
    state = fresh_state(config)  # a network that cannot be leaves no run behind
    restored = restore(run, state) if resume else None
    if config.start and restored is None:  # also where it was stopped before anything was saved
        state = first_state(config)
    if not resume and sharding.is_first():
        notices = tuple(dict.fromkeys((*told, *pipeline.notices)))
        runs.write_config(run, config, **about(pipeline.specs, notices), stream=stream)
    say(f"training {config.preset} on {sharding.describe_devices()}, in {run}")
    if warning := sharding.unused_accelerator():
        say(f"warning: {warning}")
    say(f"data: {', '.join(pipeline.specs)}")
    start = 0
    if restored is not None:
        state = restored
        start = int(state.step)
        say(f"resuming at step {start} of {config.total_steps}")
    metrics_file = MetricsFile(run / runs.METRICS, start, writes=sharding.is_first())
    try:
        with (
            Saver(run) as saver,
            StopRequest(same_within=DOUBLED if jax.process_count() > 1 else 0.0) as stop,
        ):
            steering = Steering(run, start, say, writes=sharding.is_first())
            trainer = _Trainer(config, run, model, ready, mesh, saver, metrics_file, stop, steering)
            trainer.steps(sharding.replicate(state, mesh), start)
    finally:
        metrics_file.close()
    if number := sharding.largest(stop.number or 0):  # it came after the last step had been looked at
        raise _stopped(run, config.total_steps, config, number)
    return Trained(pipeline.specs, metrics_file.seconds)


def _stopped(run: Path, step: int, config: TrainConfig, number: int) -> Interrupted:
    return Interrupted(
        f"stopped and saved at step {step} of {config.total_steps}; go on with "
        f"`{this_python()} -m digitjax train --out {quoted(run)} --resume`",
        number,
    )


class _Trainer:
    """The loop's collaborators, so that its parts can be read one by one."""

    def __init__(
        self,
        config: TrainConfig,
        run: Path,
        model: Model,
        ready: Prepared,
        mesh: jax.sharding.Mesh,
        saver: Saver,
        metrics_file: MetricsFile,
        stop: StopRequest,
        steering: Steering,
    ) -> None:
        self._steering = steering
        self._config, self._run, self._model = config, run, model
        self._ready = ready
        self._mesh, self._saver, self._file, self._stop = mesh, saver, metrics_file, stop
        self._validation = [e for e in ready.pipeline.validation if (np.asarray(e.labels) < 10).any()]
        self._measured: list[tuple[range, Metrics]] = []
        self._pending: int | None = None

    def steps(self, state: TrainState, start: int) -> None:
        """Trains from step `start` to the last."""
        config = self._config
        self._clock = Clock(self._file.seconds + (self._ready.spent or 0.0))
        self._written = self._clock.seconds
        if start == 0:
            self._saver.save(state, step_record(None), full=False, keep_params=True)
        with TrainingProgress(
            start=start,
            total=config.total_steps,
            steps_per_epoch=config.steps_per_epoch,
            batch_size=config.batch_size,
        ) as self._progress:
            step = start
            while step < config.total_steps:
                state = self._steer(state, step)
                state, taken, metrics = advance(
                    self._ready, config, self._mesh, state, step, self._most(step)
                )
                self._measured.append((taken, metrics))
                step = taken[-1]
                if any(is_logged(one, config) for one in taken):
                    self._write_pending()
                    self._pending = step
                ends_epoch = step % config.steps_per_epoch == 0
                if ends_epoch:
                    self._end_epoch(state, step)
                elif is_kept(step, config):
                    self._write_pending()
                    self._saver.save(state, step_record(None), full=False, keep_params=True)
                # Several processes must stop at one step, so they ask each other where they wait anyhow.
                if (jax.process_count() == 1 or is_logged(step, config)) and (
                    number := sharding.largest(self._stop.number or 0)
                ):
                    self._leave(state, step, number, saved=ends_epoch)

    def _most(self, done: int) -> int:
        """Steps that may be taken before anybody is heard again; none that is due is jumped over."""
        rate = self._progress.images_per_second / self._config.batch_size
        most = max(1, int(rate * DEAF_SECONDS)) if rate else 8
        due = self._steering.next_due()
        return most if due is None else max(1, min(most, due - done))

    def _steer(self, state: TrainState, done: int) -> TrainState:
        """Between two steps: sets what a resumed run repeats and what is asked for; a pause waits in here."""
        if self._ready.spent is not None:  # it has been trained: there is nothing to steer
            return state
        state = self._set(state, self._steering.due(done))
        if jax.process_count() > 1 and not is_logged(done, self._config):
            return state
        paused = False
        while True:
            for name, value in _asked(self._steering, done):
                if value is not None:
                    state = self._set(state, {name: value})
                    self._progress.say(f"{name.replace('_', ' ')} {value:g} from step {done + 1} on")
                elif name == STOP:
                    self._stop.ask()
                elif name == PAUSE and not paused:
                    self._require_sound(state, done)
                    self._saver.save(state, step_record(None), full=True, keep_params=False)
                    self._progress.say(f"paused and saved at step {done} of {self._config.total_steps}")
                paused = name == PAUSE or (paused and name != RESUME)
            if not paused or sharding.largest(self._stop.number or 0):
                return state
            with self._clock.standing():
                time.sleep(LOOK_SECONDS)
            self._progress.waited()

    def _set(self, state: TrainState, values: dict[str, float]) -> TrainState:
        placed = sharding.replicate({name: np.float32(value) for name, value in values.items()}, self._mesh)
        return with_hyperparams(state, placed) if values else state

    def _end_epoch(self, state: TrainState, step: int) -> None:
        self._write_pending()
        config, epoch = self._config, step // self._config.steps_per_epoch
        params = sharding.own_copy(state.params)
        try:
            validated = validate(self._model, params, self._validation)
        except NoNumber:
            self._require_finite("answer in validation", math.nan, f"after step {step}")
            raise
        validation = validated.results
        lines = [
            line
            for line in self._file.lines
            if "epoch" not in line and line["step"] > step - config.steps_per_epoch
        ]
        line = {
            "epoch": epoch,
            "step": step,
            "train_loss": _mean(line["loss"] for line in lines),
            "train_accuracy": _mean(line["accuracy"] for line in lines),
            "loss": pooled(by_people(validation), "loss"),
            "accuracy": pooled(by_people(validation), "accuracy"),
            "validation": validation,
            "confusion": validated.confusion,
            "seconds": self._clock.seconds,
            "images_per_second": None
            if self._ready.spent is not None
            else round(self._progress.images_per_second),
        }
        self._file.write(line)
        self._file.sync()
        if validated.hardest and sharding.is_first():
            write_hardest(self._run, step, validated.hardest)
        record = step_record(line) | {"calibration": validated.calibration._asdict()}
        self._saver.save(state, record, full=True, keep_params=True)
        self._progress.say(epoch_text(line, config.epochs))

    def _require_sound(self, state: TrainState, step: int) -> None:
        """Writes what is known up to `step`, and sees to it that no params are saved that are no numbers."""
        self._write_pending()
        for one, metrics in self._fetch_measured(step):
            self._require_numbers(one, metrics)
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.device_get(state.params))):
            self._require_finite("sum of the params", math.nan, f"after step {step}")
        self._file.sync()

    def _leave(self, state: TrainState, step: int, number: int, *, saved: bool) -> None:
        self._require_sound(state, step)
        if not saved:
            self._saver.save(state, step_record(None), full=True, keep_params=False)
        self._saver.wait()
        raise _stopped(self._run, step, self._config, number)

    def _write_pending(self) -> None:
        """Writes the metrics that were left on the device while the steps after them ran."""
        if self._pending is None:
            return
        last, self._pending = self._pending, None
        found, since, now = self._fetch_measured(last), self._written, self._clock.seconds
        for place, (step, metrics) in enumerate(found, 1):
            self._require_numbers(step, metrics)
            if is_logged(step, self._config):
                self._file.write(
                    {
                        "step": step,
                        "loss": float(metrics.loss),
                        "accuracy": float(metrics.accuracy),
                        "grad_norm": float(metrics.grad_norm),
                        "seconds": round(since + (now - since) * place / len(found), 3),
                    }
                )
        self._written = now
        self._progress.computed(last, float(found[-1][1].loss))

    def _fetch_measured(self, last: int) -> list[tuple[int, Metrics]]:
        """Takes the metrics of the steps up to `last` off the device at once."""
        fetched = jax.device_get([metrics for taken, metrics in self._measured if taken[-1] <= last])
        taken = [taken for taken, _ in self._measured if taken[-1] <= last]
        self._measured = [one for one in self._measured if one[0][-1] > last]
        return [
            (step, jax.tree.map(lambda leaf, place=place: np.atleast_1d(leaf)[place], metrics))
            for steps, metrics in zip(taken, fetched, strict=True)
            for place, step in enumerate(steps)
        ]

    def _require_numbers(self, step: int, metrics: Metrics) -> None:
        """Raises Diverged, naming the step, where its loss or gradient is no number."""
        self._require_finite("loss", float(metrics.loss), f"at step {step}")
        self._require_finite("gradient", float(metrics.grad_norm), f"at step {step}")

    def _require_finite(self, name: str, value: float, when: str) -> None:
        if math.isfinite(value):
            return
        self._saver.wait()
        kept = runs.history(self._run)
        stays = f"; {quoted(self._run / kept[-1].name)} stays as the last checkpoint" if kept else ""
        raise Diverged(
            f"the {name} is {value} {when}: train anew with a lower --optim.learning-rate "
            f"(it is {self._config.optim.learning_rate:g}) or a longer --optim.warmup{stays}"
        )


class Clock:
    """Seconds spent training, counted on from an earlier part of the run."""

    def __init__(self, before: float) -> None:
        self._start = time.monotonic() - before

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._start, 3)

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        """What is done inside takes no time by this clock."""
        begin = time.monotonic()
        yield
        self._start += time.monotonic() - begin


def _asked(steering: Steering, step: int) -> list[tuple[str, float | None]]:
    """What is asked for, in every process."""
    taken = [(change.name, change.value) for change in steering.take(step)]
    return taken if jax.process_count() == 1 else json.loads(sharding.first_says(json.dumps(taken)))


def _say_all(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


def _mean(values: Any) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None
