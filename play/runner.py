"""Trainings: started in processes of their own, steered and watched through their folders.

The trainer is the ordinary `digitjax train`, nicer than the window, in a session of its own: it goes on when
the window is closed or dies, and the window when it does. What touches the disk is done in one thread.
"""

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from digitjax import claim, paths, runs, steering
from digitjax.errors import DigitjaxError, InputError
from play import effects, studio, watching, wire
from play.events import (
    Event,
    HardListed,
    LessonTaught,
    Notice,
    RunsChanged,
    TeacherAt,
    TeacherReady,
    Traced,
)
from play.launch import Link, start_process

LOOK_SECONDS, LOCK_LOOK_SECONDS = 0.2, 1.0
"""How often the watched run is looked at, and how often its lock is where its trainer is not ours."""
LOG = "training.log"
BIN = ".bin"
NICE = 10
TRAINER = ("-m", "digitjax", "train")
"""What Python is given to train."""
SAVED = (130, 143, -2, -15)
"""How a trainer ends that has saved, or was asked to end."""


class Runner:
    """Carries out the Train screen's effects; `poll` gives events."""

    def __init__(self, folder: Path) -> None:
        """Args:
        folder: the user's own, for the trainer's log.
        """
        self._folder = folder
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._processes: dict[Path, subprocess.Popen] = {}
        self._watch: watching.RunWatch | None = None
        self._last: studio.RunSeen | None = None
        self._held: tuple[float, bool] = (0.0, False)
        self._thread: threading.Thread | None = None
        self._teacher: tuple[str, Link] | None = None

    def do(self, effect: effects.Effect) -> bool:
        """Begins what the effect asks for; False where it is none of these."""
        match effect:
            case effects.Start(recipe, start, resume):
                self._put(lambda: self._start(recipe, start, resume))
            case effects.Steer(path, name, value):
                self._put(lambda: steering.ask(Path(path), name, value))
            case effects.Watch(path):
                self._put(lambda: self._watch_run(path))
            case effects.CopyRun(path):
                self._put(lambda: self._copy(Path(path)))
            case effects.BinRun(path):
                self._put(lambda: self._bin(Path(path)))
            case effects.WarmTeacher(path):
                self._put(lambda: self._warm(path))
            case effects.Teach(_, items):
                self._put(lambda: self._teach(items))
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
        for process in self._processes.values():
            process.terminate()
            process.wait()

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
                busy = self._watch is not None or self._teacher is not None
                job = self._jobs.get(timeout=LOOK_SECONDS if busy else None)
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

    def _look(self) -> None:
        self._hear()
        watch = self._watch
        if watch is None:
            return
        process = self._processes.get(watch.path)
        alive = (process is not None and process.poll() is None) or self._is_held(watch.path)
        ended = "" if process is None else _ended(process.returncode, self._folder / LOG)
        seen = watch.look(alive, ended)
        if self._last is not None and self._last.status != "finished" == seen.status:
            self._events.put(RunsChanged())
        if seen != self._last:
            self._last = seen
            self._events.put(seen)
        hardest = watch.hardest()
        if hardest is not None:
            self._events.put(HardListed(str(watch.path), hardest))
        if seen.status == "gone":
            self._watch = None

    def _is_held(self, path: Path) -> bool:
        looked, held = self._held
        if time.monotonic() - looked > LOCK_LOOK_SECONDS:
            held = claim.is_held(path)
            self._held = time.monotonic(), held
        return held

    # Starting

    def _start(self, recipe: studio.Recipe, start: str, resume: str) -> None:
        drawings = (self._folder / "drawings.ndjson").absolute()
        mine = str(drawings)
        if resume:
            run, command = Path(resume), ["--out", resume, "--resume"]
        else:
            command = studio.arguments(recipe, mine)
            if any(mine in word for word in command) and not drawings.exists():
                raise InputError("You have saved no drawings yet: draw some, then choose Save.")
            if start:
                command = [*_same_network(command, Path(start)), "--start", start]
            run = free(paths.checkpoints_dir() / f"{recipe.preset}-0")
            command += ["--out", str(run)]
        self._processes[run] = launch(command, self._folder)
        self._watch, self._last = watching.RunWatch(run), None
        self._look()

    # The runs' folders

    def _copy(self, run: Path) -> None:
        _require_own(run)
        if claim.is_held(run):
            raise InputError(f"{run.name} is being trained: pause or stop it, then copy it")
        target = free(run.with_name(f"{run.name}-copy"))
        part = target.with_name(f".{target.name}.part")
        try:
            shutil.copytree(run, part, symlinks=True, ignore=shutil.ignore_patterns(claim.LOCK))
            part.rename(target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        self._say(f"{target.name} is a copy of {run.name}.")
        self._events.put(RunsChanged())

    def _bin(self, run: Path) -> None:
        _require_own(run)
        if claim.is_held(run):
            raise InputError(f"{run.name} is being trained: stop it first")
        folder = run.parent / BIN
        folder.mkdir(exist_ok=True)
        target = free(folder / run.name)
        run.rename(target)
        if self._watch is not None and self._watch.path == run:
            self._watch = None
        self._say(f"{run.name} is in the bin: {target}")
        self._events.put(RunsChanged())

    # Teaching

    def _warm(self, path: str) -> None:
        if self._teacher is not None:
            _, link = self._teacher
            self._teacher = None
            for end in (link.requests, link.answers):
                end.close()
            link.process.kill()
            link.process.join()
        if path:
            from play import teacher

            mine = str((self._folder / "drawings.ndjson").absolute())
            self._teacher = path, start_process(teacher.main, path, mine, name="teacher")

    def _teach(self, items: tuple) -> None:
        if self._teacher is not None:
            drawings = [
                {"word": word, "drawing": [[*map(list, zip(*stroke.points, strict=True))] for stroke in ink]}
                for word, ink in items
            ]
            self._teacher[1].requests.send_bytes(wire.pack({"drawings": drawings}))

    def _hear(self) -> None:
        """What the teacher says."""
        if self._teacher is None:
            return
        path, link = self._teacher
        try:
            while link.answers.poll(0):
                header, _ = wire.unpack(link.answers.recv_bytes())
                if header["kind"] == "ready":
                    self._events.put(TeacherReady(header["path"], header["error"]))
                elif header["kind"] == "at":
                    self._events.put(TeacherAt(header["path"], header["doing"]))
                else:
                    rows = tuple(tuple(row) for row in header["rows"])
                    self._events.put(LessonTaught(header["path"], header["name"], rows, header["seconds"]))
        except (EOFError, OSError):
            self._teacher = None
            self._events.put(TeacherReady(path, "The process that teaches has ended: press Again."))

    def _trace(self, digit: studio.HardDigit) -> None:
        import numpy as np

        from play.trace import trace

        pixels = np.frombuffer(digit.pixels, np.uint8).reshape(digit.side, digit.side)
        self._events.put(Traced(digit.label, digit.said, trace(pixels)))


def launch(arguments: list[str], folder: Path) -> subprocess.Popen:
    """Starts `digitjax train` beside the window: nicer, its words in a log of the user's folder.

    Raises:
        OSError: the log cannot be written, or the system has no process left.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / LOG
    kind: dict = {"start_new_session": True}
    if sys.platform == "win32":
        kind = {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with log.open("wb") as file:  # a pipe would end the trainer with the window
        process = subprocess.Popen(
            [sys.executable, *TRAINER, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            **kind,
        )
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, process.pid, min(own + NICE, 19))
    return process


def _ended(code: int | None, log: Path) -> str:
    """What is to be said of a trainer that has ended; "" for one that lives or was asked to end."""
    if code in (None, 0) or code in SAVED:
        return ""
    if code < 0:
        return f"The training was ended by signal {-code}: Go on resumes it where it was last saved."
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read(4096).decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    said = next(
        (line.removeprefix("digitjax: ") for line in reversed(lines) if line.startswith("digitjax: ")), ""
    )
    return said[:300] or f"The training ended with exit code {code}: {log} says why."


def _same_network(command: list[str], start: Path) -> list[str]:
    """The command for the network that it begins with, in place of the one that was chosen."""
    model, kept, skip = runs.read_config(start).model, [], False
    for word in command:
        skip = word.startswith("--model.") or (skip and not word.startswith("--"))
        kept += [] if skip else [word]
    given = ["--model.kind", model.kind, "--model.channels", *map(str, model.channels)]
    given += ["--model.hidden", *map(str, model.hidden), "--model.activation", model.activation]
    given += ["--model.dropout", str(model.dropout), "--model.geometry", model.geometry]
    return [*kept, *given, "--model.rejects" if model.rejects else "--model.no-rejects"]


def free(path: Path) -> Path:
    """The path, or with the first number from 2 that is free."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _require_own(run: Path) -> None:
    """Raises InputError for a folder that is no run of the checkpoints folder."""
    folder = paths.checkpoints_dir()
    own = run.parent.resolve() == folder.resolve() and not run.is_symlink() and run.is_dir()
    if not own or run.name == runs.DEFAULT:
        raise InputError(f"{run} is no run of yours in {folder}: it stays as it is")
