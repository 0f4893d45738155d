"""What the buttons of Score my hand do. Pure."""

from play import score as scores
from play.drawing import pen_up, replace_ink
from play.effects import ListScores, Record, SaveScore
from play.events import ScoresListed, Taken
from play.score import Score
from play.state import PlayState, say, with_effect


def opened(state: PlayState) -> PlayState:
    """The card of the last time is looked for."""
    return with_effect(state, ListScores())


def press(state: PlayState, what: str) -> PlayState:
    """A button was pressed; nonsense changes nothing."""
    score = state.score
    if what == "begin":
        order = scores.order(round(state.time * 1000) + state.revision)
        last = score.card or score.last
        return replace_ink(pen_up(state), ())._replace(score=Score(order, last=last))
    if what == "stop" and score.asked:
        return replace_ink(pen_up(state), ())._replace(score=Score(last=score.last))
    if what == "back" and score.asked and score.taken:
        return replace_ink(pen_up(state), ())._replace(score=score._replace(taken=score.taken[:-1]))
    if what == "next" and score.asked:
        return _next(pen_up(state))
    return state


def listed(state: PlayState, event: ScoresListed) -> PlayState:
    """The card of the last time."""
    return state._replace(score=state.score._replace(last=event.last or state.score.last))


def _next(state: PlayState) -> PlayState:
    score, answer, model = state.score, state.answers[0], state.models[0]
    if not state.strokes:
        return say(state, f"Write a {score.asked} first.")
    if model is None:
        return say(state, "No network reads this: choose one in Models first.")
    if answer is None or answer.revision != state.revision:
        return say(state, "One moment: the network is still reading.")
    word, said = score.asked, state.shown.word
    name = f"{model.name}/{model.step}"
    record = Record(word, state.strokes, name, said, answer.probabilities, answer.is_digit)
    taken = Taken(
        word,
        said,
        answer.probabilities[int(word)],
        scores.seconds(state.strokes),
        scores.fitted(state.strokes),
        name,
        record,
    )
    score = score._replace(taken=(*score.taken, taken))
    state = replace_ink(state._replace(score=score), ())
    if score.asked:
        return state
    return with_effect(state, SaveScore(tuple(one.record for one in score.taken if one.record is not None)))
