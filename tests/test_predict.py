"""Pictures of any kind reach the network as one and the same image, and a bad file costs only itself."""

import gzip
import io
import json
import struct
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from digitjax import cli, pictures
from digitjax.errors import DigitjaxError, InputError
from digitjax.normalize import ink_to_image
from digitjax.pixels import picture_to_image
from digitjax.predict import BATCH, Prediction, drawings_to_images, predict
from digitjax.segments import pack
from digitjax.strokes import Drawing, write_drawings
from digitjax.types import Logits, Model

SEVEN = ((40, 40), (160, 60), (100, 220))  # its mass is far from where the whole-pixel shift jumps


def picture_of_seven(size: tuple[int, int] = (200, 260), factor: int = 1) -> Image.Image:
    """A dark 7 on white paper."""
    image = Image.new("L", (size[0] * factor, size[1] * factor), 255)
    points = [(x * factor, y * factor) for x, y in SEVEN]
    ImageDraw.Draw(image).line(points, fill=0, width=20 * factor, joint="curve")
    return image


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def network(rejects: bool = False) -> tuple[Model, list[int]]:
    """A network that answers with the row that holds most ink, and the batches it was traced for."""
    traced = []

    def apply(params, images, key=None):
        traced.append(len(images))
        rows = images.sum(axis=(2, 3)) * params["scale"]
        return Logits(rows[:, 4:14], images.sum(axis=(1, 2, 3)) - 20 if rejects else None)

    return Model(lambda key: {"scale": jax.numpy.float32(1)}, apply, "mnist28"), traced


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_as_pillow_does(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(picture_of_seven(), tmp_path / "a.png", exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(pictures.read_picture(path), expected)
    assert pictures.read_picture(path).shape == ((260, 200) if orientation < 5 else (200, 260))


def variants() -> dict[str, tuple[Image.Image, str, dict]]:
    seven = picture_of_seven()
    inverted = ImageOps.invert(seven)
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = Image.new("RGBA", seven.size, (0, 0, 0, 0))
    clear.putalpha(inverted)
    palette = seven.convert("P")
    return {
        "light on dark": (inverted, "a.png", {}),
        "colour": (ImageOps.colorize(seven, (90, 20, 20), (250, 250, 230)), "a.png", {}),
        "black on nothing": (clear, "a.png", {}),
        "grey with alpha": (Image.merge("LA", (seven, Image.new("L", seven.size, 255))), "a.png", {}),
        "palette": (palette, "a.png", {}),
        "one bit": (seven.convert("1"), "a.png", {}),
        "16 bits": (Image.fromarray(np.asarray(seven).astype(np.uint16) * 257), "a.png", {}),
        "JPEG": (seven, "a.jpg", {"quality": 90}),
        "CMYK": (seven.convert("CMYK"), "a.jpeg", {"quality": 95}),
        "turned": (seven.transpose(Image.Transpose.ROTATE_90), "a.jpg", {"quality": 90, "exif": exif}),
        "larger": (picture_of_seven(factor=13), "a.png", {}),
        "smaller": (seven.resize((100, 130), Image.Resampling.BOX), "a.png", {}),
        "elsewhere": (ImageOps.expand(seven, (90, 10, 0, 300), 255), "a.JPG", {"quality": 90}),
        "tall margins": (ImageOps.expand(seven, (0, 900), 255), "a.png", {}),
    }


@pytest.mark.parametrize("name", list(variants()))
def test_the_network_sees_the_same_digit(name, tmp_path):
    image, file, options = variants()[name]
    expected = picture_to_image(np.asarray(picture_of_seven()))
    found = picture_to_image(pictures.read_picture(saved(image, tmp_path / file, **options)))
    assert np.abs(found - expected).mean() <= 3 / 255
    assert expected.max() > 0.9


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    jpeg = io.BytesIO()
    picture_of_seven().save(jpeg, "JPEG")
    png = io.BytesIO()
    picture_of_seven().save(png, "PNG")
    gif = io.BytesIO()
    picture_of_seven().save(gif, "GIF")
    flipped = bytearray(png.getvalue())
    flipped[len(flipped) // 2] ^= 0xFF
    contents = {
        "empty.png": (b"", "is empty"),
        "text.png": (b"this is no picture\n", "not a PNG or JPEG"),
        "cut.jpg": (jpeg.getvalue()[: len(jpeg.getvalue()) // 2], "damaged or cut off"),
        "cut.png": (png.getvalue()[: len(png.getvalue()) // 2], "damaged or cut off"),
        "head.jpg": (jpeg.getvalue()[:4], "not a PNG or JPEG"),
        "flipped.png": (bytes(flipped), "damaged or cut off"),
        "huge.png": (png_that_claims(100_000, 100_000), "more than 64 million pixels"),
        "wide.png": (png_that_claims(2**31 - 1, 1), "pixels"),
        "large.png": (png_that_claims(9_000, 9_000), "more than 64 million pixels"),
        "flat.png": (png_that_claims(0, 10), "PNG"),
        "anim.gif": (gif.getvalue(), "not a PNG or JPEG"),
        "bad.ndjson": (
            b'{"word": "1", "drawing": [[[1, 2], [1, 2]]]}\n{"drawing": [[[1, NaN], [1, 2]]]}\n',
            "bad.ndjson:2",
        ),
        "none.ndjson": (b"", "none.ndjson"),
        "cut.ndjson.gz": (gzip.compress(b'{"drawing": []}\n' * 99)[:-9], "cut.ndjson.gz"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    bad = {name: (folder / name, said) for name, (_, said) in contents.items()}
    bad["folder.png"] = (folder / "folder.png", "is a folder")
    bad["missing"] = (folder / "emty.png", "does not exist (did you mean")
    bad["nowhere"] = (folder / "nowhere" / "a.png", "nor does the folder")
    bad["long"] = (folder / ("a" * 5000 + ".png"), "cannot be read")
    return bad


class Loaded:
    """What the command needs of a checkpoint."""

    def __init__(self, rejects: bool = False):
        self.model, self.traced = network(rejects)
        self.params = self.model.init(jax.random.key(0))

    def __str__(self):
        return "cnn-0, step 12"


@pytest.fixture
def loaded(monkeypatch):
    loaded = Loaded()
    monkeypatch.setattr("digitjax.checkpoint.load_model", lambda checkpoint: loaded)
    return loaded


def test_bad_files_get_a_sentence_each_and_the_good_ones_an_answer(loaded, tmp_path, capsys):
    bad = bad_files(tmp_path)
    good = saved(picture_of_seven(), tmp_path / "good.png")
    files = [str(good), *(str(path) for path, _ in bad.values()), str(good)]
    assert cli.main(["predict", "--json", *files]) == 2
    out, err = capsys.readouterr()
    records = json.loads(out)
    assert [record["file"] for record in records] == files
    for (path, said), record in zip(bad.values(), records[1:-1], strict=True):
        assert set(record) == {"file", "error"}, record
        assert said in record["error"] and path.name[:200] in record["error"]
        assert f"digitjax: {record['error']}\n" in err
    assert records[0] == records[-1] and records[0]["answer"] != ""
    assert err.count("\n") == len(bad) + 1 and "cnn-0, step 12" in err


def test_drawings_and_pictures_are_answered_in_order_by_one_compiled_call(loaded, tmp_path, capsys):
    drawings = [Drawing((np.array([[0.0, 0.0], [i % 7, 9.0]]),), word="1") for i in range(BATCH + 3)]
    write_drawings(tmp_path / "a.ndjson.gz", [*drawings, Drawing(())])
    sizes = [
        saved(picture_of_seven(), tmp_path / "a.png"),
        saved(picture_of_seven(factor=2), tmp_path / "b.png"),
    ]
    blank = saved(Image.new("L", (30, 40), 255), tmp_path / "blank.png")
    argv = ["predict", str(sizes[0]), str(tmp_path / "a.ndjson.gz"), str(blank), "--json", str(sizes[1])]
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    records = json.loads(out)
    assert all(list(r) == ["file", "index", "answer", "probabilities", "is_digit"] for r in records)
    assert [r["index"] for r in records] == [0, *range(BATCH + 4), 0, 0]
    assert loaded.traced == [BATCH]
    assert [r["answer"] == "" for r in records] == [False] * (BATCH + 4) + [True, True, False]
    inked = [r for r in records if r["answer"]]
    assert all(r["answer"] == str(int(np.argmax(r["probabilities"]))) for r in inked)
    assert all(sum(r["probabilities"]) == pytest.approx(1) and len(r["probabilities"]) == 10 for r in records)
    assert all(r["is_digit"] is None for r in records)


def test_ink_is_what_the_normaliser_makes_of_it():
    drawings = [Drawing((np.array(SEVEN, float) * k,)) for k in range(1, 4)]
    for drawing, image in zip(drawings, drawings_to_images(drawings, "mnist28"), strict=True):
        np.testing.assert_allclose(image, ink_to_image(pack(drawing.strokes)), atol=1e-4)


def test_a_network_with_a_second_head_may_refuse():
    model, _ = network(rejects=True)
    images = np.zeros((3, 28, 28, 1), np.float32)
    images[0, 4:6, :, 0] = 1
    images[1, 5, :3, 0] = 1
    found = predict(model, {"scale": np.float32(1)}, images)
    assert [p.answer for p in found] == ["0", "not a digit", ""]
    assert found[0].is_digit == pytest.approx(1 / (1 + np.exp(-36.0)))
    assert found[1].is_digit == pytest.approx(1 / (1 + np.exp(17.0)))
    assert found[2].is_digit == 0


def test_a_network_that_answers_nan_is_refused():
    with pytest.raises(DigitjaxError, match="no number"):
        predict(network()[0], {"scale": np.float32(np.nan)}, np.ones((1, 28, 28, 1), np.float32))


@pytest.mark.parametrize(
    ("answer", "first", "second", "said"),
    [
        ("7", (7, 0.98), (1, 0.02), "7  98 %"),
        ("7", (7, 0.9999), (1, 0.0001), "7  99 %"),
        ("4", (4, 0.55), (9, 0.40), "4  55 %, or perhaps 9  40 %"),
        ("not a digit", (4, 0.55), (9, 0.40), "not a digit"),
        ("", (0, 0.1), (1, 0.1), "no ink"),
    ],
)
def test_the_sentence_for_people(answer, first, second, said):
    p = np.full(10, (1 - first[1] - second[1]) / 8)
    p[first[0]], p[second[0]] = first[1], second[1]
    assert Prediction(answer, p, None).sentence() == said


def test_people_get_a_line_a_picture(loaded, tmp_path, capsys):
    path = saved(picture_of_seven(), tmp_path / "seven.png")
    assert cli.main(["predict", str(path)]) == 0
    alone = capsys.readouterr().out
    assert alone.count("\n") == 1 and "seven" not in alone
    assert cli.main(["predict", str(path), str(path)]) == 0
    assert capsys.readouterr().out == f"{path}  {alone}" * 2


@pytest.mark.parametrize(("argv", "said"), [([], "FILE"), (["--jsn", "a.png"], "did you mean --json?")])
def test_bad_arguments_are_one_sentence(argv, said, capsys):
    assert cli.main(["predict", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1


def test_after_two_hyphens_a_file_may_begin_with_one(loaded, tmp_path, monkeypatch, capsys):
    Image.new("L", (40, 40), 255).save(tmp_path / "-x.png")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["predict", "--json", "--", "-x.png", "-y.png", "--json"]) == 2
    out, err = capsys.readouterr()
    assert [one["file"] for one in json.loads(out)] == ["-x.png", "-y.png", "--json"]
    assert "answer" in json.loads(out)[0] and "\0" not in out + err
    assert cli.main(["data", "--", "-list"]) == 2
    assert "action '-list' is unknown" in capsys.readouterr().err
    assert cli.main(["data", "prepare", "--beam", "--", "-x"]) == 2  # a spec, not Beam's options
    assert "'-x'" in capsys.readouterr().err
    assert cli.main(["export", "--out", "--", "-x"]) == 2
    assert "expected one argument" in capsys.readouterr().err


def test_what_a_checkpoint_says_of_itself_moves_no_cursor(loaded, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Loaded, "__str__", lambda self: "cnn\x1b[2J\nrm")
    assert cli.main(["predict", str(saved(picture_of_seven(), tmp_path / "a.png"))]) == 0
    assert capsys.readouterr().err == "checkpoint: cnn?[2J rm\n"


def test_a_picture_that_is_no_array_of_bytes_never_leaves_the_reader(tmp_path):
    for name, (image, file, options) in variants().items():
        found = pictures.read_picture(saved(image, tmp_path / file, **options))
        assert found.dtype == np.uint8 and found.ndim in (2, 3), name
        assert max(found.shape) <= pictures.MAX_SIDE
    with pytest.raises(InputError):
        pictures.read_picture(tmp_path)
