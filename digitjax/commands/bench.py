"""`digitjax bench NAME`: measurements with intervals, for comparing networks and programs."""

import difflib
import importlib

from digitjax.errors import InputError

BENCHES = {
    "drawn": "accuracy on other people's drawings, by source, writer and digit",
    "train": "how long a training takes, phase by phase, next to other programs",
    "accelerator": "all figures of a GPU or TPU in one go, as a table with hardware and date",
    "layers": "each convolution of a network against matrix products of the same size",
    "scale": "memory and time by the number of drawings, held in memory and streamed",
    "squeezed": "accuracy through our normaliser, and as earlier programs squeezed the ink",
    "numbers": "whole numbers: exact, grouped rightly, and how long a line takes",
    "realism": "how well synthetic digits pass for people's",
    "teaching": "what ten drawings teach a network that never saw a way of writing",
}
"""Names of the measurements and a line about each; the code is in `digitjax.commands.bench_NAME`."""


def run(argv: list[str]) -> int:
    """Runs the measurement that is named first and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    if argv and argv[0] in ("-h", "--help"):
        print("usage: digitjax bench NAME ...\n\nmeasurements:")
        for name, about in BENCHES.items():
            print(f"  {name:<12} {about}")
        print("\n`digitjax bench NAME --help` tells what each takes.")
        return 0
    known = ", ".join(BENCHES)
    if not argv or argv[0].startswith("-"):
        raise InputError(f"bench names no measurement: write digitjax bench NAME, with one of {known}")
    if argv[0] not in BENCHES:
        near = difflib.get_close_matches(argv[0].lower(), BENCHES, 1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"give one of {known}"
        raise InputError(f"unknown measurement {argv[0]!r}: {hint}")
    return importlib.import_module(f"digitjax.commands.bench_{argv[0]}").run(argv[1:])
