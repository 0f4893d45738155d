"""Pictures to the network's input: MNIST passes untouched, drawn ink comes out as the same ink would."""

import gzip
from pathlib import Path
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digitjax.checkpoint import load_model
from digitjax.errors import InputError
from digitjax.normalize import fit_ink, ink_to_image, inks_to_images, render
from digitjax.paper import _sums_along, without_lines
from digitjax.pen import stroke_width
from digitjax.pixels import (
    _fit_mnist,
    crop,
    middle_line,
    picture_to_image,
    pictures_to_images,
    to_ink,
)
from digitjax.resize import area_resize
from digitjax.segments import pack, pack_all
from digitjax.strokes import Drawing, read_drawings
from digitjax.types import Segments

PENS = [(100, 2.6, 3), (280, 2.6, 12), (900, 2.6, 80), (280, 1.0, 20)]
"""Pictures' size, pen's width of 20, and which drawings: every third and so on."""
SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints" / "default"


def draw(strokes, size: int, pen: float = 2.6, supersampling: int = 4) -> np.ndarray:
    """Black ink on white by Pillow, `size` px on its longest side, the pen `pen` / 20 of that wide."""
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    radius, margin = pen / 40 * size, size // 4
    scale = (size - 2 * radius) / max(extent.max(), 1e-9)
    width, height = (int(np.ceil(v)) + 2 * margin for v in extent * scale + 2 * radius)
    picture = Image.new("L", (width * supersampling, height * supersampling), 255)
    brush = ImageDraw.Draw(picture)
    r = radius * supersampling
    for stroke in strokes:
        path = [tuple(p) for p in ((stroke - low) * scale + radius + margin) * supersampling]
        if len(path) > 1:
            brush.line(path, fill=0, width=max(1, round(2 * r)))
        for x, y in path:
            brush.ellipse((x - r, y - r, x + r, y + r), fill=0)
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def read_idx(path: Path) -> np.ndarray:
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    header = 4 + 4 * data[3]
    sizes = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=header).reshape(sizes)


@pytest.fixture(scope="module")
def mnist_test(mnist_dir) -> tuple[np.ndarray, np.ndarray]:
    def find(pattern):
        return read_idx(sorted(mnist_dir.glob(pattern))[0])

    return find("t10k-images*"), find("t10k-labels*")


@pytest.fixture(scope="module")
def bridger(datasets):
    drawings = list(read_drawings(datasets / "strokes" / "bridger.ndjson.gz"))
    images = np.asarray(jax.jit(inks_to_images)(pack_all(drawings)))
    return [d.strokes for d in drawings], images


@pytest.fixture(scope="module")
def read_digits():
    """Images to answers, by the network that the repository carries; skips until there is one."""
    if not SHIPPED.is_dir():
        pytest.skip(f"{SHIPPED} is not here yet")
    loaded = load_model(SHIPPED)
    apply = jax.jit(lambda images: loaded.model.apply(loaded.params, images).digits)

    def answer(images: np.ndarray) -> np.ndarray:
        images = images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1)
        parts = [apply(images[i : i + 1000]) for i in range(0, len(images), 1000)]
        return np.concatenate(parts).argmax(axis=-1)

    return answer


def mass_centre(images: np.ndarray) -> np.ndarray:
    images = images.reshape(-1, 28, 28).astype(np.float64)
    mass = images.sum(axis=(1, 2))
    return np.stack([images.sum(axis=axis) @ np.arange(28) / mass for axis in (1, 2)])


def test_mnist_passes_untouched_with_its_mass_on_14(mnist_test):
    pictures = mnist_test[0]
    images = pictures_to_images(pictures)
    np.testing.assert_array_equal(images[..., 0], pictures)
    np.testing.assert_array_equal(pictures_to_images(images[..., 0]), images)
    assert np.abs(mass_centre(images) - 14).max() <= 0.5


def test_the_one_of_mnists_pictures_whose_mass_is_farthest_off_passes_too(mnist_dir):
    pictures = read_idx(sorted(mnist_dir.glob("train-images*"))[0])
    off = np.concatenate([np.abs(mass_centre(part) - 14).max(axis=0) for part in np.split(pictures, 20)])
    farthest = np.argsort(off)[-300:]
    assert off[farthest[-1]] > 0.51
    np.testing.assert_array_equal(pictures_to_images(pictures[farthest])[..., 0], pictures[farthest])


