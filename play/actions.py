"""What keys and controls do to the state: tools, settings, screens, labels, networks, lists. Pure."""

from play import gallery as galleries
from play import layout, places, scoring, teaching, training, travel, verdict
from play.drawing import change_sheet, pen_up, redo, replace_ink, undo
from play.effects import (
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
from play.events import KeyPress
from play.screens import SCREENS
from play.state import (
    PENS,
    STAGES,
    TEXT_SIZES,
    THEMES,
    PlayState,
    Settings,
    await_run,
    say,
    set_slot,
    with_effect,
)

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
    "k": "teach:keep",
    "r": "teach:back",
    **{str(digit): f"label:{digit}" for digit in range(10)},
}
"""Keys and the actions that they stand for; a control has the action's name too."""
LISTING = ("models", "train")
"""Screens with a list of runs, which is kept up to date as long as one of them is open."""
ON_CANVAS = ("undo", "redo", "clear", "other-tool", "pen-smaller", "pen-bigger")
"""What nobody should do to a canvas that is out of sight."""


def key(state: PlayState, event: KeyPress) -> PlayState:
    """A key was pressed."""
    if event.key == "escape":
        if state.help:
            return state._replace(help=False)
        if state.saving:
            return state._replace(saving=False)
        if state.gallery.files is not None:
            return state._replace(gallery=state.gallery._replace(files=None))
        if state.fullscreen:
            return press(state, "fullscreen")
        return press(state, "screen:draw")._replace(focus=None)
    if event.ctrl and event.key == "z":
        return press(state, "redo" if event.shift else "undo")
    if event.ctrl and event.key == "q":
        return pen_up(state)._replace(closing=True)
    if event.key in ("left", "right") and (state.focus or "").startswith("slide:"):
        return press(state, f"{state.focus}={'+' if event.key == 'right' else '-'}")
    if event.key in ("left", "right") and state.screen == "time":
        return press(state, f"slide:frame={'+' if event.key == 'right' else '-'}")
    if event.key in ("return", "space") and state.focus is not None:
        return press(state, state.focus)
    if event.key == "return" and state.screen == "score":
        return press(state, "score:next" if state.score.asked else "score:begin")
    if event.key in ("up", "down", "left", "right") and state.screen in ("models", "gallery", "train"):
        if state.screen == "gallery" and event.key in ("left", "right"):
            return state._replace(gallery=galleries.choose(state.gallery, -1 if event.key == "left" else 1))
        return scroll(state, -1.0 if event.key in ("up", "left") else 1.0)
    if event.key in ("home", "end") and state.screen == "time":
        slider = state.focus if (state.focus or "").startswith("slide:") else "slide:frame"
        return press(state, f"{slider}={0 if event.key == 'home' else 1}")
    if event.key in ("home", "end"):
        return scroll(state, -1e6 if event.key == "home" else 1e6)
    if event.key == "delete":  # twice in a row is no double click
        state = state._replace(gallery=state.gallery._replace(confirmed=0.0))
    action = KEYS.get(event.key)
    return state if action is None or event.ctrl else press(state, action)


def press(state: PlayState, action: str) -> PlayState:
    """A control was activated; nonsense changes nothing."""
    name, _, argument = action.partition(":")
    if name == "slide":
        slider, _, to = argument.partition("=")
        return travel.slide(state, slider, to) if state.screen == "time" else state
    state = travel.whole(state)
    if name in ON_CANVAS and not SCREENS[state.screen].has_canvas:
        return state
    if name in ("undo", "redo", "clear"):
        state = pen_up(state)
        return {"undo": undo, "redo": redo, "clear": lambda s: replace_ink(s, ())}[name](state)
    settings = state.settings
    match name:
        case "pen" | "eraser":
            return pen_up(state)._replace(tool=name)
        case "other-tool":
            return pen_up(state)._replace(tool="pen" if state.tool == "eraser" else "eraser")
        case "pen-smaller" | "pen-bigger":
            pen = settings.pen + (1 if name == "pen-bigger" else -1)
            return _with_settings(state, settings._replace(pen=min(max(pen, 0), len(PENS) - 1)))
        case "theme":
            theme = THEMES[(THEMES.index(settings.theme) + 1) % len(THEMES)]
            return _with_settings(state, settings._replace(theme=theme))
        case "text-bigger" | "text-smaller":
            return _with_text(
                state, TEXT_SIZES.index(settings.text_size) + (1 if name == "text-bigger" else -1)
            )
        case "text-cycle":
            return _with_text(state, (TEXT_SIZES.index(settings.text_size) + 1) % len(TEXT_SIZES))
        case "help":
            return pen_up(state)._replace(help=not state.help)
        case "numbers":
            return state._replace(numbers_shown=not state.numbers_shown)
        case "fullscreen":
            state = pen_up(state)._replace(fullscreen=not state.fullscreen)
            return with_effect(state, Fullscreen(state.fullscreen))
        case "screen":
            return _to_screen(state, argument)
        case "screen-before" | "screen-after":
            step = 1 if name == "screen-after" else -1
            names = tuple(SCREENS)
            return _to_screen(state, names[(names.index(state.screen) + step) % len(names)])
        case "label" | "save" if SCREENS[state.screen].wide:
            return say(state, f"{layout.NOT_SAVED}.")
        case "label" if argument in verdict.WORDS:
            return _label(state, argument)._replace(saving=False)
        case "save":
            if not state.strokes:
                return say(state, "Draw something first, then save it.")
            return _to_screen(pen_up(state), "draw")._replace(saving=not state.saving)
        case "stage" if argument in STAGES:
            return state._replace(off=state.off ^ {argument}, revision=state.revision + 1)
        case "journey" if state.screen == "sees":
            if not state.strokes:
                return say(state, "Draw something first.")
            return pen_up(state)._replace(journey=None if state.journey is not None else state.time)
        case "stroke" | "broken":
            return state._replace(focus=None if state.focus == action else action)
        case "scroll" if argument in ("up", "down"):
            return scroll(state, -1.0 if argument == "up" else 1.0)
        case "model" | "second":
            return _choose_model(training.unsure(state), argument, 0 if name == "model" else 1)
        case "teach" if state.screen == "teach":
            return teaching.press(state, argument)
        case "score" if state.screen == "score":
            return scoring.press(state, argument)
        case _ if state.screen == "train":
            return training.press(state, name, argument)
        case _ if state.screen == "gallery":
            chosen, effects, text = galleries.press(state.gallery, name, argument, state.time)
            state = state._replace(gallery=chosen, effects=state.effects + effects)
            return say(state, text) if text else state
    return state


