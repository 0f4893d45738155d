import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import pytest

from digitjax import cli, manifest, runs
from digitjax.commands import info
from digitjax.config import TrainConfig
from digitjax.data import registry


def test_it_says_what_is_there_and_makes_nothing(tmp_path, monkeypatch, capfd):
    for variable in ("DIGITJAX_DATA_DIR", "DIGITJAX_USER_DIR", "DIGITJAX_CHECKPOINTS"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    assert cli.main(["info", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["packages"]["jax"] == metadata.version("jax")
    assert found["devices"] and all(device.startswith("cpu:") for device in found["devices"])
    assert set(found["data"]) == set(registry.MODULES)
    assert found["data"]["digits8x8"] == "at hand"
    assert found["environment"]["DIGITJAX_USER_DIR"] == str(tmp_path / "DIGITJAX_USER_DIR")
    assert found["checkpoints"] == []
    assert list(tmp_path.iterdir()) == []


def test_a_broken_checkpoint_is_named_with_its_reason(tmp_path, monkeypatch, capfd):
    (tmp_path / "ck" / "torn").mkdir(parents=True)
    (tmp_path / "ck" / "torn" / runs.CONFIG).write_text("{", encoding="utf-8")
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path / "ck"))
    assert cli.main(["info"]) == 0
    out = capfd.readouterr().out
    assert "torn: broken, " in out and "Traceback" not in out
    assert f"folder       checkpoints: {tmp_path / 'ck'} (1 files" in out


def test_an_unknown_option_gets_a_sentence(capfd):
    assert cli.main(["info", "--jsno"]) == 2
    assert "did you mean --json?" in capfd.readouterr().err


def test_the_shipped_checkpoint_is_listed(monkeypatch, capfd):
    root = Path(__file__).resolve().parents[1]
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(root / "checkpoints"))
    assert cli.main(["info"]) == 0
    assert "checkpoint   default: step " in capfd.readouterr().out


def test_a_jax_that_aborts_or_never_answers_costs_the_report_one_line(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--nonsense")  # at which XLA ends its process
    (said,) = info._devices()
    assert said.startswith("none: ") and "--nonsense" in said
    monkeypatch.setattr(info, "_ASK_JAX", "raise RuntimeError('no such backend')")
    assert info._devices() == ["none: RuntimeError: no such backend"]
    monkeypatch.setattr(info, "PATIENCE", 0.2)
    monkeypatch.setattr(info, "_ASK_JAX", "import time; time.sleep(60)")
    assert info._devices() == ["none: JAX has not answered within 0.2 seconds"]


def test_whatever_is_broken_the_report_is_whole(tmp_path, monkeypatch, capfd):
    def broken(name):
        raise KeyError(name)

    run = tmp_path / "ck" / "cnn\n0"
    (run / "7").mkdir(parents=True)
    (run / runs.CONFIG).write_text("{}")
    (run / "7" / "manifest.json").write_text('{"format": 2, "step": 1e999}')
    monkeypatch.setenv("DIGITJAX_CHECKPOINTS", str(tmp_path / "ck"))
    monkeypatch.setattr(info, "_devices", lambda: ["cpu:0 cpu"])
    monkeypatch.setattr(info.registry, "kind", broken)
    assert cli.main(["info"]) == 0
    out = capfd.readouterr().out
    assert "data         mnist: unknown, KeyError: 'mnist'" in out
    assert "checkpoint   cnn?0: broken, " in out and "default      " in out


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="everybody may read there")
def test_folders_that_may_not_be_read_are_named():
    """In a process of somebody who is not root, to whom nothing is closed."""
    program = """
import os, sys
from digitjax.commands import info
if os.getuid() == 0:
    os.setresuid(65534, 65534, 65534)
os.environ["DIGITJAX_CHECKPOINTS"] = sys.argv[1]
print(info._checkpoints(info.paths.checkpoints_dir()), info._folder(info.paths.checkpoints_dir()))
print(info._checkpoints(info.paths.checkpoints_dir() / "secret"))
"""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "secret").mkdir(mode=0)
        os.chmod(folder, 0o755)
        done = subprocess.run(
            [sys.executable, "-c", program, folder],
            cwd=Path(__file__).resolve().parents[1],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("[] ") and "secret cannot be read (Permission denied)" in first
    assert "secret cannot be read (Permission denied): make it readable" in second


def test_a_record_of_somebody_elses_is_printed_whatever_it_holds(tmp_path):
    run = tmp_path / "cnn-0"
    (run / "7").mkdir(parents=True)
    runs.write_config(run, TrainConfig())
    record = {"parameters": "many", "date": [1], "validation": {"mnist": 7}, "score": 10**400}
    manifest.write(run / "7", step=7, contents=("params",), record=record, config=run / runs.CONFIG)
    text = info._checkpoint_text(info._checkpoint(run))
    assert text == "cnn-0: step 7, parameters alone, 0 parameters, [1]"


def test_a_configuration_that_no_network_can_have_is_a_broken_checkpoint_though_its_manifest_agrees(tmp_path):
    run = tmp_path / "cnn-0"
    (run / "7").mkdir(parents=True)
    runs.write_config(run, TrainConfig())
    config = run / runs.CONFIG
    config.write_text(config.read_text().replace('"members": 1', '"members": 1000000000'))
    record = {"parameters": 10**4000, "accuracy": 1e300}
    manifest.write(run / "7", step=7, contents=("params",), record=record, config=config)
    assert "cnn-0: broken, " in (text := info._checkpoint_text(info._checkpoint(run))) and "members" in text
    assert len(text) < 400
