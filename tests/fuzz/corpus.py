"""Seeds for the fuzzed readers, made on the spot: a sound input of every form, and words that hurt."""

import gzip
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

PART = b"\n%%%\n"
"""What stands between the files of an input that is several files."""

JSON_TOKENS = (
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e999",
    b"1e-999", b"1e400", b"9" * 40, b"9" * 5000, b'"\\ud800"', b'"\\u0000"', b"\xff", b"\xef\xbb\xbf",
    b"[" * 3000, b'{"a":' * 3000, b"\n", b" ",
)  # fmt: skip
"""Words that JSON's readers may stumble over."""
DRAWING_TOKENS = (
    *JSON_TOKENS, b'"drawing":', b'"word":', b'"source":', b'"writer":', b'"key":', b"[[[0],[0]]]",
    b"[[],[]]", b"[0],", b"0,", b"1e308,-1e308", b"\x1f\x8b", b"5e-324",
)  # fmt: skip
UNIPEN_TOKENS = (
    b"\n.PEN_DOWN\n", b"\n.PEN_UP\n", b"\n.SEGMENT ", b"\n.COORD X Y\n", b"\n.COORD Y X T T\n",
    b"\n.START_SET\n", b"\n.INCLUDE b.dat\n", b"\n.INCLUDE c.dat\n", b"\n.INCLUDE ../up.dat\n",
    b"\n.INCLUDE " + b"x" * 300 + b"\n", b"\n.INCLUDE data/c.dat\n", b"\n.X_POINTS_PER_MM ",
    b"\n.Y_POINTS_PER_INCH ", b"\n.DATA_SOURCE ", b"\n.WRITER_ID ", b' "', b'"', b"\\", b"0-1", b"0:1-1:0",
    b",", b"999999999", b"nan", b"1e308", b"1e999", b"-1 ", b"\r", b"\xff", b"\xef\xbb\xbf", b"\x00",
    "é".encode(), b"1_0", b"?", PART,
)  # fmt: skip
IDX_TOKENS = (b"\x1f\x8b", b"\0\0\x08\x03", b"\0\0\x08\x01", b"\xff" * 4)
NPZ_TOKENS = (
    b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"x.npy", b"y.npy", b"\x93NUMPY\x01\x00",
    b"\x93NUMPY\x02\x00", b"'descr'", b"'fortran_order'", b"'shape'", b"True", b"'|u1'", b"'<U4'", b"'|O'",
    b"(0, 99999999999999999999)", b"(-1,)", b"(1,)*99", b"()", b"1" * 99, b"(" * 150, b"-" * 5000, b"\\d",
    b"1if 1 else", b"\x0c\x00", b"\x0e\x00",
)  # fmt: skip
PICTURE_TOKENS = (
    b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT",
    b"IEND", b"\xff\xd8", b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd",
    b"\xff\xe1", b"\xff\xe2", b"\xff\xee", b"Exif\0\0", b"II*\0", b"MM\0*", b"MPF\0", b"\x00\x01\x86\xa0",
)  # fmt: skip
SPEC_TOKENS = (
    b"mnist", b"synthetic", b"strokes:", b"images:", b"unipen:", b"@train", b"@test", b"@", b"=",
    b"=1e999", b"=nan", b"=0", b"=-1", b"=1e-320", b"\0", b"\xed\xa0\x80", "٣".encode(), b" ", b":",
)  # fmt: skip
ARGUMENT_TOKENS = (
    b"\0train", b"\0predict", b"\0evaluate", b"\0data", b"\0bench", b"\0info", b"\0--data", b"\0--json",
    b"\0--seed", b"\0--epochs=", b"\0--model.channels", b"\0--model.hidden", b"\0--optim.learning-rate",
    b"\0--out", b"\0--resume", b"\0--", b"\0-", b"\0=", b"\0None", b"\0nan", b"\0" + b"9" * 5000, b"\0-1",
    b"\0{", b"\0[", b"\0%s", b"\0\xff", *(b"\0" + token for token in SPEC_TOKENS),
)  # fmt: skip
WIRE_TOKENS = (*JSON_TOKENS, b'"arrays":', b'["<f8",[1]]', b'"|O"', b'"<U99"', b"[-1]", b"[99999999999]")


