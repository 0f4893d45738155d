"""All that the drawing program knows, and `update(state, event) -> state`: pure, without pygame.

What the program must do outside (write a drawing, load a network) is put into `PlayState.effects`, which the
loop takes out and carries out (`play.app`); what comes of it returns as an event.
"""

import math
from typing import NamedTuple

from play import gallery as galleries
from play import ink, verdict
from play.effects import (
    Effect,
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
    Answered,
    Closed,
    Event,
    Explained,
    Focus,
    Hover,
    KeyPress,
    Measured,
    ModelFailed,
    ModelInfo,
    ModelReady,
    ModelsListed,
    Notice,
    PenDown,
    PenLost,
    PenMove,
    PenUp,
    Press,
    Recorded,
    RecordsListed,
    Resize,
    Scroll,
    Tick,
)
from play.ink import Ink
from play.verdict import Shown

SCREENS = ("draw", "sees", "why", "models", "gallery")
"""Names of the screens in the order of their tabs; `play.view.SCREENS` has a module for each."""
THEMES = ("dark", "light")
TEXT_SIZES = ("small", "normal", "large")
STAGES = ("box", "scale", "mass")
"""Stages of the normaliser that can be switched off."""
PENS = (12.0, 18.0, 26.0, 36.0, 50.0)
"""Diameters of the pen on the canvas, in units. It is cosmetic: the network's pen is its own."""
ERASER = 2.0
"""Diameter of the eraser, in pens."""
MAX_HISTORY = 500
NOTICE_SECONDS = 4.0
JOURNEY_SECONDS = 7.0
"""How long the ink takes from the canvas to the 28 x 28 image when it is shown on its way."""
BAR_SECONDS = 0.06
"""Time constant of the bars; the answer itself is never smoothed."""


class Settings(NamedTuple):
    """What is remembered from one start to the next."""

    theme: str = "dark"
    text_size: str = "normal"
    pen: int = 2


class Numbers(NamedTuple):
    """What F3 shows: milliseconds of the last frame and answer, and dropped frames since the start."""

    frame: float = 0.0
    ink_to_answer: float | None = None
    dropped: int = 0


class PlayState(NamedTuple):
    """Everything on the screen follows from this.

    Attributes:
        strokes: the ink, the stroke under way last.
        pen_down: whether the last stroke is under way, or the eraser is at work.
        erasing_from: where the eraser was last, None while it is not at work.
        past: earlier inks, the latest last: what undo goes back to.
        future: inks that were undone, the next last.
        revision: grows with whatever changes what a network would be asked.
        ground: the revision at which this drawing began; answers to older ink are not for it.
        answers: what each of the two networks said last about this drawing.
        explained: why, for the revision it names.
        shown: the answer on the screen.
        bars: probabilities as the bars stand, on their way to the answer.
        models: what each slot has loaded; None while it loads or where nothing is wanted.
        problem: why there is no network; one sentence.
        missing: there is no checkpoint at all.
        saving: the digits to save the drawing as are on the screen, for fingers.
        labelled: the word under which this drawing was recorded, if it was.
        off: stages of the normaliser that are switched off.
        journey: since when the ink is shown on its way to the image, None while it is not.
    """

    strokes: Ink = ()
    pen_down: bool = False
    erasing_from: tuple[float, float] | None = None
    past: tuple[Ink, ...] = ()
    future: tuple[Ink, ...] = ()
    revision: int = 0
    ground: int = 0
    tool: str = "pen"
    answers: tuple[Answered | None, Answered | None] = (None, None)
    explained: Explained | None = None
    shown: Shown = Shown()
    bars: tuple[float, ...] = (0.0,) * 10
    models: tuple[ModelInfo | None, ModelInfo | None] = (None, None)
    listed: tuple[ModelInfo, ...] = ()
    first_model: int = 0
    problem: str = ""
    missing: bool = False
    second_problem: str = ""
    settings: Settings = Settings()
    screen: str = "draw"
    help: bool = False
    numbers_shown: bool = False
    numbers: Numbers = Numbers()
    fullscreen: bool = False
    width: int = 1280
    height: int = 800
    scale: float = 1.0
    focus: str | None = None
    hover: str | None = None
    off: frozenset[str] = frozenset()
    journey: float | None = None
    saving: bool = False
    labelled: str | None = None
    recorded: int = 0
    gallery: galleries.Gallery = galleries.Gallery()
    notice: str = ""
    notice_until: float = 0.0
    time: float = 0.0
    closing: bool = False
    effects: tuple[Effect, ...] = ()

    @property
    def pen(self) -> float:
        """Diameter of the pen in canvas units."""
        return PENS[self.settings.pen]

    @property
    def loading(self) -> bool:
        """Whether the network in use is still on its way."""
        return self.models[0] is None and not self.problem

    @property
    def provisional(self) -> bool:
        """Whether the answer on the screen may still change without another stroke."""
        answer = self.answers[0]
        return self.pen_down or answer is None or answer.revision != self.revision


