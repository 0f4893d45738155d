"""Fixed splits: a function of the data alone, the same on every machine and in every order of reading.

Files of people's own are split by hash: the first eight bytes of a SHA-256, as a big-endian integer
modulo 10, are the example's bucket; 0 to 7 are train, 8 is validation, 9 is test. What is hashed:

- a drawing with a writer: `source`, a zero byte and `writer`, as UTF-8 (no source counts as ""), so that all
  of a writer's drawings stay together, also across files;
- a drawing without a writer: the four bytes `ink` and a zero byte, then for each stroke its number of
  points as a 32-bit and its points x0 y0 x1 y1 ... as 64-bit little-endian floats, -0 written as 0;
- a picture: its height, width and channels as 32-bit little-endian integers, then its bytes row by row.

`mnist` and `digits8x8` are split by class in fixed numbers, in the order of the pictures' whole SHA-256.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int

BUCKETS = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}
"""Buckets, of ten, of each split."""


def in_split(digest: bytes, split: str | None) -> bool:
    """Whether an example with that SHA-256 belongs to the split; None is the whole."""
    return split is None or bucket(digest) in BUCKETS[split]


def bucket(digest: bytes) -> int:
    """The bucket, 0 to 9, of an example with that SHA-256."""
    return number_of(digest) % 10


def number_of(digest: bytes) -> int:
    """The first eight bytes of a digest as a big-endian integer."""
    return int.from_bytes(digest[:8], "big")


def writer_digest(source: str | None, writer: str) -> bytes:
    """SHA-256 of a writer, 32 bytes."""
    return hashlib.sha256(f"{source or ''}\0{writer}".encode()).digest()


def ink_digest(strokes: Sequence[Float[np.ndarray, "_ 2"]]) -> bytes:
    """SHA-256 of ink, 32 bytes."""
    digest = hashlib.sha256(b"ink\0")
    for stroke in strokes:
        digest.update(struct.pack("<I", len(stroke)))
        digest.update((np.asarray(stroke) + 0.0).astype("<f8").tobytes())
    return digest.digest()


def picture_digests(pictures: Iterable[np.ndarray]) -> list[bytes]:
    """SHA-256 of each picture, 32 bytes; pictures are uint8 [height, width] or [height, width, channels]."""
    digests = []
    for picture in pictures:
        height, width, *channels = picture.shape
        digest = hashlib.sha256(struct.pack("<III", height, width, *(channels or [1])))
        digest.update(np.ascontiguousarray(picture).data)
        digests.append(digest.digest())
    return digests


def stratified(
    labels: Int[np.ndarray, " n"], digests: Sequence[bytes], sizes: Sequence[int]
) -> Int[np.ndarray, " n"]:
    """Deals examples to parts of fixed sizes, so that each class has its share in each part.

    Args:
        labels: the class of each example.
        digests: what orders the examples of a class; equal digests keep the order given.
        sizes: examples of every part but the last, which takes the rest.

    Returns:
        The part of each example, 0 to len(sizes).
    """
    part = np.full(len(labels), len(sizes))
    order = np.array(sorted(range(len(labels)), key=lambda i: digests[i]), dtype=np.intp)
    classes, counts = np.unique(labels, return_counts=True)
    taken = np.zeros(len(classes), np.intp)
    for index, size in enumerate(sizes):
        share = _shares(counts - taken, size)
        for c, label in enumerate(classes):
            members = order[labels[order] == label]
            part[members[taken[c] : taken[c] + share[c]]] = index
        taken += share
    return part


def _shares(counts: Int[np.ndarray, " classes"], size: int) -> Int[np.ndarray, " classes"]:
    """`size` divided in proportion to `counts`, by largest remainder."""
    exact = [int(count) * size for count in counts]
    total = int(counts.sum())
    share = np.array([e // total for e in exact])
    left = size - int(share.sum())
    most = sorted(range(len(exact)), key=lambda c: -(exact[c] % total))[:left]
    share[most] += 1
    return share
