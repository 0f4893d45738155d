"""What the commands' argument parsers share."""

import argparse
import difflib
import itertools
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from digitjax.errors import InputError, one_line

if TYPE_CHECKING:
    from digitjax.checkpoint import LoadedModel


_HIDDEN = "\0"
"""Stands before a word that begins with a hyphen and is no option; no argument of a process can hold it."""


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are one sentence with the remedy, and whose options are never abbreviated."""

    def __init__(self, *, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The arguments.

        Raises:
            InputError: an option is unknown (its near miss is named), or argparse complains.
        """
        known = [option for action in self._actions for option in action.option_strings]
        for word in itertools.takewhile(lambda word: word != "--", argv):
            name = word.partition("=")[0]
            if name.startswith("--") and name not in known:
                near = difflib.get_close_matches(name, known, 1)
                self.error(f"unknown option {name}" + (f", did you mean {near[0]}?" if near else ""))
        # argparse forgets `--` where options may stand among words: it is not to see the hyphens after it.
        end = list(argv).index("--") if "--" in argv else len(argv)
        rest = [_HIDDEN + word if word.startswith("-") else word for word in argv[end + 1 :]]
        found = self.parse_intermixed_args([*argv[: end + 1], *rest])
        for name, value in vars(found).items():
            setattr(found, name, _shown(value))
        return found

    def error(self, message: str) -> NoReturn:
        """Raises the complaint as `InputError`, the near miss of a choice named."""
        message = message.replace(repr(_HIDDEN)[1:-1], "").replace(_HIDDEN, "")
        if wrong := re.fullmatch(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message):
            choices = re.findall(r"[^\s',]+", wrong[3])
            near = difflib.get_close_matches(wrong[2], choices, 1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"give one of {', '.join(choices)}"
            message = f"{wrong[1]} {wrong[2]!r} is unknown, {hint}"
        raise InputError(f"{message}: see `{self.prog} --help`".replace("?:", "?"))


def _shown(value: object) -> object:
    """A value of an argument as it was given."""
    if isinstance(value, list):
        return [_shown(one) for one in value]
    if isinstance(value, Path):
        return Path(str(value).removeprefix(_HIDDEN))
    return value.removeprefix(_HIDDEN) if isinstance(value, str) else value


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Adds `--checkpoint`, None where it is not given."""
    parser.add_argument(
        "--checkpoint",
        metavar="C",
        help="a run (its best step), a sweep (its ensemble), RUN/STEP, or `newest`; by default the last "
        "cnn run that finished, else the network that comes with digitjax",
    )


def add_data(parser: argparse.ArgumentParser, what: str = "what to measure on") -> None:
    """Adds `--data`, at least one spec, which may be repeated."""
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="SPEC",
        help=f"{what}; may be repeated",
    )


def load_named(checkpoint: str | None) -> "LoadedModel":
    """The network that `--checkpoint` means; standard error names it.

    Raises:
        InputError: as `checkpoint.load_model`.
    """
    from digitjax.checkpoint import load_model

    loaded = load_model(checkpoint)
    print(one_line(f"checkpoint: {loaded}"), file=sys.stderr)
    return loaded


def require_png(path: Path) -> Path:
    """The path that `--out` gives, once it is sure that a PNG file can be written there.

    Raises:
        InputError: its ending is another, or its folder cannot be written to.
    """
    if path.suffix.lower() != ".png":
        raise InputError(f"--out {path} is no PNG file's name: give one that ends in .png")
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"--out {path} cannot be written there: give a file in a folder that exists")
    return path


def print_json(records: Sequence[dict]) -> None:
    """Prints a JSON list on standard output, an object a line; ASCII, and NaN is an error."""
    print("[" + ",\n ".join(json.dumps(record, allow_nan=False) for record in records) + "]")
