"""How a run goes, read from its folder bit by bit; nothing here writes, and no JAX comes with it.

A run may be half-written, cut back by a resume, or gone; each is a status, none an error.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from digitjax import claim, manifest, metrics, runs, steering
from digitjax.errors import DigitjaxError, InputError
from play.studio import EpochSeen, HardDigit, RunSeen

MOST_POINTS = 240
"""Points of a curve that are shown."""
MAX_BYTES = 64 << 20
"""Bytes of metrics that are read of one run."""
LATELY = 12
"""Lines of metrics over which images a second are counted."""


class RunWatch:
    """Looks at one run; each look costs what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset, self._inode, self._rest = 0, 0, b""
        self._steps: list[tuple[int, float, float, float]] = []
        self._epochs: list[EpochSeen] = []
        self._changes: list[steering.Change] = []
        self._seen_changes: tuple | None = None
        self._config = None
        self._written, self._hard_at = 0, 0

    def look(self, alive: bool, ended: str = "", since: int = 0) -> RunSeen:
        """The run now.

        Args:
            alive: whether somebody trains it.
            ended: what is to be said where it has ended unfinished.
            since: when its trainer was started (`time.time_ns`): older metrics are of one before.
        """
        name = self.path.name
        if not self.path.is_dir() or not runs.is_run(self.path):
            if alive:
                return RunSeen(str(self.path), name, "starting")
            status = "failed" if ended else "gone"
            return RunSeen(str(self.path), name, status, ended or f"{name} is not there any more.")
        try:
            if self._config is None:
                self._config = runs.read_config(self.path)
            self._read_metrics()
            self._read_changes()
        except (DigitjaxError, OSError) as error:
            return RunSeen(str(self.path), name, "failed", " ".join(str(error).split())[:300])
        config, step = self._config, self._steps[-1][0] if self._steps else 0
        status, text = self._status(alive, step, ended, since)
        rate = self._rate(config.batch_size)
        left = (config.total_steps - step) * config.batch_size / rate if rate and alive else None
        height = steering.current(self._changes, "learning_rate", config.optim.learning_rate)
        return RunSeen(
            str(self.path),
            name,
            status,
            text,
            step,
            config.total_steps,
            _thinned([(one[0], one[1], one[2]) for one in self._steps]),
            tuple(self._epochs),
            self._kept(),
            round(rate, -1) if status == "training" else 0.0,
            left if status == "training" else None,
            height,
            tuple(c.step for c in self._changes if c.name in steering.VALUES and c.step is not None),
        )

    def hardest(self) -> tuple[HardDigit, ...] | None:
        """The hardest digits where the file is newer than at the last call, else None."""
        path = self.path / runs.HARDEST
        try:
            changed = path.stat().st_mtime_ns
            if changed == self._hard_at:
                return None
            self._hard_at = changed
            return read_hardest(path)
        except (OSError, DigitjaxError):
            return None

    def _status(self, alive: bool, step: int, ended: str, since: int) -> tuple[str, str]:
        total = self._config.total_steps if self._config else 0
        shipped = not alive and not (self.path / runs.METRICS).exists() and runs.step_folders(self.path)
        if runs.is_finished(self.path) or shipped:
            return "finished", ""
        if not alive:
            return ("failed", ended) if ended else ("stopped", "")
        if self._written < since:
            return "starting", ""
        if steering.is_paused(self._changes):
            return "paused", ""
        if not self._steps:
            return "starting", ""
        return "training", "Measuring its test splits." if step >= total else ""

    def _rate(self, batch: int) -> float:
        lately = self._steps[-LATELY:]
        if len(lately) < 2:
            return 0.0
        (first, *_, since), (last, *_, now) = lately[0], lately[-1]
        return (last - first) * batch / (now - since) if now > since else 0.0

    def _kept(self) -> tuple[int, ...]:
        """Steps whose params can be read, by their manifests' presence alone."""
        found = set()
        for folder in (self.path, self.path / runs.HISTORY):
            for step in runs.step_folders(folder):
                if (step / manifest.NAME).is_file():
                    found.add(int(step.name))
        return tuple(sorted(found))

    def _read_changes(self) -> None:
        about = None
        with contextlib.suppress(OSError):
            stat = (self.path / steering.CHANGES).stat()
            about = stat.st_size, stat.st_mtime_ns
        if about != self._seen_changes:
            self._seen_changes = about
            self._changes = steering.read_changes(self.path)

    def _read_metrics(self) -> None:
        try:
            file = (self.path / runs.METRICS).open("rb")
        except FileNotFoundError:
            return
        with file:
            stat = os.fstat(file.fileno())
            if stat.st_ino != self._inode or stat.st_size < self._offset:  # a resume has cut it back
                self._offset, self._rest = 0, b""
                self._steps, self._epochs = [], []
            self._inode, self._written = stat.st_ino, stat.st_mtime_ns
            if self._offset > MAX_BYTES:
                return
            file.seek(self._offset)
            text = file.read(MAX_BYTES)
        self._offset += len(text)
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            values = metrics.parse(line)
            if values is not None:
                self._take(values)

    def _take(self, line: dict) -> None:
        if "epoch" in line:
            table = line.get("confusion")
            confusion = None if table is None else tuple(tuple(row) for row in table)
            self._epochs.append(EpochSeen(line["step"], line.get("loss"), line.get("accuracy"), confusion))
        else:
            seconds = line.get("seconds")
            seconds = float(seconds) if isinstance(seconds, int | float) else 0.0
            self._steps.append((line["step"], float(line["loss"]), float(line["accuracy"]), seconds))


