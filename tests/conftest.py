"""The conditions under which every test runs, set before jax or digitjax is imported."""

import os
import tempfile
from pathlib import Path

GIVEN_MNIST_DIR = os.environ.get("DIGITJAX_MNIST_DIR")
SHARED_DATASETS = Path(__file__).resolve().parents[2] / "shared" / "datasets"
FOLDERS = {
    "DIGITJAX_MNIST_DIR": "mnist",
    "DIGITJAX_DATA_DIR": "data",
    "DIGITJAX_USER_DIR": "user",
    "DIGITJAX_CHECKPOINTS": "checkpoints",
}

LONGEST = (
    "tests/loop/",
    "test_readme.py",
    "test_train.py",
    "test_pipeline.py",
    "test_teach.py",
    "test_bench_squeezed.py",
    "test_play_reader.py",
    "test_nondigits.py",
    "test_architecture.py",
    "test_adding.py",
)
"""Files that take long for the number of their tests: begun first, or a worker has one left in the end."""

_session = tempfile.TemporaryDirectory(prefix="digitjax-tests-", ignore_cleanup_errors=True)


def _set_environment(root: Path) -> None:
    for variable, name in FOLDERS.items():
        folder = root / name
        folder.mkdir()
        os.environ[variable] = str(folder)
    os.environ["DIGITJAX_OFFLINE"] = "1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    # Two devices; and code that is compiled for one small call each need not be fast.
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
    os.environ["MPLBACKEND"] = "agg"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(root / "compiled"))
    os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")


_set_environment(Path(_session.name))

import jax
import jaxtyping
import pytest
from jaxtyping import install_import_hook

_hook = install_import_hook("digitjax", "beartype.beartype")

from digitjax.data import procedural

# Fewer procedural drawings are held out than a user's: rendering them is a tenth of what the tests cost.
procedural.COUNTS.update(train=3_000, validation=500, test=1_000)
procedural.CHUNK = 500

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture
def unchecked():
    """Array types are not checked, as they are not where digitjax is installed."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONGEST))


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of drawings and pictures that lies beside the repository in CI; skips where it is absent."""
    if not SHARED_DATASETS.is_dir():
        pytest.skip(f"{SHARED_DATASETS} is not here")
    return SHARED_DATASETS


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """A folder with the four real IDX files; skips where there is none."""
    for folder in (GIVEN_MNIST_DIR, SHARED_DATASETS / "mnist"):
        if folder and any(Path(folder).glob("t10k-images*")):
            return Path(folder)
    pytest.skip("the real MNIST files are not here: set DIGITJAX_MNIST_DIR")
