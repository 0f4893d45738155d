"""The reading process: the same path as everywhere else, compiled once, newer steps while drawing."""

import json
import math
import multiprocessing
import os
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from digitjax import checkpoint, runs
from digitjax.config import ModelConfig, TrainConfig
from digitjax.models import make_model
from digitjax.normalize import bounding_box, fit_ink, ink_to_image
from digitjax.optim import make_optimizer
from digitjax.predict import drawings_to_images, predict
from digitjax.segments import pack
from digitjax.strokes import Drawing
from digitjax.train import init_state
from play import launch, wire, worker
from play.answers import Answered, Explained, ModelFailed, ModelReady, ModelsListed
from play.classify import ProcessClassifier, Query
from play.events import Notice, PenDown, PenMove
from play.ink import Stroke
from play.reader import make_reader, reading
from tests.play.fakes import make_loop

CONFIG = TrainConfig(preset="cnn", model=ModelConfig(channels=(2, 3), hidden=(4,), rejects=True))
ZED = [np.array([[100.0, 200.0], [420.0, 210.0], [130.0, 800.0]]), np.array([[200.0, 500.0], [400.0, 500.0]])]


@pytest.fixture(scope="module")
def model():
    return make_model(CONFIG.model)


@pytest.fixture(scope="module")
def params(model):
    return init_state(jax.random.key(3), model, make_optimizer(CONFIG)).params


@pytest.fixture(scope="module")
def reader(model):
    return make_reader(model, CONFIG.model)


def vector(reader, params, strokes):
    packed = pack(strokes)
    return np.asarray(reader.read(params, packed.ends, packed.mask))


def test_reading_is_the_path_of_evaluate_and_predict(reader, model, params):
    for strokes in (ZED, ZED[1:], [np.array([[5.0, 5.0]])], [np.random.default_rng(0).normal(size=(500, 2))]):
        found = reading(vector(reader, params, strokes), 28)
        (image,) = drawings_to_images([Drawing(tuple(strokes))], "mnist28")
        np.testing.assert_allclose(found.image, image[:, :, 0], atol=1e-5)
        np.testing.assert_allclose(found.image, ink_to_image(pack(strokes))[:, :, 0], atol=1e-5)
        (said,) = predict(model, params, image[None])
        np.testing.assert_allclose(found.probabilities, said.probabilities, atol=1e-5)
        assert found.is_digit == pytest.approx(said.is_digit, abs=1e-5)


def test_the_fit_maps_ink_to_the_pixels_it_became(reader, params):
    found = reading(vector(reader, params, ZED), 28)
    assert found.fit is not None
    scale, x, y = found.fit
    packed = pack(ZED)
    fitted = np.asarray(fit_ink(packed).ends)[packed.mask]
    ends = np.asarray(packed.ends)[packed.mask]
    np.testing.assert_allclose(ends * scale + np.array([x, y, x, y]), fitted, atol=1e-3)


def staged(reader, params, *off):
    packed, origin = pack(ZED), np.concatenate(ZED).min(axis=0).astype(np.float32)
    stages = np.array([name not in off for name in ("box", "scale", "mass")])
    found = reading(np.asarray(reader.read_staged(params, packed.ends, packed.mask, origin, stages)), 28)
    assert found.fit is not None
    scale, x, y = found.fit
    box = np.asarray(bounding_box(packed))
    return found, scale, (box * scale + [x, y, x, y]), origin


def test_stages_switched_off_are_left_out(reader, params):
    whole = reading(vector(reader, params, ZED), 28)
    np.testing.assert_allclose(staged(reader, params)[0].image, whole.image, atol=1e-5)
    found, scale, box, _ = staged(reader, params, "mass")
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, [14, 14], atol=1e-4)
    assert box[3] - box[1] == pytest.approx(20 - 2.6, abs=1e-4)
    found, scale, box, _ = staged(reader, params, "scale")
    assert scale == pytest.approx(0.028) and found.image.sum() < whole.image.sum()
    _, scale, box, origin = staged(reader, params, "box", "scale", "mass")
    np.testing.assert_allclose(box[:2], origin * 0.028 - 0.5, atol=1e-4)


def test_everything_is_compiled_once(reader, params):
    other = jax.tree.map(lambda leaf: leaf * 2, params)
    for strokes in (ZED, ZED[:1], [np.zeros((1, 2))], []):
        vector(reader, params, strokes)
        vector(reader, other, strokes)
    assert reader.read._cache_size() == 1 and reader.read_staged._cache_size() <= 1


