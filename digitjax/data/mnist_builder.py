"""MNIST as a TFDS builder that needs no TensorFlow: ArrayRecord in, ArrayRecord out.

The stock builder reads with `tf.io.gfile` and encodes PNG with TensorFlow; this one takes arrays and
keeps the pixels as bytes. Importing this module imports tensorflow_datasets: do it where it is used.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int

from digitjax.data.line import Line, build, progress_line
from digitjax.data.mnist import Images
from digitjax.data.records import AT_ONCE, Record, open_files, parse_example


class DigitjaxMnist(tfds.core.GeneratorBasedBuilder):
    """MNIST in the splits train (55,000), validation (5,000) and test (10,000)."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, splits: Mapping[str, Images], line: Line | None = None, **kwargs: Any) -> None:
        """Args: splits: what to write. line: to show it on. kwargs: those of `tfds.core.DatasetBuilder`."""
        self._given, self._line, self._written = splits, line, 0
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        pixels = tfds.features.Tensor(shape=(28, 28, 1), dtype=np.uint8, encoding="bytes")
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict({"image": pixels, "label": tfds.features.Scalar(np.int64)}),
            supervised_keys=("image", "label"),
            homepage="http://yann.lecun.com/exdb/mnist/",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager  # the files were fetched and checked before
        return {name: self._generate_examples(split) for name, split in self._given.items()}

    def _generate_examples(self, split: Images) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            self._written += 1
            if self._line is not None:
                self._line.done(self._written)
            yield index, {"image": image[:, :, None], "label": int(label)}


def write_records(splits: Mapping[str, Images], folder: Path) -> None:
    """Prepares the splits as ArrayRecord below `folder`, with a line of progress on standard error.

    Raises:
        OSError: the records could not be written, as on a full disk.
    """
    total = sum(len(split.images) for split in splits.values())
    with progress_line(f"preparing MNIST: {total:,} images", total) as line:
        builder = DigitjaxMnist(splits=splits, line=line, data_dir=folder, file_format="array_record")
        build(builder)


def read_records(split: str, folder: Path) -> Images:
    """All of one split at once.

    The same as `as_data_source`, which a test compares, at many times its speed: it decodes each
    feature of each record by general code.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    raw: list[bytes] = []
    for file in _files(split, folder):
        reader = ArrayRecordReader(str(file))
        raw.extend(reader.read_all())
        reader.close()
    return _alike(raw) or _each(raw)


def _each(raw: Sequence[bytes]) -> Images:
    pixels, labels = zip(*map(_fields, raw), strict=True)
    images = np.frombuffer(b"".join(pixels), np.uint8).reshape(-1, 28, 28)
    return Images(images, np.array(labels, np.int8))


def _alike(raw: Sequence[bytes]) -> Images | None:
    """Records that differ from the first in pixels and the last byte, the label, alone, decoded at once."""
    first, *_ = raw
    pixels, label = _fields(first)
    start = first.find(pixels)
    stop = start + len(pixels)
    if first[-1] != label or not 0 < start < stop < len(first) or any(len(one) != len(first) for one in raw):
        return None
    table = np.frombuffer(b"".join(raw), np.uint8).reshape(len(raw), -1)
    around = np.concatenate([table[:, :start], table[:, stop:-1]], axis=1)
    if (around != around[0]).any() or table[:, -1].max() > 9:
        return None
    images = np.ascontiguousarray(table[:, start:stop]).reshape(-1, 28, 28)
    return Images(images, table[:, -1].astype(np.int8))


def open_split(split: str, folder: Path) -> tuple[list[int], Callable[[Int[np.ndarray, " n"]], list[Record]]]:
    """The labels of one split in the order of its records, and what reads the records at given places."""
    source, read = open_files(_files(split, folder), _decode)
    places = np.arange(len(source))
    labels = [
        int(record.word or "")
        for start in range(0, len(places), AT_ONCE)
        for record in read(places[start : start + AT_ONCE])
    ]
    return labels, read


def _decode(raw: bytes) -> Record:
    pixels, label = _fields(raw)
    return Record(0, 0, str(label), picture=np.frombuffer(pixels, np.uint8).reshape(28, 28))


def _fields(raw: bytes) -> tuple[bytes, int]:
    """Pixels and label of a record."""
    feature = parse_example(raw)
    return feature["image"].bytes_list.value[0], feature["label"].int64_list.value[0]


def _files(split: str, folder: Path) -> list[Path]:
    return sorted(folder.glob(f"digitjax_mnist/*/*-{split}.array_record-*"))
