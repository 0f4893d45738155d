"""The Train screen: recipes, what is watched of a run, and trainings in processes of their own."""

import itertools
import json
import time

import numpy as np
import pytest

from digitjax import manifest, metrics, runs, steering
from digitjax.commands.train import config_of
from digitjax.presets.registry import PRESETS, preset
from play import effects, studio, trace, watching
from play.answers import ModelInfo, ModelReady, ModelsListed
from play.effects import LoadModel, Start, Steer, Watch
from play.events import BinListed, Notice, Press, Started, Tick, Traced
from play.layout import arrange
from play.studio import Recipe, RunSeen
from play.update import update
from play.view.frame import controls_of
from tests.play.drawings import DIGITS
from tests.play.looking import texts_on
from tests.play.made_up import CNN, SMALL, TINY, hard_digits, run_seen
from tests.play.scenes import scene

# Recipes


@pytest.mark.parametrize("name", PRESETS)
def test_the_recipe_of_a_preset_is_the_preset(name):
    recipe = studio.of_preset(name)
    assert studio.arguments(recipe, "mine.ndjson") == [name]
    assert recipe.epochs == preset(name).epochs and recipe.channels == preset(name).model.channels


def test_every_row_turns_both_ways_and_the_trainer_takes_what_comes_of_it():

    recipe = Recipe()
    for row in studio.ROWS:
        there = studio.turn(recipe, row, 1)
        assert studio.value(there, row) != studio.value(recipe, row)
        assert studio.turn(there, row, -1) == recipe or row in ("preset", "widths")
    for row, by in (("kind", 1), ("widths", 1), ("widths", 1), ("sees", 1), ("epochs", -1), ("rate", 1)):
        recipe = studio.turn(recipe, row, by)
    recipe = recipe._replace(data="all three")
    config = config_of(studio.arguments(recipe, "/home/ada/my drawings.ndjson"))
    assert (config.model.kind, config.model.hidden, config.model.geometry) == ("mlp", recipe.hidden, "uci8")
    assert (config.epochs, config.optim.learning_rate) == (recipe.epochs, recipe.rate)
    assert config.data == ("strokes:/home/ada/my drawings.ndjson=2", "mnist=7", "synthetic=1")


def test_learning_rates_stop_at_both_ends():
    assert studio.faster(0.005, 1) == 0.006 and studio.faster(0.005, -1) == 0.003
    assert studio.faster(studio.RATES[-1], 1) == studio.RATES[-1]
    assert studio.faster(studio.RATES[0], -1) == studio.RATES[0]


# The state


def asked(state, *events):
    for event in events:
        state = update(state, event)
    return state.effects


def test_buttons_ask_the_run_for_what_they_say():
    state = scene("train")._replace(effects=())
    path = run_seen().path
    assert asked(state, Press("train:pause")) == (Steer(path, "pause"),)
    assert asked(state, Press("train:stop")) == (Steer(path, "stop"),)
    assert asked(state, Press("train:rate+")) == (Steer(path, "learning_rate", 0.006),)
    assert asked(state, Press("train:rate-")) == (Steer(path, "learning_rate", 0.002),)
    assert asked(state, Press("train:start")) == () and asked(state, Press("train:go-on")) == ()
    stopped = update(state, run_seen("stopped"))
    assert asked(stopped, Press("train:go-on")) == (Start(Recipe(), "", path),)
    assert update(update(stopped, Press("tab:recipe")), Press("train:go-on")).studio.tab == "curves"
    assert asked(stopped, Press("train:start")) == (Start(Recipe()),)
    onwards = asked(stopped, Press("turn:start+"), Press("train:start"))
    assert onwards == (Start(Recipe(start="in use"), CNN.path),)
    assert asked(state, Press("screen:draw"), Press("train:pause")) == (effects.FollowRuns(False),)


