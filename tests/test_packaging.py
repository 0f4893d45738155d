"""What pyproject.toml and the pins declare: every package that is used, and commands that run."""

import ast
import functools
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@functools.cache
def imported(*folders: str) -> set[str]:
    """Top-level names of the other people's packages that the code imports, also inside functions."""
    names = set()
    for folder in folders:
        for path in (REPO / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.partition(".")[0])
    own = {"digitjax", "play", "tests", "conftest"} | {p.stem for p in (REPO / "tests").rglob("*.py")}
    return names - set(sys.stdlib_module_names) - own


def requirements(*extras: str) -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *(r for e in extras for r in PROJECT["optional-dependencies"][e])]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


installed_distributions = functools.cache(metadata.packages_distributions)


def distributions(modules: set[str]) -> dict[str, set[str]]:
    """The distributions that bring a module, by module."""
    installed = installed_distributions()
    return {m: {canonicalize_name(name) for name in installed.get(m, [m])} for m in modules}


def test_every_imported_package_is_declared() -> None:
    declared = set(requirements("scale"))
    missing = {m: d for m, d in distributions(imported("digitjax", "play")).items() if not d & declared}
    assert not missing
    declared = set(requirements("dev"))
    missing = {m: d for m, d in distributions(imported("tests")).items() if not d & declared}
    assert not missing


def test_every_declared_package_is_used() -> None:
    used = {name for each in distributions(imported("digitjax", "play")).values() for name in each}
    unseen = {
        "importlib-resources",  # imported by tensorflow-datasets,
        "array-record",  # and this too
        "flatbuffers",  # imported by jax.export, which does not declare it
        "scikit-learn",  # the file with the 8x8 digits is read, the code never imported
    }
    assert set(requirements()) - used <= unseen
    used |= {name for each in distributions(imported("tests")).values() for name in each}
    tools = {"pyright", "pytest-xdist", "ruff", "beartype"}
    assert set(requirements("dev")) - used - unseen <= tools
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    assert all(call in makefile for call in ("-m ruff", "-m pyright", "-m pytest"))


def pins() -> Iterator[tuple[Path, dict[str, str]]]:
    for path in sorted((REPO / ".constraints").glob("*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"[a-z0-9._-]+==[0-9a-z.]+", line) for line in lines), path
        yield path, dict(line.split("==") for line in lines)


def test_pins_are_versions_alone_and_fit_what_pyproject_allows() -> None:
    files = {path.name: versions for path, versions in pins()}
    assert sorted(files) == ["python3.11.txt", "python3.12.txt"]
    assert files["python3.11.txt"]["jax"].startswith("0.10.")
    assert files["python3.12.txt"]["jax"].startswith("0.12.")
    for versions in files.values():
        exact = {str(canonicalize_name(name)): version for name, version in versions.items()}
        for name, requirement in requirements("dev", "fuzz", "cuda", "tpu").items():
            assert requirement.specifier.contains(exact[name]), requirement
        assert {"jax-cuda12-plugin", "libtpu"} <= set(exact)


@pytest.mark.parametrize("script_name", sorted(PROJECT["scripts"]))
def test_console_scripts_resolve_to_functions_without_arguments(script_name: str) -> None:
    module, _, attribute = PROJECT["scripts"][script_name].partition(":")
    code = f"import {module} as m, inspect; inspect.signature(m.{attribute}).bind()"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_main_returns_becomes_the_exit_code() -> None:
    from digitjax.cli import main

    assert inspect.signature(main).return_annotation is int
    program = (
        "import sys; from digitjax.cli import main; sys.exit(main())"  # what pip writes for a console script
    )
    for start in (["-c", program], ["-m", "digitjax"]):
        done = subprocess.run([sys.executable, *start, "tarin"], cwd=REPO, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.startswith("digitjax: ")
