"""`digitjax predict`: what a network reads in pictures and drawings."""

import collections
import functools
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from digitjax import compiled
from digitjax.commands.arguments import Parser, add_checkpoint, load_named, print_json
from digitjax.errors import InputError, one_line
from digitjax.numbers import Number, make_reader, read_number
from digitjax.pictures import read_picture
from digitjax.pixels import picture_to_image
from digitjax.predict import BATCH, Prediction, drawings_to_images, predict
from digitjax.strokes import read_drawings
from digitjax.types import Logits, Model, Params, Segments

DESCRIPTION = """\
Reads one digit in each picture or drawing.

A FILE is a PNG or JPEG picture of any size, dark on light or light on dark, or
drawings as NDJSON (.ndjson, .ndjson.gz), one a line:

  digitjax predict photo.jpg scan.png
  digitjax predict --json drawn.ndjson.gz > answers.json

With --number each drawing is a line of digits, read as one number:

  digitjax predict --number line.ndjson

A file that cannot be read is named, the others are answered, and the exit code is 2.
"""

DRAWINGS = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")
"""Endings of the names of files that hold drawings; everything else is taken for a picture."""


class Item(NamedTuple):
    """One picture or drawing on its way, or a file that could not be read.

    Attributes:
        file: as it was given.
        number: of the drawing in its file, from 0; 0 for a picture.
        image: what the network sees, float32 [height, width, 1]; None for a bad file, and for a number.
        error: the sentence about a bad file.
    """

    file: str
    number: int
    image: np.ndarray | None
    error: str | None = None


def run(argv: list[str]) -> int:
    """Runs the command and returns its exit code: 2 where a file was bad, after the good ones are done.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    arguments = _parser().parse(argv)
    with compiled.kept(lambda _: None):
        loaded = load_named(arguments.checkpoint)
        records, failed, width = [], False, _width(arguments.files)
        if arguments.number:
            found = numbers(functools.partial(make_reader(loaded.model), loaded.params), arguments.files)
        else:
            found = answers(loaded.model, loaded.params, read(arguments.files, loaded.model.geometry))
        for item, prediction in found:
            if prediction is None:
                failed = True
                print(f"digitjax: {one_line(item.error or '')}", file=sys.stderr)
                records.append({"file": item.file, "error": item.error})
            elif arguments.json:
                records.append({"file": item.file, "index": item.number} | prediction.to_json())
            else:
                print(_line(item, prediction, width))
    if arguments.json:
        print_json(records)
    return InputError.exit_code if failed else 0


def read(files: Iterable[str], geometry: str) -> Iterator[Item]:
    """The pictures and drawings of all files in order; a file that cannot be read whole is one bad item."""
    for file in files:
        try:
            if file.lower().endswith(DRAWINGS):
                collections.deque(read_drawings(file), maxlen=0)  # whole, or else refused, however large
                images = drawings_to_images(read_drawings(file), geometry)
            else:
                images = [picture_to_image(read_picture(file), geometry)]
            yield from (Item(file, number, image) for number, image in enumerate(images))
        except InputError as error:
            yield Item(file, 0, None, str(error))


def answers(model: Model, params: Params, items: Iterable[Item]) -> Iterator[tuple[Item, Prediction | None]]:
    """What the network reads in each item, in their order, `BATCH` a call; None for a bad file."""
    items = iter(items)
    while group := list(itertools.islice(items, BATCH)):
        images = [item.image for item in group if item.image is not None]
        found = iter(predict(model, params, np.stack(images)) if images else [])
        for item in group:
            yield item, None if item.image is None else next(found)


def numbers(read: Callable[[Segments], Logits], files: Iterable[str]) -> Iterator[tuple[Item, Number | None]]:
    """What the network reads in each line of digits, in their order; None for a bad file."""
    for file in files:
        try:
            if not file.lower().endswith(DRAWINGS):
                raise InputError(
                    f"{file} is no file of drawings: --number groups strokes, give .ndjson or .ndjson.gz"
                )
            collections.deque(read_drawings(file), maxlen=0)  # whole, or else refused, however large
            for number, drawing in enumerate(read_drawings(file)):
                yield Item(file, number, None), read_number(read, drawing.strokes)
        except InputError as error:
            yield Item(file, 0, None, str(error)), None


def _parser() -> Parser:
    parser = Parser(prog="digitjax predict", description=DESCRIPTION)
    parser.add_argument("files", nargs="+", metavar="FILE", help="pictures and drawings")
    add_checkpoint(parser)
    parser.add_argument(
        "--number", action="store_true", help="read each drawing as a whole number, digit by digit"
    )
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list, an object a picture or drawing"
    )
    return parser


def _line(item: Item, prediction: Prediction | Number, width: int) -> str:
    if not width:
        return prediction.sentence()
    return f"{_label(item.file, item.number):<{width}}  {prediction.sentence()}"


def _label(file: str, number: int) -> str:
    return f"{one_line(file)} {number}" if file.lower().endswith(DRAWINGS) else one_line(file)


def _width(files: list[str]) -> int:
    """Columns for the names, 0 for a single picture, which needs none."""
    if len(files) == 1 and not files[0].lower().endswith(DRAWINGS):
        return 0
    return min(48, max(len(_label(file, 9999)) for file in files))
