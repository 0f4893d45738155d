"""PNG and JPEG files as arrays of pixels, the right way up and of bounded size."""

import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from digitjax.errors import InputError, near_files

MAX_PIXELS = 64_000_000
"""Pixels of a picture at most: any telephone's camera, and no decompression bomb."""
MAX_SCANS = 100
"""Passes over a progressive JPEG: cameras and programs write some ten, and each takes time, however short."""
MAX_SIDE = 2048
"""A longer side is reduced by a whole factor, each block of pixels to its mean."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by EXIF's tag 0x0112 (Exif 2.32, 4.6.4 A)."""

_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, OverflowError)
_DAMAGED += (struct.error, zlib.error)
"""What Pillow raises on files that are not as they should be."""


def read_picture(path: str | os.PathLike[str]) -> UInt8[np.ndarray, "height width *channels"]:
    """A PNG or JPEG file as grey [h, w], colour [h, w, 3] or colour with alpha [h, w, 4].

    EXIF's orientation is applied, 16 bits become 8, and what is longer than `MAX_SIDE` is reduced.

    Raises:
        InputError: naming the file: it is missing, a folder, empty, no picture, damaged or too large.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the pictures in it, as in {path / '*.png'}")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file: write the picture to one first")
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")  # odd EXIF and the like, which do no harm
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if not file.read(1):
                raise InputError(f"{path} is empty: give a PNG or JPEG picture")
            file.seek(0)
            return _pixels(path, file)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist{near_files(path)}: give a PNG or JPEG picture") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): give a readable file") from None


def _pixels(path: Path, file: BinaryIO) -> UInt8[np.ndarray, "height width *channels"]:
    try:
        image = Image.open(file, formats=("PNG", "JPEG"))
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if image.format == "JPEG" and _scans(file) > MAX_SCANS:
            raise InputError(f"{path} has more than {MAX_SCANS} scans: save the picture again")
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        image = _eight_bits(image)
        factor = -(-max(image.size) // MAX_SIDE)
        if factor > 1:
            image = image.reduce((min(factor, image.width), min(factor, image.height)))
        return np.array(image if turn is None else image.transpose(turn))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"{path} has more than {limit} million pixels: make the picture smaller") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not a PNG or JPEG picture: convert it, or give another file") from None
    except _DAMAGED as error:
        raise InputError(f"{path} is damaged or cut off ({error}): save the picture again") from None


def _scans(file: BinaryIO) -> int:
    """Starts of a scan (ITU T.81, B.2.3) in a JPEG file, but for those that a border of blocks cuts."""
    at = file.tell()
    file.seek(0)
    found = sum(block.count(b"\xff\xda") for block in iter(lambda: file.read(2**20), b""))
    file.seek(at)
    return found


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey, which convert("L") would clip
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except _DAMAGED:  # the picture itself is whole
        return 1
