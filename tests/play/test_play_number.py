"""The number screen: its own canvas, its boxes, and the worker that groups and reads."""

import itertools
import json

import numpy as np
import pygame
import pytest

from digitjax.strokes import Drawing
from play.answers import DigitRead, NumberRead
from play.app import WindowSource
from play.classify import number_of
from play.effects import Record
from play.events import CANVAS, Event, KeyPress, PenDown, PenMove, PenUp, Press
from play.layout import Rect, arrange, from_canvas, to_canvas
from play.replay import Replay
from play.screens import SCREENS
from play.state import PlayState
from play.update import update
from play.view import number as number_view
from play.view.frame import Frame, controls_of
from play.view.number import label_places
from play.view.painter import Painter
from play.view.theme import PALETTES
from tests.play import pictures
from tests.play.drawings import FOUR, number_events, strokes_events
from tests.play.fakes import FakeClassifier, Script, make_loop
from tests.play.looking import texts_on
from tests.play.scenes import drawn, scene

SIZES = ((800, 600), (1280, 800), (3840, 2160), (600, 900), (320, 320))


@pytest.fixture(scope="module", autouse=True)
def _fonts():
    pygame.font.init()


def pixels(state: PlayState) -> np.ndarray:
    return pygame.surfarray.array3d(pictures.paint(state)).swapaxes(0, 1).astype(int)


