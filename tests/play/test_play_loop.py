"""Whole sessions through the program's one loop, over SDL's dummy driver, with a reader made for tests."""

import errno
import json
import multiprocessing
import os
import socket
import threading
import types

import numpy as np
import pygame
import pytest

from digitjax.runs import SHIPPED
from digitjax.strokes import Drawing
from play import app, ink, launch, wire
from play.answers import Answered, ModelFailed, ModelReady, ReaderEnded
from play.app import MANY_POINTS, WindowSource
from play.classify import AGAIN, ENDED, MOST_ENDS, ProcessClassifier
from play.events import Closed, Event, KeyPress, Notice, PenDown, PenMove, PenUp, Press, Tick
from play.launch import Link, Options
from play.layout import arrange, from_canvas
from play.outside import SETTINGS, load_settings, save_settings
from play.replay import Replay, script
from play.state import Settings
from play.view.theme import PALETTES
from tests.play.fakes import MODEL, FakeClassifier, Script, make_loop, pixels
from tests.play.pictures import paint

DRAW = [PenDown(200, 200, 0.0), PenMove(500, 300, 0.1), PenUp(0.2)]


def test_a_session_draws_answers_labels_and_closes(tmp_path):
    script_ = Script(DRAW, [], [KeyPress("1")], [], [Closed()])
    loop = make_loop(tmp_path, script_)
    state = loop.run()
    loop.outside.close()
    assert state.closing and [s.shown.word for s in script_.states][:3] == ["1", "1", "1"]
    (kept,) = (json.loads(line) for line in (tmp_path / "drawings.ndjson").read_text().splitlines())
    assert kept["word"] == "1" and kept["said"] == "1" and kept["model"] == "cnn-7/42"


def test_the_answer_is_in_the_frame_of_its_ink(tmp_path):
    frames = Script([], DRAW[:1], DRAW[1:2], DRAW[2:])
    loop = make_loop(tmp_path, frames)
    for _ in range(4):
        loop.step()
    words = [(state.shown.word, state.shown.provisional) for state in frames.states]
    assert words == [("", False), ("1", True), ("1", True), ("1", False)]


def test_a_slow_answer_comes_later_and_belongs_to_the_newest_ink(tmp_path):
    frames = Script(DRAW[:1], DRAW[1:2], DRAW[2:], *([[]] * 8))
    classifier = FakeClassifier(delay=2)
    loop = make_loop(tmp_path, frames, classifier=classifier)
    for _ in range(11):
        loop.step()
    answer = loop.state.answers[0]
    assert answer is not None and answer.revision == loop.state.revision == classifier.asked[-1].revision
    assert not loop.state.provisional and len(classifier.asked) < 4


def test_of_very_long_ink_only_parts_are_asked_and_the_end_at_once(tmp_path):
    count, each = 12_000, 20
    points: list[Event] = [
        PenMove(500 + 400 * np.sin(0.031 * i), 500 + 400 * np.sin(0.0173 * i), 0.0) for i in range(count)
    ]
    frames = [points[i : i + each] for i in range(0, count, each)]
    classifier = FakeClassifier()
    loop = make_loop(tmp_path, Script([], DRAW[:1], *frames, [PenUp(1.0)]), classifier=classifier)
    for _ in range(2 + len(frames)):
        loop.step()
    asked = [ink.count_points(query.strokes) for query in classifier.asked]
    short = [points for points in asked if points <= MANY_POINTS]
    assert len(short) == MANY_POINTS // each + 1  # every frame's
    assert len(asked) - len(short) < 250 < len(frames) - len(short)
    loop.step()
    assert ink.count_points(classifier.asked[-1].strokes) == count + 1
    assert loop.state.answers[0] is not None and not loop.state.provisional


