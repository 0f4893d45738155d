"""The pure state: every event, on values made by hand."""

import math
import sys

import pytest

from play import verdict
from play.actions import KEYS
from play.answers import ModelFailed, ModelInfo, ModelReady, ModelsListed
from play.effects import (
    Delete,
    FollowRuns,
    Fullscreen,
    ListModels,
    ListRecords,
    LoadModel,
    Record,
    Relabel,
    SaveSettings,
    UnloadModel,
)
from play.events import (
    Closed,
    Focus,
    Hover,
    KeyPress,
    Measured,
    Notice,
    PenDown,
    PenDropped,
    PenLost,
    PenMove,
    PenUp,
    Press,
    Recorded,
    RecordEntry,
    RecordsListed,
    Resize,
    Scroll,
    Tick,
)
from play.screens import SCREENS
from play.state import PENS, PlayState
from play.update import update
from tests.play.drawings import FOUR, strokes_events
from tests.play.fakes import MODEL, answer
from tests.play.looking import texts_on


def after(*events, state: PlayState | None = None) -> PlayState:
    state = state or PlayState()
    for event in events:
        state = update(state, event)
    return state


def stroke(first: tuple[float, float], *rest: tuple[float, float], time: float = 0.0) -> list:
    return [PenDown(first[0], first[1], time), *(PenMove(x, y, time) for x, y in rest), PenUp(time)]


LINE = stroke((100, 100), (200, 100), (300, 150))
BAR = stroke((100, 500), (300, 500))


def test_state_needs_no_heavy_package():
    import subprocess

    code = "import sys, play.update, play.layout; "
    code += "print([m for m in ('pygame', 'jax', 'numpy', 'flax') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_stroke_is_its_points_in_order_with_times():
    state = after(PenDown(1, 2, 0.5), PenMove(3, 4, 0.6), PenMove(3, 4, 0.7), PenMove(5, 6, 0.8))
    assert state.pen_down
    state = after(PenUp(0.9), state=state)
    assert not state.pen_down
    assert state.strokes[0].points == ((1, 2), (3, 4), (5, 6))
    assert state.strokes[0].times == (0.5, 0.6, 0.8)


def test_a_click_is_a_dot_and_moves_without_a_pen_are_nothing():
    state = after(PenMove(5, 5, 0), PenUp(0), PenDown(7, 8, 0), PenUp(0), PenMove(9, 9, 0))
    assert [s.points for s in state.strokes] == [((7, 8),)]


def test_ink_stays_on_the_canvas_and_nonsense_is_refused():
    state = after(
        PenDown(-50, 2000, 0), PenMove(math.nan, 3, 0), PenMove(3, math.inf, 0), PenDown(0, math.nan, 0)
    )
    assert state.strokes[0].points == ((0, 1000),)
    assert after(Tick(math.nan), Resize(0, 5), Scroll(math.inf)) == PlayState()


@pytest.mark.parametrize("end", [PenUp(1.0), PenLost(1.0), Closed()])
def test_every_end_of_a_stroke_ends_it(end):
    state = after(PenDown(1, 1, 0), end, PenMove(9, 9, 2))
    assert not state.pen_down and len(state.strokes[0].points) == 1


def test_undo_goes_back_by_stroke_and_redo_forward():
    two = after(*LINE, *BAR)
    one = after(KeyPress("z"), state=two)
    assert one.strokes == two.strokes[:1]
    assert after(KeyPress("y"), state=one).strokes == two.strokes
    assert after(KeyPress("z"), KeyPress("z"), KeyPress("z"), state=two).strokes == ()
    assert after(KeyPress("z", ctrl=True), state=two).strokes == two.strokes[:1]
    assert (
        after(KeyPress("z", ctrl=True), KeyPress("z", ctrl=True, shift=True), state=two).strokes
        == two.strokes
    )


def test_undo_under_way_ends_the_stroke_first_and_redo_brings_it_back():
    state = after(*LINE, PenDown(1, 1, 0), PenMove(50, 50, 0), KeyPress("z"), PenMove(70, 70, 0))
    assert len(state.strokes) == 1 and not state.pen_down
    assert after(KeyPress("y"), state=state).strokes[1].points == ((1, 1), (50, 50))


