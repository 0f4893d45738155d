"""What a photo shows of its paper: uneven light, ruled lines and squares; both are taken away.

NumPy and SciPy, as `pixels.py`.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from digitjax.pen import stroke_width
from digitjax.resize import area_resize, at_most

LIGHT_GRID = 280
"""Pixels of the longest side on which a larger picture's light is measured."""
DIM_GRID = 48
"""The same where it is asked whether a dark picture is one of paper."""
STROKE = 0.2
"""Part of the longest side up to which what differs from its surroundings is ink, and not light or shadow."""
UNEVEN = 0.04
"""Difference in lightness, of 1, along the border from which a larger picture is lit unevenly."""
BLACK = 0.05
"""Lightness that some of a drawn picture's dark ground does not reach, but the darkest of a board does."""
TILT = 6.0
"""Degrees by which printed lines may be turned from level or upright."""
TURN = 0.25
"""Degrees between the turns that are tried."""
PART = 0.7
"""Part of a picture's width (height) that a printed line is seen on, at least."""
END = 0.02
"""Part of a picture's width (height) at either end on which a printed line is seen for certain."""
BEND = 0.0075
"""Part of its length by which a printed line may leave the straight one to either side."""
THICK = 0.1
"""Part of the shorter side that a printed line is at most thick, with `BEND` on both sides."""
LONG = 0.3
"""Part of the other side that a printed line is long, at least: in a narrow strip the pen's are as long."""
THINNER = 0.75
"""Part of the pen's width that a printed line has at most, give or take a pixel."""
FAINTEST, FAINTER = 0.1, 0.8
"""Parts of full ink that a printed line has: a fainter one does no harm, a darker one may be the pen's."""


