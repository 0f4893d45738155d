"""The end of a run: its best step measured on test splits, the report, the summary."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from digitjax import manifest, runs
from digitjax.checkpoint import LoadedModel, load_model
from digitjax.config import TrainConfig
from digitjax.data import parse_spec
from digitjax.data.pipeline import Examples, is_learnt_from, whole_test_split
from digitjax.errors import InputError, counted
from digitjax.evaluate import Evaluation, look_alikes, read_all, score
from digitjax.metrics import read_metrics
from digitjax.odds import THRESHOLD, sigmoid
from digitjax.paths import quoted
from digitjax.progress import duration, say, this_python
from digitjax.report import Measured, write_report

LEARNT = 0.15
"""Validation accuracy below which a network has hardly learnt anything."""


def finish(
    config: TrainConfig, run: Path, data: Sequence[str], seconds: float, *, stream: bool = False
) -> str:
    """Evaluates the run's best step, writes report.png and summary.json, and says what there is to know.

    Args:
        config: the run's configuration.
        run: the run's folder.
        data: the specs it was trained on; their test splits are measured.
        seconds: time spent training.
        stream: take the test splits from prepared records, where there are some.

    Returns:
        The summary for people, several lines.
    """
    loaded = load_model(run)
    everything = measure(loaded, _test_splits(data, loaded.model.geometry, stream=stream))
    refusals = _refusals(everything)
    measured = [one for one in everything if one.evaluation.n_digits]
    write_report(run / runs.REPORT, loaded, read_metrics(run / runs.METRICS), measured, seconds)
    evaluations = [m.evaluation for m in measured]
    if config.preset.startswith("cnn"):
        runs.set_latest(run)  # first: killed in between, the run is not finished and can be resumed
    write_summary(run, loaded, evaluations, seconds)
    learnt = loaded.record.get("accuracy")
    if isinstance(learnt, float) and learnt < LEARNT:
        say(
            f"warning: {100 * learnt:.0f} % right in validation is hardly better than guessing: train for "
            f"longer or with a lower --optim.learning-rate (it is {config.optim.learning_rate:g})"
        )
    return _summary(loaded, evaluations, seconds, refusals)


def write_summary(
    run: Path, loaded: LoadedModel, evaluations: Sequence[Evaluation], seconds: float | None
) -> None:
    """Writes summary.json, which makes the run a finished one.

    Args:
        run: the run's folder.
        loaded: its best step.
        evaluations: of the test splits.
        seconds: time spent training; None where that is not known.
    """
    manifest.write_json(
        run / runs.SUMMARY,
        {
            "step": loaded.step,
            "parameters": loaded.record.get("parameters"),
            "validation": loaded.record.get("accuracy"),
            "test": [e.to_json() for e in evaluations],
            "training_seconds": seconds,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    )


def test_sets(data: Sequence[str], geometry: str, *, stream: bool = False) -> list[Examples]:
    """The test splits of a mix, each source once, those without a digit left out; MNIST comes first."""
    sets = _test_splits(data, geometry, stream=stream)
    return [examples for examples in sets if (np.asarray(examples.labels) < 10).any()]


def _test_splits(data: Sequence[str], geometry: str, *, stream: bool) -> list[Examples]:
    """The same with those that have no digit but something else that is measured."""
    learnt = [parse_spec(text) for text in data]
    specs = dict.fromkeys(str(spec._replace(split="test", weight=1.0)) for spec in learnt)
    found = []
    for spec in sorted(specs, key=lambda text: not text.startswith("mnist")):
        if is_learnt_from(parse_spec(spec), "test", learnt):
            say(f"not measured: {spec}, it was learnt from")
            continue
        try:
            examples = whole_test_split(parse_spec(spec), geometry, stream=stream)
        except InputError as error:
            say(f"not measured: {error}")
            continue
        if not look_alikes(examples).all():
            found.append(examples)
    return found


def measure(loaded: LoadedModel, sets: Sequence[Examples]) -> list[Measured]:
    """Evaluates a network on each set."""
    results = []
    for examples in sets:
        answers = read_all(loaded.model, loaded.params, np.asarray(examples.images))
        results.append(Measured(examples, score(examples, answers), *answers))
    return results


def _refusals(measured: Sequence[Measured]) -> str:
    """Of how many test drawings, others and digits, a network says that they are none; "" where it cannot."""
    refused, others, digits = ([np.zeros(0, bool)] for _ in range(3))
    for one in measured:
        if one.is_digit is None:
            return ""
        labels = np.asarray(one.examples.labels)
        refused.append(sigmoid(one.is_digit) < THRESHOLD)
        others.append((labels >= 10) & ~look_alikes(one.examples))
        digits.append(labels < 10)
    called_none, other, digit = map(np.concatenate, (refused, others, digits))
    if not other.any():
        return ""
    others = f"{counted(int(other.sum()), 'test drawing')} that {'is' if other.sum() == 1 else 'are'} none"
    text = f"said of {100 * called_none[other].mean():.2f} % of {others}"
    if not digit.any():
        return text
    return f"{text} and of {100 * called_none[digit].mean():.2f} % of the test digits"


def _summary(
    loaded: LoadedModel,
    evaluations: Sequence[Evaluation],
    seconds: float,
    refusals: str,
) -> str:
    rows = [
        ("test accuracy", f"{100 * e.accuracy:.2f} % of {e.data} ({e.n_wrong:,} of {e.n_digits:,} wrong)")
        for e in evaluations
        if e.accuracy is not None
    ]
    rows += [("not a digit", refusals)] if refusals else []
    known = runs.validation_text(loaded.record)
    best = known and f": {known}"
    rows += [
        ("parameters", f"{loaded.record.get('parameters', 0):,}"),
        ("training time", f"{duration(seconds)} on {jax.default_backend()}"),
        ("checkpoint", f"{loaded.run} (step {loaded.step} is the best{best})"),
        ("report", str(loaded.run / runs.REPORT)),
        ("draw with it", f"{this_python()} -m play --checkpoint {quoted(loaded.run)}"),
    ]
    return "\n".join(f"{name:<15}{text}" for name, text in rows)
