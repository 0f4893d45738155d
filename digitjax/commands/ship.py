"""`python -m digitjax.commands.ship RUN`: makes a run's best step the checkpoint that comes with digitjax.

Only its params, manifest and config.json are kept: small enough for the repository and the wheel.
"""

import argparse
import shutil
import sys
from pathlib import Path

from digitjax import cli, runs
from digitjax.checkpoint import load_model
from digitjax.errors import InputError, one_line
from digitjax.shipping import export


def run(argv: list[str]) -> int:
    """Exports what the first argument names to `--out`, in place of the params-only checkpoint that is there.

    Raises:
        InputError: no such checkpoint, or `--out` holds something else.
    """
    parser = argparse.ArgumentParser(prog="python -m digitjax.commands.ship", description=run.__doc__)
    parser.add_argument("checkpoint", metavar="RUN", help="a run (its best step) or RUN/STEP")
    parser.add_argument("--out", type=Path, default=Path("checkpoints") / runs.DEFAULT, metavar="DIR")
    arguments = parser.parse_args(argv)
    out: Path = arguments.out
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is no folder: give another --out")
    if out.exists() and any(out.iterdir()) and ((out / runs.METRICS).exists() or not runs.is_run(out)):
        raise InputError(f"{out} holds something else than a shipped checkpoint: give another --out")
    out = out.resolve()  # also the folder that one is in has a name
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of one that was killed
    try:
        part.mkdir()
        export(runs.resolve(arguments.checkpoint), part / "new")
        if out.exists():  # in one move: half of a checkpoint could be taken for a whole one
            out.rename(part / "old")
        try:
            (part / "new").rename(out)
        except BaseException:
            if (part / "old").exists():
                (part / "old").rename(out)
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(one_line(f"shipped: {load_model(out)}, {size / 1e6:.2f} MB"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(lambda: run(sys.argv[1:])))