def evenly_lit(
    values: Float[np.ndarray, "height width"], dark_ink: bool
) -> Float[np.ndarray, "height width"]:
    """A picture whose paper is as light everywhere as it is on the median of its border.

    The paper's lightness is what is left when everything dark (or light) that is narrower than a stroke can
    be is closed (or opened: Gonzalez and Woods, Digital Image Processing, 4th ed., 9.8). Dark ink takes away
    a part of the light, so paper's is divided by; around chalk, a board's is taken away. A picture that is
    lit evenly, or was not photographed, is returned as it is.
    """
    if _commonest(values) is not None:
        return values
    from scipy import ndimage  # a quarter of a second that MNIST's own pictures have no use for

    def closed(lightness: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
        fill = ndimage.grey_closing if dark_ink else ndimage.grey_opening
        return np.asarray(fill(lightness, window, mode="nearest"))

    small = np.asarray(ndimage.median_filter(at_most(values, LIGHT_GRID), 3, mode="nearest"))  # no dust
    window = round(STROKE * max(small.shape)) | 1
    first = closed(small)
    border = rim(first, 1)
    if _spread(border) < UNEVEN or not (dark_ink or border.min() > BLACK):
        return values
    # Closing alone takes a slope at a side for a step; without a lamp's light, a shadow's edge for a slope.
    # Neither answers less (opened: more) than what is there, so the nearer one is right.
    lamp = _paraboloid(first, min(window // 2, (min(small.shape) - 1) // 2))
    paper = (np.minimum if dark_ink else np.maximum)(first, lamp + closed(small - lamp))
    light, level = area_resize(paper, *values.shape), np.median(rim(paper, 1))
    return values * level / np.maximum(light, 1 / 255) if dark_ink else values - light + level


def is_dim(values: Float[np.ndarray, "height width"]) -> bool:
    """Whether a picture whose border is dark shows paper nevertheless, as its ink is darker still.

    Lit evenly it is compared with its border, else each place with the median of what is around it. What a
    program drew has paper of one lightness.
    """
    small = at_most(values, DIM_GRID)  # where a speck is no ink
    paper, commonest = float(np.median(rim(values))), _commonest(values)
    darker = bool(paper - small.min() > small.max() - paper)
    if commonest is not None:
        return darker and abs(paper - commonest) < 1 / 255
    from scipy import ndimage  # as above

    around = ndimage.median_filter(small, round(2 * STROKE * DIM_GRID) | 1, mode="nearest")
    if _spread(rim(around, 1)) < UNEVEN:
        return darker
    difference = small - around
    return bool((np.minimum(difference, 0) ** 2).sum() > (np.maximum(difference, 0) ** 2).sum())


def without_lines(ink: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Ink without the ruled lines or squares that were printed on its paper.

    A line is printed if it is straight, level or upright but for `TILT`, goes across nearly all of the
    picture, and is fainter and thinner than the pen. How far lines are turned is told by the ink's sums along
    parallels, which differ most along the lines (Postl, Detection of linear oblique structures, ICPR 1986).
    What a line has of ink is taken away, and full ink stays full, so that the pen that crosses a line is not
    cut. Ink without such lines is returned as it is, and so is ink of which nothing would be left.

    Args:
        ink: 0 (paper) to 1 (the pen).
    """
    from scipy import ndimage  # as above

    finer = -(-max(ink.shape) // LIGHT_GRID)
    widened = ndimage.maximum_filter(ink, finer) if finer > 1 else ink  # or thin lines are averaged away
    small = at_most(np.asarray(widened), LIGHT_GRID)
    (level, width), (upright, other_width) = _level_lines(small), _level_lines(small.T)
    lines = np.maximum(level, upright.T)
    if not lines.any():
        return ink
    lines = area_resize(lines, *ink.shape)
    left = np.clip((ink - lines) / (1 - lines), 0.0, 1.0)
    pen = stroke_width(at_most(left, LIGHT_GRID) > 0.5).ridge  # 0 where nothing is left
    return left if pen and max(width, other_width) <= THINNER * pen + 1 else ink


def _level_lines(
    ink: Float[np.ndarray, "rows columns"],
) -> tuple[Float[np.ndarray, "rows columns"], int]:
    """How much ink the printed lines from side to side have, 0 elsewhere, and the widest one's pixels."""
    rows, columns = ink.shape
    if columns < LONG * rows:
        return np.zeros_like(ink), 0
    down = _down(ink)
    top = -int(down.max())
    at = np.arange(top, rows - int(down.min()))[:, None] + down  # the outermost only cut a corner off
    inside = (at >= 0) & (at < rows)
    bend = max(1, round(BEND * columns))
    thick = max(THICK * min(ink.shape), 2 * bend + 3)
    along = np.where(inside, _thicker(ink, bend)[np.clip(at, 0, rows - 1), np.arange(columns)], -1.0)
    there, ranked, each = inside.sum(axis=1), np.sort(along, axis=1), np.arange(len(at))
    least = ranked[each, columns - 1 - (PART * there).astype(int)]  # the pen may cover what is darker
    not_the_pen = (ranked <= FAINTER).sum(axis=1) - (columns - there)
    amount = ranked[each, columns - there + (PART * np.maximum(not_the_pen - 1, 0)).astype(int)]
    crosses = _least_at_the_ends(_thicker(along, 2 * bend), inside) > FAINTEST
    lines, whole, width = np.zeros(len(at)), False, 0
    edges = np.flatnonzero(np.diff(least > FAINTEST, prepend=False, append=False))
    for start, stop in edges.reshape(-1, 2):
        band = slice(start, stop)
        if least[band].max() <= FAINTER and stop - start <= thick and crosses[band].any():
            lines[band] = amount[band]
            whole |= bool((there[band] == columns).any())
            width = max(width, int((least[band] > least[band].max() / 2).sum()) - 2 * bend)
    if not whole:
        return np.zeros_like(ink), 0
    return _thicker(lines[:, None], bend)[np.arange(rows)[:, None] - down - top, 0], width


def _least_at_the_ends(
    along: Float[np.ndarray, "lines columns"], inside: Bool[np.ndarray, "lines columns"]
) -> Float[np.ndarray, " lines"]:
    """The least value of each line's first and last columns, those for which it is inside the picture."""
    columns = along.shape[1]
    first, last = inside.argmax(axis=1), columns - 1 - inside[:, ::-1].argmax(axis=1)
    end = np.minimum(np.arange(max(1, round(END * columns))), inside.sum(axis=1)[:, None] - 1)
    ends = np.concatenate([first[:, None] + end, last[:, None] - end], axis=1)
    return np.take_along_axis(along, ends, axis=1).min(axis=1)


def _down(ink: Float[np.ndarray, "rows columns"]) -> Int[np.ndarray, " columns"]:
    """How many rows further down each column meets a line that is printed level in the middle."""
    even = np.minimum(ink, 0.5)  # where the pen counts for no more than lines do
    left = np.pad(np.cumsum(even, axis=1), ((0, 0), (1, 0)))
    slopes = np.tan(np.deg2rad(np.arange(-TILT, TILT + TURN / 2, TURN)))
    ways = np.round(slopes[:, None] * (np.arange(ink.shape[1]) - ink.shape[1] / 2)).astype(int)
    return max(ways, key=lambda down: float((np.diff(_sums_along(left, down)) ** 2).sum()))


def _sums_along(
    left: Float[np.ndarray, "rows edges"], down: Int[np.ndarray, " columns"]
) -> Float[np.ndarray, " rows"]:
    """For each row the sum, over the columns, of the values `down` rows below; the first and last row go on.

    Args:
        left: sums of the values left of each column, and of all: one difference for all columns moved alike.
        down: neighbours differ by one at most.
    """
    rows = np.arange(len(left))[:, None]
    starts = np.flatnonzero(np.diff(down, prepend=down[0] - 1))
    blocks = left[:, np.append(starts[1:], len(down))] - left[:, starts]
    return blocks[np.clip(rows + down[starts], 0, len(left) - 1), np.arange(len(starts))].sum(axis=1)


def _thicker(values: Float[np.ndarray, "rows columns"], by: int) -> Float[np.ndarray, "rows columns"]:
    """The largest of what is up to `by` rows above and below."""
    from scipy import ndimage  # as above

    return np.asarray(ndimage.maximum_filter1d(values, 2 * by + 1, axis=0, mode="nearest"))


def rim(values: Float[np.ndarray, "height width"], width: int | None = None) -> Float[np.ndarray, " n"]:
    """The pixels near the four sides, those of the corners twice."""
    n = max(1, min(values.shape) // 28) if width is None else width
    sides = (values[:n], values[-n:], values[:, :n], values[:, -n:])
    return np.concatenate([side.ravel() for side in sides])


def _commonest(values: Float[np.ndarray, "height width"]) -> float | None:
    """The lightness that a third of a picture has, as no photo's paper: then it was drawn by a program."""
    counts = np.bincount(np.round(values * 255).astype(int).ravel())
    return float(counts.argmax()) / 255 if counts.max() > values.size / 3 else None


def _spread(border: Float[np.ndarray, " n"]) -> float:
    """How much a border's lightness varies, a seventh of it at either end left out, which may be ink."""
    return float(np.diff(np.quantile(border, (1 / 7, 6 / 7)))[0])


def _paraboloid(values: Float[np.ndarray, "rows columns"], margin: int) -> Float[np.ndarray, "rows columns"]:
    """The surface of second degree that is nearest to the values farther than `margin` from a side."""
    y, x = (np.linspace(-1, 1, size) for size in values.shape)
    y, x = np.broadcast_arrays(y[:, None], x[None])
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    inside = (slice(margin, -margin or None),) * 2
    factors = np.linalg.lstsq(terms[inside].reshape(-1, 6), values[inside].ravel())[0]
    return terms @ factors