def test_clear_is_undone_and_a_new_stroke_forgets_the_future():
    state = after(*LINE, *BAR, KeyPress("c"))
    assert state.strokes == ()
    assert len(after(KeyPress("z"), state=state).strokes) == 2
    assert after(*BAR, state=state).future == ()


def test_eraser_cuts_a_stroke_in_two_and_undo_mends_it():
    drawn = after(*stroke((100, 500), (900, 500)))
    state = after(KeyPress("e"), *stroke((500, 400), (500, 600)), state=drawn)
    assert len(state.strokes) == 2
    left, right = state.strokes
    assert left.points[0] == (100, 500) and right.points[-1] == (900, 500)
    reach = drawn.pen * 2 / 2 + drawn.pen / 2
    assert left.points[-1][0] <= 500 - reach and right.points[0][0] >= 500 + reach
    assert left.points[-1][0] > 500 - 2 * reach
    assert after(KeyPress("z"), state=state).strokes == drawn.strokes


def test_eraser_that_touches_nothing_leaves_no_trace():
    drawn = after(*LINE)
    state = after(KeyPress("e"), *stroke((900, 900), (950, 950)), state=drawn)
    assert state.strokes is drawn.strokes and state.past == drawn.past


def test_pen_sizes_stop_at_both_ends_and_are_remembered():
    state = after(*[KeyPress("]")] * 9)
    assert state.pen == max(PENS)
    assert state.effects[-1] == SaveSettings({"theme": "dark", "text_size": "normal", "pen": 4})
    assert after(*[KeyPress("[")] * 9).pen == min(PENS)


def test_answer_is_provisional_until_the_pen_is_up_and_the_last_point_answered():
    state = after(ModelReady(MODEL), PenDown(1, 1, 0), PenMove(2, 2, 0))
    state = after(answer(state.revision, 4), state=state)
    assert state.shown.word == "4" and state.shown.provisional and state.provisional
    state = after(PenUp(0), state=state)
    assert state.shown.word == "4" and not state.shown.provisional and not state.provisional


def test_no_flash_of_not_a_digit_before_the_pen_is_up():
    state = after(ModelReady(MODEL), PenDown(1, 1, 0))
    state = after(answer(state.revision, 4, is_digit=0.01), state=state)
    assert state.shown.word == "4"
    assert after(PenUp(0), state=state).shown.word == verdict.NOT_A_DIGIT


def test_stale_answers_do_not_come_back():
    state = after(*LINE)
    old = answer(state.revision, 3)
    state = after(old, KeyPress("c"), state=state)
    assert state.shown.word == "" and state.answers == (None, None)
    state = after(old, *BAR, old, state=state)
    assert state.shown.word == ""
    newest = answer(state.revision, 1)
    state = after(newest, answer(state.revision - 1, 8), state=state)
    assert state.answers[0] == newest


def test_two_networks_answer_beside_each_other():
    state = after(*LINE)
    state = after(answer(state.revision, 3), answer(state.revision, 5)._replace(slot=1), state=state)
    assert [a.probabilities.index(max(a.probabilities)) for a in state.answers if a] == [3, 5]
    assert state.shown.word == "3"


def test_bars_move_smoothly_and_reach_the_answer():
    state = after(*LINE)
    state = after(answer(state.revision, 3, 0.91), state=state)
    assert state.bars[3] == 0 and state.shown.word == "3"
    middle = after(Tick(1 / 60), state=state)
    assert 0 < middle.bars[3] < 0.91
    end = after(*(Tick(i / 60) for i in range(1, 60)), state=state)
    assert end.answers[0] is not None and end.bars == end.answers[0].probabilities


def test_label_records_what_was_drawn_and_said_once():
    state = after(ModelReady(MODEL), *LINE)
    state = after(answer(state.revision, 7), KeyPress("1"), KeyPress("1"), state=state)
    assert len(state.effects) == 1
    (record,) = state.effects
    assert isinstance(record, Record)
    assert (record.word, record.ink, record.model, record.said) == ("1", state.strokes, "cnn-7/42", "7")
    state = after(KeyPress("n"), state=state._replace(effects=()))
    assert state.effects == (record._replace(word="not-a-digit"),)


def test_the_stroke_after_a_label_begins_a_new_drawing():
    state = after(*LINE, KeyPress("1"), *BAR)
    assert [s.points[0] for s in state.strokes] == [(100, 500)]
    assert len(after(KeyPress("z"), KeyPress("z"), state=state).strokes) == 1


