"""Data specs, labels, and the registry."""

import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitjax.data import load, parse_spec, registry, unavailable
from digitjax.data.labels import AMBIGUOUS, NOT_A_DIGIT, label_of
from digitjax.data.spec import SPLITS, Spec
from digitjax.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist", Spec("mnist")),
        ("mnist@test", Spec("mnist", None, "test")),
        ("mnist=2", Spec("mnist", weight=2.0)),
        ("synthetic@validation=.5", Spec("synthetic", None, "validation", 0.5)),
        ("digits8x8=1e-3", Spec("digits8x8", weight=0.001)),
        ("strokes:a.ndjson", Spec("strokes", "a.ndjson")),
        (r"strokes:C:\me\a.ndjson@train=3", Spec("strokes", r"C:\me\a.ndjson", "train", 3.0)),
        ("strokes:you@home/lr=0.5/a.ndjson", Spec("strokes", "you@home/lr=0.5/a.ndjson")),
        ("strokes:a@test.ndjson", Spec("strokes", "a@test.ndjson")),
        ("strokes:a@test@train", Spec("strokes", "a@test", "train")),
        ("strokes:lr=0.5=1", Spec("strokes", "lr=0.5")),
        ("images:x=1@test", Spec("images", "x=1", "test")),
        ("images:a=b", Spec("images", "a=b")),
        ("strokes: a b ", Spec("strokes", " a b ")),
        ("strokes:ü:1:2", Spec("strokes", "ü:1:2")),
    ],
)
def test_suffixes_are_read_from_the_right(text, expected):
    assert parse_spec(text) == expected
    assert parse_spec(str(expected)) == expected


@pytest.mark.parametrize("text", ["mnist=9", "synthetic=0.5", "strokes:a=2=1", "mnist=1e-05", "mnist=1e+16"])
def test_a_weight_is_written_as_people_write_it(text):
    assert str(parse_spec(text)) == text


@given(
    st.text(string.ascii_letters + r"@=:./\ 01", min_size=1).filter(lambda path: path.strip()),
    st.sampled_from([None, *SPLITS]),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
)
def test_any_path_survives_with_all_suffixes(path, split, weight):
    text = f"strokes:{path}" + (f"@{split}" if split else "@train") + f"={weight!r}"
    spec = parse_spec(text)
    assert spec == Spec("strokes", path, split or "train", weight)
    assert parse_spec(str(spec)) == spec


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text):
    try:
        spec = parse_spec(text)
    except InputError as error:
        assert "\n" not in str(error) or "\n" in text
    else:
        assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("strokes:" + "x" * 5000, "too long"),
        ("strokes:a\0b", "no text"),
        ("minst", "did you mean 'mnist'"),
        ("MNIST@test", "did you mean 'mnist'"),
        ("digits", "did you mean 'digits8x8'"),
        ("sythetic=2", "did you mean 'synthetic'"),
        ("quickdraw", "give one of .*mnist, synthetic"),
        ("mnist@tset", "did you mean @test"),
        ("mnist@train@validation", "names two splits, @train and @validation: give one"),
        ("mnist=3=4", "names two weights: give one"),
        ("mnist@all", "give @train, @validation, @test"),
        ("mnist=much", "weight 'much'"),
        ("mnist=2@test", "give mnist@test=2"),
        ("mnist=0", "above 0"),
        ("mnist=-1", "above 0"),
        ("mnist=nan", "finite"),
        ("mnist=1e999", "finite"),
        ("mnist:there", "takes no path"),
        ("strokes", "give strokes:FILE"),
        ("images:@test", "give images:DIR"),
        ("drawn.ndjson", "did you mean strokes:drawn.ndjson"),
        ("strkes:drawn.ndjson", "did you mean 'strokes'"),
        (r"C:\drawn.ndjson.gz@test", "did you mean strokes:C:"),
        ("pictures.npz", "did you mean images:pictures.npz"),
    ],
)
def test_a_wrong_spec_says_what_was_meant(text, says):
    with pytest.raises(InputError, match=says.replace("\\", ".")):
        parse_spec(text)


def test_every_source_is_registered_with_what_people_need_to_know():
    names = "mnist synthetic nondigits marks digits8x8 strokes pendigits unipen images numbers"
    assert set(names.split()) <= set(registry.MODULES)
    for name in registry.MODULES:
        kind = registry.kind(name)
        assert kind.about and kind.licence
        assert kind.evaluates == ("test" if kind.takes is None else None)


def test_a_source_is_added_by_one_line(monkeypatch):
    import digitjax.data.digits8x8

    monkeypatch.setitem(registry.MODULES, "again", digitjax.data.digits8x8.__name__)
    assert len(load("again@validation").labels) == 180
    assert unavailable("again") is None


def test_the_registry_imports_no_source():
    code = (
        "import sys, digitjax.data.registry as r; sys.exit(any(m in sys.modules for m in r.MODULES.values()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_the_ten_characters_are_digits():
    assert [label_of(c) for c in "0123456789"] == list(range(10))
    for word in ("", "10", "07", " 7", "٣", "７", "²", "a", "O", "seven"):
        assert label_of(word) == NOT_A_DIGIT


def test_the_ambiguous_characters_are_the_contracts():
    contract = "O o D Q I l i L J j | / \\ ! ' , . - _ ^ ~ ( ) [ ] { } < > Z z S s b G B g q y Y T t r h p P"
    contract += " U u V v C c & ?"
    assert {*contract.split(" "), "`"} == AMBIGUOUS
