"""MNIST: IDX files and the prepared copy; on a tiny set of our own and on the real files."""

import gzip
import hashlib
import os
import sys
import threading

import jax
import numpy as np
import pytest

from digitjax.data import Source, load, mnist_files, unavailable
from digitjax.data import mnist as source
from digitjax.data.download import Download
from digitjax.data.idx import read_idx, write_idx
from digitjax.data.mnist import CANONICAL, prepare
from digitjax.data.prepared import MANIFEST, _digest, is_whole, sha256
from digitjax.errors import InputError
from tests.data.tiny_mnist import NAMES, prepared


def pictures(part: Source) -> np.ndarray:
    """The images of a source that has them all of one size."""
    assert isinstance(part.images, np.ndarray)
    return part.images


# the format


def test_idx_is_read_plain_and_packed(tiny):
    plain, packed = read_idx(tiny / NAMES[0], 3), read_idx(tiny / f"{NAMES[0]}.gz", 3)
    assert plain.array.shape == (240, 28, 28) and plain.sha256 == packed.sha256
    np.testing.assert_array_equal(plain.array, packed.array)
    assert (tiny / NAMES[0]).read_bytes()[:16] == bytes.fromhex("00000803 000000f0 0000001c 0000001c")


IMAGE = bytes.fromhex("00000803 00000001 00000002 00000002 05060708")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "within its header"),
        (bytes(15), "within its header"),
        (bytes.fromhex("00000801 00000001 00000001 00000001 05"), "no IDX file of images"),
        (bytes.fromhex("00000803 00000001 00000001 00000002 05"), "is cut off, 17 bytes where 18"),
        (bytes.fromhex("00000803 00000001 00000001 00000001 0506"), "too long"),
        (bytes.fromhex("00000803 ffffffff ffffffff ffffffff 05"), "is cut off"),
        (bytes.fromhex("00000803 00000000 ffffffff ffffffff"), "holds no items"),
        (gzip.compress(IMAGE, mtime=0)[:-9], "damaged or cut off"),
        (gzip.compress(IMAGE, mtime=0)[:-8] + bytes(8), "damaged or cut off"),
        (b"\x1f\x8b" + bytes(9), "damaged or cut off"),
    ],
)
def test_idx_that_is_not_whole_is_refused(tmp_path, content, says):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"images .*{says}"):
        read_idx(path, 3)


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("digitjax.data.idx.MAX_BYTES", 10_000)
    monkeypatch.setattr("digitjax.data.idx._PART", 100)
    header = bytes.fromhex("00000801 00018698")  # 99,992 labels
    (tmp_path / "bomb").write_bytes(gzip.compress(header + bytes(99_992)))
    with pytest.raises(InputError, match="bomb holds more than"):
        read_idx(tmp_path / "bomb", 1)
    (tmp_path / "large").write_bytes(header + bytes(99_992))
    with pytest.raises(InputError, match="large holds more than"):
        read_idx(tmp_path / "large", 1)


# given files


def test_given_files_are_prepared_once_and_read_back(given, table, tmp_path, capfd, monkeypatch):
    folder = prepare(table)
    assert prepared(tmp_path) == [folder.name] and is_whole(folder)
    out, err = capfd.readouterr()
    assert out == ""
    assert [line for line in err.splitlines() if not line.startswith("note: ")] == [
        "preparing MNIST: 270 images"
    ]
    assert "tensorflow" not in sys.modules
    parts = {
        split: source.load_mnist(source.Spec("mnist", None, split))
        for split in ("train", "validation", "test")
    }
    assert {split: len(part.labels) for split, part in parts.items()} == {
        "train": 220,
        "validation": 20,
        "test": 30,
    }
    assert np.bincount(parts["validation"].labels).tolist() == [2] * 10
    seen = {
        bytes(image): int(y) for p in parts.values() for image, y in zip(pictures(p), p.labels, strict=True)
    }
    images = [read_idx(given / name, 3).array for name in (NAMES[0], NAMES[2])]
    expected = {bytes(image): i % 10 for array in images for i, image in enumerate(array)}
    assert seen == expected and len(seen) == 270
    monkeypatch.setattr(source, "publish", lambda *_: pytest.fail("it was prepared again"))
    assert prepare(table) == folder


