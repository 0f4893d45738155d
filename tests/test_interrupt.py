"""Ctrl-C and SIGTERM in a process of its own."""

import signal
import subprocess
import sys

import pytest

WAITS = """
import sys, time
from digitjax.interrupt import StopRequest
with StopRequest() as stop:
    print("ready", flush=True)
    while stop.number is None:
        time.sleep(0.01)
    print("asked", stop.number, flush=True)
    time.sleep(60 if sys.argv[1] == "slow" else 0)
print("left", flush=True)
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def start(pace: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WAITS, pace], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def rest(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What the process says until its end; `communicate` would miss what came with the last line."""
    assert process.stdout is not None and process.stderr is not None
    process.wait(timeout=20)
    with process.stdout, process.stderr:
        return process.stdout.read(), process.stderr.read()


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_process_goes_on(number):
    process = start("quick")
    assert line(process) == "ready"
    process.send_signal(number)
    assert line(process) == f"asked {number:d}"
    out, err = rest(process)
    assert out == "left\n" and "once more to leave at once" in err and process.returncode == 0


@posix
@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (signal.SIGINT, signal.SIGINT, 130),
        (signal.SIGTERM, signal.SIGTERM, 143),
        (signal.SIGINT, signal.SIGTERM, 143),
    ],
)
def test_the_second_signal_leaves_at_once(first, second, code):
    process = start("slow")
    assert line(process) == "ready"
    process.send_signal(first)
    assert line(process).startswith("asked")
    process.send_signal(second)
    out, err = rest(process)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
