"""Score my hand: what is asked for, what the card says, and the file that it leaves."""

import collections
import errno
import itertools
import json
import os
import shlex
from pathlib import Path

import numpy as np
import pytest

from digitjax.strokes import read_drawings
from play import effects, score, scores
from play.answers import ModelReady
from play.events import Card, Closed, Focus, KeyPress, Press, ScoreSaved, ScoresListed, Taken, Tick
from play.layout import arrange
from play.outside import Outside
from play.update import update
from play.view.frame import controls_of
from tests.play.drawings import FOUR, strokes_events
from tests.play.fakes import make_loop
from tests.play.looking import texts_on
from tests.play.made_up import CNN, answer, run_seen
from tests.play.scenes import scene


def written(state, said: int | None = None):
    """With a drawing, and the network's answer to it: what was asked for unless said otherwise."""
    for event in strokes_events(FOUR):
        state = update(state, event)
    asked = int(state.score.asked)
    return update(state, answer(state, asked if said is None else said, 0.9, (asked + 1) % 10))


def a_score(state):
    """All twenty written; every 4 read as a 9."""
    state = update(state, Press("score:begin"))
    while state.score.asked:
        state = written(state, 9 if state.score.asked == "4" else None)
        state = update(state, KeyPress("return"))
    return state


@pytest.mark.parametrize("seed", range(5))
def test_each_digit_is_asked_for_twice_and_never_twice_in_a_row(seed):
    order = score.order(seed)
    assert collections.Counter(order) == dict.fromkeys("0123456789", 2)
    assert all(one != other for one, other in itertools.pairwise(order))
    assert order == score.order(seed) != score.order(seed + 1)


def test_the_next_is_asked_for_when_a_person_says_so_and_an_answer_is_there():
    state = scene("score-begin")
    first = state.score.asked
    assert update(state, KeyPress("return")).score == state.score
    for event in strokes_events(FOUR):
        state = update(state, event)
    early = update(state, Press("score:next"))
    assert early.score == state.score and "still reading" in early.notice and early.strokes
    state = update(state, answer(state, int(first), 0.9, (int(first) + 1) % 10))
    after = update(state, KeyPress("return"))
    (taken,) = after.score.taken
    assert (taken.word, taken.said, taken.right) == (first, first, True) and after.strokes == ()
    assert taken.record.ink == state.strokes and taken.record.word == first
    assert taken.seconds == pytest.approx(state.strokes[-1].times[-1] - state.strokes[0].times[0])
    again = update(after, Press("score:back"))
    assert again.score.asked == first and again.score.taken == ()
    assert update(state, Press("score:stop")).score.order == (), "nothing was written"
    assert update(after, Press("screen:draw")).score == after.score, "another screen loses nothing"
    missing = update(state._replace(models=(None, None)), Press("score:next"))
    assert missing.score == state.score and "No network" in missing.notice


def test_the_card_is_what_was_written_and_read():
    state = a_score(scene("score-nothing"))
    card = state.score.card
    assert card is not None and (card.right, card.of) == (18, 20)
    assert card.wrong == (("4", "9"), ("4", "9"))
    assert card.worst[1] == "4" and card.slowest[0] > 0 and card.model == "cnn-7/9360"
    saves = [effect for effect in state.effects if isinstance(effect, effects.SaveScore)]
    assert [one.word for one in saves[0].records] == list(state.score.order)
    again = update(update(state, ScoreSaved("/x")), Press("score:again"))
    assert again.score.last == card and again.score.taken == ()


def test_the_slowest_and_the_least_sure_are_found():
    taken = tuple(Taken(str(i), str(i), 0.9 - i / 20, abs(3.6 - i), (), "m/1") for i in range(8))
    card = score.card_of(taken)
    assert card.slowest == (3.6, "0") and card.worst == (pytest.approx(0.55), "7") and card.right == 8
    assert score.card_of(()) == Card(0, 0, (), (0.0, ""), (0.0, ""))


@pytest.mark.parametrize("size", [(640, 480), (1280, 800)])
def test_the_card_says_in_words_what_its_figures_are_of(size):
    state = scene("score", *size)
    texts, card = texts_on(state), state.score.card
    assert card is not None
    assert any("Slowest" in text and f"{card.slowest[1]}, in " in text for text in texts)
    assert any("Least sure of" in text and "gave it" in text for text in texts)
    assert any("Hardest" in text and "8 of 20" in text for text in texts)
    assert texts.count("2") > 7, "the diagonal has its counts"


