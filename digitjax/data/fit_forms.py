"""Fits the statistics in `forms.npz`: `python -m digitjax.data.fit_forms FILE.ndjson ... [--out forms.npz]`.

The training writers' digits are sorted by digit and number of strokes, each stroke is resampled to points
at equal distances, and k-means finds the ways of writing. Of each way the mean, the principal directions in
which hands differ and their standard deviations are kept, and nothing of any single drawing: a way has at
least `FEWEST` drawings, before its outliers are left out, of at least `WRITERS` writers.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from sklearn.cluster import KMeans

from digitjax.data.drawings import digest_of, writer_of
from digitjax.data.forms import DIRECTIONS, FORMS, POINTS, STROKES
from digitjax.data.labels import DIGITS
from digitjax.data.splits import in_split
from digitjax.strokes import Drawing, read_drawings

FEWEST = 24
"""Drawings of a way of writing at least, outliers included; rarer ones are left to `skeletons.py`."""
WRITERS = 4
"""Writers of a way of writing at least."""
DRAWINGS_A_FORM = 60
"""Drawings for which another way of writing is looked for."""
MOST_FORMS = 14
"""Ways of writing a digit with a number of strokes at most."""
OUTLIERS = 0.04
"""Fraction of each way's drawings, the farthest from its mean, left out: many are labelled or cut wrongly."""


def resample(stroke: Float[np.ndarray, "n 2"], count: int) -> Float[np.ndarray, "count 2"]:
    """`count` points at equal distances along a stroke."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    if length[-1] == 0:
        return np.repeat(stroke[:1], count, axis=0)
    at = np.linspace(0.0, length[-1], count)
    return np.stack([np.interp(at, length, stroke[:, axis]) for axis in (0, 1)], axis=1)


def normalised(drawing: Drawing) -> Float[np.ndarray, "strokes points 2"]:
    """A drawing about the middle of its box, whose longest side is 1, every stroke as `POINTS` points."""
    strokes = np.stack([resample(np.asarray(stroke, float), POINTS) for stroke in drawing.strokes])
    low, high = strokes.min(axis=(0, 1)), strokes.max(axis=(0, 1))
    return (strokes - (low + high) / 2) / max((high - low).max(), 1e-9)


def find_forms(
    ink: Float[np.ndarray, "n strokes points 2"], writers: Sequence[str | None]
) -> list[
    tuple[int, Float[np.ndarray, "strokes points 2"], Float[np.ndarray, "directions strokes points 2"]]
]:
    """The ways in which drawings of one digit with one number of strokes are written.

    Returns:
        Of each: how many drawings, the mean, and the principal directions times their standard deviations.
    """
    flat = ink.reshape(len(ink), -1)
    count = int(np.clip(len(ink) // DRAWINGS_A_FORM, 1, MOST_FORMS))
    which = KMeans(count, random_state=0).fit_predict(flat)
    found = []
    for form in range(count):
        mine = np.flatnonzero(which == form)
        if len(mine) < FEWEST:
            continue
        distance = np.linalg.norm(flat[mine] - flat[mine].mean(axis=0), axis=1)
        mine = mine[distance <= np.quantile(distance, 1 - OUTLIERS)]
        if len({writers[i] for i in mine}) < WRITERS:
            continue
        mean = flat[mine].mean(axis=0)
        _, size, rows = np.linalg.svd(flat[mine] - mean, full_matrices=False)
        spread = rows[:DIRECTIONS] * (size[:DIRECTIONS, None] / np.sqrt(len(mine) - 1))
        found.append((len(mine), mean.reshape(ink.shape[1:]), spread.reshape(-1, *ink.shape[1:])))
    return found


def fit(drawings: Sequence[Drawing]) -> dict[str, np.ndarray]:
    """The arrays of `forms.Forms` from people's drawings, float16 where they are real."""
    groups: dict[tuple[int, int], list[Drawing]] = defaultdict(list)
    for drawing in drawings:
        if drawing.word in DIGITS and len(drawing.strokes) <= STROKES:
            groups[DIGITS.index(drawing.word), len(drawing.strokes)].append(drawing)
    rows = []
    for (digit, strokes), members in sorted(groups.items()):
        ink = np.stack([normalised(drawing) for drawing in members])
        writers = [writer_of(drawing) for drawing in members]
        rows += [(digit, strokes, *form) for form in find_forms(ink, writers)] if len(ink) >= FEWEST else []
    shape = (len(rows), STROKES, POINTS, 2)
    mean, spread = np.zeros(shape), np.zeros((len(rows), DIRECTIONS, *shape[1:]))
    for row, (_, strokes, _, middle, directions) in enumerate(rows):
        mean[row, :strokes] = middle
        spread[row, : len(directions), :strokes] = directions
    return {
        "digit": np.array([row[0] for row in rows], np.int8),
        "strokes": np.array([row[1] for row in rows], np.int8),
        "count": np.array([row[2] for row in rows], np.int32),
        "mean": mean.astype(np.float16),
        "spread": spread.astype(np.float16),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Fits the statistics to the training writers of the files and writes them."""
    parser = argparse.ArgumentParser(description="Fits the statistics of people's strokes.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, default=FORMS)
    arguments = parser.parse_args(argv)
    drawings = [
        drawing
        for file in arguments.files
        for drawing in read_drawings(file)
        if in_split(digest_of(drawing), "train")
    ]
    arrays = fit(drawings)
    with arguments.out.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    print(
        f"{len(arrays['digit'])} ways of writing from {len(drawings)} drawings: {arguments.out}",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
