"""`digitjax steer`: changes a training that runs, through its folder."""

import sys
from pathlib import Path

from digitjax import claim, paths, runs, steering
from digitjax.commands.arguments import Parser
from digitjax.errors import InputError

_DESCRIPTION = """\
Change a training that runs: pause it, let it go on, stop and save it, or give it another learning rate.

RUN is its folder, or its name in the checkpoints folder; by default the only run that is being trained.
What was changed stands in the run's changes.jsonl, and `digitjax train --resume` repeats it."""


def run(argv: list[str]) -> int:
    """Puts one request into the run's folder.

    Raises:
        InputError: nobody trains there, or the request makes no sense.
    """
    parser = Parser(prog="digitjax steer", description=_DESCRIPTION)
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run's folder or name")
    what = parser.add_mutually_exclusive_group(required=True)
    for name in (steering.PAUSE, steering.RESUME, steering.STOP):
        what.add_argument(f"--{name}", action="store_true")
    for name in steering.VALUES:
        what.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="X")
    given = vars(parser.parse(argv))
    folder = _folder(given.pop("run"))
    name, value = next(
        (name, value) for name, value in given.items() if value is not None and value is not False
    )
    steering.ask(folder, name, None if value is True else value)
    print(
        f"asked {folder}: {name.replace('_', ' ')}{'' if value is True else f' {value:g}'}", file=sys.stderr
    )
    return 0


def _folder(name: str | None) -> Path:
    if name is not None:
        found = Path(name)
        return found if found.is_dir() else paths.checkpoints_dir() / name
    held = [run for run in runs.list_runs(paths.checkpoints_dir()) if claim.is_held(run)]
    if len(held) != 1:
        which = ", ".join(run.name for run in held) or "no run"
        raise InputError(f"{which} in {paths.checkpoints_dir()} is being trained: name one RUN")
    return held[0]
