import json
from importlib import metadata
from pathlib import Path

from digitjax import cli, runs
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
