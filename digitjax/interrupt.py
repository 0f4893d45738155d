"""Ctrl-C and SIGTERM: the first asks the training to stop after its step, the second ends the process."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType

from digitjax.errors import DigitjaxError


class Interrupted(DigitjaxError):
    """The training was stopped by a signal, after it was saved."""

    def __init__(self, sentence: str, number: int) -> None:
        super().__init__(sentence)
        self.exit_code = 128 + number


class StopRequest:
    """While open, a signal sets `number` instead of ending the process; a second one ends it at once.

    Attributes:
        number: the signal that came, or None.
    """

    def __init__(self, *, same_within: float = 0.0) -> None:
        """Args:
        same_within: seconds in which a second signal is still the first one; a launcher of many processes
            sends it to a process and to its parent, which passes it on.
        """
        self.number: int | None = None
        self._same_within = same_within
        self._asked_at = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def ask(self) -> None:
        """Asks for what SIGTERM asks for."""
        self.number = self.number or signal.SIGTERM

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.number is not None:
            if now - self._asked_at < self._same_within:
                return
            if os.isatty(2):
                os.write(2, b"\x1b[?25h")  # the bar has hidden the cursor
            os._exit(128 + number)
        self.number, self._asked_at = number, now
        os.write(2, b"\nstopping after this step and saving; once more to leave at once\n")


@contextlib.contextmanager
def ended_with_children() -> Iterator[None]:
    """While open, SIGTERM is an exception, so that what waits for a child ends the child, too.

    Raises:
        SystemExit: 143, at SIGTERM.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
