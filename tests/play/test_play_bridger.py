"""All of `bridger` through the drawing program: the answers of `digitjax evaluate`, calmly given."""

import json
import statistics
from pathlib import Path

import pytest

from digitjax.data import load
from digitjax.data.pipeline import to_examples
from play import launch
from play.app import Loop, VirtualClock, Window
from play.changes import Watch
from play.classify import ProcessClassifier
from play.outside import Outside
from play.replay import Replay
from play.state import PlayState

pytestmark = pytest.mark.slow
DEFAULT = Path(__file__).resolve().parents[2] / "checkpoints" / "default"


@pytest.fixture(scope="module")
def replayed(datasets, tmp_path_factory) -> tuple[list[dict], list[tuple[int, int]]]:
    """What was printed, and how often the answer changed (in all, after the pen was up), for each drawing."""
    from digitjax.strokes import read_drawings

    if not DEFAULT.is_dir():
        pytest.skip("there is no shipped checkpoint here")
    watch, lines, changes = Watch(), [], []

    def report(line: dict) -> None:
        lines.append(line)
        changes.append(watch.count())

    replay = Replay(read_drawings(datasets / "strokes" / "bridger.ndjson.gz"), report)
    classifier = ProcessClassifier(launch.start(launch.Options(str(DEFAULT))))
    outside = Outside(tmp_path_factory.mktemp("user"))
    state = PlayState(width=640, height=480)
    loop = Loop(Window(640, 480), classifier, outside, [watch, replay], VirtualClock(), state, patience=30.0)
    try:
        loop.run(lambda state: replay.done)
    finally:
        classifier.close()
    return lines, changes


def test_every_answer_is_that_of_evaluate(replayed, datasets):
    import numpy as np

    from digitjax.checkpoint import load_model
    from digitjax.predict import predict

    lines, _ = replayed
    loaded = load_model(DEFAULT)
    source = load(f"strokes:{datasets / 'strokes' / 'bridger.ndjson.gz'}", None)
    examples = to_examples(source, loaded.model.geometry)
    said = predict(loaded.model, loaded.params, np.asarray(examples.images, np.float32) / 255)
    assert len(lines) == len(said) == 822
    differ = [
        i for i, (line, one) in enumerate(zip(lines, said, strict=True)) if line["answer"] != one.answer
    ]
    assert differ == [], json.dumps([(i, lines[i]["probabilities"], said[i].to_json()) for i in differ[:3]])


def test_the_answer_changes_seldom_and_never_after_the_pen_is_up(replayed):
    changes, late = zip(*replayed[1], strict=True)
    assert statistics.median(changes) <= 2
    assert max(late) == 0