def update(state: PlayState, event: Event) -> PlayState:
    """The state after an event. Any event may come at any time; nonsense changes nothing."""
    match event:
        case PenDown(x, y, time):
            return _pen_down(state, x, y, time) if _finite(x, y, time) else state
        case PenMove(x, y, time):
            return _pen_move(state, x, y, time) if _finite(x, y, time) else state
        case PenUp() | PenLost():
            return _pen_up(state)
        case Tick(time):
            return _tick(state, time) if _finite(time) else state
        case Answered():
            return _answered(state, event)
        case Explained():
            return state if event.revision < state.ground else state._replace(explained=event)
        case KeyPress():
            return _key(state, event)
        case Press(action):
            return _press(state, action)
        case Focus(control):
            return state._replace(focus=control)
        case Hover(control):
            return state._replace(hover=control)
        case Scroll(rows):
            return _scroll(state, rows) if _finite(rows) else state
        case Resize(width, height, scale):
            if not (width > 0 and height > 0 and scale > 0):
                return state
            return state._replace(width=width, height=height, scale=scale, hover=None)
        case Measured(frame, ink_to_answer, dropped):
            last = state.numbers.ink_to_answer if ink_to_answer is None else ink_to_answer
            return state._replace(numbers=Numbers(frame, last, dropped))
        case ModelReady(info, slot):
            return _model_ready(state, info, slot)
        case ModelFailed(message, missing, slot):
            if slot:
                return _set_slot(_say(state, message), 1, None)._replace(second_problem=message)
            if state.models[0] is not None:
                return _say(state, message)
            return state._replace(problem=message, missing=missing)
        case ModelsListed(models):
            return state._replace(listed=models)
        case Recorded(word, total, error):
            return _recorded(state, word, total, error)
        case RecordsListed(entries):
            return state._replace(gallery=galleries.listed(state.gallery, entries), recorded=len(entries))
        case Notice(text):
            return _say(state, text)
        case Closed():
            return _pen_up(state)._replace(closing=True)
    return state


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _pen_down(state: PlayState, x: float, y: float, time: float) -> PlayState:
    state = _pen_up(state)._replace(help=False, saving=False)
    if state.screen == "gallery":
        return state
    if state.labelled is not None:
        state = _replace_ink(state, ())
    if state.tool == "eraser":
        state = state._replace(pen_down=True, erasing_from=(x, y), past=_remember(state), future=())
        return _erase_to(state, x, y)
    if ink.count_points(state.strokes) >= ink.MAX_POINTS:
        return _say(state, "This drawing is full: clear it with C to go on.")
    return state._replace(
        strokes=ink.begin(state.strokes, x, y, time),
        pen_down=True,
        past=_remember(state),
        future=(),
        revision=state.revision + 1,
        focus=None,
    )


def _pen_move(state: PlayState, x: float, y: float, time: float) -> PlayState:
    if not state.pen_down:
        return state
    if state.erasing_from is not None:
        return _erase_to(state, x, y)
    if len(state.strokes[-1].points) % 1000 == 999 and ink.count_points(state.strokes) >= ink.MAX_POINTS:
        return _say(state, "This drawing is full: clear it with C to go on.")
    strokes = ink.extend(state.strokes, x, y, time)
    if strokes is state.strokes:
        return state
    return state._replace(strokes=strokes, revision=state.revision + 1)


