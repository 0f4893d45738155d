"""The measurements measure: quantiles of known times, and the whole on few samples."""

import json
import types

import pytest

from digitjax.errors import DigitjaxError
from play import bench, changes, measure
from tests.play.fakes import FakeClassifier


def test_median_and_99th_percentile_of_known_times(monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])

    def call(i: int) -> None:
        asked.append(i)
        now[0] += (i * 37 % 200 + 1) / 1e3  # 1 to 200 ms, each once

    found = measure._sample(call, {"warm_ups": 3, "samples": 200})
    assert asked == [0, 1, 2, *range(200)]
    assert found == {"median_ms": pytest.approx(101), "p99_ms": pytest.approx(199)}


def test_a_reading_process_that_has_ended_ends_the_measurement(monkeypatch):
    monkeypatch.setattr(measure, "STATS_SECONDS", 0.01)
    with pytest.raises(DigitjaxError, match="said nothing"):
        measure._stats(types.SimpleNamespace(classifier=FakeClassifier()))


def test_changes_of_the_answer_are_counted_in_all_and_after_the_last_pen_up():
    watch = changes.Watch()
    for shown, counts in (
        ("1d 1d 7d 7u", (1, 0)),
        ("1d 7u 7u 1u 7u", (3, 2)),
        ("1d 7u 4d 4u", (2, 0)),
        ("1u", (0, 0)),
        ("", (0, 0)),
    ):
        watch.shown = [(word, pen == "d") for word, pen in shown.split()]
        assert watch.count() == counts and watch.shown == []


@pytest.mark.slow
def test_every_figure_is_taken_and_judged(tmp_path, capfd, monkeypatch):
    ink = tmp_path / "one.ndjson"
    ink.write_text(json.dumps({"word": "1", "drawing": [[[5, 5], [0, 9]]]}), encoding="utf-8")
    monkeypatch.delenv("DIGITJAX_CHECKPOINTS")
    assert bench.run(checkpoint=None, as_json=True, replay=str(ink), samples=20) == 0
    report = json.loads(capfd.readouterr().out)
    figures, targets = report["figures"], report["targets"]
    assert set(targets) <= set(figures) and all(value >= 0 for value in figures.values())
    assert report["missed"] == sorted(name for name in targets if figures[name] > targets[name])
    assert 0 < figures["window_visible_s"] < figures["first_answer_warm_s"] < 60
    assert figures["ink_to_probabilities_median_ms"] > figures["empty_jitted_call_median_ms"] > 0
    assert figures["compilations_after_warm_up"] == 0
    assert figures["explanation_p99_ms"] >= figures["explanation_median_ms"] > 0
    assert figures["worst_frame_newer_step_ms"] > 0 < figures["worst_frame_no_newer_step_ms"]