def test_a_label_says_only_what_the_network_has_said_about_this_ink_as_it_is():
    state = after(ModelReady(MODEL), Press("screen:sees"), *LINE)
    state = after(answer(state.revision, 7), state=state)
    for late in (BAR, [Press("stage:mass")], [ModelReady(MODEL._replace(step=43))]):
        (record,) = after(*late, KeyPress("1"), state=state).effects
        assert isinstance(record, Record)
        assert (record.said, record.probabilities, record.is_digit) == ("", (), None)
    broken = after(Press("stage:mass"), state=state)
    (record,) = after(answer(broken.revision, 3), KeyPress("1"), state=broken).effects
    assert isinstance(record, Record) and record.said == "" and record.probabilities == ()


def test_label_undo_redo_label_names_the_same_ink():
    first, second = after(*LINE, KeyPress("4"), KeyPress("z"), KeyPress("y"), KeyPress("5")).effects
    assert isinstance(first, Record) and isinstance(second, Record)
    assert (first.word, second.word) == ("4", "5") and first.ink == second.ink


def test_the_eraser_after_a_label_takes_only_what_it_touches():
    state = after(*LINE, *BAR, KeyPress("4"), KeyPress("e"), *stroke((900, 900), (950, 950)))
    assert len(state.strokes) == 2 and state.labelled == "4"
    cut = after(*stroke((200, 500), (200, 510)), state=state)
    assert len(cut.strokes) == 3 and cut.labelled is None


@pytest.mark.parametrize("tool", ["pen", "eraser"])
def test_a_dropped_touch_is_as_if_it_had_not_been(tool):
    drawn = after(*LINE, Press(tool))
    state = after(PenDown(200, 100, 1), PenMove(210, 100, 1), PenDropped(2), state=drawn)
    assert (state.strokes, state.past, state.pen_down) == (drawn.strokes, drawn.past, False)
    assert state.revision > drawn.revision
    assert after(PenDropped(3), state=drawn) == drawn


@pytest.mark.parametrize("tool", ["pen", "eraser"])
@pytest.mark.parametrize("done", [[KeyPress("3")], [KeyPress("z")]], ids=["saved", "undone"])
def test_a_dropped_touch_gives_back_what_it_cleared(tool, done):
    """A palm on a drawing that is saved, or whose last stroke was undone."""
    drawn = after(*LINE, *BAR, *done, Press(tool))
    palm = after(PenDown(100, 150, 1), PenMove(150, 100, 1), state=drawn)
    assert palm.strokes != drawn.strokes
    state = after(PenDropped(2), state=palm)
    for name in ("strokes", "past", "future", "labelled"):
        assert getattr(state, name) == getattr(drawn, name), name
    given = after(answer(state.revision, 4), state=state)
    assert given.shown.word == "4" and not given.provisional


def test_label_without_ink_and_failed_saving_are_said():
    assert "Draw" in after(KeyPress("3")).notice
    state = after(*LINE, KeyPress("3"), Recorded("3", 0, "Not saved: the disk is full."))
    assert state.notice.startswith("Not saved") and state.labelled is None
    assert "Saved as 3" in after(*LINE, KeyPress("3"), Recorded("3", 5)).notice


def test_keys_and_presses_do_the_same():
    for key, action in KEYS.items():
        before = after(*LINE, *BAR, KeyPress("z"))
        assert update(before, KeyPress(key)) == update(before, Press(action)), key


def test_screens_by_press_and_page_keys():
    state = PlayState()
    names = tuple(SCREENS)
    for name in (*names[1:], names[0]):
        state = after(KeyPress("pagedown"), state=state)
        assert state.screen == name
    assert after(Press("screen:nowhere")).screen == "draw"
    opened = after(Press("screen:models"))
    assert opened.effects == (FollowRuns(True), ListModels())
    assert after(Press("screen:train"), state=opened).effects.count(FollowRuns(True)) == 1
    assert after(Press("screen:draw"), state=opened).effects[-1] == FollowRuns(False)
    assert after(Press("screen:gallery")).effects == (ListRecords(),)
    assert after(PenDown(1, 1, 0), Press("screen:why"), PenMove(5, 5, 0)).pen_down is False


def test_nothing_is_drawn_on_the_gallery():
    assert after(Press("screen:gallery"), *LINE).strokes == ()


