import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from digitjax.calibrate import ANSWERED, Answered, Calibration, calibrated, fit, from_record
from digitjax.config import ModelConfig
from digitjax.models import make_model


def answered(rng, n: int, temperature: float, shift: float = 0.0) -> Answered:
    """Labels drawn from the odds themselves; what the network claims is `temperature` times as sharp."""
    logits = rng.normal(size=(n, 10)) * 3
    labels = np.array([rng.choice(10, p=p) for p in np.exp(log_softmax(logits, axis=1))])
    return Answered(log_softmax(logits * temperature, axis=1), labels, rng.normal(size=n) + shift)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_odds_is_found(temperature):
    found = fit([answered(np.random.default_rng(0), 4000, temperature)])
    assert found.temperature == pytest.approx(temperature, rel=0.05)


def test_the_threshold_answers_the_wanted_part_of_the_digits():
    rng = np.random.default_rng(1)
    one = answered(rng, 1000, 1.0)
    threshold = fit([one]).threshold
    assert one.is_digit is not None
    assert (one.is_digit >= threshold).mean() == pytest.approx(ANSWERED)
    small, large = answered(rng, 200, 1.0, -4.0), answered(rng, 5000, 1.0, 4.0)
    both = fit([small, large]).threshold  # each set is half: 2 % of one, none of the other
    assert small.is_digit is not None
    assert (small.is_digit < both).mean() == pytest.approx(0.02, abs=0.005)


def test_calibrated_params_divide_the_logits_and_move_the_threshold_to_one_half():
    model = make_model(ModelConfig(channels=(4,), hidden=(8,), rejects=True))
    params = model.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (3, 28, 28, 1))
    before = model.apply(params, images)
    after = model.apply(calibrated(params, Calibration(2.0, 1.5)), images)
    np.testing.assert_allclose(after.digits, before.digits / 2, rtol=1e-5)
    assert before.is_digit is not None and after.is_digit is not None
    np.testing.assert_allclose(after.is_digit, before.is_digit - 1.5, rtol=1e-4, atol=1e-5)


def test_without_that_head_or_without_digits_there_is_nothing_to_move():
    one = answered(np.random.default_rng(2), 50, 1.0)._replace(is_digit=None)
    assert fit([one]).threshold == 0.0
    assert fit([]) == Calibration()
    model = make_model(ModelConfig(channels=(4,), hidden=(8,)))
    params = model.init(jax.random.key(0))
    assert set(calibrated(params, Calibration(2.0))) == set(params)


@pytest.mark.parametrize(
    "found",
    [
        None,
        3,
        {},
        {"temperature": 0.0, "threshold": 0.0},
        {"temperature": float("nan"), "threshold": 0.0},
        {"temperature": 1.0, "threshold": "0"},
        {"temperature": 1.0, "threshold": 10**400},
        {"temperature": 1.0, "threshold": 1e39},
        {"temperature": True, "threshold": 0.0},
        {"temperature": 1.0, "threshold": 0.0, "more": 1},
    ],
)
def test_nonsense_in_a_record_is_no_calibration(found):
    assert from_record({"calibration": found}) is None


def test_a_calibration_comes_back_from_its_record():
    assert from_record({"calibration": Calibration(1.5, -2.0)._asdict()}) == Calibration(1.5, -2.0)
