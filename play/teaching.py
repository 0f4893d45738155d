"""What the Teach screen's controls do, and what its events change. Pure."""

from play.drawing import pen_up
from play.effects import BinRun, LoadModel, Teach, WarmTeacher
from play.events import LessonTaught, TeacherAt, TeacherReady
from play.ink import Ink
from play.lesson import MOST, Lesson
from play.state import PlayState, await_run, say, with_effect
from play.verdict import DIGITS, NOT_A_DIGIT, OTHER_WORD

NEVER = "this network never says “not a digit”"
"""Why what is no digit is not taught to a network for digits alone."""


def opened(state: PlayState) -> PlayState:
    """A teacher for the network in use is made ready."""
    model = state.models[0]
    if model is None or state.lesson.taught is not None:
        return state
    return _warming(state, model.path, model.step)


def followed(state: PlayState) -> PlayState:
    """Another network may answer than before, or another step of it: that is the one to be taught, once no
    lesson is in the way."""
    model, lesson = state.models[0], state.lesson
    if state.screen != "teach" or model is None or state.awaited[0] or lesson.status == "teaching":
        return state
    if not lesson.status or lesson.path != model.path:
        return opened(state)
    warm = lesson.taught is None and lesson.status in ("warming", "ready")
    return with_effect(state, WarmTeacher(model.path, model.step)) if warm else state


def _warming(state: PlayState, path: str, step: int | None) -> PlayState:
    lesson = state.lesson
    late = lesson.late and path == lesson.path
    lesson = lesson._replace(status="warming", path=path, doing="", warm=False, late=late)
    return with_effect(state._replace(lesson=lesson), WarmTeacher(path, step))


def left(state: PlayState) -> PlayState:
    """The teacher goes; the lesson stays as it is, and what was taught by now may still be told."""
    before = state.lesson
    status, late = (before.status, False) if before.taught is not None else ("", before.status == "teaching")
    lesson = before._replace(status=status, doing="", warm=False, late=late)
    return with_effect(state._replace(lesson=lesson), WarmTeacher(""))


def labelled(state: PlayState, word: str, ink: Ink) -> PlayState:
    """A person has labelled a drawing on this screen: it belongs to the lesson; the same ink again, anew."""
    lesson = state.lesson
    items = tuple(item for item in lesson.items if item[1] != ink)
    if not has_word(state, word):  # nor is it taught what it was said to be before
        return state._replace(lesson=lesson._replace(items=items))
    if len(items) >= MOST:
        return state
    return state._replace(lesson=lesson._replace(items=(*items, (word, ink))))


def recorded(state: PlayState, word: str) -> str:
    """Why a drawing that was labelled and saved on this screen is not in the lesson; "" where it is."""
    if not has_word(state, word):
        return f"Saved as not a digit, and not taught: {NEVER}."
    if all(ink != state.strokes for _, ink in state.lesson.items) and len(state.lesson.items) >= MOST:
        name = NOT_A_DIGIT if word == OTHER_WORD else word
        return f"Saved as {name}, but a lesson has at most {MOST} drawings: teach these first."
    return ""


def teachable(state: PlayState) -> tuple[tuple[str, Ink], ...]:
    """The drawings of the lesson for which the network has a word: another may have been chosen since."""
    return tuple(item for item in state.lesson.items if has_word(state, item[0]))


def has_word(state: PlayState, word: str) -> bool:
    """Whether the network can learn to say it; while none is known, all is hoped for."""
    model = state.models[0]
    return word in DIGITS or (word == OTHER_WORD and (model is None or model.rejects))


def press(state: PlayState, what: str) -> PlayState:
    """A control was activated; nonsense changes nothing."""
    lesson = state.lesson
    if what == "go" and lesson.status == "ready" and (items := teachable(state)):
        given = lesson._replace(status="teaching", doing="", sent=items, late=False)
        return with_effect(pen_up(state)._replace(lesson=given), Teach(lesson.path, items, state.step))
    if what == "forget" and lesson.items and lesson.status != "teaching":
        return state._replace(lesson=lesson._replace(items=lesson.items[:-1]))
    if what == "again" and lesson.status == "failed":
        return opened(state)
    if lesson.taught is None or lesson.returning:
        return state
    if what == "keep":
        waiting = tuple(item for item in lesson.items if item not in lesson.sent)
        state = say(state._replace(lesson=Lesson(waiting)), f"Kept as {lesson.taught.name}.")
        return _warming(state, lesson.taught.path, None)
    if what == "back":
        state = await_run(state._replace(lesson=lesson._replace(returning=True)), 0, lesson.path)
        return with_effect(state, LoadModel(lesson.path, 0))
    return state


def loaded(state: PlayState, path: str) -> PlayState:
    """A network answers. Where it is the one to which a lesson was rolled back, what was taught goes."""
    lesson = state.lesson
    if not lesson.returning or lesson.taught is None or path != lesson.path:
        return followed(state)
    state = state._replace(lesson=lesson._replace(taught=None, status="ready", returning=False))
    if not lesson.warm:  # it went when the screen was left
        step = None if state.models[0] is None else state.models[0].step
        state = _warming(state, path, step) if state.screen == "teach" else left(state)
    state = with_effect(followed(state), BinRun(lesson.taught.path, quiet=True))
    return say(state, "Rolled back: the network is as it was.")


def not_loaded(state: PlayState, path: str, why: str) -> PlayState:
    """A network cannot be had. Where a lesson was to be rolled back to it, what was taught stays."""
    lesson = state.lesson
    if not lesson.returning or lesson.taught is None or path != lesson.path:
        return followed(say(state, why))
    state = state._replace(lesson=lesson._replace(returning=False))
    return say(state, f"Not rolled back, {lesson.taught.name} stays: {why}")


def ready(state: PlayState, event: TeacherReady) -> PlayState:
    """The teacher is warm, or cannot be."""
    lesson = state.lesson
    if event.path != lesson.path or lesson.status not in ("warming", "ready", "teaching", "taught"):
        return state
    lesson = lesson._replace(warm=not event.error)
    if lesson.status == "taught":  # nothing is lost: it is needed again after Keep or Roll back
        return state._replace(lesson=lesson)
    if event.error:
        lesson = lesson._replace(status="failed", doing=event.error)
        return say(state._replace(lesson=lesson), event.error)
    if lesson.status == "warming":
        lesson = lesson._replace(status="ready", doing="")
    return state._replace(lesson=lesson)


def at(state: PlayState, event: TeacherAt) -> PlayState:
    """The teacher says how far it is."""
    lesson = state.lesson
    if event.path != lesson.path or lesson.status not in ("warming", "teaching"):
        return state
    return state._replace(lesson=lesson._replace(doing=event.doing))


def taught(state: PlayState, event: LessonTaught) -> PlayState:
    """The taught network answers, until it is rolled back."""
    lesson = state.lesson
    if lesson.status != "teaching" and not lesson.late:
        return state
    if lesson.late:
        state = say(state, f"{event.name} was taught and answers: Teach keeps it or rolls back.")
    state = state._replace(lesson=lesson._replace(status="taught", doing="", taught=event, late=False))
    return with_effect(await_run(state, 0, event.path), LoadModel(event.path, 0))
