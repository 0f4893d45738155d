"""Prepares drawings through Apache Beam and TFDS's Beam writer: on one machine, Flink, Spark or Dataflow.

The records are those that `drawings.prepare` writes, in more files. A plain file is read by many workers,
each some of its lines; a gzip file has to be read from its beginning, so by one. apache_beam is the extra
`scale` and is imported where it is used; importing this module imports tensorflow_datasets.
"""

import contextlib
import importlib.util
import logging
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters
from tensorflow_datasets.core.writer import ExampleWriter

from digitjax.data.drawings import file_folder, to_record
from digitjax.data.line import progress_line
from digitjax.data.prepared import is_there, publish
from digitjax.data.records import GROUP, to_example, write_index, write_raw
from digitjax.errors import DigitjaxError, InputError
from digitjax.strokes import read_numbered

PIECE_BYTES = 16 * 2**20
"""Bytes that a worker reads at once."""
SHARD_BYTES = 128 * 2**20
"""Bytes of a file of records at most; a worker holds one in memory while it writes it."""


class Piece(NamedTuple):
    """Whole lines of a plain file, or all of a zipped one.

    Attributes:
        start: byte at which the first line begins.
        stop: byte after the last one; None for the end of the file.
        before: lines before the first.
    """

    start: int
    stop: int | None
    before: int


class DigitjaxDrawings(tfds.core.GeneratorBasedBuilder):
    """The drawings of a file, one split named train; every record knows its own."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, path: Path, pieces: list[Piece], **kwargs: Any) -> None:
        """Args: path: NDJSON. pieces: of it. kwargs: those of `tfds.core.DatasetBuilder`."""
        self._path, self._pieces = str(path.resolve()), pieces
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "key": tfds.features.Scalar(np.int64),
            "bucket": tfds.features.Scalar(np.int64),
            "word": tfds.features.Text(),
            "writer": tfds.features.Text(),
            "ink": tfds.features.Scalar(np.str_),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the file is given
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Any:
        import apache_beam as beam  # pyright: ignore[reportMissingImports]

        return beam.Create(self._pieces) | beam.Reshuffle() | beam.FlatMap(examples_of, self._path)

    def _example_writer(self) -> ExampleWriter:
        return GroupWriter(file_adapters.FileFormat.ARRAY_RECORD)


class GroupWriter(ExampleWriter):
    """Packs records together, which TFDS's own does not: see `records.GROUP`."""

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> None:
        """Args: path: of a new file. examples: keys, which are the file's order alone, and records."""
        write_raw((raw for _, raw in examples), Path(path), GROUP)


def examples_of(piece: Piece, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a piece as TFDS takes them, by their numbers."""
    for line, drawing in read_numbered(path, *piece):
        yield line, to_example(to_record(line, drawing))


def pieces_of(path: Path, size: int) -> list[Piece]:
    """Cuts a file at ends of lines, about every `size` bytes; lines are counted, nothing is kept in memory.

    Raises:
        InputError: the file cannot be read.
    """
    found, start, before, lines, at = [], 0, 0, 0, 0
    try:
        with path.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                return [Piece(0, None, 0)]
            file.seek(0)
            while block := file.read(min(size, 1 << 20)):
                if at + len(block) - start >= size and (end := block.rfind(b"\n") + 1):
                    found.append(Piece(start, at + end, before))
                    start, before = at + end, lines + block.count(b"\n", 0, end)
                lines += block.count(b"\n")
                at += len(block)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): give a readable file") from None
    return found if start == at else [*found, Piece(start, None, before)]


def prepare_with_beam(path: Path, options: str = "", shards: int | None = None) -> Path:
    """The folder of a file's records, made now by a Beam pipeline where they are missing or damaged.

    Args:
        path: NDJSON, plain or gzip, and the data folder: where every worker sees them.
        options: Beam's own, such as "--runner=FlinkRunner --flink_master=host:8081"; DirectRunner without.
        shards: files of records; None lets TFDS choose by size.

    Raises:
        InputError: apache_beam is not here, the file is refused, or the data folder cannot be written to.
        DigitjaxError: the pipeline failed.
    """
    if importlib.util.find_spec("apache_beam") is None:
        raise InputError("--beam needs Apache Beam, which is not installed here: install digitjax[scale]")
    folder = file_folder(path)
    if is_there(folder):
        return folder

    def write(unfinished: Path) -> None:
        run_pipeline(path, unfinished, options, shards)
        write_index(unfinished)

    publish(folder, write)
    return folder


@contextlib.contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """Keeps what is logged to itself."""
    named = logging.getLogger(logger)
    level = named.level
    named.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        named.setLevel(level)


def run_pipeline(path: Path, folder: Path, options: str, shards: int | None) -> None:
    """Lets Beam write the records below `folder`.

    Raises:
        InputError: the options are none, or a line of the file is refused.
        DigitjaxError: the pipeline failed.
    """
    with _quiet(""):  # it warns of cloud libraries that are not there
        from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions  # pyright: ignore[reportMissingImports]
        from apache_beam.runners.runner import create_runner  # pyright: ignore[reportMissingImports]

    try:
        given = PipelineOptions(shlex.split(options))
        runner = given.view_as(StandardOptions).runner or "DirectRunner"
        given.view_as(StandardOptions).runner = runner
        create_runner(runner)
    except (ValueError, SystemExit, ImportError):
        raise InputError(
            f"--beam cannot be {options!r}: give Beam's options, as --runner=DirectRunner"
        ) from None
    config = tfds.download.DownloadConfig(
        beam_runner=runner, beam_options=given, num_shards=shards, max_shard_size=SHARD_BYTES
    )
    builder = DigitjaxDrawings(
        path=path, pieces=pieces_of(path, PIECE_BYTES), data_dir=folder, file_format="array_record"
    )
    try:
        # What a worker raised is told once, as the sentence it is, and not as a traceback before it.
        with progress_line(f"preparing {path} by Beam's {runner}", None), _quiet("apache_beam"):
            builder.download_and_prepare(download_config=config)
    except InputError as error:  # as DirectRunner passes it on
        raise InputError(str(error).partition(" [while running")[0]) from None
    except Exception as error:  # whatever another runner makes of what a worker raised
        said = str(error)
        if refused := re.search(r"InputError: (.+?)(?: \[while running|\\n|\n|$)", said):
            raise InputError(refused[1]) from None
        said = " ".join(said.split())[:300]
        raise DigitjaxError(
            f"Beam's {runner} failed ({said}): try --runner=DirectRunner, or see what its workers log"
        ) from None
