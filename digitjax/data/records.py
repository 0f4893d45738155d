"""Prepared records: what one holds, the index by which it is found, and reading it through grain.

A source of any size becomes records once, and is then read by place: nothing but the index is in memory,
`INDEX.itemsize` bytes a record. A record knows its place in the source, so the order in which files hold the
records, and how many files there are, means nothing.
"""

import contextlib
import importlib.util
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from digitjax import paths
from digitjax.data.labels import AMBIGUOUS, NOT_A_DIGIT, label_of
from digitjax.data.line import progress_line
from digitjax.data.mnist_files import has_array_record
from digitjax.data.prepared import is_there, publish
from digitjax.data.splits import BUCKETS
from digitjax.errors import InputError
from digitjax.segments import MAX_SEGMENTS

FORMAT = 1
"""Of the records; a part of their folder's name."""
FILE = "records.array_record"
INDEX_FILE = "index.npy"
INDEX = np.dtype([("place", "<u4"), ("bucket", "u1"), ("label", "i1"), ("ambiguous", "?"), ("rows", "u1")])
"""What is known of each record without reading it, in the order of the source.

`place`: where it is in the files. `label`: 0 to 9, `labels.NOT_A_DIGIT`, or `UNLABELLED`. `ambiguous`: its
word is in `labels.AMBIGUOUS`. `rows`: its pieces of ink.
"""
UNLABELLED = -1
"""Label of what has no word."""
AT_ONCE = 1024
"""Records read in one call where all are."""
GROUP = 16
"""Drawings that are packed together: ArrayRecord keeps some 500 bytes a group in memory. To read one, its
group is unpacked; up to this size that costs no more than reading it alone does.
"""


class Record(NamedTuple):
    """One example; of `ink` and `picture` one is None.

    Attributes:
        key: its place in the source; no two records have the same.
        bucket: of its split, 0 to 9.
        word: what it shows, None where nobody said.
        writer: who drew it, where known.
        ink: pieces as `segments.pack` makes them, without padding.
        picture: as it came.
    """

    key: int
    bucket: int
    word: str | None
    writer: str | None = None
    ink: Float[np.ndarray, "rows 4"] | None = None
    picture: UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width channels"] | None = None


class Records(NamedTuple):
    """The records of a spec.

    Attributes:
        name: canonical text of the spec.
        entries: `INDEX` of each, in the order of the source.
        read: the records at the given places.
    """

    name: str
    entries: np.ndarray
    read: Callable[[Int[np.ndarray, " n"]], list[Record]]


def records_folder(name: str, key: str) -> Path:
    """Where the records of a source are: by its name and the SHA-256 of what it was made from.

    Raises:
        InputError: there is no ArrayRecord here.
    """
    require_stream()
    return paths.data_dir() / f"{name}-{key[:16]}-stream-{FORMAT}"


def can_stream() -> bool:
    """Whether ArrayRecord, which has no build for Windows, and grain are here."""
    return has_array_record() and importlib.util.find_spec("grain") is not None


def require_stream() -> None:
    """Raises: InputError: prepared records cannot be read here."""
    if not has_array_record():
        raise InputError("--stream reads ArrayRecord, which has no build for this system: leave --stream out")
    if not can_stream():
        raise InputError("--stream needs grain, which is not installed here: run `make setup` again")


def prepare_records(
    folder: Path, about: str, records: Callable[[], Iterable[Record]], group: int = 1
) -> None:
    """Writes the records and their index below `folder`, one by one, where that is not done.

    Args:
        folder: from `records_folder`.
        about: what is prepared, for the line of progress.
        records: begins reading the source.
        group: records that are packed together.

    Raises:
        InputError: the source is refused, or the data folder cannot be written to.
        DigitjaxError: it failed on the way, as on a full disk.
    """

    def write(unfinished: Path) -> None:
        write_records(records(), unfinished, about, group)
        write_index(unfinished)

    if not is_there(folder):
        publish(folder, write)


def write_records(records: Iterable[Record], folder: Path, about: str, group: int = 1) -> None:
    """Writes the records to one file in `folder` as they come, with a line of progress on standard error.

    Not by TFDS's writer, which keeps up to a gigabyte in memory and then asks for TensorFlow.

    Raises:
        OSError: it could not be written, as on a full disk.
    """
    with progress_line(f"preparing {about}", None) as line:

        def counted() -> Iterator[bytes]:
            for number, record in enumerate(records, 1):
                yield encode(record)
                line.done(number)

        write_raw(counted(), folder / FILE, group)


