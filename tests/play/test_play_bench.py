"""The measurements measure: quantiles of known times, and the whole on few samples."""

import json

import pytest

from play import bench, measure


def test_median_and_99th_percentile_of_known_times(monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])

    def call(i: int) -> None:
        asked.append(i)
        now[0] += (i * 37 % 200 + 1) / 1e3  # 1 to 200 ms, each once

    found = measure._sample(call, {"warm_ups": 3, "samples": 200})
    assert asked == [0, 1, 2, *range(200)]
    assert found == {"median_ms": pytest.approx(101), "p99_ms": pytest.approx(199)}


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
    assert figures["worst_frame_newer_step_ms"] > 0 < figures["worst_frame_no_newer_step_ms"]
