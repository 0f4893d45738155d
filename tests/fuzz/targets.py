"""Every reader of what comes from outside as a function of bytes that raises nothing but its own errors."""

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from digitjax.errors import DigitjaxError
from tests.fuzz import corpus
from tests.fuzz.mutate import LONGEST


class Target(NamedTuple):
    """A reader under test.

    Attributes:
        read: gives it an input; the folder is the target's own, empty at first and kept from input to input.
        seeds: sound inputs to begin with.
        modules: whose branches are counted.
        tokens: words that mutations put in.
        inputs: of the long form.
        errors: what may come out.
        longest: characters of the sentence; more where it repeats what was typed.
    """

    read: Callable[[bytes, Path], object]
    seeds: Callable[[], list[bytes]]
    modules: tuple[str, ...]
    tokens: tuple[bytes, ...]
    inputs: int = 10**6
    errors: tuple[type[Exception], ...] = (DigitjaxError,)
    longest: int = 1000


def drawings(data: bytes, folder: Path) -> None:
    from digitjax.data.drawings import load_drawings
    from digitjax.data.spec import Spec

    load_drawings(Spec("strokes", _file(folder / "a.ndjson", data)))


def recorded(data: bytes, folder: Path) -> None:
    """The drawing program's own file: shown, relabelled, deleted from, exported, mended."""
    from play.record import Recorder, RecordError

    recorder = Recorder(folder)
    recorder.path.write_bytes(data)
    entries = recorder.entries()
    assert len(recorder.records()) == len(entries)
    for entry in entries[:1]:
        with contextlib.suppress(RecordError):  # a field beside the drawing that JSON cannot say: 1e999
            recorder.relabel(entry.key, "7")
    for entry in entries[-1:]:
        recorder.delete(entry.key)
    recorder.mend()
    if len({entry.key for entry in entries}) == len(entries) > 1:
        assert [entry.strokes for entry in recorder.entries()] == [entry.strokes for entry in entries[:-1]]


def imported(data: bytes, folder: Path) -> None:
    from play import share
    from play.record import Recorder

    recorder = Recorder(folder / "user")
    recorder.path.parent.mkdir(exist_ok=True)
    recorder.path.write_bytes(corpus.drawings()[0])
    share.import_file(recorder, Path(_file(folder / "a.ndjson", data)))
    share.export(recorder, "ndjson", times=True)
    assert recorder.entries()


def unipen(data: bytes, folder: Path) -> None:
    from digitjax.data.spec import Spec
    from digitjax.data.unipen import load_unipen

    if not (folder / "in").exists():
        (folder / "in" / "data").mkdir(parents=True)
        (folder / "in" / "include").mkdir()
        (folder / "up.dat").write_bytes(b'.COORD X Y\n.PEN_DOWN\n1 1\n.SEGMENT C 0 ? "@"\n')
    parts = [*data.split(corpus.PART, 2), b"", b""]
    _file(folder / "in" / "include" / "b.dat", parts[1])
    _file(folder / "in" / "data" / "c.dat", parts[2])
    spec = Spec("unipen", _file(folder / "in" / "data" / "a.dat", parts[0]))
    if b"@" not in data:
        assert "@" not in load_unipen(spec).words, "a file outside the folder was read"
    else:
        load_unipen(spec)


def idx(data: bytes, folder: Path) -> None:
    from digitjax.data.idx import read_idx

    path = Path(_file(folder / "a.idx", data))
    with contextlib.suppress(DigitjaxError):
        assert read_idx(path, 1).array.ndim == 1
    assert read_idx(path, 3).array.ndim == 3


def npz(data: bytes, folder: Path) -> None:
    from digitjax.data.images import load_images
    from digitjax.data.spec import Spec

    source = load_images(Spec("images", _file(folder / "a.npz", data)))
    "".join(source.words).encode()


def pictures(data: bytes, folder: Path) -> None:
    from digitjax.pictures import read_picture
    from digitjax.pixels import picture_to_image

    picture_to_image(read_picture(_file(folder / "a.png", data)), "mnist28")


def spec(data: bytes, folder: Path) -> None:
    from digitjax.data.spec import parse_spec

    found = parse_spec(data.decode("utf-8", "surrogateescape"))
    assert parse_spec(str(found)) == found


