"""The start of the program: what the window's process brings, and what the reading process is given."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
HEAVY = ["jax", "jaxlib", "flax", "orbax", "optax", "tensorstore", "digitjax.types", "digitjax.checkpoint"]

SESSION = """
import json, sys
from pathlib import Path
from play.__main__ import main
from play.effects import Import
from play.outside import Outside

if __name__ == "__main__":  # the reading process imports this file again
    folder = Path(sys.argv[1])
    code = main(["--frames", "3", "--headless", "--user-dir", str(folder)])
    outside = Outside(folder)
    outside.do(Import())
    said = [event._asdict() for event in outside.poll(wait=True)][0]
    outside.close()
    print(json.dumps([code, said, sorted(sys.modules)]))
"""


def test_the_windows_process_never_imports_jax(tmp_path):
    """Not for a session, not for an import of drawings from the gallery."""
    (tmp_path / "import").mkdir()
    (tmp_path / "import" / "one.ndjson").write_text(json.dumps({"word": "1", "drawing": [[[0, 1], [0, 9]]]}))
    program = tmp_path / "session.py"
    program.write_text(SESSION)
    environment = os.environ | {"PYTHONPATH": str(REPO), "DIGITJAX_CHECKPOINTS": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    code, said, modules = json.loads(done.stdout.splitlines()[-1])
    assert (code, said["text"]) == (0, "1 drawing added."), done.stderr
    assert "play.app" in modules and "digitjax.strokes" in modules
    assert [name for name in HEAVY if name in modules] == []