def test_confusions_are_counted_and_stand_in_a_matrix():
    pairs = [("7", "1"), ("4", "9"), ("7", "1"), ("7", "not a digit"), ("3", "3"), ("7", "1")]
    taken = tuple(Taken(word, said, 0.5, 1.0) for word, said in pairs)
    assert score.confused(score.card_of(taken)) == (("7", "1", 3), ("4", "9", 1), ("7", "not a digit", 1))
    table = np.array(score.table(taken))
    assert table.shape == (10, 11) and table.sum() == 6
    assert (table[7, 1], table[4, 9], table[3, 3], table[7, 10]) == (3, 1, 1, 1)
    assert np.array(score.table(taken[:3])).shape == (10, 10), "no column for what did not come"
    state = scene("score")
    counts = [count for _, _, count in score.confused(state.score.card or score.card_of(()))]
    texts = texts_on(state._replace(score=state.score._replace(taken=(*state.score.taken[:14], *taken))))
    assert sum(counts) == 3 and any("7 as 1 ×3" in text for text in texts)


def test_the_file_is_a_data_spec_and_gives_the_card_again(tmp_path):
    state = a_score(scene("score-nothing"))
    outside = Outside(tmp_path)
    (save,) = (effect for effect in state.effects if isinstance(effect, effects.SaveScore))
    outside.do(save)
    outside.do(effects.ListScores())
    events = outside.poll(wait=True)
    outside.close()
    listed = next(event for event in events if isinstance(event, ScoresListed))
    (path,) = (tmp_path / scores.FOLDER).glob("*.ndjson")
    drawings = list(read_drawings(path))
    assert [drawing.word for drawing in drawings] == list(state.score.order)
    assert len(drawings[0].strokes) == 2 and drawings[0].times is not None
    card = state.score.card
    assert card is not None and listed.last is not None
    assert listed.last._replace(date="", slowest=card.slowest, worst=card.worst) == card
    assert listed.last.worst[0] == pytest.approx(card.worst[0], abs=1e-4)


def test_a_folder_that_is_none_and_a_stranger_s_file_are_no_obstacle(tmp_path):
    folder = tmp_path / scores.FOLDER
    folder.mkdir()
    good = {"word": "3", "said": "3", "drawing": [[[0, 1], [0, 1], [0, 9]]], "probabilities": [0.1] * 10}
    (folder / "1.ndjson").write_text(json.dumps(good) + "\n")
    for number, wrong in enumerate((b"\xff\n", b"[]\n", b'{"word": "x"}\n', b"")):
        (folder / f"{number + 2}.ndjson").write_bytes(wrong)
    assert scores.last_card(tmp_path).last == Card(1, 1, (), (0.009, "3"), (0.1, "3"), "1", "")
    state = a_score(scene("score-nothing"))
    (save,) = (effect for effect in state.effects if isinstance(effect, effects.SaveScore))
    blocked = Path(tmp_path / "file")
    blocked.write_text("")
    outside = Outside(blocked)
    outside.do(save)
    (failed,) = (event for event in outside.poll(wait=True) if isinstance(event, ScoreSaved))
    assert failed.error.startswith("Not saved (") and failed.path == ""
    outside.close()
    assert update(state, failed).score.card == state.score.card


GOOD = {"word": "3", "said": "8", "drawing": [[[0, 1], [0, 1], [0, 9]]], "probabilities": [0.1] * 10}


def _line(**changes) -> bytes:
    return json.dumps(GOOD | changes).encode() + b"\n"


