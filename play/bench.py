"""`python -m play --bench`: start, latency, frames, memory.

Every figure is taken in fresh processes of the program itself; without a display over SDL's dummy driver.
The empty jitted call is measured in the same process as the reading: it tells a slow machine from a
slow program.
"""

import gc
import itertools
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digitjax.errors import DigitjaxError

SAMPLES, WARM_UPS = 10_000, 500
RAW_POINTS = 2_000
"""Points of the drawing on which a frame's latency is measured."""
STRETCH = 200
"""Points that are added before the drawing is what it was again."""
CHILD_SECONDS = 1800
TARGETS = {
    "window_visible_s": 0.5,
    "worst_frame_while_loading_ms": 50.0,
    "first_answer_cold_s": 3.0,
    "first_answer_warm_s": 1.5,
    "ink_to_probabilities_median_ms": 0.6,
    "ink_to_probabilities_p99_ms": 1.2,
    "frame_1280x800_p99_ms": 8.0,
    "frame_3840x2160_p99_ms": 16.7,
    "answer_changes_median": 2.0,
    "answer_changes_after_pen_up": 0.0,
    "resident_mb": 600.0,
    "compilations_after_warm_up": 0.0,
}
"""What each figure may be at most."""


def run(*, checkpoint: str | None, as_json: bool, replay: str | None = None, samples: int = SAMPLES) -> int:
    """Measures everything and prints it; 0 also where a figure is missed (the table says which)."""
    figures: dict[str, Any] = {}
    warm_ups = min(WARM_UPS, samples)
    with tempfile.TemporaryDirectory(prefix="digitjax-bench-") as folder:
        for name in ("cold", "warm"):
            print(f"digitjax-play: starting, compilation cache {name}", file=sys.stderr)
            started = _child("launch", {"checkpoint": checkpoint}, folder)
            figures[f"first_answer_{name}_s"] = started["first_answer"]
            figures["window_visible_s"] = max(figures.get("window_visible_s", 0.0), started["window"])
            worst = max(figures.get("worst_frame_while_loading_ms", 0.0), started["worst"])
            figures["worst_frame_while_loading_ms"] = worst
        print(f"digitjax-play: ink to probabilities, {samples} times", file=sys.stderr)
        work = {"checkpoint": checkpoint, "samples": samples, "warm_ups": warm_ups}
        figures |= _child("ink", work, folder)
        for size in ("1280x800", "3840x2160"):
            print(f"digitjax-play: frames of {size}, {samples} times", file=sys.stderr)
            found = _child("frames", work | {"size": size}, folder)
            figures |= {f"frame_{size}_{name}": value for name, value in found["frame"].items()}
            figures["resident_mb"] = max(figures.get("resident_mb", 0.0), found["resident_mb"])
            figures["compilations_after_warm_up"] = max(
                figures.get("compilations_after_warm_up", 0), found["compilations"]
            )
        if replay is not None:
            print(f"digitjax-play: answers that change, {replay}", file=sys.stderr)
            figures |= _child("changes", {"checkpoint": checkpoint, "replay": replay}, folder)
    report = {
        "figures": figures,
        "targets": TARGETS,
        "missed": sorted(n for n, most in TARGETS.items() if n in figures and figures[n] > most),
        "samples": samples,
        "warm_ups": warm_ups,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        _print_table(report)
    return 0


def _print_table(report: dict) -> None:
    figures = report["figures"]
    width = max(map(len, [*figures, *TARGETS]))
    for name in [*TARGETS, *(n for n in figures if n not in TARGETS)]:
        value = figures.get(name)
        shown = "not measured" if value is None else f"{value:10.3f}"
        target = f"   at most {TARGETS[name]:g}" if name in TARGETS else ""
        print(f"{name:<{width}} {shown}{target}{'   MISSED' if name in report['missed'] else ''}")


def _child(what: str, work: dict, folder: str) -> dict:
    """One measurement in a process of its own, its folders apart from the user's."""
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {
        "DIGITJAX_DATA_DIR": str(Path(folder) / "data"),
        "DIGITJAX_USER_DIR": str(Path(folder) / "user"),
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")])),
    }
    work = work | {"what": what, "start": time.time()}
    command = [sys.executable, "-m", "play.bench", json.dumps(work)]
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=CHILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise DigitjaxError(
            f"--bench: {what} took more than {CHILD_SECONDS} s: run it on an idle machine"
        ) from None
    if done.returncode:
        raise DigitjaxError(f"--bench: {what} failed: see above")
    return json.loads(done.stdout)


def _open(work: dict, size: tuple[int, int], sources: list, patience: float) -> Any:
    """The program as a user starts it: the worker first, then the window."""
    from play import launch, paths

    gc.disable()  # as `play.__main__` does
    link = launch.start(launch.Options(work["checkpoint"], "cpu", paths.compilation_cache()))
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


class _Moves:
    """A source that draws on and on, one point a frame."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: list = []

    def take(self, state: Any, layout: Any, controls: Any, now: float) -> list:
        found, self.waiting = self.waiting, []
        return found

    def frame_done(self, state: Any, numbers: Any) -> None:
        pass


def _curve(i: int) -> tuple[float, float]:
    """Point i of an endless scribble over the canvas."""
    return 500 + 400 * math.sin(0.031 * i), 500 + 400 * math.sin(0.0173 * i + 1)


def _launch(work: dict) -> dict:
    from play.events import PenDown, PenMove

    moves = _Moves()
    loop = _open(work, (1280, 800), [moves], 0.008)
    loop.step()
    window = time.time() - work["start"]
    moves.waiting = [PenDown(*_curve(0), 0.0)]
    worst, i, last = 0.0, 0, time.perf_counter()
    first = None
    while first is None:
        i += 1
        moves.waiting.append(PenMove(*_curve(i), i / 60))
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
    """From raw points to probabilities on one core, and an empty jitted call beside it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import numpy as np

    from digitjax.checkpoint import load_model
    from digitjax.segments import pack
    from play.reader import make_reader

    loaded = load_model(work["checkpoint"])
    reader = make_reader(loaded.model, loaded.config.model)
    drawings = []
    for k in range(64):
        places = np.array([_curve(37 * k + i) for i in range(40 + k)])
        drawings.append([places[: 20 + k // 2], places[25 + k // 2 :]])
    empty = jax.jit(lambda x: x + 1)
    one = np.zeros((), np.float32)

    def read(i: int) -> None:
        packed = pack(drawings[i % 64])
        np.asarray(reader.read(loaded.params, packed.ends, packed.mask))

    found = _sample(read, work)
    nothing = _sample(lambda i: np.asarray(empty(one)), work)
    return {f"ink_to_probabilities_{n}": v for n, v in found.items()} | {
        f"empty_jitted_call_{n}": v for n, v in nothing.items()
    }


def _frames(work: dict) -> dict:
    """From an event to the flipped frame with its answer, on a drawing of 2,000 raw points."""
    from play.events import PenDown, PenMove, PenUp

    width, height = (int(side) for side in work["size"].split("x"))
    moves = _Moves()
    loop = _open(work, (width, height), [moves], 5.0)
    while loop.state.loading:
        loop.step()
        time.sleep(0.01)
    if loop.state.problem:
        raise DigitjaxError(loop.state.problem)
    third = RAW_POINTS // 3
    for start in (0, third, 2 * third):
        moves.waiting.append(PenDown(*_curve(start), 0.0))
        end = RAW_POINTS if start == 2 * third else start + third
        moves.waiting += [PenMove(*_curve(i), 0.0) for i in range(start + 1, end)]
        moves.waiting += [PenUp(0.0)] if end < RAW_POINTS else []
    loop.step()
    base = loop.state
    while not _stats(loop)["warm"]:  # the loader's thread compiles what the other screens need
        time.sleep(0.1)

    def start_over(i: int) -> None:
        loop.clock.next_frame(True)
        if i % STRETCH == 0:
            loop.state = base._replace(revision=loop.state.revision + 1, effects=())
            loop.step()

    def frame(i: int) -> None:
        moves.waiting = [PenMove(*_curve(RAW_POINTS + i % STRETCH), i / 60)]
        times = loop.step()
        if times.answer is None:
            raise DigitjaxError("--bench: a frame came without its answer")

    compiled = _stats(loop)["compiled"]
    found = _sample(frame, work, before=start_over)
    resident = _resident_mb(os.getpid()) + _resident_mb(loop.classifier.pid)
    compilations = _stats(loop)["compiled"] - compiled
    loop.classifier.close()
    return {"frame": found, "resident_mb": resident, "compilations": compilations}


def _stats(loop: Any) -> dict:
    loop.classifier.stats = {}
    loop.classifier.ask_stats()
    while not loop.classifier.stats:
        loop.classifier.poll(0.01)
        time.sleep(0.001)
    return loop.classifier.stats


def _changes(work: dict) -> dict:
    """How often the answer on the screen changes, a drawing, and after the last pen-up."""
    from digitjax.strokes import read_drawings
    from play.replay import Replay
    from play.state import PlayState

    changes: list[int] = []
    late: list[int] = []
    shown: list[tuple[str, bool]] = []

    class Watch:
        def take(self, *_: Any) -> list:
            return []

        def frame_done(self, state: PlayState, numbers: Any) -> None:
            if state.strokes and state.shown.word:
                shown.append((state.shown.word, state.pen_down))

    def report(record: dict) -> None:
        words = [word for word, _ in shown]
        changes.append(sum(a != b for a, b in itertools.pairwise(words)))
        after = len(shown) - 1
        while after > 0 and not shown[after - 1][1]:
            after -= 1
        late.append(sum(a != b for a, b in itertools.pairwise(words[after:])))
        shown.clear()

    source = Replay(iter(read_drawings(work["replay"])), report)
    loop = _open(work, (640, 480), [Watch(), source], 5.0)
    while loop.state.loading:
        loop.step()
        time.sleep(0.01)
    while not source.done:
        loop.step()
        loop.clock.next_frame(True)
    loop.classifier.close()
    ordered = sorted(changes)
    return {
        "answer_changes_median": float(ordered[len(ordered) // 2]),
        "answer_changes_after_pen_up": float(max(late)),
        "answer_changes_mean": sum(changes) / len(changes),
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
    measure = {"launch": _launch, "ink": _ink, "frames": _frames, "changes": _changes}[work["what"]]
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
