"""The short form of `python -m tests.fuzz`: every reader survives some mutations, the same at every run."""

import itertools

import pytest

from tests.fuzz.__main__ import check
from tests.fuzz.mutate import inputs
from tests.fuzz.targets import TARGETS

SHORT = {"pictures": 40, "train": 12, "checkpoint": 12, "unipen": 60, "imported": 60, "arguments": 60}
"""Inputs of the slower readers; the others get 200."""


# Where a damaged checkpoint is given up, tensorstore may still answer when Orbax's event loop is closed.
@pytest.mark.filterwarnings("ignore:Exception ignored in. None:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_raises_nothing_but_its_own_errors(name, tmp_path):
    target = TARGETS[name]
    for data in itertools.islice(inputs(target.seeds(), target.tokens, seed=0), SHORT.get(name, 200)):
        check(target, data, tmp_path)


def test_mutations_are_the_same_for_a_seed_and_differ_from_the_seeds():
    seeds = TARGETS["drawings"].seeds()
    first, again, other = (list(itertools.islice(inputs(seeds, (b"x",), seed), 50)) for seed in (1, 1, 2))
    assert first == again != other and first[: len(seeds)] == seeds
    assert sum(data not in seeds for data in first) > 30


def test_a_reader_that_raises_something_else_fails(tmp_path):
    def careless(data, folder):
        raise KeyError(data)

    with pytest.raises(KeyError):
        check(TARGETS["spec"]._replace(read=careless), b"", tmp_path)
