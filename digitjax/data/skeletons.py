"""How people write the ten digits: the paths of the pen, written by hand for this project.

A path is a text of points `x,y` in percent of a box about as wide as 0.7 of its height, y down, in the
order of writing. `!` behind a point makes it a corner, otherwise the pen runs through it smoothly; `/`
lifts the pen. The number before a path is how common that way of writing is among the ways of its digit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from digitjax.data.labels import NOT_A_DIGIT
from digitjax.data.mark_paths import MARKS
from digitjax.data.signs import SIGNS

PATHS: dict[int, list[tuple[float, str]]] = {
    0: [
        (4, "55,1 22,12 4,50 18,86 50,99 82,86 96,50 82,14 52,1"),
        (3, "50,1 82,14 96,50 82,86 50,99 18,86 4,50 18,14 50,1"),
        (2, "70,8 40,0 10,30 6,65 30,97 70,95 94,60 88,22 62,3 45,10"),
        (1, "78,6 52,6 16,26 4,60 24,95 66,96 94,62 90,25 66,4 40,10 30,22"),
        (1, "30,10 10,45 14,82 48,99 84,84 95,48 80,12 45,2 20,20"),
        (0.8, "60,2 20,14 4,52 22,90 60,98 90,80 96,45 80,10"),
        (1.2, "50,4 16,20 8,55 22,90 52,96 82,86 92,50 80,14 50,4/96,0 4,100"),
        (0.6, "50,4 16,20 8,55 22,90 52,96 82,86 92,50 80,14 50,4/80,18 20,82"),
        (0.3, "50,2 16,16 4,50 16,84 50,98 84,84 96,50 84,16 50,2/46,50 54,50"),
        (0.8, "50,4 16,20 8,55 22,90 52,96 84,84 92,50 84,20 60,4! 20,96"),
    ],
    1: [
        (5, "50,0 50,50 50,100"),
        (1.2, "52,0 48,50 50,100"),
        (2.2, "22,28 40,16 56,0! 56,50 56,100"),
        (1, "34,16 56,0! 54,100"),
        (1.6, "8,42 36,24 58,0! 58,100"),
        (1.8, "24,22 52,0! 52,100/18,100 50,99 86,100"),
        (1, "30,16 52,0! 52,98! 20,100! 84,99"),
        (0.7, "50,0 50,100/26,100 74,100"),
        (0.5, "30,2 52,0! 50,98/22,100 80,98"),
        (0.5, "56,0 50,60 52,92 66,98"),
        (0.4, "36,10 50,0 54,30 52,100"),
        (0.5, "58,0 44,60 42,100"),
    ],
    2: [
        (3, "8,26 22,6 52,0 80,16 74,44 44,72 6,98! 94,96"),
        (1.6, "6,18 40,0 78,12 76,42 40,76 8,97! 50,96 96,90"),
        (2, "8,24 34,2 72,6 78,34 52,68 20,94 4,88 20,76 48,88 72,98 96,88"),
        (1.2, "10,16 46,0 80,18 66,52 34,84 12,98 14,82 34,80 62,94 94,94"),
        (1.4, "8,14 50,0 84,18 68,52 8,96! 34,86 62,96 96,90"),
        (1.5, "8,8 46,2 84,8 76,30 10,96! 50,96 94,97"),
        (0.8, "8,6 86,4! 10,96! 92,96"),
        (0.9, "30,30 14,22 30,4 66,0 86,22 70,56 6,97! 94,97"),
        (0.8, "4,20 40,2 70,14 70,44 38,84 6,92 10,80 40,88 96,98"),
    ],
    3: [
        (3, "8,14 40,0 78,10 74,34 36,46! 80,56 90,80 52,99 6,88"),
        (1.5, "10,10 50,0 84,18 66,42 38,48 70,52 92,74 60,99 6,92"),
        (1.4, "10,4 84,4! 42,40! 80,50 90,78 52,100 6,88"),
        (1, "8,8 48,0 82,16 64,40 36,50 26,44 42,42 80,56 88,80 50,100 4,90"),
        (1, "12,16 52,2 78,20 40,42! 84,58 74,90 34,100 8,90"),
        (0.8, "6,6 80,6 76,14 36,42! 82,54 84,82 46,99 4,94"),
        (0.8, "14,4 70,8 82,24 46,46! 74,58 76,84 8,98"),
        (0.7, "8,18 44,0 84,14 60,44 30,46! 76,50 94,72 70,96 24,98"),
    ],
    4: [
        (2, "30,0 20,30 4,62! 50,62 96,60/70,22 68,60 66,100"),
        (1.6, "18,4 14,30 12,52! 50,54 94,50/78,0 74,50 70,100"),
        (2, "66,0 36,34 4,66! 50,67 96,66/68,0 67,50 66,100"),
        (1.4, "92,64 4,66! 34,34 66,0! 66,50 66,100"),
        (1.3, "10,4 8,36 22,54 56,54 84,38/90,0 82,50 76,100"),
        (1.4, "12,4 8,36 24,52 60,50 86,10! 80,50 72,100"),
        (1, "24,2 8,56! 88,52/62,20 56,100"),
        (1, "14,6 10,48! 82,46 88,8! 80,56 76,100"),
        (0.8, "60,2 8,54! 62,56 90,46! 66,6! 58,100"),
        (0.8, "70,4 40,24 8,52 40,58 80,48 76,6! 70,100"),
        (0.6, "52,0 4,70! 96,70/60,42 60,100"),
        (0.6, "66,100 68,0! 4,66! 96,64"),
    ],
    5: [
        (2, "22,4 16,44! 52,36 86,56 80,86 44,100 6,92/22,4 58,3 92,2"),
        (2, "90,3 56,3 24,4! 16,44! 54,38 88,60 76,90 40,100 6,92"),
        (1.2, "84,4 44,4 22,20 34,40 66,50 82,72 58,97 10,94"),
        (1, "20,8 18,48! 60,42 82,66 66,94 30,100 6,90/18,6 88,2"),
        (1, "88,6 26,4 16,24 22,46 60,44 86,64 74,92 40,100 8,96"),
        (0.8, "28,14 20,50! 56,40 82,60 70,92 36,99 6,86/32,10 94,2"),
        (0.7, "92,2 20,8! 28,42! 66,46 84,68 60,98 4,94"),
        (0.6, "30,4 14,52! 44,42 78,52 84,76 50,99 8,100/36,6 92,6"),
    ],
    6: [
        (3, "74,2 40,20 12,56 16,88 48,100 82,86 80,62 48,54 16,72"),
        (1.6, "60,0 26,30 8,70 28,98 66,98 86,76 66,56 30,60 12,80"),
        (1.2, "40,0 20,36 10,72 30,98 70,98 90,74 66,54 26,60 10,76"),
        (1, "84,6 50,6 16,36 6,72 30,99 72,96 84,68 56,52 20,62 10,74"),
        (0.9, "70,0 30,28 6,70 22,98 60,100 80,82 64,64 36,66 20,86"),
        (0.8, "22,0 14,40 10,80 40,100 80,92 84,66 50,54 14,70"),
        (0.6, "80,0 46,30 14,72 24,98 56,98 70,78 52,64 24,74"),
        (0.6, "66,2 24,26 6,66 30,97 72,94 86,64 56,44 18,54 20,66"),
    ],
    7: [
        (3, "4,6 48,4 92,4! 66,44 44,100"),
        (1.2, "4,8 60,2 90,8 76,34 52,70 42,100"),
        (1.6, "4,6 50,4 92,4! 66,44 44,100/24,50 54,50 86,48"),
        (0.8, "6,6 88,6! 60,50 46,100/30,58 84,44"),
        (1, "8,22 8,4! 92,4! 66,44 46,100"),
        (0.8, "8,20 10,2! 92,2! 50,100/24,52 82,50"),
        (1, "4,16 26,2 56,12 92,2! 60,52 48,100"),
        (0.7, "4,2 80,2! 76,50 70,100"),
        (0.5, "4,14 24,2 58,12 92,2! 62,48 48,100/30,56 84,50"),
        (0.5, "4,6 90,6 84,20 40,56 24,100"),
        (0.4, "4,4 88,4! 50,46! 84,46! 46,48! 36,100"),
    ],
    8: [
        (3, "78,14 46,0 18,18 40,42 78,66 78,92 44,100 14,86 24,62 64,38 82,16"),
        (1.6, "50,2 20,14 34,40 76,62 80,90 46,100 14,88 22,62 66,36 76,12 50,2"),
        (1.4, "48,44 20,26 34,2 70,4 78,28 46,46 14,68 20,96 70,98 84,70 48,44"),
        (1.6, "50,0 22,10 24,38 50,46 76,36 78,10 50,0/50,46 16,60 12,88 50,100 88,88 84,60 50,46"),
        (1, "30,4 16,24 50,46 84,72 60,99 20,94 22,66 56,44 80,18 50,2 26,6"),
        (0.9, "86,4 50,2 18,16 36,42 78,68 66,98 22,96 18,70 60,40 90,8"),
        (0.7, "20,8 26,36 72,60 82,90 44,100 14,84 38,54 80,22 60,2 22,6"),
        (0.5, "50,46 22,32 26,8 60,0 80,20 52,46! 82,62 80,92 44,100 14,86 20,60 50,46"),
    ],
    9: [
        (2, "84,18 52,0 16,14 14,42 48,52 82,24! 82,60 78,100"),
        (1.6, "80,10 40,2 10,26 28,50 66,42 84,10! 76,50 68,100"),
        (1.4, "86,22 54,0 14,14 16,44 54,50 86,20 86,56 70,90 40,100 12,90"),
        (1, "84,16 50,0 12,18 20,46 60,46 84,16 82,64 60,98 16,92"),
        (1, "74,28 60,4 24,6 10,34 38,52 72,32 80,10 74,60 52,100"),
        (0.8, "82,14 40,0 10,28 34,52 78,34 84,12! 50,100"),
        (0.8, "50,46 16,36 20,8 60,0 84,22 50,46! 80,28 78,70 56,100"),
        (0.5, "84,14 44,0 12,22 30,48 82,26! 84,70 62,98 30,92 26,80 46,84"),
        (0.5, "50,2 16,14 18,42 50,50 82,38 80,12 50,2/82,14 80,100"),
    ],
}
"""Ways of writing each digit, and how common they are."""

WIDTH = 0.72
"""Width of the paths' box; its height is 1."""
LAST, CORNER, SMOOTH = 0, 1, 2
"""What a point is to the piece of path beside it: an end of the stroke, a corner, or neither."""


