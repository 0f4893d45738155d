"""Ink as a fixed number of straight pieces, so that every drawing has one shape in memory.

Long ink is simplified by Ramer-Douglas-Peucker (Ramer 1972; Douglas and Peucker 1973), by this one
simplifier everywhere.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from digitjax.errors import InputError
from digitjax.strokes import Drawing
from digitjax.types import Segments

MAX_SEGMENTS = 128
"""Straight pieces of ink that a drawing is packed into at most."""
SMALL, WIDE = 2.0**-6, 2.0**20
"""The least and the largest extent of ink that is packed in its own unit."""
LARGEST = 2.0**500
"""A coordinate up to which differences of two cannot overflow."""
FEW = 8
"""Strokes that are packed one by one at most."""


def pack(strokes: Sequence[Float[np.ndarray, "_ 2"]], max_segments: int = MAX_SEGMENTS) -> Segments:
    """Ink as a fixed number of straight pieces; the one simplifier of the project.

    Repeated points are dropped; a stroke of a single place is a dot, a piece with equal ends. Ink of
    more than `max_segments` pieces is simplified by Ramer-Douglas-Peucker, one tolerance for all
    strokes, the smallest that fits. Of more than `max_segments` strokes, those with the longest boxes
    stay. The box's corner of lowest x and y moves to (0, 0), in float64, before the cast to float32;
    the unit stays the source's, except that an extent outside 2**-6 to 2**20 is brought by a power of
    two to 128-256, so that nothing later can overflow.

    Args:
        strokes: (x, y) points of each stroke, any unit, y down.
        max_segments: rows of the result.

    Returns:
        `ends` float32 [max_segments, 4] and `mask` bool [max_segments]; no ink gives a mask of False.

    Raises:
        InputError: a coordinate is not finite.
        ValueError: a stroke is no [n, 2].
    """
    pieces = _as_written(strokes, max_segments)
    if pieces is None:
        pieces = straight(strokes, max_segments).ends
    ends = np.zeros((max_segments, 4), np.float32)
    mask = np.zeros(max_segments, bool)
    ends[: len(pieces)], mask[: len(pieces)] = pieces, True
    return Segments(ends, mask)


def _as_written(
    strokes: Sequence[Float[np.ndarray, "_ 2"]], max_segments: int
) -> Float[np.ndarray, "pieces 4"] | None:
    """`straight` of a few strokes of which every point stays, in half of its time; None of all other ink."""
    lengths = [len(stroke) for stroke in strokes]
    count = sum(lengths) - len(lengths)
    if not (0 < len(lengths) <= FEW and min(lengths) > 1 and count <= max_segments):
        return None
    ends = np.empty((count, 4))
    at = 0
    for stroke, length in zip(map(np.asarray, strokes), lengths, strict=True):
        if stroke.shape != (length, 2):
            return None
        to = at + length - 1
        ends[at:to, :2], ends[at:to, 2:] = stroke[:-1], stroke[1:]
        at = to
    low, high = _corners(ends.reshape(-1, 2))
    sound = all(-LARGEST <= side <= LARGEST for side in (*low, *high))
    if not (sound and SMALL <= max(high[0] - low[0], high[1] - low[1]) <= WIDE):
        return None
    ends -= (*low, *low)
    places = ends.view(np.complex128)
    return None if (places[:, 0] == places[:, 1]).any() else ends


class Pieces(NamedTuple):
    """Straight pieces in the order of writing, as many as there are.

    Attributes:
        ends: x0, y0, x1, y1 of each; the lowest x and y of the ink are 0.
        stroke: index of the stroke that each is of.
    """

    ends: Float[np.ndarray, "pieces 4"]
    stroke: Int[np.ndarray, " pieces"]


def straight(strokes: Sequence[Float[np.ndarray, "_ 2"]], max_segments: int) -> Pieces:
    """What `pack` packs, in float64 and without padding.

    Args:
        strokes: as for `pack`.
        max_segments: pieces at most.

    Raises:
        InputError: a coordinate is not finite.
        ValueError: a stroke is no [n, 2].
    """
    points, begin, end, owner = _pieces_of(strokes, max_segments)
    return Pieces(np.concatenate([points[begin], points[end]], axis=1), owner[begin])


def _pieces_of(
    strokes: Sequence[Float[np.ndarray, "_ 2"]], max_segments: int
) -> tuple[
    Float[np.ndarray, "kept 2"],
    Int[np.ndarray, " pieces"],
    Int[np.ndarray, " pieces"],
    Int[np.ndarray, " kept"],
]:
    """The points that stay, where each straight piece begins and ends among them, and each point's stroke."""
    points, first, last, owner, _ = _stay(strokes, max_segments)
    (begin,) = (~last | first).nonzero()
    return points, begin, begin + ~last[begin], owner


