"""The one path from pictures to what the network sees: `normalize.py`'s twin for pixels.

    grey -> evenly lit -> ink on paper -> without printed lines
         -> box -> pen width -> 20 px by area -> shifted to the mass -> 28 x 28

NumPy and SciPy, outside jit, since pictures come in all sizes. A picture that already is as MNIST's are
passes untouched, so doing it twice is doing it once.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from digitjax.normalize import BOX, CENTRE, PEN_RADIUS, UCI_PEN_RADIUS, geometry_shape
from digitjax.paper import evenly_lit, is_dim, rim, without_lines
from digitjax.pen import stroke_width
from digitjax.resize import area_resize

SMALL = 48
"""A longest side up to which a picture is taken to be as fine as its author could: every grey is ink."""
FAINT = 0.2
"""Part of full ink below which a larger picture's pixel is paper: blur, compression, smudges."""
WIDTHS = (1.8, 4.0)
"""Stroke widths, in pixels of 28, that are left as they are: MNIST's 5th to 95th percentile."""
DOUBT = 1.1
"""Factor by which a width may be wrong that was estimated from a digit of 20 px or fewer."""
FINE = 120
"""Pixels of the longest side on which the pen's width is measured and changed."""
SPOT = 0.9
"""Part of the inscribed ellipse's axes in which a dot is all ink."""
REPEATS = 3
"""How often a fit is repeated whose faint edge was lost in rounding, until it is as MNIST's are."""
UCI_BOX = 32
"""Side of the bitmap whose 4 x 4 blocks make the UCI digits."""

_CLOCKWISE = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))

AT_ONCE = 2048
"""Pictures that are looked at together."""
Picture = UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width channels"]
"""Grey, RGB or RGBA, 0 to 255."""


def to_ink(picture: Picture) -> Float[np.ndarray, "height width"]:
    """Any picture as ink, 0 (paper) to 1, dark on light or light on dark.

    What the border mostly shows is paper; where that is dark, a larger picture is looked at more closely,
    since a photo of paper can be dim. Transparent pixels are paper too: light beneath dark ink, dark beneath
    light ink. The light of a larger picture is evened first.
    """
    values = picture.astype(np.float64) / 255
    if values.ndim == 3 and values.shape[2] in (2, 4):
        alpha = values[:, :, -1]
        colours = _grey(values[:, :, :-1])
        opaque = alpha > 0.5
        ink_is_dark = not opaque.any() or np.median(colours[opaque]) < 0.5 or opaque.mean() > 0.9
        values = colours * alpha + (1.0 - alpha) * (1.0 if ink_is_dark else 0.0)
    elif values.ndim == 3:
        values = _grey(values)
    large = max(values.shape) > SMALL
    border = rim(values)
    paper = float(np.median(border))
    dark_ink = paper > 0.5 or (large and is_dim(values))
    if large:
        values = evenly_lit(values, dark_ink)
        border = rim(values)
        paper = float(np.median(border))
    ink = np.clip(paper - values if dark_ink else values - paper, 0.0, None)
    # Compression and paper's grain spread around paper's own value; clean pictures have none.
    noise = 4.0 * 1.4826 * float(np.median(np.abs(border - paper)))
    ink = np.where(ink > noise, ink, 0.0)
    peak = float(np.quantile(ink[ink > 0], 0.98)) if (ink > 0).any() else 0.0
    if peak < 0.08:
        return np.zeros_like(ink)
    ink = np.clip(ink / peak, 0.0, 1.0)
    if large:
        ink = without_lines(ink)
        ink = np.clip((ink - FAINT) / (1 - 2 * FAINT), 0.0, 1.0)
    return ink


def _grey(colours: Float[np.ndarray, "height width channels"]) -> Float[np.ndarray, "height width"]:
    weights = {1: [1.0], 3: [0.299, 0.587, 0.114]}[colours.shape[2]]
    return colours @ np.array(weights)