def test_wire_brings_arrays_back_and_refuses_nonsense():
    header, arrays = wire.unpack(
        wire.pack({"kind": "x", "n": 1}, np.arange(6.0).reshape(2, 3), np.zeros(0, np.int64))
    )
    assert (
        header == {"kind": "x", "n": 1}
        and arrays[0].tolist() == [[0, 1, 2], [3, 4, 5]]
        and arrays[1].size == 0
    )
    with pytest.raises(ValueError):
        wire.unpack(b"")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two runs, a good one with a single step and a damaged one."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in ("cnn-0", "cnn-bad"):
        save(folder / name, 1)
    damaged = next(
        p for p in runs.best_step(folder / "cnn-bad").rglob("*") if p.stat().st_size > 200 and p.is_file()
    )
    damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
    (folder / "latest").write_text("cnn-0\n")
    return folder


def save(run: Path, *steps: int, seed: int = 3) -> None:
    state = init_state(jax.random.key(seed), make_model(CONFIG.model), make_optimizer(CONFIG))
    run.mkdir(parents=True, exist_ok=True)
    runs.write_config(run, CONFIG)
    with checkpoint.Saver(run) as saver:
        for step in steps:
            saver.save(
                state._replace(step=state.step + step),
                {"score": step / 10, "accuracy": step / 10, "date": "2026-11-21T05:00:00"},
                full=True,
                keep_params=True,
            )


