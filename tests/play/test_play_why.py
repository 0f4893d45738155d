"""Why: ink in the colours of what it says, strokes pointed at and numbered, feature maps."""

import itertools
import math

import numpy as np
import pytest

from play.answers import Explained
from play.events import Focus, Hover, Press
from play.layout import Rect, arrange, from_canvas
from play.state import PlayState
from play.update import update
from play.verdict import NOT_A_DIGIT, Shown
from play.view import layers as layers_view
from play.view import why as why_view
from play.view.theme import PALETTES
from tests.play import pictures
from tests.play.drawings import FOUR, strokes_events
from tests.play.fakes import Script, make_loop
from tests.play.looking import pixels, texts_on
from tests.play.made_up import answer, explained
from tests.play.scenes import drawn, scene, settle


def heated(value: float, theme: str = "dark") -> tuple[PlayState, np.ndarray]:
    state = drawn(scene("why-empty", 1280, 800, theme))
    why = Explained(state.revision, 4, (value,) * 784, 28)
    return update(state, why), pixels(update(state, why))


@pytest.mark.parametrize("theme", pictures.THEMES)
def test_ink_takes_the_colour_of_what_it_says(theme):
    palette = PALETTES[theme]
    for value, color in ((1.0, palette.accent), (-1.0, palette.second)):
        state, image = heated(value, theme)
        layout = arrange(state)
        seen = np.array(color) if theme == "dark" else np.maximum(color, palette.ink)
        for x, y in FOUR[0][10:40:5]:
            at_x, at_y = from_canvas(layout, x, y)
            assert np.abs(image[round(at_y), round(at_x)] - seen).max() <= 2
        at_x, at_y = from_canvas(layout, 900, 900)
        assert tuple(image[round(at_y), round(at_x)]) == palette.paper


def test_heat_lies_on_the_place_it_is_about():
    state = drawn(scene("why-empty", 1280, 800))
    heat = np.zeros((28, 28))
    fit = answer(state).fit
    assert fit is not None
    x, y = FOUR[1][-1]
    row, column = round(fit[0] * y + fit[2]), round(fit[0] * x + fit[1])
    heat[row - 1 : row + 2, column - 1 : column + 2] = 1
    image = pixels(update(state, Explained(state.revision, 4, tuple(heat.ravel()), 28)))
    layout = arrange(state)
    (end_x, end_y), (far_x, far_y) = from_canvas(layout, x, y), from_canvas(layout, *FOUR[0][0])
    blue, grey = image[round(end_y), round(end_x)], image[round(far_y), round(far_x)]
    assert blue[2] - blue[0] > 100 and abs(grey[2] - grey[0]) < 20


