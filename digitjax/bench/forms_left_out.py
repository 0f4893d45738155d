"""Ways of writing a digit whose lines cross, in the procedural hand: none of them, or nothing else.

Left out are a table's ways whose lines cross, and of what the others draw whatever happens to cross: hands
differ, so that the ways of a table run into each other. What is drawn of the way alone shows it plainly. What
is neither is in no set.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from digitjax.data.forms import Forms, load_forms
from digitjax.data.skeletons import Skeletons, load_skeletons

REACH = 0.1
"""By how much of its length a line is made longer at both ends when it is asked whether it crosses another:
a bar that only touches is a bar."""
LOOP = 0.03
"""Area of a loop that is plain to see, in units of the square of the drawing's longest side: about that of a
circle of two pixels' radius in the 20 of a normalised digit, which a pen of 1.3 leaves open."""

Strokes = list[Float[np.ndarray, "_ 2"]]


class Way(NamedTuple):
    """A digit as it is written with a crossing of its lines.

    Attributes:
        name: what it is called on the command line.
        digit: which it is.
        looped: whether a stroke crosses itself, around a loop; else two strokes cross.
    """

    name: str
    digit: int
    looped: bool


MEASURED = ("crossed-7", "looped-2")
"""The ways whose figures are told; the others of `WAYS` were there to choose what a lesson is."""
WAYS = {
    way.name: way
    for way in (
        Way("crossed-7", 7, looped=False),
        Way("looped-2", 2, looped=True),
        Way("slashed-0", 0, looped=False),
        Way("crossed-4", 4, looped=False),
        Way("looped-3", 3, looped=True),
    )
}


def without(ways: Sequence[Way]) -> tuple[Forms, Skeletons]:
    """The tables without these ways; their digits are as common as before."""
    return _weighted(lambda digit, lines: is_without(ways, digit, lines))


def only(way: Way) -> tuple[Forms, Skeletons]:
    """The tables of that way alone."""
    return _weighted(lambda digit, lines: not is_without([way], digit, lines))


def is_without(ways: Sequence[Way], digit: int, strokes: Strokes) -> bool:
    """Whether a drawing has nothing of these ways: another digit, or no two of its lines cross."""
    return digit not in [way.digit for way in ways] or not len(crossings(strokes, REACH))


def shows(way: Way, strokes: Strokes) -> bool:
    """Whether a drawing is plainly of a way: two strokes cross, or a loop is large enough to be seen."""
    return loop_area(strokes) >= LOOP if way.looped else _strokes_cross(strokes)


def crossings(strokes: Strokes, reach: float = 0.0) -> Int[np.ndarray, "crossings 2"]:
    """Pairs of pieces that cross and are not neighbours, numbered through all strokes in order.

    Args:
        strokes: polylines.
        reach: by how much of its length each piece is made longer at both ends.
    """
    start, way, stroke = _pieces(strokes)
    cross = _cross(way[:, None], way[None])
    between = start[None] - start[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        along, across = _cross(between, way[None]) / cross, _cross(between, way[:, None]) / cross
    inside = (np.minimum(along, across) >= -reach) & (np.maximum(along, across) <= 1 + reach)
    number = np.arange(len(start))
    apart = (stroke[:, None] != stroke[None]) | (number[None] - number[:, None] > 1)
    return np.argwhere((np.abs(cross) > 1e-12) & inside & apart & (number[None] > number[:, None]))


def loop_area(strokes: Strokes) -> float:
    """Area of the largest loop of one stroke, in units of the square of the drawing's longest side."""
    start, way, stroke = _pieces(strokes)
    size = np.ptp(np.concatenate(strokes), axis=0).max()
    areas = [0.0]
    for i, j in crossings(strokes):
        if stroke[i] == stroke[j]:
            along = _cross(start[j] - start[i], way[j]) / _cross(way[i], way[j])
            loop = np.concatenate([[start[i] + along * way[i]], start[i + 1 : j + 1]])
            areas.append(abs(float(_cross(loop, np.roll(loop, -1, axis=0)).sum())) / 2)
    return float(max(areas) / size**2) if size else 0.0


def _strokes_cross(strokes: Strokes) -> bool:
    _, _, stroke = _pieces(strokes)
    return any(stroke[i] != stroke[j] for i, j in crossings(strokes))


def _pieces(strokes: Strokes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each piece that has a length starts, its way to its end, and the number of its stroke."""
    start = np.concatenate([line[:-1] for line in strokes])
    way = np.concatenate([np.diff(line, axis=0) for line in strokes])
    stroke = np.repeat(np.arange(len(strokes)), [len(line) - 1 for line in strokes])
    moves = way.any(axis=1)
    return start[moves], way[moves], stroke[moves]


def _cross(one: np.ndarray, other: np.ndarray) -> np.ndarray | np.floating:
    """The cross product of vectors in the plane."""
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def _weighted(keep: Callable[[int, Strokes], bool]) -> tuple[Forms, Skeletons]:
    """The tables of what is to be kept; every digit of which anything is kept is as common as before."""
    forms, paths = load_forms(), load_skeletons()
    of_forms = [list(mean[:n]) for mean, n in zip(forms.mean, forms.strokes, strict=True)]
    of_paths = [_path_lines(paths, row) for row in range(len(paths.label))]
    return (
        forms._replace(weight=_weights(forms.digit, forms.weight, of_forms, keep)),
        paths._replace(weight=_weights(paths.label, paths.weight, of_paths, keep)),
    )


def _weights(
    digits: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    lines: list[Strokes],
    keep: Callable[[int, Strokes], bool],
) -> Float[np.ndarray, " n"]:
    left = weights * [keep(int(digit), one) for digit, one in zip(digits, lines, strict=True)]
    share, kept = np.bincount(digits, weights, 10), np.bincount(digits, left, 10)
    left *= np.divide(share, kept, out=np.zeros(10), where=kept > 0)[digits]
    return (left / left.sum()).astype(np.float32)


def _path_lines(paths: Skeletons, row: int) -> Strokes:
    mask = paths.mask[row]
    pieces, stroke = paths.pieces[row][mask], paths.stroke[row][mask]
    points = paths.points[row]
    return [
        np.array([points[pieces[stroke == n][0, 1]], *points[pieces[stroke == n][:, 2]]])
        for n in range(int(stroke.max()) + 1)
    ]