def test_mnist_forced_through_every_stage_stays_on_14_and_nearly_as_it_was(mnist_test):
    pictures = mnist_test[0][:300]
    forced = np.stack([_fit_mnist(to_ink(p)) for p in pictures])
    assert np.abs(mass_centre(forced) - 14).max() <= 0.502
    changed = np.abs(forced - pictures / 255.0).mean(axis=(1, 2))
    assert np.quantile(changed, 0.9) <= 1 / 255


@pytest.mark.slow
def test_forcing_mnist_through_every_stage_costs_less_than_a_tenth_of_a_point(mnist_test, read_digits):
    pictures, labels = mnist_test
    forced = np.stack([_fit_mnist(to_ink(p)) for p in pictures])[..., None].astype(np.float32)
    plain = np.mean(read_digits(pictures[..., None]) == labels)
    assert abs(plain - np.mean(read_digits(forced) == labels)) < 0.001


@pytest.mark.parametrize(("size", "pen", "every"), PENS)
def test_ink_as_a_picture_is_the_same_image(bridger, size, pen, every):
    strokes, images = bridger
    fitted = np.stack([picture_to_image(draw(s, size, pen)) for s in strokes[::every]])
    assert np.abs(fitted - images[::every]).mean() <= 8 / 255
    assert fitted.mean() == pytest.approx(images[::every].mean(), rel=0.1)  # also from a hairline


def test_besides_the_whole_pixel_shift_hardly_anything_differs(bridger):
    strokes, images = bridger
    redraw = jax.jit(lambda ink, by: render(Segments(fit_ink(ink).ends + jnp.tile(by, 2)[None], ink.mask)))
    differences = []
    for s, image in zip(strokes[::40], images[::40], strict=True):
        fitted = picture_to_image(draw(s, 280))[..., 0].astype(np.float64)
        by = (mass_centre(fitted) - mass_centre(image))[:, 0].astype(np.float32)
        differences.append(np.abs(np.asarray(redraw(pack(s), by)) - fitted).mean())
    assert np.mean(differences) <= 2.5 / 255


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 280])
def test_ink_as_a_picture_gets_the_same_answer(bridger, read_digits, size):
    strokes, images = bridger
    fitted = np.stack([picture_to_image(draw(s, size)) for s in strokes])
    assert np.abs(fitted - images).mean() <= 8 / 255
    assert np.mean(read_digits(fitted) == read_digits(images)) >= 0.995


def test_polarity_colour_and_transparency_do_not_matter(bridger):
    for strokes in bridger[0][::200]:
        dark = draw(strokes, 140)
        expected = picture_to_image(dark)
        solid = np.full_like(dark, 255)
        ink = np.where(dark < 128, 0, 255).astype(np.uint8)
        versions = {
            "inverted": 255 - dark,
            "RGB": np.stack([dark] * 3, axis=-1),
            "RGBA": np.stack([dark] * 3 + [solid], axis=-1),
            "dark ink on nothing": np.stack([np.zeros_like(dark)] * 3 + [255 - dark], axis=-1),
            "light ink on nothing": np.stack([solid] * 3 + [255 - dark], axis=-1),
        }
        for name, version in versions.items():
            assert np.abs(picture_to_image(version) - expected).mean() <= 1 / 255, name
        assert np.abs(picture_to_image(ink) - expected).mean() <= 3 / 255


