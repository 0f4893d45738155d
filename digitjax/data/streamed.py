"""Examples that stay in their prepared records until a batch takes them: what `train --stream` reads.

However many records there are, memory holds their index and the few batches that grain has read ahead.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Int

from digitjax.data.batches import Store, Taken, padded_rows
from digitjax.data.records import AT_ONCE, UNLABELLED, Record, Records
from digitjax.data.spec import Source, together
from digitjax.errors import DigitjaxError
from digitjax.pixels import pictures_to_images
from digitjax.segments import MAX_SEGMENTS
from digitjax.types import Segments

THREADS = 1
"""Threads that read ahead: one is faster than a step."""
AHEAD = 4
"""Batches that are read ahead at most."""

T = TypeVar("T")


def store(records: Records, keep: Bool[np.ndarray, " n"], geometry: str) -> Store:
    """The records marked in `keep` as a part of batches."""
    index = records.entries[keep]
    rows = padded_rows(int(index["rows"].max(initial=0)))

    def take(indices: Int[np.ndarray, " taken"]) -> Taken:
        rows_of_index = index[indices]
        found = records.read(rows_of_index["place"].astype(np.int64))
        if found[0].ink is not None:
            return Taken(rows_of_index["label"], ink=_stack(found, rows))
        return Taken(rows_of_index["label"], images=pictures_to_images(_pictures(found), geometry))

    return Store(len(index), take)


def sources(records: Records, most: int | None = None) -> Iterator[Source]:
    """The labelled records, all or `most` of them evenly spread, as examples in memory, a few at a time."""
    index = records.entries[records.entries["label"] != UNLABELLED]
    skipped = len(records.entries) - len(index)
    if most is not None and len(index) > most:
        index = index[np.linspace(0, len(index) - 1, most).astype(int)]
    for start in range(0, len(index), AT_ONCE):
        chosen = index[start : start + AT_ONCE]
        found = records.read(chosen["place"].astype(np.int64))
        ink = found[0].ink is not None
        yield Source(
            name=records.name,
            labels=chosen["label"].astype(np.int8),
            words=tuple(record.word or "" for record in found),
            writers=tuple(record.writer for record in found),
            ink=_stack(found, MAX_SEGMENTS) if ink else None,
            images=None if ink else _pictures(found),
            skipped=skipped,
        )


def read_ahead(at: Callable[[int], T]) -> Callable[[int], T]:
    """An equal function for a caller who mostly asks for the next number: grain's thread has it ready."""
    import grain

    def attempt(number: int) -> T | DigitjaxError:
        try:
            return at(number)
        except DigitjaxError as error:  # raised through grain it would get words of grain's at its end
            return error

    numbers = grain.MapDataset.range(2**31).map(attempt)
    options = grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=AHEAD)
    coming, following = None, -1

    def ahead(number: int) -> T:
        nonlocal coming, following
        if coming is None or number != following:
            coming = iter(numbers[number:].to_iter_dataset(read_options=options))
        following = number + 1
        found = next(coming)
        if isinstance(found, DigitjaxError):
            raise found
        return found

    return ahead


def _stack(found: list[Record], rows: int) -> Segments:
    ends, mask = np.zeros((len(found), rows, 4), np.float32), np.zeros((len(found), rows), bool)
    for place, record in enumerate(found):
        assert record.ink is not None
        ends[place, : len(record.ink)] = record.ink
        mask[place, : len(record.ink)] = True
    return Segments(ends, mask)


def _pictures(found: list[Record]) -> np.ndarray | list[np.ndarray]:
    return together([record.picture for record in found if record.picture is not None])
