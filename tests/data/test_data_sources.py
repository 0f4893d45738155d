"""The sources of people's own drawings and pictures, and the two that come with the program."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from digitjax.data import EmptySplit, Source, load
from digitjax.data import images as images_source
from digitjax.data.pipeline import to_examples
from digitjax.data.splits import in_split, ink_digest, writer_digest
from digitjax.errors import InputError
from digitjax.strokes import Drawing, read_drawings, write_drawings

SPLITS = ("train", "validation", "test")


def drawing(word: str | None, x: float, writer: str | None = None) -> Drawing:
    return Drawing((np.array([(0.0, 0.0), (x, 20.0)]),), None, word, "s" if writer else None, writer)


def picture(value: int, size: tuple[int, int] = (28, 28)) -> np.ndarray:
    pixels = np.full(size, 255, np.uint8)
    pixels[4:-4, size[1] // 2 :: 7] = value
    return pixels


def pictures(part: Source) -> np.ndarray:
    """The images of a source that has them all of one size."""
    assert isinstance(part.images, np.ndarray)
    return part.images


def npz(path, **arrays) -> str:
    np.savez_compressed(path, **arrays)
    return f"images:{path}"


# strokes:FILE


def test_drawings_have_labels_words_writers_and_ink_and_the_unlabelled_are_counted(tmp_path):
    path = tmp_path / "d.ndjson"
    drawings = [
        drawing("7", 1, "a"),
        drawing("horse", 2),
        drawing(None, 3),
        drawing("10", 4, "b"),
        drawing("", 5),
    ]
    write_drawings(path, drawings)
    source = load(f"strokes:{path}=3")
    assert source.name == f"strokes:{path}"
    assert source.labels.tolist() == [7, 10, 10] and source.labels.dtype == np.int8
    assert source.words == ("7", "horse", "10") and source.writers == ("s/a", None, "s/b")
    assert source.ink is not None and source.ink.ends.shape == (3, 128, 4) and source.images is None
    assert source.ink.ends[:, 0, 2].tolist() == [1, 2, 4] and source.skipped == 2


def test_a_writer_stays_in_one_split_and_ink_without_writer_is_dealt_by_itself(tmp_path):
    path = tmp_path / "d.ndjson"
    drawings = [drawing("1", i + 0.25 * j, f"w{i}") for i in range(30) for j in range(3)]
    drawings += [drawing("2", i) for i in range(60)]
    write_drawings(path, drawings)
    parts = {split: load(f"strokes:{path}", split) for split in SPLITS}
    assert sum(len(part.labels) for part in parts.values()) == 150
    for split, part in parts.items():
        assert part.name == f"strokes:{path}@{split}"
        expected = [
            d
            for d in drawings
            if in_split(writer_digest("s", d.writer) if d.writer else ink_digest(d.strokes), split)
        ]
        assert part.ink is not None
        assert part.ink.ends[:, 0, 2].tolist() == [d.strokes[0][1, 0] for d in expected]
    writers = [set(part.writers or ()) - {None} for part in parts.values()]
    assert len(set.union(*writers)) == sum(map(len, writers)) == 30


def test_an_empty_split_is_named(tmp_path):
    path = tmp_path / "one.ndjson"
    write_drawings(path, [drawing("3", i, "me") for i in range(5)])
    found = []
    for split in SPLITS:
        try:
            found.append(len(load(f"strokes:{path}@{split}").labels))
        except EmptySplit as error:
            assert (
                f"@{split} is empty, as where there are few pictures, or few writers: give strokes:{path},"
                in str(error)
            )
            with pytest.raises(EmptySplit, match="few pictures, or few writers: give more of them$"):
                load(f"strokes:{path}", split)  # its plain name would mean the same again
    assert found == [5]
    np.savez(tmp_path / "x.npz", x=np.full((1, 8, 8), 9, np.uint8), y=[3])
    with pytest.raises(EmptySplit, match="few writers: give more of them$"):
        for split in SPLITS:
            load(f"images:{tmp_path / 'x.npz'}", split)
    for n, says in ((1, "the only example of .* has no label: give it"), (2, "none of the 2 examples of")):
        write_drawings(path, [drawing(None, 1)] * n)
        with pytest.raises(EmptySplit, match=says):
            load(f"strokes:{path}")


def test_a_bad_line_stops_the_loading_by_file_and_line(tmp_path):
    path = tmp_path / "d.ndjson"
    path.write_text('{"word":"1","drawing":[[[0],[0]]]}\n{"word":"1","drawing":[[[0],[]]]}\n')
    with pytest.raises(InputError, match=r"d\.ndjson:2: stroke 1 has 1 x, 0 y"):
        load(f"strokes:{path}@train")


def test_long_drawings_are_not_kept_unpacked(tmp_path):
    path = tmp_path / "long.ndjson"
    points = np.random.default_rng(0).uniform(0, 99, (20_000, 2)).round(1)
    count = 24
    write_drawings(path, (Drawing((points,), None, "1") for _ in range(count)))
    tracemalloc.start()
    try:
        assert len(load(f"strokes:{path}").labels) == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.6 * count * points.nbytes  # one drawing's numbers as they are parsed take 0.3 of it


@pytest.mark.ci
def test_the_corpora_split_by_writer(datasets):
    spec = f"strokes:{datasets / 'strokes' / 'pendigits-train.ndjson.gz'}"
    parts = [load(f"{spec}@{split}") for split in SPLITS]
    writers = [set(part.writers or ()) for part in parts]
    assert [len(part.labels) for part in parts] == [4995, 1750, 749]
    assert [len(w) for w in writers] == [20, 7, 3] and len(set.union(*writers)) == 30


# images:


def test_a_folder_of_pictures_has_a_folder_a_class(tmp_path):
    for name, word in (("b.png", "7"), ("a.jpg", "7"), ("c.PNG", "cat"), ("d.png", "")):
        (tmp_path / word).mkdir(exist_ok=True)
        Image.fromarray(picture(0, (30, 20 + len(name)))).convert("RGB" if "jpg" in name else "L").save(
            tmp_path / word / name
        )
    (tmp_path / "7" / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    source = load(f"images:{tmp_path}")
    assert source.words == ("7", "7", "cat") and source.labels.tolist() == [7, 7, 10]
    assert source.skipped == 1 and source.writers is None and isinstance(source.images, list)
    assert [p.shape for p in source.images] == [(30, 25, 3), (30, 25), (30, 25)]
    assert to_examples(source, "mnist28").images.shape == (3, 28, 28, 1)


def test_pictures_are_dealt_by_their_pixels_wherever_they_lie(tmp_path):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (60, 9, 9), dtype=np.uint8)
    for index, array in enumerate(pixels):
        folder = tmp_path / "d" / str(index % 10)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / f"{index:02}.png")
    spec = npz(tmp_path / "p.npz", x=pixels, y=np.arange(60) % 10)
    for split in SPLITS:
        a, b = load(f"images:{tmp_path / 'd'}@{split}"), load(f"{spec}@{split}")
        assert isinstance(a.images, np.ndarray) and isinstance(b.images, np.ndarray)
        assert sorted(map(bytes, a.images)) == sorted(map(bytes, b.images))
        assert sorted(a.labels) == sorted(b.labels)


def test_arrays_are_handed_over_as_they_are(tmp_path):
    x = np.stack([picture(v) for v in (0, 9, 99, 3)])
    source = load(npz(tmp_path / "p.npz", x=x, y=np.array(["1", "horse", "", "0"])))
    np.testing.assert_array_equal(source.images, x[[0, 1, 3]])
    assert source.labels.tolist() == [1, 10, 0] and source.skipped == 1
    numbers = load(npz(tmp_path / "q.npz", x=np.asfortranarray(x[..., None]), y=np.array([-1, 9, 10, 0])))
    np.testing.assert_array_equal(numbers.images, x[1:])
    assert numbers.words == ("9", "10", "0") and numbers.skipped == 1
    colour = load(npz(tmp_path / "c.npz", x=np.stack([x, x, x], -1), y=np.arange(4)))
    assert isinstance(colour.images, list) and colour.images[0].shape == (28, 28, 3)


def test_web_mouse(datasets):
    source = load(f"images:{datasets / 'images' / 'web-mouse.npz'}")
    assert np.bincount(source.labels).tolist() == [1284, 0, 0, 1376, 0, 1357, 1374, 0, 1328]


X, Y = np.stack([picture(0)]), np.array([1])


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": X}, "no array y"),
        ({"x": X.astype(float), "y": Y}, "x of .* is float64"),
        ({"x": X[0], "y": Y}, "uint8 \\[28, 28\\]"),
        ({"x": X, "y": np.array([1, 2])}, "give 1 whole numbers"),
        ({"x": X, "y": np.array([1.0])}, "y of .* is float64"),
        ({"x": X, "y": np.array(["x" * 65])}, "65 characters"),
        ({"x": X[:0], "y": Y[:0]}, "no pictures"),
        ({"x": np.zeros((1, 5000, 1), np.uint8), "y": Y}, "sides of 1 to 4096"),
        ({"x": X, "y": np.array([{}], dtype=object)}, "objects"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, arrays, says):
    with pytest.raises(InputError, match=says):
        load(npz(tmp_path / "p.npz", **arrays))


def header(shape: str, dtype: str = "|u1") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "x",
    [
        header("(1000000000, 28, 28)"),
        header("(1, 28, 28)") + bytes(783),
        header("(-1, 28, 28)"),
        header("(1, 28, 28)", "|O") + bytes(784),
        header("__import__('os').abort()"),
        b"\x93NUMPY\x09\x00",
        b"",
    ],
)
def test_headers_are_not_believed(tmp_path, x):
    y = io.BytesIO()
    np.save(y, Y)
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("x.npy", x)
        archive.writestr("y.npy", y.getvalue())
    with pytest.raises(InputError, match=r"x of .*p\.npz is damaged"):
        load(f"images:{tmp_path / 'p.npz'}")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    spec = npz(tmp_path / "p.npz", x=np.zeros((2000, 28, 28), np.uint8), y=np.zeros(2000, int))
    monkeypatch.setattr(images_source, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(InputError, match="unpacks to more"):
        load(spec)


@pytest.mark.parametrize("cut", [0, 10, 200, -30])
def test_a_damaged_archive_is_refused(tmp_path, cut):
    npz(tmp_path / "p.npz", x=X, y=Y)
    whole = (tmp_path / "p.npz").read_bytes()
    (tmp_path / "p.npz").write_bytes(whole[:cut])
    with pytest.raises(InputError, match=r"p\.npz"):
        load(f"images:{tmp_path / 'p.npz'}")
    flipped = bytearray(whole)
    flipped[70] ^= 0x10
    (tmp_path / "p.npz").write_bytes(flipped)
    with pytest.raises(InputError, match=r"p\.npz"):
        load(f"images:{tmp_path / 'p.npz'}")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda d: None, "holds no PNG or JPEG"),
        (lambda d: (d / "a.txt").write_text("x"), "holds no PNG or JPEG"),
        (lambda d: (d / "7.png").write_bytes(b"no picture"), "7.png"),
        (lambda d: (d / ("x" * 65)).mkdir(), "longer than 64"),
        (lambda d: (d / "a.png").symlink_to("/etc/hostname"), "link out of its folder"),
    ],
)
def test_a_bad_folder_is_refused(tmp_path, make, says):
    folder = tmp_path / "pictures"
    folder.mkdir()
    make(folder)
    with pytest.raises(InputError, match=says):
        load(f"images:{folder}")


def test_what_is_neither_folder_nor_arrays_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"")
    with pytest.raises(InputError, match="neither a folder nor"):
        load(f"images:{tmp_path / 'a.tar'}")
    with pytest.raises(InputError, match="does not exist"):
        load(f"images:{tmp_path / 'b.npz'}")


# what comes with the program


def test_digits8x8_is_scikit_learns_in_fixed_parts():
    from sklearn.datasets import load_digits

    parts = [load(f"digits8x8@{split}") for split in SPLITS]
    assert [len(part.labels) for part in parts] == [1258, 180, 359]
    assert load("digits8x8").name == "digits8x8@test"
    ours = {
        (bytes(image), int(label))
        for part in parts
        for image, label in zip(pictures(part), part.labels, strict=True)
    }
    images, labels = load_digits(return_X_y=True)
    theirs = {
        (bytes(np.round(i / 16 * 255).astype(np.uint8)), int(y)) for i, y in zip(images, labels, strict=True)
    }
    assert ours == theirs
    for part in parts:
        assert np.ptp(np.bincount(part.labels) / len(part.labels)) < 0.012
    assert parts[1].labels[:12].tolist() == [9, 3, 0, 6, 5, 3, 8, 5, 6, 5, 7, 2]


def test_synthetic_is_the_same_each_time_and_not_the_same_in_each_split(monkeypatch):
    from digitjax.data import procedural

    monkeypatch.setattr(procedural, "COUNTS", {"train": 40, "validation": 20, "test": 20})
    monkeypatch.setattr(procedural, "CHUNK", 20)
    parts = [load("synthetic", split) for split in SPLITS]
    assert [len(part.labels) for part in parts] == [40, 20, 20]
    again = load("synthetic")
    assert again.name == "synthetic@test" and again.words == tuple(map(str, parts[2].labels))
    inks = [
        json.dumps(np.asarray(ink).tolist()) for part in (*parts, again) if part.ink for ink in part.ink.ends
    ]
    assert len(set(inks)) == 80 and inks[80:] == inks[60:80]


def test_reading_the_same_file_twice_gives_the_same(datasets):
    path = datasets / "strokes" / "bridger.ndjson.gz"
    source = load(f"strokes:{path}")
    assert source.words == tuple(d.word for d in read_drawings(path))
    assert set(source.writers or ()) == {"bridger-numberpad/bridger"}
