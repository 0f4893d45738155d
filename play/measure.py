"""One measurement of `python -m play --bench`, in the process of its own that `play.bench` starts.

    python -m play.measure '{"what": "ink", ...}'      the figures as JSON on standard output

The empty jitted call is measured in the same process as the reading: it tells a slow machine from a
slow program.
"""

import gc
import json
import math
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digitjax.errors import DigitjaxError

RAW_POINTS = 2_000
"""Points of the drawing on which a frame's latency is measured."""
STRETCH = 200
"""Points that are added before the drawing is what it was again."""
QUIET_FRAMES, NEWER_STEPS = 240, 5
"""Frames that are drawn before the first newer step appears, and how many do."""
STATS_SECONDS = 60.0
"""How long the worker may take to say what it has compiled."""


def open_program(work: dict, size: tuple[int, int], sources: list, patience: float) -> Any:
    """The program as a user starts it: the worker first, then the window."""
    from digitjax import compiled
    from play import launch, paths

    gc.disable()  # as `play.__main__` does
    link = launch.start(launch.Options(work["checkpoint"], "cpu", compiled.folder()))
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        os.environ["SDL_VIDEODRIVER"] = "dummy"
    from play.app import Loop, VirtualClock, Window
    from play.classify import ProcessClassifier
    from play.outside import Outside
    from play.state import PlayState

    state = PlayState(width=size[0], height=size[1])
    classifier = ProcessClassifier(link)
    folder = paths.user_folder(None)
    window = Window(*size)
    gc.freeze()
    gc.enable()
    return Loop(window, classifier, Outside(folder), sources, VirtualClock(), state, patience=patience)


class Moves:
    """A source that draws on and on, one point a frame."""

    def __init__(self) -> None:
        self.waiting: list = []

    def take(self, state: Any, layout: Any, controls: Any, now: float) -> list:
        found, self.waiting = self.waiting, []
        return found

    def frame_done(self, state: Any, numbers: Any) -> None:
        pass


def curve(i: int) -> tuple[float, float]:
    """Point i of an endless scribble over the canvas."""
    return 500 + 400 * math.sin(0.031 * i), 500 + 400 * math.sin(0.0173 * i + 1)


def _launch(work: dict) -> dict:
    from play.events import PenDown, PenMove

    moves = Moves()
    loop = open_program(work, (1280, 800), [moves], 0.008)
    loop.step()
    window = time.time() - work["start"]
    moves.waiting = [PenDown(*curve(0), 0.0)]
    worst, i, last = 0.0, 0, time.perf_counter()
    first = None
    while first is None:
        i += 1
        moves.waiting.append(PenMove(*curve(i), i / 60))
        times = loop.step()
        if times.answer is not None:
            first = time.time() - work["start"]
        if loop.state.problem:
            raise DigitjaxError(loop.state.problem)
        now = time.perf_counter()
        worst, last = max(worst, now - last), now
        time.sleep(max(0.0, 1 / 60 - (time.perf_counter() - last)))
        last = time.perf_counter()
    loop.classifier.close()
    return {"window": window, "worst": worst * 1e3, "first_answer": first}


