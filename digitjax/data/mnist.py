"""Source `mnist`: given IDX files or a checked download, prepared once as ArrayRecord.

The prepared copy's folder is named by the SHA-256 of the four files it was made from, so that other
files make another copy. It is written beside its place, with a manifest, and renamed when it is whole.
Where array_record has no wheel (Windows) the copy holds the IDX files themselves.

    DIGITJAX_MNIST_DIR ──┐
                         ├─▶ four files, checked ─▶ splits ─▶ DIGITJAX_DATA_DIR/mnist-KEY/
    probe ─▶ download ───┘
"""

import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8, UInt8

from digitjax import paths
from digitjax.data.download import fetch
from digitjax.data.idx import REMEDY, read_idx, write_idx
from digitjax.data.mnist_files import (
    CANONICAL,
    MIRRORS,
    Known,
    at_hand,
    find_mirror,
    has_array_record,
    key_of,
    nothing_in,
    place,
    present,
)
from digitjax.data.prepared import is_there, publish, sha256
from digitjax.data.records import INDEX, Records, require_stream
from digitjax.data.spec import SPLITS, DataUnavailable, Kind, Source, Spec
from digitjax.data.splits import picture_digests, stratified
from digitjax.errors import InputError

VALIDATION = 1 / 12
"""Part of the training images kept for validation: 5,000 of 60,000."""
FEWEST = 7
"""Training images of which that part is one at least."""


class Images(NamedTuple):
    """Pictures of one split, ink 255 on 0, and what they show."""

    images: UInt8[np.ndarray, "n 28 28"]
    labels: Int8[np.ndarray, " n"]


def load_mnist(spec: Spec) -> Source:
    """The images of a split, prepared first where that has not been done.

    Raises:
        DataUnavailable: neither given nor prepared, and not to be had from the network.
        InputError: a given file is missing, cut off, damaged or not what it should be.
    """
    images, labels = _read(prepare(), spec.split or "test")
    return Source(name=str(spec), labels=labels, words=tuple(map(str, labels.tolist())), images=images)


def mnist_records(spec: Spec) -> Records:
    """The images of a split as the records that the builder wrote; their index is made at each start.

    Raises:
        DataUnavailable: neither given nor prepared, and not to be had from the network.
        InputError: a given file is missing, cut off, damaged or not what it should be.
    """
    require_stream()
    from digitjax.data.mnist_builder import open_split

    labels, read = open_split(spec.split or "test", prepare())
    index = np.zeros(len(labels), INDEX)
    index["place"], index["label"] = np.arange(len(labels)), labels
    return Records(str(spec), index, read)


def unavailable() -> str | None:
    """Why there is no MNIST here and now, in a few words, within 5 s; None where it can be had."""
    return None if at_hand() else find_mirror(CANONICAL, MIRRORS)[1] or None


def prepare(table: Mapping[str, Known] = CANONICAL, mirrors: tuple[str, ...] = MIRRORS) -> Path:
    """The folder of the prepared copy, made now where it is missing or damaged.

    Given files come first, then what was prepared before, then the download.

    Args:
        table: the files and their checksums. A given file with other contents is refused if it has as many
            items as this says; with another number of items it is other data on purpose, and noted.
        mirrors: addresses of the folders to download from.

    Raises:
        DataUnavailable: neither given nor prepared, and not to be had from the network.
        InputError: a given file is refused, or the data folder cannot be written to.
    """
    given = paths.mnist_dir()
    files = _given_files(given, table) if given is not None else {}
    if files:
        folder = place(key_of({name: sha256(path) for name, path in files.items()}))
        if is_there(folder):
            return folder
    else:
        folder = place(key_of({name: known.download.sha256 for name, known in table.items()}))
        if is_there(folder):
            if given is not None:
                _note(f"{nothing_in(given)}: taking the copy in {folder}")
            return folder
        mirror, reason = find_mirror(table, mirrors)
        if mirror is None:
            raise DataUnavailable(
                f"MNIST is not at hand ({reason}): set DIGITJAX_MNIST_DIR to a folder with the four IDX files"
            )
        if given is not None:
            _note(f"{nothing_in(given)}: fetching MNIST instead")
        wanted = {f"{name}.gz": known.download for name, known in table.items()}
        fetched = fetch(mirror, wanted, paths.data_dir() / "downloads")
        files = {name.removesuffix(".gz"): path for name, path in fetched.items()}
    splits = _splits(_read_files(files, table))
    publish(folder, lambda unfinished: _write(splits, unfinished))
    return folder


