"""Batches: pure in seed and step, each example once an epoch, shares by weight, ink and pixels alike."""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import finish
from digitjax.config import AugmentConfig, ModelConfig, OptimConfig, TrainConfig
from digitjax.data import load, pipeline
from digitjax.data.batches import _draw_ink, indices_at, make_targets, share
from digitjax.data.labels import NOT_A_DIGIT
from digitjax.data.pipeline import (
    _spread,
    choose_specs,
    is_learnt_from,
    make_pipeline,
    to_examples,
    trim,
)
from digitjax.data.spec import Source, parse_spec
from digitjax.errors import InputError
from digitjax.normalize import inks_to_images
from digitjax.pixels import picture_to_image
from digitjax.segments import pack_all
from digitjax.strokes import Drawing, write_drawings
from digitjax.types import Segments

BATCH = 12


def lines(rng, count: int) -> tuple[np.ndarray, ...]:
    return tuple(rng.uniform(0, 100, (5, 2)) for _ in range(count))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[str, str]:
    """Specs of 200 drawings by 20 writers, an eighth of them letters, and of 60 pictures."""
    folder, rng = tmp_path_factory.mktemp("mix"), np.random.default_rng(0)
    words = ["a" if i % 8 == 0 else str(i % 10) for i in range(200)]
    drawings = [Drawing(lines(rng, 1 + i % 2), None, words[i], "tests", f"w{i % 20}") for i in range(200)]
    write_drawings(folder / "ink.ndjson", drawings)
    pictures = np.full((60, 40, 30), 255, np.uint8)
    for index, picture in enumerate(pictures):
        picture[5:35, 5 + index % 20 : 8 + index % 20] = 0
        picture[10 + index // 4 : 13 + index // 4, 6:26] = 20
    np.savez(folder / "pixels.npz", x=pictures, y=np.arange(60) % 10)
    return f"strokes:{folder / 'ink.ndjson'}", f"images:{folder / 'pixels.npz'}"


def config(*data: str, rejects: bool = False, seed: int = 0, geometry="mnist28") -> TrainConfig:
    return TrainConfig(
        data=data,
        seed=seed,
        epochs=1,
        epoch_examples=BATCH * 10,
        batch_size=BATCH,
        model=dataclasses.replace(ModelConfig(rejects=rejects), geometry=geometry),
        optim=OptimConfig(label_smoothing=0.1),
    )


@pytest.fixture(scope="module")
def mix(files):
    ink, pixels = files
    return make_pipeline(config(f"{ink}=2", f"{pixels}=1", "synthetic@train=3", rejects=True), "mnist28")


def as_bytes(batch) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(batch))


def test_a_batch_is_a_function_of_seed_and_step(mix, files, monkeypatch):
    monkeypatch.setattr(pipeline, "_load_validation", lambda *_: ((), []))
    batches = {step: as_bytes(mix.batch_at(step)) for step in (7, 0, 3)}
    assert len(set(batches.values())) == 3
    assert as_bytes(mix.batch_at(3)) == batches[3]
    ink, pixels = files
    specs = (f"{ink}=2", f"{pixels}=1", "synthetic@train=3")
    again = make_pipeline(config(*specs, rejects=True), "mnist28").batch_at
    assert as_bytes(again(7)) == batches[7]
    other = make_pipeline(config(*specs, rejects=True, seed=1), "mnist28").batch_at
    assert as_bytes(other(7)) != batches[7]


