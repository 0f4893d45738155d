"""The long form: `python -m tests.fuzz [TARGET ...] [--inputs N] [--seed S]`, a line a reader.

Inputs are guided by branches where atheris is (`pip install -e .[fuzz]`, Linux), else blind. One that
breaks a reader is kept in `--keep` and named; then the exit code is 1. Coverage is that of the inputs that
reached something new, run once more under coverage.py: branches taken, of all in the functions entered.
Each reader has a process of its own.
"""

import argparse
import importlib
import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import LONGEST, inputs
from tests.fuzz.targets import TARGETS, Target

SLOWEST = 20
"""Seconds of processor time that one input may take."""
HANGING = 900
"""Seconds by the clock, which on a busy machine are many more, after which it is taken to hang."""
BLIND = 2000
"""Inputs that coverage is counted of where none were kept."""


def check(target: Target, data: bytes, folder: Path) -> None:
    """One input; raises what is none of the reader's own errors, or one of them that is no short sentence."""
    try:
        target.read(data, folder)
    except target.errors as error:
        assert len(str(error)) <= target.longest, "the sentence is too long"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)} (all)")
    parser.add_argument("--inputs", type=int, metavar="N", help="a target (what each says: 10^6 or 10^4)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, default=Path(tempfile.gettempdir()) / "digitjax-fuzz", metavar="DIR"
    )
    parser.add_argument("--child", choices=("fuzz", "count"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child = _fuzz if options.child == "fuzz" else _count
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
            child(options.targets[0], Path(folder), options)
        return 0
    print("reader            inputs  a second   seconds  branches  of its modules", flush=True)
    names = options.targets or [*TARGETS]
    return max([_one(name, options) for name in names])


def _one(name: str, options: argparse.Namespace) -> int:
    keep = options.keep / name
    keep.mkdir(parents=True, exist_ok=True)
    count = TARGETS[name].inputs if options.inputs is None else options.inputs
    command = [sys.executable, "-m", "tests.fuzz", name, "--inputs", str(count), "--seed", str(options.seed)]
    command += ["--keep", str(keep), "--child"]
    start = time.perf_counter()
    with (keep / "log").open("wb") as log:
        failed = subprocess.run([*command, "fuzz"], stdout=log, stderr=log).returncode
    seconds = time.perf_counter() - start
    ran = [
        int(n)
        for n in re.findall(
            r"^#(\d+)\t(?:DONE|NEW|RED|pul)", (keep / "log").read_text("utf-8", "replace"), re.M
        )
    ]
    count = max(ran, default=0) if failed else count
    done = subprocess.run([*command, "count"], stdout=subprocess.PIPE, text=True)
    covered = done.stdout.strip().splitlines()[-1] if not done.returncode and done.stdout else "not counted"
    print(f"{name:<14} {count:>9,} {count / seconds:>9,.0f} {seconds:>9,.0f}  {covered}", flush=True)
    if failed:
        print(f"  FAILED: {keep / 'log'} says how; the input is the newest crash-* beside it", flush=True)
    return 1 if failed else 0


def _fuzz(name: str, folder: Path, options: argparse.Namespace) -> None:
    target = TARGETS[name]
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if importlib.util.find_spec("atheris") is None:
        for data in itertools.islice(inputs(target.seeds(), target.tokens, options.seed), options.inputs):
            (folder / "last").write_bytes(data)
            _strictly(target, data, folder / "work")
        return
    atheris: Any = importlib.import_module("atheris")

    with atheris.instrument_imports(include=list(target.modules)):
        for module in target.modules:
            importlib.import_module(module)
    corpus, words = options.keep / "corpus", options.keep / "words"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
        check(target, seed, _made(folder / "work"))
    words.write_text("".join(f'"{_quoted(token)}"\n' for token in target.tokens if len(token) <= 64))
    arguments = [
        sys.argv[0],
        f"-runs={options.inputs}",
        f"-seed={options.seed}",
        f"-dict={words}",
        "-len_control=20",
    ]
    arguments += [
        f"-max_len={LONGEST}",
        f"-timeout={HANGING}",
        f"-artifact_prefix={options.keep}/",
        str(corpus),
    ]
    atheris.Setup(arguments, lambda data: _strictly(target, data, folder / "work"))
    atheris.Fuzz()


def _count(name: str, folder: Path, options: argparse.Namespace) -> None:
    """Prints the branches that the kept inputs take, of how many, and of which modules."""
    coverage: Any = importlib.import_module("coverage")

    target = TARGETS[name]
    kept = [path.read_bytes() for path in sorted((options.keep / "corpus").glob("*"))]
    kept = kept or list(itertools.islice(inputs(target.seeds(), target.tokens, options.seed), BLIND))
    files = [str(importlib.util.find_spec(module).origin) for module in target.modules]  # type: ignore[union-attr]
    counted = coverage.Coverage(branch=True, include=files, data_file=None, config_file=False)
    counted.start()
    for data in [*target.seeds(), *kept]:
        try:
            check(target, data, _made(folder / "work"))
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    counted.stop()
    counted.json_report(outfile=str(folder / "counted"))
    report = json.loads((folder / "counted").read_text())
    entered = [
        function["summary"]
        for file in report["files"].values()
        for name, function in file["functions"].items()
        if name and function["executed_lines"]
    ]
    taken, all_ = (sum(each[count] for each in entered) for count in ("covered_branches", "num_branches"))
    print(f"{taken:>4} of {all_} ({100 * taken / max(all_, 1):.0f} %)  {', '.join(target.modules)}")


def _strictly(target: Target, data: bytes, folder: Path) -> None:
    """`check` in which a warning, which a user would see, is an error, and so is one that takes long."""
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(target, data, _made(folder))
    assert time.process_time() - begin < SLOWEST, "it takes too long"


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _quoted(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    sys.exit(main())
