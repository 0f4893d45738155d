"""What the reading process lists, and when it does what the ink need not wait for."""

import gc
import multiprocessing
import shutil
import threading
import time
import types

import jax.numpy as jnp
import numpy as np
import pytest

from digitjax import manifest, runs
from digitjax.errors import InputError
from digitjax.types import Logits
from play import checkpoints as listing
from play import launch, loading, wire, worker
from play.answers import ModelReady
from play.classify import ProcessClassifier
from play.launch import Link
from play.state import PlayState
from play.update import update
from tests.play.fakes import MODEL
from tests.play.scenes import scene

SHIPPED = runs.SHIPPED[1]


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
    return folder


def test_runs_that_cannot_be_used_are_listed_with_the_reason(checkpoints, tmp_path):
    for run in (tmp_path / "elsewhere", checkpoints / "empty"):
        run.mkdir()
        (run / "config.json").write_text("{}", encoding="utf-8")
    (checkpoints / "aside").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (checkpoints / "no-run").mkdir()
    listed = {model.name: model.error for model in listing.list_models() if model.name != "default"}
    assert set(listed) == {"aside", "empty"}
    assert "link" in listed["aside"] and str(tmp_path / "elsewhere") in listed["aside"]
    assert "no finished checkpoint" in listed["empty"]


def copy_run(target):
    """The shipped run under another name."""
    shutil.copytree(SHIPPED, target)
    return target


def damage(run):
    """Cuts the largest file of the run's step."""
    step = runs.best_step(run)
    largest = max((p for p in step.rglob("*") if p.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])


def first_messages(checkpoint=None):
    """What the worker sends at its start."""
    ends = multiprocessing.Pipe()
    process = worker.Worker(ends[1], ends[1], launch.Options(checkpoint))
    try:
        process._first()
    except InputError as error:
        process._failed(error, 0)
    found = []
    while ends[0].poll(0):
        found.append(wire.unpack(ends[0].recv_bytes())[0])
    return found


def test_a_damaged_latest_run_is_passed_over_and_named(checkpoints):
    damage(copy_run(checkpoints / "cnn-1"))
    copy_run(checkpoints / "default")
    (checkpoints / "latest").write_text("cnn-1", encoding="utf-8")
    ready, notice = first_messages()
    assert ready["kind"] == "ready" and ready["info"]["path"] == str(checkpoints / "default")
    assert notice["kind"] == "notice" and "cnn-1" in notice["text"] and "damaged" in notice["text"]
    (failed,) = first_messages("cnn-1")
    assert failed["kind"] == "failed" and "damaged" in failed["message"]


def test_a_latest_run_that_is_a_link_out_of_the_folder_is_passed_over_and_named(checkpoints, tmp_path):
    (checkpoints / "cnn-1").symlink_to(copy_run(tmp_path / "elsewhere"), target_is_directory=True)
    (checkpoints / "latest").write_text("cnn-1", encoding="utf-8")
    copy_run(checkpoints / "default")
    ready, notice = first_messages()
    assert ready["info"]["path"] == str(checkpoints / "default")
    (error,) = (model.error for model in listing.list_models() if model.name == "cnn-1")
    assert error and error in notice["text"] and "--checkpoint" in error


def test_where_none_is_left_every_reason_is_given(checkpoints, monkeypatch):
    monkeypatch.setattr(runs, "SHIPPED", ())
    (checkpoints / "latest").write_text("gone", encoding="utf-8")
    damage(copy_run(checkpoints / "default"))
    (failed,) = first_messages()
    assert "names no run" in failed["message"] and "damaged" in failed["message"] and not failed["missing"]


def test_that_there_is_no_checkpoint_at_all_is_known_whatever_the_words(checkpoints, monkeypatch):
    monkeypatch.setattr(runs, "SHIPPED", ())
    for asked in (None, runs.NEWEST):
        (failed,) = first_messages(asked)
        assert failed["missing"] and "make train" in failed["message"]

    def none(_):
        raise runs.NoCheckpoint("nothing has been trained")

    monkeypatch.setattr(runs, "resolve", none)
    (failed,) = first_messages()
    assert failed["missing"] and failed["message"] == "nothing has been trained"


def in_window(state, header):
    """The state after a message of the reading process."""
    for event in ProcessClassifier(Link(None, None, None))._event(header, []):  # type: ignore[arg-type]
        state = update(state, event)
    return state


