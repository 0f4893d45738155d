"""The start of the program: what the window's process brings, and what the reading process is given."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from play.__main__ import main

REPO = Path(__file__).resolve().parents[2]
HEAVY = ["jax", "jaxlib", "flax", "orbax", "optax", "tensorstore", "digitjax.types", "digitjax.checkpoint"]

SESSION = """
import json, sys
from pathlib import Path
from play.__main__ import main

if __name__ == "__main__":  # the reading process imports this file again
    folder = Path(sys.argv[1])
    code = main(["--frames", "3", "--headless", "--user-dir", str(folder)])
    from digitjax.strokes import read_drawings, to_json
    from play import replay, share
    drawings = [to_json(drawing) for drawing in read_drawings(folder / "one.ndjson")]
    print(json.dumps([code, drawings, sorted(sys.modules)]))
"""


def test_the_windows_process_never_imports_jax(tmp_path):
    """Not for a session, not to read drawings for a replay or the gallery."""
    drawing = {"word": "1", "drawing": [[[0, 1], [0, 9]]]}
    (tmp_path / "one.ndjson").write_text(json.dumps(drawing), encoding="utf-8")
    program = tmp_path / "session.py"
    program.write_text(SESSION, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(REPO), "DIGITJAX_CHECKPOINTS": str(tmp_path / "none")}
    command = [sys.executable, str(program), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    code, read, modules = json.loads(done.stdout.splitlines()[-1])
    assert (code, read) == (0, [drawing]), done.stderr
    assert {"play.app", "play.share", "digitjax.strokes"} <= set(modules)
    assert [name for name in HEAVY if name in modules] == []


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU")
def test_a_device_that_is_not_there_is_named_not_the_checkpoint(tmp_path):
    (tmp_path / "one.ndjson").write_text('{"word": "1", "drawing": [[[0, 1], [0, 9]]]}', encoding="utf-8")
    command = [sys.executable, "-m", "play", "--device", "gpu", "--headless", "--replay", "one.ndjson"]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [*command, "--user-dir", "user"], env=environment, cwd=tmp_path, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, b"")
    last = done.stderr.decode().splitlines()[-1]
    assert last == "digitjax-play: no GPU is usable here: leave out --device gpu"


@pytest.mark.parametrize(
    ("words", "said"),
    [("--replay none.ndjson", "--replay none.ndjson does not exist"), ("--checkpoint none-9", "'none-9'")],
)
def test_a_measurement_of_what_is_not_there_is_not_begun(words, said, capfd):
    assert main(["--bench", *words.split()]) == 2
    printed = capfd.readouterr()
    assert said in printed.err and printed.out == ""


def test_a_network_that_was_named_and_is_none_ends_the_headless_program(tmp_path):
    command = [sys.executable, "-m", "play", "--checkpoint", "nope", "--headless", "--frames", "3"]
    environment = os.environ | {"PYTHONPATH": str(REPO), "DIGITJAX_CHECKPOINTS": str(tmp_path)}
    done = subprocess.run(
        [*command, "--user-dir", "user"], env=environment, cwd=tmp_path, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[-1].startswith("digitjax-play: checkpoint 'nope' does not exist")
