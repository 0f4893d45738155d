"""Teaching: what is taught is learnt, what is replayed is kept, and nothing is compiled anew."""

import jax
import numpy as np
import pytest

from digitjax import teach
from digitjax.bench.forms_left_out import WAYS, crosses, only, without
from digitjax.bench.teaching import _drawings, _drawn, _part
from digitjax.config import ModelConfig
from digitjax.data.batches import Part
from digitjax.data.forms import Forms
from digitjax.data.pipeline import to_examples
from digitjax.errors import InputError
from digitjax.models import make_model
from digitjax.strokes import Drawing

CONFIG = ModelConfig(kind="mlp", hidden=(32,), dropout=0.0)


@pytest.fixture(scope="module")
def drawn():
    return _drawn(jax.random.key(5), 600, *without(WAYS["crossed-7"]))


@pytest.fixture(scope="module")
def teacher(drawn):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teach, "STEPS", 20)
        params = make_model(CONFIG).init(jax.random.key(0))
        held_out = to_examples(_part(drawn, slice(400, None)), "mnist28")
        store = teach.store_of(_part(drawn, slice(400)), "mnist28")
        yield teach.Teacher(CONFIG, params, [Part("synthetic", teach.REPLAYED, store)], {"kept": held_out})


def test_what_is_taught_and_what_is_replayed_is_learnt_and_the_network_stays_as_it_was(teacher, drawn):
    before = jax.tree.map(np.array, teacher._params)
    lesson = teacher.teach(_drawings(_part(drawn, slice(6))))
    assert lesson.after["taught"].right > lesson.before["taught"].right
    assert lesson.after["kept"].accuracy > lesson.before["kept"].accuracy + 0.2
    assert lesson.before["taught"].n == 6 and lesson.before["kept"].n == 200
    jax.tree.map(np.testing.assert_array_equal, before, teacher._params)


def test_lessons_of_any_size_compile_nothing_and_the_same_lesson_teaches_the_same(teacher, drawn):
    first = teacher.teach(_drawings(_part(drawn, slice(3))))
    steps, batches = teacher._step._cache_size(), teacher._assemble._cache_size()
    teacher.teach(_drawings(_part(drawn, slice(11))))
    again = teacher.teach(_drawings(_part(drawn, slice(3))))
    assert (teacher._step._cache_size(), teacher._assemble._cache_size()) == (steps, batches) == (1, 1)
    jax.tree.map(np.testing.assert_array_equal, first.params, again.params)
    assert first.after == again.after


@pytest.mark.parametrize("words", [[], ["x"], [None], ["3", "10"]])
def test_a_lesson_is_of_labelled_digits(teacher, words):
    line = np.array([[0.0, 0.0], [1.0, 1.0]])
    with pytest.raises(InputError, match="label"):
        teacher.teach([Drawing((line,), None, word, None, None) for word in words])


def test_lines_cross_where_they_cross():
    across, down = np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 2.0]])
    assert crosses([across, down]) and not crosses([across, down + np.array([5.0, 0.0])])
    assert not crosses([np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])])
    assert crosses([np.array([[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]])])


@pytest.mark.parametrize("name", WAYS)
def test_a_way_of_writing_is_left_out_and_its_digit_is_as_common(name):
    way = WAYS[name]
    for table, alone in zip(without(way), only(way), strict=True):
        digits = table.digit if isinstance(table, Forms) else table.label
        shared = np.bincount(digits, table.weight, 10)
        assert shared == pytest.approx(np.full(10, 0.1), abs=1e-6)
        assert alone.weight.sum() == pytest.approx(1) and set(digits[alone.weight > 0]) == {way.digit}
        assert not ((alone.weight > 0) & (table.weight > 0)).any()
        assert ((alone.weight > 0) | (table.weight > 0)).all()