def test_a_run_that_still_starts_can_be_paused_and_stopped():
    starting = run_seen("starting")._replace(step=0, points=(), epochs=(), kept=())
    state = update(scene("train-recipe"), starting)._replace(effects=())
    able = {control.action: control for control in controls_of(state, arrange(state))}
    assert able["train:pause"].enabled and able["train:stop"].enabled
    assert not able["train:rate+"].enabled and "as soon as it trains" in able["train:rate+"].words
    paused = update(state, Press("train:pause"))
    assert paused.effects == (Steer(starting.path, "pause"),) and paused.studio.asked == "pause"
    assert "cnn-14: starting, then paused" in texts_on(paused)
    assert update(paused, starting._replace(total=9)).studio.asked == "pause"
    again = update(paused, Press("train:resume"))
    assert again.effects[-1] == Steer(starting.path, "resume") and again.studio.asked == ""
    assert update(paused, run_seen("paused")).studio.asked == ""
    stopped = update(state, Press("train:stop"))
    assert stopped.effects == (Steer(starting.path, "stop"),) and "being stopped" in stopped.notice
    assert not any(c.enabled for c in controls_of(stopped, arrange(stopped)) if c.action.startswith("train:"))


def test_what_a_trainer_does_while_it_starts_is_on_the_screen():
    starting = RunSeen("/runs/cnn-14", "cnn-14", "starting", doing="preparing MNIST: 70,000 images")
    texts = texts_on(update(scene("train-recipe", 1280, 800), starting))
    assert "cnn-14: starting" in texts and "preparing MNIST: 70,000 images" in texts


def test_where_a_run_is_and_why_it_stopped_stay_on_the_screen():
    assert "cnn-14: training, step 1,614 of 2,808" in texts_on(scene("train"))
    full = "No space left on device: make room or give another place, then run again"
    state = update(scene("train"), run_seen("failed")._replace(text=full))
    assert state.notice == f"cnn-14: {full}"
    for width, height in ((800, 600), (1280, 800), (600, 900)):
        later = update(state._replace(width=width, height=height), Tick(state.time + 60))
        assert not later.notice
        assert {"cnn-14: stopped, step 1,614 of 2,808", full} <= set(texts_on(later))
    assert full not in texts_on(update(later, run_seen()))


def test_the_table_of_digits_says_what_its_rows_and_columns_are():
    assert {"Each digit read", "Is ↓ said →"} <= set(texts_on(scene("train-digits")))


def test_the_bin_is_opened_and_gives_back_what_is_in_it():
    state = update(scene("train-runs", 1280, 800), BinListed(("/runs/.bin/cnn-2", "/runs/.bin/cnn-1")))
    state = update(state._replace(effects=()), Press("binned"))
    actions = [control.action for control in controls_of(state, arrange(state))]
    assert {"back:cnn-1", "back:cnn-2"} <= set(actions) and "bin:cnn-9" not in actions
    assert "2 in the bin" in texts_on(state)
    assert asked(state, Press("back:cnn-1"), Press("back:x")) == (effects.PutBack("/runs/.bin/cnn-1"),)
    assert not update(state, BinListed(())).studio.in_bin, "an empty one is left"
    assert not update(state, Press("binned")).studio.in_bin
    empty = update(scene("train-runs", 1280, 800), ModelsListed(()))
    (button,) = (one for one in controls_of(empty, arrange(empty)) if one.action == "binned")
    assert button.words == "The bin is empty" and update(empty, Press("binned")) == empty
    assert "No run yet." in texts_on(empty)
    opened = update(scene("draw")._replace(effects=()), Press("screen:train"))
    assert effects.ListBin() in opened.effects


def test_what_cannot_be_put_into_the_bin_is_not_offered():
    state = update(scene("train-runs", 1280, 800), run_seen()._replace(path=CNN.path, name=CNN.name))
    state = update(state, ModelsListed((CNN, ModelInfo("default", "/elsewhere/default", 1), SMALL)))
    found = {control.action: control for control in controls_of(state, arrange(state))}
    assert not found["bin:default"].enabled and "came with the program" in found["bin:default"].words
    assert not found[f"bin:{CNN.name}"].enabled and "stop it first" in found[f"bin:{CNN.name}"].words
    assert found["copy:default"].enabled and found[f"bin:{SMALL.name}"].enabled


def test_which_run_answers_and_which_is_shown_are_two_things():
    state = update(scene("train-runs", 1280, 800), ModelsListed((CNN, SMALL)))
    shown = update(state, run_seen("stopped")._replace(path=SMALL.path, name=SMALL.name))
    found = {control.action: control for control in controls_of(shown, arrange(shown))}
    labels = {action: (control.label, control.on) for action, control in found.items()}
    assert labels[f"model:{CNN.name}"] == ("In use", True) and labels[f"watch:{CNN.name}"] == ("Show", False)
    assert labels[f"model:{SMALL.name}"] == ("Use", False)
    assert labels[f"watch:{SMALL.name}"] == ("Shown", True)
    assert asked(shown._replace(effects=()), Press(f"model:{SMALL.name}")) == (LoadModel(SMALL.path, 0),)


