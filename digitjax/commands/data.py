"""`digitjax data`: what data there is, preparing it, looking at it as networks do, holding a part out."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from digitjax.commands.arguments import Parser, require_png
from digitjax.data import holdout, load, parse_spec, registry
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.records import can_stream
from digitjax.data.sources import open_records
from digitjax.data.spec import SPLITS, EmptySplit, Kind, Spec
from digitjax.data.streamed import sources
from digitjax.errors import InputError, counted, one_line
from digitjax.normalize import GEOMETRIES

DESCRIPTION = """\
  digitjax data list                        the sources, and whether they are at hand
  digitjax data prepare mnist               fetch and prepare now what a training would
  digitjax data prepare strokes:FILE        make the records that `train --stream` reads, and count them
  digitjax data prepare numbers:FILE        compose whole numbers of its digits, for `evaluate --number`
  digitjax data prepare strokes:FILE --beam the same by Apache Beam; --beam=OPTIONS are Beam's own
  digitjax data show SPEC --out FILE.png    a sheet of what the network sees
  digitjax data split strokes:FILE --out DIR
                                            two files, one to train on and one held out, whoever drew them
"""
_OPTIONS = {
    "out": ("show", "split"),
    "count": ("show",),
    "geometry": ("show",),
    "source": ("split",),
    "sizes": ("split",),
    "seed": ("split",),
    "beam": ("prepare",),
}
"""Which actions take each option."""
TILES, GEOMETRY = 200, "mnist28"
"""What a sheet shows where nothing else is asked for."""
MAX_TILES = 10_000
"""Tiles on a sheet at most."""
TILE = 56
"""Pixels of a tile's picture; a whole multiple of 28 and of 8."""
CAPTION = 14
"""Pixels below each picture, for its label."""
PAPER, INK, FRAME = 255, 40, 225
"""Grey values of the sheet."""


