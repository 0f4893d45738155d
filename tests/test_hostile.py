"""Hostile input, each case by itself: what a reader once fell over, what is bounded, and what never ends."""

import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitjax import metrics, runs
from digitjax.config import TrainConfig, to_dict
from digitjax.data import load, parse_spec
from digitjax.data.idx import read_idx
from digitjax.data.images import image_records
from digitjax.data.unipen import read_unipen
from digitjax.errors import InputError
from digitjax.pictures import read_picture
from digitjax.strokes import from_json, read_drawings
from play import share, wire
from play.outside import load_settings
from play.record import Recorder, RecordError
from play.state import Settings

REPO = Path(__file__).resolve().parents[1]
HEAD = ".COORD X Y\n"


def archive(path: Path, x: bytes, y: bytes | None = None, compression: int = zipfile.ZIP_STORED) -> str:
    file = io.BytesIO()
    np.save(file, np.array([1]))
    with zipfile.ZipFile(path, "w", compression) as made:
        made.writestr("x.npy", x)
        made.writestr("y.npy", file.getvalue() if y is None else y)
    return f"images:{path}"


def npy(descr: str, shape: str, content: bytes = b"") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': True, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + content


# arrays


@pytest.mark.parametrize(
    "x",
    [
        npy("|u1", f"(0, {10**30})"),
        npy("|u1", "(1,) * 99"),
        npy("|u1", "(1, 1, 1" + ", 1" * 80 + ")"),
        b"\x93NUMPY\x01\x00\x02\x00" + b"('",
        npy("|u1", "(0L, 1)"),
        npy("|u1", "(0, 1if 1 else 2)"),
    ],
)
def test_a_header_that_no_array_can_have_is_a_damaged_one(tmp_path, x):
    with pytest.raises(InputError, match=r"x of .*p\.npz is damaged") as error:
        load(archive(tmp_path / "p.npz", x))
    assert len(str(error.value)) < 600 and "\n" not in str(error.value)


@pytest.mark.parametrize("code", [0x110000, 0xD800])
def test_a_number_that_is_no_character_makes_no_word(tmp_path, code):
    pictures = npy("|u1", "(2, 2, 1)", bytes(4))
    words = npy("<U1", "(2,)", struct.pack("<II", ord("7"), code))
    with pytest.raises(InputError, match=r"y of .*p\.npz holds .*: give (whole )?characters"):
        load(archive(tmp_path / "p.npz", pictures, words))


def test_only_what_numpy_writes_is_unpacked(tmp_path):
    with pytest.raises(InputError, match="compression of kind 14"):
        load(archive(tmp_path / "p.npz", npy("|u1", "(1, 1, 1)", b"\0"), compression=zipfile.ZIP_LZMA))


def test_an_archive_that_grows_a_thousandfold_is_refused_before_it_is_unpacked(tmp_path):
    size = 80 * 2**20
    zipped = archive(
        tmp_path / "p.npz", npy("|u1", f"(1, 1, {size})", bytes(size)), None, zipfile.ZIP_DEFLATED
    )
    assert (tmp_path / "p.npz").stat().st_size < 200_000
    with pytest.raises(InputError, match="x of .* grows more than 100 times"):
        load(zipped)


def test_two_million_pictures_of_a_pixel_are_no_small_file(tmp_path):
    n = 2_000_000
    labels = npy("|i1", f"({n},)", bytes(n))
    zipped = archive(tmp_path / "p.npz", npy("|u1", f"({n}, 1, 1)", bytes(n)), labels, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"p.npz holds 2000000 pictures in \d{4} bytes: give pictures"):
        load(zipped)


def test_an_archive_of_very_many_arrays_is_refused_before_its_directory_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as made:
        for number in range(2000):
            made.writestr(str(number), b"")
    with pytest.raises(InputError, match="holds more than 1000 arrays"):
        load(f"images:{tmp_path / 'p.npz'}")


def test_a_class_whose_name_is_no_text_is_refused_wherever_its_pictures_go(tmp_path):
    (tmp_path / "w\udcff").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "w\udcff" / "a.png")
    for read in (load, image_records):
        with pytest.raises(InputError, match="is not UTF-8: rename it"):
            read(parse_spec(f"images:{tmp_path}"))


