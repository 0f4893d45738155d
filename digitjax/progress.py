"""What a person sees of a training on standard error: a bar on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from digitjax.paths import quoted

_PLAIN_EVERY = 30.0


class TrainingProgress:
    """Steps done, images a second and time left.

    The rate is that of the last ten seconds or so, taken where the device has been waited for, so that it
    tells what was computed, not what was queued; first after the first step, which is compiled.
    """

    def __init__(self, *, start: int, total: int, steps_per_epoch: int, batch_size: int) -> None:
        """Args:
        start: steps that a resumed run has behind it.
        total: steps of the whole run.
        steps_per_epoch: steps of an epoch.
        batch_size: examples a step.
        """
        self._total, self._steps_per_epoch, self._batch_size = total, steps_per_epoch, batch_size
        self._console = Console(stderr=True)
        self._bar = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("[bold]epoch {task.fields[epoch]}"),
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:3.0f} %  {task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
                console=self._console,
                refresh_per_second=4,
                expand=True,
            )
            self._task = self._bar.add_task(
                "", total=total, completed=start, epoch=self._epoch(start), rate="compiling", left=""
            )
        self._marks: list[tuple[float, int]] = []
        self._last_plain = time.monotonic()

    def __enter__(self) -> "TrainingProgress":
        if self._bar:
            self._bar.start()
        else:
            say("waiting for the first step, which may be compiled")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def computed(self, step: int, loss: float) -> None:
        """Notes that the device has finished `step` steps."""
        now = time.monotonic()
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[0][0] > 10:
            self._marks.pop(0)
        of = self._epoch(step)
        rate = f"{self.images_per_second:,.0f} images/s" if self.images_per_second else ""
        if self._bar:
            self._bar.update(self._task, completed=step, epoch=of, rate=rate, left=self._left(step))
        elif now - self._last_plain >= _PLAIN_EVERY:
            self._last_plain = now
            say(f"epoch {of}  step {step}/{self._total}  loss {loss:.3f}  {rate}  {self._left(step)}")

    def waited(self) -> None:
        """Notes that the training has stood still: the rate begins anew."""
        self._marks.clear()

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        if self._bar:
            self._console.print(line, highlight=False, markup=False)
        else:
            say(line)
            self._last_plain = time.monotonic()

    @property
    def images_per_second(self) -> float:
        """Rate of the last seconds; 0 before there is one."""
        if not self._marks:
            return 0.0
        (since, first), (now, last) = self._marks[0], self._marks[-1]
        return (last - first) * self._batch_size / (now - since) if last > first and now > since else 0.0

    def _epoch(self, step: int) -> str:
        epochs = self._total // self._steps_per_epoch
        return f"{min(step // self._steps_per_epoch + 1, epochs)}/{epochs}"

    def _left(self, step: int) -> str:
        if not self.images_per_second:
            return ""
        return duration((self._total - step) * self._batch_size / self.images_per_second) + " left"


def say(line: str) -> None:
    """Prints a line to standard error."""
    print(line, file=sys.stderr, flush=True)


def this_python() -> str:
    """What to type to run this very Python from here: `python` where that is it."""
    found = shutil.which("python")
    if found and Path(found).absolute() == Path(sys.executable).absolute():
        return "python"
    program = Path(sys.executable)
    return quoted(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)


def duration(seconds: float) -> str:
    """42 s, 3 min 05 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