def train_arguments(data: bytes, folder: Path) -> None:
    """`digitjax train` up to its configuration."""
    from digitjax.commands import train
    from digitjax.presets.registry import preset

    argv = train._join_lists(_argv(data))
    with contextlib.suppress(SystemExit), open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
        first = train._parse_first(argv)
        train._config(train._parse(argv, preset(first.config.preset)))


def arguments(data: bytes, folder: Path) -> None:
    """The other commands up to their arguments, the specs among them read."""
    from digitjax.commands import bench_drawn, evaluate, predict
    from digitjax.data.spec import parse_spec

    argv = _argv(data)
    for command in (bench_drawn, evaluate, predict):
        with contextlib.suppress(SystemExit, DigitjaxError), open(os.devnull, "w") as quiet:
            with contextlib.redirect_stdout(quiet):
                found = command._parser().parse(argv)
            for text in getattr(found, "data", ()):
                parse_spec(text)


def configuration(data: bytes, folder: Path) -> None:
    from digitjax import runs

    _file(folder / runs.CONFIG, data)
    runs.read_config(folder)
    runs.read_data(folder)


def manifests(data: bytes, folder: Path) -> None:
    """A step's manifest, sealed whatever it says, and what is printed of it."""
    from digitjax import manifest, runs
    from digitjax.calibrate import from_record
    from digitjax.commands import info

    (folder / "cnn-0" / "7").mkdir(parents=True, exist_ok=True)
    text, _, config = data.partition(corpus.PART)
    _file(folder / "cnn-0" / runs.CONFIG, config)
    _file(
        folder / "cnn-0" / "7" / manifest.NAME,
        _sealed(text, config_sha256=hashlib.sha256(config).hexdigest()),
    )
    found = info._checkpoint(folder / "cnn-0")
    info._checkpoint_text(found)
    from_record(manifest.verify(runs.resolve(str(folder / "cnn-0")), folder / "cnn-0" / runs.CONFIG).record)


def checkpoint(data: bytes, folder: Path) -> None:
    """A whole run with some of its bytes changed; in half of the inputs its manifest vouches for them."""
    from digitjax import manifest
    from digitjax.checkpoint import load_model

    if not (folder / "base").exists():
        corpus.checkpoint(folder / "base")
    base, run = folder / "base" / "mlp-0", folder / "run"
    files = {p.relative_to(base).as_posix(): p.read_bytes() for p in sorted(base.rglob("*")) if p.is_file()}
    sealed = bool(data) and data[0] % 2 == 1
    files, links = edited(files, data[1:])
    shutil.rmtree(run, ignore_errors=True)
    step = run / "0"
    step.mkdir(parents=True)
    for name, content in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    for name, target in links.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).symlink_to(target)
    if sealed and (step / manifest.NAME).is_file() and not links:
        listed = {
            p.relative_to(step).as_posix(): {"size": p.stat().st_size, "sha256": _sha256(p.read_bytes())}
            for p in sorted(step.rglob("*"))
            if p.is_file() and p != step / manifest.NAME
        }
        config = _sha256(files.get("config.json", b""))
        text = _sealed((step / manifest.NAME).read_bytes(), files=listed, config_sha256=config)
        (step / manifest.NAME).write_bytes(text)
    load_model(run)


def metrics(data: bytes, folder: Path) -> None:
    from digitjax.metrics import MetricsFile, read_metrics

    path = Path(_file(folder / "metrics.jsonl", data))
    lines = read_metrics(path)
    file = MetricsFile(path, 15)
    assert file.lines == [line for line in lines if line["step"] <= 15]
    assert math.isfinite(file.seconds)
    file.close()


def settings(data: bytes, folder: Path) -> None:
    from play.outside import load_settings
    from play.state import PENS

    _file(folder / "settings.json", data)
    PENS[load_settings(folder).pen]


def messages(data: bytes, folder: Path) -> None:
    from play import wire

    wire.unpack(data)