class NumberClassifier(FakeClassifier):
    """Answers numbers by boxes around each stroke, at once."""

    def poll(self, timeout: float) -> list[Event]:
        if self._due is None or not self._due[1].number:
            return super().poll(timeout)
        query, self._due = self._due[1], None
        digits = []
        for stroke in query.strokes:
            points = np.array(stroke.points)
            (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            digits.append(DigitRead((left, top, right, bottom), "1", (0.0, 1.0, *[0.0] * 8), 0.9))
        return [NumberRead(query.revision, "1" * len(digits), tuple(digits))]


@pytest.mark.parametrize("size", SIZES)
def test_the_canvas_is_as_wide_as_it_says_and_places_go_there_and_back(size):
    state = scene("number-empty", *size)
    layout = arrange(state)
    canvas = layout.canvas
    assert canvas.h == pytest.approx(SCREENS["number"].height * canvas.w, abs=1)
    assert canvas.x >= 0 and canvas.right <= size[0] and canvas.bottom <= layout.tools.y
    assert layout.tools.bottom <= layout.panel.y and layout.panel.bottom <= layout.status.y
    for x, y in ((0.0, 0.0), (CANVAS, 320.0), (433.0, 90.0)):
        assert to_canvas(layout, *from_canvas(layout, x, y)) == pytest.approx((x, y))
    x, y = from_canvas(layout, 100, 100)
    x1, y1 = from_canvas(layout, 200, 200)
    assert x1 - x == pytest.approx(y1 - y)


def test_each_canvas_keeps_its_own_ink():
    digit = drawn(scene("draw"))
    number = update(digit, Press("screen:number"))
    assert number.strokes == () and number.past == () and not number.shown.word
    for event in number_events("27"):
        number = update(number, event)
    back = update(number, Press("screen:why"))
    assert back.strokes == digit.strokes and back.past == digit.past and back.number is None
    assert number.revision < back.ground <= back.revision
    again = update(update(back, Press("screen:gallery")), Press("screen:number"))
    assert again.strokes == number.strokes
    assert update(again, KeyPress("z")).strokes == number.strokes[:-1]


def test_ink_stays_on_the_low_canvas():
    state = scene("number-empty")
    low = CANVAS * SCREENS["number"].height
    state = update(update(state, PenDown(500, 100, 0)), PenMove(600, 900, 1))
    assert state.strokes[0].points[-1] == (600, low)
    assert update(state, PenUp(2)).strokes[0].points[-1] == (600, low)


def test_what_is_read_belongs_to_the_ink_that_was_asked_about():
    state = scene("number")
    assert state.number is not None and not state.provisional
    older = state.number._replace(revision=state.revision - 1, text="9")
    assert update(state, older).number == state.number
    for late in (state.ground - 1, state.revision + 1):
        assert update(state, state.number._replace(revision=late, text="9")).number == state.number
    more = update(state, PenDown(900, 50, 9))
    assert more.number == state.number and more.provisional
    assert update(state, KeyPress("c")).number is None
    bad = state.number.digits[0]._replace(box=(0.0, float("nan"), 1.0, 1.0))
    assert update(state, state.number._replace(digits=(bad,))).number == state.number
    odd = state.number.digits[0]._replace(probabilities=(float("nan"),) * 10)
    assert update(state, state.number._replace(digits=(odd,))).number == state.number


def test_a_whole_number_is_not_recorded_as_a_digit():
    state = scene("number")._replace(effects=())
    for event in (KeyPress("7"), KeyPress("n"), KeyPress("s"), Press("save"), Press("label:7")):
        after = update(state, event)
        assert after.screen == "number" and after.strokes == state.strokes
        assert "not saved" in after.notice
        assert not any(isinstance(effect, Record) for effect in after.effects)


@pytest.mark.parametrize("theme", pictures.THEMES)
@pytest.mark.parametrize("size", (SIZES[1], SIZES[3]))
def test_each_digit_has_a_box_and_what_is_none_another_colour(size, theme):
    state = scene("number", size[0], size[1], theme)
    layout, palette, image = arrange(state), PALETTES[theme], pixels(state)
    assert state.number is not None
    for digit in state.number.digits:
        color = palette.second if digit.answer == "not a digit" else palette.accent
        x, y = from_canvas(layout, (digit.box[0] + digit.box[2]) / 2, digit.box[3] + state.pen / 2 + 12)
        column = image[round(y) - 3 : round(y) + 2, round(x)]
        assert (column == np.array(color)).all(axis=1).any()


def test_frame_by_frame_is_the_picture_painted_at_once():
    state = scene("number-empty", 640, 480)
    surface, frame = pygame.Surface((640, 480)), Frame()
    frame.draw(surface, state)
    events = [*number_events("2047")]
    steps = [*events[:40], *events[40::9], PenUp(9), Press("undo"), Press("redo"), Press("pen-bigger")]
    for number, event in enumerate(steps):
        state = update(state, event)
        if number % 5 == 4 and state.strokes:
            box = (100.0, 60.0, 120.0 + number, 200.0)
            given = DigitRead(box, "not a digit" if number % 2 else "2", (0.1,) * 10, None)
            state = update(state, NumberRead(state.revision, "2", (given,)))
        frame.draw(surface, state)
        if number % 4 == 0:
            shown = pygame.surfarray.array3d(surface).swapaxes(0, 1).astype(int)
            assert np.abs(shown - pixels(state)).max() <= 3, (number, event)


def test_it_is_written_with_the_mouse_with_a_finger_and_cleared_by_keys(tmp_path):
    classifier = NumberClassifier()
    state = PlayState(screen="number", width=800, height=600)
    loop = make_loop(tmp_path, size=(800, 600), state=state, classifier=classifier)
    loop.sources = [WindowSource(loop.window)]
    loop.step()
    canvas = arrange(loop.state).canvas

    def happens(*given) -> str:
        for event in given:
            pygame.event.post(event)
        loop.step()
        loop.step()
        return loop.state.number.text if loop.state.number is not None else ""

    x, y = canvas.x + canvas.w // 4, canvas.y + 20
    mouse: dict = {"touch": False, "which": 0}
    down = pygame.Event(pygame.MOUSEBUTTONDOWN, pos=(x, y), button=1, **mouse)
    move = pygame.Event(pygame.MOUSEMOTION, pos=(x, y + 80), rel=(0, 80), buttons=(1, 0, 0), **mouse)
    up = pygame.Event(pygame.MOUSEBUTTONUP, pos=(x, y + 80), button=1, **mouse)
    assert happens(down, move) == "1" and loop.state.provisional
    assert happens(up) == "1"
    touch: dict = {"finger_id": 3, "touch_id": 1, "dx": 0, "dy": 0}
    places = [((x + 100) / 800, (y + step) / 600) for step in (0, 40, 80)]
    kinds = (pygame.FINGERDOWN, pygame.FINGERMOTION, pygame.FINGERUP)
    assert (
        happens(*(pygame.Event(k, x=a, y=b, **touch) for k, (a, b) in zip(kinds, places, strict=True)))
        == "11"
    )
    assert not loop.state.provisional
    assert all(query.number for query in classifier.asked)
    assert happens(pygame.Event(pygame.KEYDOWN, key=pygame.K_c, mod=0, unicode="c")) == ""
    assert loop.state.strokes == ()
    loop.outside.close()
    loop.window.close()


def test_a_line_longer_than_the_cards_breaks_nothing():
    for count, size in ((0, SIZES[0]), (1, SIZES[3]), (60, SIZES[0]), (60, SIZES[3])):
        state = scene("number", *size, text_size="large")
        assert state.number is not None
        digits = state.number.digits[:1] * count
        pixels(state._replace(number=NumberRead(state.revision, "2" * count, digits)))


@pytest.mark.parametrize("size", SIZES)
def test_every_digit_has_a_card_or_is_counted(size):
    state = scene("number-long", *size)
    texts = texts_on(state)
    cards = texts.count("98 %") + texts.count("61 %")
    more = [int(text.split()[1]) for text in texts if text.startswith("and ") and text.endswith(" more")]
    assert cards + sum(more) == 15 and len(more) <= 1 and cards >= 4, texts
    assert not [text for text in texts_on(scene("number", *size)) if text.endswith(" more")]


def test_labels_of_boxes_over_one_another_cover_no_other_and_the_surest_stay():
    canvas = Rect(100, 50, 600, 190)
    rng = np.random.default_rng(5)
    for count in (2, 5, 20, 60):
        corners = rng.integers((100, 50), (640, 200), (count, 2)).tolist()
        boxes = [Rect(x, y, 60, min(130, 240 - y)) for x, y in corners]
        sure = rng.permutation(count).tolist()
        places = label_places(canvas, boxes, [52] * count, 15, sure)
        there = [place for place in places if place is not None]
        assert len(there) == count or count > 5
        for one, other in itertools.combinations(there, 2):
            assert not one.overlaps(other)
        for place in there:
            assert place.x >= 100 and place.right <= 700 and place.y >= 50 and place.bottom <= 240
        assert places[sure.index(count - 1)] is not None
    same = [Rect(100, 50, 52, 190)] * 2  # no room above: the label stands inside
    assert label_places(canvas, same, [52, 52], 15, [0.98, 0.99]) == [None, Rect(100, 225, 52, 15)]


@pytest.mark.parametrize("size", SIZES)
def test_no_label_on_the_canvas_is_painted_over_another(size, monkeypatch):
    state, painted = scene("number-long", *size), []
    canvas = arrange(state).canvas

    def text(self, text, rect, *rest, **named):
        width = write(self, text, rect, *rest, **named)
        painted.append(Rect(rect.x, rect.y, width, rect.h))
        return width

    write = Painter.text
    monkeypatch.setattr(Painter, "text", text)
    pixels(state)
    labels = [rect for rect in painted if rect.overlaps(canvas)]
    assert len(labels) >= 10
    for one, other in itertools.combinations(labels, 2):
        assert not one.overlaps(other)


def test_the_worker_s_numbers_become_an_event():
    header = {
        "revision": 3,
        "text": "4?",
        "answers": ["4", "not a digit"],
        "is_digit": [0.9, None],
        "ms": 1.5,
    }
    odds = np.full((2, 10), 0.1)
    boxes = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], float)
    found = number_of(header, boxes, odds)
    first = DigitRead((0.0, 1.0, 2.0, 3.0), "4", (0.1,) * 10, 0.9)
    assert found.revision == 3 and found.text == "4?" and found.digits[0] == first
    assert found.digits[1].is_digit is None and found.ms == 1.5