def test_a_training_hashes_each_file_once(given, table, monkeypatch):
    prepare(table)
    hashed = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, name: hashed.append(file.name) or digest(file, name)
    )
    _digest.cache_clear()
    for split in ("train", "validation", "test"):
        load(f"mnist@{split}")
    assert hashed and len(hashed) == len(set(hashed))


def test_a_file_that_changes_is_hashed_again(tmp_path):
    file = tmp_path / "a"
    seen = set()
    for number, content in enumerate((b"one", b"two", b"three")):
        file.write_bytes(content)
        os.utime(file, ns=(number, number))
        assert sha256(file) == hashlib.sha256(content).hexdigest()
        seen.add(sha256(file))
    assert len(seen) == 3


def test_what_is_read_is_what_tfds_reads(given, table):
    import tensorflow_datasets as tfds

    folder = prepare(table)
    builder = tfds.builder_from_directory(folder / "digitjax_mnist" / "1.0.0")
    assert {name: info.num_examples for name, info in builder.info.splits.items()} == {
        "train": 220,
        "validation": 20,
        "test": 30,
    }
    theirs = list(builder.as_data_source(split="validation"))  # pyright: ignore[reportCallIssue]
    ours = load("mnist@validation")
    assert ours.name == "mnist@validation" and ours.words == tuple(str(e["label"]) for e in theirs)
    np.testing.assert_array_equal(ours.images, [e["image"][:, :, 0] for e in theirs])


def test_records_are_decoded_at_once_only_where_nothing_but_pixels_and_label_differs():
    from digitjax.data import mnist_builder

    made = np.random.default_rng(0)
    head = b"\n\xb3\x06\n\xa0\x06\n\x05image\x12\x96\x06\n\x93\x06\n\x90\x06"
    foot = b"\n\x0e\n\x05label\x12\x05\x1a\x03\n\x01"
    raw = [head + made.bytes(784) + foot + bytes([i % 10]) for i in range(12)]  # as TFDS wrote MNIST's
    at_once, one_by_one = mnist_builder._alike(raw), mnist_builder._each(raw)
    assert at_once is not None
    jax.tree.map(np.testing.assert_array_equal, at_once, one_by_one)
    for other in (raw[5][:-1] + b"\x0b", raw[5][:3] + b"?" + raw[5][4:], raw[5][:-1]):
        assert mnist_builder._alike([*raw[:5], other, *raw[6:]]) is None


def test_without_array_record_the_copy_holds_idx_files(given, table, monkeypatch):
    images = {split: load(f"mnist@{split}") for split in ("train", "validation")}
    for module in (source, mnist_files):
        monkeypatch.setattr(module, "has_array_record", lambda: False)
    folder = prepare(table)
    assert folder.name.endswith("-idx") and is_whole(folder)
    for split, with_records in images.items():
        again = load(f"mnist@{split}")
        assert sorted(map(bytes, pictures(again))) == sorted(map(bytes, pictures(with_records)))
        assert again.labels.dtype == np.int8


def test_other_files_are_never_taken_for_the_ones_prepared(given, table):
    folder = prepare(table)
    labels = read_idx(given / NAMES[3], 1).array.copy()
    labels[0] = 7
    write_idx(given / NAMES[3], labels)
    changed = {**table, NAMES[3]: table[NAMES[3]]._replace(sha256=read_idx(given / NAMES[3], 1).sha256)}
    assert prepare(changed) != folder


def test_a_set_of_another_size_is_taken_and_noted(given, capfd):
    assert len(load("mnist").labels) == 30
    assert "holds 240 images, so it is not MNIST itself" in capfd.readouterr().err


