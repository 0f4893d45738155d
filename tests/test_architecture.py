"""Who may import whom: each room is imported in a fresh interpreter and what came with it is looked at.

One interpreter serves several rooms: our own modules are forgotten between two rooms, other packages stay, so
the rooms of a group stand in the order of what they may bring.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypedDict

import pytest

REPO = Path(__file__).resolve().parents[1]

PROGRAM = """
import importlib, json, sys
came = {}
for room in sys.argv[1:]:
    for name in [n for n in sys.modules if n.partition(".")[0] in ("digitjax", "play")]:
        del sys.modules[name]
    try:
        importlib.import_module(room)
        failed = ""
    except Exception as error:
        failed = repr(error)
    ours = [n for n in sys.modules if n.partition(".")[0] in ("digitjax", "play") and n != room]
    others = {n.partition(".")[0] for n in sys.modules} - set(sys.stdlib_module_names) - {"digitjax", "play"}
    came[room] = {"failed": failed, "rooms": sorted(ours), "packages": sorted(others)}
print(json.dumps(came))
"""

LEAVES = {"digitjax", "digitjax.errors", "digitjax.config", "play"}
"""What every room may import."""

HEAVY = {
    "jax",
    "numpy",
    "flax",
    "optax",
    "orbax",
    "tensorflow_datasets",
    "scipy",
    "sklearn",
    "matplotlib",
    "pygame",
    "PIL",
}
OUTER = {"digitjax.cli", "digitjax.commands", "digitjax.loop", "digitjax.report", "digitjax.progress"}
"""Rooms with side effects, which the library's inner rooms never import."""

PLAY_OUTER = {"play.view", "play.app", "play.session"}
"""The window and what opens it."""
NETWORK = {"play.reader", "play.loading", "play.worker", "digitjax.checkpoint", "digitjax.models"}
"""What the drawing program's window leaves to a process of its own."""


class Came(TypedDict):
    """What importing a room brought: our rooms, other packages, and the error where it did not import."""

    failed: str
    rooms: list[str]
    packages: list[str]


class Rule(NamedTuple):
    """What may not come with a room.

    Attributes:
        packages: other people's packages that must stay away.
        rooms: our rooms that must stay away, with all inside them.
        only: if given, the only rooms of ours that may come, leaves aside.
    """

    packages: frozenset[str] | set[str] = frozenset()
    rooms: frozenset[str] | set[str] = frozenset()
    only: set[str] | None = None


ARRAYS_ALONE = {"flax", "orbax", "tensorflow_datasets", "pygame", "matplotlib", "sklearn"}
TYPES = {"digitjax.types"}
PURE = Rule(ARRAYS_ALONE, OUTER | {"digitjax.data", "digitjax.checkpoint"})

GROUPS: tuple[dict[str, Rule], ...] = (
    {
        "digitjax": Rule(HEAVY, only=set()),
        "digitjax.errors": Rule(HEAVY, only=set()),
        "digitjax.config": Rule(HEAVY, only=set()),
        "digitjax.presets.registry": Rule(HEAVY, only={"digitjax.presets"}),
        "digitjax.cli": Rule(HEAVY, only=set()),
        "digitjax.processes": Rule(HEAVY),
        "digitjax.compiled": Rule(HEAVY, only={"digitjax.paths"}),
    },
    {
        "digitjax.strokes": Rule(HEAVY - {"numpy"}, only=set()),
        "digitjax.types": PURE._replace(only=set()),
        "digitjax.segments": PURE._replace(only=TYPES | {"digitjax.strokes"}),
        "digitjax.normalize": PURE._replace(only=TYPES),
        "digitjax.augment": PURE._replace(only=TYPES | {"digitjax.normalize"}),
        "digitjax.sharding": PURE._replace(only=TYPES | {"digitjax.accelerators"}),
        "digitjax.train": PURE._replace(only=TYPES),
        "digitjax.optim": PURE._replace(only=TYPES),
    },
    {
        "digitjax.data.batches": Rule(
            ARRAYS_ALONE | {"grain", "apache_beam"},
            OUTER | {"digitjax.checkpoint", "digitjax.data.records", "digitjax.data.pipeline"},
        ),
        "digitjax.data": Rule({"flax", "orbax", "pygame", "matplotlib"}, OUTER | {"digitjax.checkpoint"}),
        "digitjax.data.pipeline": Rule(
            {"flax", "orbax", "pygame", "matplotlib"}, OUTER | {"digitjax.checkpoint"}
        ),
        "digitjax.evaluate": Rule({"flax", "orbax", "pygame", "matplotlib"}, OUTER | {"digitjax.checkpoint"}),
        "digitjax.models": Rule({"orbax", "pygame"}, OUTER | {"digitjax.data", "digitjax.checkpoint"}),
        "digitjax.checkpoint": Rule({"pygame", "tensorflow_datasets"}, OUTER | {"digitjax.data"}),
    },
    {
        "play.update": Rule(HEAVY, PLAY_OUTER | {"play.classify", "digitjax.types"}),
        "play.classify": Rule(HEAVY - {"numpy"}, PLAY_OUTER),
        "play.view": Rule(
            HEAVY - {"numpy", "pygame"}, {"play.app", "play.session", "play.classify", *NETWORK}
        ),
        "play.app": Rule(HEAVY - {"numpy", "pygame"}, {"play.session", *NETWORK}),
    },
    {
        "play.reader": Rule({"pygame", "orbax", "matplotlib"}, PLAY_OUTER | OUTER | {"digitjax.data"}),
        "play.worker": Rule({"pygame", "matplotlib"}, PLAY_OUTER | OUTER | {"digitjax.data"}),
    },
)
EVERYTHING = Rule({"pygame", "tensorflow", "apache_beam", "grain"}, {"play"})
"""The rule for all of digitjax together."""


