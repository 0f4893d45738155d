"""Source `digits8x8`: the 1,797 UCI digits that scikit-learn carries, 8 x 8 pixels.

Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998: 32 x 32 bitmaps of paper
forms, counted in blocks of 4 x 4. These are the 1,797 of its test set.
"""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from digitjax.data.spec import SPLITS, DataUnavailable, Kind, Source, Spec
from digitjax.data.splits import picture_digests, stratified

PARTS = (0.7, 0.1)
"""Fractions of train and validation; test has the rest."""


def load_digits8x8(spec: Spec) -> Source:
    """The digits of a split, or all of them; images uint8 [n, 8, 8], 16 counts as 255.

    Raises:
        DataUnavailable: scikit-learn or its file is not there.
    """
    counts, labels = _read()
    images = np.round(counts * (255 / 16)).astype(np.uint8)
    sizes = [round(fraction * len(labels)) for fraction in PARTS]
    if spec.split is not None:
        part = stratified(labels, picture_digests(images), sizes)
        chosen = part == SPLITS.index(spec.split)
        images, labels = images[chosen], labels[chosen]
    return Source(
        name=str(spec), labels=labels.astype(np.int8), words=tuple(map(str, labels.tolist())), images=images
    )


def _read() -> tuple[UInt8[np.ndarray, "n 8 8"], Int[np.ndarray, " n"]]:
    """Counts 0 to 16 and labels, from the file itself: `load_digits` would import for over a second."""
    path = _file()
    if path is None:
        raise DataUnavailable(
            "digits8x8 is carried by scikit-learn, which is not installed: install scikit-learn"
        )
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError):
        raise DataUnavailable(f"{path} cannot be read: install scikit-learn again") from None
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def _file() -> Path | None:
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    return path if path.is_file() else None


KIND = Kind(
    about="UCI digits of scikit-learn, 8 x 8 pixels",
    licence="CC BY 4.0 (Alpaydin and Kaynak, UCI, 1998)",
    load=load_digits8x8,
    size="1,797 images",
    unavailable=lambda: None if _file() else "scikit-learn is not installed",
)
