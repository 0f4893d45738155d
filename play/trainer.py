"""A trainer in a process of its own: launched, asked for things while it still starts, heard when it ends."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from digitjax import claim, runs, steering

LOG = "training.log"
NICE = 10
COMMAND = ("-m", "digitjax", "train")
"""What Python is given to train."""
SAVED = (130, 143, -2, -15)
"""How a trainer ends that has saved, or was asked to end."""
OPTION = re.compile(r"--(?:optim|model)\.([a-z-]+)")
"""What stands on the Train screen under a name without dashes."""
FULL = 2**20
"""Bytes of room at which a trainer that could not even say why has ended because the disk is full."""
TAIL = 4096
"""Bytes at the log's end that are read."""
SILENT = "loading its program"
"""What a trainer does that has said nothing yet."""
AGAIN_SECONDS = 3.0
"""How long after being asked to end a trainer that still starts is asked again: an import may swallow it."""


class Trainer:
    """`digitjax train` beside the window, for one run.

    It takes requests (`digitjax.steering`) between its steps. Until it comes to that, a pause waits here, and
    a stop ends it by the signal of Ctrl-C, so that it leaves nothing half-made.
    """

    def __init__(self, run: Path, arguments: list[str], folder: Path) -> None:
        """Starts it.

        Args:
            run: the run's folder, as the arguments name it.
            arguments: of `digitjax train`.
            folder: the user's own, for its log.

        Raises:
            OSError: the log cannot be written, or the system has no process left.
        """
        self.run, self._log = run, folder / LOG
        self.since = time.time_ns()
        self._waiting, self._asked_at = "", 0.0
        self._stopped = False
        self._ended: str | None = None
        self.process = _launch(arguments, run, self._log)

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self.process.poll() is None

    @property
    def doing(self) -> str:
        """What it does just now, in its own words."""
        own = (line for line in reversed(_tail(self._log)) if line[:1].islower())  # no library's warning
        return next(own, SILENT)[:300]

    @property
    def ended(self) -> str:
        """What is to be said of one that has ended; "" for one that lives or did as it was asked."""
        if self._ended is None and not self.alive:  # once: the log will be another's
            self._ended = _ended(self.process.poll(), self.run, self._log)
            if self._stopped and not runs.is_run(self.run):
                self._ended = "Stopped before it had begun: nothing was kept."
        return self._ended or ""

    def ask(self, name: str, value: float | None = None) -> None:
        """Asks it for a change (`steering.ask`); before it can take one, only the last pause or stop counts.

        Raises:
            InputError: as `steering.ask`.
        """
        if self._takes_requests():
            self._waiting = ""
            steering.ask(self.run, name, value)
        elif name in (steering.PAUSE, steering.RESUME, steering.STOP) and not self._stopped:
            self._waiting = "" if name == steering.RESUME else name
            self.look()

    def look(self) -> None:
        """Does what waits, as soon as that can be done.

        Raises:
            InputError: as `steering.ask`.
        """
        if not self._waiting or not self.alive:
            return
        if self._takes_requests():
            name, self._waiting = self._waiting, ""
            steering.ask(self.run, name)
        elif self._waiting == steering.STOP and time.monotonic() - self._asked_at > AGAIN_SECONDS:
            self._asked_at, self._stopped = time.monotonic(), True
            if sys.platform == "win32":
                self.process.terminate()
            else:
                self.process.send_signal(signal.SIGINT)

    def _takes_requests(self) -> bool:
        """Whether it has come to its steps: it holds the run, and has opened the metrics anew."""
        try:
            opened = (self.run / runs.METRICS).stat().st_mtime_ns >= self.since
        except OSError:
            return False
        return opened and claim.is_held(self.run)


def let_trainers_hear() -> None:
    """Called in the main thread, before any is started: lets them end by the signal of Ctrl-C.

    A shell that starts the window in the background makes it, and all that it starts, deaf to that signal.
    A handler that does nothing keeps the window deaf, and is not handed down.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: None)


def last_words(run: Path, log: Path) -> str:
    """Why the trainer of a run ended that another window had started, by the end of its log.

    Args:
        run: the run's folder.
        log: of the last trainer that was started; its first line names its run.

    Returns:
        A sentence; "" where the trainer was asked to end or said nothing, or the run has gone on since.
    """
    try:
        with log.open("rb") as file:
            first = file.readline(TAIL)
        metrics = run / runs.METRICS
        since = metrics.stat().st_mtime_ns if metrics.exists() else 0
        if first != _first_line(run) or log.stat().st_mtime_ns < since:
            return ""
    except OSError:
        return ""
    said = _said(run, log)
    return "" if said.startswith("stopped") else said


def _first_line(run: Path) -> bytes:
    return os.fsencode(run.absolute()) + b"\n"


def _launch(arguments: list[str], run: Path, log: Path) -> subprocess.Popen:
    """Starts the process, nicer than this one, its words in a log that begins with its run."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kind: dict = {"start_new_session": True}
    if sys.platform == "win32":
        kind = {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with log.open("wb") as file:  # a pipe would end the trainer with the window
        file.write(_first_line(run))
        file.flush()
        process = subprocess.Popen(
            [sys.executable, *COMMAND, *arguments],
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


def _tail(log: Path) -> list[str]:
    """The last lines of a log; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            return file.read(TAIL).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _ended(code: int | None, run: Path, log: Path) -> str:
    """What is to be said of a trainer that has ended; "" for one that lives or was asked to end."""
    if code in (None, 0) or code in SAVED:
        return ""
    if code < 0:
        return f"The training was ended by signal {-code}: Go on resumes it where it was last saved."
    said = _said(run, log)
    if not said and _is_full(log.parent):
        return "The disk is full: make room, then Go on resumes the training where it was last saved."
    return said or f"The training ended with exit code {code}: {log} says why."


def _is_full(folder: Path) -> bool:
    with contextlib.suppress(OSError):  # it may be gone
        return shutil.disk_usage(folder).free < FULL
    return False


def _said(run: Path, log: Path) -> str:
    """The last sentence of a trainer that failed, in the words of the Train screen; "" for none."""
    lines = (line for line in reversed(_tail(log)) if line.startswith("digitjax: "))
    said = next(lines, "").removeprefix("digitjax: ").replace(str(run), run.name)
    said = said.replace("add --resume", "press Go on")
    return OPTION.sub(lambda option: option[1].replace("-", " "), said)[:300]
