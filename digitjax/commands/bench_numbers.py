"""`digitjax bench numbers`: how well and how fast whole numbers are read, for people and for scripts."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from digitjax.bench.bootstrap import Estimate
from digitjax.bench.numbers import LINE, Read, measure
from digitjax.commands.arguments import Parser, add_checkpoint, add_data, load_named
from digitjax.data import parse_spec
from digitjax.data.numbers import LENGTH, NUMBERS, hands_of
from digitjax.errors import InputError
from digitjax.strokes import read_drawings

DESCRIPTION = f"""\
Composes {NUMBERS:,} numbers of {LENGTH} digits of one writer each, once with gaps and once touching, groups
their strokes and reads them; then times lines of {LINE} digits: read at once, and in each frame while the
last digit is written. Times are medians and 99th percentiles; in brackets is the 95 % interval of a bootstrap
over writers.

  digitjax bench numbers --data strokes:people.ndjson.gz@test
"""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    arguments = _parser().parse(argv)
    specs = [parse_spec(text) for text in arguments.data]
    for spec in specs:
        if spec.name != "strokes":
            raise InputError(f"`bench numbers` is made of drawings, not of {spec.name}: give strokes:FILE")
    hands = [hand for spec in specs for hand in hands_of(read_drawings(spec.path or ""), spec.split)]
    loaded = load_named(arguments.checkpoint)
    found = measure(loaded.model, loaded.params, hands)
    if arguments.json:
        numbers = [_to_json(one) for one in found]
        print(json.dumps({"checkpoint": str(loaded.run), "step": loaded.step, "numbers": numbers}, indent=1))
    else:
        show(found, Console(highlight=False))
    return 0


def show(found: Sequence[Read], console: Console) -> None:
    """Prints a table, a row a way of standing."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("numbers")
    for name in ("n", "exact", "grouping", f"{LINE} digits, ms", "a frame, ms"):
        table.add_column(name, justify="right")
    for one in found:
        times = (_milliseconds(one.line_ms), _milliseconds(one.frame_ms))
        table.add_row(one.way, f"{one.n:,}", _percent(one.exact), _percent(one.grouping), *times)
    console.print(table)


def _to_json(one: Read) -> dict:
    return one._asdict() | {"exact": one.exact._asdict(), "grouping": one.grouping._asdict()}


def _milliseconds(times: tuple[float, float] | None) -> str:
    return "–" if times is None else f"{times[0]:.1f}, {times[1]:.1f}"


def _percent(one: Estimate) -> str:
    return f"{100 * one.value:.2f} % ({100 * one.low:.2f} to {100 * one.high:.2f})"


def _parser() -> Parser:
    parser = Parser(prog="digitjax bench numbers", description=DESCRIPTION)
    add_data(parser, "drawings of digits to compose the numbers of")
    add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
