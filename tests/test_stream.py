"""Streaming: batches from prepared records are those from memory to the bit; what is damaged is refused."""

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from digitjax import cli, paths, prepare, runs
from digitjax.bench.scale import MODES, strokes_of, synthetic_drawings
from digitjax.config import AugmentConfig, ModelConfig, TrainConfig
from digitjax.data import parse_spec, pipeline
from digitjax.data.batches import Part
from digitjax.data.drawings import MAX_DRAWINGS
from digitjax.data.idx import write_idx
from digitjax.data.pipeline import make_pipeline, whole_test_split
from digitjax.data.sources import open_records
from digitjax.data.streamed import AHEAD, read_ahead
from digitjax.errors import InputError
from digitjax.segments import pack
from digitjax.strokes import Drawing, write_drawings

pytest.importorskip("grain")
pytest.importorskip("array_record")

BATCH = 12
REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def ink(tmp_path_factory) -> str:
    """200 drawings by 20 writers of long and short ink, an eighth of them letters, a tenth without a word."""
    rng = np.random.default_rng(0)
    words = [
        None if i % 10 == 9 else "a" if i % 8 == 0 else "O" if i % 17 == 0 else str(i % 10)
        for i in range(200)
    ]
    drawings = [
        Drawing(
            tuple(rng.uniform(0, 100, (int(rng.integers(1, 90)), 2)) for _ in range(1 + i % 3)),
            None,
            words[i],
            "tests",
            f"w{i % 20}",
        )
        for i in range(200)
    ]
    path = tmp_path_factory.mktemp("ink") / "ink.ndjson.gz"
    write_drawings(path, drawings)
    return f"strokes:{path}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """60 pictures of two sizes in a folder a class."""
    root = tmp_path_factory.mktemp("pictures")
    for index in range(60):
        picture = np.full((40, 30 + index % 2), 255, np.uint8)
        picture[5:35, 5 + index % 20 : 8 + index % 20] = 0
        picture[10 + index // 4 : 13 + index // 4, 6:26] = 20
        (root / str(index % 10)).mkdir(exist_ok=True)
        Image.fromarray(picture).save(root / str(index % 10) / f"{index}.png")
    return f"images:{root}"


def config(*data: str, rejects: bool = False) -> TrainConfig:
    return TrainConfig(
        data=data,
        epochs=1,
        epoch_examples=BATCH * 10,
        batch_size=BATCH,
        model=ModelConfig(rejects=rejects),
        augment=AugmentConfig(bend=0.02, unfinished=0.3),
    )


def as_bytes(tree) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))


def same_examples(one, other) -> bool:
    return (
        one.images.tobytes() == other.images.tobytes()
        and one.labels.tolist() == other.labels.tolist()
        and one[3:6] == other[3:6]
    )


def parts(mix: TrainConfig, monkeypatch, *, stream: bool) -> tuple[list[Part], tuple[str, ...]]:
    """The sources that a pipeline makes batches of, and its notices; without compiling what draws them."""
    given = []

    def note(made, *_, **__):
        given.extend(made)
        return given.__getitem__

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "make_batches", note)
        patch.setattr(pipeline, "_load_validation", lambda *_: ((), []))
        made = make_pipeline(mix, "mnist28", stream=stream)
    return given, made.notices


def test_what_a_batch_takes_from_records_is_what_it_takes_from_memory(ink, folder, monkeypatch):
    mix = config(f"{ink}=2", f"{folder}=1", "synthetic=1", rejects=True)
    (resident, notices), (streamed, others) = (parts(mix, monkeypatch, stream=on) for on in (False, True))
    assert others == notices
    for one, other in zip(resident, streamed, strict=True):
        assert one[:2] == other[:2]
        if one.store is None or other.store is None:
            assert one.store is other.store is None
            continue
        assert one.store.n == other.store.n
        every = np.random.default_rng(1).permutation(one.store.n).astype(np.int32)
        for indices in (every, every[:3], every[:1]):
            taken, read = one.store.take(indices), other.store.take(indices)
            assert jax.tree.map(np.shape, taken) == jax.tree.map(np.shape, read)
            assert as_bytes(taken) == as_bytes(read)


def test_what_is_read_ahead_is_what_was_asked_for():
    asked, steps = [], (0, 1, 2, 30, 31, 3, 2**20)  # in order, as after a resume, backwards, far away
    ahead = read_ahead(lambda step: asked.append(step) or np.array([step, step**2]))
    for step in steps:
        assert ahead(step).tolist() == [step, step**2]
    assert len(asked) <= len(steps) + 6 * AHEAD  # after a jump what lies ahead of it is read for nothing


def test_what_reading_ahead_cannot_read_gets_its_sentence():
    def damaged(step):
        raise InputError("the records are damaged")

    with pytest.raises(InputError, match="^the records are damaged$"):
        read_ahead(damaged)(0)


@pytest.mark.slow
def test_batches_and_validation_are_those_of_memory(ink, folder):
    mix = config(f"{ink}=2", f"{folder}=1", "digits8x8=1", "synthetic=1", rejects=True)
    resident = make_pipeline(mix, "mnist28")
    streamed = make_pipeline(mix, "mnist28", stream=True)
    for step in (0, 1, 2, 30, 31, 3, 2**20):  # in order, as after a resume, backwards, far away
        assert as_bytes(streamed.batch_at(step)) == as_bytes(resident.batch_at(step)), step
    assert streamed.notices == resident.notices
    assert len(streamed.validation) == len(resident.validation) == 4
    assert all(map(same_examples, streamed.validation, resident.validation))
    spec = parse_spec(ink)
    assert same_examples(whole_test_split(spec, "mnist28", stream=True), whole_test_split(spec, "mnist28"))


def test_a_process_makes_and_reads_its_own_rows_alone(folder, monkeypatch):
    mix = config(f"{folder}=2", f"{folder}@test=1")
    read = []

    def noted(spec, split):
        records = open_records(spec, split)
        assert records is not None

        def read_noted(places):
            read.extend(places.tolist())
            return records.read(places)

        return records._replace(read=read_noted)

    monkeypatch.setattr(pipeline, "_load_validation", lambda *_: ((), []))
    batch = make_pipeline(mix, "mnist28").batch_at(4)
    monkeypatch.setattr(pipeline, "open_records", noted)
    monkeypatch.setattr(pipeline, "read_ahead", lambda take: take)
    shares = []
    for rows in (slice(0, 5), slice(5, 12)):
        read.clear()
        shares.append(make_pipeline(mix, "mnist28", rows, stream=True).batch_at(4))
        assert len(read) == rows.stop - rows.start
    together = jax.tree.map(lambda *leaves: np.concatenate(leaves), *shares)
    assert as_bytes(together) == as_bytes(batch)


def test_what_a_network_without_that_head_leaves_out_is_left_out_alike(ink, monkeypatch):
    (resident, notices), (streamed, others) = (
        parts(config(ink), monkeypatch, stream=on) for on in (False, True)
    )
    assert notices == others and "of no digit" in notices[0]
    one, other = resident[0].store, streamed[0].store
    assert one is not None and other is not None and one.n == other.n
    every = np.arange(one.n)
    assert as_bytes(one.take(every)) == as_bytes(other.take(every))


def test_mnist_is_streamed_from_the_records_that_its_builder_wrote(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    for part, n in (("train", 96), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (n, 28, 28), dtype=np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", (np.arange(n) % 10).astype(np.uint8))
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(tmp_path))
    resident, streamed = (
        make_pipeline(config("mnist"), "mnist28", stream=stream) for stream in (False, True)
    )
    for step in (0, 7, 8):  # 88 to train on, so that the second epoch begins in step 7
        assert as_bytes(streamed.batch_at(step)) == as_bytes(resident.batch_at(step))
    assert same_examples(streamed.validation[0], resident.validation[0])


def test_an_image_archive_is_streamed_too(tmp_path):
    pictures = np.random.default_rng(4).integers(0, 256, (40, 20, 24, 3), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", x=pictures, y=np.arange(40) % 10)
    spec = f"images:{tmp_path / 'x.npz'}"
    resident, streamed = (make_pipeline(config(spec), "mnist28", stream=stream) for stream in (False, True))
    assert as_bytes(streamed.batch_at(2)) == as_bytes(resident.batch_at(2))


@pytest.mark.slow
def test_the_pen_digits_are_streamed_too(datasets):
    spec = f"pendigits:{datasets / 'raw' / 'pendigits-train'}"
    resident, streamed = (make_pipeline(config(spec), "mnist28", stream=stream) for stream in (False, True))
    for step in (0, 499, 500):
        assert as_bytes(streamed.batch_at(step)) == as_bytes(resident.batch_at(step))
    assert same_examples(streamed.validation[0], resident.validation[0])


@pytest.mark.slow
def test_a_streamed_run_that_was_stopped_is_the_resident_run_that_was_not(ink, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    arguments = shlex.split(
        f"mlp-28x28 --data {ink} --epochs 2 --epoch-examples 96 --batch-size 16 --model.hidden 4"
    )
    make = prepare.make_pipeline

    def signalling(*given, **how):
        made = make(*given, **how)

        def batch_at(step):
            if step == 3:
                signal.raise_signal(signal.SIGINT)
            return made.batch_at(step)

        return made._replace(batch_at=batch_at)

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert cli.main(["train", *arguments, "--out", str(whole)]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "make_pipeline", signalling)
        assert cli.main(["train", *arguments, "--stream", "--out", str(stopped)]) == 130
    assert runs.was_streamed(stopped) and not runs.was_streamed(whole)
    assert cli.main(["train", "--resume", "--out", str(stopped)]) == 0
    lines = [
        [
            {name: value for name, value in json.loads(line).items() if "second" not in name}
            for line in (run / runs.METRICS).read_text().splitlines()
        ]
        for run in (whole, stopped)
    ]
    assert lines[0] == lines[1]


def test_a_line_that_is_refused_leaves_nothing_behind(tmp_path):
    path = tmp_path / "broken.ndjson"
    write_drawings(path, [Drawing((np.ones((2, 2)),), None, "1", "tests", None)] * 20)
    path.write_bytes(path.read_bytes() + b'{"drawing": 7}\n')
    before = sorted(paths.data_dir().iterdir()) if paths.data_dir().exists() else []
    with pytest.raises(InputError, match="broken.ndjson:21: "):
        make_pipeline(config(f"strokes:{path}"), "mnist28", stream=True)
    assert (sorted(paths.data_dir().iterdir()) if paths.data_dir().exists() else []) == before


@pytest.mark.parametrize("content", ["nothing", "folder", "gzip"])
def test_what_is_no_file_of_drawings_is_refused(tmp_path, content):
    path = tmp_path / "x.ndjson"
    if content == "folder":
        path.mkdir()
    elif content == "gzip":
        path.write_bytes(b"\x1f\x8b\x08\0damaged")
    with pytest.raises(InputError, match="x.ndjson"):
        make_pipeline(config(f"strokes:{path}"), "mnist28", stream=True)


def test_what_is_streamed_cannot_be_audited(ink):
    audited = dataclasses.replace(config(ink), audited=True)
    with pytest.raises(InputError, match="--no-audited"):
        make_pipeline(audited, "mnist28", stream=True)
    records = open_records(parse_spec(ink), "train")
    assert records is not None and not pipeline._doubted(parse_spec("mnist"), records).any()


def test_without_array_record_the_sentence_says_so(ink, monkeypatch):
    monkeypatch.setattr("digitjax.data.records.has_array_record", lambda: False)
    with pytest.raises(InputError, match="leave --stream out"):
        make_pipeline(config(ink), "mnist28", stream=True)


def test_a_file_too_large_for_memory_says_how_to_train_on_it(ink, monkeypatch):
    monkeypatch.setattr("digitjax.data.drawings.MAX_DRAWINGS", 50)
    with pytest.raises(InputError, match="--stream"):
        make_pipeline(config(ink), "mnist28")
    parts(config(ink), monkeypatch, stream=True)
    assert MAX_DRAWINGS == 1_000_000


@pytest.mark.ci
def test_the_drawings_of_the_measurement_are_the_synthetic_ones():
    drawings = list(synthetic_drawings(40))
    assert len(drawings) == 40 and len({drawing.writer for drawing in drawings}) == 40
    for drawing in drawings:
        ends = np.asarray(pack(drawing.strokes).ends)[np.asarray(pack(drawing.strokes).mask)]
        again = strokes_of(ends)
        assert [len(stroke) for stroke in again] == [
            len(np.unique(np.flatnonzero(np.r_[True, (s[1:] != s[:-1]).any(1)]))) for s in drawing.strokes
        ]


@pytest.mark.slow
def test_streaming_needs_less_memory_and_a_drawing_costs_the_same_of_few_and_of_many(tmp_path):
    few, many = 10_000, 40_000  # a thousand examples to validate on, and as many as are held at most
    done = subprocess.run(
        [sys.executable, "-m", "digitjax", "bench", "scale", "--json", "--drawings", f"{few}", f"{many}"],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=REPO,
    )
    assert done.returncode == 0, done.stderr
    costs = {(cost["mode"], cost["drawings"]): cost for cost in json.loads(done.stdout)}
    grown = {mode: costs[mode, many]["peak_mb"] - costs[mode, few]["peak_mb"] for mode in MODES}
    assert max(grown["prepare"], grown["streamed"]) < 60 < grown["resident"] - grown["streamed"], grown
    for mode in MODES:
        assert costs[mode, many]["record_us"] < 1.5 * costs[mode, few]["record_us"], costs
