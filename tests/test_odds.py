"""Reliability and risk by coverage against counting by hand, a closed form, and a simulation."""

import numpy as np
import pytest

from digitjax.odds import doubts, reliability, risk_at, risk_by_coverage


def test_each_answer_is_in_the_bin_of_its_confidence():
    confidence = np.array([0.0, 0.2, 0.21, 0.4, 0.75, 1.0])
    right = np.array([False, True, False, True, True, False])
    found = reliability(confidence, right, bins=5)
    assert found.counts.tolist() == [2, 2, 0, 1, 1]  # a bin holds its upper edge
    np.testing.assert_allclose(found.confidence, [0.1, 0.305, 0, 0.75, 1.0])
    np.testing.assert_allclose(found.accuracy, [0.5, 0.5, 0, 1.0, 0.0])
    assert found.error == pytest.approx((2 * 0.4 + 2 * 0.195 + 0.25 + 1.0) / 6)


def test_odds_that_come_true_as_often_as_they_say_have_no_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1.0, 200_000)
    found = reliability(confidence, rng.random(200_000) < confidence)
    assert found.error < 0.006
    np.testing.assert_allclose(found.accuracy[2:], found.confidence[2:], atol=0.02)


def test_the_least_sure_answers_are_withheld_first():
    confidence = np.array([0.9, 0.5, 0.99, 0.6, 0.7])
    right = np.array([True, False, True, False, True])
    coverage, risk = risk_by_coverage(confidence, right)
    np.testing.assert_allclose(coverage, [0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(risk, [0, 0, 0, 1 / 4, 2 / 5])
    assert risk_at(confidence, right, 0.8) == pytest.approx(1 / 4)
    assert risk_at(confidence, right, 0.9) == pytest.approx(1.5 / 4.5)  # half of the next answer


def test_answers_that_are_equally_sure_share_their_errors():
    right = np.arange(1000) >= 30
    for order in (right, right[::-1]):
        assert risk_at(np.full(1000, 0.9), order, 0.99) == pytest.approx(0.03)


def test_the_risk_of_a_network_whose_odds_are_true():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0, 1, 200_000)  # the mean risk above a threshold t is (1 - t) / 2
    right = rng.random(200_000) < confidence
    for coverage in (0.25, 0.5, 0.99):
        assert risk_at(confidence, right, coverage) == pytest.approx(coverage / 2, abs=0.005)


def test_two_digits_are_named_where_neither_is_sure():
    p = np.full((5, 10), 0.0)
    for row, odds in enumerate(
        [{4: 0.9, 9: 0.1}, {4: 0.6, 9: 0.4}, {9: 0.7, 4: 0.3}, {1: 0.5, 7: 0.4, 2: 0.1}]
    ):
        p[row, list(odds)] = list(odds.values())
    p[4] = p[1]
    labels = np.array([4, 4, 4, 2, 3])
    with np.errstate(divide="ignore"):
        found = doubts(np.log(p), labels)
        assert doubts(np.log(p[:1]), labels[:1]) is None
    assert found is not None and (found.n, found.pair, found.times) == (4, (4, 9), 3)
    assert (found.right, found.either) == (0.25, 0.5)
    np.testing.assert_allclose(found.odds, [0.5, 0.5])
