"""All that the drawing program knows, as one immutable value; pure, without pygame.

What the program must do outside (write a drawing, load a network) is put into `PlayState.effects`, which the
loop takes out and carries out (`play.app`); what comes of it returns as an event. `play.update` changes it.
"""

from typing import NamedTuple

from play import gallery as galleries
from play.answers import Answered, Explained, ModelInfo, NumberRead
from play.effects import Effect
from play.ink import Ink
from play.lesson import Lesson
from play.score import Score
from play.screens import SCREENS
from play.studio import Studio
from play.timeline import Timeline
from play.verdict import Shown

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
NOTICE_SPEED = 15.0
"""Characters a second at which a long notice is read."""
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
    """What F3 shows: milliseconds of the last frame and answer, and frames skipped since the start."""

    frame: float = 0.0
    ink_to_answer: float | None = None
    dropped: int = 0


class Sheet(NamedTuple):
    """A canvas as it is left: the square one, the wide one, or what was there before a touch."""

    strokes: Ink = ()
    past: tuple[Ink, ...] = ()
    future: tuple[Ink, ...] = ()
    labelled: str | None = None


class PlayState(NamedTuple):
    """Everything on the screen follows from this.

    Attributes:
        strokes: the ink, the stroke under way last.
        pen_down: whether the last stroke is under way, or the eraser is at work.
        before: the canvas as it was before the pen went down, None while it is up.
        erasing_from: where the eraser was last, None while it is not at work.
        past: earlier inks, the latest last: what undo goes back to.
        future: inks that were undone, the next last.
        revision: grows with whatever changes what a network would be asked.
        ground: the revision at which this drawing began; answers to older ink are not for it.
        answers: what each of the two networks said last about this drawing.
        explained: why, for the revision it names.
        number: the groups of the ink and what each is read as, where whole numbers are written.
        aside: what is on the other canvas.
        shown: the answer on the screen.
        bars: probabilities as the bars stand, on their way to the answer.
        models: what each slot has loaded; None while it loads or where nothing is wanted.
        awaited: path of the run that each slot is loading, since somebody chose it; "" for none.
        problem: why there is no network; one sentence.
        missing: there is no checkpoint at all.
        saving: the digits to save the drawing as are on the screen, for fingers.
        labelled: the word under which this drawing was recorded, if it was.
        off: stages of the normaliser that are switched off where it can be seen what comes of it.
        journey: since when the ink is shown on its way to the image, None while it is not.
    """

    strokes: Ink = ()
    pen_down: bool = False
    before: Sheet | None = None
    erasing_from: tuple[float, float] | None = None
    past: tuple[Ink, ...] = ()
    future: tuple[Ink, ...] = ()
    revision: int = 0
    ground: int = 0
    tool: str = "pen"
    answers: tuple[Answered | None, Answered | None] = (None, None)
    explained: Explained | None = None
    number: NumberRead | None = None
    aside: Sheet = Sheet()
    shown: Shown = Shown()
    bars: tuple[float, ...] = (0.0,) * 10
    models: tuple[ModelInfo | None, ModelInfo | None] = (None, None)
    awaited: tuple[str, str] = ("", "")
    listed: tuple[ModelInfo, ...] = ()
    first_model: int = 0
    problem: str = ""
    missing: bool = False
    settings: Settings = Settings()
    screen: str = "draw"
    help: bool = False
    numbers_shown: bool = False
    numbers: Numbers = Numbers()
    fullscreen: bool = False
    width: int = 1280
    height: int = 800
    focus: str | None = None
    hover: str | None = None
    off: frozenset[str] = frozenset()
    journey: float | None = None
    saving: bool = False
    labelled: str | None = None
    recorded: int = 0
    gallery: galleries.Gallery = galleries.Gallery()
    studio: Studio = Studio()
    timeline: Timeline = Timeline()
    score: Score = Score()
    lesson: Lesson = Lesson()
    notice: str = ""
    notice_until: float = 0.0
    time: float = 0.0
    closing: bool = False
    effects: tuple[Effect, ...] = ()

    @property
    def pen(self) -> float:
        """Diameter of the pen in canvas units."""
        return PENS[self.settings.pen] * SCREENS[self.screen].pen

    @property
    def left_out(self) -> frozenset[str]:
        """Stages of the normaliser that the ink is read without: elsewhere a broken answer would count."""
        return self.off if self.screen == "sees" else frozenset()

    @property
    def bars_goal(self) -> tuple[float, ...]:
        """Where the bars are on their way to."""
        answer = self.answers[0]
        return answer.probabilities if answer is not None and self.strokes else (0.0,) * 10

    @property
    def loading(self) -> bool:
        """Whether the network in use is still on its way."""
        return self.models[0] is None and not self.problem

    @property
    def step(self) -> int | None:
        """Step of what is on the screen: of the network that has answered, else of the one in use."""
        answer, model = self.answers[0], self.models[0]
        if answer is not None and answer.step is not None:
            return answer.step
        return None if model is None else model.step

    @property
    def provisional(self) -> bool:
        """Whether the answer on the screen may still change without another stroke."""
        answer = self.number if SCREENS[self.screen].wide else self.answers[0]
        return self.pen_down or answer is None or answer.revision != self.revision


def say(state: PlayState, text: str) -> PlayState:
    """With a sentence in the status line for a while."""
    return state._replace(
        notice=text, notice_until=state.time + max(NOTICE_SECONDS, len(text) / NOTICE_SPEED)
    )


def with_effect(state: PlayState, effect: Effect) -> PlayState:
    """With something to be done outside."""
    return state._replace(effects=(*state.effects, effect))


def set_slot(state: PlayState, slot: int, info: ModelInfo | None) -> PlayState:
    """With a network, or none, in a slot."""
    models = (info, state.models[1]) if slot == 0 else (state.models[0], info)
    return state._replace(models=models)


def await_run(state: PlayState, slot: int, path: str) -> PlayState:
    """With the run that a slot is loading, "" for none."""
    return state._replace(awaited=(path, state.awaited[1]) if slot == 0 else (state.awaited[0], path))
