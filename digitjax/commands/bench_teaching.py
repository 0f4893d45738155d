"""`digitjax bench teaching`: what ten drawings teach of a way of writing, or of somebody's hand."""

import dataclasses
import sys

import numpy as np

from digitjax.bench import taught_writers
from digitjax.bench.forms_left_out import MEASURED, WAYS
from digitjax.bench.taught_writers import Writer
from digitjax.bench.teaching import TAUGHT, TESTED, Taught, measure
from digitjax.commands.arguments import Parser, add_checkpoint, load_named, print_json
from digitjax.commands.wording import mean_and_deviation
from digitjax.data import load, parse_spec
from digitjax.data.audit import shipped
from digitjax.errors import InputError
from digitjax.presets.registry import preset
from digitjax.replay import held_out, replayed
from digitjax.teach import Teacher

DESCRIPTION = """\
Trains the network of the preset cnn on synthetic handwriting from which ways of writing are left out (the
sevens with a bar, the twos with a loop). For each of them teaches it, anew, ten drawings of that way which it
misreads, while it replays what it knows, and reads two hundred others of that way, and ten thousand held-out
digits, before and after.

With --data it teaches a trained network the hand of each of the writers that it reads worst: ten drawings of
theirs, those that it misreads first. The rest of their digits are read before and after. Drawings whose
label a reader doubts take no part.

  digitjax bench teaching --seeds 3
  digitjax bench teaching --data strokes:mine.ndjson@validation --seeds 3
"""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax bench teaching", description=DESCRIPTION)
    left_out = f"what is left out: {', '.join(WAYS)} (the first two)"
    parser.add_argument("--ways", nargs="+", choices=[*WAYS], default=MEASURED, metavar="WAY", help=left_out)
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="epochs of the training (3)")
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="how many trainings a way, or lessons a writer (1)"
    )
    parser.add_argument("--data", metavar="SPEC", help="drawings of known writers, in place of the ways")
    parser.add_argument("--writers", type=int, default=10, metavar="N", help="how many writers (10)")
    parser.add_argument("--as-labelled", action="store_true", help="doubted labels take part, too")
    add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    arguments = parser.parse(argv)
    for name in ("epochs", "seeds", "writers"):
        if not 1 <= getattr(arguments, name) <= 100:
            raise InputError(f"--{name} {getattr(arguments, name)} is out of range: give 1 to 100")
    if arguments.data is None:
        found, lines = _ways(arguments.ways, arguments.epochs, arguments.seeds)
    else:
        audit = {} if arguments.as_labelled else shipped()
        found, lines = _writers(
            arguments.data, arguments.checkpoint, audit, arguments.writers, arguments.seeds
        )
    if arguments.json:
        print_json(found)
    else:
        print("\n".join(lines))
    return 0


def _ways(ways: list[str], epochs: int, seeds: int) -> tuple[list[dict], list[str]]:
    found = []
    for seed in range(seeds):
        config = dataclasses.replace(preset("cnn"), epochs=epochs, seed=seed)
        for one in measure([WAYS[way] for way in ways], config, seed):
            found.append(one)
            print(f"seed {seed}: {_way_line([one])}", file=sys.stderr)
    lines = [_way_line([one for one in found if one.way == way]) for way in ways]
    return [one._asdict() | {"cut": one.cut} for one in found], lines


def _way_line(trials: list[Taught]) -> str:
    """Means over seeds, and standard deviations where there are several."""

    def said(name: str, digits: int = 1) -> str:
        return mean_and_deviation([100 * getattr(one, name) for one in trials], digits)

    seconds = mean_and_deviation([one.seconds for one in trials], 1)
    return (
        f"{trials[0].way}: {TAUGHT} taught, {TESTED} others misread {said('wrong_before')} % before, "
        f"{said('wrong_after')} % after (cut by {said('cut', 0)} %); held out "
        f"{said('held_out_before', 2)} % before, {said('held_out_after', 2)} % after; {seconds} s"
    )


def _writers(
    data: str, checkpoint: str | None, audit: dict, count: int, seeds: int
) -> tuple[list[dict], list[str]]:
    loaded = load_named(checkpoint)
    digits = taught_writers.read_digits(loaded.model, loaded.params, load(parse_spec(data), None), audit)
    names = taught_writers.worst_writers(digits, count)
    model = loaded.config.model
    teacher = Teacher(model, loaded.params, replayed(model), held_out(model.geometry))
    found, rows = [], []
    for seed in range(seeds):
        lessons = []
        for one in taught_writers.measure(teacher, digits, names, seed):
            lessons.append(one)
            print(f"seed {seed}: {_writer_line(one)}", file=sys.stderr)
        found.append(lessons)
        rows += [{"seed": seed} | _plain(one) for one in lessons]
    return rows, [_pooled_line(found)]


def _writer_line(one: Writer) -> str:
    return (
        f"{one.name}: {one.corrected} of {TAUGHT} taught were misread; of {one.before.n} others "
        f"{one.before.wrong} misread before, {one.after.wrong} after; "
        f"held out {100 * one.held_out_before:.2f} % before, {100 * one.held_out_after:.2f} % "
        f"after; {one.seconds:.1f} s"
    )


def _pooled_line(found: list[list[Writer]]) -> str:
    """All writers together: means over seeds, and standard deviations where there are several."""

    def said(of, digits: int) -> str:
        return mean_and_deviation([of(lessons) for lessons in found], digits)

    def wrong(name: str) -> str:
        return said(lambda lessons: sum(getattr(one, name).wrong for one in lessons), 1)

    def kept(name: str) -> str:
        return said(lambda lessons: 100 * float(np.mean([getattr(one, name) for one in lessons])), 2)

    seconds = said(lambda lessons: float(np.mean([one.seconds for one in lessons])), 1)
    return (
        f"{len(found[0])} writers, {sum(one.before.n for one in found[0])} digits not taught: "
        f"{wrong('before')} misread before, {wrong('after')} after; held out {kept('held_out_before')} % "
        f"before, {kept('held_out_after')} % after; {seconds} s"
    )


def _plain(one: Writer) -> dict:
    return one._asdict() | {"before": one.before._asdict(), "after": one.after._asdict()}