def lit(kind: str, shape: tuple[int, int]) -> np.ndarray:
    """Light on paper, 0 to 1, as a lamp or a window gives it."""
    y, x = (np.arange(n)[:, None] / n for n in shape)
    x = x.T
    return {
        "from one side": 0.25 + 0.65 * x + 0 * y,
        "from a corner": 0.95 - 0.25 * x - 0.35 * y,
        "in the middle": 0.9 - 0.8 * ((x - 0.4) ** 2 + (y - 0.6) ** 2),
        "a shadow across": 0.9 - 0.35 / (1 + np.exp((x + 0.4 * y - 0.6) / 0.05)),
        "half in shadow": 0.85 - 0.45 / (1 + np.exp((x - 0.7) / 0.005)) + 0 * y,
        "dim": 0.42 + 0 * x * y,
        "hardly any": 0.15 + 0.1 * x + 0 * y,
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "from one side",
        "from a corner",
        "in the middle",
        "a shadow across",
        "half in shadow",
        "dim",
        "hardly any",
    ],
)
@pytest.mark.parametrize("ink", [0.1, 0.4])
def test_a_photo_is_read_as_if_its_paper_were_evenly_lit(kind, ink):
    for strokes in ((TWO,), (np.array([[30, 0], [31, 100.0]]), np.array([[0, 80], [62, 78.0]]))):
        paper = np.pad(draw(strokes, 300) / 255, ((20, 90), (150, 40)), constant_values=1.0)
        grain = np.random.default_rng(0).normal(0, 0.006, paper.shape)
        photo = np.clip((ink + (1 - ink) * paper) * lit(kind, paper.shape) + grain, 0, 1)
        expected = picture_to_image((paper * 255).astype(np.uint8))
        difference = np.abs(picture_to_image((photo * 255).astype(np.uint8)) - expected)
        assert difference.mean() <= 3 / 255, kind


def test_chalk_on_an_unevenly_lit_board_is_read_as_on_an_even_one():
    chalk = 1 - draw((np.array([[0, 0], [60, 5], [20, 100.0]]),), 300) / 255
    photo = np.clip(0.1 + 0.3 * lit("from one side", chalk.shape) + 0.5 * chalk, 0, 1)
    difference = np.abs(
        picture_to_image((photo * 255).astype(np.uint8)) - picture_to_image((chalk * 255).astype(np.uint8))
    )
    assert difference.mean() <= 3 / 255


def test_light_ink_that_fills_its_black_picture_is_not_taken_for_light():
    digit = 255 - draw((np.array([[0, 80], [40, 0], [80, 10], [20, 100.0], [70, 100]]),), 300, pen=5)
    tight = np.ascontiguousarray(digit[75:-75, 75:-75])
    grain = np.random.default_rng(0).integers(0, 8, tight.shape).astype(np.uint8)
    difference = np.abs(picture_to_image(np.maximum(tight, grain)) - picture_to_image(digit))
    assert difference.mean() <= 3 / 255


TWO = np.array([[0, 25], [12, 2], [40, 0], [58, 20], [45, 50], [0, 100], [30, 96], [62, 100]], float)


def printed(
    shape: tuple[int, int], kind: str, turned: float, gap: float = 55, width: float = 3
) -> np.ndarray:
    """Printed lines, 0 to 1, `turned` degrees from level."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    angle = np.deg2rad(turned)
    across = [x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) - y * np.sin(angle)]
    away = [np.abs((one + 17) % gap - gap / 2) for one in across[: 1 if kind == "ruled" else 2]]
    return np.clip(width / 2 + 0.5 - np.min(away, axis=0), 0, 1)


@pytest.mark.parametrize("turned", [-3.0, 0.0, 4.6])
@pytest.mark.parametrize(
    ("kind", "pen", "line"), [("ruled", 0.8, 0.5), ("squared", 0.8, 0.5), ("squared", 0.45, 0.3)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_printed_lines_on_paper_or_board_are_no_ink(kind, pen, line, turned, sign):
    """Ink takes `pen` of paper's light, a line `line`; they are as one without taking the lines away."""
    ink = 1 - draw((TWO,), 300) / 255
    random = np.random.default_rng(0)
    lines = printed(ink.shape, kind, turned)
    found = []
    for there in (lines, 0 * lines):
        light = (1 - line * there) * (1 - ink) + (1 - pen) * ink + random.normal(0, 0.008, ink.shape)
        light = light if sign == 1 else 1 - light
        found.append(picture_to_image(np.clip(225 * light + 10, 0, 255).astype(np.uint8)))
    assert np.abs(found[0] - found[1]).mean() <= 1 / 255


@pytest.mark.parametrize("pen", [0.6, 1.2, 2.6])
@pytest.mark.parametrize(("margin", "least"), [(0, 1), (3, 0.5)])
def test_the_pens_own_lines_stay_however_tight_the_picture(bridger, margin, least, pen):
    """Also where the pen pressed least, unless it then reaches from side to side."""
    underlined = (TWO, np.array([[-40, 120], [100, 121.0]]))
    for strokes in (underlined, *bridger[0][::90]):
        ink = crop(1 - draw(strokes, 240, pen) / 255)
        pressed = np.linspace(least, 1, ink.shape[0])[:, None] * ink
        picture = np.pad(pressed, margin)
        assert without_lines(picture) is picture


