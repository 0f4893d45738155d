"""Prepared folders are whole or not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from digitjax.data.prepared import MANIFEST, PREFIX, is_there, is_whole, publish
from digitjax.errors import DigitjaxError, InputError
from tests.data.tiny_mnist import prepared


def test_a_failure_on_the_way_leaves_nothing(tmp_path):
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(DigitjaxError, match=r"No space left on device.*make room") as error:
        publish(tmp_path / "data" / "x", fail)
    assert error.value.exit_code == 1 and prepared(tmp_path) == []
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "data" / "x", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert prepared(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_one_sentence(given, tmp_path):
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
    code += "from digitjax.cli import main; sys.exit(main(['data', 'prepare', 'mnist']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "could not be prepared" in done.stderr and "make room" in done.stderr
    assert "Traceback" not in done.stderr and prepared(tmp_path) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="set DIGITJAX_DATA_DIR"):
        publish(tmp_path / "file" / "x", lambda _: None)


def test_leftovers_of_killed_processes_are_cleared_after_a_day(tmp_path):
    old, new = tmp_path / f"{PREFIX}a", tmp_path / f"{PREFIX}b"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    publish(tmp_path / "whole", lambda folder: (folder / "a").touch())
    old.mkdir(exist_ok=True)
    os.utime(old, (0, 0))
    assert is_there(tmp_path / "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([new.name, "whole"])


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '{"a": 1}', '{"a": [1, "x"]}', "[" * 9999])
def test_a_folder_without_a_good_manifest_is_not_whole(tmp_path, manifest):
    (tmp_path / MANIFEST).write_text(manifest)
    assert not is_whole(tmp_path)