def edited(files: dict[str, bytes], data: bytes) -> tuple[dict[str, bytes], dict[str, str]]:
    """Files after the changes that each eight bytes name, and the links that took the place of files."""
    names, links = [*files], {}
    for at in range(0, len(data) - 7, 8):
        which, kind, high, low, length, value, token, end = data[at : at + 8]
        name = names[which % len(names)]
        content = files.get(name)
        if content is None:
            continue
        start = (high << 8 | low) * (len(content) + 1) >> 16
        stop = start + length
        word = corpus.JSON_TOKENS[token % len(corpus.JSON_TOKENS)]
        match kind % 8:
            case 0:
                files[name] = content[:start] + bytes([value]) + content[start + 1 :]
            case 1:
                files[name] = content[:start] + word + content[start:]
            case 2:
                files[name] = content[:start] + content[stop:]
            case 3:
                files[name] = content[:start] + content[start:stop] * 2 + content[stop:]
            case 4:
                digits = [i for i, c in enumerate(content) if chr(c).isdigit()]
                if digits:
                    place = digits[start % len(digits)]
                    files[name] = content[:place] + str(value << end % 64).encode() + content[place + 1 :]
            case 5:
                files[name] = content[:start]
            case 6:
                del files[name]
            case _:
                if value % 4 == 0:
                    del files[name]
                    links[name] = ("/etc/passwd", "/dev/zero", ".", name)[end % 4]
    return files, links


TYPED = 10 * LONGEST
"""Characters of a sentence about a command line, which it may repeat."""
TARGETS = {
    "drawings": Target(
        drawings,
        corpus.drawings,
        ("digitjax.strokes", "digitjax.data.drawings", "digitjax.segments"),
        corpus.DRAWING_TOKENS,
    ),
    "recorded": Target(recorded, corpus.drawings, ("play.record",), corpus.DRAWING_TOKENS, 10**4),
    "imported": Target(imported, corpus.drawings, ("play.share",), corpus.DRAWING_TOKENS, 10**4),
    "unipen": Target(
        unipen, corpus.unipen, ("digitjax.data.unipen", "digitjax.data.unipen_text"), corpus.UNIPEN_TOKENS
    ),
    "idx": Target(idx, corpus.idx, ("digitjax.data.idx",), corpus.IDX_TOKENS),
    "npz": Target(npz, corpus.npz, ("digitjax.data.images",), corpus.NPZ_TOKENS),
    "pictures": Target(pictures, corpus.pictures, ("digitjax.pictures",), corpus.PICTURE_TOKENS, 10**4),
    "spec": Target(spec, corpus.specs, ("digitjax.data.spec",), corpus.SPEC_TOKENS, longest=TYPED),
    "arguments": Target(
        arguments,
        corpus.arguments,
        ("digitjax.commands.arguments",),
        corpus.ARGUMENT_TOKENS,
        10**4,
        longest=TYPED,
    ),
    "train": Target(
        train_arguments,
        corpus.arguments,
        ("digitjax.commands.train",),
        corpus.ARGUMENT_TOKENS,
        10**4,
        longest=TYPED,
    ),
    "configuration": Target(configuration, corpus.configuration, ("digitjax.runs",), corpus.JSON_TOKENS),
    "manifests": Target(manifests, corpus.manifests, ("digitjax.manifest",), corpus.JSON_TOKENS, 10**4),
    "checkpoint": Target(checkpoint, corpus.edits, ("digitjax.checkpoint",), (b"\1", b"\7"), 10**4),
    "metrics": Target(metrics, corpus.metrics, ("digitjax.metrics",), corpus.JSON_TOKENS),
    "settings": Target(settings, corpus.settings, ("play.outside",), corpus.JSON_TOKENS, errors=()),
    "messages": Target(messages, corpus.messages, ("play.wire",), corpus.WIRE_TOKENS, errors=(ValueError,)),
}
"""Name of each target."""


def _file(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def _argv(data: bytes) -> list[str]:
    """Words as the system hands them over: none holds a zero byte, all but a few are UTF-8."""
    return [os.fsdecode(word) for word in data.split(b"\0") if word][:64]


def _sealed(text: bytes, **changes: object) -> bytes:
    """A manifest with a seal that fits, as one who means harm would make it; no JSON stays as it is."""
    from digitjax import manifest

    try:
        body = json.loads(text)
        body.pop("sha256", None)
        body |= changes
        return json.dumps(body | {"sha256": manifest._seal(body)}).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return text


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