def test_a_run_that_was_started_answers_for_the_canvas_as_soon_as_it_has_a_step():
    state = update(scene("train-recipe")._replace(effects=()), Press("train:start"))
    for event in (Started("/runs/cnn-14"), RunSeen("/runs/cnn-14", "cnn-14", "starting")):
        state = update(state, event)
    assert not any(isinstance(effect, LoadModel) for effect in state.effects)
    state = update(state, run_seen())
    assert state.effects[-1] == LoadModel("/runs/cnn-14", 0) and state.awaited[0] == "/runs/cnn-14"
    again = update(update(state, ModelReady(CNN)), run_seen())
    assert again.effects == state.effects, "asked for once: what a person chooses afterwards stays"


def test_after_a_start_that_failed_no_other_run_answers_for_the_canvas():
    state = update(scene("train-recipe")._replace(effects=()), Press("train:start"))
    state = update(update(state, Notice("You have saved no drawings yet.")), run_seen("stopped"))
    state = update(state, Press("train:go-on"))
    for event in (RunSeen("/runs/cnn-14", "cnn-14", "starting"), run_seen()):
        state = update(state, event)
    assert not any(isinstance(effect, LoadModel) for effect in state.effects) and not state.awaited[0]


def test_what_happens_to_a_run_is_said_once():
    state = scene("train")
    ended = run_seen("failed")._replace(text="The training was ended by signal 9.")
    said = update(state, ended)
    assert said.notice == f"cnn-14: {ended.text}"
    assert update(said._replace(notice=""), ended._replace(step=5)).notice == ""


def test_a_hard_digit_comes_onto_the_canvas_one_undo_away_from_what_was_there():
    state = scene("train-hardest")._replace(effects=())
    assert asked(state, Press("hard:1")) == (effects.Trace(hard_digits()[1]),)
    assert asked(state, Press("hard:99")) == asked(state, Press("hard:")) == ()
    put = update(state, Traced(1, 4, (((1.0, 2.0), (3.0, 4.0)),)))
    assert [tuple(s.points) for s in put.strokes] == [((1.0, 2.0), (3.0, 4.0))]
    assert "It is a 1" in put.notice and update(put, Press("undo")).strokes == state.strokes
    assert update(state, Traced(1, 4, ())).strokes == state.strokes


def test_deleting_asks_twice_and_never_takes_what_is_trained():
    state = scene("train-runs")._replace(effects=())
    once = update(state, Press("bin:cnn-10"))
    assert once.effects == () and "once more" in once.notice
    assert asked(once, Press("bin:cnn-10")) == (), "the second of a double click"
    once = update(once, Tick(once.time + 1.0))
    assert asked(once, Press("bin:cnn-10")) == (effects.BinRun("/runs/cnn-10"),)
    for other in ("bin:cnn-9", "copy:cnn-9", "watch:cnn-9", "model:cnn-9"):
        between = update(once, Press(other))._replace(effects=())
        assert asked(between, Press("bin:cnn-10")) == (), other
    living = update(state, run_seen()._replace(path="/runs/cnn-10"))
    assert asked(living, Press("bin:cnn-10"), Press("bin:cnn-10")) == ()
    assert asked(state, Press("bin:default"), Press("bin:default")) == ()
    assert asked(state, Press("copy:cnn-9")) == (effects.CopyRun("/runs/cnn-9"),)
    assert asked(state, Press("watch:cnn-9"), Press("watch:none")) == (Watch("/runs/cnn-9"),)


# Watching


def lines(first: int, last: int) -> list[dict]:
    return [
        {"step": s, "loss": 3 / s, "accuracy": 1 - 1 / s, "seconds": s / 10} for s in range(first, last, 2)
    ]