@functools.cache
def _note(sentence: str) -> None:
    """Tells it once, however many splits are read."""
    print(f"note: {sentence}", file=sys.stderr)


def _given_files(folder: Path, table: Mapping[str, Known]) -> dict[str, Path]:
    found = present(folder)
    missing = [name for name in table if name not in found]
    if found and missing:
        raise InputError(
            f"{folder} lacks {missing[0]} (or {missing[0]}.gz): put all four files of MNIST there"
        )
    return found


def _read_files(files: Mapping[str, Path], table: Mapping[str, Known]) -> tuple[Images, Images]:
    """Train and test as they are in the four files, checked."""
    arrays: dict[str, np.ndarray] = {}
    for name, path in files.items():
        images = "images" in name
        idx = read_idx(path, 3 if images else 1)
        if images and idx.array.shape[1:] != (28, 28):
            raise InputError(f"{path} holds images of {idx.array.shape[1:]} pixels: give MNIST's, 28 x 28")
        if len(idx.array) == table[name].items and idx.sha256 != table[name].sha256:
            raise InputError(
                f"{path} is not as it was published (its SHA-256 is {idx.sha256[:12]}...): {REMEDY}"
            )
        if not len(idx.array) or (not images and idx.array.max() > 9):
            raise InputError(
                f"{path} holds {'no items' if not len(idx.array) else 'labels above 9'}: {REMEDY}"
            )
        arrays[name] = idx.array
    pairs = []
    for part in ("train", "t10k"):
        images, labels = arrays[f"{part}-images-idx3-ubyte"], arrays[f"{part}-labels-idx1-ubyte"]
        if len(images) != len(labels):
            path = files[f"{part}-labels-idx1-ubyte"]
            raise InputError(f"{path} has {len(labels)} labels for {len(images)} images: {REMEDY}")
        if part == "train" and len(images) < FEWEST:
            path = files[f"{part}-images-idx3-ubyte"]
            raise InputError(
                f"{path} has too few images to keep one for validation ({len(images)}): give {FEWEST} or more"
            )
        pairs.append(Images(images, labels.astype(np.int8)))
        if len(images) != table[f"{part}-images-idx3-ubyte"].items:
            path = files[f"{part}-images-idx3-ubyte"]
            print(f"note: {path} holds {len(images)} images, so it is not MNIST itself", file=sys.stderr)
    return pairs[0], pairs[1]


def _splits(files: tuple[Images, Images]) -> dict[str, Images]:
    train, test = files
    held_out = (
        stratified(train.labels, picture_digests(train.images), [round(VALIDATION * len(train.labels))]) == 0
    )
    return {
        "train": Images(train.images[~held_out], train.labels[~held_out]),
        "validation": Images(train.images[held_out], train.labels[held_out]),
        "test": test,
    }


def _write(splits: Mapping[str, Images], folder: Path) -> None:
    if has_array_record():
        from digitjax.data.mnist_builder import write_records

        write_records(splits, folder)
        return
    for name, split in splits.items():
        write_idx(folder / f"{name}-images", split.images)
        write_idx(folder / f"{name}-labels", split.labels.astype(np.uint8))


def _read(folder: Path, split: str) -> Images:
    assert split in SPLITS
    if has_array_record():
        from digitjax.data.mnist_builder import read_records

        return read_records(split, folder)
    images, labels = read_idx(folder / f"{split}-images", 3), read_idx(folder / f"{split}-labels", 1)
    return Images(images.array, labels.array.astype(np.int8))


def _prepare(spec: Spec) -> str:
    return f"MNIST is prepared in {prepare()}"


KIND = Kind(
    about="scanned digits, 28 x 28 pixels",
    licence="none stated by its authors (LeCun, Cortes, Burges)",
    load=load_mnist,
    size="60,000 + 10,000 images",
    unavailable=unavailable,
    prepare=_prepare,
    at_hand=at_hand,
    records=mnist_records,
)