@pytest.mark.parametrize("kind", ["ruled", "squared"])
@pytest.mark.parametrize(("size", "width", "gap"), [(1400, 1.5, 250), (1400, 8, 250), (60, 1, 15)])
def test_lines_of_any_width_are_found_in_pictures_of_any_size(kind, size, width, gap):
    ink = 1 - draw((TWO,), size) / 255
    lines = printed(ink.shape, kind, 1.3, gap, width)
    left = without_lines(np.maximum(ink, 0.6 * lines))
    assert (left[(ink == 0) & (lines > 0)] < 0.2).mean() > 0.98
    assert np.abs(left - ink)[ink == 1].max() < 1e-9


def test_a_stem_from_side_to_side_that_is_fainter_than_the_rest_stays():
    stem = np.zeros((200, 200))
    stem[:, 95:105] = 0.6
    stem[60:100, 95:105] = 1
    assert without_lines(stem) is stem
    strip = np.zeros((104, 900))
    strip[:, 440:452] = 0.7
    strip[40:60, 400:500] = 1
    assert without_lines(strip) is strip


def test_what_is_not_sure_to_be_printed_stays():
    ink = np.pad(1 - draw((TWO,), 200) / 255, 20)
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    apart = {
        "a line that ends before the side": (abs(y - 15) < 2) & (x > 15),
        "a bar": abs(y - 30) < 25,
        "a dark line": (abs(y - 15) < 2) * 1.7,
        "a corner": abs(y + x - 12) < 2,
    }
    for what, other in apart.items():
        picture = np.maximum(ink, 0.5 * other)
        assert without_lines(picture) is picture, what
    lines = 0.6 * printed((200, 200), "squared", 0)
    assert without_lines(lines) is lines, "nothing else is there"


def test_a_line_may_bend_a_little_and_is_gone_to_its_edges():
    ink = np.pad(1 - draw((TWO,), 200) / 255, 20)
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    bent = np.clip(2 - abs(y - 30 - 3 * np.sin(x / ink.shape[1] * np.pi)), 0, 1) * 0.5
    left = without_lines(np.maximum(ink, bent))
    assert left[(ink == 0) & (bent > 0)].max() < 0.2


def test_sums_along_a_slope_are_those_of_columns_moved_one_by_one():
    values = np.random.default_rng(0).random((50, 70))
    left = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    for slope in (-0.1, 0.0, 0.003, 0.07):
        down = np.round(slope * (np.arange(70) - 35)).astype(int)
        moved = [values[np.clip(np.arange(50) + n, 0, 49), x] for x, n in enumerate(down)]
        np.testing.assert_allclose(_sums_along(left, down), np.sum(moved, axis=0))


@pytest.mark.parametrize("board", [60, 100])
def test_dust_on_a_board_changes_neither_its_light_nor_what_is_ink(board):
    chalk = 1 - draw((np.array([[0, 0], [60, 5], [20, 100.0]]),), 300) / 255
    random = np.random.default_rng(0)
    photo = board + 90 * chalk + random.normal(0, 4, chalk.shape)
    expected = picture_to_image((chalk * 255).astype(np.uint8))
    for dust in (0.0, 0.001):
        dusty = np.where(random.random(chalk.shape) < dust, 0, photo)
        difference = np.abs(picture_to_image(np.clip(dusty, 0, 255).astype(np.uint8)) - expected)
        assert difference.mean() <= 4 / 255, dust


@pytest.mark.parametrize("paper", [255, 200, 90, 0])
def test_an_evenly_lit_picture_keeps_even_its_thickest_stroke(paper):
    picture = np.full((300, 260), paper, np.uint8)
    ink = 0 if paper > 80 else 255
    picture[30:270, 60:200] = ink  # wider than any stroke
    np.testing.assert_array_equal(to_ink(picture), picture == ink)


