"""One line of progress on standard error, rewritten on a terminal; TFDS's own bars are kept quiet."""

import contextlib
import io
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any

_EVERY = 0.1


class Line:
    """What is going on and how far it is.

    Attributes:
        text: what is going on.
        total: amount that is all of it, above 0; None where nobody knows it.
    """

    def __init__(self, text: str, total: int | None) -> None:
        self.text, self.total = text, total
        self._stream = sys.stderr  # TFDS writes on standard output, which is turned away meanwhile
        self._terminal = self._stream.isatty()
        self._last = -_EVERY
        if not self._terminal:
            print(text, file=self._stream, flush=True)

    def done(self, amount: int) -> None:
        """Shows which part of the total is done, or how much; on a terminal alone."""
        now = time.monotonic()
        if not self._terminal or now - self._last < _EVERY:
            return
        self._last = now
        width = shutil.get_terminal_size().columns - 1
        far = f"{amount:,}" if self.total is None else f"{min(max(amount / self.total, 0.0), 1.0):.0%}"
        print("\r" + f"{self.text}  {far}"[:width].ljust(width), end="", file=self._stream, flush=True)

    def end(self, *, well: bool) -> None:
        """Leaves the text on a line of its own; clears it where it did not end well."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + " " * width + "\r", end="", file=self._stream, flush=True)
            if well:
                print(self.text, file=self._stream, flush=True)


def build(builder: Any) -> None:
    """Lets a TFDS builder write its records.

    Raises:
        OSError: they could not be written, as on a full disk.
    """
    failure = None
    try:
        builder.download_and_prepare()
    except RuntimeError as error:  # ArrayRecord's own, wrapped by TFDS
        failure = " ".join(str(error).split())[:160]
    if failure is not None:  # raised here, so that no frame keeps TFDS's progress bars open
        raise OSError(failure)


@contextlib.contextmanager
def progress_line(text: str, total: int | None) -> Iterator[Line]:
    """Shows a line while something is done with TFDS, whose bars and prints are not shown."""
    import tensorflow_datasets as tfds

    line = Line(text, total)
    tfds.disable_progress_bar()
    well = False
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            line.done(0)
            yield line
        well = True
    finally:
        tfds.enable_progress_bar()
        line.end(well=well)