def run(argv: list[str]) -> int:
    """Runs the command and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    parser = Parser(prog="digitjax data", description=DESCRIPTION)
    parser.add_argument("action", choices=("list", "prepare", "show", "split"), help="what to do")
    parser.add_argument(
        "specs", nargs="*", default=[], metavar="SPEC", help="NAME[:PATH][@train|@validation|@test]"
    )
    parser.add_argument(
        "--out", metavar="PATH", help="show: FILE.png for the sheet; split: DIR for the files"
    )
    sheet = parser.add_argument_group("show")
    sheet.add_argument("--count", type=int, metavar="N", help=f"tiles on the sheet ({TILES})")
    sheet.add_argument("--geometry", choices=tuple(GEOMETRIES), help=f"input geometry ({GEOMETRY})")
    split = parser.add_argument_group("split")
    split.add_argument("--source", metavar="NAME", help="take only the drawings that name this source")
    split.add_argument(
        "--sizes",
        type=int,
        nargs=2,
        metavar="N",
        help=f"drawings to train on and held out ({' '.join(map(str, holdout.SIZES))})",
    )
    split.add_argument("--seed", type=int, metavar="N", help="of the random choice (0)")
    parser.add_argument(
        "--beam", nargs="?", const="", metavar="OPTIONS", help="`prepare` by Beam: --beam='--runner=...'"
    )
    arguments = parser.parse(argv)
    for name, actions in _OPTIONS.items():
        if getattr(arguments, name) is not None and arguments.action not in actions:
            where = " and ".join(f"`data {action}`" for action in actions)
            raise InputError(f"--{name} belongs to {where}, not to `data {arguments.action}`: leave it out")
    specs = [parse_spec(text) for text in arguments.specs]
    if arguments.action == "list":
        if specs:
            raise InputError(f"`data list` takes no spec, {specs[0]} was given: leave it out")
        list_sources()
    elif not specs:
        raise InputError(f"`data {arguments.action}` needs a data spec, such as mnist: add it")
    elif arguments.action == "prepare":
        for spec in specs:
            prepare(spec, arguments.beam)
    elif arguments.action == "split":
        if len(specs) > 1 or specs[0].name != "strokes" or specs[0].split or not arguments.out:
            raise InputError("`data split` takes one strokes:FILE without a split, and --out DIR: give both")
        sizes = holdout.SIZES if arguments.sizes is None else tuple(arguments.sizes)
        split_file(specs[0], Path(arguments.out), arguments.source, sizes, arguments.seed or 0)
    elif len(specs) > 1 or not arguments.out:
        raise InputError("`data show` takes one data spec and --out FILE.png: give both")
    else:
        count = TILES if arguments.count is None else arguments.count
        show(specs[0], Path(arguments.out), count=count, geometry=arguments.geometry or GEOMETRY)
    return 0


def list_sources() -> None:
    """Prints a line a source: its spec, whether it is at hand, what it is, how much, and its licence."""
    rows = []
    for name in registry.MODULES:
        kind = registry.kind(name)
        spec = f"{name}:{kind.takes}" if kind.takes else name
        state = "your files" if kind.takes else _state(kind)
        about = kind.about + (f"; {kind.size}" if kind.size else "")
        rows.append((spec, state, about, kind.licence))
    head = ("SPEC", "STATE", "WHAT", "LICENCE")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(3)]
    for row in [head, *rows]:
        print("  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] + [row[3]]))


def _state(kind: Kind) -> str:
    reason = kind.unavailable()
    if reason is not None:
        return f"not here: {reason}"
    return "found" if kind.at_hand() else "can be downloaded"


def prepare(spec: Spec, beam: str | None = None) -> None:
    """Does what the first training on a source would do, and says what it holds on standard error.

    Args:
        spec: what to prepare; without a split, all.
        beam: options of Apache Beam, which then makes the records; None where it does not.
    """
    kind = registry.kind(spec.name)
    if beam is not None:
        if spec.name != "strokes":
            raise InputError(
                f"--beam prepares drawings, not {spec.name}: give strokes:FILE, or leave --beam out"
            )
        from digitjax.data.beam_builder import prepare_with_beam

        folder = prepare_with_beam(Path(spec.path or ""), beam)
        print(f"the records of {spec.path} are in {folder}", file=sys.stderr)
    if kind.prepare is not None:
        print(kind.prepare(spec), file=sys.stderr)
    if not kind.trains:
        return
    for split in [spec.split] if spec.split else [*SPLITS]:
        try:
            print(_count(spec, split), file=sys.stderr)
        except EmptySplit:
            if spec.split:
                raise
            _count(spec, None)
            print(f"{spec._replace(split=split)}: none", file=sys.stderr)


def _count(spec: Spec, split: str | None) -> str:
    """What a split holds; where it can be streamed, by its records, so that a file may pass memory."""
    records = open_records(spec, split) if can_stream() else None
    if records is None:
        source = load(spec, split)
        return describe(source.name, Counter(source.words), source.skipped)
    counts, skipped = Counter[str](), 0
    for part in sources(records):
        counts.update(part.words)
        skipped = part.skipped  # of all parts together
    return describe(records.name, counts, skipped)


def show(spec: Spec, out: Path, *, count: int = TILES, geometry: str = GEOMETRY) -> None:
    """Writes a sheet of what the network sees of a source, each tile labelled; counts go to standard error.

    Args:
        spec: what to show; without a split, what `evaluate` takes.
        out: a PNG file.
        count: tiles; of more examples, ones spread evenly over all.
        geometry: input geometry of a model.

    Raises:
        InputError: the data, the name or the place of the file cannot be used.
    """
    if not 1 <= count <= MAX_TILES:
        raise InputError(f"--count {count} is out of range: give 1 to {MAX_TILES}")
    require_png(out)
    examples = to_examples(load(spec), geometry)
    contact_sheet(examples, count).save(out)
    print(describe(examples.name, Counter(examples.words), examples.skipped), file=sys.stderr)
    print(f"sheet of {min(count, len(examples.labels))}: {out}", file=sys.stderr)


def split_file(spec: Spec, out: Path, source: str | None, sizes: tuple[int, int], seed: int) -> None:
    """Writes a file to train on and one held out, and names them on standard error.

    Raises:
        InputError: as `holdout.hold_out`.
    """
    files = holdout.hold_out(Path(spec.path or ""), out, source=source, sizes=sizes, seed=seed)
    for file, size in zip(files, sizes, strict=True):
        print(f"{counted(size, 'drawing')}: {file}", file=sys.stderr)


def contact_sheet(examples: Examples, count: int) -> Image.Image:
    """Tiles of evenly spread examples, dark ink on light paper, each above its word."""
    chosen = np.unique(np.linspace(0, len(examples.labels) - 1, count).round().astype(int))
    columns = min(len(chosen), max(1, round((len(chosen) * 1.6) ** 0.5)))
    rows = -(-len(chosen) // columns)
    step_x, step_y = TILE + 4, TILE + CAPTION + 4
    sheet = Image.new("L", (columns * step_x + 4, rows * step_y + 4), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, index in enumerate(chosen):
        x, y = 4 + place % columns * step_x, 4 + place // columns * step_y
        tile = Image.fromarray(255 - examples.images[index, :, :, 0])
        sheet.paste(tile.resize((TILE, TILE), Image.Resampling.NEAREST), (x, y))
        pen.rectangle((x - 1, y - 1, x + TILE, y + TILE), outline=FRAME)
        pen.text((x + TILE // 2, y + TILE + 1), _caption(examples.words[index]), fill=INK, anchor="ma")
    return sheet


def describe(name: str, counts: Counter[str], skipped: int) -> str:
    """One line: how many examples, and of which words how many."""
    shown = sorted(counts) if len(counts) <= 16 else [word for word, _ in counts.most_common(12)]
    text = ", ".join(f"{word!r} {counts[word]}" for word in shown)
    more = f", {len(counts) - len(shown)} other words" if len(counts) > len(shown) else ""
    left_out = f"; {skipped} without a label left out" if skipped else ""
    return f"{name}: {counted(counts.total(), 'example')}: {text}{more}{left_out}"


def _caption(word: str) -> str:
    return one_line(word)[:8]