def test_a_reader_started_again_that_cannot_load_its_network_leaves_none_on_the_screen(checkpoints):
    (failed,) = first_messages("cnn-1")  # it is in the bin by now
    state = in_window(update(PlayState(), ModelReady(MODEL)), failed)
    assert state.models[0] is None and "does not exist" in state.problem and not state.loading
    assert update(state, ModelReady(MODEL)).problem == ""


@pytest.mark.parametrize("slot", [0, 1])
def test_of_a_network_that_fails_to_load_the_screen_shows_what_still_reads(slot, checkpoints):
    ends = multiprocessing.Pipe()
    process = worker.Worker(ends[1], ends[1], launch.Options())
    state = update(scene("models-two"), ModelReady(MODEL, 1))
    for reads in ((0, 1), (1 - slot,)):
        process._slots = {number: loading.Slot(None, None, True) for number in reads}
        process._failed(InputError("it is damaged"), slot, str(checkpoints))
        after = in_window(state, wire.unpack(ends[0].recv_bytes())[0])
        assert [number for number in (0, 1) if after.models[number]] == list(reads)
        assert after.answers[1] is None or 1 in reads
        assert "it is damaged" in (after.notice, after.problem)


def test_runs_without_a_default_are_not_called_no_checkpoint(checkpoints, monkeypatch):
    runs_shipped = runs.SHIPPED
    copy_run(checkpoints / "cnn-1")
    monkeypatch.setattr(runs, "SHIPPED", ())
    (failed,) = first_messages()
    assert "no default" in failed["message"] and "Models" in failed["message"] and not failed["missing"]
    monkeypatch.setattr(runs, "SHIPPED", runs_shipped)
    assert first_messages()[0]["kind"] == "ready"


def test_a_run_that_lost_its_config_is_listed_as_broken(checkpoints):
    (copy_run(checkpoints / "cnn-1") / "config.json").unlink()
    (error,) = (model.error for model in listing.list_models() if model.name == "cnn-1")
    assert "config.json" in error


def test_the_same_run_in_both_slots_follows_its_new_step_in_both(checkpoints, monkeypatch):
    run = copy_run(checkpoints / "cnn-1")
    process = worker.Worker(*multiprocessing.Pipe(), launch.Options())
    loaded = types.SimpleNamespace(run=run, step=-1)
    process._slots = {slot: loading.Slot(loaded, None, True) for slot in (0, 1)}
    monkeypatch.setattr(process, "_load", lambda path, follow: path)
    seen = {}
    process._watch(seen)
    process._watch(seen)
    taken = [process._results.get().args[0] for _ in range(process._results.qsize())]
    assert taken == [0, 1]


def test_a_step_whose_manifest_comes_after_its_folder_was_seen_is_taken(checkpoints, monkeypatch):
    run = copy_run(checkpoints / "cnn-1")
    process = worker.Worker(*multiprocessing.Pipe(), launch.Options())
    first = runs.best_step(run)
    loaded = types.SimpleNamespace(run=run, step=int(first.name))
    process._slots = {0: loading.Slot(loaded, None, True)}
    asked = []
    monkeypatch.setattr(process, "_load", lambda path, follow: asked.append(path))
    seen = {}
    newer = run / runs.HISTORY / str(loaded.step + 1)
    shutil.copytree(first, newer, ignore=shutil.ignore_patterns(manifest.NAME))
    (run / runs.SUMMARY).unlink(missing_ok=True)
    process._watch(seen)
    assert asked == []
    shutil.copy(first / manifest.NAME, newer)
    process._watch(seen)
    assert asked == [str(newer)]


@pytest.mark.parametrize(("fails", "tried", "taken"), [(2, 3, 1), (99, worker.TRIES, 0)])
def test_a_step_that_could_not_be_loaded_is_tried_again_but_not_for_ever(
    checkpoints, monkeypatch, fails, tried, taken
):
    run = copy_run(checkpoints / "cnn-1")
    process = worker.Worker(*multiprocessing.Pipe(), launch.Options())
    process._slots = {0: loading.Slot(types.SimpleNamespace(run=run, step=-1), None, True)}
    asked = []

    def load(path, follow):
        asked.append(path)
        if len(asked) <= fails:
            raise OSError(24, "Too many open files")
        return path

    monkeypatch.setattr(process, "_load", load)
    seen = {}
    for _ in range(2 * worker.TRIES):
        process._watch(seen)
    assert (len(asked), process._results.qsize()) == (tried, taken)


