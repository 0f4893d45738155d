"""A small MNIST: its files, their checksums, and a folder that is given."""

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from digitjax.data.download import Download
from digitjax.data.idx import write_idx
from digitjax.data.mnist import Known
from tests.data.tiny_mnist import NAMES, SIZES


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A folder with four small IDX files, gzip and plain."""
    folder = tmp_path_factory.mktemp("tiny")
    random = np.random.default_rng(0)
    for part, n in SIZES.items():
        write_idx(folder / f"{part}-images-idx3-ubyte", random.integers(0, 256, (n, 28, 28), dtype=np.uint8))
        write_idx(folder / f"{part}-labels-idx1-ubyte", (np.arange(n) % 10).astype(np.uint8))
    for name in NAMES[:3]:
        data = (folder / name).read_bytes()
        (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
    return folder


@pytest.fixture
def table(tiny) -> dict[str, Known]:
    """The checksums of the small files."""
    found = {}
    for name in NAMES:
        data = (tiny / name).read_bytes()
        packed = gzip.compress(data, mtime=0)
        items = SIZES[name.partition("-")[0]]
        download = Download(len(packed), hashlib.sha256(packed).hexdigest())
        found[name] = Known(download, hashlib.sha256(data).hexdigest(), items)
    return found


@pytest.fixture
def given(tiny, tmp_path, monkeypatch) -> Path:
    """A copy of the small files in DIGITJAX_MNIST_DIR, and an empty data folder."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(tiny / name, folder)
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(folder))
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path / "data"))
    return folder