def read_hardest(path: Path) -> tuple[HardDigit, ...]:
    """The hardest digits as the trainer wrote them.

    Raises:
        InputError: the file is none of ours.
    """
    found = []
    try:
        for one in manifest.read_json(path)["digits"][:200]:
            side, pixels = int(one["side"]), bytes.fromhex(one["pixels"])
            label, said = int(one["label"]), int(one["said"])
            if side not in (8, 28) or len(pixels) != side * side or not (0 <= label < 10 and 0 <= said < 10):
                raise ValueError("no digit")
            probability = float(one["probability"])
            if not 0 <= probability <= 1.001:
                raise ValueError("no probability")
            found.append(HardDigit(label, said, probability, side, pixels))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise InputError(f"{path} is damaged: it comes anew with the next epoch") from None
    return tuple(found)


def published(folder: Path) -> frozenset[tuple[str, str]]:
    """What a list of runs follows from: the manifests of each run; of a finished one that it is there."""
    found: set[tuple[str, str]] = set()
    with contextlib.suppress(InputError, OSError):
        for run in runs.list_runs(folder):
            places = () if runs.is_finished(run) else (run, run / runs.HISTORY)
            steps = [step for place in places for step in runs.step_folders(place)]
            found |= {(run.name, step.name) for step in steps if (step / manifest.NAME).is_file()}
            found.add((run.name, "finished" if not places else ""))
    return frozenset(found)


def running(folder: Path, held: Callable[[Path], bool] = claim.is_held) -> Path | None:
    """The run in the checkpoints folder that is being trained, else None."""
    with contextlib.suppress(InputError):
        return next((run for run in runs.list_runs(folder) if not runs.is_finished(run) and held(run)), None)
    return None


def _thinned(points: list[tuple[int, float, float]]) -> tuple[tuple[int, float, float], ...]:
    """At most `MOST_POINTS` points, each the mean of its neighbours, the last as it is."""
    size = -(-len(points) // MOST_POINTS)
    if size <= 1:
        return tuple(points)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    means = [tuple(sum(values) / len(group) for values in zip(*group, strict=True)) for group in groups]
    return tuple((round(step), loss, accuracy) for step, loss, accuracy in means)
