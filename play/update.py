"""`update(state, event) -> state`: the only way in which anything changes. Pure, without pygame."""

import math

from play import gallery as galleries
from play import scoring, teaching, training, travel, verdict
from play.actions import key, press, scroll
from play.answers import (
    Answered,
    Explained,
    Filmed,
    FramesListed,
    ModelFailed,
    ModelInfo,
    ModelReady,
    ModelsListed,
    NumberRead,
    ReaderEnded,
)
from play.drawing import pen_down, pen_dropped, pen_move, pen_up, show
from play.effects import Import, ListModels
from play.events import (
    BinListed,
    Closed,
    Dropped,
    Event,
    FilesListed,
    Focus,
    HardListed,
    Hover,
    KeyPress,
    LessonTaught,
    Measured,
    Notice,
    PenDown,
    PenDropped,
    PenLost,
    PenMove,
    PenUp,
    Press,
    Recorded,
    RecordsListed,
    Resize,
    RunsChanged,
    ScoreSaved,
    ScoresListed,
    Scroll,
    Started,
    TeacherAt,
    TeacherReady,
    Tick,
    Traced,
)
from play.state import BAR_SECONDS, JOURNEY_SECONDS, Numbers, PlayState, await_run, say, set_slot, with_effect
from play.studio import RunSeen


def update(state: PlayState, event: Event) -> PlayState:
    """The state after an event. Any event may come at any time; nonsense changes nothing."""
    match event:
        case PenDown(x, y, time):
            return pen_down(travel.whole(state), x, y, time) if _finite(x, y, time) else state
        case PenMove(x, y, time):
            return pen_move(state, x, y, time) if _finite(x, y, time) else state
        case PenUp() | PenLost():
            return _pen_up(state)
        case PenDropped():
            return pen_dropped(state)
        case Tick(time):
            return _tick(state, time) if _finite(time) else state
        case Answered():
            parts = (*event.probabilities, event.is_digit or 0.0)
            sound = all(0 <= part < 1.01 for part in parts) and _usable(event.fit)
            return _answered(state, event) if sound else state
        case Explained():
            parts = (*event.heat, *(part for row in event.without for part in row[1:]))
            sound = all(-1.01 < part < 1.01 for part in parts)
            return state._replace(explained=event) if sound and event.revision >= state.ground else state
        case NumberRead():
            return _number(state, event)
        case KeyPress():
            return _may_close(state, key(state, event))
        case Press(action):  # by a pointer: the keyboard's focus stays on nothing else
            stays = state.focus in (action, action.partition("=")[0])  # a slider that is dragged says how far
            return press(state if stays else state._replace(focus=None), action)
        case Focus(control):
            return state._replace(focus=control, hover=None)  # or the resting pointer's is spoken of
        case Hover(control):
            return state._replace(hover=control)
        case Scroll(rows):
            return scroll(state, rows) if _finite(rows) else state
        case Resize(width, height):
            if not (width > 0 and height > 0):
                return state
            return state._replace(width=width, height=height, hover=None)
        case Measured(frame, ink_to_answer, dropped):
            return state._replace(numbers=Numbers(frame, ink_to_answer, dropped))
        case ModelReady(info, slot):
            return _model_ready(state, info, slot)
        case ModelFailed():
            return _model_failed(state, event)
        case ReaderEnded(message):
            return _without_reader(state, message)
        case ModelsListed(models):
            return state._replace(listed=models)
        case Recorded(word, total, error):
            return _recorded(state, word, total, error)
        case RecordsListed(entries, folder):
            gallery = galleries.listed(state.gallery, entries, folder)
            return state._replace(gallery=gallery, recorded=len(entries))
        case FilesListed(files):
            if state.gallery.files is None:
                return state
            return state._replace(gallery=state.gallery._replace(files=files))
        case RunSeen():
            return training.seen(state, event)
        case Started():
            return training.started(state, event)
        case HardListed(path, digits):
            run = state.studio.run
            wanted = run is not None and run.path == path
            return state._replace(studio=state.studio._replace(hardest=digits)) if wanted else state
        case Traced():
            return training.traced(state, event)
        case FramesListed():
            return travel.listed(state, event)
        case Filmed():
            return travel.filmed(state, event)
        case ScoreSaved():
            return scoring.saved(state, event)
        case ScoresListed():
            return scoring.listed(state, event)
        case TeacherReady():
            return teaching.ready(state, event)
        case TeacherAt():
            return teaching.at(state, event)
        case LessonTaught():
            return teaching.taught(state, event)
        case BinListed():
            return training.binned(state, event)
        case RunsChanged():
            return with_effect(state, ListModels())
        case Dropped(path):
            state = press(pen_up(state), "screen:gallery")
            return with_effect(state._replace(gallery=state.gallery._replace(files=None)), Import(path))
        case Notice(text):
            return say(state, text)
        case Closed():
            return _may_close(state, pen_up(state)._replace(closing=True))
    return state