def test_a_batch_is_well_formed(mix):
    batch = mix.batch_at(0)
    assert batch.x.shape == (BATCH, 28, 28, 1) and batch.x.dtype == np.float32
    assert np.asarray(batch.x).min() >= 0 and np.asarray(batch.x).max() <= 1
    assert (np.asarray(batch.x).sum(axis=(1, 2, 3)) > 5).all()
    np.testing.assert_allclose(np.asarray(batch.target).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(batch.weight, np.ones(BATCH))


def test_shares_follow_the_weights(mix, files):
    assert share([2.0, 1.0, 3.0], BATCH) == [4, 2, 6]
    assert share([1.0, 1.0, 1.0], 8) in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
    assert share([15.0, 1.0], 128) == [120, 8]
    assert share([1e308, 1e308], 128) == [64, 64]  # whose sum is infinite
    with pytest.raises(InputError, match="--batch-size"):
        share([1000.0, 1.0], 8)
    source = load(files[1], "train")
    assert source.images is not None
    pictures = {np.round(picture_to_image(p) * 255).tobytes() for p in source.images}
    images = np.round(np.asarray(mix.batch_at(5).x) * 255)
    assert [image.tobytes() in pictures for image in images] == [False] * 4 + [True] * 2 + [False] * 6


def test_each_example_comes_once_an_epoch_and_epochs_differ():
    n, count = 50, 7
    steps = range(3 * n)
    taken = np.concatenate([indices_at(0, 1, step, count, n) for step in steps])
    epochs = taken[: len(taken) // n * n].reshape(-1, n)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(n), (len(epochs), 1)))
    assert len(np.unique(epochs, axis=0)) == len(epochs)
    np.testing.assert_array_equal(indices_at(0, 1, 3, count, n, len(steps) - 3), taken[3 * count :])
    assert not np.array_equal(indices_at(0, 1, 0, n, n), indices_at(0, 2, 0, n, n))
    assert not np.array_equal(indices_at(0, 1, 0, n, n), indices_at(1, 1, 0, n, n))
    many = np.bincount(indices_at(0, 0, 2, 25, 10), minlength=10)
    assert many.min() >= 2 and many.max() <= 3  # more than an epoch in one step


def test_pictures_arrive_as_the_pixel_path_makes_them(files):
    source = load(files[1], "train")
    batch_at = make_pipeline(config(files[1]), "mnist28").batch_at
    assert source.images is not None
    expected = np.stack([np.round(picture_to_image(p) * 255) for p in source.images]).astype(np.uint8)
    got = np.concatenate([np.asarray(batch_at(step).x) for step in range(-(-len(expected) // BATCH))])
    got = np.round(got[: len(expected)] * 255).astype(np.uint8)

    def rows(a):
        return sorted(row.tobytes() for row in a)

    assert rows(got) == rows(expected)


def test_ink_arrives_as_itself_drawn_with_one_of_the_pens(files):
    source = load(files[0], "train")
    digits = source.labels < NOT_A_DIGIT
    assert source.ink is not None
    ink = Segments(np.asarray(source.ink.ends)[digits], np.asarray(source.ink.mask)[digits])
    batch_at = make_pipeline(config(files[0]), "mnist28").batch_at
    got = np.asarray(batch_at(0).x).reshape(BATCH, -1)
    plain = np.asarray(jax.jit(inks_to_images)(ink)).reshape(digits.sum(), -1)
    alike = np.corrcoef(got, plain)[:BATCH, BATCH:].max(axis=1)
    assert (alike > 0.85).all(), alike  # turned, sheared or squeezed once already, it would not be


def test_what_is_no_digit_is_learnt_by_a_network_with_that_head_and_else_left_out(files):
    labels = load(files[0], "train").labels
    others = int((labels == NOT_A_DIGIT).sum())
    assert others
    with_head = make_pipeline(config(files[0], rejects=True), "mnist28")
    steps = -(-len(labels) // BATCH)
    is_digit = np.concatenate([np.asarray(with_head.batch_at(s).is_digit) for s in range(steps)])
    assert (is_digit[: len(labels)] == 0).sum() == others
    batch = next(b for b in map(with_head.batch_at, range(steps)) if (np.asarray(b.is_digit) == 0).any())
    np.testing.assert_allclose(np.asarray(batch.target)[np.asarray(batch.is_digit) == 0], 0.1, rtol=1e-6)
    without = make_pipeline(config(files[0]), "mnist28")
    assert any(str(others) in notice for notice in without.notices)
    assert all(np.asarray(without.batch_at(s).is_digit).all() for s in range(steps))


def test_doubted_labels_are_left_out_of_training_alone_and_where_that_is_asked_for(files, monkeypatch):
    """Every 7 and the first 3 are doubted; the list names the same ink with another label, too."""
    source = load(files[0], None)
    assert source.ids is not None
    three = int(source.ids[source.labels == 3][0])
    doubted = {(int(one), 7): "cut" for one in source.ids} | {(three, 3): "illegible"}
    monkeypatch.setattr(pipeline, "shipped_audit", lambda: doubted)
    as_labelled = make_pipeline(config(files[0]), "mnist28")
    audited = make_pipeline(dataclasses.replace(config(files[0]), audited=True), "mnist28")

    def counts(made):
        learnt = [made.batch_at(step).target.argmax(axis=1) for step in range(400)]
        return np.bincount(np.concatenate(learnt), minlength=10)

    before, after = counts(as_labelled), counts(audited)
    assert before[7] and not after[7] and after[np.arange(10) != 7].all()
    labels = load(files[0], "train").labels
    left_out = (labels == 7).sum() + (source.ids == three)[source.labels == 3].sum()
    assert any(
        f"{left_out} examples with a label that a reader doubts" in notice for notice in audited.notices
    )
    np.testing.assert_array_equal(audited.validation[0].labels, as_labelled.validation[0].labels)


@pytest.mark.parametrize(
    ("more", "said"), [([], True), pytest.param(["marks"], False, marks=pytest.mark.ci), (["letters"], False)]
)
def test_who_is_to_refuse_and_learns_from_digits_alone_is_told(files, more, said):
    data = ["synthetic", *(files[0] if one == "letters" else one for one in more)]
    notices = make_pipeline(config(*data, rejects=True), "mnist28").notices
    assert any("nothing is learnt of what to refuse" in notice for notice in notices) is said
    assert not any("refuse" in notice for notice in make_pipeline(config("synthetic"), "mnist28").notices)


@pytest.mark.parametrize("name", ["nondigits", "marks"])
def test_who_takes_all_for_digits_cannot_learn_from_what_is_none(name):
    with pytest.raises(InputError, match=f"{name}=2 holds no digit to train on: add --model.rejects"):
        make_pipeline(config(f"{name}=2", "synthetic"), "mnist28")


def test_a_file_without_a_digit_is_refused(tmp_path):
    rng = np.random.default_rng(1)
    drawings = [Drawing(lines(rng, 1), None, "a", "tests", f"w{i}") for i in range(40)]
    write_drawings(tmp_path / "letters.ndjson", drawings)
    with pytest.raises(InputError, match="no digit"):
        make_pipeline(config(f"strokes:{tmp_path / 'letters.ndjson'}"), "mnist28")


def test_targets_are_smoothed_and_sum_to_one():
    target = np.asarray(make_targets(jnp.array([3, 0, NOT_A_DIGIT]), 0.1))
    np.testing.assert_allclose(target.sum(axis=1), 1, rtol=1e-6)
    assert target[0, 3] == pytest.approx(0.91) and target[0, 2] == pytest.approx(0.01)
    np.testing.assert_allclose(target[2], 0.1, rtol=1e-6)


@pytest.mark.parametrize("geometry", ["mnist28", "uci8"])
def test_examples_are_in_the_models_geometry(files, geometry):
    source = load(files[0], None)
    examples = to_examples(source, geometry)
    size = {"mnist28": 28, "uci8": 8}[geometry]
    assert examples.images.shape == (200, size, size, 1) and examples.images.dtype == np.uint8
    assert source.ink is not None
    some = Segments(np.asarray(source.ink.ends)[190:], np.asarray(source.ink.mask)[190:])
    expected = np.asarray(jax.jit(inks_to_images, static_argnums=1)(some, geometry)) * 255
    np.testing.assert_allclose(examples.images[190:], expected, atol=0.51)
    assert examples.words == source.words and examples.writers == source.writers


@pytest.mark.ci
def test_every_source_feeds_the_small_geometry_too(files):
    data = (f"{files[0]}=1", f"{files[1]}=1", "synthetic=1", "digits8x8=1")
    pipe = make_pipeline(config(*data, geometry="uci8"), "uci8")
    assert np.asarray(pipe.batch_at(0).x).shape == (BATCH, 8, 8, 1)
    assert all(examples.images.shape[1:] == (8, 8, 1) for examples in pipe.validation)


def test_validation_is_the_same_sources_other_split(files):
    pipe = make_pipeline(config(f"{files[0]}=1", "digits8x8=1"), "mnist28")
    assert [e.name.rpartition("@")[2] for e in pipe.validation] == ["validation"] * 2
    train = set(load(files[0], "train").writers or ())
    assert not train & set(pipe.validation[0].writers or ())


def test_where_nothing_holds_a_digit_to_validate_on_it_is_validated_on_synthetic_ones(files, tmp_path):
    held = load(files[0], "validation").writers or ()
    rng = np.random.default_rng(2)
    words = [("a" if f"w{i % 20}" in {str(w).rpartition("/")[2] for w in held} else "3") for i in range(40)]
    drawings = [Drawing(lines(rng, 1), None, words[i], "tests", f"w{i % 20}") for i in range(40)]
    write_drawings(tmp_path / "ink.ndjson", drawings)
    pipe = make_pipeline(config(f"strokes:{tmp_path / 'ink.ndjson'}", rejects=True), "mnist28")
    letters, synthetic = pipe.validation
    assert (letters.labels == NOT_A_DIGIT).all() and synthetic.name == "synthetic@validation"
    assert any("no source has a digit to validate on" in notice for notice in pipe.notices)
    mixed = make_pipeline(config(files[0], f"strokes:{tmp_path / 'ink.ndjson'}", rejects=True), "mnist28")
    assert not any("validate on" in notice for notice in mixed.notices)


def test_what_is_learnt_from_is_not_validated_on_and_no_test(files, capfd):
    pixels = files[1]
    specs = (f"{pixels}@validation=2", "digits8x8@test", "synthetic")
    pipe = make_pipeline(config(*specs), "mnist28")
    assert [e.name for e in pipe.validation] == ["digits8x8@validation", "synthetic@validation"]
    said = " ".join(pipe.notices)
    assert f"{pixels}@validation is learnt from: it is not validated on" in said
    assert "digits8x8@test is learnt from: its accuracy is no test accuracy, and is not measured" in said
    names = [one.name for one in finish.test_sets(specs, "uci8")]
    assert names == [f"{pixels}@test", "synthetic@test"]
    assert "not measured: digits8x8@test, it was learnt from" in capfd.readouterr().err
    with pytest.raises(InputError, match="no digit to validate on"):
        make_pipeline(config("synthetic@validation", "digits8x8@validation"), "mnist28")
    path = pixels.partition(":")[2]
    there = Path(path).parent
    other = parse_spec(f"images:{there}/../{there.name}/{Path(path).name}")
    assert is_learnt_from(other, "validation", [parse_spec(specs[0])])
    assert not is_learnt_from(other, "test", [parse_spec(specs[0])])


@pytest.mark.parametrize("form", ["array", "list", "ink"])
def test_a_long_validation_is_thinned_evenly(form):
    n, most = 60, 20
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, 2, 2))
    ink = Segments(np.broadcast_to(np.arange(n)[:, None, None], (n, 8, 4)), np.ones((n, 8), bool))
    labels, words = np.arange(n) % 10, tuple(map(str, range(n)))
    held = {"array": (None, images), "list": (None, list(images)), "ink": (ink, None)}[form]
    ids = np.arange(n).astype(np.uint64)
    thin = _spread(Source("x", labels.astype(np.int8), words, None, *held, ids=ids), most)
    taken = [int(word) for word in thin.words]
    assert len(taken) == most and taken[0] == 0 and taken[-1] == n - 1 and set(np.diff(taken)) == {3, 4}
    if thin.ink is None:
        assert thin.images is not None and [one[0, 0] for one in thin.images] == taken
    else:
        assert thin.ink.ends[:, 0, 0].tolist() == taken
    assert (
        thin.ids is not None
        and thin.ids.tolist() == taken
        and list(thin.labels) == [number % 10 for number in taken]
    )
    assert thin.writers is None and _spread(thin, most) is thin


def test_without_specs_and_without_mnist_the_embedded_data_are_named():
    specs, notices = choose_specs(())
    assert {spec.name for spec in specs} == {"synthetic", "digits8x8"}
    assert len(notices) == 1 and "DIGITJAX_MNIST_DIR" in notices[0]
    assert choose_specs(("digits8x8=2",))[0][0].weight == 2


def test_about_a_tenth_of_what_is_learnt_by_default_is_no_digit_where_that_is_to_be_known(monkeypatch):
    for mnist in (False, True):
        monkeypatch.setattr(pipeline, "unavailable", lambda _, mnist=mnist: None if mnist else "no network")
        digits, others = choose_specs(())[0], choose_specs((), rejects=True)[0]
        assert [one.name for one in others] == [*(one.name for one in digits), "nondigits"]
        assert 0.09 < others[-1].weight / sum(spec.weight for spec in others) < 0.12
    assert [spec.name for spec in choose_specs(("digits8x8",), rejects=True)[0]] == ["digits8x8"]


def test_a_tenth_is_unfinished_where_what_comes_with_the_program_is_all_that_is_learnt(monkeypatch):
    asked = []
    monkeypatch.setattr(pipeline, "unavailable", lambda _: "no network")
    monkeypatch.setattr(pipeline, "_load_validation", lambda *_: ((), []))
    monkeypatch.setattr(pipeline, "_make_part", lambda *_: (None, []))
    monkeypatch.setattr(pipeline, "make_assemble", lambda parts, config, *_: asked.append(config))
    monkeypatch.setattr(pipeline, "make_batches", lambda *_, **__: lambda step: None)
    monkeypatch.setattr(pipeline, "make_on_device", lambda *_: None)
    kept = pipeline.EMBEDDED[True]
    for data, rejects, unfinished, used in (
        ((), True, None, 0.1),
        (kept, True, None, 0.1),  # as a run that goes on names them
        ((), True, 0.0, 0.0),
        ((), True, 0.3, 0.3),
        ((), False, None, None),
        (("synthetic", "nondigits=2"), True, None, None),
    ):
        augment, model = AugmentConfig(unfinished=unfinished), ModelConfig(rejects=rejects)
        make_pipeline(TrainConfig(data=data, augment=augment, model=model), "mnist28")
        assert asked.pop().augment.unfinished == used, (data, rejects, unfinished)


def test_trimming_keeps_every_segment():
    ink = pack_all([Drawing((np.array([[0, 0], [1, 2], [3, 1.0]]),)) for _ in range(3)])
    small = trim(ink)
    assert small.mask.shape == (3, 8) and small.mask.sum() == ink.mask.sum()
    render = jax.jit(inks_to_images)
    images = [np.asarray(render(i)) for i in (ink, small)]
    np.testing.assert_array_equal(images[0], images[1])
    nothing = trim(Segments(np.zeros((2, 128, 4), np.float32), np.zeros((2, 128), bool)))
    assert not nothing.mask.any()


@pytest.mark.parametrize("resample", [0.0, 1.0])
def test_people_s_ink_is_sampled_half_as_often_where_that_is_asked_for(resample):
    circle = np.stack([np.cos(np.linspace(0, 6, 40)), np.sin(np.linspace(0, 6, 40))], axis=1)
    ink = jax.tree.map(jnp.asarray, pack_all([Drawing((circle,)) for _ in range(4)]))
    draw = functools.partial(_draw_ink, n=4, own=slice(0, 4), geometry="uci8")
    plain, _ = draw(jax.random.key(0), ink, augment=AugmentConfig(), bent=True)
    for bent in (False, True):
        found, kept = draw(jax.random.key(0), ink, augment=AugmentConfig(resample=resample), bent=bent)
        assert (np.asarray(kept) == 1).all()
        assert np.array_equal(found, plain) is not (bent and resample == 1)
        np.testing.assert_allclose(found, plain, atol=0.3)  # the same circle to the eye


def test_pens_differ_as_much_as_is_asked_for():
    line = jax.tree.map(jnp.asarray, pack_all([Drawing((np.array([[0.0, 0], [0, 9]]),)) for _ in range(32)]))
    draw = functools.partial(_draw_ink, n=32, own=slice(0, 32), geometry="mnist28", bent=True)
    spread = []
    for pens in (0.0, 0.5, 1.0):
        images, _ = draw(jax.random.key(0), line, augment=AugmentConfig(pens=pens))
        spread.append(float(jnp.log(images.sum(axis=(1, 2, 3))).std()))
    assert spread[0] == pytest.approx(0, abs=1e-5) and 0.3 < spread[1] / spread[2] < 0.7 and spread[2] > 0.1
