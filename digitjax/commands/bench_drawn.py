"""`digitjax bench drawn`: how well a network reads what other people draw, for people and for scripts."""

import functools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from digitjax.bench import bootstrap
from digitjax.bench.bootstrap import Estimate
from digitjax.bench.drawn import POOLED, Drawn, Group, Mistake, Read, digits_of, measure, worst
from digitjax.checkpoint import LoadedModel, load_model
from digitjax.commands.arguments import Parser, add_checkpoint
from digitjax.data import Spec, load, parse_spec
from digitjax.data.pipeline import to_examples
from digitjax.errors import InputError
from digitjax.evaluate import apply_in_batches

DESCRIPTION = """\
Accuracy by source, writer and digit, each with a 95 % bootstrap interval (2,000 resamples, of writers
where they are known), the mean over the writers, the mean of the worst tenth of them, and the wrong
answers of which the network is surest.

  digitjax bench drawn --data strokes:mine.ndjson pendigits:FILE@validation
  digitjax bench drawn --data unipen:FOLDER --json
  digitjax bench drawn --data strokes:mine.ndjson --out worst.png
"""
WORST = 48
"""Wrong answers that are listed and drawn, unless `--count` says otherwise."""
MAX_WORST = 2000
SHOWN_WRITERS = 5
"""Writers that the table names, the worst first."""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    arguments = _parser().parse(argv)
    specs = [parse_spec(text) for text in arguments.data]
    for number, spec in enumerate(specs):
        if str(spec) in map(str, specs[:number]):
            raise InputError(f"{spec} is given twice and would count twice: give it once")
    if not 0 <= arguments.count <= MAX_WORST:
        raise InputError(f"--count {arguments.count} is out of range: give 0 to {MAX_WORST}")
    out = None if arguments.out is None else _png(Path(arguments.out))
    loaded = load_model(arguments.checkpoint)
    print(f"checkpoint: {loaded}", file=sys.stderr)
    reads = [read(loaded, spec) for spec in specs]
    results = [measure([one]) for one in reads]
    pooled = measure(reads, POOLED) if len(reads) > 1 else None
    mistakes = worst(reads, arguments.count)
    if out is not None:
        _draw(out, loaded, pooled or results[0], mistakes)
        print(f"the {len(mistakes)} surest mistakes: {out}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(to_json(loaded, results, pooled, mistakes), allow_nan=False, indent=1))
    else:
        show(results, pooled, mistakes, Console(highlight=False))
    return 0


def read(loaded: LoadedModel, spec: Spec) -> Read:
    """The digits of a source and what the network says about them.

    Raises:
        InputError: the source cannot be had, or has no digit.
    """
    examples, places = digits_of(to_examples(load(spec, None), loaded.model.geometry))
    log_p = apply_in_batches(loaded.model, loaded.params, examples.images).log_p
    return Read(examples, places, examples.labels[places], log_p)


def to_json(
    loaded: LoadedModel, results: Sequence[Drawn], pooled: Drawn | None, mistakes: Sequence[Mistake]
) -> dict:
    """All that was measured as plain JSON values."""
    return {
        "checkpoint": str(loaded.run),
        "step": loaded.step,
        "resamples": bootstrap.RESAMPLES,
        "level": bootstrap.LEVEL,
        "seed": bootstrap.SEED,
        "data": [result.to_json() for result in results],
        "pooled": None if pooled is None else pooled.to_json(),
        "worst": [mistake.to_json() for mistake in mistakes],
    }


def show(
    results: Sequence[Drawn], pooled: Drawn | None, mistakes: Sequence[Mistake], console: Console
) -> None:
    """Prints tables of the data sets, their sources and digits, then the worst writers and mistakes."""
    whole = pooled or results[0]
    table = _table("data")
    for row in [*results, *([pooled] if pooled else [])]:
        table.add_row(Text(_short(row.data), style="bold"))
        figures = {
            f"accuracy, {row.resampled} resampled": row.accuracy,
            f"mean over {len(row.writers)} writers": row.mean_over_writers,
            "worst tenth of the writers": row.worst_tenth,
        }
        for name, estimate in figures.items():
            if estimate is not None:
                table.add_row(Text(f"  {name}"), f"{row.n:,}", *_cells(estimate))
        if row.n_other or row.n_skipped:
            table.add_row(Text(f"  left out: {row.n_other:,} no digits, {row.n_skipped:,} unlabelled"))
    console.print(table)
    by_accuracy = functools.partial(sorted, key=lambda item: item[1].accuracy.value)
    sources, writers = by_accuracy(whole.sources.items()), by_accuracy(whole.writers.items())
    _print_groups("source", sources if len(sources) > 1 else [], console)
    _print_groups("digit", list(whole.digits.items()), console)
    _print_groups("worst writers", writers[:SHOWN_WRITERS] if len(writers) > 1 else [], console)
    if mistakes:
        first = mistakes[0]
        text = f"{first.word} read as {first.answer}, {first.probability:.2%} sure"
        console.print(f"\nsurest mistake: {text}; --out FILE.png draws {len(mistakes)} of them", markup=False)


def _parser() -> Parser:
    parser = Parser(prog="digitjax bench drawn", description=DESCRIPTION)
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="SPEC",
        help="what to measure on; may be repeated",
    )
    add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", metavar="FILE.png", help="draw the surest mistakes, truth and answer")
    parser.add_argument("--count", type=int, default=WORST, metavar="N", help=f"mistakes listed ({WORST})")
    return parser


def _png(path: Path) -> Path:
    if path.suffix.lower() != ".png":
        raise InputError(f"--out {path} is no PNG file's name: give one that ends in .png")
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"--out {path} cannot be written there: give a file in a folder that exists")
    return path


def _draw(out: Path, loaded: LoadedModel, result: Drawn, mistakes: Sequence[Mistake]) -> None:
    from digitjax.bench.sheet import write_sheet

    wrong = result.n - round(result.accuracy.value * result.n)
    title = f"{_cells(result.accuracy)[0]} right of {result.n:,} digits, {wrong:,} wrong"
    about = f"the {len(mistakes)} surest mistakes of {loaded.run.name} on {_short(result.data)}"
    write_sheet(out, mistakes, title, f"{about}: truth → answer, how sure, who drew it and which it is")


def _print_groups(first: str, groups: Sequence[tuple[str, Group]], console: Console) -> None:
    table = _table(first)
    for name, group in groups:
        table.add_row(Text(name), f"{group.n:,}", *_cells(group.accuracy))
    if groups:
        console.print()
        console.print(table)


def _table(first: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first, overflow="fold")
    for name in ("digits", "right", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(estimate: Estimate) -> tuple[str, str]:
    value, low, high = (100 * part for part in estimate)
    return f"{value:.2f} %", f"{low:.2f} to {high:.2f}"


def _short(data: str) -> str:
    """The name of a data set without the folders and the endings of its file."""
    source, colon, path = data.partition(":")
    folder, slash, name = path.replace("\\", "/").rpartition("/")
    name = name.replace(".ndjson.gz", "").replace(".ndjson", "")
    return f"{source}:…/{name}" if colon and slash and folder else data
