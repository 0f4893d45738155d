"""Fits how groups are scored: `python -m digitjax.bench.fit_grouping FILE.ndjson ... [--checkpoint C]`.

Composes numbers of each file's training writers and maximises the likelihood of their true groups among all
ways of sharing out the strokes (Sarawagi and Cohen, NIPS 2004). So that the weights learn how people write
and not how the composer measures, a third of the numbers overlap by more than those that are measured, and in
a tenth of all the digits are written in any order. First for all groups by their boxes alone; then, for the
groups that this leaves, by what is read in them, too. Prints the weights; takes a few minutes.
"""

import functools
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize

from digitjax import cli
from digitjax.commands.arguments import Parser, add_checkpoint, load_named
from digitjax.data.numbers import GAPS, KEY, compose_all, hands_of
from digitjax.errors import InputError
from digitjax.grouping import BY_BOXES, Groups, Scores, Weights, find_groups, qualities
from digitjax.numbers import NOTHING, make_reader, read_groups
from digitjax.strokes import Drawing, read_drawings
from digitjax.types import Logits, Segments

SPLIT = "train"
"""Whose writers the weights are fitted to; which qualities there are was chosen by validation writers."""
COUNT = 1000
"""Numbers of each file, way of standing and length."""
LENGTHS = (1, 3, 6)
"""Digits of the numbers."""
WIDER = (-0.35, 0.6)
"""Gaps of the third way of standing, beside `GAPS`."""
ANY_ORDER = 0.1
"""Part of the numbers whose digits are written in any order."""
RIDGE = 1e-5
"""Weight of the sum of squares, which keeps a weight small that nothing speaks for."""


class Lattice(NamedTuple):
    """All ways of sharing out one number's strokes.

    Attributes:
        groups: the candidates and which of them may be neighbours.
        own: what each weight is multiplied by, of each group.
        beside: the same of each pair.
        true: which groups are digits; they cover all strokes.
    """

    groups: Groups
    own: Float[np.ndarray, "groups weights"]
    beside: Float[np.ndarray, "pairs weights"]
    true: Bool[np.ndarray, " groups"]

    def score(self, vector: Float[np.ndarray, " weights"]) -> Scores:
        """As `grouping.score` with other weights."""
        return Scores(self.own @ vector, self.beside @ vector)


def lattice(
    read: Callable[[Segments], Logits], number: Drawing, by_boxes: Weights = BY_BOXES
) -> Lattice | None:
    """That of a composed number; None where a digit is not among the groups that `by_boxes` leave."""
    groups = find_groups(number.strokes, by_boxes=by_boxes)
    log_p, is_digit, _ = read_groups(read, number.strokes, groups, NOTHING)
    return _lattice(groups, qualities(groups, log_p, is_digit), number)


def unread(number: Drawing) -> Lattice | None:
    """That of all groups there are, by their boxes alone: neither read nor asked when they were written."""
    groups = find_groups(number.strokes, margin=math.inf)
    own, beside = qualities(groups, None, None)
    own[:, Weights._fields.index("late")] = 0.0
    return _lattice(groups, (own, beside), number)


def _lattice(groups: Groups, found: tuple[np.ndarray, np.ndarray], number: Drawing) -> Lattice | None:
    places = np.array(number.digit_of)
    digits = {tuple(np.flatnonzero(places == place).tolist()) for place in range(places.max() + 1)}
    true = np.array([groups.strokes(group) in digits for group in range(len(groups.start))])
    if (groups.stop - groups.start)[true].sum() != len(places):
        return None
    return Lattice(groups, *found, true)


def surprise(
    groups: Groups, scores: Scores
) -> tuple[float, Float[np.ndarray, " groups"], Float[np.ndarray, " pairs"]]:
    """Logarithm of the sum over all ways of covering the strokes; the probability of each group and pair."""
    first, last = groups.start == 0, groups.stop == len(groups.order)
    worth = scores.groups.tolist()
    begun = np.where(first, scores.groups, -np.inf).tolist()
    ahead = np.where(last, 0.0, -np.inf).tolist()
    pairs = list(zip(groups.before.tolist(), groups.after.tolist(), scores.pairs.tolist(), strict=True))
    for before, after, beside in pairs:
        begun[after] = np.logaddexp(begun[after], begun[before] + beside + worth[after])
    for before, after, beside in reversed(pairs):
        ahead[before] = np.logaddexp(ahead[before], beside + worth[after] + ahead[after])
    begun, ahead = np.array(begun), np.array(ahead)
    every = np.logaddexp.reduce(begun[last])
    both = begun[groups.before] + scores.pairs + (scores.groups + ahead)[groups.after]
    return float(every), np.exp(begun + ahead - every), np.exp(both - every)


