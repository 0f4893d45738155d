"""The README's table of figures: the same lines for every network, each with the figure that was measured."""

import numpy as np
import pytest

from digitjax.bench import drawn
from digitjax.bench.drawn import read_source
from digitjax.bench.rejection import Rejection, Unfinished, measure_rejection
from digitjax.checkpoint import load_model
from digitjax.data import load, parse_spec
from tests import figures
from tests.test_bench_drawn import read

NAMES = ("MNIST", "pen digits", "UNIPEN", "UNIPEN validation", "bridger", "web-mouse")


def found(rejects: bool) -> figures.Figures:
    """What a network does that reads every 4 as a 9, and refuses half of the letters or nothing at all."""
    one = read([1, 2, 3, 4], [1, 2, 3, 9], writers=["a", "a", "b", "b"], ids=[1, 2, 3, 4], name="digits")
    two = read([0], [0], name="letters", others=4)
    reads = [one._replace(is_digit=np.ones(4)), two._replace(is_digit=np.array([3.0, 3.0, -1.0, -1.0, 1.0]))]
    letters = measure_rejection(reads)[0]
    every = drawn.measure([one], {(4, 4): "cut"})
    return figures.Figures(
        drawn=dict.fromkeys(NAMES, every),
        pooled=every,
        rejection=dict.fromkeys(figures.OTHERS, letters) if rejects else {},
        unfinished={name: Unfinished(name, 4, 0.25, {}) for name in figures.UNSEEN} if rejects else {},
    )


def test_each_line_has_its_figure():
    lines = list(figures.rows(found(True)))
    assert lines[0][0] == "MNIST test, 4" and lines[0][1].startswith("75.00 % (")
    assert lines[1][0] == "… audited, 3" and lines[1][1].startswith("100.00 %")
    shown = dict(lines)
    assert shown["letters and symbols, test writers, 4: AUROC against the pooled digits"] == "0.5000"
    assert shown["… refused when 99 % of those are answered"] == "50.00 %"
    assert shown["UNIPEN cut off after 60 to 99 % of the ink: called no digit"] == "25.00 %"
    assert sum(name == "… negative log-likelihood" for name, _ in lines) == 2


def test_a_network_that_never_refuses_has_the_same_lines():
    refusing, other = list(figures.rows(found(True))), list(figures.rows(found(False)))
    assert len(refusing) == len(other)
    assert [figure for _, figure in other[-11:]] == [figures.NONE] * 11
    assert figures.NONE not in [figure for _, figure in refusing]


def test_what_comes_along_refuses_what_people_draw_to_try_it_and_answers_digits():
    """By its own threshold; the sketches are by somebody who knew nothing of what it learns from."""
    loaded = load_model("default")
    sketches = read_source(loaded.model, loaded.params, load(parse_spec(f"strokes:{figures.SKETCHES}")))
    digits = read_source(loaded.model, loaded.params, load(parse_spec("digits8x8@test")))
    assert sketches.is_digit is not None and digits.is_digit is not None
    refused = {word: [] for word in sketches.examples.words}
    for word, score in zip(sketches.examples.words, sketches.is_digit, strict=True):
        refused[word].append(score < 0)
    assert len(refused) == 139 and np.mean(np.concatenate(list(refused.values()))) > 0.95
    assert all(np.mean(refused[word]) == 1 for word in ("heart", "tick", "triangle", "star", "scribble"))
    assert (digits.is_digit >= 0).mean() > 0.97


def test_rejection_is_against_the_digits_of_all_sets():
    (letters,) = measure_rejection(
        [
            read([1, 2], [1, 2])._replace(is_digit=np.array([2.0, 4.0])),
            read([], [], others=2)._replace(is_digit=np.array([1.0, 3.0])),
        ]
    )
    assert letters._replace(passing=()) == Rejection("made", 2, 2, 0.75, 0.5, 2, 0.75, 0.5, ())
    assert measure_rejection([read([1], [1])]) == []


def test_drawings_that_pass_for_digits_are_named_with_their_part_of_the_missing_area():
    digits, others = np.array([0.5, 2.0, 4.0, 1.0]), np.array([1.0, 3.0, 0.0, 0.75])
    (letters,) = measure_rejection(
        [
            read([1, 2, 3, 4], [1, 2, 3, 4])._replace(is_digit=digits),
            read([], [], others=4, name="letters")._replace(is_digit=others),
        ]
    )
    assert [one.drawing.place for one in letters.passing] == [1, 0, 3], "the third scores below all digits"
    pairs = [((digits < score).sum() + 0.5 * (digits == score).sum()) / 16 for score in (3.0, 1.0, 0.75)]
    assert letters.auroc is not None
    np.testing.assert_allclose(
        [one.lacking for one in letters.passing], np.array(pairs) / (1 - letters.auroc)
    )
    best = letters.passing[0].to_json()
    assert (best["data"], best["word"], best["answer"], best["writer"]) == ("letters", "10", "0", None)
    assert best["probability"] == pytest.approx(1 / (1 + np.exp(-3.0))) and "image" not in best
