"""`digitjax bench train`: how long a training takes, phase by phase, next to other programs."""

from rich.console import Console
from rich.table import Table

from digitjax.bench.contenders import CONTENDERS, PHASES, able, have_peers, with_channels
from digitjax.bench.training import Timing, measure
from digitjax.commands.arguments import Parser, print_json
from digitjax.errors import InputError
from digitjax.presets.registry import preset
from digitjax.progress import say

DESCRIPTION = """\
Seconds of importing, reading, compiling, training and evaluating, from the start of the process, of a
preset and of programs that people would pick instead, all on MNIST's training split:

{programs}

They run in turns, a process each, for some rounds with a seed each; shown are medians, and ratios within
the rounds. The last row is the whole command `digitjax train` up to its saved checkpoint. Peers get MNIST
as arrays; digitjax reads its own prepared data.

  digitjax bench train                                  speedrun and the peers that are here
  digitjax bench train --channels 16 32 64               the same network, wider
  digitjax bench train cnn --programs digitjax pytorch-eager --rounds 5 --epochs 1"""

WIDTH = 112
"""Columns of the table; a narrower terminal wraps its lines."""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    programs = "\n".join(f"  {name}: {one.about}" for name, one in CONTENDERS.items())
    parser = Parser(prog="digitjax bench train", description=DESCRIPTION.format(programs=programs))
    parser.add_argument("preset", nargs="?", default="speedrun", metavar="PRESET", help="default speedrun")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument(
        "--epochs", type=int, default=0, metavar="N", help="of all; 0, the default: their own"
    )
    parser.add_argument(
        "--channels",
        type=int,
        nargs="+",
        default=(),
        metavar="N",
        help="of the convolutions, in the preset's place",
    )
    parser.add_argument(
        "--programs",
        nargs="+",
        choices=list(CONTENDERS),
        metavar="NAME",
        help="default: all that can run here",
    )
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output")
    arguments = parser.parse(argv)
    for name, least in (("rounds", 1), ("epochs", 0)):
        if not least <= getattr(arguments, name) <= 1000:
            raise InputError(f"--{name} {getattr(arguments, name)} is out of range: give {least} to 1000")
    config = with_channels(preset(arguments.preset), arguments.channels)
    if not have_peers(config):
        raise InputError(
            f"{arguments.preset} does not learn from MNIST by convolutions that the others have: give "
            f"speedrun or cnn"
        )
    names = able(arguments.programs or list(CONTENDERS), say)
    timings = measure(names, arguments.preset, arguments.rounds, arguments.epochs, say, arguments.channels)
    if arguments.json:
        print_json([timing._asdict() for timing in timings])
    else:
        console = Console(highlight=False)
        console.width = max(console.width, WIDTH)
        console.print(table(timings))
    return 0


def table(timings: list[Timing]) -> Table:
    """A row a program."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("median seconds", no_wrap=True)
    for name in (*PHASES, "all", "images/s", "accuracy", "train", "all"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in timings:
        phases = [f"{one.seconds[phase]:.2f}" if phase in one.seconds else "" for phase in PHASES]
        rate = "" if one.images_per_second is None else f"{one.images_per_second:,.0f}"
        accuracy = "" if one.accuracy is None else f"{100 * one.accuracy:.2f} %"
        ratios = ["" if r is None else f"{r:.2f} x" for r in (one.train_ratio, one.total_ratio)]
        shown.add_row(one.name, *phases, f"{one.total:.2f}", rate, accuracy, *ratios)
    return shown