def test_newer_steps_wait_while_they_are_held_also_one_that_is_on_its_way(checkpoints, monkeypatch):
    run = copy_run(checkpoints / "cnn-1")
    process = worker.Worker(*multiprocessing.Pipe(), launch.Options())
    of_run = types.SimpleNamespace(run=run, step=-1)
    process._slots = {0: loading.Slot(of_run, None, True)}
    newer = loading.Slot(types.SimpleNamespace(run=run, step=936), FakeReader(), True)
    asked, taken = [], []
    monkeypatch.setattr(process, "_load", lambda path, follow: (asked.append(path), newer)[1])
    monkeypatch.setattr(process, "_take", lambda slot, found: taken.append((slot, found)))
    seen = {}
    process._watch(seen)
    process._serve({"kind": "hold", "on": True}, [])
    drain(process)
    process._watch({})
    assert len(asked) == 1 and taken == []
    process._serve({"kind": "hold", "on": False}, [])
    assert taken == [(0, newer)]
    process._serve({"kind": "hold", "on": False}, [])
    process._watch({})
    drain(process)
    assert len(asked) == len(taken) == 2
    held = worker.Worker(*multiprocessing.Pipe(), launch.Options(held=True))
    held._slots = process._slots
    monkeypatch.setattr(held, "_load", process._load)
    held._watch({})
    assert len(asked) == 2


def test_a_newer_step_of_a_network_that_was_removed_meanwhile_does_not_bring_it_back(
    checkpoints, monkeypatch
):
    run = copy_run(checkpoints / "cnn-1")
    process = worker.Worker(*multiprocessing.Pipe(), launch.Options())
    older, newer = (types.SimpleNamespace(run=run, step=step) for step in (-1, 936))
    process._slots = {slot: loading.Slot(older, None, True) for slot in (0, 1)}
    monkeypatch.setattr(process, "_load", lambda path, follow: loading.Slot(newer, None, True))
    monkeypatch.setattr(listing, "info_of", lambda loaded: MODEL)
    monkeypatch.setattr(process, "_warm", True)
    process._watch({})
    process._serve({"kind": "unload", "slot": 1}, [])
    drain(process)
    assert {slot: found.loaded.step for slot, found in process._slots.items()} == {0: 936}


def test_the_first_checkpoint_is_waited_for_until_another_error_than_its_own_is_said(
    checkpoints, monkeypatch
):
    def load(path, follow):
        asked.append(path)
        raise errors[len(asked) - 1]

    asked, errors = [], (InputError("it is unfinished"), MemoryError("no room left"))
    ends = multiprocessing.Pipe()
    process = worker.Worker(ends[1], ends[1], launch.Options())
    process._missing = True
    monkeypatch.setattr(process, "_load", load)
    for _ in range(3):
        process._watch({})
    drain(process)
    assert len(asked) == 2
    assert wire.unpack(ends[0].recv_bytes())[0]["message"] == "no room left"


def test_ink_is_taken_while_nobody_reads_what_was_said_of_the_last(checkpoints, monkeypatch):
    """Both ends' pipes are too small for what is sent."""
    reader = FakeReader()
    large = types.SimpleNamespace(
        heat=np.zeros((28, 28)), without=np.zeros((8, 11)), layers={"1": np.zeros((64, 128, 128), np.uint8)}
    )
    reader.explain = lambda *_: large
    (requests, asking), (told, answers) = (multiprocessing.Pipe(False) for _ in range(2))
    process = worker.Worker(requests, answers, launch.Options())
    process._slots = {0: loading.Slot(types.SimpleNamespace(params=None, step=1), reader, False)}
    process._settled.add(reader)
    for name in ("_first", "_work"):
        monkeypatch.setattr(process, name, lambda: None)
    threading.Thread(target=process.run, daemon=True).start()
    ink = wire.pack(
        {"kind": "ink", "revision": 7, "off": [], "why": True},
        np.linspace([0.0, 0.0], [900.0, 900.0], 6_000),
        np.array([6_000]),
    )

    def ask():
        for _ in range(2):
            asking.send_bytes(ink)

    asks = threading.Thread(target=ask, daemon=True)
    asks.start()
    asks.join(20)
    assert not asks.is_alive()
    kinds = [wire.unpack(told.recv_bytes())[0]["kind"] for _ in range(4)]
    assert kinds == ["answer", "why"] * 2
    asking.send_bytes(wire.pack({"kind": "quit"}))


def test_a_step_by_name_is_followed_where_the_window_says_so(checkpoints):
    step = runs.best_step(copy_run(checkpoints / "cnn-1"))
    for follow in (False, True):
        process = worker.Worker(*multiprocessing.Pipe(), launch.Options(str(step), follow=follow))
        process._first()
        assert process._slots[0].follow is follow


