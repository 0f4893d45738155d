"""Splits: recorded values, so that no machine and no version deals the examples otherwise."""

import hashlib
import struct

import numpy as np
import pytest

from digitjax.data.splits import in_split, ink_digest, picture_digests, stratified, writer_digest

INK = [np.array([(0.0, 1.5), (-0.0, 3.0)]), np.array([(7.0, 7.0)])]


def test_the_recipe_is_the_one_on_record():
    assert writer_digest("pendigits", "12") == hashlib.sha256(b"pendigits\x0012").digest()
    assert writer_digest(None, "ü") == hashlib.sha256(b"\x00\xc3\xbc").digest()
    ink = b"ink\0" + struct.pack("<I4dI2d", 2, 0.0, 1.5, 0.0, 3.0, 1, 7.0, 7.0)
    assert ink_digest(INK) == hashlib.sha256(ink).digest()
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    colour = np.zeros((1, 1, 3), np.uint8)
    assert picture_digests([picture, picture.T, colour]) == [
        hashlib.sha256(struct.pack("<3I", 2, 3, 1) + b"\0\1\2\3\4\5").digest(),
        hashlib.sha256(struct.pack("<3I", 3, 2, 1) + b"\0\3\1\4\2\5").digest(),
        hashlib.sha256(struct.pack("<3I", 1, 1, 3) + b"\0\0\0").digest(),
    ]


def test_recorded_digests():
    assert writer_digest("pendigits", "12").hex()[:16] == "dcc1e6ca9fcdfb61"
    assert ink_digest(INK).hex()[:16] == "7435b67727ac6c18"
    assert picture_digests([np.zeros((28, 28), np.uint8)])[0].hex()[:16] == "941b8961eeb2a8a8"


@pytest.mark.parametrize(
    ("first_bytes", "split"),
    [(0, "train"), (7, "train"), (8, "validation"), (9, "test"), (2**64 - 1, "train"), (2**56 + 3, "test")],
)
def test_buckets(first_bytes, split):
    digest = first_bytes.to_bytes(8, "big") + bytes(24)
    assert [name for name in ("train", "validation", "test") if in_split(digest, name)] == [split]
    assert in_split(digest, None)


def test_hashes_deal_80_10_10():
    digests = [writer_digest("s", str(i)) for i in range(10_000)]
    for split, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        assert np.mean([in_split(d, split) for d in digests]) == pytest.approx(share, abs=0.015)


def test_ink_does_not_depend_on_its_float_type_or_memory_order():
    same = [np.asfortranarray(stroke.astype(np.float32)) for stroke in INK]
    assert ink_digest(same) == ink_digest(INK) == ink_digest([stroke.astype(">f8") for stroke in INK])


def test_stratified_gives_each_class_its_share_in_exact_numbers():
    random = np.random.default_rng(0)
    labels = random.integers(0, 7, 1003)
    digests = [random.bytes(8) for _ in labels]
    part = stratified(labels, digests, [700, 101])
    assert np.bincount(part).tolist() == [700, 101, 202]
    for label in range(7):
        n = (labels == label).sum()
        assert abs((part[labels == label] == 0).sum() - n * 700 / 1003) <= 1
        assert abs((part[labels == label] == 1).sum() - n * 101 / 1003) <= 1.5


def test_stratified_depends_on_the_examples_and_not_on_their_order():
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 90)
    digests = [random.bytes(8) for _ in labels]
    order = random.permutation(90)
    part = stratified(labels, digests, [30, 30])
    np.testing.assert_array_equal(
        stratified(labels[order], [digests[i] for i in order], [30, 30]), part[order]
    )
    smallest = min((d, i) for i, d in enumerate(digests))[1]
    assert part[smallest] == 0
