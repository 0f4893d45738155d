"""Nothing leaves the machine: neither the window's process nor the network's opens a socket to anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WATCH = """
import os, socket, sys

def note(event, arguments):
    if event == "socket.__new__" and arguments[1] != getattr(socket, "AF_UNIX", None):
        tell(f"socket of family {arguments[1]}")
    elif event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"):
        if not isinstance(arguments[-1], (str, bytes)):
            tell(f"{event} {arguments[1:]}")

def tell(line):
    with open(os.environ["WATCHED"], "a") as file:
        file.write(f"{os.getpid()} {line}\\n")

sys.addaudithook(note)
tell("watched")
"""


def test_no_process_of_the_program_opens_a_socket_to_anywhere(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    drawing = {"word": "1", "drawing": [[[5, 6, 5], [0, 50, 100]]]}
    (tmp_path / "one.ndjson").write_text(json.dumps(drawing) + "\n", encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "WATCHED": str(tmp_path / "watched"),
        "DIGITJAX_CHECKPOINTS": str(ROOT / "checkpoints"),
        "DIGITJAX_OFFLINE": "",
    }
    command = [sys.executable, "-m", "play", "--headless", "--replay", str(tmp_path / "one.ndjson")]
    command += ["--user-dir", str(tmp_path / "user")]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0 and json.loads(run.stdout)["answer"] == "1", run.stderr
    lines = [line.split(" ", 1) for line in (tmp_path / "watched").read_text(encoding="utf-8").splitlines()]
    assert len({pid for pid, what in lines if what == "watched"}) >= 2
    assert [what for _, what in lines if what != "watched"] == []