def _ink(work: dict) -> dict:
    """From raw points to probabilities on one core, then why, and an empty jitted call beside them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import numpy as np

    from digitjax.checkpoint import load_model
    from digitjax.segments import pack
    from play.explain import without_each
    from play.reader import make_reader, reading

    loaded = load_model(work["checkpoint"])
    reader = make_reader(loaded.model, loaded.config.model)
    drawings = []
    for k in range(64):
        places = np.array([curve(37 * k + i) for i in range(40 + k)])
        drawings.append([places[: 20 + k // 2], places[25 + k // 2 :]])
    empty = jax.jit(lambda x: x + 1)
    one = np.zeros((), np.float32)

    def read(i: int) -> None:
        packed = pack(drawings[i % 64])
        np.asarray(reader.read(loaded.params, packed.ends, packed.mask))

    packed = pack(drawings[0])
    image = reading(np.asarray(reader.read(loaded.params, packed.ends, packed.mask)), reader.side).image
    digit = np.eye(10, dtype=np.float32)[4]

    def explain(i: int) -> None:
        ends, mask, _ = without_each(drawings[i % 64])
        jax.tree.map(np.asarray, reader.explain(loaded.params, image, digit, ends, mask))

    calls = {
        "ink_to_probabilities": read,
        "explanation": explain,
        "empty_jitted_call": lambda i: np.asarray(empty(one)),
    }
    return {
        f"{name}_{quantile}": value
        for name, call in calls.items()
        for quantile, value in _sample(call, work).items()
    }


def _frames(work: dict) -> dict:
    """From an event to the flipped frame with its answer, on a drawing of 2,000 raw points.

    On the Why screen every answer is explained; without a pause each frame waits for the last explanation.
    """
    from play.events import PenDown, PenMove, PenUp, Press

    width, height = (int(side) for side in work["size"].split("x"))
    moves = Moves()
    loop = open_program(work, (width, height), [moves], 5.0)
    wait_until_warm(loop)
    moves.waiting.append(Press(f"screen:{work['screen']}"))
    third = RAW_POINTS // 3
    for start in (0, third, 2 * third):
        moves.waiting.append(PenDown(*curve(start), 0.0))
        end = RAW_POINTS if start == 2 * third else start + third
        moves.waiting += [PenMove(*curve(i), 0.0) for i in range(start + 1, end)]
        moves.waiting += [PenUp(0.0)] if end < RAW_POINTS else []
    loop.step()
    base = loop.state

    def start_over(i: int) -> None:
        loop.clock.next_frame(True)
        if i % STRETCH == 0:
            loop.state = base._replace(revision=loop.state.revision + 1, effects=())
            loop.step()

    def frame(i: int) -> None:
        moves.waiting = [PenMove(*curve(RAW_POINTS + i % STRETCH), i / 60)]
        before = loop.state.revision
        times = loop.step()
        if times.answer is None:
            raise DigitjaxError("--bench: a frame came without its answer")
        why = loop.state.explained
        if work["screen"] == "why" and (why is None or why.revision < before):
            raise DigitjaxError("--bench: an answer was not explained by the next one")

    compiled = _stats(loop)["compiled"]
    found = _sample(frame, work, before=start_over)
    resident = _resident_mb(os.getpid()) + _resident_mb(loop.classifier.pid)
    compilations = _stats(loop)["compiled"] - compiled
    loop.classifier.close()
    return {"frame": found, "resident_mb": resident, "compilations": compilations}


def _newer(work: dict) -> dict:
    """Drawing at 60 frames a second while newer steps of the run in use appear, as a trainer publishes them.

    Beside it the worst frame of the same drawing before any newer step: what the machine does by itself.
    """
    from digitjax import runs
    from play.events import PenDown, PenMove

    run = _copied_run(runs.resolve(work["checkpoint"]), Path(work["folder"]) / "watched")
    moves = Moves()
    loop = open_program(work | {"checkpoint": str(run)}, (1280, 800), [moves], 0.008)
    wait_until_warm(loop)
    moves.waiting = [PenDown(*curve(0), 0.0)]
    quiet: list[float] = []
    loading: list[float] = []
    delays: list[float] = []
    count = 0

    def draw(frames: list[float]) -> None:
        nonlocal count
        count += 1
        begin = time.perf_counter()
        moves.waiting.append(PenMove(*curve(count), count / 60))
        times = loop.step()
        if times.answer is not None and frames is loading:
            delays.append(times.answer)
        frames.append((time.perf_counter() - begin) * 1e3)
        time.sleep(max(0.0, 1 / 60 - (time.perf_counter() - begin)))

    for _ in range(QUIET_FRAMES):
        draw(quiet)
    first = loop.state.models[0].step
    for step in range(first + 1, first + 1 + NEWER_STEPS):
        _publish(run, step)
        end = time.monotonic() + 60
        while loop.state.models[0].step != step:
            draw(loading)
            if time.monotonic() > end:
                raise DigitjaxError(f"--bench: step {step} was not taken up within a minute")
        for _ in range(30):
            draw(loading)
    drawn = len(loop.state.strokes[-1].points)
    if len(loop.state.strokes) != 1 or drawn != count + 1:
        raise DigitjaxError(f"--bench: {count + 1} points were drawn and {drawn} are there")
    loop.classifier.close()
    return {
        "worst_frame_newer_step_ms": max(loading),
        "worst_frame_no_newer_step_ms": max(quiet),
        "worst_ink_to_answer_newer_step_ms": max(delays),
    }


def _copied_run(step: Path, folder: Path) -> Path:
    """A run of its own with one step, which may be written to."""
    from digitjax import runs

    shutil.copytree(step, folder / step.name)
    shutil.copy(runs.run_of(step) / runs.CONFIG, folder / runs.CONFIG)
    return folder


def _publish(run: Path, number: int) -> None:
    """The run's first step again under another number, its manifest last, as the trainer does."""
    from digitjax import manifest, runs

    before = runs.history(run)[0]
    known = manifest.read(before)
    target = run / runs.HISTORY / str(number)
    shutil.copytree(before, target, ignore=shutil.ignore_patterns(manifest.NAME))
    manifest.write(
        target, step=number, contents=known.contents, record=known.record, config=run / runs.CONFIG
    )


