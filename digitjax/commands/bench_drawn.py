"""`digitjax bench drawn`: how well a network reads what other people draw, for people and for scripts."""

import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from digitjax.bench import bootstrap
from digitjax.bench.bootstrap import Estimate
from digitjax.bench.drawn import (
    POOLED,
    Audited,
    Digits,
    Drawn,
    Group,
    Mistake,
    digits_of,
    measure,
    read_source,
    worst,
)
from digitjax.bench.rejection import Rejection, Unfinished, measure_rejection, measure_unfinished
from digitjax.checkpoint import LoadedModel
from digitjax.commands.arguments import Parser, add_checkpoint, add_data, load_named, require_png
from digitjax.commands.wording import percent, short_name
from digitjax.data import load, parse_spec
from digitjax.data.audit import read_audit, shipped
from digitjax.data.registry import kind
from digitjax.data.spec import Spec
from digitjax.errors import InputError, one_line

DESCRIPTION = """\
Accuracy by source, writer and digit, each with a 95 % bootstrap interval (2,000 resamples, of writers
where they are known), the mean over the writers, the mean of the worst tenth of them, the risk when the
surest 99 % are answered, and the wrong answers of which the network is surest. Drawings that are no digits
are measured against all digits together, and those that pass best for digits are named. Where a reader has
doubted labels, figures without those digits stand beside.

  digitjax bench drawn --data strokes:mine.ndjson pendigits:FILE@validation
  digitjax bench drawn --data unipen:FOLDER --json
  digitjax bench drawn --data strokes:mine.ndjson strokes:doodles.ndjson --out worst.png
  digitjax bench drawn --data strokes:mine.ndjson --unfinished
"""
WORST = 48
"""Wrong answers that are listed and drawn, unless `--count` says otherwise."""
MAX_WORST = 2000
SHOWN_WRITERS = 5
"""Writers that the table names, the worst first."""
SHOWN_PASSING = 5
"""Drawings that are no digits that are named, of each data set."""


class Measured(NamedTuple):
    """All that the command measures.

    Attributes:
        sets: each data set that has digits.
        pooled: those as one; None for a single one.
        rejection: each data set's drawings that are no digits.
        unfinished: the digits cut off, where that was asked for.
        worst: the surest mistakes.
    """

    sets: Sequence[Drawn]
    pooled: Drawn | None
    rejection: Sequence[Rejection]
    unfinished: Sequence[Unfinished]
    worst: Sequence[Mistake]


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    arguments = _parser().parse(argv)
    specs = [parse_spec(text) for text in arguments.data]
    for number, spec in enumerate(specs):
        if any(_overlap(spec, other) for other in specs[:number]):
            raise InputError(f"{spec} is given twice and would count twice: give it once")
    if not 0 <= arguments.count <= MAX_WORST:
        raise InputError(f"--count {arguments.count} is out of range: give 0 to {MAX_WORST}")
    out = None if arguments.out is None else require_png(Path(arguments.out))
    audit = shipped() if arguments.audit is None else read_audit(Path(arguments.audit))
    loaded = load_named(arguments.checkpoint)
    sources = [load(spec, None) for spec in specs]
    reads = [read_source(loaded.model, loaded.params, source) for source in sources]
    drawn = [one for one in reads if len(one.places)]
    if not drawn:
        raise InputError(
            f"{reads[0].examples.name} has no digit: there is nothing to measure, give other data"
        )
    measured = Measured(
        sets=[measure([one], audit) for one in drawn],
        pooled=measure(drawn, audit, POOLED) if len(drawn) > 1 else None,
        rejection=measure_rejection(reads),
        unfinished=measure_unfinished(loaded, sources) if arguments.unfinished else [],
        worst=worst(reads, arguments.count),
    )
    if out is not None:
        _draw(out, loaded, measured, digits_of(drawn, audit))
        print(f"the {len(measured.worst)} surest mistakes: {out}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(to_json(loaded, measured), allow_nan=False, indent=1))
    else:
        show(measured, Console(highlight=False))
    return 0


def _overlap(one: Spec, other: Spec) -> bool:
    """Whether two specs name the same examples, or some of them: one file however its path is written."""
    places = [None if spec.path is None else Path(spec.path).resolve() for spec in (one, other)]
    splits = [spec.split or kind(spec.name).evaluates for spec in (one, other)]
    return one.name == other.name and places[0] == places[1] and (splits[0] == splits[1] or None in splits)


def to_json(loaded: LoadedModel, measured: Measured) -> dict:
    """All that was measured as plain JSON values."""
    pooled = measured.pooled
    return {
        "checkpoint": str(loaded.run),
        "step": loaded.step,
        "resamples": bootstrap.RESAMPLES,
        "level": bootstrap.LEVEL,
        "seed": bootstrap.SEED,
        "data": [result.to_json() for result in measured.sets],
        "pooled": None if pooled is None else pooled.to_json(),
        "rejection": [one.to_json() for one in measured.rejection],
        "unfinished": [one.to_json() for one in measured.unfinished],
        "worst": [mistake.to_json() for mistake in measured.worst],
    }


def show(measured: Measured, console: Console) -> None:
    """Prints tables of the data sets, their sources and digits, then what was refused, and the worst."""
    whole, mistakes = measured.pooled or measured.sets[0], measured.worst
    table = _table("data")
    for row in [*measured.sets, *([measured.pooled] if measured.pooled else [])]:
        table.add_row(Text(short_name(row.data), style="bold"))
        _add_figures(table, row, row.resampled, len(row.writers))
        if row.audited is not None:
            table.add_row(Text(f"  without the {sum(row.audited.left_out.values())} of doubted labels:"))
            _add_figures(table, row.audited, row.resampled, len(row.writers))
        if row.n_other or row.n_skipped:
            table.add_row(Text(f"  left out: {row.n_other:,} no digits, {row.n_skipped:,} unlabelled"))
    console.print(table)
    _print_refused(measured, console)
    by_accuracy = functools.partial(sorted, key=lambda item: item[1].accuracy.value)
    sources, writers = by_accuracy(whole.sources.items()), by_accuracy(whole.writers.items())
    _print_groups("source", sources if len(sources) > 1 else [], console)
    _print_groups("digit", list(whole.digits.items()), console)
    _print_groups("worst writers", writers[:SHOWN_WRITERS] if len(writers) > 1 else [], console)
    if mistakes:
        first = mistakes[0]
        text = f"{first.word} read as {first.answer}, {100 * first.probability:.2f} % sure"
        console.print(f"\nsurest mistake: {text}; --out FILE.png draws {len(mistakes)} of them", markup=False)


def _parser() -> Parser:
    parser = Parser(prog="digitjax bench drawn", description=DESCRIPTION)
    add_data(parser)
    add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--out", metavar="FILE.png", help="draw the surest mistakes, and what passes for digits"
    )
    parser.add_argument(
        "--audit", metavar="FILE.csv", help="doubted labels, instead of the lists that come with digitjax"
    )
    parser.add_argument(
        "--unfinished", action="store_true", help="also cut each digit off after 60 to 99 %% of its ink"
    )
    parser.add_argument("--count", type=int, default=WORST, metavar="N", help=f"mistakes listed ({WORST})")
    return parser


