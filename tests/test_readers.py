"""Properties of every reader: what is written is read; what was damaged gets a sentence or does no harm.

Bytes and records of drawings made up from nothing are `test_strokes.py`'s, specs `test_data_spec.py`'s.
"""

import gzip
import json
import string
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from digitjax import runs
from digitjax.checkpoint import load_model
from digitjax.config import AugmentConfig, ModelConfig, OptimConfig, TrainConfig, to_dict
from digitjax.data import load
from digitjax.data.idx import read_idx, write_idx
from digitjax.data.unipen import read_unipen
from digitjax.errors import InputError
from digitjax.pictures import read_picture
from digitjax.strokes import Drawing, read_drawings, write_drawings
from tests.fuzz import corpus

some = settings(max_examples=40, deadline=None)
few = settings(max_examples=20, deadline=None)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
coordinates = st.floats(-1e6, 1e6)


def strokes(numbers) -> st.SearchStrategy:
    """One to four strokes of one to six points."""
    shapes = st.tuples(st.integers(1, 6), st.just(2))
    return st.lists(hnp.arrays(np.float64, shapes, elements=numbers), min_size=1, max_size=4)


harm = st.tuples(
    st.sampled_from(("flip", "cut", "more")), st.floats(0, 1, exclude_max=True), st.integers(0, 7)
)
"""A bit that is another, an end that is missing, a byte too many."""


def harmed(content: bytes, how: tuple[str, float, int]) -> bytes:
    kind, part, bit = how
    at = int(part * len(content))
    match kind:
        case "flip":
            return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]
        case "cut":
            return content[:at]
        case _:
            return content + bytes([1 << bit])


def read_or_refused(read, path: Path):
    """What a reader makes of a file; None where it refuses it in one line that names the file."""
    try:
        return read()
    except InputError as error:
        assert str(path) in str(error) and len(str(error)) < 1000 and "\n" not in str(error)
        return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("readers")


@some
@given(st.lists(st.tuples(strokes(coordinates), words), min_size=1, max_size=3), harm)
def test_drawings(folder, made, how):
    path = folder / "drawn.ndjson"
    write_drawings(path, [Drawing(tuple(ink), None, word, "here", None) for ink, word in made])
    for drawing, (ink, word) in zip(read_drawings(path), made, strict=True):
        assert drawing.word == (word or None) or drawing.word == word
        for read, written in zip(drawing.strokes, ink, strict=True):
            np.testing.assert_array_equal(read, written)
    path.write_bytes(harmed(path.read_bytes(), how))
    read_or_refused(lambda: list(read_drawings(path)), path)


@some
@given(
    strokes(coordinates), st.sampled_from(string.printable[:94]), st.sampled_from(["\n", "\r\n", "\r"]), harm
)
def test_unipen(folder, ink, word, end, how):
    path, label = folder / "ink.dat", {'"': '\\"', "\\": "\\\\"}.get(word, word)
    lines = [".COORD Y X T"]
    for stroke in ink:
        lines += [".PEN_DOWN", *(f"{y!r} {x!r} 0" for x, y in stroke.tolist()), ".PEN_UP"]
    text = "\n".join([*lines, f'.SEGMENT CHARACTER 0-{len(ink) - 1} ? "{label}"', ""])
    path.write_bytes(text.replace("\n", end).encode())
    (drawing,) = read_unipen(path)
    assert drawing.word == word
    for read, written in zip(drawing.strokes, ink, strict=True):
        np.testing.assert_array_equal(read, written * [1, -1])
    path.write_bytes(harmed(path.read_bytes(), how))
    read_or_refused(lambda: list(read_unipen(path)), path)


@some
@given(st.lists(st.sampled_from(corpus.UNIPEN_TOKENS) | st.binary(max_size=9), max_size=12).map(b"".join))
def test_unipen_of_nothing_but_its_words(folder, content):
    path = folder / "words.dat"
    path.write_bytes(content)
    read_or_refused(lambda: list(read_unipen(path)), folder)


@some
@given(
    st.one_of(*(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=n, max_dims=n, max_side=6)) for n in (1, 3))),
    st.booleans(),
    harm,
)
def test_idx(folder, array, zipped, how):
    path = folder / "items-ubyte"
    write_idx(path, array)
    if zipped:
        path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    sound = read_idx(path, array.ndim)
    np.testing.assert_array_equal(sound.array, array)
    with pytest.raises(InputError, match="items-ubyte"):
        read_idx(path, 4 - array.ndim)
    path.write_bytes(harmed(path.read_bytes(), how))
    found = read_or_refused(lambda: read_idx(path, array.ndim), path)
    if found is not None and zipped:  # what gzip does not check is not what it packs
        np.testing.assert_array_equal(found.array, array)
    elif found is not None:
        assert how[0] == "flip" and found.array.shape == array.shape and found.sha256 != sound.sha256


