"""Export and import: files that the rest of the project reads, times only where they are asked for."""

import json
import stat
import sys

import numpy as np
import pytest
from PIL import Image

from digitjax.strokes import read_drawings
from play import share
from play.effects import Export, Import, Record
from play.events import Notice
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
    assert "Put .ndjson files into" in said(outside, Import())
    folder = tmp_path / "import"
    folder.mkdir()
    (folder / "a.ndjson").write_text('{"word": "3", "drawing": [[[0, 1], [0, 1]]], "key": "../../evil"}\n')
    assert said(outside, Import()).startswith("1 drawing")
    assert len(outside.recorder.records()) == 3
    assert "Put .ndjson files into" in said(outside, Import())
    (folder / "b.ndjson").write_text('{"word": "3", "drawing": [[[0, 1], [0]]]}\n')
    assert "b.ndjson:1: stroke 1" in said(outside, Import())
    assert len(outside.recorder.records()) == 3


def test_nothing_to_export_is_said(tmp_path):
    assert said(Outside(tmp_path), Export("ndjson")) == "There is nothing to export yet."
