"""From the window's opening to its closing: how a session ends, with a reading process of pipes alone."""

import gc
import json
import multiprocessing
import shlex
import signal
import time
import types

import numpy as np
import pygame
import pytest

from digitjax.errors import DigitjaxError
from digitjax.strokes import Drawing
from play import app, launch, outside, session, wire
from play.classify import ENDED
from play.events import Closed, KeyPress
from play.launch import Link, Options
from play.replay import Replay
from play.studio import RunSeen
from tests.play.drawings import FOUR, strokes_events
from tests.play.fakes import MODEL, FakeClassifier, Script, make_loop

READY = {"kind": "ready", "info": MODEL._asdict(), "slot": 0}
SIZE = (320, 320)


def reader(*said: dict, ends: bool = False) -> Link:
    """A process that has said so much; then it ends, or is silent for ever."""
    (requests, send), (receive, answers) = multiprocessing.Pipe(False), multiprocessing.Pipe(False)
    for header in said:
        answers.send_bytes(wire.pack(header))
    if ends:
        answers.close()
    process = types.SimpleNamespace(join=lambda _: None, is_alive=lambda: False, pipes=(requests, answers))
    return Link(process, send, receive)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _collected():
    """A session hides what is there from the collector of garbage; the tests after it have some."""
    yield
    gc.unfreeze()


@pytest.fixture
def drawings(tmp_path):
    file = tmp_path / "one.ndjson"
    file.write_text(json.dumps({"word": "1", "drawing": [[[0, 0], [0, 9]]]}) + "\n", encoding="utf-8")
    return str(file)


def test_a_replay_ends_with_the_reason_where_nobody_reads_any_more(tmp_path, drawings, monkeypatch):
    monkeypatch.setattr(launch, "start", lambda options: reader(READY, ends=True))
    begin = launch.start(Options()), Options(), tmp_path
    with pytest.raises(DigitjaxError, match=ENDED) as caught:
        session.run(*begin, stop=session.Stop(), size=SIZE, replay=drawings, headless=True, frames=300)
    assert caught.value.exit_code == 1


def test_a_drawing_that_gets_no_answer_ends_the_replay(tmp_path):
    line = np.array([[0.0, 0.0], [0.0, 1.0]])
    replay = Replay([Drawing((line,))], lambda record: None, patience=0.02)
    loop = make_loop(tmp_path, replay, classifier=FakeClassifier(delay=10**9))
    end = time.monotonic() + 5
    with pytest.raises(DigitjaxError, match="drawing 0 has had no answer"):
        loop.run(lambda state: time.monotonic() > end)
    loop.outside.close()


def test_a_signal_ends_the_wait_for_the_network(tmp_path, drawings):
    stop = session.Stop()
    stop.handle(signal.SIGINT, None)
    code = session.run(reader(), Options(), tmp_path, stop=stop, size=SIZE, replay=drawings, headless=True)
    assert code == 130


def test_a_drawing_that_cannot_be_saved_as_the_window_closes_is_told_once_that_is_gone(
    tmp_path, monkeypatch, capsys
):
    blocked, open_yet, close = tmp_path / "file", [], outside.Outside.close
    blocked.write_text("")
    events = strokes_events(FOUR)
    monkeypatch.setattr(app, "WindowSource", lambda window: Script(events, [KeyPress("4"), Closed()]))

    def closing(self):
        open_yet.append(pygame.display.get_init())
        return close(self)

    monkeypatch.setattr(outside.Outside, "close", closing)
    assert session.run(reader(READY), Options(), blocked, stop=session.Stop(), size=SIZE) == 1
    told = capsys.readouterr().err
    assert told.startswith("digitjax-play: Not saved: ") and told.count("\n") == 1
    assert open_yet == [False]


@pytest.mark.parametrize(
    ("status", "goes_on"), [("training", "goes on training"), ("paused", "waits, paused,"), ("finished", "")]
)
def test_a_training_that_outlives_the_window_is_named_as_that_closes(
    tmp_path, monkeypatch, capsys, status, goes_on
):
    seen = RunSeen(str(tmp_path / "my run"), "my run", status)
    monkeypatch.setattr(app, "WindowSource", lambda window: Script([seen], [Closed()]))
    assert session.run(reader(READY), Options(), tmp_path, stop=session.Stop(), size=SIZE) == 0
    said = capsys.readouterr().err.splitlines()
    if status == "finished":
        assert not said
    else:
        assert len(said) == 1 and f"my run {goes_on} without" in said[0]
        assert f"steer {shlex.quote(seen.path)} --stop" in said[0]


def test_after_a_replay_the_window_goes_on_in_real_time(tmp_path, monkeypatch):
    empty = tmp_path / "none.ndjson"
    empty.write_text('{"word": "1", "drawing": []}', encoding="utf-8")
    stop, clocks, step = session.Stop(), [], app.Loop.step

    def noted(self):
        clocks.append((type(self.clock), self.clock.now()))
        if len(clocks) == 8:
            stop.handle(signal.SIGINT, None)
        return step(self)

    monkeypatch.setattr(app.Loop, "step", noted)
    code = session.run(reader(READY), Options(), tmp_path, stop=stop, size=SIZE, replay=str(empty))
    kinds, moments = zip(*clocks, strict=True)
    assert code == 130 and kinds[0] is app.VirtualClock and kinds[-1] is app.RealClock
    assert list(moments) == sorted(moments), "what was drawn before keeps its times"
