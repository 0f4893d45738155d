"""`bench squeezed`: each way against numbers made by hand, and what is printed."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import cli
from digitjax.bench.squeezed import CANVAS, PEN, SQUEEZES, boxed, draw_canvas, squeeze, stretched, whole
from digitjax.checkpoint import LoadedModel
from digitjax.config import TrainConfig
from digitjax.segments import pack, stack
from digitjax.strokes import Drawing, write_drawings
from digitjax.types import Logits, Model

BAR = np.array([(3.0, 5.0), (3.0, 25.0)])


def canvas_with(top: int, left: int, height: int, width: int) -> np.ndarray:
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    canvas[top : top + height, left : left + width] = 255
    return canvas


def inked(image: np.ndarray) -> tuple[int, int, int, int]:
    """First row and column with ink, and how many rows and columns."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize(("share", "middle"), [(0.8, 0.5), (0.4, 0.3)])
def test_the_canvas_has_the_ink_where_and_as_large_as_it_is_told(share, middle):
    canvas = np.asarray(draw_canvas(pack([BAR]), share, middle))
    along = canvas.sum(axis=0).max()  # the length of the bar through its middle, edges counted in part
    assert along == pytest.approx(share * CANVAS, abs=0.1)
    assert canvas.sum(axis=1).max() == pytest.approx(2 * PEN, abs=0.1)
    for axis in (0, 1):
        mean = (canvas.sum(axis=1 - axis) * np.arange(CANVAS)).sum() / canvas.sum()
        assert mean == pytest.approx(middle * CANVAS - 0.5, abs=0.05)


def test_the_whole_canvas_is_averaged_in_blocks():
    canvas = canvas_with(10, 22, 31, 57)
    np.testing.assert_allclose(whole(canvas, 28), canvas.reshape(28, 4, 28, 4).mean(axis=(1, 3)), atol=0.51)
    np.testing.assert_allclose(whole(canvas, 8), canvas.reshape(8, 14, 8, 14).mean(axis=(1, 3)), atol=0.51)


def test_a_stretched_box_fills_the_image_whatever_its_aspect():
    assert (stretched(canvas_with(70, 3, 40, 7), 28) == 255).all()
    assert not stretched(np.zeros((CANVAS, CANVAS), np.uint8), 8).any()


@pytest.mark.parametrize(("size", "inner"), [(28, 20), (8, 6)])
def test_a_box_in_the_middle_keeps_its_aspect(size, inner):
    top, left, height, width = inked(boxed(canvas_with(60, 5, 40, 20), size))
    assert (height, width) == (inner, inner // 2 + inner // 2 % 2)  # an odd width is shared by two columns
    assert (top, left) == ((size - height) // 2, (size - width) // 2)


@pytest.mark.ci
@pytest.mark.parametrize("size", [pytest.param(28, marks=pytest.mark.slow), 8])
def test_every_drawing_is_squeezed_alone(size):
    ink = stack([pack([BAR * k + k, np.add(BAR[::-1], (0, k))]) for k in range(1, 70)])
    for how in SQUEEZES.values():
        images = squeeze(ink, how, size)
        assert images.shape == (69, size, size, 1) and images.any(axis=(1, 2, 3)).all()
        one = squeeze(type(ink)(ink.ends[66:67], ink.mask[66:67]), how, size)
        np.testing.assert_array_equal(images[66], one[0])


@pytest.fixture
def data(tmp_path, monkeypatch) -> str:
    """Two bars and a letter, and a network that says 1 to an image with an empty margin, else 7."""

    def apply(params, images, key=None):
        margin = (images[:, :, :3].max(axis=(1, 2, 3)) < 0.1) & (images[:, :, -3:].max(axis=(1, 2, 3)) < 0.1)
        return Logits(jnp.stack([3.0 * ((d == 1) == margin) * (d in (1, 7)) for d in range(10)], axis=1))

    loaded = LoadedModel(Model(lambda key: {}, apply, "mnist28"), {}, TrainConfig(), Path("run"), 7, {})
    monkeypatch.setattr("digitjax.checkpoint.load_model", lambda checkpoint: loaded)
    path = tmp_path / "d.ndjson"
    write_drawings(path, [Drawing((BAR,), None, word) for word in ("1", "1", "x")])
    return f"strokes:{path}"


def test_json_is_alone_on_stdout_and_has_these_fields(data, capfd):
    assert cli.main(["bench", "squeezed", "--data", data, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert set(found) == {"checkpoint", "step", "data"} and found["step"] == 7
    squeezed = {"large": 1.0, "small": 1.0, "stretched": 0.0, "boxed": 1.0}
    assert found["data"] == [{"data": data, "n": 2, "normalised": 1.0, "squeezed": squeezed}]


@pytest.mark.ci
def test_people_get_a_table(data, capfd):
    assert cli.main(["bench", "squeezed", "--data", data]) == 0
    head, row = capfd.readouterr().out.splitlines()[:2]
    assert head.split() == ["data", "digits", "normalised", *SQUEEZES]
    assert row.split()[-10::2] == ["100.00", "100.00", "100.00", "0.00", "100.00"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "--data"),
        (["--data", "digits8x8"], "digits8x8@test holds pictures"),
        (["--data", "LETTERS"], "has no digit"),
        (["--data", "strokes:none.ndjson"], "does not exist"),
    ],
)
def test_wrong_use_is_one_sentence(argv, says, data, tmp_path, capfd):
    letters = tmp_path / "letters.ndjson"
    write_drawings(letters, [Drawing((BAR,), None, "a")])
    argv = [f"strokes:{letters}" if word == "LETTERS" else word for word in argv]
    assert cli.main(["bench", "squeezed", *argv]) == 2
    out, err = capfd.readouterr()
    sentence = [line for line in err.splitlines() if not line.startswith("checkpoint:")]
    assert out == "" and len(sentence) == 1 and says in sentence[0]