def _pen_up(state: PlayState) -> PlayState:
    if not state.pen_down:
        return state
    if state.erasing_from is not None and state.past and state.past[-1] is state.strokes:
        state = state._replace(past=state.past[:-1])
    return _show(state._replace(pen_down=False, erasing_from=None))


def _erase_to(state: PlayState, x: float, y: float) -> PlayState:
    start = state.erasing_from or (x, y)
    left = ink.erase(state.strokes, start, (x, y), state.pen * ERASER / 2 + state.pen / 2)
    state = state._replace(erasing_from=(x, y))
    if left is state.strokes:
        return state
    state = state._replace(strokes=left, revision=state.revision + 1)
    return state if left else _empty(state)


def _remember(state: PlayState) -> tuple[Ink, ...]:
    return (*state.past[-MAX_HISTORY:], state.strokes)


def _replace_ink(state: PlayState, strokes: Ink) -> PlayState:
    """Other ink, one step of undo away from what was there."""
    if strokes == state.strokes:
        return state._replace(labelled=None)
    state = state._replace(past=_remember(state), future=())
    return _set_ink(state, strokes)


def _set_ink(state: PlayState, strokes: Ink) -> PlayState:
    state = state._replace(strokes=strokes, revision=state.revision + 1, labelled=None, saving=False)
    return state if strokes else _empty(state)


def _empty(state: PlayState) -> PlayState:
    return state._replace(
        ground=state.revision, answers=(None, None), explained=None, shown=Shown(), labelled=None
    )


def _undo(state: PlayState) -> PlayState:
    if not state.past:
        return state
    future = (*state.future, state.strokes)
    return _set_ink(state._replace(past=state.past[:-1], future=future), state.past[-1])


def _redo(state: PlayState) -> PlayState:
    if not state.future:
        return state
    past = (*state.past, state.strokes)
    return _set_ink(state._replace(future=state.future[:-1], past=past), state.future[-1])


def _answered(state: PlayState, answer: Answered) -> PlayState:
    if not state.ground <= answer.revision <= state.revision or not state.strokes:
        return state
    before = state.answers[answer.slot]
    if before is not None and before.revision > answer.revision:
        return state
    answers = (answer, state.answers[1]) if answer.slot == 0 else (state.answers[0], answer)
    return _show(state._replace(answers=answers))


def _show(state: PlayState) -> PlayState:
    answer = state.answers[0]
    if answer is None:
        return state
    shown = verdict.show(
        state.shown, answer.probabilities, answer.is_digit, under_way=state.provisional, time=state.time
    )
    return state._replace(shown=shown)


def _tick(state: PlayState, time: float) -> PlayState:
    step = min(max(time - state.time, 0.0), 1.0)
    answer = state.answers[0]
    goal = answer.probabilities if answer is not None and state.strokes else (0.0,) * 10
    bars = state.bars
    if bars != goal:
        part = 1.0 - math.exp(-step / BAR_SECONDS)
        bars = tuple(g if abs(g - b) < 1e-3 else b + part * (g - b) for b, g in zip(bars, goal, strict=True))
    notice = state.notice if time < state.notice_until else ""
    journey = state.journey
    if journey is not None and (state.pen_down or not state.strokes or time - journey > JOURNEY_SECONDS):
        journey = None
    return state._replace(time=max(time, state.time), bars=bars, notice=notice, journey=journey)


def _say(state: PlayState, text: str) -> PlayState:
    return state._replace(notice=text, notice_until=state.time + NOTICE_SECONDS)


def _set_slot(state: PlayState, slot: int, info: ModelInfo | None) -> PlayState:
    models = (info, state.models[1]) if slot == 0 else (state.models[0], info)
    return state._replace(models=models)


