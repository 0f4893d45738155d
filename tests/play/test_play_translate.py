"""pygame's events to ours: one pointer, whatever it is."""

import pygame
import pytest

from play import events
from play.focus import beside, next_focus
from play.layout import Rect, arrange
from play.places import Sliding
from play.state import PlayState
from play.translate import Pointer, translate

STATE = PlayState(width=1280, height=800)
LAYOUT = arrange(STATE)
CANVAS = LAYOUT.canvas
MIDDLE = (CANVAS.x + CANVAS.w // 2, CANVAS.y + CANVAS.h // 2)


def mouse(kind: str, pos, touch=False, button=1, pressed=1):
    kinds = {"down": pygame.MOUSEBUTTONDOWN, "up": pygame.MOUSEBUTTONUP, "move": pygame.MOUSEMOTION}
    if kind == "move":
        return pygame.Event(kinds[kind], pos=pos, rel=(0, 0), buttons=(pressed, 0, 0), touch=touch)
    return pygame.Event(kinds[kind], pos=pos, button=button, touch=touch)


def finger(kind: str, pos, number=5):
    kinds = {"down": pygame.FINGERDOWN, "up": pygame.FINGERUP, "move": pygame.FINGERMOTION}
    x, y = pos[0] / 1280, pos[1] / 800
    return pygame.Event(kinds[kind], x=x, y=y, dx=0, dy=0, finger_id=number, touch_id=1)


def run(*given, covered=False, focus=None, sliding=None):
    pointer, found = Pointer(), []
    for time, event in enumerate(given):
        pointer, ours = translate(
            event,
            pointer,
            LAYOUT,
            LAYOUT.controls,
            focus=focus,
            time=float(time),
            covered=covered,
            sliding=sliding,
        )
        found += ours
    return found


def test_a_mouse_stroke_in_canvas_units():
    down, move, up = run(mouse("down", MIDDLE), mouse("move", (CANVAS.x, CANVAS.y)), mouse("up", MIDDLE))
    assert isinstance(down, events.PenDown) and down.x == pytest.approx(500, abs=1) == down.y
    assert move == events.PenMove(0, 0, 1.0) and up == events.PenUp(2.0)


def test_a_finger_and_its_synthetic_mouse_are_one_stroke():
    found = run(
        mouse("down", MIDDLE, touch=True),
        finger("down", MIDDLE),
        mouse("move", (300, 300), touch=True),
        finger("move", (300, 300)),
        finger("up", (300, 300)),
        mouse("up", (300, 300), touch=True),
    )
    assert [type(event).__name__ for event in found] == ["PenDown", "PenMove", "PenUp"]
    assert found[0].x == pytest.approx(500, abs=1)


def test_in_the_smallest_window_a_finger_is_where_the_mouse_would_be():
    layout = arrange(PlayState(width=240, height=200))
    canvas = layout.canvas
    at = (canvas.x + 40, canvas.y + 30)
    touch = pygame.Event(pygame.FINGERDOWN, x=at[0] / 240, y=at[1] / 200, dx=0, dy=0, finger_id=5, touch_id=1)
    (_, (by_finger,)), (_, (by_mouse,)) = (
        translate(event, Pointer(), layout, layout.controls, focus=None, time=0.0)
        for event in (touch, mouse("down", at))
    )
    assert isinstance(by_mouse, events.PenDown) and isinstance(by_finger, events.PenDown)
    assert (by_finger.x, by_finger.y) == pytest.approx((by_mouse.x, by_mouse.y))


def test_second_finger_and_palm_are_ignored_while_one_draws():
    found = run(
        finger("down", MIDDLE, 5),
        finger("down", (400, 400), 6),
        finger("move", (410, 400), 6),
        finger("up", (410, 400), 6),
        finger("move", (300, 300), 5),
        finger("up", (300, 300), 5),
    )
    assert [type(event).__name__ for event in found] == ["PenDown", "PenMove", "PenUp"]


def test_leaving_the_window_ends_the_stroke_and_coming_back_does_not_go_on():
    found = run(
        mouse("down", MIDDLE),
        pygame.Event(pygame.WINDOWFOCUSLOST),
        mouse("move", (300, 300)),
        mouse("up", MIDDLE),
    )
    assert [type(event).__name__ for event in found if not isinstance(event, events.Hover)] == [
        "PenDown",
        "PenLost",
    ]


def test_a_button_released_outside_ends_the_stroke_on_coming_back():
    found = run(
        mouse("down", MIDDLE), mouse("move", (300, 300), pressed=0), mouse("move", (310, 300), pressed=0)
    )
    assert [type(event).__name__ for event in found][:2] == ["PenDown", "PenUp"]


def test_a_stroke_may_leave_the_canvas_without_pressing_what_lies_there():
    tab = LAYOUT.controls[3].rect
    found = run(
        mouse("down", MIDDLE), mouse("move", (tab.x + 5, tab.y + 5)), mouse("up", (tab.x + 5, tab.y + 5))
    )
    assert [type(event).__name__ for event in found] == ["PenDown", "PenMove", "PenUp"]
    assert found[1].y < 0


def test_a_control_is_pressed_where_it_was_touched_and_released():
    theme = next(control for control in LAYOUT.controls if control.action == "theme").rect
    inside, outside = (theme.x + 4, theme.y + 4), (theme.x + 4, theme.bottom + 30)
    assert run(mouse("down", inside), mouse("up", inside)) == [events.Press("theme")]
    assert run(finger("down", inside), finger("up", inside)) == [events.Press("theme")]
    assert run(mouse("down", inside), mouse("up", outside)) == []
    assert run(mouse("down", inside, button=3), mouse("up", inside, button=3)) == []


def test_a_disabled_control_does_nothing_and_a_covered_canvas_is_not_drawn_on():
    redo = next(control for control in LAYOUT.controls if control.action == "redo").rect
    for hand in (mouse, finger):
        found = run(hand("down", (redo.x + 4, redo.y + 4)), hand("up", (redo.x + 4, redo.y + 4)))
        assert found == [events.Notice("There is nothing to redo")]
    assert run(mouse("down", MIDDLE), mouse("move", (1, 1)), mouse("up", MIDDLE), covered=True) == []


TAB = LAYOUT.controls[2]
LIST = Sliding(Rect(TAB.rect.x, TAB.rect.y, TAB.rect.w, 600), 50)


@pytest.mark.parametrize("hand", [mouse, finger])
def test_a_list_follows_the_finger_row_by_row_and_presses_nothing(hand):
    x, y = TAB.rect.x + 9, TAB.rect.y + 9
    up = [(x, y - 30), (x, y - 100), (x + 70, y - 230), (x, y - 180)]
    found = run(hand("down", (x, y)), *(hand("move", at) for at in up), hand("up", (x, y)), sliding=LIST)
    assert [event.rows for event in found] == [1, 1, 3, -1]
    assert run(hand("down", (x, y)), hand("move", (x, y + 99)), sliding=LIST) == [events.Scroll(-2)]


def test_a_finger_that_trembles_presses_and_only_the_list_slides():
    x, y = TAB.rect.x + 9, TAB.rect.y + 9
    press = [events.Press(TAB.action)]
    tremble = [finger("down", (x, y)), finger("move", (x, y + 7)), finger("up", (x, y + 7))]
    assert run(*tremble, sliding=LIST) == press
    below = LIST._replace(area=Rect(0, 700, 1280, 100))
    there = [finger("down", (x, y)), finger("move", (x, y + 200)), finger("up", (x, y))]
    assert run(*there, sliding=below) == press
    back = [finger("down", (x, y)), finger("move", (x, y + 22)), finger("up", (x, y))]
    assert run(*back, sliding=LIST) == []
    on_canvas = [finger("down", MIDDLE), finger("move", (x, y)), finger("up", (x, y))]
    assert [type(event).__name__ for event in run(*on_canvas, sliding=LIST)] == [
        "PenDown",
        "PenMove",
        "PenUp",
    ]


@pytest.mark.parametrize(
    ("key", "mod", "text", "name"),
    [
        (pygame.K_z, 0, "z", "z"),
        (pygame.K_z, pygame.KMOD_SHIFT, "Z", "z"),
        (pygame.K_3, 0, "3", "3"),
        (pygame.K_KP3, 0, "3", "3"),
        (pygame.K_LEFTBRACKET, 0, "[", "["),
        (pygame.K_5, pygame.KMOD_RALT, "[", "["),
        (pygame.K_MINUS, pygame.KMOD_SHIFT, "?", "?"),
        (pygame.K_F11, 0, "", "f11"),
        (pygame.K_HOME, 0, "", "home"),
        (pygame.K_END, 0, "", "end"),
        (pygame.K_PAGEDOWN, 0, "", "pagedown"),
    ],
)
def test_keys_by_what_they_write(key, mod, text, name):
    (event,) = run(pygame.Event(pygame.KEYDOWN, key=key, mod=mod, unicode=text))
    assert isinstance(event, events.KeyPress) and event.key == name


TABULATOR = pygame.Event(pygame.KEYDOWN, key=pygame.K_TAB, mod=0, unicode="\t")


def test_tab_goes_from_group_to_group_and_around():
    assert run(TABULATOR) == [events.Focus("screen:draw")]
    groups = ["screen:draw", "text-cycle", "pen"]  # the chosen one of each, or the first
    for one, other in zip(groups, [*groups[1:], groups[0]], strict=True):
        assert next_focus(LAYOUT.controls, one, 1) == other and next_focus(LAYOUT.controls, other, -1) == one
    assert next_focus(LAYOUT.controls, "help", 1) == "pen", "from anywhere in a group"
    assert next_focus((), None, 1) is None


def arrow(key: int, focus: str | None) -> list:
    return run(pygame.Event(pygame.KEYDOWN, key=key, mod=0, unicode=""), focus=focus)


def test_arrows_move_inside_a_group_and_mean_what_they_did_elsewhere():
    assert arrow(pygame.K_RIGHT, "text-cycle") == [events.Focus("theme")]
    assert arrow(pygame.K_LEFT, "text-cycle") == [events.Focus("text-cycle")], "it ends there"
    assert arrow(pygame.K_DOWN, "pen") == [events.Focus("eraser")], "the tools stand in a column"
    assert arrow(pygame.K_UP, "pen") == [events.KeyPress("up")], "there is nothing to undo, redo or clear"
    assert arrow(pygame.K_DOWN, "theme") == [events.KeyPress("down")] == arrow(pygame.K_DOWN, None)
    slider = LAYOUT.controls[0]._replace(action="slide:frame", slides=True)
    assert beside((slider, *LAYOUT.controls), "slide:frame", "right") is None


def middle_of(action: str) -> tuple[float, float]:
    rect = next(control.rect for control in LAYOUT.controls if control.action == action)
    return rect.x + rect.w / 2, rect.y + rect.h / 2


@pytest.mark.parametrize("hand", [mouse, finger])
def test_tab_goes_on_from_what_was_pressed(hand):
    for action, group in (("theme", "pen"), ("eraser", "screen:draw")):
        press, tab = run(hand("down", middle_of(action)), hand("up", middle_of(action)), TABULATOR)
        assert press == events.Press(action) and tab == events.Focus(group)
    drawn = [hand("down", MIDDLE), hand("move", AWAY), hand("up", AWAY)]
    found = run(hand("down", middle_of("theme")), hand("up", middle_of("theme")), *drawn, TABULATOR)
    assert found[-1] == events.Focus("pen"), "what is drawn in between changes nothing"


def test_tab_goes_to_what_is_nearest_where_the_pressed_control_has_gone():
    gone = next(control for control in LAYOUT.controls if control.action == "eraser")
    left = [control for control in LAYOUT.controls if control is not gone]
    for focus in (None, "eraser"):
        assert next_focus(left, focus, 1, gone) in ("pen", "pen-smaller")
    assert next_focus(left, "theme", 1, gone) == "pen"


def test_unknown_events_and_the_close_button():
    assert run(pygame.Event(pygame.USEREVENT), pygame.Event(pygame.JOYBUTTONDOWN)) == []
    assert run(pygame.Event(pygame.QUIT)) == [events.Closed()]
    assert run(pygame.Event(pygame.DROPFILE, file="/a/b.ndjson")) == [events.Dropped("/a/b.ndjson")]


def names(*given, **options) -> list[str]:
    return [type(event).__name__ for event in run(*given, **options)]


AWAY = (MIDDLE[0] + 150, MIDDLE[1] - 120)


def test_a_pen_after_a_resting_palm_takes_its_dot_away_and_draws():
    rest = [mouse("down", MIDDLE), mouse("move", AWAY), finger("up", AWAY, 5), mouse("up", AWAY)]
    palm = [finger("down", AWAY, 5), finger("move", (AWAY[0] + 2, AWAY[1]), 5)]
    assert names(*palm, *rest) == ["PenDown", "PenMove", "PenDropped", "PenDown", "PenMove", "PenUp"]


def test_a_pen_after_a_finger_that_has_drawn_ends_its_stroke_and_draws():
    drawn = [finger("down", AWAY, 5), finger("move", MIDDLE, 5), finger("move", AWAY, 5)]
    found = names(*drawn, mouse("down", MIDDLE), finger("move", AWAY, 5), mouse("up", MIDDLE))
    assert found == ["PenDown", "PenMove", "PenMove", "PenLost", "PenDown", "PenUp"]


def test_a_mouse_press_where_the_finger_is_belongs_to_the_finger():
    assert names(finger("down", MIDDLE), mouse("down", MIDDLE), finger("up", MIDDLE)) == ["PenDown", "PenUp"]


def test_a_palm_after_the_pen_changes_nothing():
    given = [mouse("down", MIDDLE), finger("down", AWAY), mouse("move", AWAY), finger("up", AWAY)]
    assert names(*given, mouse("up", MIDDLE)) == ["PenDown", "PenMove", "PenUp"]


@pytest.mark.parametrize("hand", [mouse, finger])
def test_a_finger_that_rests_beside_the_canvas_or_on_a_button_blocks_no_drawing(hand):
    theme = next(control for control in LAYOUT.controls if control.action == "theme").rect
    for place in ((CANVAS.x // 2, CANVAS.y + CANVAS.h + 2), (theme.x + 4, theme.y + 4)):
        assert not CANVAS.contains(*place)
        given = [hand("down", MIDDLE), finger("up", place, 9), hand("up", MIDDLE)]
        found = names(finger("down", place, 9), *given)
        assert found == ["PenDown", "PenUp"]


STYLUS, PALM = 6, 5


def test_a_stylus_that_reports_itself_as_a_second_finger_draws_beside_a_resting_palm():
    palm = [finger("down", AWAY, PALM), finger("move", (AWAY[0] + 3, AWAY[1]), PALM)]
    line = [(MIDDLE[0] + 30, MIDDLE[1]), (MIDDLE[0] + 60, MIDDLE[1])]
    drawn = [finger("down", MIDDLE, STYLUS), *(finger("move", at, STYLUS) for at in line)]
    found = run(
        *palm, *drawn, finger("move", AWAY, PALM), finger("up", line[1], STYLUS), finger("up", AWAY, PALM)
    )
    kinds = [type(event).__name__ for event in found]
    assert kinds == ["PenDown", "PenMove", "PenDropped", "PenDown", "PenMove", "PenMove", "PenUp"]
    assert found[3].x == pytest.approx(500, abs=1) == found[3].y


def test_the_finger_that_moves_first_is_the_pen_whichever_came_first():
    both = [finger("down", MIDDLE, STYLUS), finger("down", AWAY, PALM)]
    line = (MIDDLE[0] + 60, MIDDLE[1])
    found = names(
        *both, finger("move", line, STYLUS), finger("move", MIDDLE, PALM), finger("up", line, STYLUS)
    )
    assert found == ["PenDown", "PenMove", "PenUp"]


def test_a_second_finger_that_only_taps_draws_nothing():
    tap = [finger("down", MIDDLE, STYLUS), finger("up", MIDDLE, STYLUS), finger("move", AWAY, STYLUS)]
    assert names(finger("down", AWAY, PALM), *tap, finger("up", AWAY, PALM)) == ["PenDown", "PenUp"]


def test_a_stylus_beside_a_palm_that_lifts_first_draws_its_whole_stroke():
    line = (MIDDLE[0] + 60, MIDDLE[1])
    both = [finger("down", AWAY, PALM), finger("down", MIDDLE, STYLUS), finger("up", AWAY, PALM)]
    found = run(*both, finger("move", line, STYLUS), finger("up", line, STYLUS))
    kinds = [type(event).__name__ for event in found]
    assert kinds == ["PenDown", "PenUp", "PenDown", "PenMove", "PenUp"]
    assert found[2].x == pytest.approx(500, abs=1) == found[2].y and found[3].x > found[2].x
