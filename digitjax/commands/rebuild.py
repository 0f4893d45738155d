"""`python -m digitjax.commands.rebuild FOLDER`: trains the network that comes with digitjax anew.

Two trainings of the preset `cnn-shipped`, the second from where the first ended. One that has finished is not
run again and one that was stopped goes on, so the same command serves after Ctrl-C or a crash.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from digitjax import paths, runs
from digitjax.commands import train
from digitjax.errors import DigitjaxError, InputError
from digitjax.progress import say

PEN_DIGITS, DIGITS, OTHERS = (
    "pendigits-train.ndjson.gz",
    "unipen-digits-train.ndjson.gz",
    "unipen-other-train.ndjson.gz",
)
"""The files of the corpora, in FOLDER or its folder `strokes`."""


class Stage(NamedTuple):
    """One training: the end of its run's name, parts of a batch by what they are made of, further options."""

    suffix: str
    mix: dict[str, int]
    options: tuple[str, ...]


GENTLY = ("--epochs", "14", "--optim.learning-rate", "1.5e-3", "--optim.warmup", "0.1")
STAGES = (
    Stage(
        "-first", {"mnist": 52, PEN_DIGITS: 16, DIGITS: 24, OTHERS: 16, "synthetic": 12, "nondigits": 8}, ()
    ),
    Stage(
        "", {"mnist": 48, PEN_DIGITS: 16, DIGITS: 24, OTHERS: 16, "synthetic": 12, "nondigits": 12}, GENTLY
    ),
)
WITHOUT_UNIPEN = {"mnist": 56, PEN_DIGITS: 24, "synthetic": 28, "nondigits": 20}
"""The mix of both stages where UNIPEN's files are left out."""


def commands(folder: Path, out: Path, *, unipen: bool = True, options: Sequence[str] = ()) -> list[list[str]]:
    """What is still to be run, as arguments of `digitjax train`.

    Args:
        folder: where the corpora are.
        out: the run of the last stage; those before it lie beside it.
        unipen: whether UNIPEN's files are learnt from.
        options: of `digitjax train`, for both stages; they go before the recipe's own.

    Raises:
        InputError: a corpus is not in the folder.
    """
    found: list[list[str]] = []
    before: Path | None = None
    for stage in STAGES:
        run = out.with_name(out.name + stage.suffix)
        mix = stage.mix if unipen else WITHOUT_UNIPEN
        specs = [f"{_spec(folder, name)}={weight}" for name, weight in mix.items()]
        if runs.is_run(run) and not runs.is_finished(run):
            found.append(["--resume", "--out", str(run)])
        elif not runs.is_run(run):
            start = () if before is None else ("--start", str(before))
            found.append(
                ["cnn-shipped", "--out", str(run), *start, *stage.options, *options, "--data", *specs]
            )
        before = run
    return found


def _spec(folder: Path, name: str) -> str:
    if "." not in name:
        return name
    for place in (folder / name, folder / "strokes" / name):
        if place.exists():
            return f"strokes:{place}"
    raise InputError(f"{folder} holds no {name}: give the folder of the corpora in checkpoints/README.md")


def run(argv: list[str]) -> int:
    """Runs the stages that are not finished, one after the other.

    Raises:
        DigitjaxError: a corpus is not there, or a training says so.
    """
    parser = argparse.ArgumentParser(
        prog="python -m digitjax.commands.rebuild",
        description="Trains the network that comes with digitjax anew, in two stages that can be resumed.",
        epilog="Further options go to both trainings, such as --seed 1 or --epochs 2.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the corpora, as drawings")
    parser.add_argument("--out", type=Path, metavar="RUN", help="by default checkpoints/shipped")
    parser.add_argument("--without-unipen", action="store_true", help="learn from no drawing of UNIPEN")
    arguments, options = parser.parse_known_args(argv)
    out = arguments.out or paths.checkpoints_dir() / "shipped"
    to_do = commands(arguments.folder, out, unipen=not arguments.without_unipen, options=options)
    for words in to_do:
        train.run(words)
    say(f"{out} is there: `python -m digitjax.commands.ship {out}` makes it the network that comes along")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except DigitjaxError as error:
        print(f"digitjax: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