def test_what_is_not_needed_for_the_ink_waits_until_the_pen_rests(checkpoints, monkeypatch):
    monkeypatch.setattr(worker, "QUIET_SECONDS", 0.2)
    ends = multiprocessing.Pipe()
    process = worker.Worker(*ends, launch.Options())
    process._inked = time.monotonic() + 60
    process._serve({"kind": "list"}, [])
    threading.Thread(target=process._work, daemon=True).start()
    process._results.get(timeout=30)()
    assert wire.unpack(ends[0].recv_bytes())[0]["kind"] == "models"
    time.sleep(0.3)
    assert not process._warm
    process._inked = time.monotonic()
    end = time.monotonic() + 30
    while not process._warm and time.monotonic() < end:
        time.sleep(0.01)
        drain(process)
    gc.unfreeze()
    assert process._warm and time.monotonic() > process._inked + worker.QUIET_SECONDS


def drain(process):
    """What the loader's thread has left to the loop."""
    while not process._results.empty():
        process._results.get()()


class FakeReader:
    """A reader that writes down which of its slower functions were called."""

    side = 28

    def __init__(self):
        self.calls = []

    def read(self, params, ends, mask):
        return np.zeros(14 + 784, np.float32)

    def read_staged(self, *args):
        self.calls.append("staged")
        return self.read(*args[:3])

    def explain(self, *args):
        self.calls.append("explain")
        heat, without, maps = np.zeros((28, 28)), np.zeros((8, 11)), np.zeros((1, 2, 2))
        return types.SimpleNamespace(heat=heat, without=without, layers={"1": maps})


def test_ink_is_answered_while_what_the_screen_asks_for_is_still_being_compiled(checkpoints):
    reader = FakeReader()
    calls = reader.calls
    ends = multiprocessing.Pipe()
    process = worker.Worker(ends[1], ends[1], launch.Options())
    loaded = types.SimpleNamespace(params=None, step=1)
    process._slots = {0: loading.Slot(loaded, reader, False)}
    ink = [np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([2])]

    def ask(**header):
        process._serve({"kind": "ink", "revision": 7, "off": [], "why": False} | header, ink)
        return received()

    def received():
        found = []
        while ends[0].poll(0):
            found.append(wire.unpack(ends[0].recv_bytes()))
        return found

    for header, late, call in (
        ({"why": True}, ["answer", "why"], "explain"),
        ({"off": ["mass"]}, ["answer"], "staged"),
    ):
        process._settled.clear()
        calls.clear()
        assert [message[0]["kind"] for message in ask(**header)] == ["answer"] and not calls
        process._settle({})
        gc.unfreeze()
        calls.clear()
        drain(process)
        found = received()
        assert [message[0]["kind"] for message in found] == late and calls == [call]
        assert found[0][0]["revision"] == 7
        ask()
        process._settle({})
        gc.unfreeze()
        drain(process)
        assert process._warm and not received()  # later ink owes nothing


def test_newer_steps_are_looked_for_while_the_other_screens_are_compiled(checkpoints, monkeypatch):
    done = []
    ends = multiprocessing.Pipe()
    process = worker.Worker(ends[1], ends[1], launch.Options())
    loaded = types.SimpleNamespace(params=None, step=1)
    process._slots = {0: loading.Slot(loaded, FakeReader(), True)}
    monkeypatch.setattr(loading, "warm_up", lambda *_: (done.append(name) for name in ("why", "number")))
    monkeypatch.setattr(process, "_watch", lambda seen: done.append("looked"))
    process._settle({})
    gc.unfreeze()
    assert done == ["why", "looked", "number", "looked"]


def test_an_explanation_that_fails_is_a_notice_and_the_answer_stands(checkpoints):
    def fail(*args):
        raise RuntimeError("no room left")

    reader = FakeReader()
    reader.explain = fail
    ends = multiprocessing.Pipe()
    process = worker.Worker(ends[1], ends[1], launch.Options())
    process._slots = {0: loading.Slot(types.SimpleNamespace(params=None, step=1), reader, False)}
    process._settle({})
    gc.unfreeze()
    drain(process)
    header = {"kind": "ink", "revision": 7, "off": [], "why": True}
    process._serve(header, [np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([2])])
    (answer, _), (failed, _) = (wire.unpack(ends[0].recv_bytes()) for _ in range(2))
    assert answer["kind"] == "answer" and answer["last"]
    assert failed["kind"] == "failed" and failed["message"] == "no room left" and not failed["missing"]
    assert not process._missing


