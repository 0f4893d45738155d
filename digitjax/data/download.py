"""Fetching files by checksum: a probe with a time limit, then TFDS's download manager."""

import contextlib
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from digitjax import paths
from digitjax.data.spec import DataUnavailable
from digitjax.errors import InputError

CONNECT_SECONDS = 2.0
"""How long the probe waits for a connection, and then again for the answer, within the deadline."""
DEADLINE_SECONDS = 2.5
"""How long the probe takes at most, looking up the name included: with the imports before it, under 5 s."""


class Download(NamedTuple):
    """A file to fetch.

    Attributes:
        size: bytes.
        sha256: hexadecimal digest.
    """

    size: int
    sha256: str


def probe(mirrors: Sequence[str], name: str, size: int) -> tuple[str | None, str]:
    """Asks all mirrors at once for the size of one file.

    Returns:
        The first mirror that answers rightly and "", or None and why, in a few words.
    """
    if paths.offline():
        return None, "DIGITJAX_OFFLINE is set"
    answers: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
    for mirror in mirrors:
        threading.Thread(target=_answer, args=(answers, mirror, name, size), daemon=True).start()
    reasons = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    for _ in mirrors:
        try:
            mirror, reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None, f"no answer from the network within {DEADLINE_SECONDS:g} s"
        if reason is None:
            return mirror, ""
        reasons.append(reason)
    return None, reasons[0]


def fetch(mirror: str, files: Mapping[str, Download], folder: Path) -> dict[str, Path]:
    """Downloads files into a cache folder, with progress on standard error; what is there already stays.

    Raises:
        DataUnavailable: the network fails, or what it yields has another checksum.
        InputError: the folder cannot be written to.
    """
    with contextlib.redirect_stdout(sys.stderr):
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.download.checksums import UrlInfo
        from tensorflow_datasets.core.utils import Size

        known = {mirror + name: UrlInfo(Size(file.size), file.sha256, name) for name, file in files.items()}
        try:
            manager = tfds.download.DownloadManager(
                download_dir=folder, url_infos=known, force_checksums_validation=True
            )
        except OSError as error:
            raise InputError(
                f"{folder} cannot be written to ({error.strerror}): "
                "set DIGITJAX_DATA_DIR to a folder that can"
            ) from None
        try:
            found = manager.download({name: mirror + name for name in files})
        except Exception as error:  # requests, urllib3, promise and TFDS each have their own
            raise DataUnavailable(
                f"{mirror} could not be fetched ({' '.join(str(error).split())[:200]}): try again later, "
                "or give the files in DIGITJAX_MNIST_DIR"
            ) from None
    return {name: Path(path) for name, path in found.items()}


def _answer(answers: queue.SimpleQueue, mirror: str, name: str, size: int) -> None:
    answers.put((mirror, _ask(mirror + name, size)))


def _ask(url: str, size: int) -> str | None:
    host = url.split("/")[2]
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as answer:
            length = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        return f"{host} answers {error.code}"
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        return f"{host} cannot be reached ({getattr(cause, 'strerror', None) or cause})"
    return None if length == str(size) else f"{host} answers with something else"
