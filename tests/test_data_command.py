"""`digitjax data`."""

import re

import numpy as np
import pytest
from PIL import Image

from digitjax import cli
from digitjax.commands import data
from digitjax.data import mnist_files, registry
from digitjax.data.pipeline import Examples
from digitjax.strokes import Drawing, read_drawings, write_drawings


@pytest.fixture
def drawn(tmp_path) -> str:
    path = tmp_path / "d.ndjson"
    strokes = (np.array([(0.0, 0.0), (10, 0), (4, 20)]),)
    words = ["7"] * 9 + ["x", None]
    write_drawings(path, [Drawing((s + i,), None, w) for i, w in enumerate(words) for s in strokes])
    return f"strokes:{path}"


@pytest.fixture(autouse=True)
def _no_data(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path_factory.mktemp("data")))


def test_list_names_every_source_with_its_state_and_licence(capfd):
    assert cli.main(["data", "list"]) == 0
    out, err = capfd.readouterr()
    lines = {line.partition(":")[0].split()[0]: line for line in out.splitlines()[1:]}
    assert list(lines) == list(registry.MODULES)
    assert all(said in lines["mnist"] for said in ("not here", "DIGITJAX_OFFLINE is set", "LeCun"))
    assert "found" in lines["synthetic"] and "CC BY 4.0" in lines["digits8x8"]
    assert "strokes:FILE" in lines["strokes"] and "your files" in lines["strokes"]
    assert "Alpaydin and F. Alimoglu" in lines["pendigits"]
    assert "doi 10.5281/zenodo.1195803" in lines["unipen"]
    assert err == ""


def test_list_tells_what_is_here_from_what_can_be_downloaded(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(mnist_files, "probe", lambda mirrors, name, size: (mirrors[0], ""))
    data.list_sources()
    assert re.search("^mnist .*can be downloaded", capfd.readouterr().out, re.M)
    (tmp_path / "train-images-idx3-ubyte").touch()
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(tmp_path))
    data.list_sources()
    assert re.search("^mnist .*found", capfd.readouterr().out, re.M)


def test_prepare_counts_each_split_and_leaves_stdout_alone(drawn, capfd):
    assert cli.main(["data", "prepare", drawn, "digits8x8@validation"]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "digits8x8@validation: 180 examples: '0' 18" in err
    counts = [
        int(line.split(": ")[1].split()[0])
        for line in err.splitlines()
        if ".ndjson@" in line and "none" not in line
    ]
    assert sum(counts) == 10


def test_show_writes_what_the_network_sees(drawn, tmp_path, capfd):
    out = tmp_path / "sheet.png"
    assert cli.main(["data", "show", drawn, "--out", str(out)]) == 0
    text = capfd.readouterr()
    assert text.out == ""
    assert (
        "10 examples: '7' 9, 'x' 1; 1 without a label left out" in text.err
        and f"sheet of 10: {out}" in text.err
    )
    with Image.open(out) as sheet:
        assert sheet.format == "PNG" and sheet.size[0] > 4 * data.TILE


def test_a_sheet_holds_the_images_themselves():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 28, 28, 1), dtype=np.uint8)
    examples = Examples("x", images, np.zeros(30, np.int8), ("0",) * 29 + ("\n" * 9,))
    sheet = np.asarray(data.contact_sheet(examples, 6))
    shown = [0, 6, 12, 17, 23, 29]
    for place, index in enumerate(shown):
        x, y = 4 + place % 3 * (data.TILE + 4), 4 + place // 3 * (data.TILE + data.CAPTION + 4)
        tile = sheet[y : y + data.TILE : 2, x : x + data.TILE : 2]
        np.testing.assert_array_equal(tile, 255 - images[index, :, :, 0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "are required: action: see `digitjax data --help`"),
        (["list", "--out", "x.png", "--count", "3"], "--out belongs to `data show` and `data split`, not to"),
        (["list", "--seed", "0"], "--seed belongs to `data split`, not to `data list`: leave it out"),
        (["prepare", "digits8x8", "--geometry", "uci8"], "--geometry belongs to `data show`"),
        (["show", "digits8x8", "--out", "a.png", "--sizes", "1", "1"], "--sizes belongs to `data split`"),
        (["lst"], "action 'lst' is unknown, did you mean list?"),
        (["xyz"], "give one of list, prepare, show, split"),
        (["list", "mnist"], "takes no spec"),
        (["prepare"], "needs a data spec"),
        (["prepare", "minst"], "did you mean 'mnist'"),
        (["prepare", "mnist"], "set DIGITJAX_MNIST_DIR"),
        (["show", "digits8x8"], "--out"),
        (["show", "digits8x8", "synthetic", "--out", "a.png"], "one data spec"),
        (["show", "digits8x8", "--out", "a.jpg"], ".png"),
        (["show", "digits8x8", "--out", "no/a.png"], "cannot be written"),
        (["show", "digits8x8", "--out", "a.png", "--count", "0"], "1 to 10000"),
        (["show", "digits8x8", "--out", "a.png", "--cuont", "5"], "--count"),
        (["show", "digits8x8", "--out", "a.png", "--geometry", "mnist29"], "did you mean mnist28?"),
        (["split", "digits8x8", "--out", "d"], "takes one strokes:FILE"),
        (["split", "strokes:none.ndjson@test", "--out", "d"], "without a split"),
        (["split", "strokes:none.ndjson"], "--out DIR"),
        (["split", "strokes:none.ndjson", "--out", "d"], "does not exist"),
        (["split", "strokes:none.ndjson", "--out", "d", "--sizes", "0", "3"], "--sizes 0 3"),
        (["split", "strokes:none.ndjson", "--out", "d", "--seed", "-1"], "--seed -1"),
        (["show", "strokes:none.ndjson", "--out", "a.png"], "does not exist"),
    ],
)
def test_wrong_use_is_one_sentence_and_writes_nothing(arguments, says, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["data", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == "" and says in err and len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_the_user_s_mistake(drawn, tmp_path, capfd):
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        (tmp_path / "file").write_text("mine")
        assert cli.main(["data", "split", drawn, "--out", str(out), "--sizes", "7", "3"]) == 2
        assert f"--out {out} cannot be made" in capfd.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_split_writes_two_files_and_names_them(drawn, tmp_path, capfd):
    out = tmp_path / "held"
    assert cli.main(["data", "split", drawn, "--out", str(out), "--sizes", "7", "3"]) == 0
    text = capfd.readouterr()
    assert text.out == "" and f"7 drawings: {out / 'train.ndjson.gz'}" in text.err
    assert len(list(read_drawings(out / "test.ndjson.gz"))) == 3
    assert cli.main(["data", "split", drawn, "--out", str(tmp_path / "one"), "--sizes", "7", "1"]) == 0
    assert "\n1 drawing: " in capfd.readouterr().err
