"""`digitjax evaluate`: how good a checkpoint is, for people and for scripts."""

import functools
from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from digitjax import compiled
from digitjax.commands.arguments import Parser, add_checkpoint, add_data, load_named, print_json
from digitjax.commands.wording import decimals, percent, short_name
from digitjax.data import load
from digitjax.data.drawings import digest_of
from digitjax.data.labels import DIGITS
from digitjax.data.pipeline import to_examples
from digitjax.data.spec import Spec, parse_spec
from digitjax.data.splits import in_split
from digitjax.errors import InputError, counted
from digitjax.evaluate import KEPT, Evaluation, evaluate
from digitjax.numbers import Score, make_reader, outcome, read_number, total
from digitjax.progress import say
from digitjax.strokes import Drawing, read_drawings
from digitjax.types import Model, Params

DESCRIPTION = """\
Measures a checkpoint; every example counts exactly once.

A SPEC is NAME[:PATH][@train|@validation|@test]. Without @ it is the test split of
mnist, digits8x8 and synthetic, and your own files whole:

  digitjax evaluate --data mnist synthetic
  digitjax evaluate --checkpoint checkpoints/cnn-0 --data strokes:drawn.ndjson.gz

With --number the words of the drawings are whole numbers (see `digitjax data prepare numbers:FILE`):

  digitjax evaluate --number --data strokes:spaced.ndjson.gz
"""

MISTAKES = 3
"""Kinds of mistake that the table names, the most frequent first."""


def run(argv: list[str]) -> int:
    """Runs the command and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    arguments = _parser().parse(argv)
    specs = [parse_spec(text) for text in arguments.data]
    with compiled.kept(say):
        loaded = load_named(arguments.checkpoint)
        if arguments.number:
            return _numbers(loaded.model, loaded.params, specs, arguments.json)
        data = [to_examples(load(spec, None), loaded.model.geometry) for spec in specs]
        evaluations = [evaluate(loaded.model, loaded.params, examples) for examples in data]
    if arguments.json:
        print_json([evaluation.to_json() for evaluation in evaluations])
    else:
        show(evaluations, Console(highlight=False))
    return 0


def show(evaluations: Sequence[Evaluation], console: Console) -> None:
    """Prints a table of all evaluations, then each one's mistakes, abstentions and writers in words."""
    rejects = any(e.auroc is not None for e in evaluations)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("data", overflow="fold")
    for name in ("digits", "accuracy", "NLL", "ECE", *(("AUROC", "refused") if rejects else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for e in evaluations:
        row = [f"{e.n_digits:,}", percent(e.accuracy), decimals(e.nll), decimals(e.ece)]
        row += [decimals(e.auroc), percent(e.refused)] if rejects else []
        table.add_row(Text(short_name(e.data)), *row)
    console.print(table)
    for e in evaluations:
        remarks = list(_remarks(e))
        if remarks:
            console.print()
        if remarks and len(evaluations) > 1:
            console.print(Text(e.data, style="bold"))
        for remark in remarks:
            console.print(remark, markup=False)


def numbers_of(spec: Spec) -> list[Drawing]:
    """The drawings of a spec whose words are made of digits alone.

    Raises:
        InputError: it is no file of drawings, or none of them is a number.
    """
    if spec.name != "strokes":
        raise InputError(f"--number measures drawings, not {spec.name}: give strokes:FILE")
    drawings = read_drawings(spec.path or "")
    chosen = [one for one in drawings if in_split(digest_of(one), spec.split) and _is_number(one.word)]
    if not chosen:
        raise InputError(f"{spec} has no drawing whose word is a number: give words such as 2026")
    return chosen


def show_numbers(scores: Sequence[tuple[Spec, Score]], console: Console) -> None:
    """Prints a table, a row a data set."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("data", overflow="fold")
    for name in ("numbers", "exact", "grouping"):
        table.add_column(name, justify="right", no_wrap=True)
    for spec, score in scores:
        table.add_row(
            Text(short_name(str(spec))), f"{score.n:,}", percent(score.exact), percent(score.grouping)
        )
    console.print(table)


def _numbers(model: Model, params: Params, specs: Sequence[Spec], as_json: bool) -> int:
    read, scores = functools.partial(make_reader(model), params), []
    for spec in specs:
        outcomes = [outcome(read_number(read, one.strokes), one) for one in numbers_of(spec)]
        scores.append((spec, total(outcomes)))
    if as_json:
        print_json([score._asdict() for _, score in scores])
    else:
        show_numbers(scores, Console(highlight=False))
    return 0


def _is_number(word: str | None) -> bool:
    return bool(word) and all(sign in DIGITS for sign in word or "")


def _parser() -> Parser:
    parser = Parser(prog="digitjax evaluate", description=DESCRIPTION)
    add_data(parser)
    add_checkpoint(parser)
    parser.add_argument("--number", action="store_true", help="read each drawing as a whole number")
    parser.add_argument("--json", action="store_true", help="print a JSON list, an object a SPEC")
    return parser


def _remarks(e: Evaluation) -> Iterator[str]:
    wrong = e.confusion * (1 - np.eye(10, dtype=np.int64))
    worst = [divmod(int(i), 10) for i in np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]]
    worst = [f"{truth} read as {answer} ({n})" for truth, answer in worst if (n := wrong[truth, answer])]
    if worst:
        yield f"{e.n_wrong:,} wrong, most often {', '.join(worst)}"
    if e.n_blank:
        yield f"{e.n_blank:,} without any ink: nothing is read there, which is wrong"
    if worst and e.risk_at_99 is not None:
        yield f"{percent(e.risk_at_99)} wrong when the surest 99 % are answered"
    if e.doubts is not None:
        (low, high), odds = e.doubts.pair, e.doubts.odds
        yield (
            f"two named on {e.doubts.n:,} in doubt, one of them right on {percent(e.doubts.either)}; "
            f"most often {low} ({100 * odds[0]:.0f} %) or {high} ({100 * odds[1]:.0f} %), "
            f"{counted(e.doubts.times, 'time')}"
        )
    if e.answered is not None and e.answered < 1:
        yield f"answers {percent(e.answered)} of the digits, {percent(e.accuracy_answered)} of those right"
    others = f"{counted(e.n_other, 'drawing')} that {'is no digit' if e.n_other == 1 else 'are no digits'}"
    if e.n_other and e.refused is None:
        yield f"{others}, left out: measured only beside digits, and for a network that may refuse"
    if e.refused is not None:
        yield f"refuses {percent(e.refused)} of {others}, when {100 * KEPT:.0f} % of the digits are answered"
    if len(e.writers) > 1:
        ranked = sorted(e.writers.values())
        tenth = ranked[: -(-len(ranked) // 10)]
        yield (
            f"{len(ranked)} writers: {percent(float(np.mean(ranked)))} in the mean, "
            f"{percent(float(np.mean(tenth)))} for the worst tenth of them"
        )
    if e.n_skipped:
        yield f"{e.n_skipped:,} not counted: no label, or a sign that may be taken for a digit"