def what_came(rooms: Sequence[str], *folders: Path) -> dict[str, Came]:
    """Imports rooms one after the other in a fresh interpreter that looks into `folders` first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *rooms],
        cwd=folders[0],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def broken(rule: Rule, came: Came) -> list[str]:
    """The names that came although the rule keeps them away."""

    def inside(name: str, rooms: frozenset[str] | set[str]) -> bool:
        return any(name == room or name.startswith(room + ".") for room in rooms)

    unwanted = [name for name in came["rooms"] if inside(name, rule.rooms)]
    if rule.only is not None:
        unwanted += [name for name in came["rooms"] if name not in LEAVES | rule.only]
    return sorted({*unwanted, *(rule.packages & set(came["packages"]))})


@pytest.fixture(scope="module")
def came(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Came]:
    decoy = tmp_path_factory.mktemp("decoy")  # whoever tries to import tensorflow finds one
    (decoy / "tensorflow.py").touch()
    with ThreadPoolExecutor(2) as pool:
        groups = list(pool.map(lambda group: what_came(list(group), REPO, decoy), GROUPS))
        everything = what_came([".".join(p) for p in module_names("digitjax")], REPO, decoy)
    last = list(everything.values())[-1]
    rooms = sorted({name for each in everything.values() for name in each["rooms"]})
    failed = "; ".join(each["failed"] for each in everything.values() if each["failed"])
    whole = Came(failed=failed, rooms=rooms, packages=last["packages"])
    return {room: found for group in groups for room, found in group.items()} | {"*": whole}


def module_names(package: str) -> Iterator[tuple[str, ...]]:
    for path in sorted((REPO / package).rglob("*.py")):
        parts = path.relative_to(REPO).with_suffix("").parts
        if parts[-1] != "__main__":
            yield parts[:-1] if parts[-1] == "__init__" else parts


@pytest.mark.ci
@pytest.mark.parametrize("room", [room for group in GROUPS for room in group])
def test_a_room_brings_only_what_its_rule_allows(room: str, came: dict[str, Came]) -> None:
    rule = next(group[room] for group in GROUPS if room in group)
    assert not came[room]["failed"]
    assert broken(rule, came[room]) == []


@pytest.mark.ci
def test_digitjax_as_a_whole_brings_neither_play_nor_pygame_nor_tensorflow(
    came: dict[str, Came],
) -> None:
    assert not came["*"]["failed"]
    assert broken(EVERYTHING, came["*"]) == []
    assert {"flax", "orbax"} <= set(came["*"]["packages"])


def test_the_check_fails_where_a_rule_is_broken(tmp_path: Path) -> None:
    sources = {
        "digitjax/__init__.py": "",
        "digitjax/types.py": "",
        "digitjax/loop.py": "import pygame",
        "digitjax/normalize.py": "import digitjax.types, digitjax.loop",
        "digitjax/train.py": "import digitjax.types",
        "digitjax/optim.py": "from digitjax import strokes",
        "digitjax/strokes.py": "",
        "pygame.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    rules = {room: rule for group in GROUPS for room, rule in group.items()}
    for room, expected in (
        ("digitjax.normalize", ["digitjax.loop", "pygame"]),
        ("digitjax.train", []),
        ("digitjax.optim", ["digitjax.strokes"]),
    ):
        assert broken(rules[room], what_came([room], tmp_path)[room]) == expected


def direct_imports(path: Path) -> set[str]:
    """Packages that a file names in an import anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(
    ("package", "files"),
    [
        ("flax", ["bench/peer_flax.py", "models.py"]),
        ("orbax", ["checkpoint.py"]),
        ("grain", ["data/records.py", "data/streamed.py"]),
        ("apache_beam", ["data/beam_builder.py"]),
        ("tensorflow", []),
        ("pygame", []),
        ("play", []),
    ],
)
def test_only_these_files_of_digitjax_import(package: str, files: list[str]) -> None:
    root = REPO / "digitjax"
    found = [p.relative_to(root).as_posix() for p in root.rglob("*.py") if package in direct_imports(p)]
    assert sorted(found) == files


def test_imports_inside_functions_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text("def f():\n    import flax.linen\n    from orbax import checkpoint\n", encoding="utf-8")
    assert direct_imports(path) == {"flax", "orbax"}
