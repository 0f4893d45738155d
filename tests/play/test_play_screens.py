"""Every screen: pictures of reference, text that fits, controls that can be touched, help, saving."""

import itertools

import numpy as np
import pygame
import pytest

from play.actions import KEYS
from play.answers import Answered, ModelReady
from play.events import Focus, Hover, KeyPress, PenDown, PenUp, Press, Scroll, Tick
from play.focus import ARROWS, beside, next_focus
from play.layout import arrange
from play.screens import SCREENS
from play.update import update
from play.view import chrome, parts
from play.view import help as help_view
from play.view import painter as painters
from play.view.frame import Frame, controls_of
from play.view.painter import Painter
from play.view.theme import PALETTES, contrast
from tests.play import pictures
from tests.play.looking import far, pixels, texts_on
from tests.play.made_up import SMALL
from tests.play.scenes import SCENES, scene

SIZES = ((800, 600), (1280, 800), (3840, 2160), (600, 900))


def reference(name: str) -> np.ndarray:
    surface = pygame.image.load(str(pictures.REFERENCES / f"{name}.png")).convert(24)
    return pygame.surfarray.array3d(surface).swapaxes(0, 1).astype(int)


@pytest.mark.parametrize("theme", pictures.THEMES)
@pytest.mark.parametrize("name", pictures.SCREENS)
def test_screens_look_as_they_did(name, theme):
    """Anew by `python -m tests.play.pictures`, after looking at every picture."""
    pygame.display.init()
    pygame.display.set_mode((8, 8))
    now, then = pixels(scene(name, *pictures.SIZE, theme)), reference(f"{name}-{theme}")
    assert now.shape == then.shape
    assert far(now, then) < 0.01, "run python -m tests.play.pictures and look"
    other = pictures.SCREENS[(pictures.SCREENS.index(name) + 1) % len(pictures.SCREENS)]
    assert far(now, reference(f"{other}-{theme}")) > 0.01


@pytest.mark.parametrize(
    "size", [pytest.param(size, marks=[pytest.mark.slow] if size[0] > 2000 else []) for size in SIZES]
)
@pytest.mark.parametrize("name", SCENES)
def test_no_text_is_cut(name, size, monkeypatch):
    """Not one of the program's own sentences ends in an ellipsis or is unreadably small, in any text size."""
    checked = []

    def fitting(text, color, pixels, smallest, bold, width, height):
        least = painters.font(smallest, bold).size(text)[0]
        assert least <= width, f"{text!r} needs {least} of {width} pixels"
        assert min(pixels, smallest) >= 6
        checked.append(text)
        return kept(text, color, pixels, smallest, bold, width, height)

    def paragraph(self, text, rect, color, *, size=1.0, bold=False):
        lines = painters.wrap(text, round(self.text_size * size), bold, rect.w)
        assert len(lines) * round(round(self.text_size * size) * 1.35) <= rect.h + 2, f"{text!r} is cut"
        return whole(self, text, rect, color, size=size, bold=bold)

    kept, whole = painters._fitting, painters.Painter.paragraph
    monkeypatch.setattr(painters, "_fitting", fitting)
    monkeypatch.setattr(painters.Painter, "paragraph", paragraph)
    for text_size in ("small", "normal", "large"):
        state = scene(name, *size, text_size=text_size)
        Frame().draw(pygame.Surface((8, 8)), state, arrange(state))
    assert checked


@pytest.mark.parametrize("name", SCENES)
def test_controls_can_be_touched_and_reached_by_tab(name):
    for size, text_size in [(SIZES[0], "small"), *((size, "large") for size in SIZES)]:
        state = scene(name, *size, text_size=text_size)
        layout = arrange(state)
        controls = controls_of(state, layout)
        for control in controls:
            rect = control.rect
            assert rect.w >= 16 and rect.h >= 16, (control, size)
            assert rect.x >= 0 and rect.right <= size[0] and rect.y >= 0 and rect.bottom <= size[1]
        for one, other in itertools.combinations(controls, 2):
            assert not one.rect.overlaps(other.rect), (one, other)
        focus, stops = None, []
        while (focus := next_focus(controls, focus, 1)) not in stops:
            stops.append(focus)
        seen, ways = set(stops), [*stops]
        while ways:
            found = {beside(controls, ways[-1], arrow) for arrow in ARROWS} - seen - {None}
            ways = [*ways[:-1], *found]
            seen |= found
        assert seen == {control.action for control in controls if control.enabled}
        assert len(stops) <= 8, "Tab goes from group to group"


@pytest.mark.parametrize("screen", ["sees", "why", "models", "gallery"])
def test_frame_by_frame_is_the_picture_painted_at_once(screen):
    state = scene(screen, 640, 480)
    events = [Hover("stroke:0"), Focus("stroke:1"), Hover("stage:box"), Press("stage:box"), Press("journey")]
    events += [Tick(state.time + 3), Tick(state.time + 5), Press("journey"), Press("broken:cnn-3"), Scroll(1)]
    events += [ModelReady(SMALL, 1), Scroll(-1), Press("entry:k3"), Press("delete"), KeyPress("right")]
    events += [PenDown(100, 100, 9), PenUp(9), Press("undo"), Press("theme"), Press("help"), Press("help")]
    surface, frame = pygame.Surface((640, 480)), Frame()
    frame.draw(surface, state)
    for event in events:
        state = update(state, event)
        frame.draw(surface, state)
        shown = pygame.surfarray.array3d(surface).swapaxes(0, 1).astype(int)
        assert np.abs(shown - pixels(state)).max() <= 3, event