def test_an_answer_that_is_to_be_seen_with_its_explanation_waits_for_it(checkpoints):
    reader, sent = FakeReader(), []
    process = worker.Worker(*multiprocessing.Pipe(), launch.Options())
    process._slots = {0: loading.Slot(types.SimpleNamespace(params=None, step=8), reader, False)}
    process._settled.add(reader)
    process._send = lambda header, *arrays: sent.append((header["kind"], list(reader.calls)))  # pyright: ignore
    ink = [np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([2])]
    for together, wanted in ((False, []), (True, ["explain"])):
        reader.calls.clear()
        header = {"kind": "ink", "revision": 7, "off": [], "why": True, "together": together}
        process._serve(header, ink)
        assert sent == [("answer", wanted), ("why", ["explain"])]
        sent.clear()


def test_a_run_that_is_gone_is_said_without_the_command_line_s_words(checkpoints):
    ends = multiprocessing.Pipe()
    process = worker.Worker(*ends, launch.Options())
    gone = checkpoints / "cnn-9"
    with pytest.raises(InputError) as caught:
        process._load(str(gone), True)
    process._failed(caught.value, 0, str(gone))
    failed = wire.unpack(ends[1].recv_bytes())[0] if ends[1].poll(0) else wire.unpack(ends[0].recv_bytes())[0]
    assert failed["message"] == "cnn-9 is not there any more: choose another network in Models."


def test_a_run_whose_only_step_lost_a_file_is_damaged_not_unfinished(checkpoints):
    step = runs.best_step(copy_run(checkpoints / "cnn-1"))
    max((p for p in step.rglob("*") if p.is_file()), key=lambda path: path.stat().st_size).unlink()
    (error,) = (model.error for model in listing.list_models() if model.name == "cnn-1")
    assert "damaged" in error and "missing" in error


def test_of_a_number_that_grows_only_new_strokes_are_read_and_by_another_network_all():
    reader, read = FakeReader(), []

    def number(params, packed):
        read.append(int(packed.mask.any(axis=1).sum()))
        return Logits(jnp.eye(10)[jnp.full(len(packed.mask), params)])

    reader.number = number  # pyright: ignore
    process = worker.Worker(*multiprocessing.Pipe(), launch.Options())
    sent = []
    process._send = lambda header, *arrays: sent.append(header["text"])  # pyright: ignore
    process._settled.add(reader)
    header = {"kind": "ink", "revision": 5, "off": [], "why": False, "number": True}
    strokes = [np.array([[200.0 * place, 50.0], [200.0 * place + 60, 250.0 - place]]) for place in range(3)]
    for params, count in ((1, 2), (1, 3), (1, 3), (2, 3)):
        if not process._slots or process._slots[0].loaded.params != params:
            process._slots = {0: loading.Slot(types.SimpleNamespace(params=params), reader, False)}
        process._serve(header, [np.concatenate(strokes[:count]), np.full(count, 2)])
    assert sent == ["11", "111", "111", "222"] and read == [2, 1, 3]


@pytest.mark.slow
def test_a_whole_number_is_answered_once_its_reading_is_compiled(monkeypatch):
    monkeypatch.setattr("digitjax.numbers.BATCHES", (8, 16))
    ends = multiprocessing.Pipe()
    process = worker.Worker(ends[1], ends[1], launch.Options(str(SHIPPED)))
    process._first()
    one = np.array([[100.0, 50.0], [100.0, 250.0]])
    seven = np.array([[200.0, 50.0], [310.0, 50.0], [240.0, 250.0]])
    points, lengths = np.concatenate([one, seven]), np.array([2, 3])
    header = {"kind": "ink", "revision": 5, "off": [], "why": False, "number": True}
    process._serve(header, [points, lengths])
    process._settle({})
    while not process._results.empty():
        process._results.get()()
    found = []
    while ends[0].poll(0):
        found.append(wire.unpack(ends[0].recv_bytes()))
    kinds = [(message["kind"], message.get("slot")) for message, _ in found]
    assert kinds == [("ready", 0), ("answer", -1), ("number", None)]
    answer, (boxes, odds) = found[-1]
    assert answer["text"] == "17" and answer["revision"] == 5 and odds.shape == (2, 10)
    np.testing.assert_array_equal(boxes, [[100, 50, 100, 250], [200, 50, 310, 250]])
    process._serve(header, [np.zeros((0, 2)), np.zeros(0, np.int64)])
    assert wire.unpack(ends[0].recv_bytes())[0]["text"] == ""
