"""What is painted: places, contrast, and that a frame by frame picture is the one painted at once."""

import itertools
import math
import sys
import types

import numpy as np
import pygame
import pytest

from play import view
from play.answers import ModelFailed, ModelReady
from play.events import KeyPress, PenDown, PenMove, PenUp, Press, Tick
from play.ink import Stroke
from play.layout import Rect, arrange, first_size, from_canvas, hit, to_canvas
from play.screens import SCREENS, About
from play.state import TEXT_SIZES, PlayState, Settings
from play.update import update
from play.view import draw
from play.view.frame import Frame, controls_of
from play.view.ink_layer import InkLayer
from play.view.painter import Painter
from play.view.theme import PALETTES, contrast, mix
from tests.play.fakes import MODEL, answer

SIZES = [(1280, 800), (800, 600), (600, 900), (3840, 2160), (320, 320), (1920, 500)]


@pytest.fixture(scope="module", autouse=True)
def _fonts():
    pygame.font.init()


@pytest.mark.parametrize("name", PALETTES)
def test_text_and_signs_stand_out(name):
    palette = PALETTES[name]
    for text, ground in itertools.product(
        (palette.text, palette.muted, palette.second), (palette.ground, palette.surface, palette.raised)
    ):
        if (text, ground) != (palette.second, palette.raised):
            assert contrast(text, ground) >= 4.5, (text, ground)
    pointed_at = mix(palette.surface, palette.raised, 0.6)
    others = [(palette.on_accent, palette.accent), (palette.on_accent, palette.second)]
    others += [(palette.text, palette.line), (palette.ground, palette.text)]
    others += itertools.product((palette.accent, palette.second), (palette.paper,))
    others += itertools.product((palette.text, palette.muted, palette.second), (pointed_at,))
    for text, ground in others:
        assert contrast(text, ground) >= 4.5, (text, ground)
    assert contrast(palette.ink, palette.paper) >= 12
    assert contrast(palette.accent, palette.raised) >= 3
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)