def test_a_progressive_jpeg_has_no_thousand_scans(tmp_path):
    Image.effect_noise((64, 64), 90).save(tmp_path / "a.jpg", progressive=True)
    whole = (tmp_path / "a.jpg").read_bytes()
    assert 4 < whole.count(b"\xff\xda") < 20 and read_picture(tmp_path / "a.jpg").shape == (64, 64)
    last = whole.rindex(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(whole[:last] + whole[last:-2] * 200 + whole[-2:])
    with pytest.raises(InputError, match="more than 100 scans: save the picture again"):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.ci
def test_a_million_dots_do_not_come_out_of_a_few_kilobytes(tmp_path):
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"drawing":[[[1],[1]]]}\n' * 100_000))
    with pytest.raises(InputError, match=r"a.ndjson.gz:\d+: the file grows more than 400 times in memory"):
        list(read_drawings(path))


def test_idx_is_read_no_further_than_its_header_says(tmp_path):
    """Two gigabytes of zeros behind four pixels."""
    path = tmp_path / "images"
    with path.open("wb") as file:
        file.write(struct.pack(">IIII", 0x803, 1, 2, 2))
        file.truncate(2 << 30)
    with pytest.raises(InputError, match="is too long"):
        read_idx(path, 3)


# text


def test_a_drawing_of_a_hundred_thousand_names_is_refused_at_once():
    with pytest.raises(InputError, match='no "drawing"'):
        from_json({f"drawinh{number}": 0 for number in range(300_000)})


def unipen(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_pen_up_components_cannot_be_named_without_end(tmp_path):
    """Each segment goes over all of them, though none of their points is ink."""
    marks = "".join(f'.SEGMENT C 0-9999 ? "{number}"\n' for number in range(1000))
    path = unipen(tmp_path / "a.dat", HEAD + ".PEN_UP\n1 1\n" * 10_000 + marks)
    with pytest.raises(InputError, match=r"a.dat:\d+: the segments name each point over 64 times"):
        list(read_unipen(path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEAD}.INCLUDE {'x' * 300}\n", "a.dat:2: .* neither beside this file nor in"),
        (f".COORD X Y{' Z' * 20}\n", "a.dat:1: .COORD names more than 16 columns"),
        (f"{HEAD}.PEN_DOWN {'1 ' * 400_002}\n", "a.dat:2: .PEN_DOWN holds more than 200000 points"),
    ],
)
def test_what_a_unipen_file_may_hold_is_bounded(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        list(read_unipen(unipen(tmp_path / "a.dat", text)))


# configuration, metrics, settings, messages


@pytest.mark.usefixtures("unchecked")
def test_numbers_beyond_all_floats_and_endless_values_are_a_short_sentence(tmp_path):
    for field, value in (("learning_rate", 10**400), ("warmup", [[[1]]]), ("weight_decay", "x" * 10**6)):
        values = json.loads(json.dumps(to_dict(TrainConfig())))
        values["optim"][field] = value
        with pytest.raises(InputError, match=f"--optim.{field.replace('_', '-')} is .*: give a num") as error:
            runs.config_from_dict(values)
        assert len(str(error.value)) < 200
    with pytest.raises(InputError, match="--seed 1000.* is out of range") as error:
        runs.config_from_dict({"seed": 10**4000})
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("version", ["1e999", "true", '"2"', "-1", "null"])
def test_a_format_that_is_no_number_is_refused(tmp_path, version):
    (tmp_path / runs.CONFIG).write_text(f'{{"format": {version}, "config": []}}')
    with pytest.raises(InputError):
        runs.read_config(tmp_path)


STEP = {"step": 10, "loss": 1.0, "accuracy": 0.5, "seconds": 1.0}


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 20, "loss": NaN, "accuracy": 0.5}',
        '{"step": 20, "loss": 1e999, "accuracy": 0.5}',
        '{"step": 20, "loss": 1.0}',
        '{"step": 20, "loss": null, "accuracy": 0.5}',
        '{"step": true, "loss": 1.0, "accuracy": 0.5}',
        '{"step": 2147483648, "loss": 1.0, "accuracy": 0.5}',
        '{"step": 20, "loss": 1.0, "accuracy": 0.5, "seconds": "now"}',
        '{"step": 20, "epoch": 1}',
        '{"step": 20, "epoch": 1, "train_loss": 1, "train_accuracy": 1, "validation": {"mnist": 3}}',
        '{"a":' * 100_000,
    ],
)
def test_metrics_are_cut_off_at_a_line_that_nothing_could_be_made_of(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f"{json.dumps(STEP)}\n{line}\n{json.dumps(STEP)}\n")
    assert metrics.read_metrics(path) == [STEP]
    file = metrics.MetricsFile(path, 100)
    assert file.seconds == 1.0 and path.read_text() == json.dumps(STEP) + "\n"
    file.close()


