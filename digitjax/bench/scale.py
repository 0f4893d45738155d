"""`bench scale`: memory and time of training data held in memory and streamed, by the number of drawings.

Drawings are made procedurally and written as a user's file; each measurement is a process of its own, so that
its highest resident memory is its own. `python -m digitjax.bench.scale MODE FILE` is such a process.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from digitjax.config import TrainConfig
from digitjax.data.drawings import prepare
from digitjax.data.pipeline import make_pipeline
from digitjax.data.records import Record, encode
from digitjax.data.streamed import read_ahead
from digitjax.data.synthetic import sample
from digitjax.errors import DigitjaxError
from digitjax.interrupt import ended_with_children
from digitjax.strokes import Drawing, write_drawings

CHUNK = 5_000
"""Drawings made in one call."""
UNITS = 255
"""Units of a drawing's height in the file."""
WRITERS = 1_000
"""Writers among whom the drawings are dealt, so that there are splits."""
BATCH = 128
WARM, STEPS = 20, 300
"""Batches before and in the time that is taken."""
MODES = ("prepare", "resident", "streamed")


class Cost(NamedTuple):
    """What one process needed.

    Attributes:
        mode: "prepare" converts the file to records, the others make batches of them.
        drawings: of the file.
        peak_mb: highest resident memory of the process, in 10^6 bytes.
        seconds: until all was converted, or until the first batch could be asked for.
        record_us: processor time a drawing, in microseconds: of the conversion, or of a batch's drawings once
            it runs. All threads together, so that other programs on the machine count little.
    """

    mode: str
    drawings: int
    peak_mb: float
    seconds: float
    record_us: float


def write_synthetic(path: Path, count: int) -> None:
    """Writes so many procedural digits as NDJSON."""
    write_drawings(path, synthetic_drawings(count))


def synthetic_drawings(count: int) -> Iterator[Drawing]:
    """Procedural digits in whole units, by `WRITERS` writers in turn."""
    draw = jax.jit(sample, static_argnums=1)
    for start in range(0, count, CHUNK):
        ink, digits = draw(jax.random.fold_in(jax.random.key(0), start // CHUNK), CHUNK)
        ends = np.round(np.asarray(ink.ends) * UNITS)
        mask, words = np.asarray(ink.mask), [str(digit) for digit in np.asarray(digits)]
        for index in range(min(CHUNK, count - start)):
            strokes, writer = strokes_of(ends[index][mask[index]]), str((start + index) % WRITERS)
            yield Drawing(strokes, None, words[index], "synthetic", writer)


def strokes_of(ends: Float[np.ndarray, "segments 4"]) -> tuple[Float[np.ndarray, "points 2"], ...]:
    """Pieces as strokes: one that begins where the last one ended goes on with its stroke."""
    lifted = np.flatnonzero((ends[1:, :2] != ends[:-1, 2:]).any(axis=1)) + 1
    return tuple(
        np.concatenate([part[:1, :2], part[:, 2:]]).astype(np.float64) for part in np.split(ends, lifted)
    )


def measure(mode: str, file: Path, drawings: int) -> Cost:
    """Runs one process and reads what it says.

    Raises:
        DigitjaxError: it failed.
    """
    command = [sys.executable, "-m", "digitjax.bench.scale", mode, str(file)]
    with ended_with_children():
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise DigitjaxError(f"measuring {mode} with {drawings:,} drawings failed ({last})")
    found = json.loads(done.stdout.splitlines()[-1])
    count = drawings if mode == "prepare" else BATCH * STEPS
    return Cost(mode, drawings, found["peak_mb"], found["seconds"], 1e6 * found["measured"] / count)


def run_one(mode: str, file: Path) -> dict[str, Any]:
    """What a process measures of itself, once all is imported."""
    encode(Record(0, 0, None, ink=np.zeros((1, 4), np.float32)))  # imports TFDS's protocol buffers
    read_ahead(int)(0)  # imports grain
    begin = time.monotonic()
    if mode == "prepare":
        busy = time.process_time()
        prepare(file)
        seconds, measured = time.monotonic() - begin, time.process_time() - busy
    else:
        config = TrainConfig(data=(f"strokes:{file}",), batch_size=BATCH)
        batch_at = make_pipeline(config, "mnist28", stream=mode == "streamed").batch_at
        seconds = time.monotonic() - begin
        measured = _time_batches(batch_at)
    return {"peak_mb": peak_bytes() / 1e6, "seconds": seconds, "measured": measured}


def peak_bytes() -> int:
    """Highest resident memory of this process; on Linux not by ru_maxrss, which begins with the parent's."""
    import resource  # which Windows lacks

    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _time_batches(batch_at: Any) -> float:
    for step in range(WARM):
        jax.block_until_ready(batch_at(step))
    begin = time.process_time()
    for step in range(WARM, WARM + STEPS):
        jax.block_until_ready(batch_at(step))
    return time.process_time() - begin


if __name__ == "__main__":
    print(json.dumps(run_one(sys.argv[1], Path(sys.argv[2]))))
