"""The small run, finished once, and a folder for others."""

from pathlib import Path

import jax
import pytest

from digitjax import cli
from digitjax.models import make_model
from digitjax.optim import make_optimizer
from digitjax.train import init_state
from tests.loop.small import ARGUMENTS, CONFIG


@pytest.fixture(scope="package", autouse=True)
def compiled_once(tmp_path_factory):
    """The runs of this folder compile the same programs: let the second take the first one's."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            jax.config.update(name, value)
            patch.setenv(name.upper(), str(value))
        yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="package")
def finished(tmp_path_factory) -> Path:
    """A run that never stopped, by the command line."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITJAX_CHECKPOINTS", str(folder))
        assert cli.main(["train", *ARGUMENTS]) == 0
    return folder / "cnn-0"


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="package")
def abstract_state():
    return jax.eval_shape(
        lambda: init_state(jax.random.key(0), make_model(CONFIG.model), make_optimizer(CONFIG))
    )
