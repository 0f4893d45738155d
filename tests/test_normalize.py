"""The normaliser against a brute-force renderer, MNIST's own recipe and what must not matter."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax.data import load
from digitjax.errors import InputError
from digitjax.normalize import (
    BOX,
    CENTRE,
    GEOMETRIES,
    PEN_RADIUS,
    UCI_PEN_RADIUS,
    bounding_box,
    centre_of_mass,
    count_blocks,
    fit_ink,
    fit_to_box,
    ink_to_image,
    inks_to_images,
    render,
)
from digitjax.segments import pack
from digitjax.strokes import Drawing, read_drawings
from digitjax.types import Segments

SAMPLES = 16
"""Samples a pixel and axis of the brute-force renderer."""
to_image = jax.jit(ink_to_image, static_argnums=1)
to_images = jax.jit(inks_to_images, static_argnums=1)


def segments_of(*rows, length=8) -> Segments:
    ends = np.zeros((length, 4), np.float32)
    ends[: len(rows)] = np.array(rows, np.float32).reshape(-1, 4)
    return Segments(ends, np.arange(length) < len(rows))


def pack_many(strokes) -> Segments:
    packed = [pack(s) for s in strokes]
    return Segments(np.stack([p.ends for p in packed]), np.stack([p.mask for p in packed]))


@pytest.fixture(scope="module")
def drawings(datasets) -> list[Drawing]:
    return list(read_drawings(datasets / "strokes" / "bridger.ndjson.gz"))[::8]


@pytest.fixture(scope="module")
def images(drawings) -> np.ndarray:
    return np.asarray(to_images(pack_many([d.strokes for d in drawings]), "mnist28"))


def brute_force(segments: Segments, radius: float, size: int) -> np.ndarray:
    """Coverage of each pixel by the union of round-ended lines, counted over 16 x 16 points."""
    axis = (np.arange(size * SAMPLES) + 0.5) / SAMPLES - 0.5
    covered = np.zeros((len(axis), len(axis)), bool)
    for x0, y0, x1, y1 in np.asarray(segments.ends, np.float64)[np.asarray(segments.mask)]:
        direction = np.array([x1 - x0, y1 - y0])
        length = max(float(direction @ direction), 1e-12)
        x, y = axis[None, :] - x0, axis[:, None] - y0
        along = np.clip((x * direction[0] + y * direction[1]) / length, 0, 1)
        covered |= (x - along * direction[0]) ** 2 + (y - along * direction[1]) ** 2 <= radius**2
    return covered.reshape(size, SAMPLES, size, SAMPLES).mean(axis=(1, 3))


@pytest.mark.parametrize(("radius", "size"), [(PEN_RADIUS, 28), (0.8, 28), (UCI_PEN_RADIUS, 32)])
def test_renderer_covers_what_a_supersampled_one_covers(drawings, radius, size):
    draw = jax.jit(render, static_argnums=(1, 2))
    for drawing in drawings[::35]:
        ink = fit_ink(pack(drawing.strokes), radius)
        difference = np.abs(np.asarray(draw(ink, radius, size)) - brute_force(ink, radius, size))
        assert difference.mean() <= 0.006
        assert difference.max() <= 0.5  # two strokes may each cover one half of a pixel; the nearer counts
        assert np.quantile(difference, 0.99) <= 0.12
        assert difference.max() > 0


@pytest.mark.parametrize("rows", [[], [3], [0, 7, 8], [15, 16], [40], range(41)], ids=str)
def test_rendering_sparingly_gives_the_same_bits_whichever_segments_are_ink(rows):
    ends = np.random.default_rng(0).uniform(2, 26, (41, 4)).astype(np.float32)
    ink = Segments(ends, np.isin(np.arange(41), list(rows)))
    for draw in (render, lambda ink, **how: render(fit_ink(ink, **how), **how)):
        whole, spared = (jax.jit(functools.partial(draw, sparing=sparing))(ink) for sparing in (False, True))
        np.testing.assert_array_equal(whole, spared)
        assert bool(np.asarray(whole).any()) == bool(len(rows))


def test_the_gradient_is_that_of_differences_also_where_the_line_runs_through_pixels():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(28, 28)), jnp.float32)
    ink = segments_of([10, 10, 18.3, 10], [14, 6, 14.2, 20.1])
    drawn = jax.jit(lambda ends: (render(Segments(ends, ink.mask)) * weights).sum())
    ends, slope = np.asarray(ink.ends), np.asarray(jax.jit(jax.grad(drawn))(ink.ends))
    for at in [(0, 0), (0, 2), (1, 1), (1, 2)]:
        step = np.zeros_like(ends)
        step[at] = 2e-3
        difference = (drawn(ends + step) - drawn(ends - step)) / 4e-3
        assert slope[at] == pytest.approx(float(difference), abs=0.03), at
    assert (slope[2:] == 0).all()


@pytest.mark.ci
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_image_has_a_gradient(geometry):
    shape = GEOMETRIES[geometry]
    weights = jnp.arange(shape.height * shape.width, dtype=jnp.float32).reshape(*shape, 1)

    @jax.jit
    @jax.grad
    def slope(ends, mask):
        return (ink_to_image(Segments(ends, mask), geometry) * weights).sum()

    for rows in ([], [[3, 3, 3, 3]], [[0, 0, 0, 9]], [[0, 0, 8, 0], [4, 0, 4, 8]]):
        found = np.asarray(slope(*segments_of(*rows)))
        assert np.isfinite(found).all(), rows
    steep = np.abs(found).max() > 1  # of the last, a T
    assert steep == (geometry == "mnist28"), "blocks count pixels that are on: no slope"


def test_longest_side_with_the_pen_is_20_px_and_the_mass_is_on_index_14(drawings, images):
    fitted = jax.jit(jax.vmap(fit_to_box))(pack_many([d.strokes for d in drawings]))
    boxes = np.asarray(jax.vmap(bounding_box)(fitted))
    longest = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) + 2 * PEN_RADIUS
    np.testing.assert_allclose(longest, BOX, atol=1e-3)
    ink = images[..., 0].astype(np.float64)
    mass = ink.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = ink.sum(axis=axis) @ np.arange(28) / mass
        np.testing.assert_allclose(centre, CENTRE, atol=0.1)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(
    "change",
    [
        lambda strokes: [s + np.array([1234.5, -777.25]) for s in strokes],
        lambda strokes: [s * 37.3 for s in strokes],
        lambda strokes: [s * 0.011 for s in strokes],
        lambda strokes: list(strokes[::-1]),
        lambda strokes: [s[::-1] for s in strokes],
    ],
    ids=["translated", "enlarged", "shrunk", "other order", "other direction"],
)
def test_place_size_and_order_do_not_matter(drawings, images, change, geometry):
    changed = np.asarray(to_images(pack_many([change(d.strokes) for d in drawings]), geometry))
    plain = images
    if geometry != "mnist28":
        plain = np.asarray(to_images(pack_many([d.strokes for d in drawings]), geometry))
    assert np.abs(changed - plain).max() <= 2 / 255


def resampled(stroke: np.ndarray, step: float) -> np.ndarray:
    """The same path with points at equal distances, its ends kept."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    if lengths[-1] == 0:
        return stroke
    at = np.linspace(0, lengths[-1], max(2, int(lengths[-1] / step) + 1))
    return np.stack([np.interp(at, lengths, stroke[:, axis]) for axis in (0, 1)], axis=1)


