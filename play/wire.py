"""Messages between the window and the worker: a line of JSON and arrays, nothing pickled."""

import json
import math
import struct
from typing import Any

import numpy as np

MAX_BYTES = 64 << 20
"""A longer message is refused."""


def pack(header: dict[str, Any], *arrays: np.ndarray) -> bytes:
    """A message as bytes; the arrays' dtypes and shapes travel in the header."""
    about = [(array.dtype.str, array.shape) for array in arrays]
    text = json.dumps({**header, "arrays": about}, separators=(",", ":")).encode()
    return b"".join([struct.pack("<I", len(text)), text, *(array.tobytes() for array in arrays)])


def unpack(message: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The header and the arrays.

    Raises:
        ValueError: these are no such bytes.
    """
    if not 4 <= len(message) <= MAX_BYTES:
        raise ValueError(f"a message of {len(message)} bytes")
    (length,) = struct.unpack_from("<I", message)
    try:
        header = json.loads(message[4 : 4 + length])
        arrays, at = [], 4 + length
        for kind, shape in header.pop("arrays"):
            dtype = np.dtype(kind)
            count = math.prod(shape)
            arrays.append(np.frombuffer(message, dtype, count, at).reshape(shape))
            at += count * dtype.itemsize
    except (ArithmeticError, AttributeError, LookupError, RecursionError, SyntaxError, TypeError) as error:
        raise ValueError(f"a message whose header is none ({type(error).__name__})") from error
    return header, arrays
