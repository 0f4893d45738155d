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
        self.process = _launch(arguments, self._log)

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
        if self._stopped and not self.alive and not runs.is_run(self.run):
            return "Stopped before it had begun: nothing was kept."
        return _ended(self.process.poll(), self._log)

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


def _launch(arguments: list[str], log: Path) -> subprocess.Popen:
    """Starts the process, nicer than this one, its words in a log."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kind: dict = {"start_new_session": True}
    if sys.platform == "win32":
        kind = {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with log.open("wb") as file:  # a pipe would end the trainer with the window
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


def _ended(code: int | None, log: Path) -> str:
    """What is to be said of a trainer that has ended; "" for one that lives or was asked to end."""
    if code in (None, 0) or code in SAVED:
        return ""
    if code < 0:
        return f"The training was ended by signal {-code}: Go on resumes it where it was last saved."
    lines = _tail(log)
    said = next(
        (line.removeprefix("digitjax: ") for line in reversed(lines) if line.startswith("digitjax: ")), ""
    )
    said = OPTION.sub(lambda option: option[1].replace("-", " "), said)
    if not said and shutil.disk_usage(log.parent).free < FULL:
        return "The disk is full: make room, then Go on resumes the training where it was last saved."
    return said[:300] or f"The training ended with exit code {code}: {log} says why."
