"""Source `strokes:FILE`: drawings in NDJSON, plain or gzip, as ink.

Streamed, a file of any size becomes records once, in the data folder, by its SHA-256.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from digitjax.data.labels import label_of
from digitjax.data.prepared import sha256
from digitjax.data.records import GROUP, Record, Records, open_records, prepare_records, records_folder
from digitjax.data.spec import Kind, Source, Spec
from digitjax.data.splits import bucket, in_split, ink_digest, number_of, writer_digest
from digitjax.errors import InputError
from digitjax.segments import pack, stack
from digitjax.strokes import Drawing, read_drawings, read_numbered

MAX_DRAWINGS = 1_000_000
"""Drawings held in memory at most; packed, one takes 2.2 kB."""


def load_drawings(spec: Spec) -> Source:
    """The labelled drawings of a file that belong to the spec's split; None is the whole.

    Raises:
        InputError: the file is missing, too large, or a line is refused.
    """
    return collect(spec, read_drawings(Path(spec.path or "")))


def collect(spec: Spec, drawings: Iterable[Drawing]) -> Source:
    """The drawings of the spec's split, by writer where known; those without a word are counted.

    Raises:
        InputError: they are too many.
    """
    packed, words, writers, ids, skipped = [], [], [], [], 0
    for number, drawing in enumerate(drawings, 1):
        if number > MAX_DRAWINGS:
            raise InputError(
                f"{spec.path} has more than {MAX_DRAWINGS} drawings: train with --stream, or split it"
            )
        if not in_split(digest_of(drawing), spec.split):
            continue
        if drawing.word is None:
            skipped += 1
        else:
            packed.append(pack(drawing.strokes))
            words.append(drawing.word)
            writers.append(writer_of(drawing))
            ids.append(number_of(ink_digest(drawing.strokes)))
    return Source(
        name=str(spec),
        labels=np.array([label_of(word) for word in words], np.int8),
        words=tuple(words),
        writers=tuple(writers) if any(writers) else None,
        ink=stack(packed),
        skipped=skipped,
        ids=np.array(ids, np.uint64),
    )


def drawing_records(spec: Spec) -> Records:
    """The records of a file, prepared first where that is not done.

    Raises:
        InputError: the file is missing or a line is refused, or the data folder cannot be written to.
    """
    return open_records(str(spec), prepare(Path(spec.path or "")), spec.split)


def prepare(path: Path) -> Path:
    """The folder of a file's records, made now where they are missing or damaged.

    Raises:
        InputError: the file is missing or a line is refused, or the data folder cannot be written to.
    """
    folder = file_folder(path)
    prepare_records(
        folder,
        str(path),
        lambda: (to_record(line, drawing) for line, drawing in read_numbered(path)),
        GROUP,
    )
    return folder


def file_folder(path: Path) -> Path:
    """Where the records of a file are, or will be.

    Raises:
        InputError: it is missing, holds no drawing or begins with what is none.
    """
    next(read_drawings(path))
    return records_folder("strokes", sha256(path))


def to_record(key: int, drawing: Drawing) -> Record:
    """A drawing as a record; `key` is its line or its number in the source."""
    ink = pack(drawing.strokes)
    ends = np.asarray(ink.ends)[np.asarray(ink.mask)]
    return Record(key, bucket(digest_of(drawing)), drawing.word, writer_of(drawing), ink=ends)


def digest_of(drawing: Drawing) -> bytes:
    if drawing.writer is None:
        return ink_digest(drawing.strokes)
    return writer_digest(drawing.source, drawing.writer)


def writer_of(drawing: Drawing) -> str | None:
    if drawing.writer is None or drawing.source is None:
        return drawing.writer
    return f"{drawing.source}/{drawing.writer}"


KIND = Kind(
    about="drawings as strokes, QuickDraw's NDJSON, plain or gzip",
    licence="your own",
    load=load_drawings,
    takes="FILE",
    evaluates=None,
    records=drawing_records,
)