@pytest.mark.parametrize(("is_digit", "said"), [(None, "1"), (0.49, "not a digit"), (0.5, "1")])
def test_networks_with_a_head_for_no_digit_and_without_one(tmp_path, is_digit, said):
    classifier = FakeClassifier(is_digit=is_digit)
    frames = Script([], DRAW[:1], DRAW[1:2], DRAW[2:], [KeyPress("n")])
    loop = make_loop(tmp_path, frames, classifier=classifier)
    for _ in range(5):
        loop.step()
    loop.outside.close()
    words = [(state.shown.word, state.shown.provisional) for state in frames.states]
    assert words[1:4] == [("1", True), ("1", True), (said, False)]
    (kept,) = (json.loads(line) for line in (tmp_path / "drawings.ndjson").read_text().splitlines())
    assert (kept["said"], kept["is_digit"], kept["word"]) == (said, is_digit, "not-a-digit")


def test_ink_drawn_before_the_network_came_is_answered(tmp_path):
    classifier = FakeClassifier(model=None)
    classifier.ask = lambda query: False  # as while it loads
    loop = make_loop(tmp_path, Script(DRAW), classifier=classifier)
    loop.step()
    assert loop.state.loading and loop.state.shown.word == ""
    del classifier.ask
    classifier._events.append(ModelReady(MODEL))
    for _ in range(3):
        loop.step()
    assert loop.state.shown.word == "1"


def test_screens_models_and_gallery_ask_outside(tmp_path):
    frames = Script([Press("screen:models")], [], [Press("model:bad")], [Press("screen:gallery")], [], [])
    loop = make_loop(tmp_path, frames)
    for _ in range(3):
        loop.step()
    assert [model.name for model in loop.state.listed] == ["cnn-7", "bad"]
    assert loop.state.notice == "it is damaged"
    loop.step()
    loop.outside.poll(wait=True)
    assert loop.state.screen == "gallery"