def _model_ready(state: PlayState, info: ModelInfo, slot: int) -> PlayState:
    before = state.models[slot]
    state = _set_slot(state, slot, info)._replace(revision=state.revision + 1)
    if slot == 0:
        state = state._replace(problem="", missing=False)
    else:
        state = state._replace(second_problem="")
    if before is not None and before.path == info.path and before.step != info.step:
        return _say(state, f"{info.name}: step {info.step} is in use now.")
    return state


def _recorded(state: PlayState, word: str, total: int, error: str) -> PlayState:
    if error:
        return _say(state, error)._replace(labelled=None)
    state = state._replace(recorded=total)
    name = "not a digit" if word == verdict.OTHER_WORD else word
    return _say(state, f"Saved as {name}. {total} drawing{'' if total == 1 else 's'} on this machine.")


def _label(state: PlayState, word: str) -> PlayState:
    state = _pen_up(state)
    if state.screen == "gallery":
        key = state.gallery.selected
        if key is None:
            return _say(state, "Choose a drawing first.")
        return _effect(state, Relabel(key, word))
    if not state.strokes:
        return _say(state, "Draw something first, then press its digit to save it.")
    if state.labelled == word:
        return state
    if state.labelled is not None:
        return _effect(state, Relabel(None, word))._replace(labelled=word)
    answer, model = state.answers[0], state.models[0]
    said = state.shown.word if answer is not None else ""
    name = "" if model is None else f"{model.name}/{model.step}"
    probabilities = () if answer is None else answer.probabilities
    is_digit = None if answer is None else answer.is_digit
    effect = Record(word, state.strokes, name, said, probabilities, is_digit)
    return _effect(state, effect)._replace(labelled=word)


def _effect(state: PlayState, effect: Effect) -> PlayState:
    return state._replace(effects=(*state.effects, effect))


KEYS = {
    "z": "undo",
    "y": "redo",
    "c": "clear",
    "e": "other-tool",
    "[": "pen-smaller",
    "]": "pen-bigger",
    "?": "help",
    "f1": "help",
    "f3": "numbers",
    "f11": "fullscreen",
    "t": "theme",
    "+": "text-bigger",
    "-": "text-smaller",
    "pageup": "screen-before",
    "pagedown": "screen-after",
    "n": f"label:{verdict.OTHER_WORD}",
    "delete": "delete",
    "x": "export",
    "j": "journey",
    "s": "save",
    **{str(digit): f"label:{digit}" for digit in range(10)},
}
"""Keys and the actions that they stand for; a control has the action's name too."""


def _key(state: PlayState, event: KeyPress) -> PlayState:
    if event.key == "escape":
        if state.help:
            return state._replace(help=False)
        if state.saving:
            return state._replace(saving=False)
        if state.fullscreen:
            return _press(state, "fullscreen")
        return state._replace(focus=None, screen="draw")
    if event.ctrl and event.key == "z":
        return _press(state, "redo" if event.shift else "undo")
    if event.ctrl and event.key == "q":
        return update(state, Closed())
    if event.key in ("return", "space") and state.focus is not None:
        return _press(state, state.focus)
    if event.key in ("up", "down", "left", "right") and state.screen in ("models", "gallery"):
        if state.screen == "gallery" and event.key in ("left", "right"):
            return state._replace(gallery=galleries.choose(state.gallery, -1 if event.key == "left" else 1))
        return _scroll(state, -1.0 if event.key in ("up", "left") else 1.0)
    action = KEYS.get(event.key)
    return state if action is None or event.ctrl else _press(state, action)


