"""`digitjax bench teaching`: what ten drawings teach a network that never saw a way of writing."""

import dataclasses
import sys

import numpy as np

from digitjax.bench.forms_left_out import WAYS
from digitjax.bench.teaching import TAUGHT, TESTED, Taught, measure
from digitjax.commands.arguments import Parser, print_json
from digitjax.errors import InputError
from digitjax.presets.registry import preset

DESCRIPTION = """\
Trains the network of the preset cnn on synthetic handwriting from which one way of writing is left out (the
sevens with a bar, the twos with a loop), teaches it ten drawings of that way which it misreads, while it
replays what it knows, and reads two hundred others of that way, and ten thousand held-out digits, before and
after.

  digitjax bench teaching --seeds 3
"""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax bench teaching", description=DESCRIPTION)
    parser.add_argument(
        "--ways", nargs="+", choices=[*WAYS], default=[*WAYS], metavar="WAY", help="what is left out"
    )
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="epochs of the training (3)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how many trainings a way (1)")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    arguments = parser.parse(argv)
    for name in ("epochs", "seeds"):
        if not 1 <= getattr(arguments, name) <= 100:
            raise InputError(f"--{name} {getattr(arguments, name)} is out of range: give 1 to 100")
    found = []
    for way in arguments.ways:
        for seed in range(arguments.seeds):
            config = dataclasses.replace(preset("cnn"), epochs=arguments.epochs, seed=seed)
            found.append(measure(WAYS[way], config, seed))
            print(f"seed {seed}: {_line([found[-1]])}", file=sys.stderr)
    if arguments.json:
        print_json([one._asdict() | {"cut": one.cut} for one in found])
    else:
        for way in arguments.ways:
            print(_line([one for one in found if one.way == way]))
    return 0


def _line(trials: list[Taught]) -> str:
    """Means over seeds, in percent."""
    mean = {name: float(np.mean([getattr(one, name) for one in trials])) for name in Taught._fields[1:]}
    cut = float(np.mean([one.cut for one in trials]))
    return (
        f"{trials[0].way}: {TAUGHT} taught, {TESTED} others misread {mean['wrong_before']:.1%} before, "
        f"{mean['wrong_after']:.1%} after (cut by {cut:.0%}); held out {mean['held_out_before']:.2%} before, "
        f"{mean['held_out_after']:.2%} after; {mean['seconds']:.1f} s"
    )
