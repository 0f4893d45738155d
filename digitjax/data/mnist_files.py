"""MNIST's four files: their checksums, where they are given or prepared, who sends them. No JAX here.

So that the network is asked while the imports go on.
"""

import contextlib
import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from digitjax import paths
from digitjax.data.download import Download, asked_early, probe
from digitjax.data.prepared import is_whole

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
"""Where the canonical files can be had."""


class Known(NamedTuple):
    """One file of the canonical data.

    Attributes:
        download: size and SHA-256 of the gzip file.
        sha256: of the unpacked file.
        items: images or labels.
    """

    download: Download
    sha256: str
    items: int


# md5 of the gzip files: f68b3c2d..., d53e105e..., 9fb629c4..., ec29112d..., as published everywhere.
CANONICAL: Mapping[str, Known] = {
    "train-images-idx3-ubyte": Known(
        Download(9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        60_000,
    ),
    "train-labels-idx1-ubyte": Known(
        Download(28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        60_000,
    ),
    "t10k-images-idx3-ubyte": Known(
        Download(1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        10_000,
    ),
    "t10k-labels-idx1-ubyte": Known(
        Download(4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        10_000,
    ),
}
"""The four files and their checksums."""


def at_hand() -> bool:
    """Whether MNIST is given or prepared, so that it takes no network."""
    given = paths.mnist_dir()
    if given is not None and present(given):
        return True  # also where something is wrong with them: `mnist.prepare` says what
    key = key_of({name: known.download.sha256 for name, known in CANONICAL.items()})
    return is_whole(place(key), contents=False)


@contextlib.contextmanager
def asking_early() -> Iterator[None]:
    """Asks the mirrors at once where MNIST is not at hand: who needs one meanwhile finds the answer ready."""
    if paths.offline() or at_hand():
        yield
        return
    with asked_early(MIRRORS, *_question(CANONICAL)):
        yield


def find_mirror(table: Mapping[str, Known], mirrors: tuple[str, ...]) -> tuple[str | None, str]:
    """A mirror that answers, or None and why not."""
    mirror, reason = probe(mirrors, *_question(table))
    given = paths.mnist_dir()
    if mirror is None and given is not None:
        reason = f"{nothing_in(given)}, {reason}"
    return mirror, reason


def present(folder: Path) -> dict[str, Path]:
    """Given files by canonical name, gzip before plain; some distributions write a dot before `idx`."""
    found = {}
    for name in CANONICAL:
        for form in (f"{name}.gz", name, name.replace("-idx", ".idx") + ".gz", name.replace("-idx", ".idx")):
            if (folder / form).is_file():
                found[name] = folder / form
                break
    return found


def key_of(digests: Mapping[str, str]) -> str:
    """What names the copy that is prepared from files of these digests."""
    text = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def place(key: str) -> Path:
    """The folder of a prepared copy."""
    return paths.data_dir() / f"mnist-{key}-{'records' if has_array_record() else 'idx'}"


def has_array_record() -> bool:
    """Whether ArrayRecord can be written here; it has no wheel for Windows."""
    return importlib.util.find_spec("array_record") is not None


def _question(table: Mapping[str, Known]) -> tuple[str, int]:
    """Name and size of the smallest file, for which a mirror is asked."""
    name = min(table, key=lambda name: table[name].download.size)
    return f"{name}.gz", table[name].download.size


def nothing_in(given: Path) -> str:
    """Why a given folder does not serve, as the beginning of a sentence."""
    if given.is_dir():
        return f"{given} holds none of its files"
    return f"DIGITJAX_MNIST_DIR is {given}, which {'is no folder' if given.exists() else 'does not exist'}"