@pytest.mark.ci
def test_long_ink_is_simplified_alike_wherever_it_lies_and_however_large_it_is(datasets):
    """What has more pieces than fit is simplified first, and rounding must not choose other points."""
    every = read_drawings(datasets / "strokes" / "unipen-digits-train.ndjson.gz")
    long = [d.strokes for d in every if sum(max(len(s) - 1, 1) for s in d.strokes) > 128]
    assert len(long) > 200
    plain = np.asarray(to_images(pack_many(long), "mnist28"))
    changes = (
        lambda s: s + 0.1,
        lambda s: s + np.array([1234.5, -777.25]),
        lambda s: s * 2.7,
        lambda s: s * 0.011,
    )
    for change in changes:
        changed = [[change(stroke) for stroke in strokes] for strokes in long]
        assert np.abs(np.asarray(to_images(pack_many(changed), "mnist28")) - plain).max() <= 2 / 255
    turned = [strokes[::-1] for strokes in long]
    assert np.abs(np.asarray(to_images(pack_many(turned), "mnist28")) - plain).max() <= 2 / 255


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("points", [25, 100, 1000])
def test_sampling_rate_hardly_matters(drawings, points, geometry):
    changed = []
    for drawing in drawings:
        height = np.ptp(np.concatenate(drawing.strokes), axis=0).max()
        changed.append([resampled(s, 2.5 * height / points) for s in drawing.strokes])
    plain = np.asarray(to_images(pack_many([d.strokes for d in drawings]), geometry))
    difference = np.abs(np.asarray(to_images(pack_many(changed), geometry)) - plain).mean(axis=(1, 2, 3))
    assert difference.mean() <= 8 / 255
    if points >= 100:
        assert difference.max() <= 8 / 255


def test_no_ink_is_an_empty_image():
    for geometry, shape in GEOMETRIES.items():
        image = to_image(segments_of(), geometry)
        assert image.shape == (*shape, 1)
        assert not np.asarray(image).any()


def test_a_dot_is_a_round_spot_in_the_middle():
    image = np.asarray(to_image(segments_of([7, 9, 7, 9]), "mnist28"))[..., 0]
    np.testing.assert_allclose(image, np.asarray(image).T, atol=1e-6)
    assert image.sum() == pytest.approx(np.pi * PEN_RADIUS**2, abs=0.6)
    np.testing.assert_allclose(centre_of_mass(jnp.asarray(image)), [14, 14], atol=1e-4)
    small = np.asarray(to_image(segments_of([7, 9, 7, 9]), "uci8"))[..., 0]
    assert small[3:5, 3:5].sum() == small.sum() == pytest.approx(np.pi * UCI_PEN_RADIUS**2 / 16, abs=0.5)


def test_a_horizontal_line_is_20_px_long_and_one_pen_high():
    image = np.asarray(to_image(segments_of([0, 5, 400, 5]), "mnist28"))[..., 0]
    assert image.sum(axis=1)[14] == pytest.approx(20, abs=0.5)
    assert image.sum(axis=0)[14] == pytest.approx(2 * PEN_RADIUS, abs=0.05)
    small = np.asarray(to_image(segments_of([0, 5, 400, 5]), "uci8"))[..., 0]
    assert (small[3:5].sum(axis=0) > 0).all()
    assert not small[:3].any() and not small[5:].any()


def test_a_batch_is_its_drawings_one_by_one(drawings):
    ink = pack_many([d.strokes for d in drawings[:6]])
    together = np.asarray(to_images(ink, "mnist28"))
    for index in range(6):
        alone = to_image(Segments(ink.ends[index], ink.mask[index]), "mnist28")
        np.testing.assert_allclose(together[index], alone, atol=1e-5)


def test_padding_leaves_no_ink(drawings):
    ink = pack(drawings[0].strokes, 128)
    nonsense = np.where(ink.mask[:, None], ink.ends, 12345.0).astype(np.float32)
    plain, padded = to_image(ink, "mnist28"), to_image(Segments(nonsense, ink.mask), "mnist28")
    np.testing.assert_array_equal(plain, padded)


def test_fixed_shapes_are_traced_once():
    traces = []

    @jax.jit
    def draw(segments):
        traces.append(1)
        return ink_to_image(segments)

    for end in (1.0, 2.0, 50.0):
        draw(segments_of([0, 0, end, 3], [end, 3, 1, 9]))
    assert len(traces) == 1


def test_uci_blocks_are_counted():
    bitmap = np.random.default_rng(1).random((32, 32)).astype(np.float32)
    expected = np.array(
        [
            [(bitmap[4 * y : 4 * y + 4, 4 * x : 4 * x + 4] >= 0.5).sum() / 16 for x in range(8)]
            for y in range(8)
        ]
    )
    np.testing.assert_array_equal(count_blocks(jnp.asarray(bitmap)), expected)


def test_uci_geometry_fills_the_longer_side_and_is_centred_by_box(drawings):
    image = np.asarray(to_images(pack_many([d.strokes for d in drawings]), "uci8"))[..., 0]
    rows, columns = image.sum(axis=2) > 0, image.sum(axis=1) > 0
    assert ((rows.all(axis=1)) | (columns.all(axis=1))).all()
    np.testing.assert_array_equal(columns, columns[:, ::-1])


@pytest.mark.ci
def test_uci_pen_gives_pen_strokes_the_ink_of_the_uci_digits(datasets):
    strokes = [d.strokes for d in read_drawings(datasets / "strokes" / "pendigits-train.ndjson.gz")][::25]
    image = np.asarray(to_images(pack_many(strokes), "uci8"))
    uci = load("digits8x8").images
    assert isinstance(uci, np.ndarray)
    assert image.mean() == pytest.approx(uci.mean() / 255, abs=0.01)


def test_an_unknown_geometry_is_refused():
    with pytest.raises(InputError, match="mnist29.*mnist28, uci8"):
        ink_to_image(segments_of(), "mnist29")


@pytest.mark.usefixtures("unchecked")
def test_one_drawing_and_a_batch_are_not_taken_for_each_other():
    one = segments_of([0, 0, 0, 9])
    batch = Segments(one.ends[None], one.mask[None])
    with pytest.raises(ValueError, match=r"shape \[1, 8\], one .* is \[segments\]: take inks_to_images"):
        ink_to_image(batch)
    with pytest.raises(ValueError, match=r"shape \[8\], a batch's is \[batch, segments\]: take ink_to_image"):
        inks_to_images(one)