def loss(
    vector: Float[np.ndarray, " weights"], lattices: Sequence[Lattice]
) -> tuple[float, Float[np.ndarray, " weights"]]:
    """Mean negative log-likelihood of the true groups, the ridge added, and its gradient."""
    total, slope = 0.0, np.zeros(len(vector))
    for one in lattices:
        if one.true.all():  # there is no other way
            continue
        scores = one.score(vector)
        side = one.true[one.groups.before] & one.true[one.groups.after]
        every, chance, chance_beside = surprise(one.groups, scores)
        total += every - scores.groups[one.true].sum() - scores.pairs[side].sum()
        slope += (chance - one.true) @ one.own + (chance_beside - side) @ one.beside
    count = max(len(lattices), 1)
    return total / count + RIDGE * float(vector @ vector), slope / count + 2 * RIDGE * vector


def fit(lattices: Sequence[Lattice]) -> Weights:
    """The likeliest weights."""
    size = len(Weights._fields) - 2
    found = minimize(loss, np.zeros(size + 20), (lattices,), jac=True, method="L-BFGS-B").x.tolist()
    alone = dict(zip(Weights._fields, found[:size], strict=False))
    return Weights(**alone, digit=tuple(found[size : size + 10]), strokes=tuple(found[size + 10 :]))


def compose_for(files: Iterable[str], count: int = COUNT) -> list[Drawing]:
    """Numbers of the training writers of each file.

    Raises:
        InputError: a file is missing or refused, or nobody in it drew enough digits.
    """
    rng, numbers = np.random.default_rng(KEY), []
    for file in files:
        hands = hands_of(read_drawings(file), SPLIT)
        if any(len(hand.digits) >= max(LENGTHS) for hand in hands):
            for gaps, length in itertools.product((*GAPS.values(), WIDER), LENGTHS):
                for number in compose_all(hands, gaps, count=count, length=length):
                    numbers.append(in_any_order(number, rng) if rng.random() < ANY_ORDER else number)
    if not numbers:
        raise InputError(f"nobody drew {max(LENGTHS)} digits: give files of more drawings")
    return numbers


def in_any_order(number: Drawing, rng: np.random.Generator) -> Drawing:
    """The same number with its digits, each at once, written in any order."""
    places = np.array(number.digit_of)
    order = np.argsort(rng.permutation(places.max() + 1)[places], kind="stable").tolist()
    strokes = tuple(number.strokes[stroke] for stroke in order)
    return number._replace(strokes=strokes, digit_of=tuple(places[order].tolist()))


def as_code(weights: Weights) -> str:
    """Weights as they stand in `grouping.py`."""
    each = ", ".join(f"{name}={value:.2f}" for name, value in list(weights._asdict().items())[:-2])
    lists = (
        f"{name}=({', '.join(f'{value:.2f}' for value in values)})"
        for name, values in (("digit", weights.digit), ("strokes", weights.strokes))
    )
    return f"Weights({each}, {', '.join(lists)})"


def _known(lattices: Iterable[Lattice | None]) -> list[Lattice]:
    """Those of the numbers whose digits are all among their groups; says how many they are."""
    every = list(lattices)
    found = [one for one in every if one is not None]
    print(f"{len(found)} of {len(every)} numbers have all digits among their groups", file=sys.stderr)
    return found


def _main() -> int:
    parser = Parser(prog="python -m digitjax.bench.fit_grouping", description=__doc__ or "")
    parser.add_argument("files", nargs="+", metavar="FILE", help="drawings of digits by several people")
    add_checkpoint(parser)
    arguments = parser.parse(sys.argv[1:])
    numbers = compose_for(arguments.files)
    loaded = load_named(arguments.checkpoint)
    read = functools.partial(make_reader(loaded.model), loaded.params)
    by_boxes = fit(_known(unread(number) for number in numbers))
    print("BY_BOXES =", as_code(by_boxes), flush=True)
    print("WEIGHTS =", as_code(fit(_known(lattice(read, number, by_boxes) for number in numbers))))
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(_main))
