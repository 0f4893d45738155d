"""From probabilities to the words on the screen. Pure.

While a stroke is under way the answer is provisional: "not a digit" waits for the pen, and another digit
takes over only when it leads clearly or has led for a moment. With the pen up the last answer is shown.
"""

from typing import NamedTuple

SURE = 0.8
"""Probability from which an answer is given without a second one; as `digitjax.odds.SURE`."""
THRESHOLD = 0.5
"""Probability of being a digit from which there is an answer: a checkpoint's calibration moves it there."""
NOT_A_DIGIT = "not a digit"
OTHER_WORD = "not-a-digit"
"""The word under which "n" records, as `digitjax.data.labels.OTHER`; any that is no digit means the same."""
DIGITS = tuple(map(str, range(10)))
WORDS = (*DIGITS, OTHER_WORD)
LEAD = 0.97
"""Probability at which another digit takes over at once while the pen is down."""
PATIENCE = 0.25
"""Seconds for which another digit must have led to take over with less."""


def with_article(word: str) -> str:
    """ "a 7", "an 8"."""
    return f"{'an' if word == '8' else 'a'} {word}"


class Shown(NamedTuple):
    """The answer on the screen.

    Attributes:
        word: "0" to "9", "not a digit", or "" for none yet.
        second: "4, or perhaps 9": the other, in doubt.
        provisional: a stroke is under way or an answer is awaited.
        rival: digit that leads now but is not shown yet, and since when.
        several: there may be several digits beside each other, where together they are none.
    """

    word: str = ""
    second: str = ""
    provisional: bool = False
    rival: str = ""
    since: float = 0.0
    several: bool = False


def is_due(shown: Shown, time: float) -> bool:
    """Whether a rival has led for long enough to be shown, though no newer answer has come: the pen rests."""
    return bool(shown.rival) and time - shown.since >= PATIENCE


def show(
    before: Shown,
    probabilities: tuple[float, ...],
    *,
    refused: bool,
    under_way: bool,
    time: float,
) -> Shown:
    """What the screen says next.

    Args:
        before: what it says now.
        probabilities: of the ten digits.
        refused: the network calls it no digit.
        under_way: whether the pen is down or a newer answer will come.
        time: seconds of the program's clock.
    """
    order = sorted(range(10), key=lambda digit: (-probabilities[digit], digit))
    best, second = str(order[0]), str(order[1])
    first = probabilities[order[0]]
    doubt = second if first < SURE else ""
    if not under_way:
        if refused:
            return Shown(NOT_A_DIGIT)
        return Shown(best, doubt)
    if before.word in (best, ""):
        return Shown(best, doubt, True)
    if before.word == NOT_A_DIGIT and refused:
        return before._replace(provisional=True, rival="")
    since = before.since if before.rival == best else time
    if first >= LEAD or time - since >= PATIENCE:
        return Shown(best, doubt, True)
    return before._replace(provisional=True, rival=best, since=since)
