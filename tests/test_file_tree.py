"""The README's file tree is the tree: every module with the first line of its docstring."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLUMN = 25


def first_line(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring, f"{module} has no docstring"
    return docstring.splitlines()[0].rstrip(".")


def tree(folder: Path, indent: str = "") -> Iterator[str]:
    name = f"{indent}{folder.name}/"
    yield f"{name:<{COLUMN}}{first_line(folder / '__init__.py')}"
    for module in sorted(folder.glob("*.py")):
        if not module.name.startswith("__"):
            yield f"{f'{indent}  {module.name}':<{COLUMN}}{first_line(module)}"
    for inner in sorted(path.parent for path in folder.glob("*/__init__.py")):
        yield from tree(inner, indent + "  ")


def test_the_readme_shows_the_tree_as_it_is():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    wanted = "\n".join(line for name in ("digitjax", "play") for line in tree(ROOT / name))
    assert wanted in readme, f"put this into README.md:\n{wanted}"
