"""MNIST: IDX files, the prepared copy, the download; on a tiny set of our own and on the real files."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from digitjax.data import DataUnavailable, Source, download, line, load, mnist_files, unavailable
from digitjax.data import mnist as source
from digitjax.data.download import Download, probe
from digitjax.data.idx import read_idx, write_idx
from digitjax.data.mnist import CANONICAL, Known, prepare
from digitjax.data.prepared import MANIFEST, PREFIX, _digest, clear_stale, is_whole, publish, sha256
from digitjax.errors import DigitjaxError, InputError

NAMES = tuple(CANONICAL)
SIZES = {"train": 240, "t10k": 30}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A folder with four small IDX files, gzip and plain."""
    folder = tmp_path_factory.mktemp("tiny")
    random = np.random.default_rng(0)
    for part, n in SIZES.items():
        write_idx(folder / f"{part}-images-idx3-ubyte", random.integers(0, 256, (n, 28, 28), dtype=np.uint8))
        write_idx(folder / f"{part}-labels-idx1-ubyte", (np.arange(n) % 10).astype(np.uint8))
    for name in NAMES[:3]:
        data = (folder / name).read_bytes()
        (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
    return folder


@pytest.fixture
def table(tiny) -> dict[str, Known]:
    """The checksums of the small files."""
    found = {}
    for name in NAMES:
        data = (tiny / name).read_bytes()
        packed = gzip.compress(data, mtime=0)
        items = SIZES[name.partition("-")[0]]
        download = Download(len(packed), hashlib.sha256(packed).hexdigest())
        found[name] = Known(download, hashlib.sha256(data).hexdigest(), items)
    return found


@pytest.fixture
def given(tiny, tmp_path, monkeypatch) -> Path:
    """A copy of the small files in DIGITJAX_MNIST_DIR, and an empty data folder."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(tiny / name, folder)
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(folder))
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path / "data"))
    return folder


def pictures(part: Source) -> np.ndarray:
    """The images of a source that has them all of one size."""
    assert isinstance(part.images, np.ndarray)
    return part.images


def prepared(tmp_path: Path) -> list[str]:
    folder = tmp_path / "data"
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


# the format


def test_idx_is_read_plain_and_packed(tiny):
    plain, packed = read_idx(tiny / NAMES[0], 3), read_idx(tiny / f"{NAMES[0]}.gz", 3)
    assert plain.array.shape == (240, 28, 28) and plain.sha256 == packed.sha256
    np.testing.assert_array_equal(plain.array, packed.array)
    assert (tiny / NAMES[0]).read_bytes()[:16] == bytes.fromhex("00000803 000000f0 0000001c 0000001c")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "within its header"),
        (bytes(15), "within its header"),
        (bytes.fromhex("00000801 00000001 00000001 00000001 05"), "no IDX file of images"),
        (bytes.fromhex("00000803 00000001 00000001 00000002 05"), "is cut off, 17 bytes where 18"),
        (bytes.fromhex("00000803 00000001 00000001 00000001 0506"), "too long"),
        (bytes.fromhex("00000803 ffffffff ffffffff ffffffff 05"), "is cut off"),
        (gzip.compress(bytes(100), mtime=0)[:-9], "damaged or cut off"),
        (gzip.compress(bytes(100), mtime=0)[:-8] + bytes(8), "damaged or cut off"),
        (b"\x1f\x8b" + bytes(9), "damaged or cut off"),
    ],
)
def test_idx_that_is_not_whole_is_refused(tmp_path, content, says):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"images .*{says}"):
        read_idx(path, 3)


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("digitjax.data.idx.MAX_BYTES", 10_000)
    (tmp_path / "bomb").write_bytes(gzip.compress(bytes(100_000)))
    with pytest.raises(InputError, match="bomb unpacks to more"):
        read_idx(tmp_path / "bomb", 1)
    (tmp_path / "large").write_bytes(bytes(20_000))
    with pytest.raises(InputError, match="large is larger"):
        read_idx(tmp_path / "large", 1)


# the line of progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_rewritten_and_what_others_print_is_not_shown(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(line, "_EVERY", 0.0)
    with line.progress_line("preparing", 8) as progress:
        print("Dataset is being prepared")
        for number in range(9):
            progress.done(number)
    *rewritten, last = shown.getvalue().split("\r")
    assert [text.split()[-1] for text in rewritten if text.strip()] == [
        f"{n / 8:.0%}" for n in (0, *range(9))
    ]
    assert last == "preparing\n" and shown.getvalue().count("\n") == 1
    with pytest.raises(ZeroDivisionError), line.progress_line("failing", 8):
        raise ZeroDivisionError
    assert shown.getvalue().endswith("\r"), "a failure leaves the line to its sentence"


# given files


def test_given_files_are_prepared_once_and_read_back(given, table, tmp_path, capfd, monkeypatch):
    folder = prepare(table)
    assert prepared(tmp_path) == [folder.name] and is_whole(folder)
    out, err = capfd.readouterr()
    assert out == ""
    assert [line for line in err.splitlines() if not line.startswith("note: ")] == [
        "preparing MNIST: 270 images"
    ]
    assert "tensorflow" not in sys.modules
    parts = {
        split: source.load_mnist(source.Spec("mnist", None, split))
        for split in ("train", "validation", "test")
    }
    assert {split: len(part.labels) for split, part in parts.items()} == {
        "train": 220,
        "validation": 20,
        "test": 30,
    }
    assert np.bincount(parts["validation"].labels).tolist() == [2] * 10
    seen = {
        bytes(image): int(y) for p in parts.values() for image, y in zip(pictures(p), p.labels, strict=True)
    }
    images = [read_idx(given / name, 3).array for name in (NAMES[0], NAMES[2])]
    expected = {bytes(image): i % 10 for array in images for i, image in enumerate(array)}
    assert seen == expected and len(seen) == 270
    monkeypatch.setattr(source, "publish", lambda *_: pytest.fail("it was prepared again"))
    assert prepare(table) == folder


def test_a_training_hashes_each_file_once(given, table, monkeypatch):
    prepare(table)
    hashed = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, name: hashed.append(file.name) or digest(file, name)
    )
    _digest.cache_clear()
    for split in ("train", "validation", "test"):
        load(f"mnist@{split}")
    assert hashed and len(hashed) == len(set(hashed))


def test_a_file_that_changes_is_hashed_again(tmp_path):
    file = tmp_path / "a"
    seen = set()
    for number, content in enumerate((b"one", b"two", b"three")):
        file.write_bytes(content)
        os.utime(file, ns=(number, number))
        assert sha256(file) == hashlib.sha256(content).hexdigest()
        seen.add(sha256(file))
    assert len(seen) == 3


def test_what_is_read_is_what_tfds_reads(given, table):
    import tensorflow_datasets as tfds

    folder = prepare(table)
    builder = tfds.builder_from_directory(folder / "digitjax_mnist" / "1.0.0")
    assert {name: info.num_examples for name, info in builder.info.splits.items()} == {
        "train": 220,
        "validation": 20,
        "test": 30,
    }
    theirs = list(builder.as_data_source(split="validation"))  # pyright: ignore[reportCallIssue]
    ours = load("mnist@validation")
    assert ours.name == "mnist@validation" and ours.words == tuple(str(e["label"]) for e in theirs)
    np.testing.assert_array_equal(ours.images, [e["image"][:, :, 0] for e in theirs])


def test_without_array_record_the_copy_holds_idx_files(given, table, monkeypatch):
    images = {split: load(f"mnist@{split}") for split in ("train", "validation")}
    for module in (source, mnist_files):
        monkeypatch.setattr(module, "has_array_record", lambda: False)
    folder = prepare(table)
    assert folder.name.endswith("-idx") and is_whole(folder)
    for split, with_records in images.items():
        again = load(f"mnist@{split}")
        assert sorted(map(bytes, pictures(again))) == sorted(map(bytes, pictures(with_records)))
        assert again.labels.dtype == np.int8


def test_other_files_are_never_taken_for_the_ones_prepared(given, table):
    folder = prepare(table)
    labels = read_idx(given / NAMES[3], 1).array.copy()
    labels[0] = 7
    write_idx(given / NAMES[3], labels)
    changed = {**table, NAMES[3]: table[NAMES[3]]._replace(sha256=read_idx(given / NAMES[3], 1).sha256)}
    assert prepare(changed) != folder


def test_a_set_of_another_size_is_taken_and_noted(given, capfd):
    assert len(load("mnist").labels) == 30
    assert "holds 240 images, so it is not MNIST itself" in capfd.readouterr().err


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("number", range(4))
def test_a_damaged_or_cut_file_is_refused_by_name_and_leaves_nothing(given, table, tmp_path, number, packed):
    path = given / NAMES[number]
    whole = path.read_bytes()
    for damage in ("cut", "flipped", "longer"):
        flipped = bytearray(whole)
        flipped[-1] ^= 1
        content = {"cut": whole[:-1], "flipped": bytes(flipped), "longer": whole + b"\0"}[damage]
        path.write_bytes(content)
        if packed:
            path.unlink()
            (given / f"{NAMES[number]}.gz").write_bytes(gzip.compress(content))
        with pytest.raises(InputError, match=NAMES[number]) as error:
            prepare(table)
        assert "fetch it again" in str(error.value)
        assert prepared(tmp_path) == []


def test_a_half_written_gzip_is_refused(given, table, tiny, tmp_path):
    path = given / f"{NAMES[0]}.gz"
    whole = (tiny / path.name).read_bytes()
    for length in (0, 1, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=path.name):
            prepare(table)
    assert prepared(tmp_path) == []


def test_a_missing_file_is_named(given, table):
    (given / NAMES[1]).unlink()
    with pytest.raises(InputError, match=f"lacks {NAMES[1]}"):
        prepare(table)
    assert unavailable("mnist") is None  # so that a training says what is wrong instead of going another way


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        (NAMES[0], np.zeros((5, 8, 8), np.uint8), "28 x 28"),
        (NAMES[1], np.zeros(5, np.uint8), "5 labels for 240 images"),
        (NAMES[1], np.full(250, 10, np.uint8), "labels above 9"),
        (NAMES[2], np.zeros((0, 28, 28), np.uint8), "no items"),
    ],
)
def test_files_that_do_not_fit_are_refused(given, table, name, array, says):
    write_idx(given / name, array)
    with pytest.raises(InputError, match=f"{name} .*{says}"):
        prepare(table)


def test_a_damaged_copy_is_made_again(given, table, tmp_path):
    folder = prepare(table)
    record = next(folder.rglob("*-test.array_record*"))
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 1
    record.write_bytes(data)
    assert is_whole(folder, contents=False) and not is_whole(folder)
    assert prepare(table) == folder and is_whole(folder)
    (folder / MANIFEST).unlink()
    assert prepare(table) == folder and is_whole(folder)
    assert prepared(tmp_path) == [folder.name]


def test_several_may_prepare_at_once(given, table, tmp_path):
    results, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: results.append(prepare(table))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(results) == 3 and len(set(results)) == 1 and is_whole(results[0])
    assert prepared(tmp_path) == [results[0].name]


# the prepared folder


def test_a_failure_on_the_way_leaves_nothing(tmp_path):
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(DigitjaxError, match=r"No space left on device.*make room") as error:
        publish(tmp_path / "data" / "x", fail)
    assert error.value.exit_code == 1 and prepared(tmp_path) == []
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "data" / "x", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert prepared(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_one_sentence(given, tmp_path):
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
    code += "from digitjax.cli import main; sys.exit(main(['data', 'prepare', 'mnist']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "could not be prepared" in done.stderr and "make room" in done.stderr
    assert "Traceback" not in done.stderr and prepared(tmp_path) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="set DIGITJAX_DATA_DIR"):
        publish(tmp_path / "file" / "x", lambda _: None)


def test_leftovers_of_killed_processes_are_cleared_after_a_day(tmp_path):
    old, new = tmp_path / f"{PREFIX}a", tmp_path / f"{PREFIX}b"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    clear_stale(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [new.name]


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '{"a": 1}', '{"a": [1, "x"]}', "[" * 9999])
def test_a_folder_without_a_good_manifest_is_not_whole(tmp_path, manifest):
    (tmp_path / MANIFEST).write_text(manifest)
    assert not is_whole(tmp_path)


# the network


@contextlib.contextmanager
def serve(folder: Path, kind: type[http.server.SimpleHTTPRequestHandler] | None = None):
    handler = functools.partial(kind or QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args) -> None:
        pass


@pytest.fixture
def online(given, tiny, monkeypatch, tmp_path):
    """A folder to serve, no given files, and leave to use the network of this machine, however busy it is."""
    monkeypatch.setattr("digitjax.data.download.CONNECT_SECONDS", 60.0)
    monkeypatch.setattr("digitjax.data.download.ANSWER_SECONDS", 60.0)
    monkeypatch.delenv("DIGITJAX_MNIST_DIR")
    monkeypatch.delenv("DIGITJAX_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.gz").write_bytes(gzip.compress((tiny / name).read_bytes(), mtime=0))
    return folder


def test_the_download_is_checked_and_prepared(online, table, tmp_path, capfd):
    with serve(online) as mirror:
        folder = prepare(table, ("http://127.0.0.1:9/", mirror))
        out, err = capfd.readouterr()
        assert out == "" and "\r" not in err
        lines = [line for line in err.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 2 and lines[1] == "preparing MNIST: 270 images"
        assert re.fullmatch(r"fetching 0\.\d MB from 127\.0\.0\.1:\d+", lines[0])
        assert is_whole(folder)
    assert prepare(table, (mirror,)) == folder  # also without the network


def test_another_checksum_is_refused_and_leaves_no_copy(online, table, tmp_path):
    wrong = bytearray((online / f"{NAMES[0]}.gz").read_bytes())
    wrong[-1] ^= 1
    (online / f"{NAMES[0]}.gz").write_bytes(wrong)
    with serve(online) as mirror, pytest.raises(DataUnavailable, match="could not be fetched"):
        prepare(table, (mirror,))
    assert [name for name in prepared(tmp_path) if name != "downloads"] == []


@pytest.mark.parametrize("sent", [0, 50])
def test_a_mirror_that_stalls_on_the_way_is_given_up_and_hung_up_on(online, table, tmp_path, sent):
    hung_up = threading.Event()

    class Stalling(QuietHandler):
        def do_GET(self) -> None:
            if sent:
                self.send_response(200)
                self.send_header("Content-Length", str(2 * sent))
                self.end_headers()
                self.wfile.write(bytes(sent))
            self.connection.settimeout(20)
            with contextlib.suppress(TimeoutError):
                if self.connection.recv(1) == b"":
                    hung_up.set()

    start = time.monotonic()
    with serve(online, Stalling) as mirror, pytest.raises(DataUnavailable, match="could not be fetched"):
        wanted = {f"{NAMES[3]}.gz": table[NAMES[3]].download}
        download.fetch(mirror, wanted, tmp_path / "downloads", stall_seconds=0.5)
    assert time.monotonic() - start < 15
    assert hung_up.wait(5), "a thread that still waits would keep the process from ending"


def test_the_probe_takes_no_page_for_the_file(online, table):
    name = f"{NAMES[3]}.gz"
    with serve(online) as mirror:
        assert probe([mirror], name, table[NAMES[3]].download.size) == (mirror, "")
        assert probe([mirror], name, 5)[1].endswith("answers with something else")
        assert probe([mirror], "nothing", 5)[1].endswith("answers 404")


def test_a_network_that_connects_and_never_answers_is_given_up_after_2_s(monkeypatch):
    monkeypatch.delenv("DIGITJAX_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        found, reason = probe([f"http://{host}/", f"http://{host}/"], "labels.gz", 5)
        seconds = time.monotonic() - start
    assert found is None and reason == f"no answer from {host} within 2 s"
    assert 1.9 < seconds < 3.5


@pytest.mark.parametrize("blocks", ["getaddrinfo", "create_connection"])
def test_a_network_that_drops_every_question_is_given_up_after_2_s(monkeypatch, blocks):
    monkeypatch.delenv("DIGITJAX_OFFLINE")
    over = threading.Event()

    def unanswered(*_, **__):
        over.wait(20)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, blocks, unanswered)
    start = time.monotonic()
    found, reason = probe(["https://a.example/", "https://b.example/"], "labels.gz", 5)
    seconds = time.monotonic() - start
    over.set()
    assert found is None and reason == "no connection to the network within 2 s"
    assert 1.9 < seconds < 3.5


def test_a_connection_in_the_last_moment_still_has_2_s_for_its_answer_and_no_more(monkeypatch):
    monkeypatch.delenv("DIGITJAX_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(download, "ANSWER_SECONDS", 1.0)
    connect = socket.create_connection

    def late(address, *rest):
        time.sleep(0.6 if address[1] == port else 1.5)
        return connect((address[0], port), *rest)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(socket, "create_connection", late)
        start = time.monotonic()
        _, reason = probe([f"http://127.0.0.1:{port}/", "http://127.0.0.1:9/"], "labels.gz", 5)
        assert "no answer" in reason and 1.5 < time.monotonic() - start < 2.5


def test_what_was_asked_early_is_not_asked_again_and_is_no_slower_for_being_fetched_late(
    online, table, monkeypatch
):
    name, size = f"{NAMES[3]}.gz", table[NAMES[3]].download.size
    with serve(online) as mirror, download.asked_early([mirror], name, size):
        time.sleep(0.3)
        monkeypatch.setattr(download, "Probe", lambda *_: pytest.fail("asked again"))
        monkeypatch.setattr(download, "CONNECT_SECONDS", 0.1)
        for _ in range(2):
            assert probe([mirror], name, size) == (mirror, "")
    with pytest.raises(pytest.fail.Exception, match="asked again"):
        probe([mirror], name, size)


def test_the_network_is_asked_early_only_where_it_is_needed(given, table, monkeypatch):
    asked = []
    monkeypatch.setattr(download, "Probe", lambda *question: asked.append(question))
    monkeypatch.delenv("DIGITJAX_OFFLINE")
    with mnist_files.asking_early():
        assert not asked, "the files are given"
    monkeypatch.delenv("DIGITJAX_MNIST_DIR")
    with mnist_files.asking_early():
        assert len(asked) == 1
    monkeypatch.setenv("DIGITJAX_OFFLINE", "1")
    with mnist_files.asking_early():
        assert len(asked) == 1


NOTICED = """
import sys
from digitjax.data import mnist_files
mnist_files.MIRRORS = tuple(sys.argv[1:])
from digitjax import cli
sys.exit(cli.main(["train", "--anew"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a full backlog drops connections on Linux")
@pytest.mark.parametrize("network", ["drops", "is silent"])
def test_the_notice_of_embedded_data_comes_within_5_s_in_a_process_of_its_own(network, tmp_path):
    environment = {name: text for name, text in os.environ.items() if name != "DIGITJAX_OFFLINE"}
    environment |= {"DIGITJAX_DATA_DIR": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0 if network == "drops" else 8)
        if network == "drops":
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(server.getsockname())
        mirror = f"http://127.0.0.1:{server.getsockname()[1]}/"
        start = time.monotonic()
        subprocess.run([sys.executable, "-c", "import digitjax.loop"], env=environment, check=True)
        importing = time.monotonic() - start
        start = time.monotonic()
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", NOTICED, mirror], env=environment, stderr=subprocess.PIPE, text=True
            )
        )
        assert process.stderr is not None
        notice = process.stderr.readline()
        seconds = time.monotonic() - start
        process.kill()
    expected = "no connection to the network" if network == "drops" else f"no answer from {mirror[7:-1]}"
    assert "no MNIST" in notice
    if seconds < 4.5:  # else the machine is so busy that the sockets gave up first
        assert expected in notice
    assert seconds < max(5.0, 1.5 * importing + 1), "on a busy machine the imports alone may take as long"


def test_without_a_mirror_the_remedy_is_named(online, table):
    with pytest.raises(DataUnavailable, match=r"not at hand \(.*\): set DIGITJAX_MNIST_DIR"):
        prepare(table, ("http://127.0.0.1:9/",))


def test_offline_nothing_is_asked(given, monkeypatch):
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(given / "none"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("the network was asked"))
    assert unavailable("mnist") == (
        f"DIGITJAX_MNIST_DIR is {given / 'none'}, which does not exist, DIGITJAX_OFFLINE is set"
    )
    (given / "none").mkdir()
    assert unavailable("mnist") == f"{given / 'none'} holds none of its files, DIGITJAX_OFFLINE is set"
    with pytest.raises(DataUnavailable):
        load("mnist")


@pytest.mark.parametrize("there", [False, True])
def test_a_given_folder_without_the_files_is_told_before_another_copy_is_taken(
    given, table, tmp_path, monkeypatch, capfd, there
):
    folder = prepare(table)
    elsewhere = tmp_path / "elsewhere"
    if there:
        elsewhere.mkdir()
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(elsewhere))
    capfd.readouterr()
    digests = {name: sha256(given / name) for name in NAMES}
    as_downloaded = {
        name: known._replace(download=known.download._replace(sha256=digests[name]))
        for name, known in table.items()
    }
    assert prepare(as_downloaded, ()) == prepare(as_downloaded, ()) == folder
    out, err = capfd.readouterr()
    says = "holds none of its files" if there else "does not exist"
    assert out == "" and err.count("\n") == 1 and err.startswith("note: ")
    assert str(elsewhere) in err and says in err


# the real files


def test_the_checksums_are_those_of_the_real_files(mnist_dir):
    for name, known in CANONICAL.items():
        path = mnist_dir / f"{name}.gz"
        if path.exists():
            data = path.read_bytes()
            assert Download(len(data), hashlib.sha256(data).hexdigest()) == known.download
        else:
            path = mnist_dir / name
        idx = read_idx(path, 3 if "images" in name else 1)
        assert (idx.sha256, len(idx.array)) == (known.sha256, known.items)


def test_the_real_data(mnist_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITJAX_MNIST_DIR", str(mnist_dir))
    monkeypatch.setenv("DIGITJAX_DATA_DIR", str(tmp_path))
    assert unavailable("mnist") is None
    parts = [load(f"mnist@{split}") for split in ("train", "validation", "test")]
    assert [len(part.labels) for part in parts] == [55_000, 5_000, 10_000]
    counts = [np.bincount(part.labels) for part in parts]
    assert (counts[0] + counts[1]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert counts[1].tolist() == [494, 562, 496, 511, 487, 452, 493, 522, 487, 496]
    assert counts[2].tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    total = sum(int(pictures(part).sum(dtype=np.int64)) for part in parts[:2])
    assert total == int(read_idx(next(mnist_dir.glob("train-images*")), 3).array.sum(dtype=np.int64))