def test_frames_that_take_longer_than_a_sixtieth_count_what_was_dropped(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("play.app.time", types.SimpleNamespace(perf_counter=lambda: now[0]))

    class Slow(Script):
        def take(self, state, layout, controls, time):
            now[0] += took.pop(0)
            return super().take(state, layout, controls, time)

    took = [0.010, 0.040, 0.010, 0.110]
    source = Slow([KeyPress("f3")])
    loop = make_loop(tmp_path, source)
    dropped = []
    for _ in range(4):
        loop.step()
        dropped.append(loop.dropped)
    assert dropped == [0, 2, 2, 8]
    assert loop.state.numbers.dropped == 8 and loop.state.numbers.frame == pytest.approx(110)


def test_frames_are_rare_while_nothing_happens_and_an_event_ends_the_wait(monkeypatch):
    now, happens = 0.0, 20.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds + 1e-6

    monkeypatch.setattr(app, "time", types.SimpleNamespace(perf_counter=lambda: now, sleep=sleep))
    monkeypatch.setattr(pygame.event, "peek", lambda: now >= happens)
    clock, frames = app.RealClock(), []
    while now < happens:
        clock.next_frame(False)
        frames.append(now)
    assert 235 < len(frames) < 255, "60 in the first second, ten in each of nineteen"
    assert now - happens < 0.01
    happens = np.inf
    frames.clear()
    while now < 20.9:
        clock.next_frame(False)
        frames.append(now)
    assert np.diff(frames).max() < 0.018, "somebody is there again"
    now = 30.0
    for busy in (True, True, False):
        clock.next_frame(busy)
        frames.append(now)
    assert np.diff(frames[-3:]).max() < 0.018, "what moves goes on moving"
    for phase in np.linspace(0, 0.1, 41):
        now += 5.0
        clock.next_frame(False)
        began, happens = now, now + phase
        clock.next_frame(False)
        happens, waited = np.inf, now
        if waited - began < 0.0999:  # seen, or it came with the frame's very end
            clock.next_frame(False)
            assert now - waited < 0.018, phase


def test_what_happens_after_a_rest_begins_when_it_happens(tmp_path):
    script_ = Script(DRAW, *[[] for _ in range(90)], [Press("clear")], [])
    loop = make_loop(tmp_path, script_)
    for _ in range(91):
        loop.step()
        loop.clock.next_frame(False)
    full = max(loop.state.bars)
    assert full > 0.5 and loop.state.bars == loop.state.bars_goal and not loop.busy
    for _ in range(6):  # as long as a frame at rest
        loop.clock.next_frame(False)
    loop.step()
    assert loop.busy and max(loop.state.bars) == full, "they have not yet begun to fall"
    loop.outside.close()


def test_settings_that_cannot_be_written_leave_the_old_ones_and_no_half_a_file(tmp_path, monkeypatch):
    save_settings(tmp_path, Settings("light", "large", 3)._asdict())

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert save_settings(tmp_path, Settings()._asdict()) == []
    assert [path.name for path in tmp_path.iterdir()] == [SETTINGS]
    assert load_settings(tmp_path) == Settings("light", "large", 3)


def test_settings_come_back_at_the_next_start(tmp_path):
    loop = make_loop(tmp_path, Script([KeyPress("t"), KeyPress("]"), KeyPress("+")]))
    loop.step()
    loop.outside.close()
    assert load_settings(tmp_path) == Settings("light", "large", 3)
    for nonsense in ('{"theme": 3}', "[]", "{", '{"theme": "dark", "text_size": "normal", "pen": 99}'):
        (tmp_path / SETTINGS).write_text(nonsense)
        assert load_settings(tmp_path) == Settings()


def test_real_pygame_events_draw_on_the_window(tmp_path):
    loop = make_loop(tmp_path, size=(800, 600))
    loop.sources = [WindowSource(loop.window)]
    loop.step()
    layout = arrange(loop.state)
    before = pixels(loop).copy()
    places = [from_canvas(layout, 300, 300), from_canvas(layout, 600, 600)]
    at = [(int(x), int(y)) for x, y in places]
    pygame.event.post(pygame.Event(pygame.MOUSEBUTTONDOWN, pos=at[0], button=1, touch=False))
    pygame.event.post(pygame.Event(pygame.MOUSEMOTION, pos=at[1], rel=(9, 9), buttons=(1, 0, 0), touch=False))
    pygame.event.post(pygame.Event(pygame.MOUSEBUTTONUP, pos=at[1], button=1, touch=False))
    loop.step()
    x, y = (int(v) for v in from_canvas(layout, 450, 450))
    assert before[y, x].max() < 40 and pixels(loop)[y, x].min() > 200
    assert loop.state.shown.word == "1"


def test_strokes_of_one_frame_stay_strokes(tmp_path):
    loop = make_loop(tmp_path, size=(800, 600))
    loop.sources = [WindowSource(loop.window)]
    loop.step()
    canvas = arrange(loop.state).canvas
    for i in range(100):
        x, y = canvas.x + 10 + i % 10 * 20, canvas.y + 10 + i // 10 * 20
        places = [(x + 5 * k, y + 5 * k) for k in range(3)]
        pygame.event.post(pygame.Event(pygame.MOUSEBUTTONDOWN, pos=places[0], button=1, touch=False))
        for place in places[1:]:
            moved = {"pos": place, "rel": (5, 5), "buttons": (1, 0, 0), "touch": False}
            pygame.event.post(pygame.Event(pygame.MOUSEMOTION, moved))
        pygame.event.post(pygame.Event(pygame.MOUSEBUTTONUP, pos=places[-1], button=1, touch=False))
    loop.step()
    assert [len(stroke.points) for stroke in loop.state.strokes] == [3] * 100


def test_a_resize_keeps_the_ink(tmp_path):
    loop = make_loop(tmp_path, Script(DRAW), size=(800, 600))
    loop.step()
    loop.window.surface = pygame.display.set_mode((1000, 700), pygame.RESIZABLE)
    loop.step()
    assert (loop.state.width, loop.state.height) == (1000, 700) and len(loop.state.strokes) == 1
    x, y = (int(v) for v in from_canvas(arrange(loop.state), 350, 250))
    assert pixels(loop)[y, x].min() > 200


def test_the_window_has_an_icon_of_its_own(tmp_path, monkeypatch):
    icons: list[pygame.Surface] = []
    monkeypatch.setattr(pygame.display, "set_icon", icons.append)
    make_loop(tmp_path)
    colors = {tuple(icons[0].get_at((x, y))) for x in range(64) for y in range(64)}
    palette = PALETTES["dark"]
    assert {(*color, 255) for color in (palette.raised, palette.ink, palette.accent)} < colors


def test_the_window_is_as_it_was_after_full_screen(tmp_path, recwarn):
    loop = make_loop(tmp_path, Script(DRAW, [KeyPress("f11")], [], [KeyPress("f11")]), size=(800, 600))
    loop.sources = [*loop.sources, WindowSource(loop.window)]
    for _ in range(3):
        loop.step()
    assert loop.state.fullscreen and (loop.state.width, loop.state.height) != (800, 600)
    for _ in range(60):
        loop.step()
    assert not loop.state.fullscreen and (loop.state.width, loop.state.height) == (800, 600)
    anew = pygame.surfarray.array3d(paint(loop.state)).swapaxes(0, 1)
    assert (pixels(loop) == anew).all() and not recwarn


@pytest.mark.parametrize(("rejects", "empty"), [(False, None), (True, 0.0)])
def test_replay_reports_every_drawing_in_order_once(rejects, empty, tmp_path):
    square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    drawings = [
        Drawing((square,), None, "7"),
        Drawing((), None, None),
        Drawing((square, square + 1), (np.array([0.0, 20.0, 40.0]), np.array([60.0, 61.0, 1e9])), "2"),
        Drawing((np.zeros((1, 2)),), None, "1"),
    ]
    lines: list[dict] = []
    replay = Replay(drawings, lines.append)
    loop = make_loop(tmp_path, replay, classifier=FakeClassifier(model=MODEL._replace(rejects=rejects)))
    loop.run(lambda state: replay.done)
    assert [(line["index"], line["word"], line["answer"]) for line in lines] == [
        (0, "7", "1"),
        (1, None, ""),
        (2, "2", "2"),
        (3, "1", "1"),
    ]
    assert set(lines[0]) == {"index", "word", "answer", "probabilities", "is_digit", "ms"}
    assert [line["is_digit"] for line in lines] == [0.99, empty, 0.99, 0.99]
    assert len(lines[0]["probabilities"]) == 10 and set(lines[0]["ms"]) == {"ink_to_answer", "frame"}


@pytest.mark.parametrize("points", [10, 11])
def test_ink_beyond_what_a_drawing_may_hold_is_said_to_be_cut(points, tmp_path, monkeypatch):
    monkeypatch.setattr(ink, "MAX_POINTS", 10)
    stroke = np.array([[i, i % 2] for i in range(points - 2)], float)
    lines: list[dict] = []
    replay = Replay([Drawing((stroke, stroke[:2] + 3)), Drawing((stroke,))], lines.append)
    make_loop(tmp_path, replay).run(lambda state: replay.done)
    assert [line.get("cut", False) for line in lines] == [points > 10, False]


def test_a_bad_line_behind_good_ones_is_told_before_anything_is_printed(tmp_path, capsys):
    from play.__main__ import main

    good = json.dumps({"word": "1", "drawing": [[[0, 0], [0, 9]]]})
    file = tmp_path / "a.ndjson"
    file.write_text(f"{good}\n{good.replace('9', 'NaN')}\n", encoding="utf-8")
    args = ["--headless", "--replay", str(file), "--user-dir", str(tmp_path), "--checkpoint", str(SHIPPED[1])]
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == "" and f"{file}:2: " in err


def test_replayed_ink_moves_at_a_box_height_and_a_half_a_second():
    line = Drawing((np.array([[0.0, 0.0], [0.0, 30.0]]), np.array([[1.0, 30.0], [1.0, 0.0]])), None, "1")
    timed = list(script(line))
    assert timed[-1][0] == pytest.approx(2 / 1.5)
    ys = [event.y for _, event in timed if isinstance(event, PenDown | PenMove)]
    assert max(ys) - min(ys) == pytest.approx(600)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [1e308, 5e-324, 1e-310, 1.0])
