"""All of `bridger` through the drawing program: the answers of `digitjax evaluate`, calmly given."""

import itertools
import json
import statistics
from pathlib import Path

import pytest

from digitjax.data import load
from digitjax.data.pipeline import to_examples
from play import launch
from play.app import Loop, VirtualClock, Window
from play.classify import ProcessClassifier
from play.outside import Outside
from play.replay import Replay
from play.state import PlayState

pytestmark = pytest.mark.slow
DEFAULT = Path(__file__).resolve().parents[2] / "checkpoints" / "default"


class Watch:
    """Notes the answer on the screen after each frame."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, bool]] = []

    def take(self, state, layout, controls, time) -> list:
        return []

    def frame_done(self, state, numbers) -> None:
        if state.strokes and state.shown.word:
            self.shown.append((state.shown.word, state.pen_down))


@pytest.fixture(scope="module")
def replayed(datasets, tmp_path_factory) -> tuple[list[dict], list[list[tuple[str, bool]]]]:
    """What was printed, and what the screen said frame by frame, for each drawing."""
    from digitjax.strokes import read_drawings

    if not DEFAULT.is_dir():
        pytest.skip("there is no shipped checkpoint here")
    watch, lines, shown = Watch(), [], []

    def report(line: dict) -> None:
        lines.append(line)
        shown.append(watch.shown)
        watch.shown = []

    replay = Replay(read_drawings(datasets / "strokes" / "bridger.ndjson.gz"), report)
    classifier = ProcessClassifier(launch.start(launch.Options(str(DEFAULT))))
    outside = Outside(tmp_path_factory.mktemp("user"))
    state = PlayState(width=640, height=480)
    loop = Loop(Window(640, 480), classifier, outside, [watch, replay], VirtualClock(), state, patience=30.0)
    try:
        loop.run(lambda state: replay.done)
    finally:
        classifier.close()
    return lines, shown


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
    changes, late = [], []
    for shown in replayed[1]:
        words = [word for word, _ in shown]
        changes.append(sum(a != b for a, b in itertools.pairwise(words)))
        up = next(i for i in range(len(shown), 0, -1) if i == 1 or shown[i - 2][1]) - 1
        late.append(sum(a != b for a, b in itertools.pairwise(words[up:])))
    assert statistics.median(changes) <= 2
    assert max(late) == 0