def test_a_run_is_read_bit_by_bit_and_again_where_it_was_cut_back(tmp_path):
    run = tmp_path / "cnn-0"
    watch = watching.RunWatch(run)
    assert watch.look(True).status == "starting" and watch.look(False).status == "gone"
    run.mkdir()
    runs.write_config(run, TINY)
    assert watch.look(True).status == "starting"
    file = metrics.MetricsFile(run / runs.METRICS, 0)
    for line in lines(2, 9):
        file.write(line)
    seen = watch.look(True)
    assert (seen.status, seen.step, seen.total) == ("training", 8, 24)
    assert seen.points == tuple((s, 3 / s, 1 - 1 / s) for s in (2, 4, 6, 8))
    assert seen.images_per_second == 320 and seen.left == pytest.approx(16 * 32 / 320)
    table = [[5 if i == j else 0 for j in range(10)] for i in range(10)]
    table[4][9] = 5
    epoch = {"epoch": 1, "step": 12, "train_loss": 1.0, "train_accuracy": 0.5, "loss": 0.5, "accuracy": 0.9}
    file.write(epoch | {"validation": {}, "confusion": table})
    with (run / runs.METRICS).open("a") as torn:
        torn.write('{"step": 14, "lo')
    seen = watch.look(True)
    assert [(e.step, e.loss, e.digits[4], e.digits[3]) for e in seen.epochs] == [(12, 0.5, 0.5, 1.0)]
    with (run / runs.METRICS).open("a") as rest:
        rest.write('ss": 0.1, "accuracy": 1.0, "seconds": 9}\nnonsense\n')
    assert watch.look(True).points[-1] == (14, 0.1, 1.0)
    file.close()
    metrics.MetricsFile(run / runs.METRICS, 4).close()
    assert [p[0] for p in watch.look(True).points] == [2, 4] and watch.look(True).epochs == ()
    assert watch.look(True, since=time.time_ns() + 10**9).status == "starting", "of one before"
    (run / steering.CHANGES).write_text('{"step": 3, "learning_rate": 0.5}\n{"step": 4, "pause": true}\n')
    seen = watch.look(True)
    assert (seen.status, seen.learning_rate, seen.changed) == ("paused", 0.5, (3,))
    assert watch.look(False).status == "stopped" and watch.look(False, "It died.").text == "It died."
    manifest.write_json(run / runs.SUMMARY, {})
    assert watch.look(False).status == "finished"
    (run / runs.CONFIG).unlink()
    assert watch.look(False).status == "gone"


def test_long_curves_are_thinned_to_their_means(tmp_path):
    points = [(i, float(i), 0.5) for i in range(1000)]
    thin = watching._thinned(points)
    assert len(thin) <= watching.MOST_POINTS and thin[0] == (2, 2.0, 0.5)
    assert [b[0] > a[0] for a, b in itertools.pairwise(thin)] == [True] * (len(thin) - 1)


def test_hard_digits_are_read_whole_or_not_at_all(tmp_path):
    good = {"label": 3, "said": 5, "probability": 0.25, "side": 8, "pixels": "00" * 63 + "ff"}
    path = tmp_path / runs.HARDEST
    path.write_text(json.dumps({"step": 1, "digits": [good]}))
    (digit,) = watching.read_hardest(path)
    assert (digit.label, digit.said, digit.pixels[-1]) == (3, 5, 255)
    for name, wrong in (
        ("side", 1000),
        ("pixels", "zz"),
        ("label", 10),
        ("probability", "NaN"),
        ("said", None),
    ):
        path.write_text(json.dumps({"digits": [good | {name: wrong}]}))
        watch = watching.RunWatch(tmp_path)
        assert watch.hardest() is None


# Traces


@pytest.mark.parametrize("word", DIGITS)
def test_a_trace_runs_in_the_middle_of_the_ink_and_leaves_none_out(word):
    digit = next(one for one in hard_digits() if str(one.label) == word)
    pixels = np.frombuffer(digit.pixels, np.uint8).reshape(28, 28)
    strokes = trace.trace(pixels)
    places = np.concatenate([np.array(stroke) for stroke in strokes]) * 28 / 1000 - 0.5
    assert len(strokes) <= 4
    for x, y in places:
        assert pixels[round(float(y)), round(float(x))] > 60
    for y, x in np.argwhere(pixels > 200):
        assert np.hypot(places[:, 0] - x, places[:, 1] - y).min() < 2.4
    assert trace.trace(np.zeros((8, 8), np.uint8)) == ()
