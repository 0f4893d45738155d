"""The command `digitjax`: argv in, exit code out.

A command is imported only when it is used, so that `digitjax --help` costs no more than Python's own start.
Exit codes: 0 done, 1 failed, 2 bad input or usage, 130 Ctrl-C, 143 SIGTERM.
"""

import contextlib
import difflib
import errno
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence

import digitjax
from digitjax.errors import DigitjaxError, InputError, one_line

COMMANDS = {
    "train": "train a network and leave a checkpoint",
    "evaluate": "measure a checkpoint on data: accuracy, calibration, confusions",
    "predict": "read digits from pictures (PNG, JPEG) and drawings (NDJSON)",
    "data": "list, prepare and look at the data sets",
    "bench": "measure people's drawings, whole numbers, speed, memory",
    "sweep": "train many seeds and settings: one table, one ensemble",
    "steer": "pause, stop or change a training that runs",
    "export": "write a network as one file that runs without digitjax",
    "info": "versions, devices, folders, data and checkpoints, for a bug report",
}
"""Names of the commands and a line about each; the code is in `digitjax.commands`."""

_HELP = """\
usage: digitjax COMMAND ...

Train a network that reads handwritten digits, measure it, and use it.

commands:
{commands}

options:
  --help      this text; after a command, what that command takes
  --version   the version of digitjax, Python and jax

Start with:
  digitjax train                      train on MNIST, or on what is at hand
  digitjax evaluate --data mnist      accuracy of the last cnn run that finished
  digitjax predict photo.png          what the network reads in a picture
  python -m play                      draw, and watch it read

Results go to standard output, everything else to standard error.
Exit codes: 0 done, 1 failed, 2 bad input or usage, 130 Ctrl-C, 143 SIGTERM.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; prints one sentence where it fails.

    Args:
        argv: the arguments after the program's name; None means those of the process.

    Raises:
        Exception: a bug. What a user can cause is never raised.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _dispatch(words), trains=words[:1] in (["train"], ["sweep"]))


def guarded(command: Callable[[], int], *, trains: bool = False) -> int:
    """Runs a command and returns its exit code; prints one sentence where it fails.

    Args:
        command: what is run.
        trains: whether it takes the options of a training.

    Raises:
        Exception: a bug. What a user can cause is never raised.
    """
    replace_closed_streams()
    try:
        if isinstance(
            sys.stdout, io.TextIOWrapper
        ):  # a file's name may be no text in the terminal's encoding
            sys.stdout.reconfigure(errors="backslashreplace")
        code = command()
        sys.stdout.flush()
        return code
    except DigitjaxError as error:
        return _fail(str(error), error.exit_code)
    except SystemExit as error:  # argparse and tyro leave in this way, also after --help
        return _exit_code(error)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except BrokenPipeError:
        _abandon_stdout()
        return 1
    except MemoryError:
        return _fail("the memory of this machine does not suffice: give fewer or smaller files", 1)
    except (RuntimeError, AssertionError) as error:  # jax.errors.JaxRuntimeError, without importing jax
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error):
            remedy = "give a lower --batch-size" if trains else "end what else uses it, or give less data"
            return _fail(f"the memory of the device does not suffice: {remedy}", 1)
        if not _lacks_device():
            raise
        return _fail(
            f"JAX_PLATFORMS is {os.environ['JAX_PLATFORMS']!r}, and JAX finds no such device here: unset it, "
            f"or set it to cpu",
            2,
        )
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return _fail("a path in the arguments is longer than this system allows: give a shorter one", 2)
        _abandon_stdout()
        where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
        return _fail(f"{error.strerror or error}{where}: make room or give another place, then run again", 1)


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        print(
            _HELP.format(commands="\n".join(f"  {n:<{width}}   {line}" for n, line in COMMANDS.items())),
            end="",
        )
        return 0
    if argv[0] in ("-V", "--version"):
        print(_versions())
        return 0
    name, *rest = argv
    if name in COMMANDS:
        return importlib.import_module(f"digitjax.commands.{name}").run(rest)
    if name.startswith("-"):
        raise InputError(
            f"option {name!r} comes before the command: write the command first, digitjax COMMAND {name}"
        )
    near = difflib.get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"give one of {', '.join(COMMANDS)}"
    raise InputError(f"unknown command {name!r}: {hint}")


def _versions() -> str:
    from importlib import metadata

    try:
        jax = metadata.version("jax")  # without importing it
    except metadata.PackageNotFoundError:
        jax = "is not installed"
    python = ".".join(map(str, sys.version_info[:3]))
    return f"digitjax {digitjax.__version__}, Python {python}, jax {jax}"


def replace_closed_streams() -> None:
    """A standard stream that was closed before the start is None: what is written to it goes nowhere then.

    Its number is taken as well, so that no pipe gets it, which a process begun here would lose.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _lacks_device() -> bool:
    """Whether the device that JAX_PLATFORMS asks for cannot be had; JAX, if in use, is asked again."""
    jax = sys.modules.get("jax")
    if jax is None or not os.environ.get("JAX_PLATFORMS"):
        return False
    try:
        jax.devices()
    except (RuntimeError, AssertionError):  # the latter without the plug-in
        return True
    return False


def _fail(sentence: str, code: int) -> int:
    """Prints `digitjax: sentence` on standard error, also where standard error cannot take it."""
    with contextlib.suppress(OSError):
        print(f"digitjax: {one_line(sentence)}", file=sys.stderr, flush=True)
    return code


def _exit_code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    return _fail(str(error.code), 1)


def _abandon_stdout() -> None:
    """Drops what standard output cannot take, so that Python does not complain again on its way out."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