def _edges(
    owner: Int[np.ndarray, " points"],
) -> tuple[Bool[np.ndarray, " points"], Bool[np.ndarray, " points"]]:
    """Which points are the first and the last of their stroke."""
    edge = np.ones(len(owner) + 1, bool)
    np.not_equal(owner[1:], owner[:-1], out=edge[1:-1])
    return edge[:-1], edge[1:]


def simplify(
    strokes: Sequence[Float[np.ndarray, "_ 2"]], max_segments: int
) -> list[Float[np.ndarray, "_ 2"]]:
    """Some points of each stroke, so that it has few straight pieces; what stays depends on no other stroke.

    Args:
        strokes: as for `pack`.
        max_segments: pieces of a stroke at most.

    Raises:
        InputError: a coordinate is not finite.
        ValueError: a stroke is no [n, 2].
    """
    *_, owner, place = _stay(strokes, max_segments, each=True)
    if not len(owner):
        return list(strokes)
    kept = np.concatenate(strokes)[place]
    edges = np.searchsorted(owner, np.arange(len(strokes) + 1)).tolist()
    return [kept[begin:end] for begin, end in itertools.pairwise(edges)]


class _Kept(NamedTuple):
    """The points that stay.

    Attributes:
        points: in a comfortable unit.
        first: which begin a stroke.
        last: which end one.
        owner: the stroke of each.
        place: of each among all points.
    """

    points: Float[np.ndarray, "kept 2"]
    first: Bool[np.ndarray, " kept"]
    last: Bool[np.ndarray, " kept"]
    owner: Int[np.ndarray, " kept"]
    place: Int[np.ndarray, " kept"]

    def where(self, stays: Bool[np.ndarray, " kept"]) -> "_Kept":
        owner = self.owner[stays]
        return _Kept(self.points[stays], *_edges(owner), owner, self.place[stays])


def _stay(strokes: Sequence[Float[np.ndarray, "_ 2"]], max_segments: int, *, each: bool = False) -> _Kept:
    lengths = [len(stroke) for stroke in strokes]
    owner = np.repeat(np.arange(len(strokes)), lengths)
    place = np.arange(len(owner))
    if not len(owner):
        return _Kept(np.zeros((0, 2)), *_edges(owner), owner, place)
    shapes = [np.shape(stroke) for stroke in strokes]
    if wrong := [shape for shape in shapes if shape[1:] != (2,)]:
        raise ValueError(f"a stroke has shape {list(wrong[0])}: give a list of strokes, [n, 2], x and y each")
    points = _comfortable(np.concatenate(strokes).astype(np.float64, copy=False))
    kept = _Kept(points, *_edges(owner), owner, place)
    fresh = kept.first.copy()
    moved = points[1:] != points[:-1]
    fresh[1:] |= moved[:, 0] | moved[:, 1]
    if not fresh.all():
        kept = kept.where(fresh)
    if len(kept.owner) <= max_segments:  # there are no more pieces than points
        return kept
    if not each and kept.first.sum() > max_segments:
        kept = kept.where(_longest(kept.points, kept.first, max_segments))
    pools = kept.first if each else np.arange(len(kept.owner)) == 0
    over = _pieces(kept.first, kept.last, pools) > max_segments
    if over.any():
        stays = _simplify(kept.points, kept.first, pools, max_segments) | ~over[np.cumsum(pools) - 1]
        kept = kept.where(stays)
    return kept


def pack_all(drawings: Iterable[Drawing], max_segments: int = MAX_SEGMENTS) -> Segments:
    """`pack` of every drawing: `ends` float32 [n, max_segments, 4] and `mask` bool [n, max_segments]."""
    return stack([pack(drawing.strokes, max_segments) for drawing in drawings], max_segments)


def stack(packed: Sequence[Segments], max_segments: int = MAX_SEGMENTS) -> Segments:
    """What `pack` made of several drawings as one, with a leading batch axis; of none, too."""
    if not packed:
        return Segments(np.zeros((0, max_segments, 4), np.float32), np.zeros((0, max_segments), bool))
    return Segments(np.stack([p.ends for p in packed]), np.stack([p.mask for p in packed]))