def test_only_whole_numbers_are_asked_for_as_such(tmp_path):
    script = Script(
        [Press("screen:draw")], strokes_events(FOUR), [], [Press("screen:number")], number_events("27"), []
    )
    loop = make_loop(tmp_path, script, classifier=NumberClassifier())
    for _ in range(8):
        loop.step()
    assert [query.number for query in loop.classifier.asked] == [False, True]  # pyright: ignore
    assert isinstance(loop.state.number, NumberRead) and loop.state.number.text == "1111"
    assert loop.state.answers == (None, None)
    assert update(loop.state, Press("screen:draw")).strokes
    loop.outside.close()
    loop.window.close()


def test_a_recorded_number_is_replayed_on_the_wide_canvas(tmp_path):
    strokes = (np.array([[0.0, 0.0], [0.0, 40.0]]), np.array([[30.0, 5.0], [32.0, 38.0]]))
    found = []
    state = PlayState(screen="number", width=640, height=480)
    replay = Replay([Drawing(strokes, word="11")], found.append)
    loop = make_loop(tmp_path, replay, classifier=NumberClassifier(), state=state)
    loop.run(until=lambda state: bool(found))
    (line,) = found
    assert (line["index"], line["word"], line["text"]) == (0, "11", "11")
    (left, top, _, low), (x0, _, x1, _) = (digit["box"] for digit in line["digits"])
    assert 0 < left < x0 < x1 < CANVAS and 0 < top < low < CANVAS * SCREENS["number"].height
    assert line["digits"][0]["answer"] == "1" and set(line["ms"]) == {"ink_to_answer", "frame"}
    json.dumps(line)
    loop.outside.close()
    loop.window.close()


def test_controls_do_not_hide_one_another():
    for size in SIZES[:4]:
        state = scene("number", *size)
        for one, other in itertools.combinations(controls_of(state, arrange(state)), 2):
            assert not one.rect.overlaps(other.rect)


@pytest.mark.parametrize("theme", pictures.THEMES)
def test_what_is_no_digit_has_one_colour_and_plain_words(theme):
    state = scene("number", *SIZES[1], theme)
    layout, palette = arrange(state), PALETTES[theme]
    number = number_view.blocks(state, layout)[0].rect
    inside = pixels(state)[number.y : number.bottom, number.x : number.right]
    assert (inside == np.array(palette.second)).all(axis=2).mean() > 0.001
    assert (inside == np.array(palette.text)).all(axis=2).mean() > 0.01
    assert "3 digits, and 1 that is none" in texts_on(state)
    assert state.number is not None
    none = tuple(digit._replace(answer="not a digit") for digit in state.number.digits[:2])
    texts = texts_on(state._replace(number=state.number._replace(text="??", digits=none)))
    assert "2 groups of strokes, none of them a digit" in texts