def test_stages_toggle_and_ask_again():
    state = after(*LINE)
    off = after(Press("stage:mass"), state=state)
    assert off.off == {"mass"} and off.revision > state.revision
    assert after(Press("stage:mass"), Press("stage:nothing"), state=off).off == frozenset()


def test_models_are_chosen_refused_and_put_beside():
    good, bad = ModelInfo("a", "/runs/a", 1), ModelInfo("b", "/runs/b", error="b is damaged")
    state = after(ModelReady(MODEL), ModelsListed((good, bad)))
    assert after(Press("model:a"), state=state).effects == (LoadModel("/runs/a", 0),)
    assert after(Press("second:a"), state=state).effects == (LoadModel("/runs/a", 1),)
    refused = after(Press("model:b"), state=state)
    assert refused.effects == () and refused.notice == "b is damaged"
    beside = after(ModelReady(good, 1), Press("second:a"), state=state)
    assert beside.effects == (UnloadModel(1),) and beside.models[1] is None


def test_a_newer_step_is_taken_up_and_the_ink_asked_again():
    state = after(ModelReady(MODEL), *LINE)
    newer = after(ModelReady(MODEL._replace(step=43)), state=state)
    assert newer.models[0] is not None and newer.models[0].step == 43
    assert newer.revision > state.revision and newer.strokes == state.strokes and "43" in newer.notice


def test_failures_leave_what_works():
    none = after(ModelFailed("there is no checkpoint", True))
    assert none.missing and not none.loading
    state = after(ModelReady(MODEL), ModelFailed("x is damaged"))
    assert state.models[0] == MODEL and state.notice == "x is damaged" and not state.problem


def test_gallery_wrong_first_and_delete_asks_twice():
    entries = (
        RecordEntry("k0", 0, "1", "1", ()),
        RecordEntry("k1", 1, "2", "7", ()),
        RecordEntry("k2", 2, "not-a-digit", "not a digit", ()),
    )
    state = after(Press("screen:gallery"), RecordsListed(entries))._replace(effects=())
    assert [entry.key for entry in state.gallery.entries] == ["k1", "k2", "k0"]
    state = after(Press("entry:k0"), KeyPress("delete"), state=state)
    assert state.effects == () and state.gallery.confirm == "k0"
    assert after(KeyPress("delete"), state=state).effects == (Delete("k0"),)
    assert after(KeyPress("5"), state=state).effects == (Relabel("k0", "5"),)
    assert after(RecordsListed(entries[1:]), state=state).gallery.selected is None


def test_escape_closes_help_then_full_screen_then_goes_back_to_drawing():
    state = after(Press("fullscreen"), Press("help"), Press("screen:why"), KeyPress("?"))
    assert state.effects[0] == Fullscreen(True) and state.help
    state = after(KeyPress("escape"), state=state)
    assert not state.help and state.fullscreen
    state = after(KeyPress("escape"), state=state)
    assert not state.fullscreen and state.screen == "why"
    assert after(KeyPress("escape"), state=state).screen == "draw"


def test_escape_leaves_a_screen_as_its_tab_would():
    """So that a number does not come to lie on the canvas of one digit."""
    for screen in SCREENS:
        state = after(Press(f"screen:{screen}"), *strokes_events(FOUR))
        by_key = after(KeyPress("escape"), state=state)
        assert by_key == after(Press("screen:draw"), state=state)._replace(focus=None), screen


def test_focus_and_return_press_the_control():
    state = after(*LINE, Focus("clear"), KeyPress("return"))
    assert state.strokes == () and after(Hover("undo")).hover == "undo"


def test_notices_go_and_numbers_stay():
    state = after(Notice("hello"))
    assert state.notice == "hello" and after(Tick(10.0), state=state).notice == ""
    state = after(Measured(3.0, 1.0, 2), Measured(4.0, 1.5, 2))
    assert state.numbers == (4.0, 1.5, 2)


def test_verdict_agrees_with_the_command_line():
    from digitjax import evaluate, predict

    assert (verdict.SURE, verdict.THRESHOLD) == (predict.SURE, evaluate.THRESHOLD)


def test_doubt_in_words():
    probabilities = (0.0,) * 4 + (0.6,) + (0.0,) * 4 + (0.4,)
    shown = verdict.show(verdict.Shown(), probabilities, refused=False, under_way=False, time=0)
    assert (shown.word, shown.second) == ("4", "9")


