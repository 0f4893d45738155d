"""Fetching files by checksum: a probe with time limits, then TFDS's download manager.

TensorFlow Datasets, and with it all that is heavy, is imported where something is fetched.
"""

import contextlib
import contextvars
import functools
import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from digitjax import paths
from digitjax.errors import InputError

CONNECT_SECONDS = 2.0
"""How long the probe waits for a connection, looking up the name and the handshake included."""
ANSWER_SECONDS = 2.0
"""How long it waits for the answer after that."""
STALL_SECONDS = 20.0
"""How long a mirror may send nothing in the middle of a download."""
_ONE_AT_A_TIME = threading.Lock()


class Download(NamedTuple):
    """A file to fetch.

    Attributes:
        size: bytes.
        sha256: hexadecimal digest.
    """

    size: int
    sha256: str


class Probe:
    """The size of one file, asked of all mirrors at once in threads, so that other work can go on."""

    def __init__(self, mirrors: Sequence[str], name: str, size: int) -> None:
        """Args:
        mirrors: addresses of folders.
        name: of a file in each of them.
        size: bytes that it must have.
        """
        self.question = (tuple(mirrors), name, size)
        self._events: queue.SimpleQueue[tuple[float, str, str | None]] = queue.SimpleQueue()
        self._since = time.monotonic()
        for mirror in mirrors:
            threading.Thread(target=self._ask, args=(mirror,), daemon=True).start()

    @functools.cached_property
    def answer(self) -> tuple[str | None, str]:
        """The first mirror that answers rightly and "", or None and why; waits for it within the limits."""
        mirrors, _, _ = self.question
        deadline, connected, reasons = self._since + CONNECT_SECONDS, "", []
        while len(reasons) < len(mirrors):
            try:
                when, mirror, reason = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                if connected:
                    return None, f"no answer from {_host(connected)} within {ANSWER_SECONDS:g} s"
                return None, f"no connection to the network within {CONNECT_SECONDS:g} s"
            if reason is None:
                return mirror, ""
            if reason == _CONNECTED:
                connected = mirror
                deadline = max(deadline, min(when, self._since + CONNECT_SECONDS) + ANSWER_SECONDS)
            else:
                reasons.append(reason)
        return None, reasons[0]

    def _ask(self, mirror: str) -> None:
        _, name, size = self.question

        def tell(reason: str | None) -> None:
            self._events.put((time.monotonic(), mirror, reason))

        tell(_ask(mirror + name, size, connected=lambda: tell(_CONNECTED)))


_CONNECTED = "connected"
_EARLY: contextvars.ContextVar[Probe | None] = contextvars.ContextVar("early probe", default=None)


def probe(mirrors: Sequence[str], name: str, size: int) -> tuple[str | None, str]:
    """Asks all mirrors at once for the size of one file, unless that has been asked by `asked_early`.

    Returns:
        The first mirror that answers rightly and "", or None and why, in a few words.
    """
    if paths.offline():
        return None, "DIGITJAX_OFFLINE is set"
    begun = _EARLY.get()
    if begun is None or begun.question != (tuple(mirrors), name, size):
        begun = Probe(mirrors, name, size)
    return begun.answer


@contextlib.contextmanager
def asked_early(mirrors: Sequence[str], name: str, size: int) -> Iterator[None]:
    """While open, `probe` has this question's answer as soon as it can be had."""
    token = _EARLY.set(Probe(mirrors, name, size))
    try:
        yield
    finally:
        _EARLY.reset(token)


def fetch(
    mirror: str, files: Mapping[str, Download], folder: Path, *, stall_seconds: float = STALL_SECONDS
) -> dict[str, Path]:
    """Downloads files into a cache folder, with progress on standard error; what is there already stays.

    Args:
        mirror: address of the folder that they lie in.
        files: what to fetch, by name.
        folder: the cache folder.
        stall_seconds: how long a mirror may send nothing.

    Raises:
        DataUnavailable: the network fails, or what it yields has another checksum.
        InputError: the folder cannot be written to.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.checksums import UrlInfo
    from tensorflow_datasets.core.utils import Size

    from digitjax.data.line import progress_line
    from digitjax.data.spec import DataUnavailable

    known = {mirror + name: UrlInfo(Size(file.size), file.sha256, name) for name, file in files.items()}
    total = sum(file.size for file in files.values())
    try:
        manager = tfds.download.DownloadManager(
            download_dir=folder, url_infos=known, force_checksums_validation=True
        )
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to ({error.strerror}): set DIGITJAX_DATA_DIR to a folder that can"
        ) from None
    over = threading.Event()
    with progress_line(f"fetching {total / 1e6:.1f} MB from {_host(mirror)}", total) as line:

        def watch() -> None:
            while not over.wait(0.2):
                line.done(_bytes_in(folder))

        threading.Thread(target=watch, daemon=True).start()
        try:
            with _read_limit(stall_seconds):
                found = manager.download({name: mirror + name for name in files})
        except Exception as error:  # requests, urllib3, promise and TFDS each have their own
            raise DataUnavailable(
                f"{mirror} could not be fetched ({' '.join(str(error).split())[:200]}): try again later, "
                "or give the files in DIGITJAX_MNIST_DIR"
            ) from None
        finally:
            over.set()
    return {name: Path(path) for name, path in found.items()}


@contextlib.contextmanager
def _read_limit(seconds: float) -> Iterator[None]:
    """While open, a connection of requests that is given no time limit gets this one.

    TFDS gives none and takes none. Its threads read till the end, and the process waits for them at its own,
    so that it is not enough to stop waiting for the download.
    """
    from tensorflow_datasets.core.download import downloader

    requests: Any = downloader.requests
    adapter = requests.adapters.HTTPAdapter
    unlimited = adapter.send

    def send(self: Any, request: Any, **options: Any) -> Any:
        self.max_retries = self.max_retries.new(connect=1, read=0)
        return unlimited(self, request, **{**options, "timeout": options.get("timeout") or seconds})

    with _ONE_AT_A_TIME:
        adapter.send = send
        try:
            yield
        finally:
            adapter.send = unlimited


def _bytes_in(folder: Path) -> int:
    size = 0
    with contextlib.suppress(OSError):  # files move while they are counted
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                size += path.stat().st_size if path.is_file() else 0
    return size


def _ask(url: str, size: int, *, connected: Callable[[], None]) -> str | None:
    """Why the mirror cannot be used; None where it answers rightly."""
    request = urllib.request.Request(url, method="HEAD")
    opener = urllib.request.build_opener(_Http(connected), _Https(connected))
    try:
        with opener.open(request, timeout=CONNECT_SECONDS + ANSWER_SECONDS) as answer:
            length = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        return f"{_host(url)} answers {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        return f"{_host(url)} cannot be reached ({getattr(cause, 'strerror', None) or cause})"
    return None if length == str(size) else f"{_host(url)} answers with something else"


class _Connection(http.client.HTTPConnection):
    """A connection that says when it stands."""

    def __init__(self, *args: Any, connected: Callable[[], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._connected = connected

    def connect(self) -> None:
        super().connect()
        self._connected()


class _TlsConnection(_Connection, http.client.HTTPSConnection):
    pass


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connected: Callable[[], None]) -> None:
        super().__init__()
        self._made = functools.partial(_Connection, connected=connected)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._made, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connected: Callable[[], None]) -> None:
        super().__init__()
        self._made = functools.partial(_TlsConnection, connected=connected)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._made, req)


def _host(url: str) -> str:
    return url.split("/")[2]