@pytest.mark.parametrize("action", ["fullscreen", "numbers", "help", "theme", "text-cycle"])
@pytest.mark.parametrize("screen", SCREENS)
def test_what_has_a_key_has_a_control_on_every_screen(action, screen):
    for size, text_size in itertools.product(SIZES, ("small", "large")):
        state = scene("empty", *size, text_size=text_size)
        state = update(state, Press(f"screen:{screen}"))
        (control,) = (c for c in controls_of(state, arrange(state)) if c.action == action)
        assert control.enabled and min(control.rect.w, control.rect.h) >= 20
        assert control.tip and control.hint
        assert update(state, Press(action)) != state


def test_what_is_pointed_at_is_named_with_its_key():
    state = scene("draw", 1280, 800)
    line = arrange(state).status
    for event in (Hover("fullscreen"), Focus("fullscreen")):
        seen = update(state, event)
        other = update(state, type(event)("numbers"))
        there = [pixels(s)[line.y : line.bottom, line.x : line.right] for s in (state, seen, other)]
        assert all(far(one, two) > 0.001 for one, two in itertools.combinations(there, 2))


@pytest.mark.parametrize("name", SCENES)
def test_whatever_can_have_the_focus_is_spoken_of(name):
    state = scene(name, 1280, 800)
    for control in controls_of(state, arrange(state)):
        assert control.words or control.action == "help", control.action
    tab = update(scene("draw", 800, 600), Focus("screen:why"))
    assert f"Why: {SCREENS['why'].help}" in texts_on(tab)