def test_ink_of_any_extent_is_replayed_at_once_and_in_full_size(far):
    ink = np.array([[-far, -far], [far, far]])
    events = list(script(Drawing((ink,))))
    assert events[-1][0] < 2.0
    assert np.allclose(
        [(e.x, e.y) for _, e in events if isinstance(e, PenDown | PenMove)], [[200, 200], [800, 800]]
    )


def test_an_answer_that_is_no_number_becomes_a_notice():
    header = {"kind": "answer", "revision": 1, "slot": 0, "last": True, "ms": 1.0, "side": 28, "step": 1}
    header["origin"] = [0.0, 0.0]
    vector = np.zeros(14 + 784, np.float32)
    vector[0], vector[10:14] = 1.0, np.nan
    classifier = ProcessClassifier(Link(None, None, None))  # type: ignore[arg-type]
    (sound,) = classifier._event(dict(header), [vector])
    assert isinstance(sound, Answered) and sound.is_digit is None and sound.fit is None
    for place, wrong in [(3, np.nan), (0, np.inf), (10, np.inf), (11, np.inf), (12, -np.inf), (20, np.nan)]:
        bad = vector.copy()
        bad[11:14] = 1.0
        bad[place] = wrong
        (event,) = classifier._event(dict(header), [bad])
        assert isinstance(event, Notice) and "no number" in event.text
    why = {"kind": "why", "revision": 1, "digit": 3, "layers": []}
    arrays = [np.full((28, 28), np.nan, np.float32), np.zeros((1, 11), np.float32)]
    (event,) = classifier._event(why, arrays)
    assert isinstance(event, Notice)


