"""The only event loop, clock and window.

Headless, the same loop runs over SDL's dummy driver on a virtual clock.
"""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeGuard

import pygame

from play import effects, events, ink
from play.answers import Answered, NumberRead, ReaderEnded
from play.classify import Classifier, Query
from play.layout import Control, Layout, arrange, first_size
from play.outside import Outside
from play.places import sliding
from play.screens import SCREENS
from play.state import PlayState
from play.translate import Pointer, translate
from play.update import update
from play.view.frame import Frame, controls_of
from play.view.icon import icon

FRAME = 1 / 60
"""Seconds of a frame."""
REST, RESTING = 1.0, 0.1
"""Seconds since the last event or movement from which frames are longer, and how long they are then."""
LOOK, REST_LOOK = 0.001, 0.008
"""Seconds between two looks for an event, and at rest."""
PATIENCE = 0.008
"""Seconds for which a frame waits for its answer; one that is later comes in the next frame."""
MANY_POINTS, PART = 4096, 64
"""A line under way that has more points is asked again when longer by this part of what exceeds them."""
NAME = "digitjax"


class Clock(Protocol):
    """Seconds since the start, and the end of a frame."""

    def now(self) -> float:
        """Seconds."""
        ...

    def next_frame(self, busy: bool) -> None:
        """Waits for the next frame; with nothing under way (not `busy`) the first event may end the wait."""
        ...


class RealClock:
    """The wall's clock: 60 frames a second while something moves, ten at rest; an event is taken at once."""

    def __init__(self, start: float = 0.0, *, rests: bool = True) -> None:
        """Args:
        start: seconds that it shows at first.
        rests: False where frames are counted: always 60.
        """
        self._start = time.perf_counter() - start
        self._frame = self._moved = start
        self._rests = rests

    def now(self) -> float:
        return time.perf_counter() - self._start

    def next_frame(self, busy: bool) -> None:
        now = self.now()
        if busy:
            self._moved = now
            time.sleep(max(0.0, self._frame + FRAME - now))
        else:
            resting = self._rests and now - self._moved > REST
            end, look = self._frame + (RESTING if resting else FRAME), REST_LOOK if resting else LOOK
            time.sleep(max(0.0, self._frame + FRAME / 2 - now))
            while not (happened := pygame.event.peek()) and (left := end - self.now()) > 0:
                time.sleep(min(look, left))
            if happened:
                self._moved = self.now()
        self._frame = self.now()


class VirtualClock:
    """A sixtieth of a second a frame, however long it took."""

    def __init__(self) -> None:
        self._frames = 0

    def now(self) -> float:
        return self._frames * FRAME

    def next_frame(self, busy: bool) -> None:
        self._frames += 1


class Source(Protocol):
    """Where our events come from."""

    def take(
        self, state: PlayState, layout: Layout, controls: Sequence[Control], time: float
    ) -> list[events.Event]:
        """What has happened since the last frame."""
        ...

    def frame_done(self, state: PlayState, numbers: "FrameTimes") -> None:
        """Called after each frame was shown."""
        ...


class FrameTimes(NamedTuple):
    """What a frame cost, in milliseconds; `answer` from its events to their answer, None where none came."""

    whole: float
    answer: float | None


def _is_answer(event: events.Event) -> TypeGuard[Answered | NumberRead]:
    """Whether an event is what the network in use says."""
    return isinstance(event, NumberRead) or (isinstance(event, Answered) and event.slot == 0)


