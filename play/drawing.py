"""What pen, eraser, undo and clearing do to the state's ink, and the answer that is shown for it. Pure."""

from play import ink, verdict
from play.events import CANVAS
from play.ink import Ink
from play.screens import SCREENS
from play.state import ERASER, MAX_HISTORY, PlayState, Sheet, say
from play.verdict import Shown


def pen_down(state: PlayState, x: float, y: float, time: float) -> PlayState:
    """A stroke begins, after a label that of a new drawing, or the eraser sets to work."""
    state = pen_up(state)._replace(help=False, saving=False)
    if not SCREENS[state.screen].has_canvas:
        return state
    before = _sheet(state)
    if state.labelled is not None and state.tool != "eraser":
        state = replace_ink(state, ())
    if state.tool == "eraser":
        state = state._replace(pen_down=True, before=before, erasing_from=(x, y), past=_remember(state))
        return _erase_to(state, x, y)
    if ink.count_points(state.strokes) >= ink.MAX_POINTS:
        return say(state, "This drawing is full: clear it with C to go on.")
    return state._replace(
        strokes=ink.begin(state.strokes, x, _on_canvas(state, y), time),
        pen_down=True,
        before=before,
        past=_remember(state),
        future=(),
        revision=state.revision + 1,
        focus=None,
    )


def pen_move(state: PlayState, x: float, y: float, time: float) -> PlayState:
    """The stroke goes on to a point, or the eraser does."""
    if not state.pen_down:
        return state
    if state.erasing_from is not None:
        return _erase_to(state, x, y)
    if len(state.strokes[-1].points) % 1000 == 999 and ink.count_points(state.strokes) >= ink.MAX_POINTS:
        return say(state, "This drawing is full: clear it with C to go on.")
    strokes = ink.extend(state.strokes, x, _on_canvas(state, y), time)
    if strokes is state.strokes:
        return state
    return state._replace(strokes=strokes, revision=state.revision + 1)


def pen_up(state: PlayState) -> PlayState:
    """The stroke, or the eraser's work, is over."""
    if not state.pen_down:
        return state
    if state.erasing_from is not None and state.past and state.past[-1] is state.strokes:
        state = state._replace(past=state.past[:-1])
    return show(state._replace(pen_down=False, before=None, erasing_from=None))


def pen_dropped(state: PlayState) -> PlayState:
    """What the touch under way has done is taken back, beyond undo too; what it cleared comes back."""
    if not state.pen_down or state.before is None:
        return pen_up(state)
    put_back = {**state.before._asdict(), "pen_down": False, "before": None, "erasing_from": None}
    state = state._replace(**put_back, revision=state.revision + 1)
    return show(state) if state.strokes else _empty(state)


def undo(state: PlayState) -> PlayState:
    """The ink before the last change."""
    if not state.past:
        return state
    future = (*state.future, state.strokes)
    return _set_ink(state._replace(past=state.past[:-1], future=future), state.past[-1])


def redo(state: PlayState) -> PlayState:
    """The ink that the last undo took away."""
    if not state.future:
        return state
    past = (*state.past, state.strokes)
    return _set_ink(state._replace(future=state.future[:-1], past=past), state.future[-1])


def replace_ink(state: PlayState, strokes: Ink) -> PlayState:
    """Other ink, one step of undo away from what was there."""
    if strokes == state.strokes:
        return state._replace(labelled=None)
    state = state._replace(past=_remember(state), future=())
    return _set_ink(state, strokes)


def change_sheet(state: PlayState) -> PlayState:
    """The other canvas, with the ink that was left on it."""
    left = _sheet(state)
    state = state._replace(**state.aside._asdict(), aside=left, revision=state.revision + 1)
    return _empty(state)._replace(labelled=state.labelled)


def show(state: PlayState) -> PlayState:
    """With the words on the screen brought up to date with the last answer."""
    answer = state.answers[0]
    if answer is None:
        return state
    shown = verdict.show(
        state.shown,
        answer.probabilities,
        refused=answer.refused,
        under_way=state.provisional,
        time=state.time,
    )
    if shown.word == verdict.NOT_A_DIGIT and not shown.provisional:
        shown = shown._replace(several=ink.side_by_side(state.strokes))
    return state._replace(shown=shown)


def _erase_to(state: PlayState, x: float, y: float) -> PlayState:
    start = state.erasing_from or (x, y)
    left = ink.erase(state.strokes, start, (x, y), state.pen * ERASER / 2 + state.pen / 2)
    state = state._replace(erasing_from=(x, y))
    if left is state.strokes:
        return state
    state = state._replace(strokes=left, future=(), revision=state.revision + 1, labelled=None)
    return state if left else _empty(state)


def _sheet(state: PlayState) -> Sheet:
    return Sheet(state.strokes, state.past, state.future, state.labelled)


def _on_canvas(state: PlayState, y: float) -> float:
    return min(y, CANVAS * SCREENS[state.screen].height)


def _remember(state: PlayState) -> tuple[Ink, ...]:
    return (*state.past[-MAX_HISTORY:], state.strokes)


def _set_ink(state: PlayState, strokes: Ink) -> PlayState:
    state = state._replace(strokes=strokes, revision=state.revision + 1, labelled=None, saving=False)
    return state if strokes else _empty(state)


def _empty(state: PlayState) -> PlayState:
    return state._replace(
        ground=state.revision, answers=(None, None), explained=None, number=None, shown=Shown(), labelled=None
    )