@pytest.mark.parametrize(("count", "fits"), [(6, False), (7, True)])
def test_a_set_that_leaves_nothing_for_validation_is_refused(given, tmp_path, count, fits):
    write_idx(given / "train-images-idx3-ubyte", np.zeros((count, 28, 28), np.uint8))
    write_idx(given / "train-labels-idx1-ubyte", np.arange(count, dtype=np.uint8))
    if fits:
        assert len(load("mnist@validation").labels) == 1
        return
    with pytest.raises(InputError, match=rf"train-images-idx3-ubyte .*\({count}\): give 7 or more"):
        load("mnist@train")
    assert prepared(tmp_path) == []


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("number", range(4))
def test_a_damaged_or_cut_file_is_refused_by_name_and_leaves_nothing(given, table, tmp_path, number, packed):
    path = given / NAMES[number]
    whole = path.read_bytes()
    for damage in ("cut", "flipped", "longer"):
        flipped = bytearray(whole)
        flipped[-1] ^= 1
        content = {"cut": whole[:-1], "flipped": bytes(flipped), "longer": whole + b"\0"}[damage]
        path.write_bytes(content)
        if packed:
            path.unlink()
            (given / f"{NAMES[number]}.gz").write_bytes(gzip.compress(content))
        with pytest.raises(InputError, match=NAMES[number]) as error:
            prepare(table)
        assert "fetch it again" in str(error.value)
        assert prepared(tmp_path) == []


def test_a_half_written_gzip_is_refused(given, table, tiny, tmp_path):
    path = given / f"{NAMES[0]}.gz"
    whole = (tiny / path.name).read_bytes()
    for length in (0, 1, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=path.name):
            prepare(table)
    assert prepared(tmp_path) == []


def test_a_missing_file_is_named(given, table):
    (given / NAMES[1]).unlink()
    with pytest.raises(InputError, match=f"lacks {NAMES[1]}"):
        prepare(table)
    assert unavailable("mnist") is None  # so that a training says what is wrong instead of going another way


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        (NAMES[0], np.zeros((5, 8, 8), np.uint8), "28 x 28"),
        (NAMES[1], np.zeros(5, np.uint8), "5 labels for 240 images"),
        (NAMES[1], np.full(250, 10, np.uint8), "labels above 9"),
        (NAMES[2], np.zeros((0, 28, 28), np.uint8), "no items"),
    ],
)
def test_files_that_do_not_fit_are_refused(given, table, name, array, says):
    write_idx(given / name, array)
    with pytest.raises(InputError, match=f"{name} .*{says}"):
        prepare(table)


def test_a_damaged_copy_is_made_again(given, table, tmp_path):
    folder = prepare(table)
    record = next(folder.rglob("*-test.array_record*"))
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 1
    record.write_bytes(data)
    assert is_whole(folder, contents=False) and not is_whole(folder)
    assert prepare(table) == folder and is_whole(folder)
    (folder / MANIFEST).unlink()
    assert prepare(table) == folder and is_whole(folder)
    assert prepared(tmp_path) == [folder.name]


def test_several_may_prepare_at_once(given, table, tmp_path):
    results, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: results.append(prepare(table))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(results) == 3 and len(set(results)) == 1 and is_whole(results[0])
    assert prepared(tmp_path) == [results[0].name]


# the real files


def test_the_checksums_are_those_of_the_real_files(mnist_dir):
    for name, known in CANONICAL.items():
        path = mnist_dir / f"{name}.gz"
        if path.exists():
            data = path.read_bytes()
            assert Download(len(data), hashlib.sha256(data).hexdigest()) == known.download
        else:
            path = mnist_dir / name
        idx = read_idx(path, 3 if "images" in name else 1)
        assert (idx.sha256, len(idx.array)) == (known.sha256, known.items)


@pytest.mark.ci
def test_the_real_data(mnist_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(mnist_dir))
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path))
    assert unavailable("mnist") is None
    parts = [load(f"mnist@{split}") for split in ("train", "validation", "test")]
    assert [len(part.labels) for part in parts] == [55_000, 5_000, 10_000]
    counts = [np.bincount(part.labels) for part in parts]
    assert (counts[0] + counts[1]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert counts[1].tolist() == [494, 562, 496, 511, 487, 452, 493, 522, 487, 496]
    assert counts[2].tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    total = sum(int(pictures(part).sum(dtype=np.int64)) for part in parts[:2])
    assert total == int(read_idx(next(mnist_dir.glob("train-images*")), 3).array.sum(dtype=np.int64))
