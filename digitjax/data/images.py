"""Source `images:DIR` (one folder a class) and `images:FILE.npz` (arrays `x` and `y`), as they are."""

import hashlib
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from digitjax.data.labels import label_of
from digitjax.data.prepared import sha256
from digitjax.data.records import Record, Records, open_records, prepare_records, records_folder
from digitjax.data.spec import Kind, Source, Spec, together
from digitjax.data.splits import bucket, in_split, number_of, picture_digests
from digitjax.errors import InputError
from digitjax.pictures import read_picture
from digitjax.strokes import MAX_WORD

ENDINGS = (".png", ".jpg", ".jpeg")
"""Files that count as pictures; others in a class's folder are left alone."""
MAX_BYTES = 2**30
"""Bytes of all pictures together, unpacked."""
MAX_SIDE = 4096
"""Pixels of an array's height or width."""
MAX_PICTURES = 2_000_000
"""Pictures of one source."""
MIN_BOMB, MAX_INFLATION = 64 * 2**20, 100
"""Bytes up to which an array may grow by any factor when it is unpacked, and by what factor above them."""
MNIST_BYTES = 28 * 28
"""What a picture of any size is in memory, at least, once it is as the network takes it."""
MAX_ENTRIES = 1000
"""Arrays in an archive, which is read for two."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
"""What the standard library raises on archives that are not as they should be."""


def load_images(spec: Spec) -> Source:
    """The labelled pictures that belong to the spec's split; None is the whole.

    Pictures directly in DIR, and those whose `y` is "" or negative, have no label.

    Raises:
        InputError: nothing is there, a file is no picture, or sizes are absurd.
    """
    kept: list[np.ndarray] = []
    words: list[str] = []
    ids: list[int] = []
    skipped = 0
    for picture, word in _read(Path(spec.path or ""), MAX_BYTES):
        (digest,) = picture_digests([picture])
        if not in_split(digest, spec.split):
            continue
        if word is None:
            skipped += 1
        else:
            kept.append(picture)
            words.append(word)
            ids.append(number_of(digest))
    return Source(
        name=str(spec),
        labels=np.array([label_of(word) for word in words], np.int8),
        words=tuple(words),
        images=together(kept),
        skipped=skipped,
        ids=np.array(ids, np.uint64),
    )


def image_records(spec: Spec) -> Records:
    """The pictures as records, one by one, prepared first where that is not done; an .npz is unpacked whole.

    Raises:
        InputError: nothing is there, a file is no picture, or sizes are absurd.
    """
    path = Path(spec.path or "")

    def records() -> Iterator[Record]:
        for key, (picture, word) in enumerate(_read(path, None)):
            yield Record(key, bucket(picture_digests([picture])[0]), word, picture=picture)

    folder = records_folder("images", _key(path))
    prepare_records(folder, str(path), records)
    return open_records(str(spec), folder, spec.split)


def _key(path: Path) -> str:
    """SHA-256 of what the pictures are read from: the file, or each file's class, name and SHA-256."""
    if not path.is_dir():
        _read(path, None)  # refused with a sentence where it is no source
        return _file_sha256(path)
    digest = hashlib.sha256()
    for word, name in _sorted_files(path):
        for part in (word, name, _file_sha256(path / word / name)):
            digest.update(part.encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()


def _file_sha256(file: Path) -> str:
    if file.exists() and not file.is_file():  # a pipe would keep whoever opens it waiting
        raise InputError(f"{file} is no file: write the picture to one first")
    try:
        return sha256(file)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): give a file that can") from None


def _read(path: Path, most_bytes: int | None) -> Iterator[tuple[np.ndarray, str | None]]:
    """Pictures and words; a folder whose pictures unpack to more than `most_bytes` together is refused."""
    if path.is_dir():
        return _read_folder(path, most_bytes)
    if path.suffix.lower() == ".npz":
        return _read_npz(path)
    problem = "is neither a folder nor an .npz file" if path.exists() else "does not exist"
    raise InputError(f"{path} {problem}: give a folder with one folder a class, or an .npz with x and y")


def _read_folder(folder: Path, most_bytes: int | None) -> Iterator[tuple[np.ndarray, str | None]]:
    total = 0
    for word, name in _sorted_files(folder):
        picture = read_picture(folder / word / name)
        total += picture.size
        if most_bytes is not None and total > most_bytes:
            raise InputError(
                f"{folder} unpacks to more than {most_bytes // 2**30} GiB: train with --stream, or split it"
            )
        yield picture, word or None


