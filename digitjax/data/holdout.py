"""A random hold-out split of drawings into two files, by a seed: for networks of somebody's own hand.

`digitjax.data.splits` keeps a writer's drawings together, since a network has to read hands that it never
saw. Who trains on their own drawings alone asks how well that hand is read, so here every hand is in both
files, and the writers are left out of them: within a file, ink alone decides what is validated on.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from digitjax.errors import InputError, counted
from digitjax.strokes import read_drawings, write_drawings

SIZES = (800, 200)
"""Drawings of the two files, unless others are asked for."""
NAMES = ("train.ndjson.gz", "test.ndjson.gz")
"""Names of the two files."""
PART = ".split.part"
"""Where both are written before either has its name."""


def deal(count: int, sizes: Sequence[int], seed: int) -> list[Int[np.ndarray, " _"]]:
    """Random parts without a common member: sorted indices below `count`, as many as each size says."""
    order = np.random.default_rng(seed).permutation(count)
    return [np.sort(part) for part in np.split(order, np.cumsum(sizes))[: len(sizes)]]


def hold_out(
    path: Path, out: Path, *, source: str | None = None, sizes: tuple[int, int] = SIZES, seed: int = 0
) -> tuple[Path, Path]:
    """Writes the two files of a split; unlabelled drawings are in neither.

    Args:
        path: drawings, NDJSON, plain or gzip.
        out: folder of the two files; made where it is not there.
        source: takes only drawings that name this source.
        sizes: drawings to train on, and held out.
        seed: of the permutation; the same drawings and seed give the same files.

    Returns:
        The file to train on and the one held out, named by `NAMES`.

    Raises:
        InputError: there are too few drawings, none of that source, or a file is already there.
    """
    if min(sizes) < 1:
        raise InputError(f"--sizes {sizes[0]} {sizes[1]} is out of range: give two numbers above 0")
    if seed < 0:
        raise InputError(f"--seed {seed} is out of range: give 0 or more")
    targets = out / NAMES[0], out / NAMES[1]
    for target in targets:
        if target.exists():
            raise InputError(f"{target} is already there: give another --out, or remove it")
    drawings, sources = [], set()
    for drawing in read_drawings(path):
        sources.add(drawing.source or "")
        if drawing.word is not None and source in (None, drawing.source):
            drawings.append(drawing._replace(source=None, writer=None))
    if source is not None and source not in sources:
        known = ", ".join(sorted(sources - {""})[:20])
        hint = f"give one of {known}" if known else "none names its source, leave --source out"
        raise InputError(f"{path} has no drawing of --source {source}: {hint}")
    if len(drawings) < sum(sizes):
        raise InputError(
            f"{path} has {counted(len(drawings), 'labelled drawing')}{f' of {source}' if source else ''}, "
            f"--sizes {sizes[0]} {sizes[1]} asks for {sum(sizes)}: give smaller ones"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be made ({error.strerror}): give a folder that can be written to"
        ) from error
    written = out / PART
    try:
        shutil.rmtree(written, ignore_errors=True)  # of one that was killed
        written.mkdir()
        for target, part in zip(targets, deal(len(drawings), sizes, seed), strict=True):
            write_drawings(written / target.name, (drawings[index] for index in part))
        for target in targets:
            os.replace(written / target.name, target)
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return targets