def test_a_digit_is_refused_below_the_threshold_and_never_without_a_head():
    for is_digit, word in ((None, "4"), (0.0, verdict.NOT_A_DIGIT), (0.49, verdict.NOT_A_DIGIT), (0.5, "4")):
        state = after(ModelReady(MODEL), PenDown(1, 1, 0))
        state = after(answer(state.revision, 4, is_digit=is_digit), state=state)
        assert (state.shown.word, state.shown.provisional) == ("4", True)
        state = after(PenUp(0), state=state)
        assert (state.shown.word, state.shown.provisional) == (word, False), is_digit


def test_a_stroke_added_to_what_is_no_digit_waits_for_the_pen_too():
    state = after(ModelReady(MODEL), *LINE)
    state = after(answer(state.revision, 4, is_digit=0.1), state=state)
    assert state.shown.word == verdict.NOT_A_DIGIT
    state = after(PenDown(1, 1, 1), state=state)
    assert state.shown.word == verdict.NOT_A_DIGIT and state.provisional
    state = after(PenMove(9, 9, 1), answer(state.revision + 1, 7, is_digit=0.9), state=state)
    state = after(Tick(2.0), PenMove(20, 9, 2), answer(state.revision + 1, 7, is_digit=0.9), state=state)
    state = after(PenUp(2), state=state)
    assert (state.shown.word, state.shown.provisional) == ("7", False)


def test_a_rival_waits_a_moment_while_the_pen_is_down():
    four, six = answer(0, 4).probabilities, answer(0, 6, 0.6).probabilities
    shown = verdict.show(verdict.Shown(), four, refused=False, under_way=True, time=0.0)
    waiting = verdict.show(shown, six, refused=False, under_way=True, time=0.1)
    assert waiting.word == "4"
    assert verdict.show(waiting, six, refused=False, under_way=True, time=0.11 + verdict.PATIENCE).word == "6"
    assert (
        verdict.show(waiting, answer(0, 6, 0.99).probabilities, refused=False, under_way=True, time=0.11).word
        == "6"
    )
    assert verdict.show(waiting, six, refused=False, under_way=False, time=0.11).word == "6"


def test_a_rival_is_shown_while_the_pen_rests_though_no_newer_answer_comes():
    state = after(ModelReady(MODEL), PenDown(1, 1, 0))
    state = after(answer(state.revision, 1), PenMove(90, 9, 0.1), state=state)
    state = after(Tick(0.1), answer(state.revision, 7, 0.85), state=state)
    assert (state.shown.word, state.shown.rival) == ("1", "7")
    state = after(Tick(0.05 + verdict.PATIENCE), state=state)
    assert state.shown.word == "1"
    state = after(Tick(0.11 + verdict.PATIENCE), state=state)
    assert (state.shown.word, state.shown.second, state.shown.rival) == ("7", "", "")
    assert state.shown.provisional and state.pen_down


def test_an_eraser_that_touches_nothing_leaves_what_can_be_redone():
    drawn = after(PenDown(100, 100, 0.0), PenMove(100, 300, 0.1), PenUp(0.2))
    undone = update(drawn, KeyPress("z"))
    rubbed = after(Press("eraser"), PenDown(800, 800, 1.0), PenMove(900, 900, 1.1), PenUp(1.2), state=undone)
    assert update(rubbed, KeyPress("y")).strokes == drawn.strokes


@pytest.mark.parametrize("screen", ["draw", "number", "why", "sees", "models"])
def test_why_there_is_no_network_is_said_once(screen):
    sentence = (
        "/home/ada/checkpoints/nosuch does not exist: " + "name a run that is there, or train one; " * 2
    )
    state = after(*LINE, ModelFailed(sentence))._replace(screen=screen)
    assert texts_on(state).count(sentence) == 1


def test_the_size_of_the_text_is_said_and_where_it_goes_no_further():
    state = after(KeyPress("+"))
    assert (state.settings.text_size, state.notice) == ("large", "Text 125 %")
    more = update(state, KeyPress("+"))
    assert more.settings == state.settings and more.notice == "Text 125 %: the largest"
    less = [state := update(state, KeyPress("-")) for _ in range(3)]
    assert [one.notice for one in less] == ["Text 100 %", "Text 85 %", "Text 85 %: the smallest"]
    assert update(after(), Press("text-cycle")).notice == "Text 125 %"
