"""Starts processes once for all tests of the folder, and a run that nothing happened to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.starter import SMALL, Starter


@pytest.fixture(scope="package")
def starter(tmp_path_factory) -> Iterator[Starter]:
    starter = Starter(tmp_path_factory.mktemp("starter"))
    yield starter
    starter.close()


@pytest.fixture(scope="package")
def whole(starter, tmp_path_factory) -> Path:
    """A run that nothing happened to."""
    run = tmp_path_factory.mktemp("whole") / "run"
    code, said = starter.run([*SMALL, str(run)])
    assert code == 0, said
    return run