@pytest.mark.parametrize("name", PALETTES)
def test_the_accents_differ_for_every_kind_of_eye(name):
    palette = PALETTES[name]
    # Viénot, Brettel and Mollon (1999), linear RGB of protanopes and deuteranopes; greys for the rest.
    seen = {
        "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    }
    for matrix in seen.values():
        one, other = (np.array(matrix) @ (np.array(c) / 255) ** 2.2 for c in (palette.accent, palette.second))
        assert np.abs(one.clip(0) ** (1 / 2.2) - other.clip(0) ** (1 / 2.2)).max() > 0.25


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", TEXT_SIZES)
@pytest.mark.parametrize("screen", SCREENS)
def test_everything_is_inside_the_window_and_nothing_overlaps(size, text, screen):
    state = PlayState(width=size[0], height=size[1], settings=Settings(text_size=text), screen=screen)
    layout = arrange(state)
    controls = controls_of(state, layout)
    places = [c.rect for c in controls] + [layout.status]
    if screen != "gallery":
        places.append(layout.canvas)
        assert layout.canvas.h == round(layout.canvas.w * SCREENS[screen].height)
        assert layout.panel.overlaps(layout.canvas) is False
    for rect in places:
        assert rect.x >= 0 and rect.y >= 0 and rect.right <= size[0] and rect.bottom <= size[1], rect
    for one, other in itertools.combinations(places, 2):
        assert not one.overlaps(other), (one, other)
    assert len({c.action for c in controls}) == len(controls)
    for control in controls:
        if control.rect.w and control.rect.h:
            assert hit(controls, control.rect.x, control.rect.y) == control


@pytest.mark.parametrize(
    ("screen", "window"),
    [
        ((1280, 800), (1280, 720)),
        ((1024, 768), (1024, 688)),
        ((1920, 1080), (1280, 800)),
        ((2560, 1440), (1280, 800)),
        ((3840, 2160), (2560, 1600)),
        ((7680, 4320), (5120, 3200)),
        ((1080, 1920), (1080, 800)),
        ((200, 100), (320, 320)),
    ],
)
def test_the_first_window_fits_its_screen(screen, window):
    assert first_size(*screen) == window


def test_canvas_units_go_there_and_back():
    layout = arrange(PlayState(width=777, height=555))
    for place in ((0, 0), (1000, 1000), (123.4, 567.8), (-20, 1300)):
        assert to_canvas(layout, *from_canvas(layout, *place)) == pytest.approx(place)


def painted(states, size) -> np.ndarray:
    surface = pygame.Surface(size)
    frame = Frame()
    for state in states:
        frame.draw(surface, state)
    return pygame.surfarray.array3d(surface).astype(int)


def session(size) -> list[PlayState]:
    state = PlayState(width=size[0], height=size[1])
    states = []
    turns = [(300 + 200 * np.cos(t), 500 + 300 * np.sin(1.3 * t)) for t in np.linspace(0, 6, 40)]
    script = [ModelReady(MODEL), PenDown(*turns[0], 0), *(PenMove(x, y, 0) for x, y in turns), PenUp(1)]
    script += [PenDown(700, 200, 1), PenUp(1), PenDown(600, 700, 1), PenMove(900, 720, 1), PenUp(1)]
    script += [
        KeyPress("z"),
        KeyPress("y"),
        KeyPress("e"),
        PenDown(300, 700, 2),
        PenMove(320, 900, 2),
        PenUp(2),
    ]
    script += [KeyPress("]"), KeyPress("t"), KeyPress("?"), KeyPress("?"), Tick(0.1)]
    for event in script:
        state = update(state, event)
        states.append(state)
        if isinstance(event, PenUp):
            state = update(state, answer(state.revision, 7))
    return states


def test_painting_what_changed_gives_the_picture_painted_at_once():
    size = (640, 480)
    states = session(size)
    for end in (12, 43, 45, 48, 49, 50, 54, len(states)):
        little_by_little, at_once = painted(states[:end], size), painted(states[end - 1 : end], size)
        assert np.abs(little_by_little - at_once).max() <= 3, end


def test_a_frame_without_change_paints_nothing():
    surface, frame = pygame.Surface((640, 480)), Frame()
    state = session((640, 480))[10]
    assert frame.draw(surface, state)
    assert frame.draw(surface, state) == []


def test_the_pen_is_round_smooth_and_without_gaps():
    state = PlayState(width=1280, height=800)
    layout = arrange(state)
    for event in [PenDown(100, 100, 0), PenMove(900, 800, 0), PenUp(0)]:
        state = update(state, event)
    image = painted([state], (1280, 800))
    radius = state.pen * layout.canvas.w / 1000 / 2
    for part in np.linspace(0, 1, 200):
        x, y = from_canvas(layout, 100 + 800 * part, 100 + 700 * part)
        assert image[int(x), int(y)].min() > 200
    x, y = from_canvas(layout, 100, 100)
    grid_x, grid_y = np.meshgrid(np.arange(1280), np.arange(800), indexing="ij")
    behind = (grid_x - x) * 800 + (grid_y - y) * 700 < 0
    near = np.hypot(grid_x - x, grid_y - y) < radius + 3
    cover = (image[:, :, 1] - 14) / (245 - 14)
    area = cover[behind & near].sum()
    assert area == pytest.approx(np.pi * radius**2 / 2, rel=0.06)
    assert ((cover > 0.2) & (cover < 0.8) & near).sum() > 10


@pytest.mark.parametrize("turn", [(700, 900), (420, 300), (300, 340)])
def test_a_corner_stays_a_corner_and_a_fast_circle_stays_round(turn):
    side, pen = 1000, 18.0
    layer = InkLayer()
    layer.update((Stroke(((300, 300), (700, 300), turn), ()),), side, pen, (255, 255, 255), (0, 0, 0))
    surface = pygame.Surface((side, side))
    layer.blit(surface, Rect(0, 0, side, side), pygame.Rect(0, 0, side, side))
    dark = np.argwhere(pygame.surfarray.array3d(surface)[:, :, 0] < 128).astype(float)
    lines = [((300, 300), (700, 300)), ((700, 300), turn)]
    assert np.min([to_line(dark, *line) for line in lines], axis=0).max() < pen / 2 + 2

    angles = [number * math.tau / 8 for number in range(9)]
    around = [(500 + 300 * math.cos(angle), 500 + 300 * math.sin(angle)) for angle in angles]
    layer.update((Stroke(tuple(around), ()),), side, pen, (255, 255, 255), (0, 0, 0))
    layer.blit(surface, Rect(0, 0, side, side), pygame.Rect(0, 0, side, side))
    dark = np.argwhere(pygame.surfarray.array3d(surface)[:, :, 0] < 128)
    dark = dark[dark[:, 0] < 480]  # its two ends are on the right
    far = np.abs(np.hypot(*(dark - 500).T) - 300) - pen / 2
    flat = 300 * (1 - math.cos(math.tau / 16))
    assert far.max() < 0.5 * flat  # chords would be `flat` away from the circle


def to_line(points: np.ndarray, a, b) -> np.ndarray:
    """Distance of points from a piece of a line."""
    a, way = np.array(a, float), np.subtract(b, a).astype(float)
    along = np.clip((points - a) @ way / (way @ way), 0, 1)
    return np.hypot(*(points - a - along[:, None] * way).T)


def test_boxes_have_round_corners_and_a_border_where_asked():
    surface = pygame.Surface((100, 60))
    surface.fill((0, 0, 0))
    painter = Painter(surface, PALETTES["dark"], 1.0, 17)
    painter.box(Rect(10, 10, 80, 40), (200, 200, 200), 12)
    image = pygame.surfarray.array3d(surface)[:, :, 0] / 200
    assert image.sum() == pytest.approx(80 * 40 - (4 - np.pi) * 12**2, rel=0.003)
    assert np.array_equal(image, image[::-1]) and np.array_equal(image, image[:, ::-1])
    assert image[:10].sum() == image[90:].sum() == image[:, :10].sum() == image[:, 50:].sum() == 0
    painter.box(Rect(10, 10, 80, 40), (200, 200, 200), 12, (90, 0, 0), 3)
    edge, inside = surface.get_at((50, 11)), surface.get_at((50, 14))
    assert tuple(edge)[:3] == (90, 0, 0) and tuple(inside)[:3] == (200, 200, 200)
    painter.box(Rect(0, 0, 3, 50), (1, 2, 3), 100)
    painter.box(Rect(0, 0, 0, 0), (1, 2, 3), 100)


def test_a_click_is_a_dot():
    state = update(update(PlayState(), PenDown(500, 500, 0)), PenUp(0))
    x, y = from_canvas(arrange(state), 500, 500)
    assert painted([state], (1280, 800))[int(x), int(y)].min() > 200


def test_every_screen_has_a_view_and_help_names_every_key():
    for screen in SCREENS:
        state = update(PlayState(width=800, height=600), Press(f"screen:{screen}"))
        assert painted([state], (800, 600)).std() > 5


def test_a_screen_is_one_module_and_one_line(monkeypatch):
    module = types.ModuleType("play.view.clock")
    vars(module)["SCREEN"] = view.screen("draw")
    monkeypatch.setitem(sys.modules, "play.view.clock", module)
    monkeypatch.setitem(SCREENS, "clock", About("Clock", "What the time is."))
    state = update(PlayState(width=800, height=600), Press("screen:clock"))
    assert state.screen == "clock"
    assert "screen:clock" in [control.action for control in controls_of(state, arrange(state))]
    assert painted([state, update(state, Press("help"))], (800, 600)).std() > 5
    assert update(state, KeyPress("pagedown")).screen == "draw"


def test_what_is_wrong_with_the_network_takes_the_draw_panel():
    state = update(PlayState(), ModelFailed("/there/cnn-1/5 is damaged: take another step"))
    (block,) = draw.blocks(state, arrange(state))
    assert "cnn-1/5 is damaged" in str(block.key)
    ready = update(state, ModelReady(MODEL))
    assert len(draw.blocks(ready, arrange(ready))) == 3


@pytest.mark.parametrize("screen", ["draw", "models", "time"])
@pytest.mark.parametrize("theme", PALETTES)
def test_bars_of_what_is_refused_do_not_shine_as_an_answer(screen, theme):
    state = PlayState(width=1280, height=800, settings=Settings(theme))
    for event in (ModelReady(MODEL), Press(f"screen:{screen}"), PenDown(300, 300, 0), PenUp(0)):
        state = update(state, event)

    def shining(is_digit: float) -> int:
        said = update(state, answer(state.revision, 4, is_digit=is_digit))
        for _ in range(120):  # until the bars are at rest
            said = update(said, Tick(said.time + 1 / 60))
        accent = PALETTES[theme].accent
        return int((painted([said], (1280, 800)) == accent).all(axis=2).sum())

    bar = shining(0.99) - shining(0.01)
    assert bar > 200 and shining(0.01) == shining(0.02)
