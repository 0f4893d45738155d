"""Trainings: started in processes of their own (`play.trainer`), steered and watched through their folders.

A trainer goes on when the window is closed or dies, and the window when it does. What touches the disk is
done in one thread.
"""

import contextlib
import dataclasses
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from digitjax import claim, paths, runs, steering
from digitjax.errors import DigitjaxError, InputError
from play import effects, studio, watching, wire
from play.events import (
    BinListed,
    Event,
    HardListed,
    LessonTaught,
    Notice,
    RunsChanged,
    Started,
    TeacherAt,
    TeacherReady,
    Traced,
)
from play.launch import Link, start_process
from play.record import columns
from play.trainer import LOG, Trainer, last_words, let_trainers_hear

LOOK_SECONDS, LOCK_LOOK_SECONDS = 0.2, 1.0
"""How often the watched run is looked at, and how often its lock is where its trainer is not ours; also how
often the list of runs is."""
STALE_SECONDS = 24 * 3600
"""Age after which a run that a teacher had not written to its end is nobody's any more."""
BIN = ".bin"
TEACHER_GONE = "The process that teaches has ended: press Again."


class Runner:
    """Carries out the Train screen's effects; `poll` gives events."""

    def __init__(self, folder: Path) -> None:
        """Args:
        folder: the user's own, for the trainer's log.
        """
        let_trainers_hear()
        self._folder = folder
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._trainers: dict[Path, Trainer] = {}
        self._watch: watching.RunWatch | None = None
        self._last: studio.RunSeen | None = None
        self._held: tuple[Path | None, float, bool] = (None, 0.0, False)
        self._runs: tuple[float, frozenset] | None = None
        self._thread: threading.Thread | None = None
        self._teacher: tuple[str, Link] | None = None

    def do(self, effect: effects.Effect) -> bool:
        """Begins what the effect asks for; False where it is none of these."""
        match effect:
            case effects.Start(recipe, start, resume):
                self._put(lambda: self._start(recipe, start, resume))
            case effects.Steer(path, name, value):
                self._put(lambda: self._steer(Path(path), name, value))
            case effects.Watch(path):
                self._put(lambda: self._watch_run(path))
            case effects.FollowRuns(on):
                self._put(lambda: self._follow(on))
            case effects.CopyRun(path):
                self._put(lambda: self._copy(Path(path)))
            case effects.BinRun(path, quiet):
                self._put(lambda: self._bin(Path(path), quiet))
            case effects.ListBin():
                self._put(self._list_bin)
            case effects.PutBack(path):
                self._put(lambda: self._put_back(Path(path)))
            case effects.WarmTeacher(path, step):
                self._put(lambda: self._warm(path, step))
            case effects.Teach(path, items, step):
                self._put(lambda: self._teach(path, items, step))
            case effects.Trace(digit):
                self._put(lambda: self._trace(digit))
            case _:
                return False
        return True

    def poll(self) -> list[Event]:
        """What has happened since."""
        found = []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    def end(self) -> None:
        """Ends what this program has started to train."""
        for trainer in self._trainers.values():
            trainer.process.terminate()
            trainer.process.wait()

    def close(self) -> None:
        """Stops watching; what is being trained goes on."""
        if self._thread is not None:
            self._jobs.put(lambda: self._warm(""))
            self._jobs.put(None)
            self._thread.join()

    def _put(self, job: Callable[[], object]) -> None:
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="trainings", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                idle = self._watch is self._teacher is self._runs is None
                job = self._jobs.get(timeout=None if idle else LOOK_SECONDS)
                if job is None:
                    return
            except queue.Empty:
                job = self._look
            try:
                job()
            except DigitjaxError as error:
                self._say(str(error))
            except OSError as error:
                self._say(f"{error.filename or ''} {error.strerror or error}: make room or make it writable.")
            except Exception as error:  # whatever is in the folders, the canvas goes on
                self._say(f"That failed ({type(error).__name__}: {error}): please report it.")

    def _say(self, text: str) -> None:
        self._events.put(Notice(" ".join(text.split())[:400]))

    # Watching

    def _watch_run(self, path: str) -> None:
        found = Path(path) if path else watching.running(paths.checkpoints_dir())
        if found is not None:
            self._watch, self._last = watching.RunWatch(found), None
            self._look()

    def _follow(self, on: bool) -> None:
        self._runs = (time.monotonic(), watching.published(paths.checkpoints_dir())) if on else None

    def _look_at_runs(self) -> None:
        if self._runs is None or time.monotonic() - self._runs[0] < LOCK_LOOK_SECONDS:
            return
        before = self._runs[1]
        self._follow(True)
        if self._runs[1] != before:
            self._events.put(RunsChanged())

    def _look(self) -> None:
        self._hear()
        self._look_at_runs()
        watch = self._watch
        if watch is None:
            return
        trainer = self._trainers.get(watch.path)
        alive = (trainer is not None and trainer.alive) or self._is_held(watch.path)
        if trainer is None:
            seen = watch.look(alive, "" if alive else last_words(watch.path, self._folder / LOG))
        else:
            trainer.look()
            seen = watch.look(alive, trainer.ended, trainer.since if trainer.alive else 0)
            if seen.status == "starting":
                seen = seen._replace(doing=trainer.doing)
        if self._last is not None and self._last.status != "finished" == seen.status:
            self._events.put(RunsChanged())
        if seen != self._last:
            self._last = seen
            self._events.put(seen)
        hardest = watch.hardest()
        if hardest is not None:
            self._events.put(HardListed(str(watch.path), hardest))
        if not seen.lives and not seen.total:  # there is nothing to see any more
            self._watch = None

    def _is_held(self, path: Path) -> bool:
        of, looked, held = self._held
        if of != path or time.monotonic() - looked > LOCK_LOOK_SECONDS:
            held = claim.is_held(path)
            self._held = path, time.monotonic(), held
        return held

    # Starting

    def _start(self, recipe: studio.Recipe, start: str, resume: str) -> None:
        drawings = (self._folder / "drawings.ndjson").absolute()
        mine = str(drawings)
        if resume:
            _require_there(Path(resume))
            run, command = Path(resume), ["--out", resume, "--resume"]
        else:
            command = studio.arguments(recipe, mine)
            if any(mine in word for word in command) and not drawings.exists():
                raise InputError("You have saved no drawings yet: draw some, then choose Save.")
            if start:
                _require_there(Path(start))
                command = [*_same_network(command, Path(start)), "--start", start]
            run = free(paths.checkpoints_dir() / f"{recipe.preset}-0")
            command += ["--out", str(run)]
        self._trainers[run] = Trainer(run, command, self._folder)
        if not resume:
            self._events.put(Started(str(run)))
        self._watch, self._last = watching.RunWatch(run), None
        self._look()

    def _steer(self, run: Path, name: str, value: float | None) -> None:
        trainer = self._trainers.get(run)
        if trainer is not None and trainer.alive:
            trainer.ask(name, value)
        elif claim.is_held(run):
            steering.ask(run, name, value)
        else:
            raise InputError(f"Nobody trains {run.name} any more: press Go on to train it on")

    # The runs' folders

    def _copy(self, run: Path) -> None:
        _require_there(run)
        if claim.is_held(run):
            raise InputError(f"{run.name} is being trained: stop it, then copy it")
        target = free(paths.checkpoints_dir() / f"{run.name}-copy")
        part = target.with_name(f".{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)  # of a window that was killed
        try:
            shutil.copytree(run, part, symlinks=True, ignore=shutil.ignore_patterns(claim.LOCK))
            part.rename(target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        self._say(f"{target.name} is a copy of {run.name}.")
        self._events.put(RunsChanged())

    def _bin(self, run: Path, quiet: bool) -> None:
        _require_own(run)
        if claim.is_held(run):
            raise InputError(f"{run.name} is being trained: stop it first")
        folder = run.parent / BIN
        folder.mkdir(exist_ok=True)
        run.rename(free(folder / run.name))
        if self._watch is not None and self._watch.path == run:
            self._watch = None
        if not quiet:
            self._say(f"{run.name} is in the bin; Train has it under Runs, Bin.")
        self._events.put(RunsChanged())
        self._list_bin()

    def _list_bin(self) -> None:
        found = runs.list_runs(paths.checkpoints_dir() / BIN)
        found.sort(key=lambda run: run.stat().st_ctime_ns, reverse=True)
        self._events.put(BinListed(tuple(map(str, found))))

    def _put_back(self, run: Path) -> None:
        _require_there(run)
        folder = paths.checkpoints_dir()
        if run.parent.resolve() != (folder / BIN).resolve() or run.is_symlink():
            raise InputError(f"{run} is no run in the bin: it stays as it is")
        target = free(folder / run.name)
        run.rename(target)
        self._say(f"{target.name} is back among the runs.")
        self._events.put(RunsChanged())
        self._list_bin()

    # Teaching

    def _warm(self, path: str, step: int | None = None) -> None:
        if path and self._teacher is not None and self._teacher[0] == path:
            with contextlib.suppress(OSError):  # it has ended: `_hear` says so
                self._teacher[1].requests.send_bytes(wire.pack({"kind": "step", "step": step}))
            return
        if self._teacher is not None:
            _, link = self._teacher
            self._teacher = None
            link.process.kill()
            link.process.join()
            with contextlib.suppress(EOFError, OSError):  # a lesson that is taught is not lost on the way
                while link.answers.poll(0):
                    header, _ = wire.unpack(link.answers.recv_bytes())
                    if header["kind"] == "taught":
                        self._tell(header)
            for end in (link.requests, link.answers):
                end.close()
            _remove_parts(paths.checkpoints_dir(), link.process.pid)
        if path:
            from play import teacher

            mine = str((self._folder / "drawings.ndjson").absolute())
            try:
                self._teacher = path, start_process(teacher.main, path, step, mine, name="teacher")
            except OSError as error:
                text = f"No process can be started to teach ({error.strerror or error}): press Again."
                self._events.put(TeacherReady(path, text))

    def _teach(self, path: str, items: tuple, step: int | None) -> None:
        if self._teacher is None or self._teacher[0] != path:
            self._events.put(TeacherReady(path, TEACHER_GONE))
            return
        drawings = [{"word": word, "drawing": columns(ink)} for word, ink in items]
        try:
            lesson = {"kind": "lesson", "step": step, "drawings": drawings}
            self._teacher[1].requests.send_bytes(wire.pack(lesson))
        except OSError:  # it has ended, and may have said why
            self._hear()
            if self._teacher is not None:
                self._warm("")
                self._events.put(TeacherReady(path, TEACHER_GONE))

    def _hear(self) -> None:
        """What the teacher says."""
        if self._teacher is None:
            return
        path, link = self._teacher
        try:
            while link.answers.poll(0):
                header, _ = wire.unpack(link.answers.recv_bytes())
                self._tell(header)
                if header["kind"] == "ready" and header["error"]:  # it ends: what comes next is no news
                    self._warm("")
                    return
        except (EOFError, OSError):
            self._warm("")
            self._events.put(TeacherReady(path, TEACHER_GONE))

    def _tell(self, header: dict) -> None:
        """One message of the teacher, as an event."""
        match header["kind"]:
            case "ready":
                self._events.put(TeacherReady(header["path"], header["error"]))
            case "at":
                self._events.put(TeacherAt(header["path"], header["doing"]))
            case "taught":
                rows = tuple(tuple(row) for row in header["rows"])
                self._events.put(LessonTaught(header["path"], header["name"], rows, header["seconds"]))

    def _trace(self, digit: studio.HardDigit) -> None:
        import numpy as np

        from play.trace import trace

        pixels = np.frombuffer(digit.pixels, np.uint8).reshape(digit.side, digit.side)
        self._events.put(Traced(digit.label, digit.said, trace(pixels)))


def _same_network(command: list[str], start: Path) -> list[str]:
    """The command for the network that it begins with, in place of the one that was chosen."""
    model, kept, skip = runs.read_config(start).model, [], False
    for word in command:
        skip = word.startswith("--model.") or (skip and not word.startswith("--"))
        kept += [] if skip else [word]
    for one in dataclasses.fields(model):
        name, value = one.name.replace("_", "-"), getattr(model, one.name)
        if isinstance(value, bool):
            kept.append(f"--model.{name}" if value else f"--model.no-{name}")
        elif one.name != "members":
            kept += [f"--model.{name}", *map(str, value if isinstance(value, tuple) else (value,))]
    return kept


def _remove_parts(folder: Path, process: int | None) -> None:
    """Removes the run that a teacher had not written to its end, and those of teachers that died long ago."""
    from play.teacher import PART

    for part in folder.glob(PART.format(name="*", process="*")):
        with contextlib.suppress(OSError):
            is_its_own = part.match(PART.format(name="*", process=process))
            if is_its_own or time.time() - part.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(part, ignore_errors=True)


def free(path: Path) -> Path:
    """The path, or with the first number from 2 that is free."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _require_own(run: Path) -> None:
    """Raises InputError for a folder that is no run of the checkpoints folder."""
    _require_there(run)
    folder = paths.checkpoints_dir()
    if run.parent.resolve() != folder.resolve() or run.is_symlink() or run.name == runs.DEFAULT:
        raise InputError(f"{run} is no run of yours in {folder}: it stays as it is")


def _require_there(run: Path) -> None:
    """Raises InputError where a run is gone."""
    if not run.is_dir():
        raise InputError(f"{run.name} is not there any more: choose another one")