def _comfortable(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
    low, high = _corners(points)
    largest = max(map(abs, (*low, *high)))
    if not all(map(math.isfinite, (*low, *high))):
        raise InputError("a coordinate of the ink is not finite: give finite numbers")
    if largest > LARGEST:
        points = np.ldexp(points, -600)
        low, high = _corners(points)
    points = points - low
    extent = max(high[0] - low[0], high[1] - low[1])
    if extent and not SMALL <= extent <= WIDE:
        points = np.ldexp(points, 8 - math.frexp(extent)[1])
    return points


def _corners(points: Float[np.ndarray, "points 2"]) -> tuple[list[float], list[float]]:
    """The lowest and the highest x and y; a column at a time, which is faster than along the first axis."""
    columns = points[:, 0], points[:, 1]
    return [float(one.min()) for one in columns], [float(one.max()) for one in columns]


def _longest(
    points: Float[np.ndarray, "points 2"], first: Bool[np.ndarray, " points"], count: int
) -> Bool[np.ndarray, " points"]:
    """The points of the strokes with the longest boxes."""
    starts = np.flatnonzero(first)
    extent = (np.maximum.reduceat(points, starts) - np.minimum.reduceat(points, starts)).max(1)
    chosen = np.zeros(len(starts), bool)
    chosen[np.argsort(-extent, kind="stable")[:count]] = True
    return chosen[np.cumsum(first) - 1]


def _pieces(
    first: Bool[np.ndarray, " points"], last: Bool[np.ndarray, " points"], pools: Bool[np.ndarray, " points"]
) -> Int[np.ndarray, " pools"]:
    """Straight pieces of each pool of strokes; `pools` marks where one begins."""
    return np.add.reduceat((~last | first).astype(np.int64), np.flatnonzero(pools))


def _simplify(
    points: Float[np.ndarray, "points 2"],
    first: Bool[np.ndarray, " points"],
    pools: Bool[np.ndarray, " points"],
    max_segments: int,
) -> Bool[np.ndarray, " points"]:
    """Ramer-Douglas-Peucker for every tolerance at once, level by level, of each pool of strokes.

    A point's significance is the largest tolerance at which it stays: its distance from the chord
    that it splits, but never more than that of the point which made the chord. Keeping a pool's most
    significant ones is the recursion at the smallest tolerance that fits. Chords whose points can no
    longer be among them are left unsplit, so there are at most `max_segments` levels.
    """
    points = _on_grid(points, pools)
    starts = np.flatnonzero(first)
    stops = np.append(starts[1:], len(points)) - 1
    kept = np.zeros(len(points), bool)
    kept[starts] = kept[stops] = True
    pool = np.cumsum(pools) - 1
    room = max_segments - np.add.reduceat(first.astype(np.int64), np.flatnonzero(pools))
    found, worth = np.zeros(0, np.intp), np.zeros(0)
    left, right, cap = starts, stops, np.full(len(starts), np.inf)
    cutoff = np.where(room > 0, 0.0, np.inf)
    while True:
        open_ = (right - left > 1) & (cap > cutoff[pool[left]])
        left, right, cap = left[open_], right[open_], cap[open_]
        if not len(left):
            break
        middle, distance = _farthest(points, left, right)
        value = np.minimum(distance, cap)
        found, worth = np.concatenate([found, middle]), np.concatenate([worth, value])
        if (np.bincount(pool[found], minlength=len(room)) >= room).any():
            best = np.lexsort((-worth, pool[found]))
            owner = pool[found[best]]
            rank = np.arange(len(best)) - np.searchsorted(owner, owner)
            fits = rank < room[owner]
            best, rank, owner = best[fits], rank[fits], owner[fits]
            found, worth = found[best], worth[best]
            full = rank == room[owner] - 1
            cutoff[owner[full]] = worth[full]
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        cap = np.concatenate([value, value])
    kept[found[worth > 0]] = True
    return kept


def _on_grid(
    points: Float[np.ndarray, "points 2"], pools: Bool[np.ndarray, " points"]
) -> Float[np.ndarray, "points 2"]:
    """Whole numbers up to 2^24: moved or resized ink has the same ones, so near-ties fall alike."""
    starts, pool = np.flatnonzero(pools), np.cumsum(pools) - 1
    low = np.minimum.reduceat(points, starts)
    extent = (np.maximum.reduceat(points, starts) - low).max(axis=1)
    times = 2.0**24 / np.where(extent > 0, extent, 1.0)
    return np.round((points - low[pool]) * times[pool, None])


def _farthest(
    points: Float[np.ndarray, "points 2"], left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Index and squared distance of the point farthest from the chord of each left and right."""
    plane = points.view(np.complex128)[:, 0]
    inner = right - left - 1
    offset = np.cumsum(inner) - inner
    chord = np.repeat(np.arange(len(left)), inner)
    index = np.arange(len(chord)) + np.repeat(left + 1 - offset, inner)
    direction = plane[right] - plane[left]
    length = np.abs(direction)
    turn = np.where(length > 0, direction.conj() / np.where(length > 0, length, 1.0), 1.0)
    turned = (plane[index] - np.repeat(plane[left], inner)) * np.repeat(turn, inner)
    beyond = np.maximum(turned.real - np.repeat(length, inner), np.maximum(-turned.real, 0.0))
    distance = turned.imag**2 + beyond**2
    most = np.maximum.reduceat(distance, offset)
    candidates = np.flatnonzero(distance == np.repeat(most, inner))
    return index[candidates[np.searchsorted(chord[candidates], np.arange(len(left)))]], most
