"""Where a resumed run goes on: its last sound step, and nothing after it."""

from pathlib import Path

import jax

from digitjax import runs
from digitjax.checkpoint import clear_unfinished, load_state
from digitjax.errors import InputError
from digitjax.manifest import ConfigChanged
from digitjax.paths import quoted
from digitjax.processes import agree
from digitjax.progress import say
from digitjax.types import TrainState


def restore(run: Path, fresh: TrainState) -> TrainState | None:
    """The last sound full state of a run, everything after it cleared; None where it has none yet.

    Of several processes the first one chooses the step.
    """
    expected = jax.eval_shape(lambda: fresh)
    found: list[TrainState] = []

    def choose() -> dict:
        found.extend(_restore_last(run, expected))
        return {"step": int(found[0].step) if found else None}

    step = agree(choose)["step"]
    if step is None:
        return None
    return found[0] if found else load_state(run / str(step), expected)


def _restore_last(run: Path, expected: TrainState) -> list[TrainState]:
    """As `restore`, of one process: one state, or none."""
    steps = runs.full_steps(run)
    for step in reversed(steps):
        try:
            state = load_state(step, expected)
        except ConfigChanged:  # of every step, so none would be left
            raise
        except InputError as error:
            say(f"warning: {error}")
            continue
        clear_unfinished(run, after=int(state.step))
        return [state]
    if steps:
        raise InputError(f"{run} has no sound step to resume from: train anew without --resume")
    clear_unfinished(run, after=-1)
    say(f"{quoted(run)} had saved nothing to go on from: it begins again at step 0")
    return []