def _press(state: PlayState, action: str) -> PlayState:
    name, _, argument = action.partition(":")
    if name in ("undo", "redo", "clear"):
        state = _pen_up(state)
        return {"undo": _undo, "redo": _redo, "clear": lambda s: _replace_ink(s, ())}[name](state)
    settings = state.settings
    match name:
        case "pen" | "eraser":
            return _pen_up(state)._replace(tool=name)
        case "other-tool":
            return _pen_up(state)._replace(tool="pen" if state.tool == "eraser" else "eraser")
        case "pen-smaller" | "pen-bigger":
            pen = settings.pen + (1 if name == "pen-bigger" else -1)
            return _with_settings(state, settings._replace(pen=min(max(pen, 0), len(PENS) - 1)))
        case "theme":
            theme = THEMES[(THEMES.index(settings.theme) + 1) % len(THEMES)]
            return _with_settings(state, settings._replace(theme=theme))
        case "text-bigger" | "text-smaller":
            size = TEXT_SIZES.index(settings.text_size) + (1 if name == "text-bigger" else -1)
            return _with_settings(
                state, settings._replace(text_size=TEXT_SIZES[min(max(size, 0), len(TEXT_SIZES) - 1)])
            )
        case "text-cycle":
            size = (TEXT_SIZES.index(settings.text_size) + 1) % len(TEXT_SIZES)
            return _with_settings(state, settings._replace(text_size=TEXT_SIZES[size]))
        case "help":
            return _pen_up(state)._replace(help=not state.help)
        case "numbers":
            return state._replace(numbers_shown=not state.numbers_shown)
        case "fullscreen":
            state = _pen_up(state)._replace(fullscreen=not state.fullscreen)
            return _effect(state, Fullscreen(state.fullscreen))
        case "screen":
            return _to_screen(state, argument)
        case "screen-before" | "screen-after":
            step = 1 if name == "screen-after" else -1
            return _to_screen(state, SCREENS[(SCREENS.index(state.screen) + step) % len(SCREENS)])
        case "label" if argument in verdict.WORDS:
            return _label(state, argument)._replace(saving=False)
        case "save":
            if not state.strokes:
                return _say(state, "Draw something first, then save it.")
            return _to_screen(_pen_up(state), "draw")._replace(saving=not state.saving)
        case "stage" if argument in STAGES:
            return state._replace(off=state.off ^ {argument}, revision=state.revision + 1)
        case "journey" if state.screen == "sees":
            if not state.strokes:
                return _say(state, "Draw something first.")
            return _pen_up(state)._replace(journey=None if state.journey is not None else state.time)
        case "stroke" | "broken":
            return state._replace(focus=None if state.focus == action else action)
        case "scroll" if argument in ("up", "down"):
            return _scroll(state, -1.0 if argument == "up" else 1.0)
        case "model" | "second":
            return _choose_model(state, argument, 0 if name == "model" else 1)
        case _ if state.screen == "gallery":
            chosen, effects, text = galleries.press(state.gallery, name, argument)
            state = state._replace(gallery=chosen, effects=state.effects + effects)
            return _say(state, text) if text else state
    return state


def _with_settings(state: PlayState, settings: Settings) -> PlayState:
    if settings == state.settings:
        return state
    return _effect(state._replace(settings=settings), SaveSettings(settings._asdict()))


def _to_screen(state: PlayState, screen: str) -> PlayState:
    if screen not in SCREENS or screen == state.screen:
        return state
    state = _pen_up(state)._replace(
        screen=screen, focus=None, hover=None, help=False, saving=False, journey=None
    )
    if screen == "why":
        return state._replace(revision=state.revision + 1)
    if screen == "models":
        return _effect(state, ListModels())
    if screen == "gallery":
        return _effect(state, ListRecords())
    return state


def _choose_model(state: PlayState, name: str, slot: int) -> PlayState:
    chosen = next((model for model in state.listed if model.name == name), None)
    if chosen is None:
        return state
    if chosen.error:
        return _say(state, chosen.error)
    now = state.models[slot]
    if slot == 1 and now is not None and now.name == name:
        state = _set_slot(state, 1, None)._replace(answers=(state.answers[0], None))
        return _effect(state, UnloadModel(1))
    if now is not None and now.name == name:
        return state
    return _effect(state, LoadModel(chosen.path, slot))


def _scroll(state: PlayState, rows: float) -> PlayState:
    from play import layout, places  # they import this module: where things are depends on the state

    if state.screen == "models":
        _, listing = places.models_places(state, layout.arrange(state))
        return state._replace(first_model=min(max(listing.first + round(rows), 0), listing.limit))
    if state.screen == "gallery":
        listing, _ = places.gallery_places(state, layout.arrange(state))
        return state._replace(gallery=galleries.scroll(state.gallery, listing.first, listing.limit, rows))
    return state