def _sorted_files(folder: Path) -> list[tuple[str, str]]:
    files = sorted(_files(folder))
    if not files:
        raise InputError(
            f"{folder} holds no PNG or JPEG: give a folder with one folder a class, {folder / '7'}"
        )
    if len(files) > MAX_PICTURES:
        raise InputError(f"{folder} holds more than {MAX_PICTURES} pictures: split it")
    return files


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Class ("" for none) and name of each picture; links that lead out of the folder are refused."""
    root = os.path.realpath(folder)
    try:
        entries = list(os.scandir(folder))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                inside, word = [entry], ""
            elif len(entry.name) > MAX_WORD:
                raise InputError(f"the name of {entry.path} is longer than {MAX_WORD} characters: rename it")
            elif not _is_text(entry.name):
                raise InputError(f"the name of {entry.path!r} is not UTF-8: rename it")
            else:
                inside, word = os.scandir(entry.path), entry.name
            for file in inside:
                if not file.name.lower().endswith(ENDINGS) or file.name.startswith("."):
                    continue
                if not Path(os.path.realpath(file.path)).is_relative_to(root):
                    raise InputError(f"{file.path} is a link out of its folder: put the picture itself there")
                yield word, file.name
    except OSError as error:
        raise InputError(
            f"{folder} cannot be read ({error.strerror or error}): give a readable folder"
        ) from None


def _read_npz(path: Path) -> Iterator[tuple[np.ndarray, str | None]]:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file: give an .npz file with x and y")
        _require_few_entries(path)
        with zipfile.ZipFile(path) as archive:
            x, y = _array(path, archive, "x"), _array(path, archive, "y")
            unpacked = len(x) * MNIST_BYTES if x.ndim else 0
            if unpacked > max(MIN_BOMB, MAX_INFLATION * path.stat().st_size):
                raise InputError(
                    f"{path} holds {len(x)} pictures in {path.stat().st_size} bytes: give pictures of digits"
                )
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give an .npz file with x and y") from None
    except _DAMAGED as error:
        raise InputError(
            f"{path} is no .npz file, or damaged ({_reason(error)}): write it with numpy.savez"
        ) from None
    if x.ndim == 4 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (3, 4)):
        raise InputError(f"x of {path} is {x.dtype} {list(x.shape)}: give uint8 [n, height, width(, 3)]")
    if not (0 < x.shape[1] <= MAX_SIDE and 0 < x.shape[2] <= MAX_SIDE and x.shape[0] <= MAX_PICTURES):
        raise InputError(f"x of {path} has shape {list(x.shape)}: give sides of 1 to {MAX_SIDE} pixels")
    if y.ndim != 1 or y.dtype.kind not in "iuU" or len(y) != len(x):
        raise InputError(
            f"y of {path} is {y.dtype} {list(y.shape)}: give {len(x)} whole numbers or strings, one a picture"
        )
    if not len(x):
        raise InputError(f"{path} holds no pictures: give at least one")
    try:
        labels = y.tolist()
    except (ValueError, SystemError) as error:  # a number that is no character; NumPy 2.5 raises the latter
        raise InputError(f"y of {path} holds a word that is no text ({error}): give characters") from None
    for picture, label in zip(x, labels, strict=True):
        yield picture, _word(path, label)


def _require_few_entries(path: Path) -> None:
    """`zipfile` reads the whole directory of an archive: first what its end says of its length.

    PKWARE, APPNOTE.TXT 6.3.10, 4.3.16: the end of the directory, and in it the number of entries.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2**16 - 22))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if 0 <= at <= len(tail) - 12 and int.from_bytes(tail[at + 10 : at + 12], "little") > MAX_ENTRIES:
        raise InputError(f"{path} holds more than {MAX_ENTRIES} arrays: give x and y")


def _is_text(word: str) -> bool:
    """Whether it can be written as UTF-8; a file's name may be any bytes."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _word(path: Path, label: int | str) -> str | None:
    if isinstance(label, int):
        return None if label < 0 else str(label)
    if len(label) > MAX_WORD:
        raise InputError(f"y of {path} holds a word of {len(label)} characters: give at most {MAX_WORD}")
    if not _is_text(label):
        raise InputError(f"y of {path} holds half of a surrogate pair: give whole characters")
    return label or None


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> Shaped[np.ndarray, "..."]:
    """One array of the archive; its header is believed only as far as the archive's own sizes confirm it."""
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        there = _reason(ValueError(", ".join(archive.namelist()[:5]))) or "nothing"
        raise InputError(f"{path} has no array {name} (it has {there}): give x and y") from None
    if entry.file_size > MAX_BYTES:
        raise InputError(
            f"{name} of {path} unpacks to more than {MAX_BYTES // 2**30} GiB: give a smaller file"
        )
    if entry.file_size > max(MIN_BOMB, MAX_INFLATION * entry.compress_size):
        raise InputError(
            f"{name} of {path} grows more than {MAX_INFLATION} times when unpacked: write it with numpy.savez"
        )
    try:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # all that NumPy writes
            raise ValueError(f"compression of kind {entry.compress_type}")
        with archive.open(entry) as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # of a header that only resembles one
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(file)
            size = dtype.itemsize
            for side in shape:
                size *= side
            if dtype.hasobject or min(shape, default=1) < 0 or size != entry.file_size - file.tell():
                raise ValueError("its header does not fit its size, or it holds objects")
            flat = np.frombuffer(file.read(), dtype) if size else np.zeros(0, dtype)
            return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    except (
        *_DAMAGED,
        SyntaxError,
        TypeError,
        OverflowError,
        MemoryError,
        Warning,
        tokenize.TokenError,
    ) as error:
        raise InputError(
            f"{name} of {path} is damaged ({_reason(error)}): write it with numpy.savez"
        ) from None


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


KIND = Kind(
    about="pictures, a folder a class or arrays x and y; any polarity",
    licence="your own",
    load=load_images,
    takes="DIR or images:FILE.npz",
    evaluates=None,
    records=image_records,
)
