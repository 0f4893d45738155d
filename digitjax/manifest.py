"""What is written last into a checkpoint step: size and SHA-256 of each of its files.

A step without a manifest is unfinished. The manifest finds damage, not a forger.
"""

import contextlib
import hashlib
import json
import os
import re
import uuid
from pathlib import Path
from typing import NamedTuple, TypeVar

from digitjax.errors import InputError

FORMAT = 2
"""Version of the layout of runs and steps; raise it with every change that old code would misread."""

NAME = "manifest.json"
MAX_JSON_BYTES = 8 << 20
MAX_FILES = 100_000
_DIGEST = "sha256"


_Kind = TypeVar("_Kind")


class ConfigChanged(InputError):
    """A run's config.json is not the one that its steps were written with."""


class Manifest(NamedTuple):
    """A step's manifest as read.

    Attributes:
        step: the training step.
        contents: what the step holds: "params", and "state" where training can go on from it.
        record: what is known about these params: validation, date, number of parameters.
        config_sha256: of the run's config.json.
        files: POSIX path in the step's folder to size and SHA-256.
    """

    step: int
    contents: tuple[str, ...]
    record: dict
    config_sha256: str
    files: dict[str, tuple[int, str]]


def write(folder: Path, *, step: int, contents: tuple[str, ...], record: dict, config: Path) -> None:
    """Publishes the step in `folder`: hashes its files and writes the manifest in one move.

    All that it names is on the disk before, so that a power cut leaves a whole step or an unfinished one.
    """
    found = {name: path for name, path in _files(folder).items() if name != NAME}
    files = {name: {"size": path.stat().st_size, _DIGEST: _sha256(path)} for name, path in found.items()}
    folders = {parent for path in found.values() for parent in path.parents if folder in parent.parents}
    for path in (*found.values(), *folders, folder):
        _settle(path)
    body = {
        "format": FORMAT,
        "step": step,
        "contents": list(contents),
        "record": record,
        "config_sha256": _sha256(config),
        "files": files,
    }
    write_json(folder / NAME, body | {_DIGEST: _seal(body)})
    for path in (folder, folder.parent):
        _settle(path)


def read(folder: Path) -> Manifest:
    """The manifest of the step in `folder`, itself checked, its files not.

    Raises:
        InputError: it is missing (the step is unfinished), damaged, or of a newer digitjax.
    """
    path = folder / NAME
    if not path.is_file():
        raise InputError(f"{folder} is unfinished: it has no {NAME}; take another step of this run")
    body = read_json(path)
    version = body.get("format")
    if type(version) is not int or version < 1:
        raise _damaged(folder, f"{NAME} has no format version")
    if version > FORMAT:
        raise InputError(
            f"{folder} has checkpoint format {version}, this digitjax reads up to {FORMAT}: update digitjax"
        )
    try:
        seal = body.pop(_DIGEST, None)
        if seal != _seal(body):
            raise _damaged(folder, f"{NAME} was changed")
        return Manifest(
            step=_is(int, body["step"]),
            contents=tuple(_is(str, item) for item in _is(list, body["contents"])),
            record=_is(dict, body["record"]),
            config_sha256=_is(str, body["config_sha256"]),
            files={n: (_is(int, f["size"]), _is(str, f[_DIGEST])) for n, f in body["files"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise _damaged(folder, f"{NAME} lacks what it must hold") from error


def verify(folder: Path, config: Path) -> Manifest:
    """Checks each file of the step against the manifest and returns it.

    Raises:
        InputError: the step is unfinished, of a newer version, one bit of it is not as it was written, or
            something in its run is a link.
    """
    between = [place for place in folder.parents if config.parent in place.parents]
    for place in (folder, *between, config):
        if place.is_symlink():
            raise _damaged(folder, f"{place.relative_to(config.parent).as_posix()} is a link")
    try:
        return _verified(folder, config)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be read ({error.strerror}): make it readable or take another step of this run"
        ) from None


def _verified(folder: Path, config: Path) -> Manifest:
    manifest = read(folder)
    found = _files(folder)
    found.pop(NAME)
    for name, (size, digest) in manifest.files.items():
        if name not in found:
            raise _damaged(folder, f"{name} is missing")
        if found[name].stat().st_size != size or _sha256(found[name]) != digest:
            raise _damaged(folder, f"{name} is not as it was written")
    for name in found:
        if name not in manifest.files:
            raise _damaged(folder, f"{name} does not belong to it")
    if not config.is_file() or _sha256(config) != manifest.config_sha256:
        raise ConfigChanged(
            f"{config} is not as it was when {folder.name} was written: undo what was changed in it, "
            f"or take another run"
        )
    return manifest


def is_published(folder: Path) -> bool:
    """Whether the step has a readable manifest and all its files are there; bits are not checked."""
    try:
        manifest = read(folder)
    except InputError:
        return False
    return all((folder / name).is_file() for name in manifest.files)


def read_json(path: Path) -> dict:
    """A JSON object from a small file.

    Raises:
        InputError: unreadable, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise InputError(
                f"{path} is larger than {MAX_JSON_BYTES >> 20} MiB: it was not written by digitjax"
            )
        value = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give another checkpoint") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged, it is no JSON: give another checkpoint") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged, it is no JSON object: give another checkpoint")
    return value


def write_json(path: Path, value: dict) -> None:
    """Writes JSON so that `path` holds all of it or what it held before."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one move; a failure leaves what was there."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one move; a failure leaves what was there."""
    part = path.with_name(f".{uuid.uuid4().hex}.part")  # nobody has a file of that name
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def is_part(path: Path) -> bool:
    """Whether a file is what a process that was killed had begun to write."""
    return re.fullmatch(r"\.[0-9a-f]{32}\.part", path.name) is not None


def remove_parts(folder: Path) -> None:
    """Removes what killed processes had begun to write; nobody else may be writing there."""
    for path in folder.iterdir():
        if is_part(path):
            path.unlink(missing_ok=True)


def _is(kind: type[_Kind], value: object) -> _Kind:
    """The value, where it is of exactly that type.

    Raises:
        TypeError: it is not: nothing is taken for what it is not.
    """
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} is no {kind.__name__}")
    return value


def _files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                name = path.relative_to(folder).as_posix()
                if entry.is_symlink():
                    raise _damaged(folder, f"{name} is a link")
                if entry.is_dir():
                    pending.append(path)
                elif entry.is_file():
                    found[name] = path
                else:
                    raise _damaged(folder, f"{name} is no file")
                if len(found) > MAX_FILES:
                    raise _damaged(folder, f"it has more than {MAX_FILES} files")
    return dict(sorted(found.items()))


def _settle(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk, where the system can be asked."""
    with contextlib.suppress(OSError):  # Windows opens no folder, some disks know no fsync
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _DIGEST).hexdigest()


def _seal(body: dict) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(f"{folder} is damaged: {what}; copy it anew or take another step of this run")
