"""Source `unipen:PATH`: handwriting in UNIPEN 1.0 text, a file or all files of a folder, as ink.

A release has the folders `data`, whose files name segments, and `include`, where their ink is; PATH may be
the release, a folder in its `data`, or one file. Nothing is read from outside the release, or else the folder
given.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from digitjax.data.drawings import collect
from digitjax.data.spec import Kind, Source, Spec
from digitjax.data.unipen_text import (
    Malformed,
    Segment,
    Statement,
    number,
    pieces,
    points,
    segment,
    statements,
)
from digitjax.errors import InputError, near_files
from digitjax.strokes import MAX_POINTS, MAX_STROKES, Drawing

MAX_BYTES = 64 * 2**20
"""Bytes of one file together with all that it includes."""
MAX_DEPTH = 8
"""Files that include one another; the format's definition allows two, some releases have three."""
MAX_INCLUDES = 1000
"""Includes of one file, those of what it includes counted with them."""
MAX_FILES = 200_000
"""Files of one folder."""
MAX_OVERLAP = 64
"""How often the segments of a set may name its points, in the mean: a hierarchy names each once a level."""
MAX_PARTS = 1_000_000
"""Components of one set of a file, and segments."""
MAX_COLUMNS = 16
"""Columns that `.COORD` names; the format knows nine."""

MM_PER_INCH = 25.4

_STARTS = re.compile(rb"\A(\xef\xbb\xbf)?\s*\.[A-Za-z]")


class _Component(NamedTuple):
    """Points between two changes of the pen, y down, in the unit of x; empty ones are not counted."""

    points: Float[np.ndarray, "points 2"]
    down: bool
    source: str | None
    writer: str | None


class _Named(NamedTuple):
    """A segment and the file in which it stands."""

    path: Path
    segment: Segment


def load_unipen(spec: Spec) -> Source:
    """The characters of a file or folder that belong to the spec's split, whole where that is None.

    Raises:
        InputError: the file or folder is missing, malformed or too large.
    """
    path = Path(spec.path or "")
    return collect(spec, read_unipen(path))


def read_unipen(path: Path) -> Iterator[Drawing]:
    """The segments of a UNIPEN file, or of all UNIPEN files of a folder, in order, one at a time.

    A segment whose label is one character becomes a drawing of that word, once where a character is also a
    word; every other one, and one without ink, a drawing without a word. y points up in UNIPEN, so it changes
    sign; where x and y have declared resolutions that differ, y is brought to the unit of x. The source is
    `.DATA_SOURCE`, else `.DATA_ID`; the writer `.WRITER_ID`.

    Raises:
        InputError: missing, malformed (with file and line), looping or too large.
    """
    root, count = _root(path), 0
    for file in _files(path, root):
        for drawing in _FileReader(root).read(file):
            yield drawing
            count += 1
    if not count:
        raise InputError(f"{path} names no segment of ink: give UNIPEN files with .SEGMENT lines")


