"""`python -m digitjax.commands.rebuild FOLDER`: trains the network that comes with digitjax anew.

A training that has finished is not run again and one that was stopped goes on: the same command serves after
Ctrl-C or a crash.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

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


MIX = {"mnist": 54, PEN_DIGITS: 14, DIGITS: 22, OTHERS: 16, "synthetic": 10, "nondigits": 12}
"""Parts of a batch of 128 by what they are made of."""
WITHOUT_UNIPEN = {"mnist": 56, PEN_DIGITS: 24, "synthetic": 28, "nondigits": 20}
"""The mix where UNIPEN's files are left out."""


def command(folder: Path, out: Path, *, unipen: bool = True, options: Sequence[str] = ()) -> list[str]:
    """What is still to be run, as arguments of `digitjax train`; none where the training has finished.

    Args:
        folder: where the corpora are.
        out: the run.
        unipen: whether UNIPEN's files are learnt from.
        options: of `digitjax train`.

    Raises:
        InputError: a corpus is not in the folder.
    """
    mix = MIX if unipen else WITHOUT_UNIPEN
    specs = [f"{_spec(folder, name)}={weight}" for name, weight in mix.items()]
    if not runs.is_run(out):
        return ["cnn-shipped", "--out", str(out), *options, "--data", *specs]
    return [] if runs.is_finished(out) else ["--resume", "--out", str(out)]


def _spec(folder: Path, name: str) -> str:
    if "." not in name:
        return name
    for place in (folder / name, folder / "strokes" / name):
        if place.exists():
            return f"strokes:{place}"
    raise InputError(f"{folder} holds no {name}: give the folder of the corpora in checkpoints/README.md")


def run(argv: list[str]) -> int:
    """Trains it, or goes on where it was stopped.

    Raises:
        DigitjaxError: a corpus is not there, or the training says so.
    """
    parser = argparse.ArgumentParser(
        prog="python -m digitjax.commands.rebuild",
        description="Trains the network that comes with digitjax anew; what was stopped goes on.",
        epilog="Further options go to the training, such as --seed 1 or --epochs 2.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the corpora, as drawings")
    parser.add_argument("--out", type=Path, metavar="RUN", help="by default checkpoints/shipped")
    parser.add_argument("--without-unipen", action="store_true", help="learn from no drawing of UNIPEN")
    arguments, options = parser.parse_known_args(argv)
    out = arguments.out or paths.checkpoints_dir() / "shipped"
    if to_do := command(arguments.folder, out, unipen=not arguments.without_unipen, options=options):
        train.run(to_do)
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
