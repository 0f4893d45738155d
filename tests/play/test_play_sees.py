"""What it sees: the normaliser's stages and their switches, the ink's journey through them."""

import itertools
import time

import numpy as np
import pygame
import pytest

from play import stages
from play.answers import ModelReady
from play.app import Loop
from play.events import CANVAS, Focus, KeyPress, PenDown, Press, Tick
from play.layout import Rect, arrange, from_canvas
from play.state import JOURNEY_SECONDS, STAGES, PlayState
from play.translate import Pointer, translate
from play.update import update
from play.view.frame import Frame, controls_of
from play.view.sees import label_places
from play.view.theme import PALETTES
from tests.play import pictures
from tests.play.drawings import FOUR, strokes_events
from tests.play.fakes import Script, make_loop
from tests.play.looking import pixels
from tests.play.made_up import SMALL, answer
from tests.play.scenes import scene


def test_stages_are_those_of_the_normaliser():
    normalize = pytest.importorskip("digitjax.normalize")
    from digitjax.segments import pack

    state = scene("sees")
    segments = pack([np.array(stroke.points) for stroke in state.strokes])
    box = np.asarray(normalize.bounding_box(segments))
    ends = np.concatenate([np.array(stroke.points) for stroke in state.strokes])
    corner = ends.min(axis=0)
    given = answer(state)
    boxed, fitted = normalize.fit_to_box(segments), normalize.fit_ink(segments)
    for expected, place in ((boxed, 2), (fitted, 3)):
        found = stages.maps(state.strokes, state.pen, frozenset(), given)[place]
        after = np.asarray(normalize.bounding_box(expected))
        ours = np.array([*found.point(*(box[:2] + corner)), *found.point(*(box[2:] + corner))])
        assert ours == pytest.approx(after, abs=0.05)


def test_a_stage_that_is_off_leaves_the_ink_where_it_was():
    state = scene("sees")
    given = answer(state)
    maps = stages.maps(state.strokes, 26.0, frozenset(STAGES), given)
    assert len(set(maps)) == 1 and maps[0].point(0, 0) == pytest.approx((-0.5, -0.5))
    assert maps[0].point(CANVAS, CANVAS) == pytest.approx((27.5, 27.5))
    on = stages.maps(state.strokes, 26.0, frozenset({"mass"}), given)
    assert on[2] == on[3] != on[1]


def test_the_cross_is_where_the_mass_is():
    state = scene("sees")
    given = answer(state)
    assert stages.centre_of_mass(given) == pytest.approx((14, 14), abs=0.1)
    x, y = stages.mass_on_canvas(given) or (0, 0)
    points = np.concatenate([np.array(stroke.points) for stroke in state.strokes])
    assert (points.min(axis=0) < (x, y)).all() and ((x, y) < points.max(axis=0)).all()
    layout = arrange(state)
    at_x, at_y = from_canvas(layout, x, y)
    image = pixels(state)
    assert tuple(image[round(at_y), round(at_x)]) == PALETTES["dark"].second
    without = pixels(state._replace(answers=(None, None)))
    assert tuple(without[round(at_y), round(at_x)]) != PALETTES["dark"].second


def test_stages_are_switched_by_touch_and_by_keys_and_asked_of_the_reader(tmp_path):
    state = PlayState(width=800, height=600)
    loop: Loop = make_loop(
        tmp_path, Script([Press("screen:sees")], strokes_events(FOUR), [], []), size=(800, 600)
    )
    for _ in range(4):
        loop.step()
    state, layout = loop.state, arrange(loop.state)
    controls = controls_of(state, layout)
    box = next(control for control in controls if control.action == "stage:box")
    place = (box.rect.x + 3) / 800, (box.rect.y + 3) / 600
    pointer, found = Pointer(), []
    for kind in (pygame.FINGERDOWN, pygame.FINGERUP):
        touch = pygame.event.Event(kind, x=place[0], y=place[1], finger_id=1, touch_id=1)
        pointer, events = translate(touch, pointer, layout, controls, focus=None, time=0.0)
        found += events
    assert found == [Press("stage:box")]
    loop.sources = (Script(found, [Focus("stage:mass"), KeyPress("return")], [], []),)
    for _ in range(4):
        loop.step()
    assert loop.state.off == {"box", "mass"}
    assert loop.classifier.asked[-1].off == {"box", "mass"}  # pyright: ignore
    assert loop.state.answers[0].revision == loop.state.revision  # pyright: ignore
    loop.window.close()


def test_a_stage_that_is_off_breaks_the_answer_of_its_own_screen_alone(tmp_path):
    frames = [[Press("screen:sees"), Press("stage:mass")], strokes_events(FOUR), [], [Press("screen:score")]]
    loop = make_loop(tmp_path, Script(*frames, [], [Press("screen:sees")], []))
    read = []
    for _ in range(len(frames) + 3):
        loop.step()
        asked = loop.classifier.asked  # pyright: ignore
        read.append(asked[-1].off if asked and asked[-1].revision == loop.state.revision else None)
    assert read[2:] == [{"mass"}, frozenset(), frozenset(), {"mass"}, {"mass"}]
    assert loop.state.answers[0].revision == loop.state.revision  # pyright: ignore
    loop.outside.close()
    loop.window.close()


