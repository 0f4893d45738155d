"""`digitjax bench accelerator`: all figures of a GPU or TPU in one go, as a table with hardware and date."""

import datetime
import platform
from pathlib import Path

from digitjax.bench.accelerator import Figure, measure
from digitjax.bench.contenders import CONTENDERS, able, have_peers
from digitjax.bench.training import Timing
from digitjax.bench.training import measure as measure_training
from digitjax.commands.arguments import Parser, print_json
from digitjax.errors import InputError
from digitjax.presets.registry import preset
from digitjax.progress import say
from digitjax.sharding import describe_devices

DESCRIPTION = """\
Trains a preset's network on MNIST's training split step by step, with many steps in one dispatch, in
bfloat16, and with many seeds one after the other and at once; then `bench train`'s programs, in turns. The
table is Markdown, with the hardware, the versions and the date.

  digitjax bench accelerator --out figures.md                     on a GPU: 30 seeds, 3 times 64
  digitjax bench accelerator --seeds 1 --members 2 --examples 640 --rounds 0     a CPU's quick run"""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax bench accelerator", description=DESCRIPTION)
    parser.add_argument("preset", nargs="?", default="speedrun", metavar="PRESET", help="default speedrun")
    parser.add_argument(
        "--seeds",
        type=int,
        default=30,
        metavar="N",
        help="trainings of each way, of many at once 3 at most; default 30",
    )
    parser.add_argument("--members", type=int, default=64, metavar="N", help="trainings at once; default 64")
    parser.add_argument("--examples", type=int, metavar="N", help="an epoch; default the preset's")
    parser.add_argument(
        "--programs",
        nargs="+",
        choices=list(CONTENDERS),
        metavar="NAME",
        help="default: all that can run here",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of other programs; 0 for none")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table there as well")
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output")
    arguments = parser.parse(argv)
    config = preset(arguments.preset)
    for name, least, most in (("seeds", 1, 1000), ("members", 2, 4096), ("rounds", 0, 1000)):
        if not least <= getattr(arguments, name) <= most:
            raise InputError(f"--{name} {getattr(arguments, name)} is out of range: give {least} to {most}")
    if arguments.examples is not None and not config.batch_size <= arguments.examples:
        raise InputError(
            f"--examples {arguments.examples} is less than a batch: give {config.batch_size} or more"
        )
    if config.model.geometry != "mnist28":
        raise InputError(f"{arguments.preset} does not read MNIST's images: give speedrun or cnn")
    if arguments.rounds and not have_peers(config):
        raise InputError(f"other programs cannot learn what {arguments.preset} does: give --rounds 0")
    out: Path | None = arguments.out
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise InputError(f"--out {out} is no file in a folder that is there: give one")
    names = able(arguments.programs or list(CONTENDERS), say) if arguments.rounds else []
    figures: list[Figure] = []
    timings: list[Timing] = []

    def write() -> str:
        """The table of what is known: one that is cut short leaves the trainings that were measured."""
        text = table(arguments.preset, figures, timings)
        if out is not None:
            out.write_text(text, encoding="utf-8")
        return text

    asked = {"seeds": arguments.seeds, "members": arguments.members, "examples": arguments.examples}
    for figure in measure(config, **asked):
        figures.append(figure)
        say(f"{figure.name}: {figure.seconds:.3f} s")
        write()
    if arguments.rounds:
        timings = measure_training(names, arguments.preset, arguments.rounds, config.epochs, say)
    if arguments.json:
        print_json([one._asdict() for one in (*figures, *timings)])
    text = write()
    if not arguments.json:
        print(text, end="")
    return 0


def table(name: str, figures: list[Figure], timings: list[Timing]) -> str:
    """All figures as Markdown."""
    import jax

    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        f"`digitjax bench accelerator {name}`: {describe_devices()}, jax {jax.__version__}, "
        f"Python {platform.python_version()}, {platform.platform()}, {date}",
        "",
        "| training | compile, s | train, s | images/s | of one as the trainer does it | MNIST test |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in figures:
        sd = "" if one.accuracy_sd is None else f" ± {100 * one.accuracy_sd:.2f}"
        lines.append(
            f"| {one.name} | {one.compile_seconds:.2f} | {one.seconds:.3f} | {one.images_per_second:,.0f} "
            f"| {one.ratio:.2f} x | {100 * one.accuracy:.2f}{sd} % |"
        )
    if timings:
        lines += ["", "| program | train, s | of digitjax's | whole process, s | MNIST test |"]
        lines += ["| --- | --- | --- | --- | --- |"]
    for one in timings:
        accuracy = "" if one.accuracy is None else f"{100 * one.accuracy:.2f} %"
        train = f"{one.seconds['train']:.3f}" if "train" in one.seconds else ""
        ratio = "" if one.train_ratio is None else f"{one.train_ratio:.2f} x"
        lines.append(f"| {one.name} | {train} | {ratio} | {one.total:.2f} | {accuracy} |")
    return "\n".join(lines) + "\n"
