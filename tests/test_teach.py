"""Teaching: what is taught is learnt, what is replayed is kept, and nothing is compiled anew."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

from digitjax import teach
from digitjax.bench import taught_writers
from digitjax.bench.forms_left_out import (
    LOOP,
    MEASURED,
    WAYS,
    crossings,
    is_without,
    loop_area,
    only,
    shows,
    without,
)
from digitjax.bench.parts import drawings_of, part_of
from digitjax.bench.taught_writers import LEAST
from digitjax.bench.teaching import drawn_only, drawn_without
from digitjax.commands import bench_teaching
from digitjax.config import ModelConfig
from digitjax.data import batches
from digitjax.data.batches import Part
from digitjax.data.forms import Forms
from digitjax.data.labels import NOT_A_DIGIT, OTHER
from digitjax.data.pipeline import to_examples
from digitjax.errors import InputError
from digitjax.evaluate import apply_in_batches
from digitjax.models import make_model
from digitjax.replay import replayed
from digitjax.segments import pack_all
from digitjax.strokes import Drawing
from digitjax.types import Segments
from tests import doodles

CONFIG = ModelConfig(kind="mlp", hidden=(32,), dropout=0.0, rejects=True)
OTHERS = 24
"""Replayed drawings a step that are no digit."""


@pytest.fixture(scope="module")
def drawn():
    return drawn_without([WAYS["crossed-7"]], jax.random.key(5), 600)


@pytest.fixture(scope="module")
def teacher(drawn):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teach, "STEPS", 20)
        patch.setattr(teach, "UNSEEN", 3)
        patch.setitem(batches.ENDLESS, "nondigits", zigzags)
        params = make_model(CONFIG).init(jax.random.key(0))
        held_out = to_examples(part_of(drawn, slice(400, None)), "mnist28")
        store = teach.store_of(part_of(drawn, slice(400)), "mnist28")
        replay = [Part("nondigits", OTHERS, None), Part("synthetic", teach.REPLAYED - OTHERS, store)]
        yield teach.Teacher(CONFIG, params, replay, {"kept": held_out})


def zigzags(key, n):
    """A quickly compiled stand-in for the procedural drawings that are no digits."""
    points = jax.random.uniform(key, (n, 9, 2))
    ends = jax.numpy.concatenate([points[:, :-1], points[:, 1:]], axis=2)
    return Segments(ends, jax.numpy.ones(ends.shape[:2], bool)), jax.numpy.full(n, NOT_A_DIGIT)


def hearts(n):
    """Hearts from a template that nothing trains on, each drawn anew."""
    rng = np.random.default_rng(0)
    return [Drawing(tuple(doodles.doodle(rng, "heart")), None, OTHER, None, None) for _ in range(n)]


def looked_at(params, images) -> Any:
    """What the network says of 8-bit images, past all measuring."""
    return make_model(CONFIG).apply(params, jax.numpy.asarray(images, np.float32) / 255)


def test_what_is_taught_and_what_is_replayed_is_learnt_and_the_network_stays_as_it_was(teacher, drawn):
    before = jax.tree.map(np.array, teacher._params)
    said = []
    lesson = teacher.teach(drawings_of(part_of(drawn, slice(6))), lambda *at: said.append(at))
    assert said == [(10, 20), (20, 20)]
    assert lesson.after["taught"].right > lesson.before["taught"].right
    assert lesson.after["kept"].accuracy > lesson.before["kept"].accuracy + 0.2
    assert lesson.before["taught"].n == 6 and lesson.before["kept"].n == 200
    jax.tree.map(np.testing.assert_array_equal, before, teacher._params)


def test_lessons_of_any_size_compile_nothing_and_the_same_lesson_teaches_the_same(teacher, drawn):
    first = teacher.teach(drawings_of(part_of(drawn, slice(3))))
    steps, batches = teacher._step._cache_size(), teacher._assemble._cache_size()
    teacher.teach(drawings_of(part_of(drawn, slice(11))))
    again = teacher.teach(drawings_of(part_of(drawn, slice(3))))
    assert (teacher._step._cache_size(), teacher._assemble._cache_size()) == (steps, batches) == (1, 1)
    jax.tree.map(np.testing.assert_array_equal, first.params, again.params)
    assert first.after == again.after


def test_lessons_begin_from_another_step_s_params_and_compile_nothing(teacher, drawn, monkeypatch):
    given = jax.tree.map(np.array, teacher._params)
    other = make_model(CONFIG).init(jax.random.key(1))
    sizes = teacher._step._cache_size(), teacher._assemble._cache_size()
    teacher.begin_from(other)
    some = drawings_of(part_of(drawn, slice(3)))
    learnt = teacher.teach(some)
    monkeypatch.setattr(teach, "STEPS", 0)
    nothing = teacher.teach(some)
    jax.tree.map(np.testing.assert_array_equal, nothing.params, other)
    kept = to_examples(part_of(drawn, slice(400, None)), "mnist28")
    scale = 255 if kept.images.dtype == np.uint8 else 1
    images = jax.numpy.asarray(kept.images, np.float32).reshape(-1, 28, 28, 1) / scale
    right = make_model(CONFIG).apply(other, images).digits.argmax(axis=1) == kept.labels
    assert learnt.before["kept"].right == nothing.after["kept"].right == int(right.sum())
    assert sizes == (teacher._step._cache_size(), teacher._assemble._cache_size())
    teacher.begin_from(given)


@pytest.mark.ci
def test_what_is_taught_as_no_digit_is_refused_and_its_like_too_and_digits_are_answered(
    teacher, drawn, monkeypatch
):
    monkeypatch.setattr(teach, "STEPS", 60)
    for name in ("_params", "_before"):  # as they were, afterwards
        monkeypatch.setattr(teacher, name, getattr(teacher, name))
    sizes = teacher._step._cache_size(), teacher._assemble._cache_size()
    knows_digits = teacher.teach(drawings_of(part_of(drawn, slice(3)))).params
    all_hearts = hearts(43)
    images = to_examples(part_of(drawn, slice(0))._replace(ink=pack_all(all_hearts)), "mnist28").images
    taken = np.array(looked_at(knows_digits, images).is_digit >= 0)
    taught = np.flatnonzero(taken)[:3]
    assert taken.mean() > 0.7, "as digits"
    teacher.begin_from(knows_digits)
    lesson = teacher.teach([all_hearts[row] for row in taught])
    assert sizes == (teacher._step._cache_size(), teacher._assemble._cache_size())
    refused = np.array(looked_at(lesson.params, images).is_digit < 0)
    assert refused[taught].all() and refused.mean() > 0.7
    assert lesson.before["taught"] == (0, 3) and lesson.after["taught"] == (3, 3)
    kept = to_examples(part_of(drawn, slice(400, None)), "mnist28")
    said = looked_at(lesson.params, kept.images)
    assert lesson.after["kept"].right == (said.digits.argmax(axis=1) == kept.labels).sum()
    assert lesson.after["answered"] == ((said.is_digit >= 0).sum(), 200)
    assert lesson.after["answered"].right > 150
    assert lesson.after["refused"].n == 3 * OTHERS


def test_a_lesson_of_both_counts_digits_that_are_read_and_others_that_are_refused(teacher, drawn):
    taught = [*hearts(2), *drawings_of(part_of(drawn, slice(5)))]
    lesson = teacher.teach(taught)
    images = to_examples(part_of(drawn, slice(0))._replace(ink=pack_all(taught)), "mnist28").images
    said = looked_at(lesson.params, images)
    right = np.append(said.is_digit[:2] < 0, said.digits[2:].argmax(axis=1) == drawn.labels[:5])
    assert lesson.after["taught"] == (right.sum(), 7)


def test_what_is_taught_as_no_digit_takes_the_place_of_replayed_drawings_that_are_none(
    teacher, drawn, monkeypatch
):
    step, seen = teacher._step, []

    def look(state, batch):
        seen.append((np.array(batch.weight), np.array(batch.is_digit)))
        return step(state, batch)

    monkeypatch.setattr(teacher, "_step", look)
    teacher.teach(hearts(2))
    for weight, is_digit in seen:
        assert weight[is_digit == 0].sum() == pytest.approx(OTHERS) and (weight[: teach.TAUGHT] == 1).all()
        assert (weight[is_digit == 1] == 1).all() and (is_digit == 0).sum() == OTHERS + teach.TAUGHT
    seen.clear()
    teacher.teach(drawings_of(part_of(drawn, slice(2))))
    assert all((weight == 1).all() for weight, _ in seen), "a lesson of digits is as ever"


def test_drawings_held_out_to_be_refused_are_in_no_lesson(teacher, monkeypatch):
    seen = []
    monkeypatch.setattr(teacher, "_step", lambda state, batch: (state, seen.append(np.array(batch.x))))
    teacher.teach(hearts(1))
    replayed_ones = {np.rint(255 * one).astype(np.uint8).tobytes() for step in seen for one in step}
    held = {one.tobytes() for one in teacher._others}
    assert len(held) == 3 * OTHERS and not held & replayed_ones


def test_a_network_for_digits_alone_is_not_taught_what_is_none(teacher, drawn, monkeypatch):
    alone = dataclasses.replace(teacher._config, model=dataclasses.replace(CONFIG, rejects=False))
    monkeypatch.setattr(teacher, "_config", alone)
    with pytest.raises(InputError, match='never says "not a digit"'):
        teacher.teach([*drawings_of(part_of(drawn, slice(1))), *hearts(1)])


@pytest.mark.parametrize("words", [[], ["x"], [None], ["3", "10"], ["3", "scribble"]])
def test_a_lesson_is_of_labelled_digits(teacher, words):
    line = np.array([[0.0, 0.0], [1.0, 1.0]])
    with pytest.raises(InputError, match="label"):
        teacher.teach([Drawing((line,), None, word, None, None) for word in words])


@pytest.fixture(scope="module")
def digits(teacher, drawn):
    """Digits of three writers, one of whom has few."""
    source = part_of(drawn, slice(200))
    examples = to_examples(source, "mnist28")
    writers = np.array(["a"] * 100 + ["b"] * (100 - LEAST + 1) + ["c"] * (LEAST - 1))
    right = np.arange(200) % 5 > 0
    right[60:100] = False
    return taught_writers.Digits(source, examples, writers, right)


def test_digits_whose_label_is_doubted_or_whose_writer_is_not_known_take_no_part(teacher, drawn):
    few = part_of(drawn, slice(8))._replace(
        writers=("a", None, *"abcabc"), ids=np.arange(8, dtype=np.uint64), words=tuple("01234567")
    )
    audit = {(3, int(few.labels[3])): "cut", (4, int(few.labels[4] + 1)): "mislabelled"}
    found = taught_writers.read_digits(teacher.model, teacher._params, few, audit)
    assert found.writers.tolist() == ["a", *"acabc"]
    assert found.source.labels.tolist() == few.labels[[0, 2, 4, 5, 6, 7]].tolist()
    answers = apply_in_batches(teacher.model, teacher._params, found.examples.images)
    assert found.right.tolist() == (answers.log_p.argmax(axis=1) == found.source.labels).tolist()
    with pytest.raises(InputError, match="known writers"):
        taught_writers.read_digits(teacher.model, teacher._params, few._replace(writers=None), {})


def test_the_writers_that_are_read_worst_are_those_of_many_digits(digits):
    assert taught_writers.worst_writers(digits, 5) == ["a", "b"]
    assert taught_writers.worst_writers(digits, 1) == ["a"]


def test_taught_are_misread_drawings_first_and_the_rest_is_all_else(digits):
    for name in ("a", "b"):
        taught, rest = taught_writers.dealt(digits, name, 3)
        own = np.flatnonzero(digits.writers == name)
        assert len(taught) == 10 and sorted([*taught, *rest]) == own.tolist()
    assert not digits.right[taught_writers.dealt(digits, "a", 3)[0]].any(), "a has 48 misread"
    right = digits._replace(right=np.ones(200, bool))
    one, other = taught_writers.dealt(right, "a", 0)[0], taught_writers.dealt(right, "a", 1)[0]
    assert len(one) == len(other) == 10 and set(one) != set(other)


def test_a_lesson_of_a_writer_is_measured_on_the_digits_that_it_did_not_teach(teacher, digits):
    (one,) = taught_writers.measure(teacher, digits, ["b"], 0)
    taught, rest = taught_writers.dealt(digits, "b", 0)
    assert one.before == teach.Score(int(digits.right[rest].sum()), len(rest))
    assert one.after.n == len(rest) and one.corrected == (~digits.right[taught]).sum()
    assert 0 < one.held_out_before < one.held_out_after <= 1


@pytest.mark.parametrize("rejects", [False, True])
def test_what_is_replayed_fills_its_part_of_a_step(rejects):
    parts = replayed(ModelConfig(rejects=rejects))
    assert sum(part.take for part in parts) == teach.REPLAYED
    assert [part.name for part in parts] == ["synthetic", *["nondigits", "marks"] * rejects]


@pytest.mark.parametrize("option", ["--seeds", "--writers", "--epochs"])
def test_a_measurement_of_nothing_is_refused(option):
    with pytest.raises(InputError, match=f"{option} 0 is out of range"):
        bench_teaching.run([option, "0"])


def test_lines_cross_where_they_cross():
    across, down = np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 2.0]])
    assert len(crossings([across, down])) and not len(crossings([across, down + np.array([5.0, 0.0])]))
    assert not len(crossings([np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])], 0.1))
    assert len(crossings([np.array([[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]])]))
    short = down[:1], np.array([[1.0, 0.95]])
    touching = [across, np.concatenate(short)]
    assert not len(crossings(touching)) and len(crossings(touching, 0.1))


def test_a_loop_has_the_area_that_its_line_goes_around():
    square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 1.0], [3.0, 1.0], [3.0, -1.0]])
    assert loop_area([square]) == pytest.approx(1 / 16)  # one unit square of a drawing four wide
    assert loop_area([square[:4]]) == 0 == loop_area([square[:2], square[2:]])
    assert loop_area([np.array([[1.0, 1.0], [1.0, 1.0]])]) == 0


@pytest.mark.ci
@pytest.mark.parametrize("name", MEASURED)
def test_what_is_drawn_of_a_way_shows_it_and_what_is_drawn_without_it_has_nothing_of_it(name):
    way = WAYS[name]
    of_way = drawings_of(drawn_only(way, jax.random.key(1), 40))
    assert {one.word for one in of_way} == {str(way.digit)} and len(of_way) == 40
    known = drawings_of(drawn_without([way], jax.random.key(2), 400))
    mine = [list(one.strokes) for one in known if one.word == str(way.digit)]
    assert len(known) == 400 and 20 <= len(mine) <= 60
    assert not any(shows(way, one) or len(crossings(one)) for one in mine)
    assert all(len(one) == 1 for one in mine), "neither bar nor second stroke"
    for one in of_way:
        strokes = list(one.strokes)
        assert shows(way, strokes) and not is_without([way], way.digit, strokes)
        assert loop_area(strokes) >= LOOP if way.looped else len(strokes) == 2


@pytest.mark.parametrize("name", MEASURED)
def test_a_way_of_writing_is_left_out_and_its_digit_is_as_common(name):
    way = WAYS[name]
    for table, alone in zip(without([way]), only(way), strict=True):
        digits = table.digit if isinstance(table, Forms) else table.label
        shared = np.bincount(digits, table.weight, 10)
        assert shared == pytest.approx(np.full(10, 0.1), abs=1e-6)
        assert alone.weight.sum() == pytest.approx(1) and set(digits[alone.weight > 0]) == {way.digit}
        assert not ((alone.weight > 0) & (table.weight > 0)).any()
        assert ((alone.weight > 0) | (table.weight > 0)).all()