def crop(ink: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "rows columns"]:
    """The tight box of the ink; 0 x 0 without ink. In larger pictures ink means at least half."""
    seen = ink > (0.5 if max(ink.shape) > SMALL else 0.0)
    if not seen.any():
        seen = ink > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return np.zeros((0, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def correct_width(
    ink: Float[np.ndarray, "rows columns"], target: float
) -> Float[np.ndarray, "new_rows new_columns"]:
    """Makes strokes thinner or thicker until they are `target` of the longest side, and crops again.

    Thinner: eroded, but the middle of every stroke stays. Thicker: dilated. Both by Euclidean distance.
    """
    from scipy import ndimage  # as above

    bitmap = ink >= 0.5
    if not bitmap.any():
        return ink
    longest = max(bitmap.shape)
    width = stroke_width(bitmap).ridge
    grow = (target * longest - width) / (2 * (1 - target))
    margin = int(np.ceil(max(grow, 0.0))) + 2
    bitmap = np.pad(bitmap, margin)
    if grow >= 0:
        outside = ndimage.distance_transform_edt(~bitmap)
        return crop_at_half(np.clip(grow - outside + 1.0, 0.0, 1.0))
    inside = ndimage.distance_transform_edt(bitmap)
    changed = np.clip(inside + grow + 0.5, 0.0, 1.0) * bitmap
    from_middle = ndimage.distance_transform_edt(~middle_line(bitmap))
    changed = np.maximum(changed, np.clip(width / 2 + grow - from_middle + 0.5, 0.0, 1.0))
    return crop_at_half(changed)


def middle_line(bitmap: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """The skeleton, one pixel wide and connected as the ink is (Zhang and Suen, 1984)."""
    line = np.pad(bitmap, 1)
    while True:
        before = int(line.sum())
        for first in (True, False):
            # The eight neighbours clockwise from the one above.
            around = [np.roll(line, shift, (0, 1)) for shift in _CLOCKWISE]
            count = sum(side.astype(np.int8) for side in around)
            rises = sum(
                (~here & there).astype(np.int8)
                for here, there in zip(around, around[1:] + around[:1], strict=True)
            )
            up, right, down, left = around[0], around[2], around[4], around[6]
            if first:
                open_sides = ~(up & right & down) & ~(right & down & left)
            else:
                open_sides = ~(up & right & left) & ~(up & down & left)
            line = line & ~((count >= 2) & (count <= 6) & (rises == 1) & open_sides)
        if int(line.sum()) == before:
            return line[1:-1, 1:-1]


def crop_at_half(ink: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "rows columns"]:
    """The tight box of what is at least half ink."""
    seen = ink >= 0.5
    if not seen.any():
        return ink
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _with_pen(
    ink: Float[np.ndarray, "rows columns"], box: float, pen_width: float
) -> Float[np.ndarray, "r c"]:
    """Corrects the pen's width where it is outside of `WIDTHS`, measured in pixels of a `box`-px digit."""
    longest = max(ink.shape)
    factor = FINE / longest
    rows, columns = (max(1, round(side * factor)) for side in ink.shape)
    fine = area_resize(ink, rows, columns)
    # A hairline is less than half ink on the fine grid: it is thresholded as it came.
    bitmap = fine >= 0.5
    if factor < 1 and stroke_width(ink >= 0.5).mean < 2:
        fine, bitmap = ink, ink >= 0.5
    if not bitmap.any():
        return ink
    width = stroke_width(bitmap)
    unit = pen_width / (2 * PEN_RADIUS) * max(bitmap.shape) / box
    # Both estimates must agree, since filled loops deceive the one and fringes the other.
    doubt = DOUBT if longest <= BOX else 1.0
    if max(width) * doubt >= WIDTHS[0] * unit and min(width) <= WIDTHS[1] * unit * doubt:
        return ink
    return correct_width(fine, pen_width / box)


def _are_mnist(pictures: UInt8[np.ndarray, "n 28 28"]) -> Bool[np.ndarray, " n"]:
    """Which pictures already are as MNIST's: light on dark, longest side 20, mass on index 14.

    Ink whose mass is at one end is cut off by the border; then its side is shorter and its mass elsewhere.
    """
    down, across = np.empty((2, len(pictures), 28), np.float32)
    for start in range(0, len(pictures), AT_ONCE):  # in parts that fit the processor's cache; sums are exact
        part = pictures[start : start + AT_ONCE].astype(np.float32)
        down[start : start + AT_ONCE] = part @ np.ones(28, np.float32)
        across[start : start + AT_ONCE] = np.einsum("nyx->nx", part)
    rows, columns = down > 0, across > 0
    sides = [28 - seen.argmax(axis=1) - seen[:, ::-1].argmax(axis=1) for seen in (rows, columns)]
    cut = rows[:, 0] | rows[:, -1] | columns[:, 0] | columns[:, -1]
    mass = np.maximum(down.sum(axis=1, dtype=np.float64), 1)
    x, y = across @ np.arange(28.0) / mass, down @ np.arange(28.0) / mass
    off = np.maximum(np.abs(x - CENTRE), np.abs(y - CENTRE))
    longest = np.maximum(*sides)
    # One of MNIST's 70,000 is off by 0.5199, all others by less than 0.51.
    whole = (longest == BOX) & (off <= 0.52)
    return (whole | cut & (longest <= BOX) & (off <= 1.5)) & (
        pictures.reshape(-1, 28 * 28).max(axis=1) >= 250
    )


def _is_dot(ink: Float[np.ndarray, "rows columns"]) -> bool:
    """Whether cropped ink is a spot without extent: about as wide as high, its inscribed ellipse all ink."""
    rows, columns = ink.shape
    y, x = np.arange(rows) * 2 - (rows - 1), np.arange(columns) * 2 - (columns - 1)
    inside = (y[:, None] / rows) ** 2 + (x[None, :] / columns) ** 2 <= SPOT**2
    return min(ink.shape) >= 0.75 * max(ink.shape) and bool((ink[inside] >= 0.5).all())


def _dot(size: int, centre: float, radius: float) -> Float[np.ndarray, "{size} {size}"]:
    offset = np.arange(size) - centre
    return np.clip(radius + 0.5 - np.hypot(offset[:, None], offset[None, :]), 0.0, 1.0)


def _fit_mnist(ink: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "28 28"]:
    ink = crop(ink)
    if not ink.size:
        return np.zeros((28, 28))
    if _is_dot(ink):
        return _dot(28, CENTRE, PEN_RADIUS)
    ink = _with_pen(ink, BOX, 2 * PEN_RADIUS)
    scale = BOX / max(ink.shape)
    rows, columns = (max(1, round(side * scale)) for side in ink.shape)
    small = area_resize(ink, rows, columns)
    small = small / max(small.max(), 1e-6)
    y = small.sum(axis=1) @ np.arange(rows) / small.sum()
    x = small.sum(axis=0) @ np.arange(columns) / small.sum()
    top, left = round(CENTRE - y), round(CENTRE - x)
    canvas = np.zeros((84, 84))
    canvas[28 + top : 28 + top + rows, 28 + left : 28 + left + columns] = small
    return canvas[28:56, 28:56]


def _fit_uci(ink: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "8 8"]:
    bitmap = np.zeros((UCI_BOX, UCI_BOX))
    ink = crop(ink)
    if ink.size and _is_dot(ink):
        bitmap = _dot(UCI_BOX, (UCI_BOX - 1) / 2, UCI_PEN_RADIUS)
    elif ink.size:
        ink = _with_pen(ink, float(UCI_BOX), 2 * UCI_PEN_RADIUS)
        scale = min(UCI_BOX / ink.shape[0], UCI_BOX / ink.shape[1])
        rows, columns = (max(1, round(side * scale)) for side in ink.shape)
        top, left = (UCI_BOX - rows) // 2, (UCI_BOX - columns) // 2
        bitmap[top : top + rows, left : left + columns] = area_resize(ink, rows, columns)
    return (bitmap >= 0.5).reshape(8, 4, 8, 4).sum(axis=(1, 3)) / 16.0


def picture_to_image(picture: Picture, geometry: str = "mnist28") -> Float[np.ndarray, "height2 width2 1"]:
    """One picture of any size and polarity to what a network of `geometry` sees.

    Args:
        picture: grey, RGB or RGBA.
        geometry: "mnist28" or "uci8".

    Returns:
        float32, 0 (paper) to 1 (ink). A picture without ink gives an empty image.

    Raises:
        InputError: no geometry has that name.
    """
    geometry_shape(geometry)
    if geometry == "uci8":
        if picture.shape == (8, 8):
            return (picture.astype(np.float32) / 255)[:, :, None]
        return _fit_uci(to_ink(picture)).astype(np.float32)[:, :, None]
    if picture.shape == (28, 28) and _are_mnist(picture[None])[0]:
        return (picture.astype(np.float32) / 255)[:, :, None]
    image = _fit_mnist(to_ink(picture))
    for _ in range(REPEATS):
        rounded = np.round(image * 255).astype(np.uint8)
        if not rounded.any() or _are_mnist(rounded[None])[0]:
            break
        image = _fit_mnist(to_ink(rounded))
    return image.astype(np.float32)[:, :, None]


def pictures_to_images(
    pictures: UInt8[np.ndarray, "n height width"] | Sequence[np.ndarray], geometry: str = "mnist28"
) -> UInt8[np.ndarray, "n height2 width2 1"]:
    """`picture_to_image` for many, as uint8, 0 to 255."""
    shape = geometry_shape(geometry)
    images = np.empty((len(pictures), shape.height, shape.width, 1), np.uint8)
    untouched = np.zeros(len(pictures), bool)
    if geometry == "mnist28" and isinstance(pictures, np.ndarray) and pictures.shape[1:] == (28, 28):
        untouched = _are_mnist(pictures)
        images[untouched, :, :, 0] = pictures[untouched]
    for index in np.flatnonzero(~untouched).tolist():
        images[index] = np.round(picture_to_image(pictures[index], geometry) * 255)
    return images