@pytest.mark.parametrize("kind", ["noise", "specks", "blobs", "line", "corner"])
def test_doing_it_twice_is_doing_it_once(kind):
    rng = np.random.default_rng(0)
    for _ in range(12):
        height, width = rng.integers(2, 70, 2)
        picture = np.full((height, width), 255)
        if kind == "noise":
            picture = rng.integers(0, 256, (height, width))
        elif kind == "specks":
            picture = 255 * (rng.random((height, width)) < 0.03)
        elif kind == "blobs":
            picture[height // 4 :, width // 3 :] = rng.integers(0, 100)
        elif kind == "line":
            picture[height // 3] = rng.integers(0, 200)
        else:
            picture[height // 4 : height // 4 + 2, width // 4 :] = rng.integers(0, 200)
            picture[height // 4 :, width // 4] = 0
        once = pictures_to_images(picture.astype(np.uint8)[None])
        np.testing.assert_array_equal(pictures_to_images(once[..., 0]), once)


@pytest.mark.parametrize("geometry", ["mnist28", "uci8"])
def test_paper_dot_and_line_are_defined_as_for_ink(geometry):
    paper = np.full((280, 200), 240, np.uint8)
    assert not picture_to_image(paper, geometry).any()
    y, x = np.mgrid[:280, :200]

    def as_ink(*ends: float) -> np.ndarray:
        segments = Segments(np.array([ends], np.float32), np.ones(1, bool))
        return np.asarray(ink_to_image(segments, geometry))

    dot = np.where((y - 90) ** 2 + (x - 150) ** 2 < 15**2, 20, paper).astype(np.uint8)
    np.testing.assert_allclose(picture_to_image(dot, geometry), as_ink(5, 5, 5, 5), atol=1e-6)
    line = np.where((abs(y - 200) < 10) & (x > 20) & (x < 180), 20, paper).astype(np.uint8)
    fitted, ink = picture_to_image(line, geometry), as_ink(0, 0, 9, 0)
    assert np.abs(fitted - ink).mean() <= 8 / 255
    assert fitted.shape == ink.shape and fitted.dtype == np.float32


def test_pictures_in_the_uci_geometry(bridger):
    eight = np.random.default_rng(0).integers(0, 256, (5, 8, 8)).astype(np.uint8)
    np.testing.assert_array_equal(pictures_to_images(eight, "uci8")[..., 0], eight)
    strokes, _ = bridger
    some = pack_all([Drawing(s) for s in strokes[::40]])
    ink = np.asarray(jax.jit(inks_to_images, static_argnums=1)(some, "uci8"))
    fitted = np.stack([picture_to_image(draw(s, 280, 20 * 4.88 / 32), "uci8") for s in strokes[::40]])
    assert np.abs(fitted - ink).mean() <= 8 / 255


@pytest.mark.parametrize("pen", [0.6, 1.2, 2.6, 3.6, 6.0])
def test_pen_width_is_estimated(bridger, pen):
    found = []
    for strokes in bridger[0][::60]:
        ink = crop(to_ink(draw(strokes, 300, pen)))
        found.append(stroke_width(ink >= 0.5).ridge * 20 / max(ink.shape))
    assert np.median(found) == pytest.approx(pen, abs=0.2)


def test_area_resize_keeps_the_mean_and_the_blocks():
    image = np.random.default_rng(0).random((60, 36))
    small = area_resize(image, 20, 12)
    np.testing.assert_allclose(small, image.reshape(20, 3, 12, 3).mean(axis=(1, 3)), atol=1e-12)
    uneven = area_resize(image, 17, 7)
    assert uneven.mean() == pytest.approx(image.mean())
    larger = area_resize(image, 120, 72)
    reference = np.asarray(
        Image.fromarray(image.astype(np.float32)).resize((72, 120), Image.Resampling.BILINEAR)
    )
    np.testing.assert_allclose(larger, reference, atol=1e-5)


def test_middle_line_is_thin_connected_and_keeps_loops():
    from scipy import ndimage

    y, x = np.mgrid[:60, :60]
    ring = np.abs(np.hypot(y - 30, x - 30) - 18) < 5
    line = middle_line(ring)
    _, pieces = cast(tuple, ndimage.label(line, np.ones((3, 3))))
    _, gaps = cast(tuple, ndimage.label(~line))
    assert (pieces, gaps) == (1, 2)
    np.testing.assert_allclose(np.hypot(y - 30, x - 30)[line], 18, atol=2.5)
    assert line.sum() < 2 * np.pi * 18 * 1.3


def test_an_unknown_geometry_is_refused():
    with pytest.raises(InputError, match="mnist28, uci8"):
        picture_to_image(np.zeros((9, 9), np.uint8), "mnist")
