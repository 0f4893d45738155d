"""The README keeps its promises: its library scripts run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from digitjax.checkpoint import load_model
from digitjax.config import TrainConfig
from digitjax.data import parse_spec
from digitjax.data.pipeline import Examples, whole_test_split
from digitjax.evaluate import evaluate

HEADINGS = [("# A", "no"), ("## The Library in 15 lines", "x = 1"), ("## B", "y = 2")]
REPO = Path(__file__).resolve().parents[1]


def library_scripts(text: str) -> list[str]:
    """The Python blocks under the first heading that speaks of the library."""
    section = re.search(r"^#+ [^\n]*library[^\n]*\n(.*?)(?=^#+ |\Z)", text, re.I | re.M | re.S)
    blocks = re.findall(r"^```python\n(.*?)^```", section[1], re.M | re.S) if section else []
    assert blocks, "README.md has no Python block under a heading with the word library"
    return blocks


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO), "XLA_FLAGS": ""},  # its steps are worth a good compiler
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_library_script_trains_a_model_of_the_readers_own(tmp_path):
    script = library_scripts((REPO / "README.md").read_text(encoding="utf-8"))[0]
    assert 0 < sum(bool(line.strip()) for line in script.splitlines()) <= 15
    assert "flax" in script and "train_step" in script
    step, percent = re.search(r"step (\d+): (\d+)%", run(script, tmp_path)).groups()  # type: ignore[union-attr]
    assert int(step) >= 100 and int(percent) >= 50
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_second_script_trains_the_network_that_comes_along_further_and_saves_it(tmp_path, monkeypatch):
    monkeypatch.delenv("DIGITJAX_CHECKPOINTS")  # where the shipped one is found
    run(library_scripts((REPO / "README.md").read_text(encoding="utf-8"))[1], tmp_path)
    saved, shipped = (
        load_model(tmp_path / "checkpoints" / "mine"),
        load_model(REPO / "checkpoints" / "default"),
    )
    assert saved.step == 100 and saved.config == shipped.config
    before, after = (evaluate(one.model, one.params, digits(one.config)) for one in (shipped, saved))
    assert before.accuracy and after.accuracy and after.accuracy > before.accuracy


def digits(config: TrainConfig) -> Examples:
    """The 8 x 8 digits that the script does not learn from."""
    return whole_test_split(parse_spec("digits8x8"), config.model.geometry)


def test_the_scripts_are_found_where_they_are():
    blocks = [f"{title}\nword\n```python\n{code}\n```\n" for title, code in HEADINGS]
    text = "".join(blocks)
    assert library_scripts(text) == ["x = 1\n"]
    with pytest.raises(AssertionError, match="library"):
        library_scripts("# A\n```python\nx = 1\n```\n## The library\nnothing\n")
