"""`digitjax bench layers`: each convolution of a preset against matrix products of the same size."""

from rich.console import Console
from rich.table import Table

from digitjax.bench.layers import FORMS, Cost, layers_of, measure
from digitjax.commands.arguments import Parser, print_json
from digitjax.errors import InputError
from digitjax.presets.registry import preset

DESCRIPTION = """\
Milliseconds of each convolution of a preset's network, answer and both gradients, in the form that is
used on this device and in others, and of three matrix products of the same size; medians, in turns.

  digitjax bench layers
  digitjax bench layers cnn --batch-size 256 --rounds 50"""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax bench layers", description=DESCRIPTION)
    parser.add_argument("preset", nargs="?", default="speedrun", metavar="PRESET", help="default speedrun")
    parser.add_argument("--batch-size", type=int, metavar="N", help="by default the preset's")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="default 20")
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output")
    arguments = parser.parse(argv)
    config = preset(arguments.preset)
    batch = config.batch_size if arguments.batch_size is None else arguments.batch_size
    for name, value, most in (("batch-size", batch, 65536), ("rounds", arguments.rounds, 10_000)):
        if not 1 <= value <= most:
            raise InputError(f"--{name} {value} is out of range: give 1 to {most}")
    if config.model.kind != "cnn":
        raise InputError(f"{arguments.preset} has no convolution: give speedrun or cnn")
    costs = [measure(layer, batch, arguments.rounds) for layer in layers_of(config)]
    if arguments.json:
        print_json([cost._asdict() for cost in costs])
    else:
        Console(highlight=False).print(table(costs))
    return 0


def table(costs: list[Cost]) -> Table:
    """A row a layer."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("ms", overflow="fold")
    for name in (*FORMS, "products", "GFLOP"):
        shown.add_column(name, justify="right", no_wrap=True)
    for cost in costs:
        each = [f"{cost.milliseconds[name]:.2f}" for name in (*FORMS, "products")]
        shown.add_row(cost.layer, *each, f"{cost.gflops:.2f}")
    return shown
