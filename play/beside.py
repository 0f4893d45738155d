"""Of `python -m play --bench`: frames beside a training, and how soon its newer steps answer."""

import math
import os
import statistics
import time
from pathlib import Path
from typing import Any

from digitjax.errors import DigitjaxError
from play.measure import STRETCH, Moves, curve, open_program, wait_until_warm

BEGINS_SECONDS = 180.0
"""How long a training may take to begin."""


def training(work: dict) -> dict:
    """Drawing at 60 frames a second on the Train screen, beside a training that it has started.

    The training is the preset cnn on synthetic handwriting, as nice as the screen makes it. A newer step
    counts from the moment its manifest is there to the frame in which it answers.
    """
    from digitjax import runs
    from play.events import PenDown, Press
    from play.studio import of_preset

    checkpoint = work["checkpoint"] or str(runs.resolve(None))
    folder = Path(work["folder"]) / "trained"
    folder.mkdir()
    os.environ["DIGITJAX_CHECKPOINTS"] = str(folder)
    moves = Moves()
    loop = open_program(work | {"checkpoint": checkpoint}, (1280, 800), [moves], 0.008)
    wait_until_warm(loop)
    recipe = of_preset("cnn")._replace(data="synthetic", epochs=100)
    loop.state = loop.state._replace(studio=loop.state.studio._replace(recipe=recipe))
    moves.waiting = [Press("screen:train"), Press("train:start"), PenDown(*curve(0), 0.0)]
    try:
        frames, delays = _drawn_beside(loop, moves, work["seconds"])
    finally:
        loop.outside.runner.end()
        loop.outside.close()
        loop.classifier.close()
    return {
        "frame_beside_training_p99_ms": frames[int(len(frames) * 0.99)],
        "frame_beside_training_worst_ms": frames[-1],
        "newest_step_answers_median_s": statistics.median(delays) if delays else math.nan,
        "newest_step_answers_worst_s": max(delays, default=math.nan),
        "newest_steps_taken_up": len(delays),
    }


def _drawn_beside(loop: Any, moves: Moves, seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds of the frames in rising order, and seconds until each newer step answered."""
    from digitjax import manifest, runs
    from play.events import PenDown, PenMove, Press

    frames: list[float] = []
    delays: list[float] = []
    count, known, end = 0, None, time.monotonic() + seconds + BEGINS_SECONDS
    while len(frames) < 60 * seconds:
        if time.monotonic() > end:
            raise DigitjaxError("--bench: the training did not begin in time: run it on an idle machine")
        count += 1
        begin = time.perf_counter()
        moves.waiting.append(PenMove(*curve(count), count / 60))
        if count % STRETCH == 0:
            moves.waiting += [Press("clear"), PenDown(*curve(count), count / 60)]
        times = loop.step()
        run, used = loop.state.studio.run, loop.state.models[0]
        if run is not None and run.status == "training":
            frames.append(times.whole)
            if used is not None and used.path == run.path and used.step != known:
                step = Path(used.path) / runs.HISTORY / str(used.step) / manifest.NAME
                if known is not None and step.is_file():
                    delays.append(time.time() - step.stat().st_mtime)
                known = used.step
        time.sleep(max(0.0, 1 / 60 - (time.perf_counter() - begin)))
    return sorted(frames), delays