def _may_close(before: PlayState, after: PlayState) -> PlayState:
    """Drawings that are in no file are not lost by closing once."""
    score = after.score
    if not after.closing or not score.unsaved or scoring.sure(after, "close"):
        return after
    if score.asked:
        return scoring.left(pen_up(before))
    return scoring.warned(press(before, "screen:score"), "close")


def _pen_up(state: PlayState) -> PlayState:
    return travel.lifted(state) if state.screen == "time" else pen_up(state)


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _usable(fit: tuple[float, float, float] | None) -> bool:
    """Whether places on the image have places on the canvas: a scale may be 0 (a dot), but not next to it."""
    return fit is None or (all(abs(x) < 1e6 for x in fit) and (fit[0] == 0 or fit[0] > 1e-6))


def _answered(state: PlayState, answer: Answered) -> PlayState:
    if not state.ground <= answer.revision <= state.revision or not state.strokes:
        return state
    before = state.answers[answer.slot]
    if before is not None and before.revision > answer.revision:
        return state
    answers = (answer, state.answers[1]) if answer.slot == 0 else (state.answers[0], answer)
    if state.screen == "time" and answer.slot == 0:  # what is said of a step is seen with its bars
        state = state._replace(bars=answer.probabilities)
    return show(state._replace(answers=answers))


def _number(state: PlayState, read: NumberRead) -> PlayState:
    parts = (part for digit in read.digits for part in (*digit.probabilities, digit.is_digit or 0.0))
    sound = all(0 <= part < 1.01 for part in parts) and all(_finite(*digit.box) for digit in read.digits)
    newer = state.number is None or state.number.revision <= read.revision
    if not (sound and newer and state.ground <= read.revision <= state.revision and state.strokes):
        return state
    return state._replace(number=read)


def _tick(state: PlayState, time: float) -> PlayState:
    step = min(max(time - state.time, 0.0), 1.0)
    bars, goal = state.bars, state.bars_goal
    if bars != goal:
        part = 1.0 - math.exp(-step / BAR_SECONDS)
        bars = tuple(g if abs(g - b) < 1e-3 else b + part * (g - b) for b, g in zip(bars, goal, strict=True))
    notice = state.notice if time < state.notice_until else ""
    journey = state.journey
    if journey is not None and (state.pen_down or not state.strokes or time - journey > JOURNEY_SECONDS):
        journey = None
    state = state._replace(time=max(time, state.time), bars=bars, notice=notice, journey=journey)
    return show(state) if verdict.is_due(state.shown, state.time) else state


def _model_ready(state: PlayState, info: ModelInfo, slot: int) -> PlayState:
    before, answer = state.models[slot], state.answers[0]
    state = set_slot(state, slot, info)._replace(revision=state.revision + 1)
    if slot == 0 and answer is not None and before is not None and before.path != info.path:
        state = state._replace(answers=(answer._replace(step=None), state.answers[1]))  # it was another's
    if state.awaited[slot] == info.path:
        state = await_run(state, slot, "")
    if slot == 0:
        state = state._replace(problem="", missing=False)
        if state.screen == "time":
            same = info.path == state.timeline.path
            state = travel.grown(state, info.step) if same else travel.opened(state)
        state = teaching.loaded(state, info.path)
    if (
        before is not None
        and before.path == info.path
        and before.step != info.step
        and state.screen != "time"
    ):
        return say(state, f"{info.name}: step {info.step} is in use now.")
    return state


def _model_failed(state: PlayState, failed: ModelFailed) -> PlayState:
    """What is in the slot stays in use, unless the process that reads was started again without it."""
    slot, message = failed.slot, failed.message
    if state.awaited[slot] == failed.path:
        state = await_run(state, slot, "")
    if failed.empty and state.models[slot] is not None:
        state = set_slot(state, slot, None)._replace(revision=state.revision + 1)
    if slot:
        answers = state.answers if state.models[1] is not None else (state.answers[0], None)
        return say(state._replace(answers=answers), message)
    if state.models[0] is None:
        state = state._replace(problem=message, missing=failed.missing)
        if not state.lesson.returning:
            return state
    return teaching.not_loaded(state, failed.path, message)


def _without_reader(state: PlayState, why: str) -> PlayState:
    """No network answers any more: what is on the screen is provisional for good, all else stays."""
    lesson = state.lesson._replace(returning=False)
    state = state._replace(models=(None, None), awaited=("", ""), revision=state.revision + 1, lesson=lesson)
    return state._replace(problem=why, missing=False)


def _recorded(state: PlayState, word: str, total: int, error: str) -> PlayState:
    if error:
        return say(state, error)._replace(labelled=None if state.labelled == word else state.labelled)
    state = state._replace(recorded=total)
    if state.screen == "teach" and (text := teaching.recorded(state, word)):
        return say(state, text)
    name = "not a digit" if word == verdict.OTHER_WORD else word
    return say(state, f"Saved as {name}. {total} drawing{'' if total == 1 else 's'} on this machine.")