def drawings() -> list[bytes]:
    """Files of drawings, plain and gzip."""
    seven = {"word": "7", "drawing": [[[0, 10, 5], [0, 0, 20]]], "source": "s", "writer": "w"}
    timed = {"drawing": [[[3, 4.5], [5, -6e3], [0, 16]], [[], []], [[1], [1], [2]]], "key_id": "a"}
    recorded = seven | {"key": "0a", "said": "1", "date": "2026-11-25T12:00:00", "model": "cnn-0/12"}
    spiral = {"word": "é", "drawing": [[[i * i % 97 for i in range(300)], list(range(300))]]}
    lines = [json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in (seven, timed, recorded, spiral)]
    return [*lines, b"".join(lines), gzip.compress(b"".join(lines[:3]), mtime=0), b"\n \r\n" + lines[0]]


def unipen() -> list[bytes]:
    """UNIPEN texts, with two others that they may include."""
    head = b".VERSION 1.0\n.DATA_SOURCE s\n.WRITER_ID w\n.COORD X Y T\n"
    head += b".X_POINTS_PER_INCH 100\n.Y_POINTS_PER_MM 4\n"
    ink = b".PEN_DOWN\n1 2 0\n3 4 10\n.PEN_UP\n5 5 20\n.PEN_DOWN\n7 8 30\n9 1 40\n"
    marks = b'.SEGMENT CHARACTER 0 ? "7"\n.SEGMENT CHARACTER 0:1-2:0 OK "\\"\n.SEGMENT WORD 0,2 ? "no"\n'
    marks += b".START_SET x\n"
    including = b".INCLUDE b.dat\n.INCLUDE c.dat\n"
    texts = (
        head + ink + marks,
        head + including + marks,
        ink,
        b".COMMENT \n" + head + ink.replace(b"\n", b"\r\n"),
    )
    return [texts[0], *(PART.join((texts[1], texts[2], texts[n])) for n in (1, 2, 3))]


def idx() -> list[bytes]:
    """IDX files of images and labels, plain and gzip."""
    images = struct.pack(">IIII", 0x803, 2, 3, 4) + bytes(range(24))
    labels = struct.pack(">II", 0x801, 5) + bytes(range(5))
    return [images, labels, gzip.compress(images, mtime=0), gzip.compress(labels, mtime=0)]


def npz() -> list[bytes]:
    """Archives of pictures: stored and deflated, grey and colour, words and numbers."""
    grey, colour = np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.zeros((2, 2, 3, 3), np.uint8, order="F")
    made = []
    for save, x, y in (
        (np.savez, grey, np.array([1, -1])),
        (np.savez, colour, np.array(["7", ""])),
        (np.savez_compressed, grey[..., None], np.array([3, 4], np.uint8)),
    ):
        file = io.BytesIO()
        save(file, x=x, y=y)
        made.append(file.getvalue())
    return made


