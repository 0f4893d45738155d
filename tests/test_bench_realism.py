import jax
import pytest

from digitjax import cli
from digitjax.bench import realism


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(realism, "EPOCHS", 3)


@pytest.mark.slow
def test_the_judge_cannot_tell_synthetic_digits_from_themselves(short):
    images = realism._draw(jax.random.key(7), 1536)
    found = realism.measure(images[:1024], images[1024:])
    assert found.n == 512 and abs(found.auroc - 0.5) < 0.08


@pytest.mark.slow
def test_the_judge_can_tell_upside_down_ones(short):
    images = realism._draw(jax.random.key(7), 1536)[:, ::-1]
    assert realism.measure(images[:1024], images[1024:]).auroc > 0.9


def test_the_command_says_what_is_missing(tmp_path, capsys):
    assert cli.main(["bench", "realism", "--data", f"strokes:{tmp_path / 'none.ndjson'}"]) == 2
    assert "none.ndjson" in capsys.readouterr().err
    assert cli.main(["bench", "realism", "--data", "mnist", "--seeds", "0"]) == 2
