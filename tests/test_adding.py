"""README's chapter on adding a source and a preset: its code, put where it says, is all that it takes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPO = Path(__file__).resolve().parents[1]
PROGRAM = """
from digitjax import cli
assert cli.main(["data", "list"]) == 0
words = "train mlp-wide --data table:digits.csv --epochs 2 --epoch-examples 640 --batch-size 32 --out run"
assert cli.main(words.split()) == 0
assert cli.main("evaluate --checkpoint run --data table:digits.csv@test --json".split()) == 0
for name in ("none", "head", "label"):
    assert cli.main(["data", "show", f"table:{name}.csv", "--out", "x.png"]) == 2
"""


def chapter(text: str) -> list[tuple[str, str]]:
    """Every Python block of the chapter, with the file in backquotes that is named last before it."""
    section = re.search(r"^## Adding a source or a preset\n(.*?)(?=^## )", text, re.M | re.S)
    assert section, "README.md has no chapter on adding a source or a preset"
    found, name = [], ""
    for part in re.split(r"^(```python\n.*?^```)$", section[1], flags=re.M | re.S):
        if part.startswith("```python"):
            found.append((name, part.removeprefix("```python\n").removesuffix("```")))
        name = re.findall(r"`(digitjax/[\w/]+\.py)`", part)[-1] if "`digitjax/" in part else name
    return found


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the package with the README's code in it, and a CSV file of bars: six upright, six lying."""
    shutil.copytree(REPO / "digitjax", tmp_path / "digitjax", ignore=shutil.ignore_patterns("__pycache__"))
    blocks = chapter((REPO / "README.md").read_text(encoding="utf-8"))
    assert [Path(name).name for name, _ in blocks] == [
        "table.py",
        "registry.py",
        "mlp_wide.py",
        "registry.py",
    ]
    for name, code in blocks:
        path = tmp_path / name
        if path.name != "registry.py":
            assert not path.exists()
            path.write_text(code, encoding="utf-8")
            continue
        assert len(code.splitlines()) == 1
        text, count = re.subn(r"^(MODULES|PRESETS) = \{\n", rf"\g<0>{code}", path.read_text(), flags=re.M)
        assert count == 1
        path.write_text(text, encoding="utf-8")
    lines = ["label," + ",".join(f"pixel{i}" for i in range(784))]
    for i in range(120):
        image = np.zeros((28, 28), int)
        image[4:24, 10 + i % 8 : 13 + i % 8] = 255 - i
        lines.append(",".join(map(str, [i % 2, *(image if i % 2 else image.T).ravel()])))
    (tmp_path / "digits.csv").write_text("\n".join(lines))
    (tmp_path / "head.csv").write_text(lines[0])
    (tmp_path / "label.csv").write_text(lines[0] + "\n200" + 784 * ",0")
    return tmp_path


@pytest.mark.slow
def test_a_source_and_a_preset_are_one_file_and_one_line_each(copy):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^table:FILE +your files +digits in CSV", done.stdout, re.M)
    assert '"accuracy": 1.0' in done.stdout and "table:digits.csv@validation" in done.stderr
    for name in ("none", "head", "label"):
        assert f"{name}.csv cannot be read" in done.stderr
    assert (copy / "run" / "summary.json").is_file()


def test_every_registered_preset_is_named_after_itself_and_says_what_it_is():
    from digitjax.presets.registry import PRESETS, about, preset

    for name in PRESETS:
        assert preset(name).preset == name
        assert 20 < len(about(name)) <= 100 and about(name).endswith(".")
