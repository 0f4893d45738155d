"""The UCI pen digits as a TFDS builder that needs no TensorFlow: strokes of any length as ArrayRecord.

A digit's points lie in one flat list beside the lengths of its strokes. Importing this module imports
tensorflow_datasets: do it where it is used.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from digitjax.data.line import Line, build, progress_line
from digitjax.data.pendigits import Strokes


class DigitjaxPendigits(tfds.core.GeneratorBasedBuilder):
    """The training writers' digits, one split named train; sources split it by writer."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, digits: Sequence[Strokes], line: Line | None = None, **kwargs: Any) -> None:
        """Args: digits: what to write. line: to show it on. kwargs: those of `tfds.core.DatasetBuilder`."""
        self._given, self._line = digits, line
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "index": tfds.features.Scalar(np.int64),
            "digit": tfds.features.Scalar(np.int64),
            "writer": tfds.features.Scalar(np.int64),
            "points": tfds.features.Tensor(shape=(None, 2), dtype=np.int32),
            "lengths": tfds.features.Tensor(shape=(None,), dtype=np.int32),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            homepage="https://archive.ics.uci.edu/dataset/81/pen+based+recognition+of+handwritten+digits",
            citation="E. Alpaydin and F. Alimoglu, Pen-Based Recognition of Handwritten Digits, UCI, 1998",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager  # the file is given and was checked before
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, digit in enumerate(self._given):
            if self._line is not None:
                self._line.done(index)
            yield index, {"index": index, **digit._asdict()}


def write_records(digits: Sequence[Strokes], folder: Path) -> None:
    """Prepares the digits as ArrayRecord below `folder`, with a line of progress on standard error.

    Raises:
        OSError: the records could not be written, as on a full disk.
    """
    with progress_line(f"preparing the pen digits: {len(digits):,}", len(digits)) as line:
        builder = DigitjaxPendigits(digits=digits, line=line, data_dir=folder, file_format="array_record")
        build(builder)


def read_records(folder: Path) -> list[Strokes]:
    """All digits in the order in which they were written.

    The same as `as_data_source`, which a test compares, without its general code for each feature.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    parse = tf_example_pb2.Example.FromString  # pyright: ignore[reportAttributeAccessIssue]
    found: dict[int, Strokes] = {}
    for file in sorted(folder.glob("digitjax_pendigits/*/*-train.array_record-*")):
        reader = ArrayRecordReader(str(file))
        for record in reader.read_all():
            feature = {name: value.int64_list.value for name, value in parse(record).features.feature.items()}
            found[feature["index"][0]] = Strokes(
                feature["digit"][0],
                feature["writer"][0],
                np.array(feature["points"], np.int32).reshape(-1, 2),
                np.array(feature["lengths"], np.int32),
            )
        reader.close()
    return [found[index] for index in sorted(found)]