class Skeletons(NamedTuple):
    """All paths as arrays: a piece runs from point 1 to point 2 of its four, 0 and 3 being neighbours.

    Attributes:
        points: x and y in units of the box's height, padded to the longest path.
        pieces: indices of four points.
        kinds: what the piece's first and last point are: LAST, CORNER or SMOOTH.
        stroke: number of the piece's stroke.
        mask: False where the row is padding.
        label: digit of each path, or `labels.NOT_A_DIGIT`.
        weight: probability of each path; every digit and sign is as common.
    """

    points: np.ndarray
    pieces: np.ndarray
    kinds: np.ndarray
    stroke: np.ndarray
    mask: np.ndarray
    label: np.ndarray
    weight: np.ndarray


def _parse(path: str) -> tuple[np.ndarray, list[tuple[int, int, int, int, int, int, int]]]:
    points: list[tuple[float, float]] = []
    pieces = []
    for stroke, text in enumerate(path.split("/")):
        words = text.split()
        first, last = len(points), len(points) + len(words) - 1
        corner = {first + i for i, word in enumerate(words) if word.endswith("!")}
        for word in words:
            x, y = word.rstrip("!").split(",")
            points.append((float(x) * 0.01 * WIDTH, float(y) * 0.01))

        def kind(point: int, first=first, last=last, corner=corner) -> int:
            return LAST if point in (first, last) else CORNER if point in corner else SMOOTH

        for start in range(first, last):
            four = (max(start - 1, first), start, start + 1, min(start + 2, last))
            pieces.append((*four, kind(start), kind(start + 1), stroke))
    return np.array(points), pieces


