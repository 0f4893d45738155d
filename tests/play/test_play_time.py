"""The time machine: its sliders, what each step says, and the steps in the reading process's memory."""

import multiprocessing
import shutil

import jax
import numpy as np
import pygame
import pytest

from digitjax import manifest, runs
from digitjax.checkpoint import Saver, load_model, load_params
from digitjax.config import ModelConfig, TrainConfig
from digitjax.prepare import fresh_state
from play import launch, loading, timeline, wire, worker
from play.answers import Filmed, FramesListed, KeptStep, ModelReady
from play.effects import Film, ShowStep
from play.events import Focus, KeyPress, PenDown, PenMove, PenUp, Press
from play.ink import Stroke, seconds
from play.layout import arrange
from play.reader import make_reader
from play.translate import Pointer, translate
from play.update import update
from play.view import time as time_view
from play.view.frame import controls_of
from tests.play.drawings import FOUR, strokes_events
from tests.play.fakes import FakeClassifier, Script, make_loop
from tests.play.looking import texts_on
from tests.play.made_up import CNN, SMALL, answer
from tests.play.scenes import scene

CONFIG = TrainConfig(model=ModelConfig(kind="mlp", hidden=(8,)))


def test_a_drawing_comes_back_in_its_own_time():
    ink = (
        Stroke(((0.0, 0.0), (1.0, 0.0), (2.0, 0.0)), (10.0, 10.5, 11.0)),
        Stroke(((5.0, 5.0), (6.0, 5.0)), (13.0, 14.0)),
    )
    assert seconds(ink) == 4.0 and timeline.until(ink, 1.0) is ink
    counts = [[len(s.points) for s in timeline.until(ink, part)] for part in (0.0, 0.13, 0.5, 0.75, 0.9)]
    assert counts == [[1], [2], [3], [3, 1], [3, 1]]
    timeless = tuple(Stroke(s.points, (3.0,) * len(s.points)) for s in ink)
    counts = [[len(s.points) for s in timeline.until(timeless, part)] for part in (0.0, 0.4, 0.8)]
    assert counts == [[1], [2], [3, 1]]
    assert timeline.until((), 0.5) == ()


def test_learnt_is_since_when_nothing_else_was_said():
    said = [(word, 0.5) for word in "1494999"]
    assert timeline.learnt(said) == 4 and timeline.learnt(said[:1]) == 0 and timeline.learnt(()) is None


def test_of_a_network_with_one_step_nothing_is_said_of_when_it_learnt():
    state = update(scene("time"), FramesListed(CNN.path, (KeptStep(9360, 0.99, True),), True))
    state = update(state, Filmed(CNN.path, state.revision, (("4", 0.9),)))
    assert "The only step that is kept says 4." in texts_on(state)


def test_the_slider_goes_through_the_steps_and_back_to_the_newest():
    state = scene("time")._replace(effects=())
    steps = [frame.step for frame in state.timeline.frames]
    start = update(state, Press("slide:frame=0"))
    assert start.effects == (ShowStep(0),) and start.timeline.shown == 0
    assert update(start, Press("slide:frame=0.0000")).effects == start.effects
    for event in (KeyPress("right"), Press("slide:frame=+")):
        assert update(start, event).effects[-1] == ShowStep(steps[1])
    focused = update(start, Focus("slide:frame"))
    assert update(focused, KeyPress("right")).effects[-1] == ShowStep(steps[1])
    assert update(start, KeyPress("left")) == start
    end = update(start, KeyPress("end"))
    assert end.effects[-1] == ShowStep(steps[-1]) and update(end, KeyPress("home")).timeline.shown == 0
    drawing = update(start, Focus("slide:part"))
    assert update(drawing, KeyPress("home")).timeline.part == 0
    assert update(update(drawing, KeyPress("home")), KeyPress("end")).strokes == start.strokes
    for nonsense in ("slide:frame=nan", "slide:frame=7", "slide:frame", "slide:x=0.5", "slide:part=1e400"):
        assert update(start, Press(nonsense)) == start
    away = update(start, Press("screen:draw"))
    assert away.effects[-1] == ShowStep(None) and away.timeline.at is None
    back = update(away, Press("screen:time"))
    assert back.effects[-1] == Film(CNN.path) and back.timeline.frames == state.timeline.frames


