"""metrics.jsonl: a line for every tenth step, for each kept step, and for each epoch.

    {"step": 10, "loss": 1.9, "accuracy": 0.4, "grad_norm": 2.1, "seconds": 3.2}
    {"epoch": 1, "step": 468, "train_loss": 0.3, "train_accuracy": 0.9, "loss": 0.05, "accuracy": 0.985,
     "validation": {"mnist@validation": {"loss": 0.05, "accuracy": 0.985, "n": 5000}},
     "confusion": [[480, 0, 1, ...], ...], "seconds": 9.1, "images_per_second": 7000}

The confusion is that of people's validation sets, row = truth; older runs have none. Members of a sweep that
were trained at once have null for the images a second.
Which steps have a line depends on the step alone, and everything but the clock's fields on seed and step, so
a resumed run writes what one that never stopped would have written.
"""

import json
import os
from pathlib import Path
from typing import Any

from digitjax.config import TrainConfig

CLOCK_FIELDS = ("seconds", "images_per_second")
"""Fields that differ from run to run."""

STEP_FIELDS = {"step", "loss", "accuracy"}
EPOCH_FIELDS = {"step", "epoch", "train_loss", "train_accuracy", "validation"}
"""What each line must have."""

LOG_EVERY = 10
MAX_LINE_BYTES = 2**20
"""Bytes of one line."""


def is_kept(step: int, config: TrainConfig) -> bool:
    """Whether the params after `step` steps are kept for the run's life: 0, 1, 2, 4, 8 …, and each epoch."""
    return step & (step - 1) == 0 or step % config.steps_per_epoch == 0


def is_logged(step: int, config: TrainConfig) -> bool:
    """Whether the metrics of the `step`-th step (from 1) get a line."""
    return step % LOG_EVERY == 0 or is_kept(step, config)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file up to the first that is none of ours, as one that was cut off."""
    if not path.is_file():
        return []
    lines = []
    with path.open("rb") as file:
        while text := file.readline(MAX_LINE_BYTES):
            if (line := parse(text)) is None:
                break
            lines.append(line)
    return lines


def parse(text: bytes) -> dict[str, Any] | None:
    """A line of the file; None where it is none of ours."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if _is_line(line) else None


class MetricsFile:
    """Appends to a run's metrics.jsonl, beginning with what it held up to `step`.

    Attributes:
        lines: every line of the file.
    """

    def __init__(self, path: Path, step: int, *, writes: bool = True) -> None:
        """Cuts the file back to `step`, in one move, and opens it for more.

        Args:
            path: the file.
            step: lines of later steps are dropped.
            writes: False for a process that only keeps the lines, since another one writes them.
        """
        self.lines = [line for line in read_metrics(path) if line["step"] <= step]
        self._file = None
        if not writes:
            return
        part = path.with_name(path.name + ".part")
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(_text(line) for line in self.lines)
        os.replace(part, path)
        self._file = path.open("a", encoding="utf-8", newline="\n")

    @property
    def seconds(self) -> float:
        """Clock of the last line."""
        return float(self.lines[-1].get("seconds") or 0.0) if self.lines else 0.0

    def write(self, line: dict[str, Any]) -> None:
        """Appends a line; a killed process loses no line that was written."""
        if self._file is not None:
            self._file.write(_text(line))
            self._file.flush()
        self.lines.append(line)

    def sync(self) -> None:
        """Returns when the lines are on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _is_line(line: object) -> bool:
    """Whether all that is ever read of a line is there, and numbers; those of an epoch may be unknown."""
    if not isinstance(line, dict) or type(line.get("step")) is not int or not 0 <= line["step"] < 2**31:
        return False
    is_epoch, sets = "epoch" in line, line.get("validation", {})
    if not isinstance(sets, dict) or not all(isinstance(result, dict) for result in sets.values()):
        return False
    if not (line.get("confusion") is None or _is_confusion(line["confusion"])):
        return False
    numbers = [line[name] for name in line if name not in ("validation", "confusion")]
    numbers += [number for result in sets.values() for number in result.values()]
    return line.keys() >= (EPOCH_FIELDS if is_epoch else STEP_FIELDS) and all(
        (number is None and is_epoch) or (isinstance(number, int | float) and abs(number) < 1e300)
        for number in numbers
    )


def _is_confusion(table: object) -> bool:
    rows = table if isinstance(table, list) else []
    return len(rows) == 10 and all(
        isinstance(row, list) and len(row) == 10 and all(type(n) is int and 0 <= n < 2**53 for n in row)
        for row in rows
    )


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"
