"""What the buttons of Score my hand do. Pure."""

from play import score as scores
from play import training
from play.drawing import pen_up, replace_ink
from play.effects import HoldSteps, ListScores, Record, SaveScore
from play.events import UNSURE, ScoreSaved, ScoresListed, Taken
from play.ink import fitted, seconds
from play.score import Score
from play.state import PlayState, say, with_effect
from play.verdict import with_article


def opened(state: PlayState) -> PlayState:
    """The card of the last time is looked for."""
    return with_effect(state, ListScores())


def away(state: PlayState) -> PlayState:
    """The screen is left: where some are still asked for, newer steps go on waiting, which is said."""
    if not state.score.asked:
        return state
    return say(state, "Score my hand is under way: newer steps of the network wait until it ends.")


def press(state: PlayState, what: str) -> PlayState:
    """A button was pressed; nonsense changes nothing."""
    score = state.score
    if what == "again" and score.card is not None:
        return warned(state, "again") if score.unsaved and not sure(state, "again") else _begun(state)
    if what in ("begin", "next", "save") and score.error:
        return _saving(state._replace(score=score._replace(error="", sure="")))
    if what == "begin" and not score.order:  # Enter comes as this: once too often, it leaves the card
        return _begun(state)
    if what == "stop" and score.asked:
        return stopped(state) if score.taken else _over(_blank(state, Score(last=score.last)))
    if what == "back" and score.asked and score.taken:
        return _blank(state, score._replace(taken=score.taken[:-1]))
    if what == "next" and score.asked:
        return _next(pen_up(state))
    return state


def saved(state: PlayState, event: ScoreSaved) -> PlayState:
    """The file was written, or could not be."""
    leaves = state.score.leaving and not event.error
    state = state._replace(score=scores.saved(state.score, event), closing=state.closing or leaves)
    return say(state, event.error) if event.error else state


def stopped(state: PlayState) -> PlayState:
    """No more are asked for: those that are written are saved and have a card; the canvas stays as it is."""
    score = state.score
    ended = score._replace(order=score.order[: len(score.taken)])
    return _saving(_over(pen_up(state)._replace(score=ended, notice="")))


def left(state: PlayState) -> PlayState:
    """The window is to close amid the digits: it does as soon as those that are written are saved."""
    return stopped(state._replace(score=state.score._replace(leaving=True)))


def sure(state: PlayState, what: str) -> bool:
    """Whether somebody who presses "again" or "close" now knows that it loses the drawings."""
    return state.score.sure == what and state.time >= state.score.confirmed


def warned(state: PlayState, what: str) -> PlayState:
    """What would lose the drawings was pressed for the first time, or at once again: "again" or "close"."""
    if state.score.sure == what:
        return state
    verb = "close the window" if what == "close" else "press it"
    text = f"These {len(state.score.taken)} drawings are not saved: {verb} again to lose them."
    score = state.score._replace(sure=what, confirmed=state.time + UNSURE)
    return say(state._replace(score=score), text)


def _begun(state: PlayState) -> PlayState:
    score, order = state.score, scores.order(round(state.time * 1000) + state.revision)
    state = _blank(state._replace(focus=None), Score(order, last=score.card or score.last))
    return with_effect(state, HoldSteps(True))


def _over(state: PlayState) -> PlayState:
    """None is asked for any more: the newest step may answer again, and a training's first that waited."""
    return training.late(with_effect(state, HoldSteps(False)))


def _blank(state: PlayState, score: Score) -> PlayState:
    """Another digit is asked for: what was said is of the one before."""
    return replace_ink(pen_up(state), ())._replace(score=score, notice="")


def _saving(state: PlayState) -> PlayState:
    records = (one.record for one in state.score.taken)
    return with_effect(state, SaveScore(tuple(record for record in records if record is not None)))


def listed(state: PlayState, event: ScoresListed) -> PlayState:
    """The card of the last time."""
    return state._replace(score=state.score._replace(last=event.last or state.score.last))


def _next(state: PlayState) -> PlayState:
    score, answer, model = state.score, state.answers[0], state.models[0]
    if not state.strokes:
        return say(state, f"Write {with_article(score.asked)} first.")
    if model is None:
        return say(state, "No network reads this: choose one in Models first.")
    if answer is None or answer.revision != state.revision:
        return say(state, "One moment: the network is still reading.")
    word, said = score.asked, state.shown.word
    name = f"{model.name}/{model.step}"
    if score.taken and score.taken[0].model != name:  # somebody has chosen another one meanwhile
        before = f"the {len(score.taken)} before were read by {score.taken[0].model}, and are the card"
        return say(stopped(state), f"{name} reads now: {before}.")
    record = Record(word, state.strokes, name, said, answer.probabilities, answer.is_digit)
    taken = Taken(
        word,
        said,
        answer.probabilities[int(word)],
        seconds(state.strokes),
        fitted(state.strokes),
        name,
        record,
    )
    state = _blank(state, score._replace(taken=(*score.taken, taken)))
    return state if state.score.asked else _saving(_over(state))
