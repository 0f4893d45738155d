"""Export and import: files that the rest of the project reads, times only where they are asked for."""

import json
import os
import stat
import sys

import numpy as np
import pytest
from PIL import Image

from digitjax.strokes import read_drawings
from play import share
from play.effects import Delete, Export, Import, ListFiles, Record
from play.events import FilesListed, Notice
from play.ink import Stroke
from play.outside import Outside

INK = (Stroke(((100.0, 100.0), (300.0, 100.0), (150.0, 500.0)), (1.0, 1.5, 2.0)),)


@pytest.fixture
def outside(tmp_path) -> Outside:
    outside = Outside(tmp_path)
    for word in ("7", "not-a-digit"):
        outside.recorder.append(Record(word, INK, "cnn-0/1", "1", (0.1,) * 10, None))
    return outside


def said(outside: Outside, effect) -> str:
    outside.do(effect)
    (notice, *_) = outside.poll(wait=True)
    assert isinstance(notice, Notice)
    return notice.text


def test_exported_drawings_carry_no_times_unless_asked(outside, tmp_path):
    path = tmp_path / "export" / "drawings.ndjson"
    assert str(path) in said(outside, Export("ndjson"))
    plain = list(read_drawings(path))
    assert [drawing.word for drawing in plain] == ["7", "not-a-digit"]
    assert plain[0].times is None and plain[0].strokes[0].tolist() == [list(p) for p in INK[0].points]
    assert set(json.loads(path.read_text().splitlines()[0])) == {"word", "drawing", "source"}
    said(outside, Export("ndjson", True))
    timed = next(read_drawings(path))
    assert timed.times is not None and timed.times[0].tolist() == [0, 500, 1000]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_exported_pictures_are_an_images_folder(outside, tmp_path):
    said(outside, Export("png"))
    files = sorted((tmp_path / "export" / "png").rglob("*.png"))
    assert [file.parent.name for file in files] == ["7", "other"]
    image = np.asarray(Image.open(files[0]).convert("L"))
    assert image.shape == (share.PICTURE, share.PICTURE)
    ink = np.argwhere(image < 128)
    assert image[0].min() == 255 and 0.02 < (image < 128).mean() < 0.4
    assert ink.max(0)[0] - ink.min(0)[0] > 0.7 * share.PICTURE


def test_import_adds_what_is_sound_once_and_names_what_is_not(outside, tmp_path):
    file = tmp_path / "a.ndjson"
    line = '{"word": "3", "drawing": [[[0, 1], [0, 1.5]]], "key": "../../evil"}\n'
    file.write_text(line + line + '{"word": "4", "drawing": [[[0, 1], [0, 1.5]]]}\n')
    assert said(outside, Import(str(file))) == "2 drawings added, 1 was here already."
    assert [record["word"] for record in outside.recorder.records()] == ["7", "not-a-digit", "3", "4"]
    assert "evil" not in outside.recorder.path.read_text()
    assert said(outside, Import(str(file))) == "0 drawings added, 3 were here already."
    broken = tmp_path / "b.ndjson"
    broken.write_text(line.replace("3", "8") + '{"word": "3", "drawing": [[[0, 1], [0]]]}\n')
    assert "b.ndjson:2: stroke 1" in said(outside, Import(str(broken)))
    assert "a.png cannot be imported" in said(outside, Import(str(tmp_path / "a.png")))
    assert "none.ndjson" in said(outside, Import(str(tmp_path / "none.ndjson")))
    assert len(outside.recorder.records()) == 4 and file.exists()


def test_what_was_exported_comes_back_elsewhere_and_not_twice_here(outside, tmp_path):
    said(outside, Export("ndjson", True))
    file = str(tmp_path / "export" / "drawings.ndjson")
    assert said(outside, Import(file)) == "0 drawings added, 2 were here already."
    elsewhere = Outside(tmp_path / "elsewhere")
    assert said(elsewhere, Import(file)) == "2 drawings added."
    assert [record["drawing"] for record in elsewhere.recorder.records()] == [
        record["drawing"] for record in outside.recorder.records()
    ]


def test_a_line_of_somebody_elses_hand_does_not_stop_an_import(outside, tmp_path):
    with open(outside.recorder.path, "a") as file:
        file.write('{"drawing": [7, null, [[1], [[2]]], {}], "word": ["x"]}\n')
        file.write('{"drawing": [[[NaN, 1], [Infinity, 2]], [[1%s], [1]]]}\n' % ("0" * 400))
    entries = outside.recorder.entries()
    assert [len(entry.strokes) for entry in entries] == [1, 1]
    (tmp_path / "a.ndjson").write_text('{"drawing": [[[0, 1], [0, 1]]]}\n')
    assert said(outside, Import(str(tmp_path / "a.ndjson"))) == "1 drawing added."


