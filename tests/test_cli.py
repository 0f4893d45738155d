"""The command line: help without JAX; one sentence and the exit code for everything a user can cause."""

import errno
import importlib.metadata
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from digitjax import cli
from digitjax.errors import DigitjaxError, InputError

HEAVY = ("jax", "numpy", "flax", "orbax", "PIL", "tyro")


def digitjax(*argv: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "digitjax", *argv]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, **options)


@pytest.fixture
def command(monkeypatch):
    """Puts a function in the place of the command `data`."""

    def install(run) -> None:
        module = types.ModuleType("digitjax.commands.data")
        module.__dict__["run"] = run
        monkeypatch.setitem(sys.modules, "digitjax.commands.data", module)

    return install


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["--version"]])
def test_help_and_version_import_nothing_heavy(argv):
    code = (
        "import sys; from digitjax import cli; assert cli.main(sys.argv[1:]) == 0;"
        f"heavy = [m for m in {HEAVY} if m in sys.modules]; assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "digitjax" in done.stdout


def test_help_names_every_command_on_a_line_of_80_columns(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    assert [line.split()[0] for line in text.splitlines() if line.startswith("  ") and "   " in line.strip()][
        : len(cli.COMMANDS)
    ] == list(cli.COMMANDS)


def test_version_names_what_a_bug_report_needs(capsys):
    assert cli.main(["--version"]) == 0
    assert importlib.metadata.version("jax") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["evalute"], "did you mean 'evaluate'?"),
        (["TRAIN"], "did you mean 'train'?"),
        (["xyzzy"], "give one of train, evaluate, predict, data"),
        (["--checkpoint", "c", "predict"], "write the command first"),
        ([""], "unknown command ''"),
    ],
)
def test_a_wrong_command_is_one_sentence_and_exit_code_2(argv, said, capsys):
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err
    assert err.startswith("digitjax: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (InputError("bad\n  \x1b[1minput"), 2, "digitjax: bad ?[1minput"),
        (DigitjaxError("it failed"), 1, "digitjax: it failed"),
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), 1, "No space left on device (/a/b)"),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), 1, "Permission denied (/a)"),
        (MemoryError(), 1, "memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), 1, "end what else uses it"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300), 2, "give a shorter one"),
        (KeyboardInterrupt(), 130, "stopped"),
        (BrokenPipeError(), 1, ""),
        (SystemExit(0), 0, ""),
        (SystemExit(None), 0, ""),
        (SystemExit(2), 2, ""),
        (SystemExit("a sentence"), 1, "digitjax: a sentence"),
    ],
    ids=repr,
)
def test_exit_codes(raised, code, said, command, capsys):
    def run(argv):
        raise raised

    command(run)
    assert cli.main(["data", "list"]) == code
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == bool(said)


@pytest.mark.parametrize(
    ("name", "remedy"), [("train", "give a lower --batch-size"), ("predict", "give less data")]
)
def test_a_full_device_recommends_only_options_that_the_command_has(name, remedy, monkeypatch, capsys):
    def run(argv):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")

    module = types.ModuleType(name)
    module.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, f"digitjax.commands.{name}", module)
    assert cli.main([name]) == 1
    assert capsys.readouterr().err.endswith(f"{remedy}\n")


@pytest.mark.parametrize("platforms", ["foo", "cuda"])
def test_a_platform_that_is_not_here_is_one_sentence_and_exit_code_2(platforms):
    code = (
        "import sys, jax\n"
        "from jax._src import xla_bridge\n"
        "xla_bridge._backend_factories.pop('cuda', None)\n"  # as on a machine without a GPU
        "from digitjax import cli\n"
        "sys.exit(cli.guarded(lambda: len(jax.numpy.zeros(1))))"
    )
    environment = os.environ | {"JAX_PLATFORMS": platforms}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"digitjax: JAX_PLATFORMS is '{platforms}', and") and "unset" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_gets_its_arguments_and_gives_the_exit_code(command):
    given = []
    command(lambda argv: given.append(argv) or 143)
    assert cli.main(["data", "list", "--help"]) == 143
    assert given == [["list", "--help"]]


@pytest.mark.parametrize("bug", [ZeroDivisionError(), RuntimeError("a bug")], ids=repr)
def test_a_bug_keeps_its_traceback(command, bug):
    def run(argv):
        raise bug

    command(run)
    with pytest.raises(type(bug)):
        cli.main(["data"])


@pytest.mark.parametrize(
    "words",
    [
        "train --out {long} --data digits8x8",
        "train --resume --out {long}",
        "train --data strokes:{long}",
        "evaluate --data digits8x8 --checkpoint {long}",
        "evaluate --data images:{long}",
        "predict {long}",
        "data show digits8x8 --out {long}.png",
        "data prepare strokes:{long}",
    ],
)
def test_a_path_of_300_characters_is_one_sentence_and_exit_code_2(words, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path))
    shutil.copytree(Path(__file__).resolve().parents[1] / "checkpoints" / "default", tmp_path / "default")
    assert cli.main(words.format(long="a" * 300).split()) == 2
    out, err = capfd.readouterr()
    sentences = [line for line in err.splitlines() if not line.startswith("checkpoint: ")]
    assert out == "" and len(sentences) == 1 and sentences[0].startswith("digitjax: ")
    assert [path.name for path in tmp_path.iterdir()] == ["default"]


def test_python_m_digitjax_is_the_same_program():
    done = digitjax("predcit")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "digitjax: unknown command 'predcit': did you mean 'predict'?\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_under_standard_output_is_a_sentence():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "digitjax", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("digitjax: No space left") and done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="closes a descriptor in a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_costs_no_exit_code(closed):
    for words, code in (("--version", 0), ("predcit", 2)):
        command = f'"{sys.executable}" -m digitjax {words} {closed}'
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
        assert done.returncode == code and "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_gets_no_complaint():
    code = (
        "import os, sys; from digitjax import cli; read, write = os.pipe(); os.close(read);"
        "os.dup2(write, 1); sys.exit(cli.main([]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
