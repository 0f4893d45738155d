"""What validation sets say of a step together, and which steps are kept."""

import pytest

from digitjax import metrics
from digitjax.config import OptimConfig, TrainConfig
from digitjax.validation import by_people, pooled, step_record


def test_kept_steps():
    config = TrainConfig(epoch_examples=600, batch_size=100, epochs=3, optim=OptimConfig())
    assert [s for s in range(19) if metrics.is_kept(s, config)] == [0, 1, 2, 4, 6, 8, 12, 16, 18]


def test_people_s_handwriting_is_what_a_run_says_of_itself_and_all_of_it_ranks_its_steps():
    real, synthetic = {"accuracy": 0.9, "loss": 0.2, "n": 100}, {"accuracy": 0.5, "loss": 1.0, "n": 900}
    sets = {"digits8x8@validation": real, "synthetic@validation": synthetic}
    assert by_people(sets) == {"digits8x8@validation": real}
    assert by_people({"synthetic@validation": synthetic}) == {"synthetic@validation": synthetic}
    assert pooled(sets, "accuracy") == pytest.approx(0.54)
    assert pooled({}, "accuracy") is None
    record = step_record({"accuracy": 0.9, "loss": 0.2, "validation": sets, "epoch": 1})
    assert record["accuracy"] == 0.9
    assert record["score"] == pytest.approx(0.54, abs=1e-4)
    assert step_record(None)["score"] is None