WRONG = {
    "a NaN": _line(probabilities=[float("nan")] * 10),
    "an infinity that JSON has": _line(probabilities=["P"] * 10).replace(b'"P"', b"1e999"),
    "a word below 0": _line(word="-1"),
    "a word above 9": _line(word="10"),
    "a probability above 1": _line(probabilities=[7.0] * 10),
    "a probability as text": _line(probabilities=["0.1"] * 10),
    "too few probabilities": _line(probabilities=[0.1] * 4),
    "a time of 1e300": _line(drawing=[[[0, 1], [0, 1], [0, 1e300]]]),
    "a time that is no float": _line(drawing=[[[0, 1], [0, 1], [0, 10**400]]]),
    "an answer that is none": _line(said="\0"),
    "no UTF-8": _line(source="P").replace(b"P", b"\xff"),
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_line_that_is_none_of_ours_is_passed_over(tmp_path, wrong):
    folder = tmp_path / scores.FOLDER
    folder.mkdir()
    (folder / "1.ndjson").write_bytes(_line())
    (folder / "zzz.ndjson").write_bytes(wrong)
    mine = Card(0, 1, (("3", "8"),), (0.009, "3"), (0.1, "3"), "1", "")
    assert scores.last_card(tmp_path) == ScoresListed(mine)
    (folder / "zzz.ndjson").write_bytes(wrong.rstrip(b"\n") + b"\n" + _line())
    listed = scores.last_card(tmp_path)
    assert listed == ScoresListed(mine._replace(date="zzz"))
    assert any("0 of 1" in text for text in texts_on(update(scene("score-nothing"), listed)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_among_the_scores_is_not_opened(tmp_path):
    (tmp_path / scores.FOLDER).mkdir()
    os.mkfifo(tmp_path / scores.FOLDER / "zzz.ndjson")
    assert scores.last_card(tmp_path) == ScoresListed(None)


def _saves(state) -> list[effects.SaveScore]:
    return [effect for effect in state.effects if isinstance(effect, effects.SaveScore)]


def test_on_a_full_disk_the_card_says_so_and_keeps_the_drawings_for_another_try(tmp_path, monkeypatch):
    state = a_score(scene("score-nothing"))
    (save,) = _saves(state)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    outside = Outside(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        outside.do(save)
        (failed,) = outside.poll(wait=True)
    assert isinstance(failed, ScoreSaved)
    assert list((tmp_path / scores.FOLDER).iterdir()) == [], "no .part stays"
    state = update(state._replace(effects=()), failed)
    assert any("No space left on device" in text and "make room" in text for text in texts_on(state))
    actions = [control.action for control in controls_of(state, arrange(state))]
    assert {"score:save", "score:again"} <= set(actions)
    for again in (Press("score:save"), KeyPress("return")):
        retried = update(state, again)
        assert _saves(retried) == [save] and retried.score.card == state.score.card
    outside.do(_saves(retried)[0])
    (saved,) = outside.poll(wait=True)
    outside.close()
    assert isinstance(saved, ScoreSaved)
    assert len(list(read_drawings(Path(saved.path)))) == 20
    assert not any("Not saved" in text for text in texts_on(update(retried._replace(notice=""), saved)))


def _held(state) -> list[bool]:
    return [effect.on for effect in state.effects if isinstance(effect, effects.HoldSteps)]


def test_newer_steps_wait_from_the_first_digit_to_the_last_and_that_is_said(tmp_path):
    begun = update(scene("score-nothing")._replace(effects=()), Press("score:begin"))
    assert _held(begun) == [True]
    assert _held(update(begun, Press("score:stop"))) == [True, False]
    assert _held(update(_some(3), Press("score:stop"))) == [False]
    assert _held(a_score(scene("score-nothing")._replace(effects=()))) == [True, False]
    away = update(_some(3), Press("screen:draw"))
    assert _held(away) == [] and "newer steps of the network wait" in away.notice
    assert "wait" not in update(a_score(scene("score-nothing")), Press("screen:draw")).notice
    loop = make_loop(tmp_path, state=begun)
    loop.step()
    loop.outside.close()
    assert ("hold True", -3) in loop.classifier.loaded  # pyright: ignore


def test_the_network_and_its_step_stand_beside_the_digits_on_the_card_and_beside_last_time():
    begun = update(scene("score-nothing"), Press("score:begin"))
    assert any("Read by cnn-7, step 9360: newer steps wait" in text for text in texts_on(begun))
    assert "Read by cnn-7, step 9360" in texts_on(scene("score"))
    last = scene("score").score.last
    assert any("Last time" in text and "by cnn-7, step 9360" in text for text in texts_on(scene("score")))
    before = texts_on(update(scene("score-nothing"), ScoresListed(last)))
    assert any("by cnn-7, step 9360" in text for text in before)
    assert score.by(Card(0, 0, (), (0.0, ""), (0.0, ""), "", "theirs")) == "theirs"


def test_a_training_s_first_step_answers_after_the_last_digit():
    state, seen = _some(3), run_seen()
    state = state._replace(studio=state.studio._replace(answers=seen.path))
    waiting = update(state, seen)
    assert waiting.effects == () and waiting.studio.answers == seen.path
    ended = update(waiting, Press("score:stop"))
    assert effects.LoadModel(seen.path, 0) in ended.effects and ended.studio.answers == ""


@pytest.mark.parametrize("other", [CNN._replace(step=12_000), CNN._replace(path="/runs/cnn-8", name="cnn-8")])
def test_where_somebody_chooses_another_network_the_card_is_what_the_first_has_read(other):
    state = written(update(_some(3), ModelReady(other)))
    ended = update(state, KeyPress("return"))
    card = ended.score.card
    assert card is not None and (card.of, card.model) == (3, "cnn-7/9360") and ended.strokes == state.strokes
    assert {one.model for one in ended.score.taken} == {"cnn-7/9360"} and len(_saves(ended)) == 1
    assert f"{other.name}/{other.step} reads now: the 3 before were read by cnn-7/9360" in ended.notice
    first = update(update(scene("score-begin"), ModelReady(other)), Press("score:next"))
    assert first.score.asked, "nothing was read before"


def _some(count: int):
    """So many digits written, and another one under way."""
    state = update(scene("score-nothing"), Press("score:begin"))
    for _ in range(count):
        state = update(written(state), KeyPress("return"))
    return written(state)._replace(effects=())


def test_stop_saves_what_is_written_and_shows_its_card(tmp_path):
    state = _some(3)
    stopped = update(state, Press("score:stop"))
    (save,) = _saves(stopped)
    assert [one.word for one in save.records] == [one.word for one in state.score.taken]
    card = stopped.score.card
    assert card is not None and (card.right, card.of) == (3, 3) and not stopped.score.asked
    assert stopped.strokes == state.strokes, "nor is the one that was not handed in lost"
    outside = Outside(tmp_path)
    outside.do(save)
    (saved,) = outside.poll(wait=True)
    outside.close()
    assert isinstance(saved, ScoreSaved) and len(list(read_drawings(Path(saved.path)))) == 3
    assert update(update(stopped, saved), Press("score:again")).score.last == card


@pytest.mark.parametrize(("screen", "event"), [("score", Closed()), ("draw", KeyPress("q", ctrl=True))])
def test_a_window_that_is_closed_amid_the_digits_saves_them_first(screen, event):
    state = update(_some(3), Press(f"screen:{screen}"))._replace(effects=())
    leaving = update(state, event)
    (save,) = _saves(leaving)
    assert len(save.records) == 3 and not leaving.closing
    assert update(leaving, ScoreSaved("/x")).closing
    failed = update(leaving, ScoreSaved("", "Not saved (full): make room."))
    assert not failed.closing and failed.score.unsaved and "Not saved" in failed.notice
    assert not update(update(failed, Press("score:save")), ScoreSaved("/x")).closing


def test_a_signal_amid_the_digits_saves_them_too(tmp_path):
    loop = make_loop(tmp_path, state=_some(3))
    loop.leave()
    loop.outside.close()
    (path,) = (tmp_path / scores.FOLDER).glob("*.ndjson")
    assert len(list(read_drawings(path))) == 3


def test_what_a_signal_cannot_save_is_told_and_what_could_not_be_saved_before_is_tried_again(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    loop = make_loop(blocked, state=_some(3))
    loop.leave()
    (failed,) = loop.outside.close()
    assert isinstance(failed, ScoreSaved) and failed.error.startswith("Not saved (")
    loop = make_loop(tmp_path, state=update(a_score(scene("score-nothing")), failed)._replace(effects=()))
    loop.leave()
    (saved,) = loop.outside.close()
    assert isinstance(saved, ScoreSaved) and len(list(read_drawings(Path(saved.path)))) == 20


def test_help_says_that_enter_saves_again():
    shown = update(scene("score"), Press("help"))
    assert "try again to save" in texts_on(shown)


@pytest.mark.parametrize(
    ("screen", "event"),
    [
        ("score", Press("score:again")),
        ("score", Closed()),
        ("draw", Closed()),
        ("draw", KeyPress("q", ctrl=True)),
    ],
)
def test_drawings_that_are_in_no_file_go_at_the_second_press_only(screen, event):
    state = update(a_score(scene("score-nothing")), ScoreSaved("", "Not saved (full): make room."))
    once = update(update(state, Press(f"screen:{screen}")), event)
    assert once.score.taken == state.score.taken and not once.closing and once.screen == "score"
    assert "not saved" in once.notice
    double = update(update(once, Tick(once.time + 0.3)), event)
    assert double.score.taken == state.score.taken and not double.closing, "the second of a double click"
    twice = update(update(double, Tick(once.time + 1.0)), event)
    assert twice.closing or twice.score.taken == ()
    kept = update(state, ScoreSaved("/x"))
    assert update(kept, event).closing or update(kept, event).score.taken == ()


def test_an_enter_too_many_leaves_the_card_and_the_status_is_of_the_digit_asked_for():
    state = update(a_score(scene("score-nothing")), ScoreSaved("/x"))
    assert update(state, KeyPress("return")).score == state.score
    begun = update(update(state, Focus("score:again")), KeyPress("return"))
    assert begun.score.asked and begun.score.taken == ()
    early = update(begun, KeyPress("return"))
    assert early.notice.replace("an 8", "a 8") == f"Write a {early.score.asked} first."
    assert "a 8" not in early.notice
    after = update(written(early), KeyPress("return"))
    assert len(after.score.taken) == 1 and after.notice == ""
    assert update(early, Press("score:stop")).notice == ""


def test_the_command_can_be_copied_where_the_folder_has_a_space():
    path = "/home/a b/scores/1.ndjson"
    state = scene("score", 2400, 1600)
    state = state._replace(score=state.score._replace(saved=path))
    command = next(text for text in texts_on(state) if "digitjax bench drawn" in text)
    assert shlex.split(command)[-1] == f"strokes:{path}"