def test_too_many_drawings_are_refused_whole(outside, tmp_path, monkeypatch):
    monkeypatch.setattr(share, "MAX_DRAWINGS", 2)
    file = tmp_path / "a.ndjson"
    file.write_text("".join(f'{{"drawing": [[[0, {i}], [0, 1]]]}}\n' for i in range(1, 4)))
    assert "more than 2" in said(outside, Import(str(file))) and len(outside.recorder.records()) == 2


def test_files_are_found_where_people_keep_them_the_newest_first(outside, tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setattr(share.Path, "home", lambda: home)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (home / ".config").mkdir(parents=True)
    (home / ".config" / "user-dirs.dirs").write_text(
        '# mine\nXDG_DOWNLOAD_DIR="$HOME/Téléchargements"\n', "utf-8"
    )
    names = [
        "Téléchargements/a.ndjson",
        "Desktop/B.NDJSON.GZ",
        "c.ndjson",
        "Documents/deep/d.ndjson",
        "e.txt",
    ]
    for age, name in enumerate(names):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("{}\n")
        os.utime(home / name, (1e9 - age, 1e9 - age))
    (home / "Downloads").mkdir()
    (home / "Downloads" / "folder.ndjson").mkdir()
    (tmp_path / "import").mkdir()
    (tmp_path / "import" / "z.ndjson").write_text("{}\n")
    outside.do(ListFiles())
    (listed,) = outside.poll(wait=True)
    assert isinstance(listed, FilesListed)
    found = [file.path for file in listed.files]
    assert found == [str(tmp_path / "import" / "z.ndjson"), *(str(home / name) for name in names[:3])]
    assert listed.files[1].size == 3 and listed.files[1].date.startswith("2001-09-0")


def test_pictures_of_what_was_deleted_go_with_the_next_export(outside, tmp_path):
    said(outside, Export("png"))
    mine = tmp_path / "export" / "png" / "7" / "mine.png"
    mine.write_bytes(b"mine")
    outside.recorder.delete(outside.recorder.records()[-1]["key"])
    said(outside, Export("png"))
    names = sorted(file.name for file in (tmp_path / "export" / "png").rglob("*.png"))
    assert names == ["00001.png", "mine.png"]


@pytest.mark.parametrize("form", ["ndjson", "png"])
def test_an_export_that_cannot_be_written_is_a_sentence(outside, tmp_path, form):
    (tmp_path / "export").write_text("in the way")
    text = said(outside, Export(form))
    assert str(tmp_path / "export") in text and "--user-dir" in text


def test_nothing_to_export_is_said(tmp_path):
    assert said(Outside(tmp_path), Export("ndjson")) == "There is nothing to export yet."


BAD = (
    '{"drawing":[1]}',
    '{"drawing":[{"x":1}]}',
    '{"drawing":[[[1],[2]]],"word":"\\ud800"}',
    '{"drawing":[[[-1e308,1e308],[0,1e308]]],"word":"4","said":"\\ud800"}',
)


@pytest.mark.parametrize("form", ["ndjson", "png"])
@pytest.mark.parametrize("line", BAD)
def test_no_line_of_the_file_stops_an_export(outside, tmp_path, form, line):
    with open(outside.recorder.path, "a") as file:
        file.write(line + "\n")
    assert str(tmp_path / "export") in said(outside, Export(form))
    for entry in outside.recorder.entries():
        assert all(0 <= v <= 1 for stroke in entry.strokes for point in stroke for v in point)
        entry.said.encode()


def test_what_nobody_foresaw_is_a_sentence_too(outside, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("odd")

    monkeypatch.setattr(share, "export", fail)
    assert "odd" in said(outside, Export("png"))


def test_a_deletion_says_that_earlier_exports_keep_the_drawing(outside, tmp_path):
    key, other = (record["key"] for record in outside.recorder.records())
    assert said(outside, Delete(key)) == "Deleted."
    said(outside, Export("ndjson"))
    text = said(outside, Delete(other))
    assert "export" in text and str(tmp_path / "export") in text


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_an_export_is_private_from_its_first_byte(outside, monkeypatch):
    modes = []
    replace = os.replace
    monkeypatch.setattr(share.os, "chmod", lambda *args, **kwargs: None)
    monkeypatch.setattr(share.Path, "chmod", lambda *args, **kwargs: None)
    monkeypatch.setattr(
        share.os, "replace", lambda a, b: (modes.append(stat.S_IMODE(os.stat(a).st_mode)), replace(a, b))
    )
    before = os.umask(0)
    try:
        said(outside, Export("ndjson"))
    finally:
        os.umask(before)
    assert modes == [0o600]