def wait_until_warm(loop: Any) -> None:
    """Frames until the network is there and the loader's thread has compiled what the other screens need."""
    while loop.state.loading:
        loop.step()
        time.sleep(0.01)
    if loop.state.problem:
        raise DigitjaxError(loop.state.problem)
    while not _stats(loop)["warm"]:
        time.sleep(0.1)


def _stats(loop: Any) -> dict:
    loop.classifier.stats = {}
    loop.classifier.ask_stats()
    end = time.monotonic() + STATS_SECONDS
    while not loop.classifier.stats:
        if time.monotonic() > end:
            raise DigitjaxError(f"--bench: the process that reads said nothing for {STATS_SECONDS:g} s")
        loop.classifier.poll(0.01)
        time.sleep(0.001)
    return loop.classifier.stats


def _changes(work: dict) -> dict:
    """How often the answer on the screen changes, a drawing, and after the last pen-up."""
    from digitjax.strokes import read_drawings
    from play.changes import Watch
    from play.replay import Replay

    watch = Watch()
    counts: list[tuple[int, int]] = []
    source = Replay(iter(read_drawings(work["replay"])), lambda record: counts.append(watch.count()))
    loop = open_program(work, (640, 480), [], 5.0)
    wait_until_warm(loop)
    loop.sources = [watch, source]
    compiled = _stats(loop)["compiled"]
    while not source.done:
        loop.step()
        loop.clock.next_frame(True)
    compilations = _stats(loop)["compiled"] - compiled
    loop.classifier.close()
    changes = [count for count, _ in counts]
    return {
        "changes": {
            "answer_changes_median": statistics.median(changes),
            "answer_changes_after_pen_up": max(late for _, late in counts),
            "answer_changes_mean": statistics.mean(changes),
        },
        "compilations": compilations,
    }


def _sample(
    call: Callable[[int], object], work: dict, before: Callable[[int], object] = lambda i: None
) -> dict[str, float]:
    """Median and 99th percentile of a call in milliseconds, after the warm-ups; `before` is not timed."""
    for i in range(work["warm_ups"]):
        before(i)
        call(i)
    taken = []
    for i in range(work["samples"]):
        before(i)
        begin = time.perf_counter()
        call(i)
        taken.append((time.perf_counter() - begin) * 1e3)
    taken.sort()
    return {"median_ms": taken[len(taken) // 2], "p99_ms": taken[min(len(taken) - 1, int(len(taken) * 0.99))]}


def _resident_mb(pid: int | None) -> float:
    """Resident memory of a process; 0 where the system does not say."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def _main() -> int:
    work = json.loads(sys.argv[1])
    from play.beside import training

    kinds = {
        "training": training,
        "launch": _launch,
        "ink": _ink,
        "frames": _frames,
        "newer": _newer,
        "changes": _changes,
    }
    measure = kinds[work["what"]]
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        found = measure(work)
    except DigitjaxError as error:
        print(f"digitjax-play: {error}", file=sys.stderr)
        return error.exit_code
    with open(out, "w") as file:
        json.dump(found, file)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
