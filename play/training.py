"""What the Train screen's controls do, and what its events change. Pure."""

from pathlib import PurePath

from play import studio as studios
from play.drawing import pen_up, replace_ink
from play.effects import BinRun, CopyRun, ListBin, LoadModel, PutBack, Start, Steer, Trace, Watch
from play.events import UNSURE, BinListed, Started, Traced
from play.ink import Stroke
from play.state import PlayState, await_run, say, with_effect
from play.studio import RunSeen, Studio
from play.verdict import with_article


def opened(state: PlayState) -> PlayState:
    """The screen was opened: the run that was watched, or is being trained, is watched."""
    run = state.studio.run
    return with_effect(with_effect(state, Watch("" if run is None else run.path)), ListBin())


def press(state: PlayState, name: str, argument: str) -> PlayState:
    """A control was activated; nonsense changes nothing."""
    studio = state.studio
    run = studio.run
    match name:
        case "tab" if argument in studios.TABS:
            return _with(state, studio._replace(tab=argument, first=0, confirm="", in_bin=False))
        case "turn" if argument[:-1] in studios.ROWS and argument[-1:] in ("+", "-"):
            turned = studios.turn(studio.recipe, argument[:-1], 1 if argument[-1] == "+" else -1)
            return _with(state, studio._replace(recipe=turned))
        case "train":
            return _train(state, argument)
        case "watch":
            return _chosen(unsure(state), argument, with_effect=lambda path: Watch(path))
        case "copy":
            return _chosen(unsure(state), argument, with_effect=lambda path: CopyRun(path))
        case "bin":
            return _bin(state, argument)
        case "binned" if studio.binned:
            return _with(state, studio._replace(in_bin=not studio.in_bin, first=0, confirm=""))
        case "back":
            path = next((path for path in studio.binned if PurePath(path).name == argument), "")
            return with_effect(state, PutBack(path)) if path else state
        case "hard" if argument.isascii() and argument.isdigit() and int(argument) < len(studio.hardest):
            return with_effect(pen_up(state), Trace(studio.hardest[int(argument)]))
        case "answer" if run is not None and run.kept:
            return _answer(state, run.path)
    return state


def started(state: PlayState, event: Started) -> PlayState:
    """A new run is being trained: it is to answer."""
    return late(_with(state, state.studio._replace(answers=event.path)))


def seen(state: PlayState, event: RunSeen) -> PlayState:
    """What is known of the watched run now."""
    studio, before = state.studio, state.studio.run
    same = _same(before, event)
    asked = studio.asked if same and event.status == "starting" else ""
    state = _with(state, studio._replace(run=event, hardest=studio.hardest if same else (), asked=asked))
    if event.text and (before is None or event.text != before.text):
        state = say(state, event.text if event.name in event.text else f"{event.name}: {event.text}")
    return late(state)


def late(state: PlayState) -> PlayState:
    """A run that was started answers from its first step on, once nothing is in the way."""
    run = state.studio.run
    if run is None or run.path != state.studio.answers or not run.kept:
        return state
    if state.awaited[0] or state.score.asked:  # a score is of one network
        return state
    return _answer(_with(state, state.studio._replace(answers="")), run.path)


def binned(state: PlayState, event: BinListed) -> PlayState:
    """What is in the bin now; an empty one is left."""
    in_bin = state.studio.in_bin and bool(event.paths)
    return _with(state, state.studio._replace(binned=event.paths, in_bin=in_bin))


def traced(state: PlayState, event: Traced) -> PlayState:
    """A validation digit comes onto the canvas, as ink that was traced from its pixels."""
    if not event.strokes:
        return say(state, "Nothing could be traced in that picture.")
    ink = tuple(Stroke(points, (state.time,) * len(points)) for points in event.strokes)
    said = f"It is {with_article(str(event.label))}; this network said {event.said}. Traced from the picture."
    return say(replace_ink(pen_up(state), ink), said)


def _train(state: PlayState, what: str) -> PlayState:
    run = state.studio.run
    if what == "start":
        if run is not None and run.lives:
            return say(state, f"{run.name} is being trained: stop it first.")
        used = state.models[0]
        start = used.path if state.studio.recipe.start and used is not None else ""
        state = _with(state, state.studio._replace(tab="curves", first=0, answers=""))
        return with_effect(state, Start(state.studio.recipe, start, ""))
    if run is None:
        return state
    if what == "go-on" and run.status in ("stopped", "failed") and run.total:
        shown = _with(state, state.studio._replace(tab="curves", first=0))
        return with_effect(shown, Start(state.studio.recipe, "", run.path))
    if what in ("pause", "resume", "stop") and run.lives:
        return with_effect(_asked(state, run, what), Steer(run.path, what))
    if what in ("rate+", "rate-") and run.status in ("training", "paused"):
        rate = studios.faster(run.learning_rate, 1 if what == "rate+" else -1)
        return with_effect(state, Steer(run.path, "learning_rate", rate))
    return state


def _asked(state: PlayState, run: RunSeen, what: str) -> PlayState:
    """A trainer that still starts is asked: it does so as soon as it can, which is said."""
    if run.status != "starting":
        return state
    words = {"pause": "It pauses before its first step.", "resume": "It trains as soon as it can."}
    words["stop"] = "It is being stopped."
    asked = "" if what == "resume" else what
    return say(_with(state, state.studio._replace(asked=asked)), words[what])


def _answer(state: PlayState, path: str) -> PlayState:
    now = state.models[0]
    if now is not None and now.path == path:
        return state
    return with_effect(await_run(state, 0, path), LoadModel(path, 0))


def _chosen(state: PlayState, name: str, *, with_effect) -> PlayState:
    chosen = next((model for model in state.listed if model.name == name), None)
    if chosen is None:
        return state
    return state._replace(effects=(*state.effects, with_effect(chosen.path)))


def _bin(state: PlayState, name: str) -> PlayState:
    chosen = next((model for model in state.listed if model.name == name), None)
    if chosen is None:
        return state
    if why := studios.stays(state.studio, name, chosen.path):
        return say(state, f"{why}.")
    if state.studio.confirm != chosen.path:
        sure = state.studio._replace(confirm=chosen.path, confirmed=state.time + UNSURE)
        return say(_with(state, sure), f"Press once more to put {name} into the bin.")
    if state.time < state.studio.confirmed:
        return state
    return with_effect(_with(state, state.studio._replace(confirm="")), BinRun(chosen.path))


def unsure(state: PlayState) -> PlayState:
    """Another press takes back the first one on Bin."""
    return _with(state, state.studio._replace(confirm=""))


def _same(one: RunSeen | None, other: RunSeen) -> bool:
    return one is not None and one.path == other.path


def _with(state: PlayState, studio: Studio) -> PlayState:
    return state._replace(studio=studio)
