"""The process that teaches: warm as long as the Teach screen is open, nicer than the window.

One pipe brings lessons, one takes what came of them (`play.wire`). A taught network is a run of its own.
"""

import contextlib
import dataclasses
import datetime
import os
import shutil
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from digitjax.errors import DigitjaxError, InputError
from play import wire

NICE = 10
PART = ".{name}.{process}.part"
"""The folder of a run that is being written: who ends a teacher before it has, removes what is left."""


def main(requests: Connection, answers: Connection, checkpoint: str, step: int | None, mine: str) -> None:
    """Makes a teacher of a run's step, then teaches until the window closes its end of the pipe.

    Args:
        requests: brings lessons, and newer steps to teach from.
        answers: takes what came of them.
        checkpoint: path of the run.
        step: None for its best one.
        mine: file of the user's own drawings.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    if sys.platform != "win32":
        os.nice(NICE)
    os.environ["JAX_PLATFORMS"] = "cpu"
    _serve(requests, answers, checkpoint, step, Path(mine))
    os._exit(0)


def _serve(requests: Connection, answers: Connection, checkpoint: str, step: int | None, mine: Path) -> None:
    """Teaches until the window closes its end of the pipe; whatever else ends it is said there."""

    def send(header: dict) -> None:
        answers.send_bytes(wire.pack({"path": checkpoint} | header))

    with contextlib.suppress(OSError):  # the window's end is closed
        try:
            lessons = _Lessons(checkpoint, step, mine, lambda doing: send({"kind": "at", "doing": doing}))
            send({"kind": "ready", "error": ""})
            while (header := _next(requests)) is not None:
                lessons.follow(header["step"])
                if header["kind"] == "lesson":
                    send(lessons.give(header["drawings"]))
        except Exception as error:
            send({"kind": "ready", "error": " ".join(_why(error).split())[:300]})


def _next(requests: Connection) -> dict | None:
    """What is asked for next, None once the window's end is closed."""
    try:
        while True:
            header, _ = wire.unpack(requests.recv_bytes())
            if header["kind"] != "step" or not requests.poll():  # what waits behind a step names a newer one
                return header
    except (EOFError, OSError, ValueError):
        return None


def _why(error: Exception) -> str:
    """What is said of an error that ends the teaching."""
    if isinstance(error, DigitjaxError):
        return str(error)
    if isinstance(error, OSError):
        where, why = error.filename or "A file", error.strerror or error
        return f"{where} cannot be read or written ({why}): make room or see to its rights, then press Again"
    return f"Teaching failed ({type(error).__name__}): {error}"


class _Lessons:
    """A network, its teacher, and where what it learns is written."""

    def __init__(self, checkpoint: str, step: int | None, mine: Path, say: Callable[[str], None]) -> None:
        if not Path(checkpoint).is_dir():
            raise InputError(f"{checkpoint} is gone: choose another network in Models, or put it back")
        say("Warming up: reading the network …")
        from digitjax import compiled
        from digitjax.checkpoint import load_model
        from digitjax.replay import held_out, replayed
        from digitjax.teach import Teacher

        if (folder := compiled.folder()) is not None:  # the second time it is warm within seconds
            compiled.use(folder)
        self._loaded, self._mine, self._say = load_model(_at(checkpoint, step)), mine, say
        say("Warming up: reading what it is to keep …")
        model = self._loaded.config.model
        replay, kept = replayed(model), held_out(model.geometry)
        say("Warming up: compiling …")
        self._teacher = Teacher(model, self._loaded.params, replay, kept)

    def follow(self, step: int | None) -> None:
        """Lessons begin from another step of the run from now on; None changes nothing."""
        from digitjax.checkpoint import load_model

        loaded = self._loaded
        if step is None or step == loaded.step:
            return
        self._loaded = load_model(_at(str(loaded.run), step))
        if self._loaded.config.model != loaded.config.model:
            raise InputError(f"{loaded.run.name} is another network than before: press Again")
        self._teacher.begin_from(self._loaded.params)

    def give(self, drawings: list[dict]) -> dict:
        """A lesson; the taught network is written as a run beside the old one."""
        from digitjax.strokes import from_json

        taught = [from_json(one) for one in drawings]
        mine = _mine(self._mine, self._loaded.config.model.geometry, taught)
        lesson = self._teacher.teach(taught, self._tell, mine)
        try:
            run = self._write(lesson)
        except OSError as error:
            where = error.filename or "The taught network's folder"
            raise InputError(
                f"{where} cannot be written ({error.strerror or error}): make room or make it writable"
            ) from None
        rows = [[name, *lesson.before[name], lesson.after[name].right] for name in lesson.before]
        return {"kind": "taught", "path": str(run), "name": run.name, "rows": rows, "seconds": lesson.seconds}

    def _tell(self, step: int, steps: int) -> None:
        self._say(f"It is learning: {100 * step // steps} % …")

    def _write(self, lesson: Any) -> Path:
        from digitjax import paths
        from play.runner import free

        run = free(paths.checkpoints_dir() / f"{self._loaded.run.name.removesuffix('-taught')}-taught")
        part = run.with_name(PART.format(name=run.name, process=os.getpid()))
        part.mkdir(parents=True)
        try:
            self._fill(part, lesson)
            part.rename(run)
        except Exception:  # a full disk, say: half a run is no run
            shutil.rmtree(part, ignore_errors=True)
            raise
        return run

    def _fill(self, run: Path, lesson: Any) -> None:
        import jax.numpy as jnp

        from digitjax import runs
        from digitjax.checkpoint import Saver
        from digitjax.prepare import fresh_state
        from digitjax.teach import STEPS

        loaded = self._loaded
        config = dataclasses.replace(loaded.config, start=str(loaded.run / str(loaded.step)), distil=())
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        runs.write_config(run, config, data=list(loaded.config.data), date=date)
        state = fresh_state(config)._replace(
            params=lesson.params, step=jnp.asarray(loaded.step + STEPS, jnp.int32)
        )
        name, held_out = next(one for one in lesson.after.items() if one[0] not in ("taught", "mine"))
        validation = {f"{name.lower()}@validation": {"accuracy": held_out.accuracy, "n": held_out.n}}
        record = {"date": date, "accuracy": held_out.accuracy, "loss": None, "validation": validation}
        record |= {"score": held_out.accuracy}
        with Saver(run) as saver:
            saver.save(state, record, full=False, keep_params=True)


def _at(run: str, step: int | None) -> str:
    """What `load_model` takes for a step of a run, for its best one where it is None."""
    return run if step is None else f"{run}/{step}"


def _mine(drawings: Path, geometry: str, taught: list) -> dict:
    """The user's own labelled digits as they are on the disk now, without those taught; {} for none."""
    from digitjax.data import load, parse_spec
    from digitjax.data.pipeline import to_examples
    from digitjax.data.splits import ink_digest, number_of

    if drawings.is_file():
        with contextlib.suppress(DigitjaxError):
            examples = to_examples(load(parse_spec(f"strokes:{drawings}")), geometry)
            known = {number_of(ink_digest(one.strokes)) for one in taught}
            ids = () if examples.ids is None else examples.ids.tolist()
            chosen = [i for i, number in enumerate(ids) if number not in known and examples.labels[i] < 10]
            if chosen:
                return {
                    "mine": examples._replace(
                        images=examples.images[chosen],
                        labels=examples.labels[chosen],
                        words=tuple(examples.words[i] for i in chosen),
                        writers=None,
                        ids=None,
                    )
                }
    return {}