def test_the_colours_of_the_ink_are_named_and_a_lone_step_has_no_slider():
    state = scene("time")
    assert {"Ink: against 4", "for 4"} <= set(texts_on(state))
    assert {c.action for c in time_view.controls(state, arrange(state))} == {"slide:frame", "slide:part"}
    line = state.timeline
    alone = state._replace(timeline=line._replace(frames=line.frames[-1:], said=line.said[-1:], at=None))
    assert time_view.ONE_STEP in texts_on(alone) and time_view.ONE_STEP not in texts_on(state)
    assert [c.action for c in time_view.controls(alone, arrange(alone))] == ["slide:part"]


def test_a_slider_that_is_dragged_keeps_the_arrow_keys():
    state = update(update(scene("time"), Focus("slide:part")), Press("slide:part=0.5000"))
    assert state.focus == "slide:part"
    on = update(state, KeyPress("right"))
    assert on.timeline.part > 0.5 and on.timeline.shown == state.timeline.shown
    assert update(state, Press("slide:frame=0.5000")).focus is None


def test_the_card_the_strip_and_the_bars_are_of_the_step_that_has_answered():
    """Whatever the order in which the slider, the network and its answer come."""
    state = scene("time")
    at, steps = state.timeline.shown, [frame.step for frame in state.timeline.frames]

    def said(state) -> tuple[bool, tuple[float, ...]]:
        texts = texts_on(state)
        cards = {step for step in steps if any(text.startswith(f"Step {step:,}:") for text in texts)}
        assert cards == {state.step} and f"{CNN.name}, step {state.step}" in texts
        return state.step, state.bars

    before = said(state)
    assert before[0] == steps[at]
    moved = update(state, Press("slide:frame=+"))
    assert said(moved) == before and moved.timeline.shown == at + 1
    taken = update(moved, ModelReady(CNN._replace(step=steps[at + 1])))
    assert said(taken) == before
    given = answer(taken, digit=9, sure=0.8)._replace(step=steps[at + 1])
    answered = update(taken, given)
    assert said(answered) == (steps[at + 1], given.probabilities)
    empty = update(update(answered, Press("clear")), Press("slide:frame=0"))
    assert empty.step == steps[at + 1] and update(empty, ModelReady(CNN._replace(step=0))).step == 0


def test_all_steps_are_asked_once_for_a_drawing(tmp_path):
    state = scene("time", 640, 480)
    unasked = state._replace(timeline=state.timeline._replace(said_ink=None))
    loop = make_loop(tmp_path, Script(), classifier=FakeClassifier(model=None), state=unasked)
    loop.step()
    loop._apply(Filmed(CNN.path, loop.state.revision, state.timeline.said))
    for step in (8, 64):
        loop._apply(ModelReady(CNN._replace(step=step)))
        loop.step()
    asked = loop.classifier.asked  # pyright: ignore
    assert [query.film for query in asked] == [True, False, False]
    assert all(query.together for query in asked)
    loop.outside.close()
    loop.window.close()


def test_another_network_brings_its_own_steps():
    state = update(scene("time")._replace(effects=()), ModelReady(SMALL))
    assert state.effects == (Film(SMALL.path),) and state.timeline.frames == ()
    late = FramesListed(CNN.path, scene("time").timeline.frames, True)
    assert update(state, late).timeline.frames == ()


def test_a_newer_step_joins_the_others_and_the_slider_stays():
    state = update(scene("time"), Press("slide:frame=0"))._replace(effects=())
    newer = CNN._replace(step=99_999)
    state = update(state, ModelReady(newer))
    assert state.effects == (Film(newer.path), ShowStep(0))
    frames = state.timeline.frames
    state = update(state, FramesListed(newer.path, frames[:2], False))
    assert state.timeline.frames == frames, "those that come again take none away"
    before = state.revision
    state = update(state, FramesListed(newer.path, (*frames, KeptStep(99_999)), True))
    assert state.timeline.frames[-1].step == 99_999 and state.timeline.shown == 0
    assert state.revision > before, "all of them are asked anew"
    shown = CNN._replace(step=frames[0].step)
    assert update(state._replace(effects=()), ModelReady(shown)).effects == (), "one that the slider chose"