def load_skeletons() -> Skeletons:
    """The paths of `PATHS` as arrays."""
    return _tabulate(
        [(digit, float(weight), path) for digit, paths in PATHS.items() for weight, path in paths]
    )


def load_signs() -> Skeletons:
    """The paths of `signs.SIGNS` as arrays."""
    return _tabulate([(sign, 1.0, path) for sign, paths in SIGNS.items() for path in paths])


def load_marks() -> Skeletons:
    """The paths of `mark_paths.MARKS` as arrays."""
    return _tabulate([(mark, 1.0, path) for mark, paths in MARKS.items() for path in paths])


def _tabulate(rows: Sequence[tuple[int | str, float, str]]) -> Skeletons:
    parsed = [_parse(path) for _, _, path in rows]
    n = len(rows)
    most_points = max(len(points) for points, _ in parsed)
    most_pieces = max(len(pieces) for _, pieces in parsed)
    skeletons = Skeletons(
        points=np.zeros((n, most_points, 2), np.float32),
        pieces=np.zeros((n, most_pieces, 4), np.int32),
        kinds=np.zeros((n, most_pieces, 2), np.int32),
        stroke=np.zeros((n, most_pieces), np.int32),
        mask=np.zeros((n, most_pieces), bool),
        label=np.array([name if isinstance(name, int) else NOT_A_DIGIT for name, *_ in rows], np.int32),
        weight=np.array([weight for _, weight, _ in rows], np.float32),
    )
    for row, (points, pieces) in enumerate(parsed):
        table = np.array(pieces)
        skeletons.points[row, : len(points)] = points
        skeletons.pieces[row, : len(pieces)] = table[:, :4]
        skeletons.kinds[row, : len(pieces)] = table[:, 4:6]
        skeletons.stroke[row, : len(pieces)] = table[:, 6]
        skeletons.mask[row, : len(pieces)] = True
    names = np.array([str(name) for name, *_ in rows])
    for name in np.unique(names):
        skeletons.weight[names == name] /= len(np.unique(names)) * skeletons.weight[names == name].sum()
    return skeletons
