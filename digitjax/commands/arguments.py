"""What the commands' argument parsers share."""

import argparse
import difflib
import json
from collections.abc import Sequence
from typing import NoReturn

from digitjax.errors import InputError


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are one sentence with the remedy, and whose options are never abbreviated."""

    def __init__(self, *, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raises the complaint as `InputError`, with the option that was probably meant."""
        known = [option for action in self._actions for option in action.option_strings]
        for word in message.split():
            near = difflib.get_close_matches(word, known, 1) if word.startswith("--") else []
            if near and near[0] != word:
                raise InputError(f"{message}: did you mean {near[0]}?")
        raise InputError(f"{message}: see `{self.prog} --help`")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Adds `--checkpoint`, None where it is not given."""
    parser.add_argument(
        "--checkpoint",
        metavar="C",
        help="a run (its best step), RUN/STEP, or `newest`; by default the last run that finished, "
        "else the network that comes with digitjax",
    )


def print_json(records: Sequence[dict]) -> None:
    """Prints a JSON list on standard output, an object a line; ASCII, and NaN is an error."""
    print("[" + ",\n ".join(json.dumps(record, allow_nan=False) for record in records) + "]")
