"""Fits `grouping.WEIGHTS`: `python -m digitjax.bench.fit_grouping FILE.ndjson ... [--checkpoint C]`.

Composes numbers of training and validation writers of each file, with gaps and touching, and maximises the
likelihood of their true groups among all ways of sharing out the strokes (Sarawagi and Cohen, NIPS 2004).
Prints the weights; takes about half a minute a file.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize

from digitjax import cli
from digitjax.commands.arguments import Parser, add_checkpoint, load_named
from digitjax.data.numbers import GAPS, LENGTH, compose_all, hands_of
from digitjax.errors import InputError
from digitjax.grouping import Weights, find_groups, score
from digitjax.numbers import make_reader, read_groups
from digitjax.strokes import Drawing, read_drawings
from digitjax.types import Logits, Segments

SPLITS = ("train", "validation")
"""Whose writers the weights are fitted to."""
COUNT = 300
"""Numbers of each file, split and way of standing."""
RIDGE = 1e-4
"""Weight of the sum of squares, which keeps a weight small that nothing speaks for."""


class Lattice(NamedTuple):
    """The groups of one number.

    Attributes:
        start: place of each group's first stroke.
        stop: place behind its last one.
        qualities: what each weight is multiplied by.
        true: which groups are digits; they cover all strokes.
    """

    start: Int[np.ndarray, " groups"]
    stop: Int[np.ndarray, " groups"]
    qualities: Float[np.ndarray, "groups weights"]
    true: Bool[np.ndarray, " groups"]


def lattice(read: Callable[[Segments], Logits], number: Drawing) -> Lattice | None:
    """The groups of a composed number; None where a digit is not among them."""
    groups, log_p, is_digit = read_groups(read, number.strokes)
    columns = []
    for unit in np.eye(len(Weights._fields)).tolist():
        weights = Weights(*unit)  # the score is linear in the weights
        columns.append(score(find_groups(number.strokes, weights), log_p, is_digit, weights))
    places = np.array(number.digit_of)
    digits = {tuple(np.flatnonzero(places == place).tolist()) for place in range(places.max() + 1)}
    true = np.array([groups.strokes(group) in digits for group in range(len(groups.start))])
    if (groups.stop - groups.start)[true].sum() != len(places):
        return None
    return Lattice(groups.start, groups.stop, np.stack(columns, axis=1), true)


def surprise(
    start: Int[np.ndarray, " groups"], stop: Int[np.ndarray, " groups"], scores: Float[np.ndarray, " groups"]
) -> tuple[float, Float[np.ndarray, " groups"]]:
    """Logarithm of the sum over all ways of covering the strokes, and the probability of each group."""
    count = int(stop.max())
    before, after = np.full(count + 1, -np.inf), np.full(count + 1, -np.inf)
    before[0] = after[count] = 0.0
    rows = list(zip(start.tolist(), stop.tolist(), scores.tolist(), strict=True))
    for first, behind, worth in sorted(rows):
        before[behind] = np.logaddexp(before[behind], before[first] + worth)
    for first, behind, worth in sorted(rows, reverse=True):
        after[first] = np.logaddexp(after[first], worth + after[behind])
    return float(before[count]), np.exp(before[start] + scores + after[stop] - before[count])


def loss(
    weights: Float[np.ndarray, " weights"], lattices: Sequence[Lattice]
) -> tuple[float, Float[np.ndarray, " weights"]]:
    """Mean negative log-likelihood of the true groups, the ridge added, and its gradient."""
    total, slope = 0.0, np.zeros(len(weights))
    for one in lattices:
        scores = one.qualities @ weights
        every, chance = surprise(one.start, one.stop, scores)
        total += every - scores[one.true].sum()
        slope += chance @ one.qualities - one.qualities[one.true].sum(axis=0)
    count = max(len(lattices), 1)
    return total / count + RIDGE * float(weights @ weights), slope / count + 2 * RIDGE * weights


def fit(lattices: Sequence[Lattice]) -> Weights:
    """The likeliest weights."""
    found = minimize(loss, np.zeros(len(Weights._fields)), (lattices,), jac=True, method="L-BFGS-B")
    return Weights(*found.x.tolist())


def compose_for(files: Iterable[str], count: int = COUNT) -> list[Drawing]:
    """Numbers of the training and validation writers of each file.

    Raises:
        InputError: a file is missing or refused, or nobody in it drew enough digits.
    """
    numbers = []
    for file in files:
        for split in SPLITS:
            hands = hands_of(read_drawings(file), split)
            if any(len(hand.digits) >= LENGTH for hand in hands):
                for gaps in GAPS.values():
                    numbers += compose_all(hands, gaps, count=count)
    if not numbers:
        raise InputError(f"nobody drew {LENGTH} digits: give files of more drawings")
    return numbers


def _main() -> int:
    parser = Parser(prog="python -m digitjax.bench.fit_grouping", description=__doc__ or "")
    parser.add_argument("files", nargs="+", metavar="FILE", help="drawings of digits by several people")
    add_checkpoint(parser)
    arguments = parser.parse(sys.argv[1:])
    numbers = compose_for(arguments.files)
    loaded = load_named(arguments.checkpoint)
    read = functools.partial(make_reader(loaded.model), loaded.params)
    found = [one for one in (lattice(read, number) for number in numbers) if one is not None]
    print(f"{len(found)} of {len(numbers)} numbers have all digits among their groups", file=sys.stderr)
    print(", ".join(f"{name}={value:.2f}" for name, value in fit(found)._asdict().items()))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(_main))
