"""What a person sees while a network is trained."""

import pytest

from digitjax import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_leaves_the_compiler_out(clock, capsys):
    with progress.TrainingProgress(start=0, total=1000, steps_per_epoch=100, batch_size=32) as shown:
        assert "waiting for the first step" in capsys.readouterr().err
        clock[0] += 60  # the first step is compiled
        shown.computed(1, 2.3)
        assert shown.images_per_second == 0
        assert "left" not in capsys.readouterr().err
        clock[0] += 50
        shown.computed(101, 1.0)
    assert shown.images_per_second == pytest.approx(100 * 32 / 50)
    assert "epoch 2/10  step 101/1000  loss 1.000  64 images/s  7 min 30 s left" in capsys.readouterr().err


def test_a_resumed_run_counts_only_its_own_steps(clock):
    with progress.TrainingProgress(start=500, total=1000, steps_per_epoch=100, batch_size=32) as shown:
        assert shown.images_per_second == 0
        clock[0] += 9
        shown.computed(501, 1.0)
        clock[0] += 1
        shown.computed(511, 1.0)
    assert shown.images_per_second == pytest.approx(320)
