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

MAX_BYTES = 2**30
"""Bytes of one file's array at most."""
REMEDY = "delete it and fetch it again"


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
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): give a readable file") from None
    if data is None:
        raise InputError(f"{path} is larger than {MAX_BYTES // 2**20} MiB: it is no file of MNIST, {REMEDY}")
    if data[:2] == b"\x1f\x8b":
        data = _unpack(path, data)
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise InputError(f"{path} is cut off within its header: {REMEDY}")
    magic, *shape = struct.unpack(f">I{dimensions}I", data[:header])
    if magic != 0x0800 | dimensions:
        kind = "images" if dimensions == 3 else "labels"
        raise InputError(f"{path} is no IDX file of {kind} (it begins with {data[:4].hex()}): {REMEDY}")
    expected = header + math.prod(shape)
    if len(data) != expected:
        problem = "is cut off" if len(data) < expected else "is too long"
        raise InputError(f"{path} {problem}, {len(data)} bytes where {expected} belong: {REMEDY}")
    array = np.frombuffer(data, np.uint8, offset=header).reshape(shape)
    return Idx(array, hashlib.sha256(data).hexdigest())


def write_idx(path: Path, array: UInt8[np.ndarray, "..."]) -> None:
    """Write a plain IDX file."""
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    path.write_bytes(header + np.ascontiguousarray(array).tobytes())


def _unpack(path: Path, data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(MAX_BYTES + 1)
            if len(unpacked) > MAX_BYTES:
                raise InputError(f"{path} unpacks to more than {MAX_BYTES // 2**20} MiB: {REMEDY}")
            return unpacked
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged or cut off ({error}): {REMEDY}") from None