def wait(classifier, kind, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for event in classifier.poll(0.02):
            if isinstance(event, kind):
                return event
            assert not isinstance(event, ModelFailed), event
        time.sleep(0.01)
    raise AssertionError(f"no {kind.__name__} within {seconds} s")


def test_the_process_reads_explains_lists_and_takes_a_newer_step(
    folder, model, params, monkeypatch, tmp_path
):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
    classifier = ProcessClassifier(launch.start(launch.Options(cache=tmp_path)))
    try:
        strokes = tuple(Stroke(tuple(map(tuple, s.tolist())), (0.0,) * len(s)) for s in ZED)
        assert classifier.ask(Query(1, strokes)) is False  # not ready
        ready = wait(classifier, ModelReady)
        assert (ready.info.name, ready.info.step, ready.info.accuracy) == ("cnn-0", 1, 0.1)
        assert ready.info.date == "2026-11-21 05:00"
        assert classifier.ask(Query(2, strokes, frozenset(), True))
        assert classifier.ask(Query(3, strokes)) is False  # one at a time
        answer = wait(classifier, Answered)
        (image,) = drawings_to_images([Drawing(tuple(ZED))], "mnist28")
        (said,) = predict(model, params, image[None])
        assert answer.revision == 2 and answer.side == 28
        np.testing.assert_allclose(answer.probabilities, said.probabilities, atol=1e-5)
        assert answer.fit is not None
        x = ZED[0][0][0] * answer.fit[0] + answer.fit[1]
        packed = pack(ZED)
        assert x == pytest.approx(float(fit_ink(packed).ends[0, 0]), abs=1e-3)
        why = wait(classifier, Explained)
        assert why.revision == 2 and len(why.without) == 2 and len(why.heat) == 784
        classifier.list_models()
        listed = {info.name: info for info in wait(classifier, ModelsListed).models}
        assert listed["cnn-0"].accuracy == 0.1 and not listed["cnn-0"].error
        assert "damaged" in listed["cnn-bad"].error
        save(folder / "cnn-0", 2)
        newer = wait(classifier, ModelReady)
        assert newer.info.step == 2 and newer.slot == 0
        classifier.load(str(folder / "cnn-bad"), 1)
        end = time.monotonic() + 60
        failures: list = []
        while not failures and time.monotonic() < end:
            failures = [e for e in classifier.poll(0.02) if isinstance(e, ModelFailed)]
        assert failures[0].slot == 1 and "damaged" in failures[0].message
    finally:
        classifier.close()


@pytest.mark.slow
def test_a_newer_step_is_taken_up_in_the_middle_of_a_stroke(model, monkeypatch, tmp_path):
    run = tmp_path / "cnn-0"
    save(run, 1)
    (tmp_path / "latest").write_text(run.name)
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    classifier = ProcessClassifier(launch.start(launch.Options(cache=tmp_path / "cache")))
    drawn: list[tuple[float, float]] = []

    class Pen:
        """Draws on and on, a point a frame."""

        def take(self, state, layout, controls, time):
            if state.models[0] is None:
                return []
            place = 500 + 300 * math.sin(0.1 * len(drawn)), 500 + 300 * math.cos(0.07 * len(drawn))
            drawn.append(place)
            return [PenDown(*place, time) if len(drawn) == 1 else PenMove(*place, time)]

        def frame_done(self, state, numbers):
            if state.answers[0] is not None:  # a frame's ink has its answer, but when the network came in it
                assert state.revision - state.answers[0].revision <= 1

    loop = make_loop(tmp_path / "user", Pen(), classifier=classifier)
    loop.patience = 30.0
    try:
        run_until(loop, lambda state: state.answers[0] is not None)
        points = len(drawn)
        save(run, 2, seed=8)
        run_until(loop, lambda state: state.models[0].step == 2)
        loop.step()
    finally:
        loop.outside.close()
        classifier.close()
    assert loop.state.pen_down and len(drawn) > points
    assert [list(stroke.points) for stroke in loop.state.strokes] == [drawn]
    params = init_state(jax.random.key(8), model, make_optimizer(CONFIG)).params
    (image,) = drawings_to_images([Drawing((np.array(drawn),))], "mnist28")
    (said,) = predict(model, params, image[None])
    found = loop.state.answers[0]
    assert found is not None
    np.testing.assert_allclose(found.probabilities, said.probabilities, atol=1e-5)


@pytest.mark.slow
def test_the_process_that_reads_is_killed_and_the_same_ink_is_answered_again(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
    options = launch.Options(cache=tmp_path)
    classifier = ProcessClassifier(launch.start(options), options)
    try:
        strokes = tuple(Stroke(tuple(map(tuple, s.tolist())), (0.0,) * len(s)) for s in ZED)
        info = wait(classifier, ModelReady).info
        assert classifier.ask(Query(2, strokes))
        first, pid = wait(classifier, Answered), classifier.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert "started again" in wait(classifier, Notice).text and classifier.pid != pid
        assert wait(classifier, ModelReady).info == info
        assert classifier.ask(Query(3, strokes))
        assert wait(classifier, Answered).probabilities == first.probabilities
    finally:
        classifier.close()


def run_until(loop, condition, seconds: float = 120.0) -> None:
    """Frames until the state is such."""
    end = time.monotonic() + seconds
    while not condition(loop.state):
        loop.step()
        assert time.monotonic() < end
        time.sleep(0.005)


def test_one_program_is_compiled_before_the_first_answer(folder, monkeypatch):
    """Zeros to trace with, a random key, a second shape: each would be a program of its own."""
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
    ends = multiprocessing.Pipe()
    process = worker.Worker(*ends, launch.Options())
    process._first()
    assert wire.unpack(ends[0].recv_bytes())[0]["kind"] == "ready"
    assert process._compiled == 1


def test_headless_replay_prints_a_line_a_drawing(folder, monkeypatch, tmp_path, capfd):
    from play.__main__ import main

    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
    drawings = tmp_path / "two.ndjson"
    square = [[0, 30, 30], [0, 0, 30]]
    text = [{"word": "7", "drawing": [square]}, {"drawing": [square, [[5], [5]]]}]
    drawings.write_text("".join(json.dumps(line) + "\n" for line in text))
    picture = tmp_path / "last.png"
    code = main(
        ["--headless", "--replay", str(drawings), "--screenshot", str(picture), "--user-dir", str(tmp_path)]
    )
    out, err = capfd.readouterr()
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["index"], line["word"]) for line in lines] == [(0, "7"), (1, None)]
    assert all(abs(sum(line["probabilities"]) - 1) < 1e-4 for line in lines)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--size", "10x10"], "--size 10x10"),
        (["--screen", "moon"], "draw, sees"),
        (["--headless"], "--replay FILE"),
        (["--replay", "nowhere.ndjson"], "does not exist"),
        (["--frames", "0"], "1 or more"),
        (["--json"], "--bench"),
        (["--screenshot", "/no/such/folder/x.png"], "folder does not exist"),
        (["--screenshot", "/"], "is no file"),
        (["--screenshot", ""], "is no file"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(argv, words, capsys):
    from play.__main__ import main

    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1
