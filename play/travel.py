"""What the time machine's sliders do, and what its events change. Pure."""

from play import timeline
from play.answers import Filmed, FramesListed
from play.drawing import pen_up
from play.effects import Film, ShowStep
from play.state import PlayState, with_effect
from play.timeline import Timeline

STEPS = 40
"""Parts of the drawing's time through which the keyboard goes."""


def opened(state: PlayState) -> PlayState:
    """The steps of the run in use are loaded."""
    model = state.models[0]
    state = state._replace(revision=state.revision + 1)
    if model is None:
        return state
    same = state.timeline.path == model.path and state.timeline.whole
    line = state.timeline._replace(at=None) if same else Timeline(model.path)
    return with_effect(state._replace(timeline=line), Film(model.path))


def grown(state: PlayState, step: int | None) -> PlayState:
    """The run in use has a newer step: the steps are loaded once more, the slider stays where it is."""
    line = state.timeline
    if not line.whole or any(frame.step == step for frame in line.frames):
        return state
    state = with_effect(state, Film(line.path))
    return state if line.at is None else with_effect(state, ShowStep(line.frames[line.shown].step))


def left(state: PlayState) -> PlayState:
    """The newest step answers again, and all of the drawing is there."""
    state = whole(state)
    if state.timeline.at is None:
        return state
    return with_effect(state._replace(timeline=state.timeline._replace(at=None)), ShowStep(None))


def slide(state: PlayState, name: str, to: str) -> PlayState:
    """A slider was moved to a part of its way (0 to 1), or by one ("+", "-"); nonsense changes nothing."""
    line = state.timeline
    if name == "frame" and len(line.frames) > 1:
        last = len(line.frames) - 1
        at = line.shown + (1 if to == "+" else -1) if to in ("+", "-") else None
        if at is None and (part := _part(to)) is not None:
            at = round(part * last)
        return state if at is None else _show(state, min(max(at, 0), last))
    if name == "part" and (state.strokes or line.ink):
        state = lifted(state)
        part = line.part + (1 if to == "+" else -1) / STEPS if to in ("+", "-") else _part(to)
        return state if part is None else _scrub(state, min(max(part, 0.0), 1.0))
    return state


def lifted(state: PlayState) -> PlayState:
    """The pen is up, and all steps are asked."""
    return pen_up(state)._replace(revision=state.revision + 1) if state.pen_down else state


def whole(state: PlayState) -> PlayState:
    """All of the drawing is there again."""
    ink = state.timeline.ink
    if ink is None:
        return state
    line = state.timeline._replace(ink=None, part=1.0)
    return state._replace(strokes=ink, revision=state.revision + 1, timeline=line)


def listed(state: PlayState, event: FramesListed) -> PlayState:
    """More of the run's steps are loaded."""
    line = state.timeline
    if event.path != line.path:
        return state
    if line.whole and not event.whole and len(event.frames) <= len(line.frames):  # they are here already
        return state
    if event.whole and (not line.whole or event.frames != line.frames):  # ask what all of them say
        state = state._replace(revision=state.revision + 1)
    return state._replace(timeline=line._replace(frames=event.frames, whole=event.whole, said_ink=None))


def filmed(state: PlayState, event: Filmed) -> PlayState:
    """What each step says of the drawing."""
    line = state.timeline
    if event.path != line.path or not line.said_for <= event.revision <= state.revision:
        return state
    if event.revision < state.ground or len(event.said) != len(line.frames):
        return state
    ink = state.strokes if event.revision == state.revision else None
    return state._replace(timeline=line._replace(said=event.said, said_for=event.revision, said_ink=ink))


def _show(state: PlayState, at: int) -> PlayState:
    line = state.timeline
    if at == line.at or (line.at is None and at == line.shown):
        return state
    state = state._replace(timeline=line._replace(at=at))
    return with_effect(state, ShowStep(line.frames[at].step))


def _scrub(state: PlayState, part: float) -> PlayState:
    line = state.timeline
    ink = state.strokes if line.ink is None else line.ink
    if part >= 1:
        return whole(state)
    shown = timeline.until(ink, part)
    state = state._replace(timeline=line._replace(ink=ink, part=part))
    return state if shown == state.strokes else state._replace(strokes=shown, revision=state.revision + 1)


def _part(text: str) -> float | None:
    try:
        part = float(text)
    except ValueError:
        return None
    return part if 0 <= part <= 1 else None