class Readers:
    """Reading processes that are pipes alone: `end` is the death of the newest."""

    def __init__(self, monkeypatch):
        self.options: list[Options] = []
        monkeypatch.setattr(launch, "start", self.start)

    def start(self, options: Options) -> Link:
        self.options.append(options)
        (self.requests, send), (receive, self.answers) = (
            multiprocessing.Pipe(False),
            multiprocessing.Pipe(False),
        )
        process = types.SimpleNamespace(join=lambda _: None, is_alive=lambda: False)
        return Link(process, send, receive)  # type: ignore[arg-type]

    def say(self, **header):
        self.answers.send_bytes(wire.pack(header))

    def end(self):
        self.requests.close()
        self.answers.close()


def test_the_reading_process_is_started_again_with_what_it_had(tmp_path, monkeypatch):
    readers = Readers(monkeypatch)
    (tmp_path / "cnn-7" / "history" / "42").mkdir(parents=True)
    model, second = MODEL._replace(path=str(tmp_path / "cnn-7")), MODEL._replace(path="/runs/cnn-8")
    classifier = ProcessClassifier(launch.start(Options()), Options())
    loop = make_loop(tmp_path, Script(DRAW), classifier=classifier)
    for slot, info in enumerate((model, second)):
        readers.say(kind="ready", info=info._asdict(), slot=slot)
    loop.step()
    loop._apply(KeyPress("1"))
    classifier.hold(True)
    classifier.load("/runs/cnn-9", 0)
    before = loop.state
    readers.end()
    loop.step()
    assert loop.state.notice == AGAIN and loop.state.models == before.models
    assert (loop.state.strokes, loop.state.labelled) == (before.strokes, "1") and before.strokes
    assert readers.options[1] == Options(f"{model.path}/42", follow=True, held=True)
    load, _ = wire.unpack(readers.requests.recv_bytes())
    assert (load["kind"], load["path"], load["slot"]) == ("load", second.path, 1)
    readers.say(kind="ready", info=model._asdict(), slot=0)
    loop.step()
    loop.step()
    asked, _ = wire.unpack(readers.requests.recv_bytes())
    assert (asked["kind"], asked["revision"]) == ("ink", loop.state.revision)
    loop.outside.close()


