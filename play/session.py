"""One run of the program from the window's opening to its closing."""

import gc
import math
import os
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from digitjax.errors import DigitjaxError, InputError
from digitjax.paths import quoted
from play.launch import Link, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from play.events import Event
    from play.studio import RunSeen

SETTLE_SECONDS, SETTLE_FRAMES = 60.0, 30
"""How long a screenshot waits at most, and the frames that it waits at least."""
HEADLESS_SIZE = (1280, 800)
ANSWER_SECONDS = 30.0
"""How long a frame without a window waits for its answer before it goes on."""
NETWORK_SECONDS = 120.0
"""How long a program without a window waits for its network, and for the answer to a drawing."""


class Stop:
    """Remembers a signal until the loop looks."""

    def __init__(self) -> None:
        self.signal = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """A handler for `signal.signal`; the second one ends the program at once."""
        if self.signal:
            os._exit(128 + number)
        self.signal = number


def run(
    link: Link,
    options: Options,
    folder: Path,
    *,
    stop: Stop,
    size: tuple[int, int] | None = None,
    replay: str | None = None,
    headless: bool = False,
    realtime: bool = False,
    frames: int | None = None,
    screenshot: str | None = None,
    theme: str | None = None,
    screen: str | None = None,
    named: bool = False,
) -> int:
    """Opens the window, loops, closes; returns the exit code: 1 where something could not be saved.

    Args:
        link: to the reading process.
        options: with which it was started.
        folder: the user's own.
        named: the network was asked for by name; without a window it is an error if it cannot be had.

    Raises:
        InputError: the replay cannot be read, nobody can answer it, or the network that was named is none.
        DigitjaxError: there is no display; or a replay without a window gets no answers any more.
    """
    if headless:
        os.environ["SDL_VIDEODRIVER"] = "dummy"
    import pygame

    from play.app import Loop, RealClock, VirtualClock, Window, WindowSource
    from play.classify import ProcessClassifier
    from play.events import Press
    from play.outside import Outside, load_settings
    from play.replay import Replay, print_line
    from play.state import PlayState
    from play.update import update

    classifier = ProcessClassifier(link, options)
    window = outside = None
    try:
        if replay is not None:
            check(replay)
        try:
            size = size or (HEADLESS_SIZE if headless else Window.first_size())
            window = Window(*size)
        except pygame.error as error:
            raise DigitjaxError(
                f"no window can be opened ({error}): run it on a screen, or add --headless --replay FILE"
            ) from error
        settings = load_settings(folder)
        if theme is not None:
            settings = settings._replace(theme=theme)
        state = PlayState(settings=settings, width=size[0], height=size[1])
        if screen is not None:
            state = update(state, Press(f"screen:{screen}"))
        outside = Outside(folder)
        sources: list = [] if headless else [WindowSource(window)]
        source = None
        if replay is not None:
            from digitjax.strokes import read_drawings

            drawings = iter(read_drawings(replay))
            report = print_line if headless else lambda record: None
            source = Replay(drawings, report, patience=NETWORK_SECONDS if headless else math.inf)
            sources.append(source)
        real = realtime or (not headless and replay is None)
        patience = ANSWER_SECONDS if headless and not realtime else 0.008
        loop = Loop(
            window,
            classifier,
            outside,
            sources,
            RealClock(rests=frames is None) if real else VirtualClock(),
            state,
            patience=patience,
        )
        gc.freeze()  # later collections pass over all that is here to stay
        gc.enable()
        if headless:
            _wait_for_network(loop, stop, need=named or source is not None)
        count = 0

        def until(state: PlayState) -> bool:
            nonlocal count
            count += 1
            replayed = source is not None and source.done
            if replayed and not headless and isinstance(loop.clock, VirtualClock):
                loop.clock = RealClock(loop.clock.now())  # whoever sits there draws in real time
            finished = replayed and (headless or frames is not None)
            settled = headless and source is None and frames is None and count > 60
            if stop.signal or finished or settled or (frames is not None and count > frames):
                return True
            if headless and source is not None and state.models[0] is None and state.problem:
                raise DigitjaxError(state.problem)  # what is left to replay would wait for ever
            return False

        loop.run(until)
        if screenshot is not None and headless:
            _settle(loop, stop)
        if stop.signal:
            loop.leave()
        if screenshot is not None:
            _save(pygame.display.get_surface(), Path(screenshot))
    finally:
        if window is not None:  # first, or it would hang there while a file is waited for
            window.close()
        classifier.close()
        lost = outside is not None and _tell(outside.close())
    _tell_of_training(loop.state.studio.run)
    if lost:
        return 1
    return 128 + stop.signal if stop.signal else 0


def check(replay: str) -> None:
    """Reads a file of drawings to its end, so that a bad line is told before anything is printed.

    Raises:
        InputError: as `digitjax.strokes.read_drawings`.
    """
    from digitjax.strokes import read_drawings

    for _ in read_drawings(replay):
        pass


def _tell(found: "Sequence[Event]") -> bool:
    """Says on standard error what came too late for the screen; returns whether something was not saved."""
    from play.events import Notice, Recorded, ScoreSaved

    errors = [event.error for event in found if isinstance(event, Recorded | ScoreSaved) and event.error]
    notices = [event.text for event in found if isinstance(event, Notice)]
    for text in (*errors, *notices):
        print(f"digitjax-play: {text}", file=sys.stderr)
    return bool(errors)


def _tell_of_training(run: "RunSeen | None") -> None:
    """Says on standard error that the run which was last seen in training goes on, or waits, by itself."""
    if run is not None and run.lives:
        goes_on = "waits, paused," if run.status == "paused" else "goes on training"
        print(
            f"digitjax-play: {run.name} {goes_on} without the window: Train shows it, and "
            f"`digitjax steer {quoted(Path(run.path))} --stop` saves and ends it",
            file=sys.stderr,
        )


def _wait_for_network(loop, stop: Stop, need: bool) -> None:
    """Frames until the network is there or known to be missing; the virtual clock stands still meanwhile."""
    end = time.monotonic() + NETWORK_SECONDS
    while loop.state.loading and not stop.signal and time.monotonic() < end:
        loop.step()
        time.sleep(0.005)
    if need and loop.state.models[0] is None and not stop.signal:
        problem = loop.state.problem or "the network did not load within two minutes: try again"
        raise InputError(problem)


def _settle(loop, stop: Stop) -> None:
    """Frames until nothing moves and what the screen has asked for has come."""
    end = time.monotonic() + SETTLE_SECONDS
    frames = 0
    while not stop.signal and time.monotonic() < end:
        if frames >= SETTLE_FRAMES and not (loop.busy or _awaited(loop.state)):
            return
        loop.step()
        loop.clock.next_frame(True)
        time.sleep(0.005)
        frames += 1


def _awaited(state) -> bool:
    if state.screen in ("why", "time") and state.strokes and state.models[0] is not None:
        return state.explained is None or state.explained.revision != state.revision
    if state.screen == "teach":
        return state.lesson.status == "warming"
    return state.screen == "models" and not state.listed


def _save(surface, path: Path) -> None:
    import pygame

    try:
        with path.open("wb") as file:
            pygame.image.save(surface, file, "frame.png")
    except (OSError, pygame.error) as error:
        raise DigitjaxError(f"{path} cannot be written ({error}): give another place") from error
    print(f"digitjax-play: saved {path}", file=sys.stderr)
