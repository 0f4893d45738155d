"""Ways of writing a digit whose lines cross, in the tables of the procedural hand: none or only them."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from digitjax.data.forms import Forms, load_forms
from digitjax.data.skeletons import Skeletons, load_skeletons


class Way(NamedTuple):
    """A digit as it is written with a crossing of its lines."""

    name: str
    digit: int


WAYS = {"crossed-7": Way("crossed-7", 7), "looped-2": Way("looped-2", 2)}


def without(way: Way) -> tuple[Forms, Skeletons]:
    """The tables without a way; its digit is as common as before."""
    return _weighted(way, keep=False)


def only(way: Way) -> tuple[Forms, Skeletons]:
    """The tables of that way alone."""
    return _weighted(way, keep=True)


def _weighted(way: Way, *, keep: bool) -> tuple[Forms, Skeletons]:
    forms, paths = load_forms(), load_skeletons()
    of_forms = _chosen(
        way, forms.digit, [_lines(mean, int(n)) for mean, n in zip(forms.mean, forms.strokes, strict=True)]
    )
    of_paths = _chosen(way, paths.label, [_path_lines(paths, i) for i in range(len(paths.label))])
    return (
        forms._replace(weight=_weights(way, forms.digit, forms.weight, of_forms, keep)),
        paths._replace(weight=_weights(way, paths.label, paths.weight, of_paths, keep)),
    )


def _weights(
    way: Way,
    digits: np.ndarray,
    weights: np.ndarray,
    chosen: Bool[np.ndarray, " n"],
    keep: bool,
) -> Float[np.ndarray, " n"]:
    if keep:
        left = weights * chosen
        return (left / left.sum()).astype(np.float32)
    left = weights * ~chosen
    mine = digits == way.digit
    left[mine] *= weights[mine].sum() / left[mine].sum()
    return (left / left.sum()).astype(np.float32)


def _chosen(way: Way, digits: np.ndarray, lines: list) -> Bool[np.ndarray, " n"]:
    return np.array([digit == way.digit and crosses(one) for digit, one in zip(digits, lines, strict=True)])


def crosses(strokes: list[Float[np.ndarray, "_ 2"]]) -> bool:
    """Whether two pieces of a drawing cross that are not neighbours, farther than a hair from their ends."""
    pieces = [
        (n, i, a, b) for n, line in enumerate(strokes) for i, (a, b) in enumerate(itertools.pairwise(line))
    ]
    for (n, i, a, b), (m, j, c, d) in itertools.combinations(pieces, 2):
        if n == m and abs(i - j) < 2:
            continue
        way, other, between = b - a, d - c, c - a
        cross = way[0] * other[1] - way[1] * other[0]
        if abs(cross) < 1e-12:
            continue
        along = (between[0] * other[1] - between[1] * other[0]) / cross
        across = (between[0] * way[1] - between[1] * way[0]) / cross
        if 0 <= along <= 1 and 0 <= across <= 1:
            return True
    return False


def _lines(mean: Float[np.ndarray, "_ _ 2"], strokes: int) -> list[np.ndarray]:
    return [mean[number] for number in range(strokes)]


def _path_lines(paths: Skeletons, row: int) -> list[np.ndarray]:
    mask = paths.mask[row]
    pieces, stroke = paths.pieces[row][mask], paths.stroke[row][mask]
    points = paths.points[row]
    return [
        np.array([points[pieces[stroke == n][0, 1]], *points[pieces[stroke == n][:, 2]]])
        for n in range(int(stroke.max()) + 1)
    ]
