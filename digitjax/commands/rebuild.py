"""`python -m digitjax.commands.rebuild FOLDER`: trains the network that comes with digitjax anew.

Four trainings of the preset `cnn-shipped`: the network, another one that has not seen UNIPEN, the network
again, from where it ended, learning what both of them say of which digit it is, and a short one more, with
hearts, ticks and other marks among what is no digit.
One that has finished is not run again and one that was stopped goes on, so the same command serves after
Ctrl-C or a crash.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from digitjax import cli, paths, runs
from digitjax.commands import train
from digitjax.errors import InputError
from digitjax.progress import say

PEN_DIGITS, DIGITS, OTHERS = (
    "pendigits-train.ndjson.gz",
    "unipen-digits-train.ndjson.gz",
    "unipen-other-train.ndjson.gz",
)
"""The files of the corpora, in FOLDER or its folder `strokes`."""
WITHOUT_UNIPEN = {"mnist": 56, PEN_DIGITS: 24, "synthetic": 28, "nondigits": 20}
"""The mix of the second stage, and of the others but the last where UNIPEN's files are left out."""


class Stage(NamedTuple):
    """One training.

    Attributes:
        suffix: the end of its run's name.
        mix: parts of a batch by what they are made of.
        without_unipen: the same where UNIPEN's files are left out.
        options: further ones of `digitjax train`.
        start: the end of the name of the run that it goes on from; None for fresh params.
        distil: those of the runs that it learns from.
    """

    suffix: str
    mix: dict[str, int]
    without_unipen: dict[str, int] = WITHOUT_UNIPEN
    options: tuple[str, ...] = ()
    start: str | None = None
    distil: tuple[str, ...] = ()


OF_ODDS = (
    "--distil-weight",
    "1",
    "--optim.warmup",
    "0.1",
    "--model.dropout",
    "0",
    "--augment.elastic",
    "0.6",
    "--augment.unfinished",
    "0.15",
)
"""Of odds alone one learns as closely as one can: bent pictures, of which the teachers say something new, no
dropout (Beyer et al., 2022, https://arxiv.org/abs/2106.05237)."""
TEACHERS = ("-first", "-second")
STAGES = (
    Stage("-first", {"mnist": 54, PEN_DIGITS: 14, DIGITS: 22, OTHERS: 16, "synthetic": 10, "nondigits": 12}),
    Stage("-second", WITHOUT_UNIPEN, options=("--epochs", "60")),
    Stage(
        "-third",
        {"mnist": 44, PEN_DIGITS: 14, DIGITS: 24, OTHERS: 20, "synthetic": 12, "nondigits": 14},
        options=(*OF_ODDS, "--epochs", "60", "--optim.learning-rate", "3e-3"),
        start="-first",
        distil=TEACHERS,
    ),
    Stage(
        "",
        {"mnist": 43, PEN_DIGITS: 13, DIGITS: 22, OTHERS: 20, "synthetic": 10, "nondigits": 11, "marks": 9},
        {"mnist": 52, PEN_DIGITS: 22, "synthetic": 26, "nondigits": 17, "marks": 11},
        (*OF_ODDS, "--epochs", "15", "--optim.learning-rate", "1e-3"),
        start="-third",
        distil=TEACHERS,
    ),
)


def commands(
    folder: Path, out: Path, *, unipen: bool = True, seed: int = 0, options: Sequence[str] = ()
) -> list[list[str]]:
    """What is still to be run, as arguments of `digitjax train`; nothing where the last has finished.

    Args:
        folder: where the corpora are.
        out: the run of the last stage; those before it lie beside it.
        unipen: whether UNIPEN's files are learnt from.
        seed: of the first training; one whose mix another has had takes the next, or it were nearly that one.
        options: of `digitjax train`, for all stages; where the recipe has another value, they win.

    Raises:
        InputError: a corpus is not in the folder.
    """
    found: list[list[str]] = []
    if runs.is_run(out) and runs.is_finished(out):
        return found

    def run_of(suffix: str) -> Path:
        return out.with_name(out.name + suffix)

    mixes = [stage.mix if unipen else stage.without_unipen for stage in STAGES]
    for number, (stage, mix) in enumerate(zip(STAGES, mixes, strict=True)):
        run = run_of(stage.suffix)
        specs = [f"{_spec(folder, name)}={weight}" for name, weight in mix.items()]
        if runs.is_run(run) and not runs.is_finished(run):
            found.append(["--resume", "--out", str(run)])
        elif not runs.is_run(run):
            before = ["--seed", str(seed + mixes[:number].count(mix))]
            before += [] if stage.start is None else ["--start", str(run_of(stage.start))]
            if stage.distil:
                before += ["--distil", *(str(run_of(suffix)) for suffix in stage.distil)]
            found.append(
                ["cnn-shipped", "--out", str(run), *before, *stage.options, *options, "--data", *specs]
            )
    return found


def _spec(folder: Path, name: str) -> str:
    if "." not in name:
        return name
    for place in (folder / name, folder / "strokes" / name):
        if place.exists():
            return f"strokes:{place}"
    raise InputError(
        f"{folder.absolute()} holds no {name}: give the folder of the corpora in checkpoints/README.md "
        f"(`make shipped STROKES=FOLDER`)"
    )


def run(argv: list[str]) -> int:
    """Runs the stages that are not finished, one after the other.

    Raises:
        DigitjaxError: a corpus is not there, or a training says so.
    """
    parser = argparse.ArgumentParser(
        prog="python -m digitjax.commands.rebuild",
        description="Trains the network that comes with digitjax anew, in four stages that can be resumed.",
        epilog="Further options go to all trainings, such as --epoch-examples 30000.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the corpora, as drawings")
    parser.add_argument("--out", type=Path, metavar="RUN", help="by default checkpoints/shipped")
    parser.add_argument("--without-unipen", action="store_true", help="learn from no drawing of UNIPEN")
    parser.add_argument("--seed", type=int, default=0, help="by default 0")
    arguments, options = parser.parse_known_args(argv)
    out = arguments.out or paths.checkpoints_dir() / "shipped"
    to_do = commands(
        arguments.folder, out, unipen=not arguments.without_unipen, seed=arguments.seed, options=options
    )
    for words in to_do:
        train.run(words)
    say(f"{out} is there: `python -m digitjax.commands.ship {out}` makes it the network that comes along")
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(lambda: run(sys.argv[1:])))
