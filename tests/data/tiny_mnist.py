"""What the tests of MNIST's files share."""

from pathlib import Path

from digitjax.data.mnist_files import CANONICAL

NAMES = tuple(CANONICAL)
SIZES = {"train": 240, "t10k": 30}
"""Images of the small set's parts, by the beginning of their files' names."""


def prepared(tmp_path: Path) -> list[str]:
    """What lies in the data folder of the fixture `given`."""
    folder = tmp_path / "data"
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []
