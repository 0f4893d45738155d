"""Honest odds: a temperature for the ten digits and a threshold for "not a digit", fitted on validation.

They are kept in each checkpoint's record; the params that `checkpoint.load_model` returns have them in.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from digitjax.types import Params

ANSWERED = 0.99
"""Fraction of validation's digits that is answered."""
LIMIT = 8.0
"""A temperature is between 1 / `LIMIT` and `LIMIT`."""
MAX_THRESHOLD = 1e6
"""A threshold beyond this, or no number, is nobody's."""


class Calibration(NamedTuple):
    """What turns a network's logits into odds that can be believed.

    Attributes:
        temperature: by which the logits of the ten digits are divided (Guo et al., arXiv:1706.04599).
        threshold: log-odds of being a digit from which the network answers; 0 without that head.
    """

    temperature: float = 1.0
    threshold: float = 0.0


class Answered(NamedTuple):
    """What a network says about the digits of one validation set.

    Attributes:
        log_p: log-probabilities of the ten digits.
        labels: 0 to 9.
        is_digit: log-odds of being a digit; None for a network without that head.
    """

    log_p: Float[np.ndarray, "n 10"]
    labels: Int[np.ndarray, " n"]
    is_digit: Float[np.ndarray, " n"] | None


def fit(sets: Sequence[Answered], for_threshold: Sequence[Answered] | None = None) -> Calibration:
    """The likeliest temperature, and the threshold that answers `ANSWERED`; every set counts alike.

    Args:
        sets: from which the temperature is found.
        for_threshold: from which the threshold is found; None for the same.
    """
    from scipy.optimize import minimize_scalar  # half a second that a program which only loads has no use for

    sets = [one for one in sets if len(one.labels)]
    if not sets:
        return Calibration()

    def loss(log_temperature: float) -> float:
        return float(np.mean([_nll(one, np.exp(log_temperature)) for one in sets]))

    limit = np.log(LIMIT)
    best: Any = minimize_scalar(loss, bounds=(-limit, limit), method="bounded")
    temperature = float(np.exp(best.x))
    given = sets if for_threshold is None else [one for one in for_threshold if len(one.labels)]
    scores = [one.is_digit for one in given if one.is_digit is not None]
    if not scores:
        return Calibration(temperature)
    weights = np.concatenate([np.full(len(score), 1 / len(score)) for score in scores])
    pooled = np.concatenate(scores)
    order = np.argsort(pooled)
    above = np.cumsum(weights[order][::-1])[::-1] / weights.sum()  # answered if the threshold is this score
    return Calibration(temperature, float(pooled[order][np.flatnonzero(above >= ANSWERED - 1e-9)[-1]]))


def calibrated(params: Params, calibration: Calibration) -> Params:
    """Params whose odds are corrected: then an `is_digit` of 0, a probability of 0.5, is the threshold.

    Args:
        params: of a network whose last layers are "digits" and, where it has one, "is_digit".
        calibration: what `fit` found for these params.
    """
    layers = dict(params)
    layers["digits"] = jax.tree.map(lambda leaf: leaf / calibration.temperature, params["digits"])
    if "is_digit" in params:
        layers["is_digit"] = params["is_digit"] | {"bias": params["is_digit"]["bias"] - calibration.threshold}
    return layers


def from_record(record: Mapping[str, Any]) -> Calibration | None:
    """The calibration in a checkpoint's record; none where there is none or it makes no sense."""
    found = record.get("calibration")
    if not isinstance(found, dict) or set(found) != set(Calibration._fields):
        return None
    values = Calibration(**found)
    sound = all(type(value) in (int, float) and abs(value) < MAX_THRESHOLD for value in values)
    return values if sound and 1 / LIMIT <= values.temperature <= LIMIT else None


def _nll(one: Answered, temperature: float) -> float:
    scaled = one.log_p / temperature
    highest = scaled.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scaled - highest).sum(axis=1)) + highest[:, 0]
    return float(np.mean(log_sum - scaled[np.arange(len(one.labels)), one.labels]))