def test_a_stroke_that_is_pointed_at_fades():
    state = scene("why", 1280, 800)
    layout = arrange(state)
    at = [from_canvas(layout, *stroke[len(stroke) // 2]) for stroke in FOUR]
    for event in (Hover("stroke:1"), Focus("stroke:1"), Press("stroke:1")):
        image = pixels(update(state, event))
        faded, kept = (image[round(y), round(x)] for x, y in reversed(at))
        assert tuple(faded) == PALETTES["dark"].line and kept.min() > 200
    touched = update(state, Press("stroke:1"))
    assert update(touched, Press("stroke:1")).focus is None
    assert np.abs(pixels(update(state, Hover("stroke:99"))) - pixels(state)).max() == 0


def test_a_network_that_can_refuse_nothing_says_so_under_its_answer():
    state = scene("draw", 1280, 800)._replace(shown=Shown("4"))
    one, other = state.answers
    assert one is not None and not any("for a digit" in text for text in texts_on(state))
    cannot = state._replace(answers=(one._replace(is_digit=None), other))
    assert "this network takes all ink for a digit" in texts_on(cannot)
    assert not any("for a digit" in text for text in texts_on(cannot._replace(shown=Shown("4", "9"))))


def test_beneath_what_is_no_digit_stands_what_its_bars_are():
    state = scene("draw", 1280, 800)
    assert "the bars: if it were a digit" in texts_on(state._replace(shown=Shown(NOT_A_DIGIT)))
    assert "the bars: if it were a digit" not in texts_on(state._replace(shown=Shown("4")))


@pytest.mark.parametrize(
    ("strokes", "several"),
    [
        (([(300, 200), (300, 600)], [(500, 220), (520, 610)]), True),
        (([(300, 200), (300, 600)], [(500, 220), (450, 400), (560, 610)], [(440, 300), (570, 300)]), True),
        (([(300, 200), (600, 200), (450, 700)], [(350, 450), (580, 450)]), False),  # a 7 and its bar
        (([(340, 200), (330, 400), (560, 560), (330, 700)], [(400, 200), (620, 200)]), False),  # a 5, its hat
        (([(300, 200), (300, 600)], [(420, 390), (520, 390)]), False),  # a stroke and a dash
        (([(300, 200), (300, 600)],), False),
    ],
)
def test_what_is_no_digit_but_stands_side_by_side_is_shown_the_way_to_number(strokes, several):
    state = scene("empty")
    for event in strokes_events(strokes):
        state = update(state, event)
    state = settle(update(state, answer(state)._replace(is_digit=0.1)))
    texts = texts_on(state)
    assert ("several digits? Number reads them" in texts) == several
    assert ("the bars: if it were a digit" in texts) != several


def test_the_explained_digit_is_not_doubted_with_itself():
    state = scene("why", 1280, 800)
    doubt = Shown("9", "4", True)
    assert not any("perhaps 4" in text for text in texts_on(state._replace(shown=doubt)))
    assert any("4, or perhaps 9" in text for text in texts_on(state._replace(shown=Shown("4", "9"))))


@pytest.mark.parametrize("at", [(500.0, 500.0), (500.0, 1000.0), (0.0, 0.0)])
def test_numbers_of_strokes_that_start_at_one_place_lie_apart(at, monkeypatch):
    found = []
    monkeypatch.setattr(
        why_view.parts, "disc_label", lambda painter, text, x, y, *colors: found.append((text, x, y))
    )
    state = scene("why-empty", 1280, 800)
    lines = tuple([at, (500.0 + 60 * i, 300.0)] for i in range(8))
    state = drawn(state, lines)
    state = update(state, explained(state))
    pixels(state)
    places = {text: (x, y) for text, x, y in found if arrange(state).canvas.contains(x, y)}
    assert len(places) == 8
    radius = round(0.85 * arrange(state).text)
    assert all(math.dist(a, b) > 2 * radius for a, b in itertools.combinations(places.values(), 2))


def test_the_reader_is_asked_why_on_that_screen_alone(tmp_path):
    script = Script(
        strokes_events(FOUR), [Press("screen:why")], [], [Press("screen:draw")], [Press("undo")], []
    )
    loop = make_loop(tmp_path, script)
    for _ in range(8):
        loop.step()
    asked = [query.why for query in loop.classifier.asked]  # pyright: ignore
    assert asked == [False, True, False]
    loop.window.close()


def test_why_asks_for_no_second_stroke_while_two_are_being_explained():
    state = scene("why")
    assert len(state.strokes) > 1
    assert not any("two strokes" in text for text in texts_on(state._replace(explained=None)))
    one = state._replace(strokes=state.strokes[:1], explained=None)
    assert any("two strokes" in text for text in texts_on(one))


def test_layers_without_room_are_counted():
    state = scene("why")
    layers = explained(state).layers
    assert "What each layer lets through" in texts_on(state)
    many = explained(state)._replace(layers=layers[:1] * 12)
    (said,) = (text for text in texts_on(state._replace(explained=many)) if "let through" in text)
    count = sum(" maps, " in text for text in texts_on(state._replace(explained=many)))
    assert said == f"What the first {count} of 12 layers let through" and 0 < count < 12


@pytest.mark.parametrize("text", [9, 13, 17, 34])
@pytest.mark.parametrize("size", [(200, 120), (290, 250), (460, 380), (1000, 900)])
def test_feature_maps_are_readable_and_inside_their_card(size, text):
    layers = explained(scene("why", 800, 600)).layers
    rect, heading = Rect(0, 0, *size), round(1.6 * text)
    shown = layers_view.fit(layers, rect, text, heading)
    height = 0
    for layer, grid in shown:
        if layer.height == 1:
            height += grid.scale + heading
            continue
        rows = -(-grid.maps // grid.columns)
        assert 1 <= grid.maps <= layer.maps and (layer.width + 1) * grid.scale >= round(
            layers_view.READABLE * text
        )
        assert grid.columns * (layer.width + 1) * grid.scale <= rect.w
        height += rows * (layer.height + 1) * grid.scale + heading
    assert height <= rect.h
    if size == (1000, 900) and text <= 17:
        assert [grid.maps for layer, grid in shown] == [layer.maps for layer in layers] and shown[0][
            1
        ].scale > 3