def scroll(state: PlayState, rows: float) -> PlayState:
    """What scrolls on this screen moves by rows, as far as it goes."""
    listing = places.list_of(state, layout.arrange(state))
    if listing is None:
        return state
    first = min(max(listing.first + round(rows), 0), listing.limit)
    if state.screen == "gallery" and state.gallery.files is not None:
        return state._replace(gallery=state.gallery._replace(first_file=first))
    if state.screen == "gallery":
        return state._replace(gallery=state.gallery._replace(first=first, follow=False))
    if state.screen == "train":
        return state._replace(studio=state.studio._replace(first=first))
    return state._replace(first_model=first)


def _with_settings(state: PlayState, settings: Settings) -> PlayState:
    if settings == state.settings:
        return state
    return with_effect(state._replace(settings=settings), SaveSettings(settings._asdict()))


def _with_text(state: PlayState, size: int) -> PlayState:
    """Text of another size, as far as there is one; says how large it is, and where it goes no further."""
    end = "" if 0 <= size < len(TEXT_SIZES) else ": the smallest" if size < 0 else ": the largest"
    name = TEXT_SIZES[min(max(size, 0), len(TEXT_SIZES) - 1)]
    state = _with_settings(state, state.settings._replace(text_size=name))
    return say(state, f"Text {100 * layout.TEXT_SCALE[name]:.0f} %{end}")


def _to_screen(state: PlayState, screen: str) -> PlayState:
    if screen not in SCREENS or screen == state.screen:
        return state
    if state.screen == "time":
        state = travel.left(state)
    wide, listed = SCREENS[state.screen].wide, state.screen in LISTING
    if state.off and "sees" in (state.screen, screen):  # there alone it is read without these stages
        state = state._replace(revision=state.revision + 1)
    if state.screen == "teach":
        state = teaching.left(state)
    if state.screen == "score":
        state = scoring.away(state)
    state = pen_up(state)._replace(
        screen=screen, focus=None, hover=None, help=False, saving=False, journey=None
    )
    state = state._replace(gallery=state.gallery._replace(files=None))
    if (screen in LISTING) != listed:
        state = with_effect(state, FollowRuns(not listed))
    if SCREENS[screen].wide != wide:
        state = change_sheet(state)
    if screen == "why":
        return state._replace(revision=state.revision + 1)
    if screen == "teach":
        return teaching.opened(state)
    if screen == "score":
        return scoring.opened(state)
    if screen == "time":
        return travel.opened(state)
    if screen == "train":
        return with_effect(training.opened(state), ListModels())
    if screen == "models":
        return with_effect(state, ListModels())
    if screen == "gallery":
        return with_effect(state, ListRecords())
    return state


def _choose_model(state: PlayState, name: str, slot: int) -> PlayState:
    chosen = next((model for model in state.listed if model.name == name), None)
    if chosen is None:
        return state
    if chosen.error:
        return say(state, chosen.error)
    now, awaited = state.models[slot], state.awaited[slot]
    in_use = not awaited and now is not None and now.path == chosen.path
    if slot == 1 and in_use:
        state = set_slot(state, 1, None)._replace(answers=(state.answers[0], None))
        return with_effect(state, UnloadModel(1))
    if awaited == chosen.path or in_use:
        return state
    return with_effect(await_run(state, slot, chosen.path), LoadModel(chosen.path, slot))


def _label(state: PlayState, word: str) -> PlayState:
    state = pen_up(state)
    if state.screen == "gallery":
        key = state.gallery.selected
        if key is None:
            return say(state, "Choose a drawing first.")
        return with_effect(state, Relabel(key, word))
    if not state.strokes:
        return say(state, "Draw something first, then press its digit to save it.")
    if state.labelled == word:
        return state
    answer, model = state.answers[0], state.models[0]
    if answer is not None and (answer.revision != state.revision or state.left_out):
        answer = None  # it is of other ink, or of an image broken on purpose
    said = state.shown.word if answer is not None else ""
    name = "" if model is None else f"{model.name}/{model.step}"
    probabilities = () if answer is None else answer.probabilities
    is_digit = None if answer is None else answer.is_digit
    if state.screen == "teach":
        state = teaching.labelled(state, word, state.strokes)
    effect = Record(word, state.strokes, name, said, probabilities, is_digit)
    return with_effect(state, effect)._replace(labelled=word)
