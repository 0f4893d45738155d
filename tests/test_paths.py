"""The folders that digitjax uses."""

from pathlib import Path

import platformdirs
import pytest

from digitjax import paths

FOLDERS = {
    "DIGITJAX_MNIST_DIR": paths.mnist_dir,
    "DIGITJAX_DATA_DIR": paths.data_dir,
    "DIGITJAX_USER_DIR": paths.user_dir,
    "DIGITJAX_CHECKPOINTS": paths.checkpoints_dir,
}


@pytest.mark.parametrize("variable", FOLDERS)
def test_the_environment_decides_and_nothing_is_created(variable, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, str(tmp_path / "there"))
    assert FOLDERS[variable]() == tmp_path / "there"
    assert not (tmp_path / "there").exists()


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("DIGITJAX_DATA_DIR", "~/digits")
    assert paths.data_dir() == Path.home() / "digits"


@pytest.mark.parametrize("value", [None, "", " "])
def test_without_it_the_system_decides(monkeypatch, value):
    for variable in FOLDERS:
        monkeypatch.delenv(variable)
        if value is not None:
            monkeypatch.setenv(variable, value)
    assert paths.mnist_dir() is None
    assert paths.data_dir() == Path(platformdirs.user_cache_dir("digitjax", appauthor=False))
    assert paths.user_dir() == Path(platformdirs.user_data_dir("digitjax", appauthor=False))
    assert paths.checkpoints_dir() == Path("checkpoints")


@pytest.mark.parametrize(("value", "means"), [("", False), ("0", False), ("1", True), ("yes", True)])
def test_offline(monkeypatch, value, means):
    monkeypatch.setenv("DIGITJAX_OFFLINE", value)
    assert paths.offline() is means
