"""`digitjax bench squeezed`: what the normaliser is worth to a network, for people and for scripts."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from digitjax.bench.squeezed import SQUEEZES, Squeezed, measure
from digitjax.commands.arguments import Parser, add_checkpoint, add_data, load_named
from digitjax.data import load, parse_spec

DESCRIPTION = """\
Accuracy on drawings through our normaliser, next to what the same network scores when the ink is
squeezed to its size in the ways of earlier programs:

{ways}

  digitjax bench squeezed --checkpoint checkpoints/mlp-28x28-0 --data strokes:mine.ndjson
"""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    arguments = _parser().parse(argv)
    specs = [parse_spec(text) for text in arguments.data]
    loaded = load_named(arguments.checkpoint)
    found = [measure(loaded.model, loaded.params, load(spec, None)) for spec in specs]
    if arguments.json:
        data = [one._asdict() for one in found]
        print(
            json.dumps(
                {"checkpoint": str(loaded.run), "step": loaded.step, "data": data}, allow_nan=False, indent=1
            )
        )
    else:
        show(found, Console(highlight=False))
    return 0


def show(found: Sequence[Squeezed], console: Console) -> None:
    """Prints a table, a row a data set and a column a way."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("data", overflow="fold")
    for name in ("digits", "normalised", *SQUEEZES):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        figures = [one.normalised, *one.squeezed.values()]
        table.add_row(Text(one.data), f"{one.n:,}", *(f"{100 * figure:.2f} %" for figure in figures))
    console.print(table)


def _parser() -> Parser:
    ways = "\n".join(f"  {name:<10} {how.about}" for name, how in SQUEEZES.items())
    parser = Parser(prog="digitjax bench squeezed", description=DESCRIPTION.format(ways=ways))
    add_data(parser, "drawings to measure on")
    add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
