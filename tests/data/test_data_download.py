"""The network: what is asked, how long it is waited for, what is believed; mirrors are sockets of our own."""

import contextlib
import functools
import gzip
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from digitjax.data import DataUnavailable, download, load, mnist_files, unavailable
from digitjax.data.download import probe
from digitjax.data.mnist import prepare
from digitjax.data.prepared import is_whole, sha256
from tests.data.tiny_mnist import NAMES, prepared


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


@pytest.mark.ci
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