class WindowSource:
    """Mouse, fingers, pen and keys, through pygame."""

    def __init__(self, window: "Window") -> None:
        self._pointer = Pointer()
        self._window = window

    def take(
        self, state: PlayState, layout: Layout, controls: Sequence[Control], time: float
    ) -> list[events.Event]:
        found: list[events.Event] = []
        focus = state.focus
        covered = state.help or not SCREENS[state.screen].has_canvas
        slides = sliding(state, layout)
        for event in pygame.event.get():
            if event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWRESTORED, pygame.WINDOWSHOWN):
                self._window.exposed = True
            elif event.type == pygame.WINDOWSIZECHANGED:
                self._window.changed = True
            self._pointer, ours = translate(
                event,
                self._pointer,
                layout,
                controls,
                focus=focus,
                time=time,
                covered=covered,
                sliding=slides,
            )
            for one in ours:
                if isinstance(one, events.Focus):
                    focus = one.control
                elif isinstance(one, events.Hover) and found and isinstance(found[-1], events.Hover):
                    found.pop()
                found.append(one)
        return found

    def frame_done(self, state: PlayState, numbers: FrameTimes) -> None:
        pass


class Window:
    """The display: a window that can be resized, or the whole screen.

    Attributes:
        exposed: the system has lost the picture: all of it is to be made visible again.
        changed: the surface may be another one: all of it is to be painted again.
        surface: what is painted on.
    """

    def __init__(self, width: int, height: int, title: str = NAME) -> None:
        pygame.display.init()
        if pygame.display.get_driver() == "offscreen" and not os.environ.get("SDL_VIDEODRIVER"):
            raise pygame.error("there is no display")  # SDL goes on unseen, for ever
        if pygame.display.get_driver() == "x11":
            # OpenGL takes ten times as long a frame and makes the window twice; what is drawn then is lost.
            os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        pygame.font.init()
        pygame.display.set_caption(title)
        pygame.display.set_icon(icon())  # else it is pygame's own
        self.exposed = self.changed = False
        self.surface = pygame.display.set_mode((width, height), pygame.RESIZABLE)

    @staticmethod
    def first_size() -> tuple[int, int]:
        """The window's size where nobody has named one."""
        pygame.display.init()
        return first_size(*pygame.display.get_desktop_sizes()[0])

    def fullscreen(self, on: bool) -> None:
        """Takes the whole screen, or goes back to the window as it was."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            window = pygame.Window.from_display_module()
        if on:
            window.set_fullscreen(desktop=True)
        else:  # `set_mode` would leave the window as large as the screen
            window.set_windowed()
        self.changed = True

    def current(self) -> pygame.Surface:
        """The surface as it is now; SDL makes another one when the window changes."""
        surface = pygame.display.get_surface()
        if surface is not None:
            self.surface = surface
        return self.surface

    def show(self, rects: list[pygame.Rect]) -> None:
        """Makes changed parts visible, and all of it where the system has lost the picture (`exposed`)."""
        if self.exposed:
            self.exposed = False
            pygame.display.flip()
        elif rects:
            pygame.display.update(rects)

    def name(self, run: str) -> None:
        """Puts the run in use into the window's title."""
        title = f"{NAME} · {run}" if run else NAME
        if pygame.display.get_caption()[0] != title:
            pygame.display.set_caption(title)

    def close(self) -> None:
        """Closes the display."""
        pygame.display.quit()