def _draw(out: Path, loaded: LoadedModel, measured: Measured, digits: Digits) -> None:
    from digitjax.bench.sheet import draw_sheet, write_sheet

    result, mistakes = measured.pooled or measured.sets[0], measured.worst
    wrong = result.n - round(result.accuracy.value * result.n)
    title = f"{_cells(result.accuracy)[0]} right of {result.n:,} digits, {wrong:,} wrong"
    about = f"the {len(mistakes)} surest mistakes of {loaded.run.name} on {short_name(result.data)}"
    caption = f"{about}: truth → answer, how sure, who drew it and which it is"
    if not mistakes:
        caption = "" if wrong else "no answer is wrong"
    passing = [one.drawing for found in measured.rejection for one in found.passing]
    write_sheet(out, draw_sheet(mistakes, digits, title, caption, passing))


def _add_figures(table: Table, row: Drawn | Audited, resampled: str, writers: int) -> None:
    figures = {
        f"accuracy, {resampled} resampled": row.accuracy,
        f"mean over {writers} writers": row.mean_over_writers,
        "worst tenth of the writers": row.worst_tenth,
    }
    for name, estimate in figures.items():
        if estimate is not None:
            table.add_row(Text(f"  {name}"), f"{row.n:,}", *_cells(estimate))
    table.add_row(Text("  wrong of the surest 99 %"), "", percent(row.risk_at_99))
    table.add_row(Text("  negative log-likelihood"), "", f"{row.nll:.4f}")


def _print_refused(measured: Measured, console: Console) -> None:
    for one in measured.rejection:
        console.print(f"\n{short_name(one.data)}: no digits, against {one.n_digits:,} digits", markup=False)
        look_alikes = {"look-alikes left out": (one.n, one.auroc, one.refused)}
        if one.n_all > one.n:
            look_alikes["look-alikes too"] = (one.n_all, one.auroc_all, one.refused_all)
        for name, (n, area, part) in look_alikes.items():
            if area is not None and part is not None:
                console.print(f"  AUROC {area:.4f}, {percent(part)} refused at 99 % answered ({n:,}; {name})")
        if best := one.passing[:SHOWN_PASSING]:
            shown = [(one_line(p.drawing.word)[:16] or "?", p.drawing.answer, p.lacking) for p in best]
            text = ", ".join(f"{word} for {answer} ({100 * part:.0f} %)" for word, answer, part in shown)
            console.print(
                f"  pass best for digits, with their part of what that lacks of 1: {text}", markup=False
            )
    for one in measured.unfinished:
        cuts = ", ".join(f"{100 * float(kept):.0f} % {100 * part:.1f}" for kept, part in one.by_cut.items())
        console.print(f"\n{short_name(one.data)}: {one.n:,} digits cut off, taken for no digit", markup=False)
        console.print(f"  {percent(one.refused)}; by the part that was drawn: {cuts} %")


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
    return percent(estimate.value), f"{100 * estimate.low:.2f} to {100 * estimate.high:.2f}"
