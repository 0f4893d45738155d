"""Sending in a thread of its own, so that who has something to say never waits for who reads."""

import contextlib
import queue
import threading
from collections.abc import Callable


def outbox(send: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """As `send`, but returns at once; the messages go one after the other.

    It raises BrokenPipeError once `send` has failed: nobody reads any more.
    """
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    gone = threading.Event()

    def work() -> None:
        try:
            with contextlib.suppress(OSError):
                while True:
                    send(messages.get())
        finally:
            gone.set()

    def put(message: bytes) -> None:
        if gone.is_set():
            raise BrokenPipeError
        messages.put(message)

    threading.Thread(target=work, name="outbox", daemon=True).start()
    return put
