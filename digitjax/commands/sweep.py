"""`digitjax sweep`: many runs of a preset, every setting with every seed, and one table."""

import difflib
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from digitjax import compiled, paths
from digitjax.commands.arguments import Parser
from digitjax.commands.train import config_of, field_names, field_of
from digitjax.config import TrainConfig
from digitjax.errors import InputError
from digitjax.progress import say

DESCRIPTION = """\
Trains a preset with several seeds and, where --over names some, several values of its fields:
every combination is a run, a folder with a checkpoint each. Members that have finished are not
trained anew: a sweep that was stopped goes on with the same command, and --seeds may grow.
Settings are ranked by validation. The members of the best one, their probabilities averaged,
are what `--checkpoint` takes where it is given the sweep's folder.

  digitjax sweep speedrun --seeds 16
  digitjax sweep cnn --seeds 4 --over optim.lr=3e-3,6e-3 optim.weight-decay=0,0.05
  digitjax sweep mlp-28x28 --over "model.hidden=64,128 128" --epochs 3

All options of `digitjax train` that set a field are taken; --seed is the first seed."""

NOT_VARIED = {
    "preset": "give one preset",
    "seed": "give --seeds N",
    "data": "give --data",
    "start": "give --start",
    "distil": "give --distil",
    "model.members": "networks are trained one by one",
}
SHORT = {"optim.lr": "optim.learning-rate"}
"""Names that people type for fields."""


def run(argv: list[str]) -> int:
    """Runs the command and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax sweep", description=DESCRIPTION)
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each setting; default 1")
    parser.add_argument(
        "--over",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE,VALUE",
        help="values of a field of the configuration; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the sweep; by default checkpoints/<preset>-sweep"
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments, rest = parser.parse_known_args(argv)
    over = [word for word in arguments.over if "=" in word or _field(word) in field_names()]
    rest = [word for word in arguments.over if word not in over] + rest  # the preset after --over
    if arguments.seeds < 1:
        raise InputError(f"--seeds {arguments.seeds} is out of range: give 1 or more")
    base = config_of(rest)
    from digitjax import sweep  # JAX, which bad usage need not wait for

    fields: dict[str, list[str]] = {}
    for name, values in map(_over, over):
        fields.setdefault(name, []).extend(values)
    settings: dict[str, Any] = {}
    for values in sweep.combine(fields):
        config = config_of([*rest, *(word for name, text in values.items() for word in _option(name, text))])
        found = {name: field_of(config, name) for name in values}
        settings.setdefault(repr(found), sweep.Setting(found, config))  # 1e-3 and 0.001 are one
    folder = arguments.out or paths.checkpoints_dir() / f"{base.preset}-sweep"
    with compiled.kept(say):
        result = sweep.sweep(list(settings.values()), arguments.seeds, folder)
    if arguments.json:
        print(json.dumps(result, allow_nan=False))
    else:
        Console(highlight=False).print(table(result))
    if result["ensemble"]:
        say(f"ensemble   --checkpoint {result['ensemble']['checkpoint']}")
    return 0


def table(result: dict[str, Any]) -> Table:
    """A row a setting, the best first, then the ensemble."""
    settings, ensemble = result["settings"], result["ensemble"]
    names = list(settings[0]["setting"])
    tests = list(dict.fromkeys(data for row in settings for data in row["test"]))
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names or [""]:
        shown.add_column(name, overflow="fold")
    for name in ("runs", "validation", *tests, "seconds"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in settings:
        values = [_words(value) for value in row["setting"].values()] or ["each"]
        count = f"{len(row['members'])}" + (f" ({row['diverged']} diverged)" if row["diverged"] else "")
        accuracies = [_percent(row["test"].get(data)) for data in tests]
        seconds = row["training_seconds"]["mean"]
        time = "–" if seconds is None else f"{seconds:.1f}"
        shown.add_row(*values, count, _percent(row["validation"]), *accuracies, time)
    if ensemble:
        first = ["ensemble of the best"] + [""] * (max(len(names), 1) - 1)
        whole = [_percent({"mean": ensemble["test"].get(data), "sd": None}) for data in tests]
        validation = _percent({"mean": ensemble["validation"], "sd": None})
        shown.add_row(*first, str(len(ensemble["members"])), validation, *whole, "")
    return shown


def _over(word: str) -> tuple[str, list[str]]:
    """`optim.lr=1e-3,3e-3` as the field's name and its values.

    Raises:
        InputError: no such field, one that cannot be varied, or no value.
    """
    name, _, text = word.partition("=")
    name = _field(name)
    if name in NOT_VARIED:
        raise InputError(f"--over {name} cannot be varied: {NOT_VARIED[name]}")
    known = field_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "`digitjax train --help` lists them all"
        raise InputError(f"--over {name} is no field: {hint}")
    values = text.split(",")
    if not all(value.strip() for value in values):
        raise InputError(f"--over {word} lacks a value: write {name}=VALUE,VALUE")
    return name, values


def _field(name: str) -> str:
    """The field that a name means."""
    return SHORT.get(name, name).replace("_", "-")


def _option(name: str, text: str) -> list[str]:
    if isinstance(field_of(TrainConfig(), name), bool) and text.lower() in ("true", "false"):
        group, dot, last = name.rpartition(".")
        return [f"--{group}{dot}{'no-' if text.lower() == 'false' else ''}{last}"]
    return [f"--{name}", *text.split()]


def _percent(spread: dict[str, float | None] | None) -> str:
    if spread is None or spread["mean"] is None:
        return "–"
    sd = "" if spread["sd"] is None else f" ± {100 * spread['sd']:.2f}"
    return f"{100 * spread['mean']:.2f}{sd} %"


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