def write_raw(records: Iterable[bytes], path: Path, group: int) -> None:
    """Writes records, which are bytes, to a new file, `group` of them packed together.

    Raises:
        OSError: it could not be written, as on a full disk.
    """
    from array_record.python.array_record_module import ArrayRecordWriter

    with _as_os_error():
        writer = ArrayRecordWriter(str(path), f"group_size:{group}")
    try:
        for raw in records:
            with _as_os_error():
                writer.write(raw)
    except BaseException:
        with contextlib.suppress(RuntimeError):
            writer.close()
        raise
    with _as_os_error():  # it writes in a thread of its own: what failed may be told only here
        writer.close()


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """ArrayRecord tells of a full disk by a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(" ".join(str(error).split())[:160]) from None


def write_index(folder: Path) -> None:
    """Makes the index of the records that are below `folder`, whoever wrote them."""
    source, read = open_files(record_files(folder))
    dtype = np.dtype([("key", "<i8"), *((name, INDEX[name]) for name in INDEX.names or ())])
    rows = np.fromiter(_index_rows(source, read), dtype, count=len(source))
    rows.sort(order="key")
    if (rows["key"][1:] == rows["key"][:-1]).any():
        raise InputError(f"two records of {folder} are of one place in the source: prepare them again")
    index = np.empty(len(rows), INDEX)
    for name in INDEX.names or ():
        index[name] = rows[name]
    np.save(folder / INDEX_FILE, index, allow_pickle=False)


def open_records(name: str, folder: Path, split: str | None) -> Records:
    """The records of a split, None for all, of a prepared folder."""
    index = np.load(folder / INDEX_FILE, allow_pickle=False)
    if split is not None:
        index = index[np.isin(index["bucket"], list(BUCKETS[split]))]
    return Records(name, index, open_files(record_files(folder))[1])


def record_files(folder: Path) -> list[Path]:
    """The files of records below a folder, in the order of their names."""
    return sorted(folder.rglob("*.array_record*"))


def open_files(
    files: Sequence[Path], decode: Callable[[bytes], Record] | None = None
) -> tuple[Any, Callable[[Int[np.ndarray, " n"]], list[Record]]]:
    """Files of records as one sequence of bytes, and what reads those at given places.

    Args:
        files: ArrayRecord.
        decode: bytes to a record; ValueError, KeyError or IndexError where they are none. By default
            `decode_record`.

    Raises:
        InputError: they are damaged; `read` raises it, too.
    """
    import grain

    decode = decode or decode_record
    with _damage_refused(files):
        source = grain.sources.ArrayRecordDataSource([str(file) for file in files])

    def read(places: Int[np.ndarray, " n"]) -> list[Record]:
        with _damage_refused(files):
            with _groups_are_meant():
                raw = source.__getitems__(places.tolist())  # pyright: ignore[reportAttributeAccessIssue]
            return list(map(decode, raw))

    return source, read


@contextlib.contextmanager
def _groups_are_meant() -> Iterator[None]:
    """ArrayRecord's source logs groups of more than one record as an error; see `GROUP`."""
    logger = logging.getLogger("absl")
    logger.addFilter(_is_about_no_group)
    try:
        yield
    finally:
        logger.removeFilter(_is_about_no_group)


def _is_about_no_group(entry: logging.LogRecord) -> bool:
    return "group size" not in str(entry.msg)


@contextlib.contextmanager
def _damage_refused(files: Sequence[Path]) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, IndexError, RuntimeError, OSError) as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        folder = files[0].parent if files else "the data folder"
        raise InputError(
            f"the records in {folder} are damaged ({said}): delete that folder, then run again"
        ) from None


def to_example(record: Record) -> dict[str, Any]:
    """A record as the features of a `tf.train.Example`: no word and no writer are empty texts."""
    example: dict[str, Any] = {
        "key": record.key,
        "bucket": record.bucket,
        "word": record.word or "",
        "writer": record.writer or "",
    }
    if record.ink is not None:
        return example | {"ink": np.ascontiguousarray(record.ink, "<f4").tobytes()}
    assert record.picture is not None
    return example | {"picture": record.picture.tobytes(), "shape": record.picture.shape}


def encode(record: Record) -> bytes:
    """A record as bytes, a `tf.train.Example`."""
    from tensorflow_datasets.proto import tf_example_pb2

    example = tf_example_pb2.Example()  # pyright: ignore[reportAttributeAccessIssue]
    for name, value in to_example(record).items():
        feature = example.features.feature[name]
        match value:
            case str():
                feature.bytes_list.value.append(value.encode())
            case bytes():
                feature.bytes_list.value.append(value)
            case int():
                feature.int64_list.value.append(value)
            case _:
                feature.int64_list.value.extend(value)
    return example.SerializeToString()


def decode_record(raw: bytes) -> Record:
    """A record from its bytes.

    Raises:
        ValueError, KeyError, IndexError: they are not.
    """
    feature = parse_example(raw)

    def text(name: str) -> str | None:
        return feature[name].bytes_list.value[0].decode() or None

    key, bucket = (feature[name].int64_list.value[0] for name in ("key", "bucket"))
    if not 0 <= bucket <= 9:
        raise ValueError(f"bucket {bucket}")
    if "ink" in feature:
        ink = np.frombuffer(feature["ink"].bytes_list.value[0], "<f4").reshape(-1, 4)
        if len(ink) > MAX_SEGMENTS or not np.isfinite(ink).all():
            raise ValueError("ink that is none")
        return Record(key, bucket, text("word"), text("writer"), ink=ink)
    pixels = np.frombuffer(feature["picture"].bytes_list.value[0], np.uint8)
    picture = pixels.reshape(list(feature["shape"].int64_list.value))
    return Record(key, bucket, text("word"), text("writer"), picture=picture)


def parse_example(raw: bytes) -> Any:
    """The features of a `tf.train.Example`, by name.

    Raises:
        ValueError: it is none.
    """
    from tensorflow_datasets.proto import tf_example_pb2

    try:
        return tf_example_pb2.Example.FromString(raw).features.feature  # pyright: ignore[reportAttributeAccessIssue]
    except Exception as error:  # protobuf's own, whose package is TFDS's affair
        raise ValueError(str(error)) from None


def index_row(place: int, record: Record) -> tuple[int, int, int, bool, int]:
    """What the index says of a record."""
    label = UNLABELLED if record.word is None else label_of(record.word)
    ambiguous = label == NOT_A_DIGIT and record.word in AMBIGUOUS
    return place, record.bucket, label, ambiguous, 0 if record.ink is None else len(record.ink)


def _index_rows(source: Any, read: Callable[[np.ndarray], list[Record]]) -> Iterator[tuple]:
    for start in range(0, len(source), AT_ONCE):
        places = np.arange(start, min(start + AT_ONCE, len(source)))
        for place, record in zip(places.tolist(), read(places), strict=True):
            yield record.key, *index_row(place, record)
