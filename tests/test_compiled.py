"""Compiled programs that are kept: where they may lie, who finds them, and what is damaged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from digitjax import compiled

REPO = Path(__file__).resolve().parents[1]
PROGRAM = """
from digitjax import compiled
with compiled.kept(print):
    import jax
    jax.jit(lambda x: x * 3 + 1)(2.0)
"""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv(compiled.GIVEN, raising=False)
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path / "new"))
    return compiled.place()


def counts() -> list[int]:
    """Programs found and asked for, as a new process tells them after the sentence for an empty folder."""
    is_first = not (compiled.place().exists() and any(compiled.place().iterdir()))
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(REPO), "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    *before, last = done.stdout.splitlines()
    assert len(before) == is_first and all(
        "nothing is compiled yet for this machine" in one for one in before
    )
    found, _, asked = last.split()[:3]
    return [int(found), int(asked)]


@pytest.mark.slow
def test_the_second_process_finds_all_and_one_damaged_file_costs_one_start(place):
    first, second = counts(), counts()
    assert first[0] == 0 and first[1] > 0 and second == [first[1]] * 2
    damaged = max(place.glob("*-cache"), key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert counts() == [first[1] - 1, first[1]] and not place.exists()
    assert counts() == first


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_they_lie_where_nobody_else_can_write(place, tmp_path, monkeypatch):
    assert compiled.folder() == place
    assert [folder.stat().st_mode & 0o777 for folder in (place, place.parent)] == [0o700] * 2
    for folder, modes in ((place, (0o777, 0o720)), (place.parent, (0o702,)), (place.parent.parent, (0o777,))):
        for mode in modes:
            folder.chmod(mode)
            assert compiled.folder() is None, (folder, mode)
        folder.chmod(0o700)
    tmp_path.chmod(0o777)  # who may rename the data folder, too
    assert compiled.folder() is None
    tmp_path.chmod(0o700)
    place.parent.parent.chmod(0o1777)  # as /tmp: nobody removes what is another's
    assert compiled.folder() == place
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert compiled.folder() is None
    place.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: -1)
        assert compiled.folder() is None
    assert compiled.folder() == place


def test_another_jaxlib_or_processor_has_a_folder_of_its_own(place, monkeypatch):
    monkeypatch.setattr(compiled.metadata, "version", lambda name: "9.9")
    other = compiled.place()
    assert other != place and other.parent == place.parent and "9.9" in other.name
    monkeypatch.setattr(compiled.platform, "machine", lambda: "riscv64")
    assert compiled.place() not in (place, other)


def test_where_no_folder_is_safe_nothing_is_kept_and_that_is_said(place, monkeypatch):
    place.parent.mkdir(parents=True, mode=0o700)
    place.parent.chmod(0o777)
    told = []
    with compiled.kept(told.append):
        pass
    (sentence,) = told
    assert "not kept" in sentence and str(place) in sentence
    assert not place.exists()
