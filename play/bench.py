"""`python -m play --bench`: start, latency, frames, memory, a newer step while drawing.

Every figure is taken in fresh processes of the program itself (`play.measure`); without a display over SDL's
dummy driver.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from digitjax.errors import DigitjaxError

SAMPLES, WARM_UPS = 10_000, 500
CHILD_SECONDS = 1800
TRAINING_SECONDS = 60
"""How long frames are drawn beside a training."""
COMPILATIONS = "compilations_after_warm_up"
"""Counted over the frames of every screen that is measured, and over the replay."""
FRAMES = (("draw", "1280x800"), ("draw", "3840x2160"), ("why", "1280x800"), ("number", "1280x800"))
"""Screens and sizes of the window whose frames are measured."""
TARGETS = {
    "window_visible_s": 0.5,
    "worst_frame_while_loading_ms": 50.0,
    "first_answer_cold_s": 3.0,
    "first_answer_warm_s": 1.5,
    "ink_to_probabilities_median_ms": 0.6,
    "ink_to_probabilities_p99_ms": 1.2,
    "frame_1280x800_p99_ms": 8.0,
    "frame_3840x2160_p99_ms": 16.7,
    "why_frame_1280x800_p99_ms": 16.7,
    "number_frame_1280x800_p99_ms": 16.7,
    "worst_frame_newer_step_ms": 50.0,
    "frame_beside_training_p99_ms": 16.7,
    "newest_step_answers_worst_s": 0.5,
    "answer_changes_median": 2.0,
    "answer_changes_after_pen_up": 0.0,
    "resident_mb": 600.0,
    COMPILATIONS: 0.0,
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
        for screen, size in FRAMES:
            print(f"digitjax-play: frames of {size}, screen {screen}, {samples} times", file=sys.stderr)
            found = _child("frames", work | {"size": size, "screen": screen}, folder)
            name = f"frame_{size}" if screen == "draw" else f"{screen}_frame_{size}"
            figures |= {f"{name}_{quantile}": value for quantile, value in found["frame"].items()}
            for most, value in (("resident_mb", found["resident_mb"]), (COMPILATIONS, found["compilations"])):
                figures[most] = max(figures.get(most, 0), value)
        print("digitjax-play: a newer step of the run in use, while drawing", file=sys.stderr)
        figures |= _child("newer", {"checkpoint": checkpoint}, folder)
        print(f"digitjax-play: drawing beside a training, {TRAINING_SECONDS} s", file=sys.stderr)
        figures |= _child("training", {"checkpoint": checkpoint, "seconds": TRAINING_SECONDS}, folder)
        if replay is not None:
            print(f"digitjax-play: answers that change, {replay}", file=sys.stderr)
            found = _child("changes", {"checkpoint": checkpoint, "replay": replay}, folder)
            figures |= found["changes"]
            figures[COMPILATIONS] = max(figures[COMPILATIONS], found["compilations"])
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
    work = work | {"what": what, "start": time.time(), "folder": folder}
    command = [sys.executable, "-m", "play.measure", json.dumps(work)]
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=CHILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise DigitjaxError(
            f"--bench: {what} took more than {CHILD_SECONDS} s: run it on an idle machine"
        ) from None
    if done.returncode:
        raise DigitjaxError(f"--bench: {what} failed: see above")
    return json.loads(done.stdout)