class _FileReader:
    """Reads one file with what it includes; the declarations of one file end with it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._bytes = self._includes = 0
        self._columns: list[str] = []
        self._resolution: dict[str, float] = {}
        self._data_source = self._data_id = self._writer = None
        self._components: list[_Component] = []
        self._segments: list[_Named] = []
        self._room = 0

    def read(self, path: Path) -> Iterator[Drawing]:
        yield from self._read(path, ())
        yield from self._drawings()

    def _read(self, path: Path, within: tuple[Path, ...]) -> Iterator[Drawing]:
        within = (*within, _real(path))
        for statement in statements(self._text(path)):
            try:
                match statement.keyword:
                    case "INCLUDE":
                        yield from self._read(self._included(statement, path, within), within)
                    case "START_SET":
                        yield from self._drawings()
                    case "SEGMENT":
                        self._segments.append(_Named(path, segment(statement)))
                        self._require_room(statement)
                    case "PEN_DOWN" | "PEN_UP":
                        self._component(statement)
                    case _:
                        self._declare(statement)
            except Malformed as error:
                raise InputError(f"{path}:{error.line}: {error}") from None

    def _text(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES - self._bytes + 1)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): give a file that can") from None
        self._bytes += len(raw)
        if self._bytes > MAX_BYTES:
            raise InputError(
                f"{path}, with what it includes, passes {MAX_BYTES >> 20} MiB: split it into smaller files"
            )
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _included(self, statement: Statement, path: Path, within: tuple[Path, ...]) -> Path:
        name = statement.text.strip().partition("\n")[0].strip().strip('"').replace("\\", "/")
        parts = name.split("/")
        if not name or len(name) > 1024 or not name.isprintable() or ":" in name or parts[0] == "":
            raise Malformed(statement.line, f".INCLUDE {name[:40]!r} is no relative path: give one")
        places = (path.parent / name, self._root / "include" / name, self._root / name)
        found = [place for place in places if os.path.isfile(place)]  # a name may be too long for a path
        if ".." in parts or not all(_real(p).is_relative_to(self._root) for p in found):
            raise Malformed(
                statement.line, f".INCLUDE {name[:80]!r} leads out of {self._root}: put the file into it"
            )
        if not found:
            raise Malformed(
                statement.line,
                f".INCLUDE {name[:80]!r} is neither beside this file nor in "
                f"{self._root / 'include'}: put it there (UCI's pen digits are read by pendigits:FILE)",
            )
        fresh = [p for p in found if _real(p) not in within]
        if not fresh:
            raise Malformed(statement.line, f".INCLUDE {name[:80]!r} includes itself in a loop: remove it")
        self._includes += 1
        if self._includes > MAX_INCLUDES:
            raise Malformed(statement.line, f"there are more than {MAX_INCLUDES} .INCLUDE: flatten the files")
        if len(within) >= MAX_DEPTH:
            raise Malformed(
                statement.line, f".INCLUDE {name[:80]!r} is nested {MAX_DEPTH} files deep: flatten the files"
            )
        return fresh[0]

    def _declare(self, statement: Statement) -> None:
        match statement.keyword.split("_"):
            case ["COORD"]:
                columns = [word.upper() for word in statement.words(MAX_COLUMNS)]
                if len(columns) > MAX_COLUMNS:
                    raise Malformed(
                        statement.line, f".COORD names more than {MAX_COLUMNS} columns: give .COORD X Y T"
                    )
                if not {"X", "Y"} <= set(columns) or len(set(columns)) < len(columns):
                    raise Malformed(
                        statement.line, ".COORD does not name X and Y once each: give it as .COORD X Y T"
                    )
                self._columns = columns
            case ["DATA", "SOURCE"]:
                self._data_source = _name(statement)
            case ["DATA", "ID"]:
                self._data_id = _name(statement)
            case ["WRITER", "ID"]:
                self._writer = _name(statement)
            case ["X" | "Y" as axis, "POINTS", "PER", "INCH"]:
                self._resolution[axis] = number(statement)
            case ["X" | "Y" as axis, "POINTS", "PER", "MM"]:
                self._resolution[axis] = number(statement) * MM_PER_INCH

    def _component(self, statement: Statement) -> None:
        if not statement.text.strip():
            return
        if not self._columns:
            raise Malformed(
                statement.line, "there are points before .COORD says what they are: add a line .COORD X Y"
            )
        rows = points(statement, len(self._columns))
        found = rows[:, [self._columns.index("X"), self._columns.index("Y")]]
        unit = self._resolution.get("X", 1.0) / self._resolution.get("Y", 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            found[:, 1] *= -(unit if len(self._resolution) == 2 else 1.0)
        if not np.isfinite(found).all():
            raise Malformed(statement.line, "in the unit of x, a y is beyond 1e308: give real resolutions")
        source = self._data_source or self._data_id
        self._components.append(_Component(found, statement.keyword == "PEN_DOWN", source, self._writer))
        self._require_room(statement)

    def _require_room(self, statement: Statement) -> None:
        if max(len(self._components), len(self._segments)) > MAX_PARTS:
            raise Malformed(
                statement.line, f"there are more than {MAX_PARTS} of .{statement.keyword}: split the file"
            )

    def _drawings(self) -> Iterator[Drawing]:
        """The drawings of the set that ends here; the next one begins empty."""
        self._room = MAX_OVERLAP * sum(len(component.points) for component in self._components)
        seen = set()
        for path, one in self._segments:
            if (one.delineation, one.label) in seen:
                continue
            if one.delineation:
                seen.add((one.delineation, one.label))
            try:
                drawing = self._drawing(one)
            except Malformed as error:
                raise InputError(f"{path}:{error.line}: {error}") from None
            yield drawing
        self._components, self._segments = [], []

    def _drawing(self, one: Segment) -> Drawing:
        strokes: list[np.ndarray] = []
        total, owner = 0, None
        for piece in pieces(one) if one.delineation else ():
            if piece.last >= len(self._components):
                raise Malformed(
                    one.line,
                    f"the segment names component {piece.last} of {len(self._components)}, counted from 0: "
                    "give the file whole",
                )
            for index in range(piece.first, piece.last + 1):
                component = self._components[index]
                start = piece.start if index == piece.first else 0
                stop = (
                    piece.stop
                    if index == piece.last and piece.stop is not None
                    else len(component.points) - 1
                )
                if max(start, stop) >= len(component.points):
                    raise Malformed(
                        one.line,
                        f"the segment names point {max(start, stop)} of {len(component.points)} of component "
                        f"{index}, counted from 0: give the file whole",
                    )
                self._room -= stop + 1 - start
                if self._room < 0:
                    raise Malformed(
                        one.line, f"the segments name each point over {MAX_OVERLAP} times: give fewer"
                    )
                if component.down:
                    owner = owner or component
                    strokes.append(component.points[start : stop + 1])
                    total += stop + 1 - start
                if len(strokes) > MAX_STROKES or total > MAX_POINTS:
                    raise Malformed(
                        one.line,
                        f"the segment has more than {MAX_STROKES} strokes or {MAX_POINTS} points: give fewer",
                    )
        word = one.label if one.label and len(one.label) == 1 and one.label.strip() and strokes else None
        return Drawing(tuple(strokes), None, word, owner and owner.source, owner and owner.writer)


def _root(path: Path) -> Path:
    """The folder that nothing is read from outside of: the release's if there is one, else the one given."""
    folder = _real(path if path.is_dir() else path.parent)
    for parent in (folder, *folder.parents):
        if parent.name == "data" and (parent.parent / "include").is_dir():
            return parent.parent
    return folder