def pictures() -> list[bytes]:
    """PNG and JPEG in every mode that we take, and a header of 10^5 x 10^5."""
    rng, made = np.random.default_rng(0), []
    pixels = rng.integers(0, 256, (23, 17, 4), np.uint8)
    pixels[5:18, 8:10] = 0
    colour = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    for mode, form in (
        ("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"),
        ("I;16", "PNG"), ("L", "JPEG"), ("RGB", "JPEG"), ("CMYK", "JPEG"),
    ):  # fmt: skip
        image = (
            Image.fromarray(pixels[..., 0].astype(np.uint16) << 8) if mode == "I;16" else colour.convert(mode)
        )
        file = io.BytesIO()
        options = {"transparency": 3} if mode == "P" else {}
        image.save(file, form, exif=exif, progressive=mode == "L", **options)
        made.append(file.getvalue())
    header = b"IHDR" + struct.pack(">IIBBBBB", 10**5, 10**5, 8, 0, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return [*made, huge]


def specs() -> list[bytes]:
    """Data specs."""
    texts = (
        "mnist",
        "mnist@test=3",
        "strokes:a.ndjson@train=0.5",
        "images:C:\\a=b@c",
        "unipen:é/x@validation",
        "minst",
    )
    return [text.encode() for text in texts]


def arguments() -> list[bytes]:
    """Command lines, their words apart by zero bytes."""
    lines = (
        "train cnn --epochs 3 --seed 1", "train --data mnist=3 strokes:a=1 --model.channels 8 16 --out x",
        "train mlp-tiny --model.hidden 28 28 --optim.learning-rate 1e-2 --model.no-rejects",
        "train --resume", "evaluate --data mnist@test --checkpoint newest --json",
        "predict a.png b.ndjson --json", "info --json", "data show synthetic --out a.png --count 9",
        "bench drawn --data strokes:a --count 3",
    )  # fmt: skip
    return [line.replace(" ", "\0").encode() for line in lines]


def configuration() -> list[bytes]:
    """config.json of a run, in the newest and in the first format."""
    from digitjax.config import TrainConfig, to_dict

    values = to_dict(TrainConfig(data=("mnist",)))
    first = values | {"model": values["model"] | {"hidden": 96}}
    return [
        json.dumps({"format": 2, "config": values, "data": ["mnist", "synthetic"]}).encode(),
        json.dumps({"format": 1, "config": first}).encode(),
    ]


def manifests() -> list[bytes]:
    """manifest.json of a step beside the config.json of its run."""
    record = {
        "score": 0.9, "accuracy": 0.5, "loss": 0.1, "epoch": 1, "parameters": 140282,
        "date": "2026-11-25T12:00:00",
        "validation": {"mnist@validation": {"loss": 0.05, "accuracy": 0.98, "n": 5000}},
        "calibration": {"temperature": 1.2, "threshold": -0.3},
    }  # fmt: skip
    body = {
        "format": 2,
        "step": 7,
        "contents": ["params"],
        "record": record,
        "config_sha256": "",
        "files": {},
    }
    listed = body | {"files": {"a": {"size": 1, "sha256": "00"}}, "record": {}}
    return [json.dumps(one).encode() + PART + configuration()[0] for one in (body, listed)]


def checkpoint(folder: Path) -> Path:
    """A small trained run: four hidden units, one full step and its history."""
    import jax

    from digitjax import checkpoint, runs
    from digitjax.config import ModelConfig, TrainConfig
    from digitjax.models import make_model
    from digitjax.optim import make_optimizer
    from digitjax.train import init_state

    config = TrainConfig(model=ModelConfig(kind="mlp", hidden=(4,), geometry="uci8"), data=("digits8x8",))
    state = init_state(jax.random.key(0), make_model(config.model), make_optimizer(config))
    run = folder / "mlp-0"
    run.mkdir(parents=True)
    runs.write_config(run, config, data=["digits8x8"])
    with checkpoint.Saver(run) as saver:
        saver.save(
            state,
            {"score": 0.9, "accuracy": 0.9, "date": "2026-11-25T12:00:00"},
            full=True,
            keep_params=False,
        )
    return run


def edits() -> list[bytes]:
    """Changes to a checkpoint's files: none, one of each kind, and some at random."""
    rng = np.random.default_rng(1)
    return [
        b"",
        *(bytes([n, n, n, 0, 8, 1, n, 9]) for n in range(8)),
        *(rng.bytes(8 * n + 1) for n in range(1, 9)),
    ]


def metrics() -> list[bytes]:
    """metrics.jsonl of a run."""
    step = {"step": 10, "loss": 1.9, "accuracy": 0.4, "grad_norm": 2.1, "seconds": 3.2}
    results = {"mnist@validation": {"loss": 0.05, "accuracy": 0.985, "n": 5000}}
    epoch = {
        "epoch": 1,
        "step": 20,
        "train_loss": 0.3,
        "train_accuracy": 0.9,
        "loss": 0.05,
        "accuracy": 0.985,
    }
    lines = [json.dumps(line) for line in (step, epoch | {"validation": results, "seconds": 9.1})]
    return ["\n".join(lines).encode() + b"\n", lines[0].encode()]


def settings() -> list[bytes]:
    """settings.json of the drawing program."""
    return [
        b'{"theme": "dark", "text_size": "normal", "pen": 1}',
        b'{"theme": "light", "text_size": "large", "pen": 0}',
    ]


def messages() -> list[bytes]:
    """Messages between the window and the worker."""
    from play import wire

    header = {"kind": "ink", "revision": 3, "off": [], "why": False}
    return [wire.pack(header, np.zeros((3, 2)), np.array([3])), wire.pack({"kind": "quit"})]
