"""The README keeps its promises: its library script runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEADINGS = [("# A", "no"), ("## The Library in 15 lines", "x = 1"), ("## B", "y = 2")]
REPO = Path(__file__).resolve().parents[1]


def library_script(text: str) -> str:
    """The first Python block under the first heading that speaks of the library."""
    section = re.search(r"^#+ [^\n]*library[^\n]*\n(.*?)(?=^#+ |\Z)", text, re.I | re.M | re.S)
    block = section and re.search(r"^```python\n(.*?)^```", section[1], re.M | re.S)
    assert block, "README.md has no Python block under a heading with the word library"
    return block[1]


@pytest.mark.slow
def test_the_library_script_trains_a_model_of_the_readers_own(tmp_path):
    readme = REPO / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md yet")
    script = library_script(readme.read_text(encoding="utf-8"))
    assert 0 < sum(bool(line.strip()) for line in script.splitlines()) <= 15
    assert "flax" in script and "train_step" in script
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPO), "XLA_FLAGS": ""},  # 400 steps are worth a good compiler
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    step, percent = re.search(r"step (\d+): (\d+)%", done.stdout).groups()  # type: ignore[union-attr]
    assert int(step) >= 100 and int(percent) >= 50
    assert list(tmp_path.iterdir()) == []


def test_the_script_is_found_where_it_is():
    blocks = [f"{title}\nword\n```python\n{code}\n```\n" for title, code in HEADINGS]
    text = "".join(blocks)
    assert library_script(text) == "x = 1\n"
    with pytest.raises(AssertionError, match="library"):
        library_script("# A\n```python\nx = 1\n```\n## The library\nnothing\n")
