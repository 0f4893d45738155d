"""Score my hand: what is asked for, what the card says, and the file that it leaves."""

import collections
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from digitjax.strokes import read_drawings
from play import effects, score, scores
from play.events import Card, KeyPress, Notice, Press, ScoresListed, Taken
from play.outside import Outside
from play.update import update
from tests.play.drawings import FOUR, strokes_events
from tests.play.looking import texts_on
from tests.play.made_up import answer
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
    assert update(after, Press("score:stop")).score.order == ()
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
    again = update(state, Press("score:begin"))
    assert again.score.last == card and again.score.taken == ()


def test_the_slowest_and_the_least_sure_are_found():
    taken = tuple(Taken(str(i), str(i), 0.9 - i / 20, abs(3.6 - i), (), "m/1") for i in range(8))
    card = score.card_of(taken)
    assert card.slowest == (3.6, "0") and card.worst == (pytest.approx(0.55), "7") and card.right == 8
    assert score.card_of(()) == Card(0, 0, (), (0.0, ""), (0.0, ""))


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


def test_a_full_disk_and_a_stranger_s_file_are_no_obstacle(tmp_path):
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
    (notice,) = (event for event in outside.poll(wait=True) if isinstance(event, Notice))
    assert "Not saved" in notice.text
    outside.close()
    assert update(state, notice).score.card == state.score.card