@some
@given(
    hnp.arrays(np.uint8, st.tuples(*(st.integers(1, 5) for _ in range(3)), st.sampled_from((1, 3, 4)))),
    st.data(),
    st.sampled_from((np.savez, np.savez_compressed)),
    harm,
)
def test_npz(folder, x, data, save, how):
    """Of a sound archive every picture with a label, of a damaged one the same or nothing."""
    labels = [data.draw(kind) for kind in [data.draw(st.sampled_from((words, st.integers(-1, 99))))] * len(x)]
    path = folder / "pictures.npz"
    save(path, x=np.asfortranarray(x), y=np.array(labels))
    pictures = x[..., 0] if x.shape[-1] == 1 else x
    expected = [
        (picture, str(label))
        for picture, label in zip(pictures, labels, strict=True)
        if label not in ("", -1)
    ]
    for attempt in ("sound", "damaged"):
        source = read_or_refused(lambda: load(f"images:{path}"), path)
        if source is None:
            assert attempt == "damaged" or not expected
            break
        assert source.images is not None and source.words == tuple(word for _, word in expected)
        assert source.skipped == len(x) - len(expected)
        for read, (picture, _) in zip(source.images, expected, strict=True):
            np.testing.assert_array_equal(read, picture)
        path.write_bytes(harmed(path.read_bytes(), how))


@some
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((1, 3, 4)))),
    st.sampled_from(("PNG", "JPEG")),
    harm,
)
def test_pictures(folder, pixels, form, how):
    path, pixels = folder / "a.png", pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    if form == "JPEG":
        pixels = pixels[..., :3] if pixels.ndim == 3 else pixels
    Image.fromarray(pixels).save(path, form)
    read = read_picture(path)
    assert read.shape == pixels.shape and (form == "JPEG" or (read == pixels).all())
    path.write_bytes(harmed(path.read_bytes(), how))
    found = read_or_refused(lambda: read_picture(path), path)
    assert found is None or (found.dtype == np.uint8 and found.size <= 1 << 24)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
models = st.fixed_dictionaries(
    {
        "channels": st.lists(st.integers(1, 4096), min_size=1, max_size=4).map(tuple),
        "hidden": st.lists(st.integers(1, 65536), min_size=1, max_size=5).map(tuple),
        "activation": st.sampled_from(("relu", "sigmoid", "tanh")),
        "dropout": st.floats(0, 1, exclude_max=True),
        "rejects": st.booleans(),
    }
)
optims = st.fixed_dictionaries({"learning_rate": st.floats(1e-9, 9), "weight_decay": st.floats(0, 9)})
augments = st.fixed_dictionaries({"rotate": st.floats(0, 90), "unfinished": st.none() | st.floats(0, 1)})
about = st.fixed_dictionaries(
    {"data": st.lists(st.text(max_size=9)).map(tuple), "epochs": st.integers(1, 999)}
)


@pytest.mark.usefixtures("unchecked")  # the same for all examples
@settings(some, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models, optims, augments, about, st.data(), anything, harm)
def test_configurations(folder, model, optim, augment, rest, data, value, how):
    path = folder / runs.CONFIG
    config = TrainConfig(
        model=ModelConfig(**model), optim=OptimConfig(**optim), augment=AugmentConfig(**augment), **rest
    )
    runs.write_config(folder, config, data=["mnist"])
    assert runs.read_config(folder) == config and runs.read_data(folder) == ("mnist",)
    text = path.read_bytes()
    table = to_dict(config)
    part = data.draw(st.sampled_from([table, table["model"], table["optim"], table["augment"]]))
    part[data.draw(st.sampled_from([*part, "unknown"]))] = value
    path.write_text(json.dumps({"format": 2, "config": table}))
    found = read_or_refused(lambda: runs.read_config(folder), path)
    assert found is None or type(found) is TrainConfig
    path.write_bytes(harmed(text, how))
    read_or_refused(lambda: runs.read_config(folder), path)


@pytest.fixture(scope="module")
def run(folder) -> Path:
    return corpus.checkpoint(folder / "checkpoints")


@few
@given(st.data(), harm | st.just(None))
def test_checkpoints(run, data, how):
    """Whatever happens to one of its files, a checkpoint is refused or gives the very same params."""
    sound = load_model(run).params
    file = data.draw(st.sampled_from(sorted(path for path in run.rglob("*") if path.is_file())))
    content = file.read_bytes()
    try:
        file.unlink() if how is None else file.write_bytes(harmed(content, how) if content else b"\1")
        loaded = read_or_refused(lambda: load_model(run), run)
    finally:
        file.write_bytes(content)
    if loaded is not None:
        assert jax.tree.all(jax.tree.map(np.array_equal, loaded.params, sound))