def _real(path: Path) -> Path:
    """Where links lead; unlike `Path.resolve`, whose older versions do, a ring of links raises nothing."""
    return Path(os.path.realpath(path))


def _files(path: Path, root: Path) -> Iterator[Path]:
    if not path.exists():
        raise InputError(f"{path} does not exist{near_files(path)}: give a UNIPEN file or folder")
    if not path.is_dir():
        if not path.is_file() or not _is_unipen(path):
            raise InputError(
                f"{path} is no UNIPEN text, whose first word is a keyword such as .VERSION: give one"
            )
        yield path
        return
    count = 0
    for folder, folders, names in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(n for n in folders if n[0] != "." and _real(here / n) != root / "include")
        for name in sorted(names):
            file = here / name
            if name[0] == "." or not file.is_file() or not _is_unipen(file):
                continue
            if not _real(file).is_relative_to(root):
                raise InputError(f"{file} is a link out of {root}: put the file itself there")
            count += 1
            if count > MAX_FILES:
                raise InputError(f"{path} holds more than {MAX_FILES} files: give one of its folders")
            yield file
    if not count:
        raise InputError(f"{path} holds no UNIPEN file, whose first word is a keyword: give another folder")


def _is_unipen(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _STARTS.match(file.read(4096)) is not None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give a file that can") from None


def _name(statement: Statement) -> str | None:
    """The argument as one line; releases name sources in several words, though the format asks for one."""
    name = " ".join(statement.words())
    if len(name) > 1024:
        raise Malformed(statement.line, f".{statement.keyword} is longer than 1024 characters: shorten it")
    return name or None


KIND = Kind(
    about="handwriting in UNIPEN 1.0 text, a file or a folder",
    licence="train_r01_v07: International Unipen Foundation, CC BY 4.0 (doi 10.5281/zenodo.1195803); the "
    "CD-ROM's notice: research use, no commercial distribution, reference Guyon et al., ICPR 1994",
    load=load_unipen,
    takes="PATH",
    evaluates=None,
)