class Loop:
    """Events in, one state, pixels out."""

    def __init__(
        self,
        window: Window,
        classifier: Classifier,
        outside: Outside,
        sources: Sequence[Source],
        clock: Clock,
        state: PlayState,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self.window, self.classifier, self.outside = window, classifier, outside
        self.sources, self.clock, self.state, self.patience = sources, clock, state, patience
        self.frame = Frame()
        self.dropped = 0
        self._answer_ms: float | None = None  # the last, also from before F3 shows it
        self._asked = -1
        self._asked_points = 0
        self._asked_at: float | None = None
        self._arranged: tuple[Any, Layout] | None = None

    def run(self, until: Callable[[PlayState], bool] = lambda state: False) -> PlayState:
        """Frames until the window is closed or `until` says so."""
        while not self.state.closing and not until(self.state):
            self.step()
            self.clock.next_frame(self.busy)
        return self.state

    def leave(self) -> None:
        """A signal ends the program without another frame: what closing the window would save is saved."""
        self._apply(events.Closed())
        self._apply(events.Press("score:save"))  # what could not be saved before is tried once more
        self._effects()

    @property
    def busy(self) -> bool:
        """Whether the picture moves by itself or an answer is awaited."""
        state = self.state
        moving = state.pen_down or state.journey is not None or state.bars != state.bars_goal
        return moving or self._asked_at is not None or state.loading

    def step(self) -> FrameTimes:
        """One frame."""
        begin = time.perf_counter()
        surface = self.window.current()
        width, height = surface.get_size()
        if (width, height) != (self.state.width, self.state.height):
            self._apply(events.Resize(width, height))
        layout = self._layout()
        controls = controls_of(self.state, layout)
        now = self.clock.now()
        self._apply(events.Tick(now))  # first: a frame at rest was long ago
        for source in self.sources:
            for event in source.take(self.state, layout, controls, now):
                self._apply(event)
        for event in self.outside.poll():
            self._apply(event)
        self._ask(begin)
        rects = self._draw()
        answered = None
        for event in self.classifier.poll(self.patience if self._asked_at is not None else 0.0):
            self._apply(event)
            if isinstance(event, ReaderEnded):
                self._asked_at = None
            if _is_answer(event) and event.revision == self._asked:
                answered = (time.perf_counter() - (self._asked_at or begin)) * 1e3
                self._answer_ms, self._asked_at = answered, None
        if answered is None:
            self._ask(begin)
        self._effects()
        rects += self._draw()
        self.window.show(rects)
        self.window.name(self.state.models[0].name if self.state.models[0] is not None else "")
        whole = time.perf_counter() - begin
        self.dropped += max(0, int(whole / FRAME))
        times = FrameTimes(whole * 1e3, answered)
        if self.state.numbers_shown:
            self._apply(events.Measured(times.whole, self._answer_ms, self.dropped))
        for source in self.sources:
            source.frame_done(self.state, times)
        return times

    def _draw(self) -> list[pygame.Rect]:
        if self.window.changed:
            self.window.changed, self.window.exposed, self.frame = False, True, Frame()
        return self.frame.draw(self.window.current(), self.state, self._layout())

    def _apply(self, event: events.Event) -> None:
        self.state = update(self.state, event)

    def _ask(self, begin: float) -> None:
        state = self.state
        if self._asked == state.revision or not state.strokes:
            if not state.strokes:
                self._asked_at = None
            return
        points = ink.count_points(state.strokes)
        if state.pen_down and abs(points - self._asked_points) * PART < points - MANY_POINTS:
            return  # else very long ink costs the square of its length
        why, wide = state.screen in ("why", "time"), SCREENS[state.screen].wide
        back = state.screen == "time" and not state.pen_down
        film = back and state.timeline.said_ink is not state.strokes
        if self.classifier.ask(Query(state.revision, state.strokes, state.left_out, why, film, wide, back)):
            self._asked, self._asked_points, self._asked_at = state.revision, points, begin

    def _layout(self) -> Layout:
        state = self.state
        key = (
            state.width,
            state.height,
            state.settings,
            state.screen,
            state.tool,
            state.help,
            state.numbers_shown,
            state.fullscreen,
            bool(state.past),
            bool(state.future),
            bool(state.strokes),
            state.saving,
        )
        if self._arranged is None or self._arranged[0] != key:
            self._arranged = (key, arrange(state))
        return self._arranged[1]

    def _effects(self) -> None:
        asked, self.state = self.state.effects, self.state._replace(effects=())
        for effect in asked:
            match effect:
                case effects.Fullscreen(on):
                    self.window.fullscreen(on)
                case effects.LoadModel(path, slot):
                    self.classifier.load(path, slot)
                case effects.UnloadModel(slot):
                    self.classifier.unload(slot)
                case effects.HoldSteps(on):
                    self.classifier.hold(on)
                case effects.Film(path):
                    self.classifier.film(path)
                case effects.ShowStep(step):
                    self.classifier.show_step(step)
                case effects.ListModels():
                    self.classifier.list_models()
                case _:
                    self.outside.do(effect)
