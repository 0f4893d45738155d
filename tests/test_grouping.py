"""Strokes are shared out as brute force does it, wherever the line stands and however large it is."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitjax.arrangement import MAX_STROKES, line_height
from digitjax.bench import fit_grouping
from digitjax.grouping import (
    BY_BOXES,
    MARGIN,
    WEIGHTS,
    Groups,
    Scores,
    choose,
    find_groups,
    qualities,
    score,
)
from digitjax.strokes import Drawing

BAR = np.array([[0.0, 0.0], [30.0, 0.0]])
ONE = np.array([[15.0, 0.0], [15.0, 100.0]])


def moved(stroke: np.ndarray, x: float, y: float = 0.0) -> np.ndarray:
    return stroke + np.array((x, y))


def runs_of(groups: Groups) -> set[tuple[int, ...]]:
    return {groups.strokes(group) for group in range(len(groups.start))}


def sides_of(groups: Groups) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    pairs = zip(groups.before.tolist(), groups.after.tolist(), strict=True)
    return {(groups.strokes(before), groups.strokes(after)) for before, after in pairs}


def all_ways(groups: Groups, scores: Scores) -> list[tuple[float, list[int], list[int]]]:
    """Every way of cutting the line into groups that there are: its sum, its groups, its pairs."""
    runs = {(int(a), int(b)): i for i, (a, b) in enumerate(zip(groups.start, groups.stop, strict=True))}
    sides = {(int(a), int(b)): i for i, (a, b) in enumerate(zip(groups.before, groups.after, strict=True))}
    count, ways = len(groups.order), []
    for cuts in itertools.product((False, True), repeat=count - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), count]
        pieces = list(itertools.pairwise(edges))
        if all(piece in runs for piece in pieces):
            used = [runs[piece] for piece in pieces]
            pairs = [sides[pair] for pair in itertools.pairwise(used)]
            ways.append((float(scores.groups[used].sum() + scores.pairs[pairs].sum()), used, pairs))
    return ways


def any_scores(random: np.random.Generator, groups: Groups) -> Scores:
    return Scores(random.normal(size=len(groups.start)), random.normal(size=len(groups.before)))


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_best_groups_are_those_of_trying_all(count, seed):
    random = np.random.default_rng(seed)
    strokes = [moved(random.uniform(0, 100, (2, 2)), 40.0 * i) for i in range(count)]
    groups = find_groups(strokes, margin=math.inf)
    scores = any_scores(random, groups)
    chosen = choose(groups, scores)
    assert chosen == max(all_ways(groups, scores))[1]
    covered = [index for group in chosen for index in groups.strokes(group)]
    assert sorted(covered) == list(range(count))
    assert [groups.start[group] for group in chosen[1:]] == [groups.stop[group] for group in chosen[:-1]]


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_groups_to_be_read_are_those_of_the_ways_that_are_nearly_as_good_as_the_best(count, seed):
    random = np.random.default_rng(seed)
    strokes = [moved(random.uniform(0, 100, (2, 2)), 40.0 * i) for i in range(count)]
    every, kept = find_groups(strokes, margin=math.inf), find_groups(strokes)
    ways = all_ways(every, score(every, None, None, BY_BOXES))
    best = max(worth for worth, _, _ in ways)
    near = {group for worth, used, _ in ways if worth >= best - MARGIN for group in used}
    assert runs_of(kept) == {every.strokes(group) for group in near}
    assert sides_of(kept) == {pair for pair in sides_of(every) if set(pair) <= runs_of(kept)}


def test_a_bar_that_comes_last_is_next_to_its_digit():
    line = [ONE, moved(ONE, 80), moved(ONE, 160), moved(BAR, 80, 50)]
    groups = find_groups(line)
    assert (1, 3) in runs_of(groups)
    assert (0, 1) not in runs_of(groups)


def test_far_strokes_are_never_one_group():
    line = [moved(ONE, 70.0 * i) for i in range(6)]
    assert runs_of(find_groups(line)) == {(i,) for i in range(6)}


def test_the_box_of_a_group_is_that_of_its_points():
    line = [ONE, moved(BAR, 0, 50)]
    groups = find_groups(line)
    both = next(group for group in range(len(groups.start)) if groups.strokes(group) == (0, 1))
    np.testing.assert_array_equal(groups.boxes[both], [0, 0, 30, 100])


@given(st.integers(0, 2**32 - 1), st.integers(-500, 500), st.integers(-500, 500), st.integers(-8, 8))
@settings(max_examples=40, deadline=None)
def test_place_and_size_change_nothing(seed, x, y, power):
    random = np.random.default_rng(seed)
    line = [moved(random.integers(0, 64, (5, 2)).astype(float), 40.0 * i) for i in range(7)]
    there = [(stroke + np.array((x, y))) * 2.0**power for stroke in line]
    here, other = find_groups(line), find_groups(there)
    np.testing.assert_array_equal(here.order, other.order)
    np.testing.assert_array_equal(here.start, other.start)
    np.testing.assert_array_equal(here.stop, other.stop)
    np.testing.assert_allclose(here.shape, other.shape, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(here.beside, other.beside, rtol=1e-9, atol=1e-9)


@given(st.permutations(range(6)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_writing_makes_no_other_groups(order):
    random = np.random.default_rng(3)
    line = [moved(random.uniform(0, 64, (5, 2)), 45.0 * i) for i in range(6)]
    here, other = find_groups(line), find_groups([line[i] for i in order])
    there = {tuple(sorted(order[i] for i in run)) for run in runs_of(other)}
    assert there == runs_of(here)


def test_the_line_is_as_high_as_its_high_strokes():
    boxes = np.array([[0, 0, 1, 100], [0, 0, 1, 80], [0, 0, 1, 90], [0, 0, 1, 3]], np.float64)
    assert line_height(boxes) == 90
    assert line_height(np.zeros((3, 4))) > 0


@pytest.mark.parametrize(
    "line",
    [
        [],
        [np.zeros((1, 2))] * 40,
        [np.array([[1e308, -1e308], [-1e308, 1e308]]), np.array([[0.0, 0.0]])],
        [np.full((3, 2), 5e-324), np.zeros((2, 2))],
        [moved(ONE, float(i % 7)) for i in range(2000)],
    ],
    ids=["nothing", "dots", "huge", "tiny", "many"],
)
def test_odd_ink_is_shared_out_too(line):
    groups = find_groups(line)
    assert len(groups.start) <= MAX_STROKES * len(line)
    assert not len(line) or (groups.stop - groups.start).max() <= MAX_STROKES
    nothing = score(groups, np.full((len(groups.start), 10), -np.inf), None)
    assert np.isfinite(nothing.groups).all() and np.isfinite(nothing.pairs).all()
    chosen = choose(groups, nothing)
    assert sorted(i for group in chosen for i in groups.strokes(group)) == list(range(len(line)))
    assert np.isfinite(groups.shape).all() and np.isfinite(groups.boxes).all()


def test_a_sure_digit_is_worth_more_than_a_doubtful_one_and_no_digit_least():
    groups = find_groups([ONE, moved(ONE, 90), moved(ONE, 180)])
    sure, doubtful = np.full(10, -9.0), np.full(10, -2.3)
    sure[1] = 0.0
    found = score(groups, np.stack([sure, doubtful, sure]), np.array([5.0, 5.0, -1e9])).groups
    doubtful[1] = -2.2  # a 1 as well
    assert found[0] > score(groups, np.stack([doubtful] * 3), np.full(3, 5.0)).groups[0]
    assert found[0] > found[2]
    assert np.isfinite(found).all()


def test_digits_that_overlap_less_and_stand_more_evenly_are_likelier_neighbours():
    def beside(x: float, y: float) -> float:
        groups = find_groups([np.concatenate([ONE, BAR]), moved(np.concatenate([ONE, BAR]), x, y)])
        pair = int(np.flatnonzero((groups.start[groups.after] == 1) & (groups.stop[groups.before] == 1))[0])
        return float(score(groups, np.zeros((len(groups.start), 10)), None).pairs[pair])

    assert beside(45, 0) == beside(90, 0) == 0 > beside(20, 0) > beside(8, 0)
    assert beside(45, 0) > beside(45, 20) == pytest.approx(beside(45, -20))


def test_qualities_are_as_many_as_weights():
    groups = find_groups([ONE, moved(BAR, 0, 50), moved(ONE, 30)], margin=math.inf)
    own, beside = qualities(groups, np.log(np.full((len(groups.start), 10), 0.1)), None)
    assert own.shape[1] == beside.shape[1] == len(WEIGHTS.vector()) == len(WEIGHTS._fields) + 18
    assert not beside[:, [*range(11), *range(14, 34)]].any() and not own[:, 11:14].any()


@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_chance_of_a_group_is_that_of_adding_up_all_ways(count, seed):
    random = np.random.default_rng(seed)
    ink = [moved(random.uniform(0, 100, (2, 2)), 40.0 * i) for i in range(count)]
    groups = find_groups(ink, margin=math.inf)
    scores = any_scores(random, groups)
    total, share, sides = 0.0, np.zeros(len(groups.start)), np.zeros(len(groups.before))
    for worth, used, pairs in all_ways(groups, scores):
        total += np.exp(worth)
        share[used] += np.exp(worth)
        sides[pairs] += np.exp(worth)
    every, chance, chance_beside = fit_grouping.surprise(groups, scores)
    assert every == pytest.approx(np.log(total))
    np.testing.assert_allclose(chance, share / total, atol=1e-9)
    np.testing.assert_allclose(chance_beside, sides / total, atol=1e-9)


def test_the_fit_follows_its_slope_and_finds_the_groups_it_is_shown():
    random = np.random.default_rng(0)
    lattices = []
    for _ in range(40):
        ink = [moved(random.uniform(0, 100, (2, 2)), 30.0 * i) for i in range(5)]
        groups = find_groups(ink, margin=math.inf)
        length = groups.stop - groups.start
        true = (length == 2) & (groups.start % 2 == 0) | (length == 1) & (groups.start == 4)
        if (length[true]).sum() == 5:
            own, beside = (random.normal(size=(len(rows), 34)) for rows in (true, groups.before))
            own[:, 2] += 2.0 * true
            lattices.append(fit_grouping.Lattice(groups, own, beside, true))
    at = random.normal(size=34)
    _, slope = fit_grouping.loss(at, lattices)
    for axis, unit in enumerate(1e-5 * np.eye(len(at))):
        rise = fit_grouping.loss(at + unit, lattices)[0] - fit_grouping.loss(at - unit, lattices)[0]
        assert slope[axis] == pytest.approx(rise / 2e-5, abs=1e-4)
    found = fit_grouping.fit(lattices)
    assert found.deep > 0.5 and len(lattices) > 10
    assert fit_grouping.loss(found.vector(), lattices)[0] < fit_grouping.loss(at, lattices)[0]
    assert eval(fit_grouping.as_code(found), {"Weights": type(found)}).deep == pytest.approx(
        found.deep, abs=0.01
    )


def test_a_number_in_any_order_is_the_same_number():
    line = Drawing((ONE, BAR, moved(ONE, 80), moved(ONE, 160)), word="711", digit_of=(0, 0, 1, 2))
    orders = set()
    for seed in range(20):
        other = fit_grouping.in_any_order(line, np.random.default_rng(seed))
        assert other.word == "711" and len(other.strokes) == 4
        for stroke, place in zip(other.strokes, other.digit_of or (), strict=True):
            assert any(
                stroke is own and place == of for own, of in zip(line.strokes, (0, 0, 1, 2), strict=True)
            )
        orders.add(other.digit_of)
    assert len(orders) == 6