def test_the_journey_goes_through_all_stages_and_ends():
    state = update(scene("sees"), Press("journey"))
    begin, seen = state.time, []
    while state.journey is not None:
        seen.append(stages.way(state.time - begin))
        state = update(state, Tick(state.time + 1 / 60))
    assert state.time - begin == pytest.approx(JOURNEY_SECONDS, abs=0.05)
    assert [step for step, _ in itertools.groupby(way.step for way in seen)] == list(range(len(stages.NAMES)))
    for before, after in itertools.pairwise(seen):
        assert after.step > before.step or 0 <= after.part - before.part < 0.1
    drawing = update(update(scene("sees"), Press("journey")), PenDown(5, 5, 0))
    assert update(drawing, Tick(1)).journey is None
    assert update(scene("sees-empty"), Press("journey")).journey is None


def test_the_journey_ends_at_what_the_network_sees():
    state = update(scene("sees", 1280, 800), Press("journey"))
    end = update(state._replace(time=state.time + JOURNEY_SECONDS - 0.1), Tick(0))
    canvas, image = arrange(end).canvas, pixels(end)
    palette, given = PALETTES["dark"], answer(end)
    shown = np.frombuffer(given.image, np.uint8).reshape(28, 28) / 255
    paper, ink = np.array(palette.paper), np.array(palette.ink)
    for row in range(3, 28):
        for column in range(28):
            crosses, words = abs(row - 14) + abs(column - 14) <= 4, row > 25 and not shown[row].any()
            if not crosses and not words:
                y, x = (
                    round(canvas_at + (i + 0.3) * canvas.w / 28)
                    for canvas_at, i in ((canvas.y, row), (canvas.x, column))
                )
                wanted = paper + (ink - paper) * shown[row, column]
                assert np.abs(image[y, x] - wanted).max() <= 2, (row, column)


@pytest.mark.parametrize("theme", pictures.THEMES)
def test_the_journey_frame_by_frame_is_the_picture_painted_at_once(theme):
    state = update(scene("sees", 640, 480, theme), Press("journey"))
    surface, frame, areas = pygame.Surface((640, 480)), Frame(), []
    for number in range(0, 430, 3):
        state = update(state, Tick(state.time + 3 / 60))
        rects = frame.draw(surface, state)
        areas.append(sum(rect.w * rect.h for rect in rects))
        if number % 5 == 0:
            shown = pygame.surfarray.array3d(surface).swapaxes(0, 1).astype(int)
            assert np.abs(shown - pixels(state)).max() <= 3, number
    canvas = arrange(state).canvas
    assert np.median(areas[20:120]) < 0.6 * canvas.w * canvas.h


@pytest.mark.slow
def test_the_journey_at_4k_keeps_to_its_frame():
    """CPU time, since others use this machine too; the worst frames are those that paint a card anew."""
    state = update(scene("sees", 3840, 2160), Press("journey"))
    surface, frame, took = pygame.Surface((3840, 2160)), Frame(), []
    frame.draw(surface, state)
    while state.journey is not None:
        begin = time.thread_time()
        frame.draw(surface, state)
        took.append(1e3 * (time.thread_time() - begin))
        state = update(state, Tick(state.time + 1 / 60))
    assert len(took) > 400 and np.percentile(took, 99) < 16.7


def test_the_8x8_networks_have_no_stages_to_switch():
    state = update(scene("sees"), ModelReady(SMALL))
    controls = controls_of(state, arrange(state))
    assert not any(control.enabled for control in controls if control.action.startswith(("stage", "journey")))


def test_the_names_of_the_marks_never_lie_on_the_ink():
    canvas, random = Rect(10, 20, 480, 480), np.random.default_rng(0)
    found = 0
    for _ in range(2000):
        x, y, w, h, wide, height = random.integers([-10, -10, 1, 1, 10, 8], [500, 500, 500, 500, 200, 40])
        ink = Rect(int(x), int(y), int(w), int(h))
        marks = sorted([ink.y + float(random.random()) * ink.h, ink.y + ink.h / 2])
        places = label_places(canvas, ink, marks, int(wide), int(height))
        for rect in places:
            assert not rect.overlaps(ink)
            assert canvas.x <= rect.x and rect.right <= canvas.right
            assert canvas.y <= rect.y and rect.bottom <= canvas.bottom
        if places:
            assert not places[0].overlaps(places[1]) and places[0].y < places[1].y
            found += 1
        else:
            assert ink.right + wide > canvas.right and ink.x - wide < canvas.x
    assert 1000 < found < 2000
