"""IDX, the format of MNIST's files: a header of big-endian integers, then bytes; plain or gzip."""

import gzip
import hashlib
import io
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from digitjax.errors import InputError

MAX_BYTES = 2**28
"""Bytes of one file's array at most."""
REMEDY = "delete it and fetch it again"

_PART = 2**20


class Idx(NamedTuple):
    """One IDX file.

    Attributes:
        array: its content.
        sha256: hexadecimal digest of the unpacked file, so the same for plain and gzip.
    """

    array: UInt8[np.ndarray, "..."]
    sha256: str


def read_idx(path: Path, dimensions: int) -> Idx:
    """An IDX file of bytes, gzip told by its first two bytes.

    Args:
        path: the file.
        dimensions: axes that the array must have: 3 for images, 1 for labels.

    Raises:
        InputError: naming the file: missing, cut off, longer than its header says, damaged, another format.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file: {REMEDY}")
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return _read(path, gzip.GzipFile(fileobj=raw) if zipped else raw, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged or cut off ({error}): {REMEDY}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): give a readable file") from None


def write_idx(path: Path, array: UInt8[np.ndarray, "..."]) -> None:
    """Write a plain IDX file."""
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    path.write_bytes(header + np.ascontiguousarray(array).tobytes())


def _read(path: Path, file: io.BufferedIOBase, dimensions: int) -> Idx:
    """No more is read than the header says, and no more is believed of it than can be read."""
    header = 4 + 4 * dimensions
    data = bytearray(file.read(header))
    if len(data) < header:
        raise InputError(f"{path} is cut off within its header: {REMEDY}")
    magic, *shape = struct.unpack(f">I{dimensions}I", data)
    if magic != 0x0800 | dimensions:
        kind = "images" if dimensions == 3 else "labels"
        raise InputError(f"{path} is no IDX file of {kind} (it begins with {data[:4].hex()}): {REMEDY}")
    if not all(shape):
        raise InputError(f"{path} holds no items, its shape is {shape}: {REMEDY}")
    expected = header + math.prod(shape)
    while len(data) <= min(expected, MAX_BYTES) and (part := file.read(_PART)):
        data += part
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} holds more than {MAX_BYTES // 2**20} MiB: it is no file of MNIST, {REMEDY}")
    if len(data) != expected:
        problem = "is cut off" if len(data) < expected else "is too long"
        raise InputError(f"{path} {problem}, {len(data)} bytes where {expected} belong: {REMEDY}")
    array = np.frombuffer(data, np.uint8, offset=header).reshape(shape)
    return Idx(array, hashlib.sha256(data).hexdigest())