def test_what_was_being_loaded_as_the_reading_process_ended_is_said_not_to_be(tmp_path, monkeypatch):
    readers = Readers(monkeypatch)
    classifier = ProcessClassifier(launch.start(Options()), Options("there/cnn-7/42"))
    readers.say(kind="ready", info=MODEL._asdict(), slot=0)
    classifier.poll(0)
    classifier.load("/runs/cnn-9", 0)
    readers.end()
    failed, said = classifier.poll(0)
    assert isinstance(failed, ModelFailed) and (failed.path, failed.slot) == ("/runs/cnn-9", 0)
    assert "cnn-9 was not loaded" in failed.message and said == Notice(AGAIN)
    assert readers.options[1] == Options(MODEL.path, follow=False), "the step is no folder any more"


def test_one_that_ends_again_and_again_is_not_started_any_more_and_the_sentence_stays(tmp_path, monkeypatch):
    readers = Readers(monkeypatch)
    classifier = ProcessClassifier(launch.start(Options()), Options())
    loop = make_loop(tmp_path, Script(DRAW), classifier=classifier)
    readers.say(kind="ready", info=MODEL._asdict(), slot=0)
    for _ in range(MOST_ENDS):
        loop.step()
        readers.end()
    for _ in range(600):
        loop._apply(Tick(loop.state.time + 1))
    loop.step()
    loop.outside.close()
    assert len(readers.options) == MOST_ENDS and loop.state.problem == ENDED and loop.state.strokes
    assert loop.state.models[0] is None and not loop.state.notice and loop.state.provisional
    classifier.load("/runs/cnn-9", 0)
    assert classifier.poll(0) == [ModelFailed(ENDED, path="/runs/cnn-9")] and classifier.poll(0) == []
    alone = ProcessClassifier(launch.start(Options()))
    readers.end()
    assert alone.poll(0) == [ReaderEnded(ENDED)] and alone.poll(0) == []


def test_a_frame_waits_for_its_answer_past_what_comes_before_it():
    receive, send = multiprocessing.Pipe(duplex=False)
    classifier = ProcessClassifier(Link(None, None, receive))  # type: ignore[arg-type]
    classifier._due = True
    send.send_bytes(wire.pack({"kind": "ready", "info": MODEL._asdict(), "slot": 0}))
    answered = {"kind": "answer", "revision": 1, "slot": 0, "last": True, "ms": 1.0, "side": 28, "step": 1}
    message = wire.pack(answered | {"origin": [0.0, 0.0]}, np.zeros(14 + 784, np.float32))
    later = threading.Timer(0.05, send.send_bytes, [message])
    later.start()
    assert [type(event) for event in classifier.poll(5)] == [ModelReady, Answered]
    later.join()


def test_no_socket_is_opened(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    frames = Script(
        DRAW, [KeyPress("1")], [Press("screen:gallery")], [Press("export:ndjson")], [Press("import")]
    )
    loop = make_loop(tmp_path, frames)
    for _ in range(6):
        loop.step()
    loop.outside.close()
    assert (tmp_path / "drawings.ndjson").exists()


@pytest.mark.parametrize("missing", ["a driver that SDL lacks", "SDL's unseen screen in its place"])
def test_without_a_display_one_sentence_and_exit_code_1(missing, tmp_path, monkeypatch, capsys):
    from play.__main__ import main

    pygame.display.quit()
    if missing.startswith("SDL"):
        monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
        monkeypatch.setattr(pygame.display, "init", lambda: monkeypatch.delenv("SDL_VIDEODRIVER"))
    else:
        monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    assert main(["--frames", "1", "--user-dir", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "no window can be opened" in err and "--headless" in err and err.count("\n") == 1
