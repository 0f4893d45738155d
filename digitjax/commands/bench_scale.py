"""`digitjax bench scale`: memory and time by the number of drawings, held in memory and streamed."""

import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from digitjax.bench.scale import BATCH, MODES, Cost, measure, write_synthetic
from digitjax.commands.arguments import Parser, print_json
from digitjax.data.records import require_stream
from digitjax.errors import InputError

DESCRIPTION = f"""\
Peak memory and processor time a drawing of converting a file to records, of training data held in memory
and of training data streamed, each in a process of its own, with batches of {BATCH}.

  digitjax bench scale                   10,000 to 100,000 drawings
  digitjax bench scale --long            to 1,000,000: a quarter of an hour or more, 1 GB of disk, 8 of memory
"""
SHORT, LONG = (10_000, 30_000, 100_000), (10_000, 100_000, 1_000_000)
MAX_DRAWINGS = 10**8
ABOUT = {"prepare": "converted to records", "resident": "in memory", "streamed": "streamed"}


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax bench scale", description=DESCRIPTION)
    parser.add_argument("--long", action="store_true", help="up to a million drawings")
    parser.add_argument("--drawings", type=int, nargs="+", metavar="N", help="these numbers instead")
    parser.add_argument(
        "--folder", metavar="DIR", help="where the files are made for a while; else the system's own"
    )
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output")
    arguments = parser.parse(argv)
    numbers = arguments.drawings or (LONG if arguments.long else SHORT)
    for number in numbers:
        if not 100 <= number <= MAX_DRAWINGS:
            raise InputError(f"--drawings {number} is out of range: give 100 to {MAX_DRAWINGS}")
    folder = arguments.folder
    if folder is not None and not (os.path.isdir(folder) and os.access(folder, os.W_OK)):
        raise InputError(f"--folder {arguments.folder} cannot be written to: give a folder that can")
    require_stream()
    costs = [cost for number in numbers for cost in measure_number(number, arguments.folder)]
    if arguments.json:
        print_json([cost._asdict() for cost in costs])
    else:
        Console().print(table(costs))
    return 0


def measure_number(drawings: int, folder: str | None) -> list[Cost]:
    """The costs of each mode for one number of drawings, made and deleted again."""
    costs = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        os.environ["DIGITJAX_DATA_DIR"] = str(Path(place) / "data")  # for the processes that measure
        file = Path(place) / "drawings.ndjson"
        print(f"{drawings:,} drawings: making them", file=sys.stderr)
        write_synthetic(file, drawings)
        for mode in MODES:
            costs.append(measure(mode, file, drawings))
            print(in_words(costs[-1]), file=sys.stderr)
    return costs


def in_words(cost: Cost) -> str:
    """A line about one process."""
    return (
        f"{cost.drawings:,} drawings {ABOUT[cost.mode]}: {cost.peak_mb:,.0f} MB at most, "
        f"{cost.seconds:.1f} s to begin, {cost.record_us:.0f} processor µs a drawing"
    )


def table(costs: list[Cost]) -> Table:
    """The costs for people, a row each."""
    shown = Table("drawings", "", "peak MB", "s to begin", "processor µs a drawing")
    for column in (0, 2, 3, 4):
        shown.columns[column].justify = "right"
    for cost in costs:
        row = (f"{cost.peak_mb:,.0f}", f"{cost.seconds:,.1f}", f"{cost.record_us:,.0f}")
        shown.add_row(f"{cost.drawings:,}", ABOUT[cost.mode], *row)
    return shown