@pytest.mark.parametrize(
    "text", ['{"theme": "dark", "text_size": "normal", "pen": 1.0}', "[" * 100_000, '{"pen": {}}', "7"]
)
def test_settings_that_are_none_are_the_defaults(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    assert load_settings(tmp_path) == Settings()


@pytest.mark.parametrize(
    "header", ["[]", "{}", '{"arrays": 7}', '{"arrays": [["<f8", [99999999999999999999]]]}']
)
def test_a_message_that_is_none_is_a_value_error(header):
    with pytest.raises(ValueError):
        wire.unpack(struct.pack("<I", len(header)) + header.encode())


# the drawing program's own file


def test_one_strange_line_costs_the_gallery_no_other(tmp_path):
    recorder = Recorder(tmp_path)
    deep = '{"drawing": [[[1], [1]]], "word": "1", "said": %s}' % ("[" * 500 + "]" * 500)
    infinite = '{"drawing": [[[2], [2]]], "word": "2", "said": 1e999}'
    recorder.path.write_text(f'{deep}\n{infinite}\n{{"drawing": [[[3], [3]]], "word": "3"}}\n')
    assert [(entry.word, entry.said) for entry in recorder.entries()] == [("1", ""), ("2", "inf"), ("3", "")]
    key = recorder.entries()[1].key
    with pytest.raises(RecordError, match="delete it"):
        recorder.relabel(key, "7")
    recorder.delete(key)
    assert [entry.word for entry in recorder.entries()] == ["1", "3"]


def test_the_gallery_shows_what_the_library_reads(tmp_path):
    """JSON in UTF-16 is neither's; a file of nothing but ends of lines takes no minute."""
    recorder = Recorder(tmp_path)
    recorder.path.write_bytes('{"drawing": [[[1], [1]]], "word": "1"}'.encode("utf-16") + b"\n" * 2_000_000)
    begin = time.process_time()
    assert recorder.entries() == () and time.process_time() - begin < 5
    with pytest.raises(InputError, match="not UTF-8"):
        list(read_drawings(recorder.path))


def test_an_import_of_too_many_points_adds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(share, "MAX_POINTS", 5)
    (tmp_path / "a.ndjson").write_text('{"drawing": [[[1, 2, 3], [1, 2, 3]]]}\n' * 2)
    (tmp_path / "b.ndjson").write_text('{"drawing": [[[1, 2, 3], [1, 2, 3]]]}\n')
    recorder = Recorder(tmp_path / "user")
    assert "split it" in share.import_file(recorder, tmp_path / "a.ndjson") and not recorder.path.exists()
    assert "1 drawing added" in share.import_file(recorder, tmp_path / "b.ndjson")


# what never ends


def run(program: str, *arguments: str | Path, mebibytes: int = 0, seconds: int = 60) -> list[str]:
    """Lines that a program prints in a process of its own, in so much memory beside what its imports take."""
    begin = f"""
        import resource, sys
        from pathlib import Path
        from digitjax import metrics, runs, strokes
        from digitjax.data import load
        from digitjax.data.idx import read_idx
        from digitjax.errors import InputError
        from digitjax.pictures import read_picture
        from play.outside import load_settings
        from play.record import Recorder, RecordError
        used = int(next(l for l in open("/proc/self/status") if l.startswith("VmData")).split()[1]) * 1024
        if {mebibytes}:
            resource.setrlimit(resource.RLIMIT_DATA, (used + {mebibytes} * 2**20,) * 2)
        def said(read, *given):
            try:
                print("returned", read(*given))
            except (InputError, RecordError) as error:
                print("refused", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(program), *map(str, arguments)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_nobody_waits_at_a_pipe(tmp_path):
    for name in ("a.ndjson", "a.npz", "a.dat", "a.png", "idx", "settings.json", "drawings.ndjson", "latest"):
        os.mkfifo(tmp_path / name)
    for name in (runs.CONFIG, runs.METRICS):
        os.mkfifo(tmp_path / name)
    (tmp_path / "classes" / "7").mkdir(parents=True)
    os.mkfifo(tmp_path / "classes" / "7" / "a.png")
    program = """
        from digitjax.data import parse_spec
        from digitjax.data.images import image_records
        folder = Path(sys.argv[1])
        said(image_records, parse_spec(f"images:{folder / 'classes'}"))
        said(lambda: list(strokes.read_drawings(folder / "a.ndjson")))
        for spec in ("strokes:a.ndjson", "images:a.npz", "unipen:a.dat", "unipen:", "images:"):
            kind, _, name = spec.partition(":")
            said(load, f"{kind}:{folder / name}")
        said(read_picture, folder / "a.png")
        said(read_idx, folder / "idx", 3)
        said(runs.read_config, folder)
        said(Recorder(folder).entries)
        said(load_settings, folder)
        said(metrics.read_metrics, folder / "metrics.jsonl")
        said(runs.latest_run, folder)
    """
    said = run(program, tmp_path)
    assert [line.partition(" ")[0] for line in said] == ["refused"] * 11 + ["returned"] * 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what is mapped on Linux alone")
@pytest.mark.parametrize(
    "name", ["gzip", "idx", "npz", "points", "numbers", "parts", "pieces", "picture", "nested"]
)
def test_memory_is_bounded(tmp_path, name):
    """Files of at most 64 MiB that would take gigabytes if they were believed, in 600 MiB beside imports."""
    path = tmp_path / {"npz": "a.npz", "picture": "a.png"}.get(name, "a.ndjson")
    read, says = f"load(f'strokes:{path}')", "refused"
    match name:
        case "gzip":  # ten gigabytes of blank lines
            member = gzip.compress(b" " * (1 << 20) + b"\n")
            path.write_bytes(member * 10_000)
            says = "refused .*grows more than 400 times"
        case "idx":
            path.write_bytes(gzip.compress(struct.pack(">IIII", 0x803, 1, 2, 2) + bytes(1 << 28), 1))
            read, says = f"read_idx(Path({str(path)!r}), 3)", "refused .*is too long"
        case "npz":
            size = 1 << 29
            archive(path, npy("|u1", f"({size >> 20}, 1024, 1024)", bytes(size)), None, zipfile.ZIP_DEFLATED)
            read, says = f"load('images:{path}')", "refused .*grows more than"
        case "points":  # one stroke of a billion points, as far as a line reaches
            path.write_bytes(b'{"drawing":[[[' + b"1," * (32 << 20))
            says = "refused .*longer than 8 MiB"
        case "numbers":
            path.write_text(HEAD + ".PEN_DOWN " + "1 " * (30 << 20))
        case "parts":
            path.write_text(HEAD + ".PEN_UP 1 1\n" * (5 << 20))
        case "pieces":
            path.write_text(HEAD + ".PEN_DOWN 1 1\n.SEGMENT C " + "0," * (30 << 20))
        case "picture":
            header = b"IHDR" + struct.pack(">IIBBBBB", 10**5, 10**5, 8, 2, 0, 0, 0)
            data = b"IDAT" + zlib.compress(bytes(1 << 28), 9)
            chunks = (
                struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data)
            )
            path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
            read, says = f"read_picture({str(path)!r})", "refused .*million pixels"
        case "nested":
            path.write_bytes(b"[" * (8 << 20))
            says = "refused .*nested too deeply"
    if name in ("numbers", "parts", "pieces"):
        read = f"load('unipen:{path}')"
    (said,) = run(f"said(lambda: {read})", mebibytes=600, seconds=300)
    assert said.startswith("refused"), said
    assert re.match(says, said), said