def test_escape_leaves_the_time_machine_as_a_tab_does():
    state = update(update(scene("time"), Press("slide:frame=0")), Press("slide:part=0.5"))
    assert state.timeline.ink is not None
    by_key, by_tab = (
        update(state._replace(effects=()), e) for e in (KeyPress("escape"), Press("screen:draw"))
    )
    assert by_key.screen == "draw" and by_key.strokes == by_tab.strokes == scene("time").strokes
    assert by_key.effects == by_tab.effects and ShowStep(None) in by_key.effects


def test_answers_of_all_steps_are_for_their_ink_alone():
    state = scene("time")
    said = tuple(("7", 0.5) for _ in state.timeline.frames)
    assert update(state, Filmed(CNN.path, state.revision, said)).timeline.said == said
    for wrong in (
        Filmed("/other", state.revision, said),
        Filmed(CNN.path, state.revision + 1, said),
        Filmed(CNN.path, state.revision, said[1:]),
    ):
        assert update(state, wrong).timeline.said == state.timeline.said
    cleared = update(state, Press("clear"))
    old = update(cleared, Filmed(CNN.path, state.revision, said))
    assert old.timeline.said != said


@pytest.mark.parametrize(
    "event", [PenDown(5.0, 5.0, 9.0), Press("undo"), Press("label:4"), Press("screen:draw"), KeyPress("c")]
)
def test_whatever_happens_to_a_part_of_a_drawing_happens_to_the_whole(event):
    state = scene("time")._replace(effects=())
    part = update(state, Press("slide:part=0.5"))
    assert len(part.strokes) == 1 and part.timeline.ink == state.strokes and part.past == state.past
    after, wanted = update(part, event), update(state, event)
    assert after.timeline.ink is None and [s.points for s in after.strokes] == [
        s.points for s in wanted.strokes
    ]
    for one, other in zip(after.effects, wanted.effects, strict=True):
        assert one == other or (one.ink == other.ink and one.word == other.word)  # pyright: ignore
    assert update(part, Press("slide:part=1")).strokes == state.strokes


def test_a_line_under_way_ends_where_the_drawing_goes_back_in_time():
    """Else it would go on in a part of the drawing, and be lost as the whole comes back."""
    drawing = update(update(scene("time"), PenDown(5.0, 5.0, 9.0)), PenMove(60.0, 5.0, 9.5))
    part = update(update(drawing, Press("slide:part=-")), PenMove(90.0, 5.0, 10.0))
    assert not part.pen_down and part.revision > drawing.revision
    back = update(part, Press("slide:part=1"))
    assert [s.points for s in back.strokes] == [s.points for s in drawing.strokes]


