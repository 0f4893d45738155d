"""`digitjax export`: a trained network as one file that runs without digitjax."""

import sys
from pathlib import Path

from digitjax import manifest
from digitjax.commands.arguments import Parser, add_checkpoint, load_named
from digitjax.errors import InputError
from digitjax.export import PLATFORMS, export
from digitjax.normalize import geometry_shape
from digitjax.segments import MAX_SEGMENTS

DESCRIPTION = """\
Writes a network as StableHLO, which any program with JAX runs, without digitjax:

  answer = jax.export.deserialize(bytearray(open(FILE, "rb").read())).call
  probabilities, is_digit = answer(ends, mask)        # --from ink
  probabilities, is_digit = answer(images)            # --from pixels

Such a file is a program: run none that comes from a stranger."""


def run(argv: list[str]) -> int:
    """Runs the command and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax export", description=DESCRIPTION)
    add_checkpoint(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="file to write")
    parser.add_argument(
        "--from",
        dest="source",
        default="ink",
        choices=("ink", "pixels"),
        help="what it reads: drawings as segments, normalised inside, or images already normalised",
    )
    arguments = parser.parse(argv)
    out: Path = arguments.out
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError(f"--out {out} is no file in a folder that is there: give one")
    if out.exists() and not out.is_file():
        raise InputError(f"--out {out} is a device or a pipe, which a file would replace: give another place")
    loaded = load_named(arguments.checkpoint)
    program = export(loaded.model, loaded.params, arguments.source)
    try:
        manifest.write_bytes(out, program)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror}): give another place") from error
    shape = geometry_shape(loaded.model.geometry)
    reads = f"ends f32[batch, {MAX_SEGMENTS}, 4], mask bool[batch, {MAX_SEGMENTS}]"
    if arguments.source == "pixels":
        reads = f"images f32[batch, {shape.height}, {shape.width}, 1], 0 paper to 1 ink"
    print(
        f"written: {out}, {len(program) / 1e6:.2f} MB, for {', '.join(PLATFORMS)}\n"
        f"reads:   {reads}\nanswers: probabilities f32[batch, 10], is_digit f32[batch]",
        file=sys.stderr,
    )
    return 0
