"""Lists of doubted labels: what is read, what is refused, and that those that come along fit the data."""

import numpy as np
import pytest

from digitjax.data import audit, load
from digitjax.data.splits import ink_digest, number_of, picture_digests
from digitjax.errors import InputError
from digitjax.strokes import read_drawings

HEADING = "id,key,label,finding,reading\n"


def test_a_finding_is_of_an_ink_and_a_label(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(HEADING + 'ffffffffffffffff,"a,b",3,cut,\n00000000000000ab,k,0,mislabelled,6\n')
    found = audit.read_audit(path)
    assert found == {(2**64 - 1, 3): "cut", (0xAB, 0): "mislabelled"}
    ids, labels = (
        np.array([0xAB, 2**64 - 1, 2**64 - 1, 1, 0xAB], np.uint64),
        np.array([0, 3, 4, 3, 0], np.int8),
    )
    assert audit.findings(ids, labels, found) == ("mislabelled", "cut", None, None, "mislabelled")
    assert audit.findings(None, labels, found) == (None,) * 5


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ":1: the heading is another one"),
        (b"id,label\n", ":1: the heading is another one"),
        (HEADING.encode() + b"0123,k,1,cut\n", ":2: 4 fields"),
        (HEADING.encode() + b"0123,k,1,cut,\n", ":2: the id '0123' is none"),
        (HEADING.encode() + b"0123456789abcdef,k,x,cut,\n", ":2: the label 'x' is no digit"),
        (HEADING.encode() + b"0123456789abcdef,k,1,ugly,\n", ":2: the finding 'ugly' is unknown"),
        (HEADING.encode() + b'0123456789abcdef,"k,1,cut,\n', "is no CSV file"),
        (b"\xff\xfe", "is no CSV file"),
    ],
)
def test_what_is_no_list_is_refused_by_its_line(tmp_path, content, says):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        audit.read_audit(path)
    assert says in str(error.value) and str(path) in str(error.value)


def test_a_missing_or_endless_list_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot be read"):
        audit.read_audit(tmp_path / "none.csv")
    monkeypatch.setattr(audit, "MAX_LINES", 1)
    path = tmp_path / "list.csv"
    path.write_text(HEADING + "".join(f"{i:016x},k,1,cut,\n" for i in range(2)))
    with pytest.raises(InputError, match="more than 1 lines"):
        audit.read_audit(path)


@pytest.mark.ci
def test_the_lists_that_come_along_name_drawings_of_the_corpora_as_they_are_labelled(datasets):
    shipped = set(audit.shipped())
    drawings = read_drawings(datasets / "strokes" / "unipen-digits-train.ndjson.gz")
    ink = {(number_of(ink_digest(one.strokes)), int(one.word or "")) for one in drawings}
    with np.load(datasets / "images" / "web-mouse.npz") as arrays:
        digests = picture_digests(list(arrays["x"]))
        pictures = set(zip(map(number_of, digests), arrays["y"].tolist(), strict=True))
    assert (len(ink & shipped), len(pictures & shipped), len(shipped)) == (80, 99, 179)


def test_pictures_of_a_file_are_told_apart_by_their_pixels(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (12, 9, 9)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.array([*range(10), -1, 3]))
    source = load(f"images:{tmp_path / 'a.npz'}")
    wanted = [number_of(digest) for index, digest in enumerate(picture_digests(list(x))) if index != 10]
    assert source.ids is not None and source.ids.tolist() == wanted
    split = load(f"images:{tmp_path / 'a.npz'}@train")
    assert split.ids is not None and set(split.ids.tolist()) == {n for n in wanted if n % 10 < 8}