def test_all_steps_are_asked_when_the_pen_is_up(tmp_path):
    script = Script([Press("screen:time")], strokes_events(FOUR[:1])[:-1], [], [PenUp(1.0)], [])
    loop = make_loop(tmp_path, script)
    for _ in range(5):
        loop.step()
    assert [query.film for query in loop.classifier.asked] == [False, True]  # pyright: ignore
    assert all(query.why for query in loop.classifier.asked)  # pyright: ignore
    loop.outside.close()
    loop.window.close()


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_a_slider_follows_the_pointer_beyond_its_ends(kind):
    state = scene("time", 800, 600)
    layout = arrange(state)
    controls = controls_of(state, layout)
    rect = next(control.rect for control in controls if control.action == "slide:frame")
    found, pointer = [], Pointer()
    for number, x in enumerate((rect.x, rect.x + rect.w // 2, rect.right + 300)):
        y = rect.y + 3
        if kind == "mouse":
            about = {"pos": (x, y), "button": 1, "buttons": (1, 0, 0), "touch": False}
            event = pygame.event.Event(pygame.MOUSEMOTION if number else pygame.MOUSEBUTTONDOWN, **about)
        else:
            event = pygame.event.Event(
                pygame.FINGERMOTION if number else pygame.FINGERDOWN, x=x / 800, y=y / 600, finger_id=4
            )
        pointer, events = translate(event, pointer, layout, controls, focus=None, time=0.0)
        found += events
    parts = [float(event.action.partition("=")[2]) for event in found]
    assert parts == pytest.approx([0, 0.5, 1], abs=0.01)


def drain(process):
    """What the loader's thread has left to the loop."""
    while not process._results.empty():
        process._results.get()()


@pytest.fixture
def process(tmp_path):
    """A worker with a run of three steps whose params differ, its last in use, and what it sends."""
    run = tmp_path / "run"
    run.mkdir()
    runs.write_config(run, CONFIG)
    state = fresh_state(CONFIG)
    with Saver(run) as saver:
        for step, accuracy in ((0, None), (4, 0.7), (9, 0.9)):
            state = state._replace(
                params=jax.tree.map(lambda leaf, step=step: leaf * (1 + step) - 0.01 * step, state.params),
                step=np.int32(step) + jax.numpy.zeros((), np.int32),
            )
            saver.save(state, {"accuracy": accuracy, "score": accuracy}, full=False, keep_params=True)
    receive, send = multiprocessing.Pipe(duplex=False)
    made = worker.Worker(receive, send, launch.Options())
    loaded = load_model(run)
    made._slots = {0: loading.Slot(loaded, make_reader(loaded.model, CONFIG.model), True)}
    yield made, run, receive
    receive.close()
    send.close()


def sent(receive) -> list:
    found = []
    while receive.poll(0):
        found.append(wire.unpack(receive.recv_bytes()))
    return found


def test_the_kept_steps_answer_as_they_do_from_the_disk(process):
    made, run, receive = process
    made._load_film(str(run))
    drain(made)
    frames = [header for header, _ in sent(receive)]
    assert [header["whole"] for header in frames] == [False, False, False, True]
    assert frames[-1]["frames"] == [[0, None, False], [4, 0.7, True], [9, 0.9, True]]
    points = np.concatenate([np.array(line) for line in FOUR])
    header = {"revision": 3, "off": [], "why": False, "film": True}
    arrays = [points, np.array([len(line) for line in FOUR])]
    made._answer(header, arrays)
    (_, answer), (about, said) = ((h, a[0]) for h, a in sent(receive))
    assert about["kind"] == "filmed" and about["revision"] == 3
    slot = made._slots[0]
    from digitjax.segments import pack

    packed = pack([np.array(line) for line in FOUR])
    for row, step in zip(said, (0, 4, 9), strict=True):
        params = load_params(run / runs.HISTORY / str(step), slot.loaded.model)
        direct = np.asarray(slot.reader.read(params, packed.ends, packed.mask))
        np.testing.assert_array_equal(row, direct[:11])
    assert not np.allclose(said[0], said[1])
    for step, wanted in ((4, said[1]), (0, said[0]), (-1, said[2])):
        made._show_step(step)
        made._answer(header | {"film": False}, arrays)
        (ready, _), (_, (vector,)) = sent(receive)
        assert ready["kind"] == "ready" and ready["info"]["step"] == (9 if step < 0 else step)
        np.testing.assert_array_equal(vector[:11], wanted)
        assert made._slots[0].follow == (step < 0), "a step of the past is not replaced by a newer one"
    np.testing.assert_array_equal(answer[:11], said[2])


def test_a_newer_step_that_comes_while_an_older_one_is_shown_waits_behind_it(process):
    made, run, receive = process
    made._slots[0] = made._slots[0]._replace(loaded=made._slots[0].loaded._replace(step=8))
    made._load_film(str(run))
    drain(made)
    made._watch({})
    made._show_step(4)
    drain(made)
    shown = made._slots[0].loaded.step
    made._show_step(-1)
    assert (shown, made._slots[0].loaded.step) == (4, 9)
    assert [header["info"]["step"] for header, _ in sent(receive) if header["kind"] == "ready"] == [4, 9]


def test_of_the_kept_steps_only_those_that_are_new_or_were_written_anew_are_read(process, monkeypatch):
    made, run, receive = process
    made._load_film(str(run))
    drain(made)
    before, asked = sent(receive)[-1], []

    def load(step, *given):
        asked.append(step.name)
        return load_params(step, *given)

    monkeypatch.setattr("digitjax.checkpoint.load_params", load)
    made._load_film(str(run))
    drain(made)
    assert asked == [] and sent(receive) == [before]
    history = run / runs.HISTORY
    shutil.copytree(history / "4", history / "6", ignore=shutil.ignore_patterns(manifest.NAME))
    for step in (4, 6):
        about = {"step": step, "contents": ("params",), "record": {"accuracy": 0.8}}
        manifest.write(history / str(step), **about, config=run / runs.CONFIG)  # pyright: ignore
    made._load_film(str(run))
    drain(made)
    assert asked == ["4", "6"]
    frames = sent(receive)[-1][0]
    assert frames["frames"] == [[0, None, False], [4, 0.8, True], [6, 0.8, True], [9, 0.9, True]]
    assert frames["whole"]