@pytest.mark.ci
@pytest.mark.parametrize("theme", pictures.THEMES)
def test_the_ring_of_the_focus_stands_out_from_the_page_and_from_its_control(theme):
    """Along a line inwards from the left edge, of each kind of control: page, ring, gap, control."""
    met = set()
    for name in SCENES:
        state = scene(name, *(SIZES[1] if theme == "dark" else SIZES[0]), theme)
        layout = arrange(state)
        for control in controls_of(state, layout):
            kind = control.action.partition(":")[0], control.on, control.plate
            if not control.enabled or control.slides or kind in met or state.help:
                continue
            met.add(kind)
            rect = control.rect
            focused = pixels(update(state, Focus(control.action)))
            line = focused[rect.y + rect.h // 2, rect.x - 1 : rect.x + 14]
            row = [(int(red), int(green), int(blue)) for red, green, blue in line]
            page, ring = row[0], row[1]
            thick = next(at for at, color in enumerate(row[1:]) if color != ring)
            gap = row[1 + thick]
            within = [color for color in row[1 + thick :] if color != gap]
            assert thick >= 2 and row[1 + thick : 3 + thick] == [gap, gap], (kind, row)
            assert contrast(ring, page) >= 3 and contrast(ring, gap) >= 3, (kind, row)
            assert not within or max(contrast(ring, within[0]), contrast(gap, within[0])) >= 3, (kind, row)
    assert len(met) > 30


def test_a_press_takes_the_focus_away_from_what_was_not_pressed():
    focused = update(scene("draw"), Focus("theme"))
    assert update(focused, Press("undo")).focus is None
    assert update(focused, Press("theme")).focus == "theme"
    assert update(focused, KeyPress("return")).focus == "theme"
    pointed = update(update(scene("draw"), Hover("undo")), Focus("theme"))
    assert pointed.hover is None, "what Tab has come to is what is spoken of"


@pytest.mark.parametrize("name", SCENES)
def test_what_is_disabled_says_why_and_never_what_it_would_do(name):
    state = scene(name, 1280, 800)
    layout = arrange(state)
    for control in controls_of(state, layout):
        if not control.enabled:
            assert control.why and control.tip not in control.words, control.action
            assert control.why in texts_on(update(state, Hover(control.action))), control.action


@pytest.mark.parametrize("name", SCENES)
def test_buttons_that_are_alike_have_one_size_of_text(name, monkeypatch):
    """In the largest text in the smallest window: rows of buttons, and the values of a recipe."""
    state = scene(name, 800, 600, text_size="large")
    layout, sizes = arrange(state), {}
    controls = controls_of(state, layout)

    def fitting(text, color, pixels, smallest, bold, width, height):
        sizes[text, bold] = painters.fitting_pixels(text, pixels, smallest, bold, width, height)
        return kept(text, color, pixels, smallest, bold, width, height)

    kept = painters._fitting
    monkeypatch.setattr(painters, "_fitting", fitting)
    painter = Painter(pygame.Surface((800, 600)), PALETTES["dark"], layout.unit, layout.text)
    rows = {}
    for control in controls:
        if control.label and not control.icon and not control.own:
            rows.setdefault((control.rect.y, control.rect.h, control.plate), []).append(control)
    for row in rows.values():
        sizes.clear()
        for control in row:
            labels = chrome.alike(controls)[control.action]
            block = chrome.control_block(control, False, False, labels)
            block.paint(painter, block.rect)
        assert len(set(sizes.values())) == 1, [control.label for control in row]


def test_a_recipe_s_last_row_is_a_few_keys_away():
    state = scene("train-recipe", 1280, 800)
    controls, focus = controls_of(state, arrange(state)), None
    for _ in range(5):
        focus = next_focus(controls, focus, 1)
    for arrow in ("down", "down", "right"):
        focus = beside(controls, focus, arrow)
    assert focus == "turn:widths+"
    turned = update(update(state, Focus(focus)), KeyPress("return"))
    assert turned.studio.recipe.channels != state.studio.recipe.channels and turned.focus == focus


def test_no_screen_says_a_8():
    for name in ("score-asked", "train-hardest", "teach-lesson", "gallery", "draw"):
        state = scene(name, 1280, 800)
        if name == "score-asked":
            order = tuple("8" * len(state.score.order))
            state = update(state._replace(score=state.score._replace(order=order)), Press("clear"))
            state = update(update(state, Hover("score:next")), Press("score:next"))
        tips = [control.words for control in controls_of(state, arrange(state))]
        said = [*texts_on(state), *tips, state.notice]
        assert not [text for text in said if text.endswith(" is a") or " a 8" in text], name


def test_help_names_every_key_and_covers_every_control():
    for screen in SCREENS:
        state = update(scene("empty"), Press(f"screen:{screen}"))
        shown = update(state, KeyPress("?"))
        controls = controls_of(shown, arrange(shown))
        assert [control.action for control in controls] == ["help"]
        assert update(shown, Press("help")).help is False
    own = [one for about in SCREENS.values() for one in about.keys]
    named = " ".join(keys for keys, _ in (*help_view.CANVAS_KEYS, *help_view.KEYS, *own)).lower()
    names = {"-": "−", "pageup": "page ↑", "pagedown": "↓", "delete": "del", "?": "", "f1": ""}
    for key in KEYS:
        if not key.isdecimal():
            assert names.get(key, key) in named, key


def test_a_canvas_out_of_sight_is_left_alone_and_its_keys_are_not_offered():
    state = update(scene("draw"), Press("screen:gallery"))
    for key in ("z", "c", "e", "[", "]"):
        assert update(state, KeyPress(key)) == state
    assert update(state, KeyPress("z", ctrl=True)) == state
    shown = {name: texts_on(scene(name)._replace(help=True)) for name in ("draw", "gallery")}
    assert "thinner, thicker pen" in shown["draw"] and "thinner, thicker pen" not in shown["gallery"]


def test_a_probability_is_the_same_number_everywhere():
    from digitjax.predict import Prediction

    state = scene("models")
    for sure in (1.0, 0.99946, 0.99944, 0.995, 0.9949, 0.4996):
        rest = (1 - sure) / 9
        printed = Prediction("0", np.array([sure, *[rest] * 9]), None).sentence()
        assert printed.startswith(f"0  {parts.percent(sure)}")
        given = Answered(state.revision, (sure, *[rest] * 9), 0.99, bytes(784), 28, (0.02, 1.0, 2.0))
        said = [text for text in texts_on(update(state, given)) if text.endswith(" %") and "·" not in text]
        assert said.count(said[0]) == 2, said


def test_an_answer_of_another_size_or_none_breaks_no_screen():
    for name in ("draw", "sees", "sees-way", "why", "models-two"):
        state = scene(name)
        for side in (8, 28):
            image = bytes(side * side)
            fits = (None, (0.0, 14.0, 14.0), (1e-3, 0.0, 0.0))
            for fit in fits:
                given = Answered(state.revision, (0.1,) * 10, 0.2, image, side, fit)
                pixels(update(state, given))


def test_a_finger_saves_what_a_key_saves():
    state = scene("saving")
    keyed, touched = (update(scene("draw"), KeyPress("7")), update(state, Press("label:7")))
    assert keyed.effects[-1] == touched.effects[-1] and touched.labelled == "7" and not touched.saving
    labels = {control.action for control in controls_of(state, arrange(state))}
    assert {f"label:{word}" for word in (*"0123456789", "not-a-digit")} <= labels
    for event in (Press("save"), KeyPress("s"), KeyPress("escape"), PenDown(1, 1, 0), Press("clear")):
        assert not update(state, event).saving
    away = update(scene("why"), Press("save"))
    assert away.saving and away.screen == "draw"
    assert not update(scene("empty"), Press("save")).saving


@pytest.mark.parametrize("name", SCREENS)
def test_the_help_names_no_key_of_the_canvas_twice(name):
    texts = texts_on(update(scene("draw")._replace(screen=name), Press("help")))
    assert all(texts.count(keys) <= 1 for keys, _ in help_view.CANVAS_KEYS)
