"""What validation sets say of a step together, and which steps are kept."""

import numpy as np
import pytest

from digitjax import metrics, validation
from digitjax.calibrate import Answered
from digitjax.config import ModelConfig, OptimConfig, TrainConfig
from digitjax.data.pipeline import Examples
from digitjax.models import make_model
from digitjax.validation import by_people, pooled, step_record, validate


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


@pytest.mark.parametrize(
    ("names", "threshold"),
    [
        (["mnist"], 1001.0),
        (["mnist", "synthetic"], 2.0),  # 1 % of both, counted alike, is 2 % of the synthetic ones
        (["mnist", "pendigits", "synthetic"], 1001.0),
    ],
)
def test_synthetic_digits_help_to_find_the_threshold_where_people_s_are_of_one_collection(
    monkeypatch, names, threshold
):
    def answer(model, params, examples):
        least = 0.0 if examples.name == "synthetic" else 1000.0
        n, labels = 1000, np.zeros(1000, np.int64)
        return Answered(np.full((n, 10), -np.log(10)), labels, least + np.arange(n) / 10)

    monkeypatch.setattr(validation, "answer_digits", answer)
    monkeypatch.setattr(validation, "_hardest", lambda *_: [])
    sources = [Examples(name, np.zeros((0, 1, 1, 1)), np.zeros(0), ()) for name in names]
    found = validate(make_model(ModelConfig(kind="mlp")), {}, sources).calibration
    assert found.threshold == pytest.approx(threshold, abs=0.11)
