"""Score my hand: twenty digits are asked for, then a card says how they were read. Pure."""

import collections
import itertools
import random
from typing import NamedTuple

from play.events import Card, ScoreSaved, Taken
from play.verdict import DIGITS

TIMES = 2
"""How often each digit is asked for."""


class Score(NamedTuple):
    """Attributes:
    order: the digits that are asked for; empty where nobody has begun.
    taken: those that were written.
    last: the card of the time before.
    saved: the file of these drawings, "" where they are not saved yet.
    error: why they could not be saved.
    sure: what has been pressed once and would lose them: "again" or "close".
    confirmed: time from which pressing it again counts: not the second of a double click.
    leaving: the window closes as soon as they are saved.
    """

    order: tuple[str, ...] = ()
    taken: tuple[Taken, ...] = ()
    last: Card | None = None
    saved: str = ""
    error: str = ""
    sure: str = ""
    confirmed: float = 0.0
    leaving: bool = False

    @property
    def asked(self) -> str:
        """The digit to write now, "" for none."""
        return self.order[len(self.taken)] if len(self.taken) < len(self.order) else ""

    @property
    def card(self) -> Card | None:
        """The card, once all are written, or those before Stop."""
        return card_of(self.taken) if self.order and not self.asked else None

    @property
    def unsaved(self) -> bool:
        """Whether some are written and in no file."""
        return bool(self.taken) and not self.saved


def order(seed: int) -> tuple[str, ...]:
    """Each digit twice, in an order of its own for each seed, none twice in a row."""
    dice = random.Random(seed)
    while True:
        found = [*DIGITS * TIMES]
        dice.shuffle(found)
        if all(one != other for one, other in itertools.pairwise(found)):
            return tuple(found)


def card_of(taken: tuple[Taken, ...], date: str = "", model: str = "") -> Card:
    """What there is to say of drawings and how they were read.

    Args:
        taken: all of them.
        date: when, as text.
        model: which network read them; "" for that of the first.
    """
    return Card(
        sum(one.right for one in taken),
        len(taken),
        tuple((one.word, one.said) for one in taken if not one.right),
        max(((one.seconds, one.word) for one in taken), default=(0.0, "")),
        min(((one.probability, one.word) for one in taken), default=(0.0, "")),
        date,
        model or (taken[0].model if taken else ""),
    )


def confused(card: Card) -> tuple[tuple[str, str, int], ...]:
    """What was taken for what and how often, the commonest first."""
    counts = collections.Counter(card.wrong)
    order = sorted(counts, key=lambda pair: (-counts[pair], pair))
    return tuple((word, said, counts[word, said]) for word, said in order)


def table(taken: tuple[Taken, ...]) -> tuple[tuple[int, ...], ...]:
    """The confusion matrix: a row for each digit that was asked for, a column for each that was read; a last
    column where some were read as none."""
    counts = collections.Counter((one.word, one.said if one.said in DIGITS else "") for one in taken)
    columns = (*DIGITS, "") if any(not said for _, said in counts) else DIGITS
    return tuple(tuple(counts[word, said] for said in columns) for word in DIGITS)


def by(card: Card) -> str:
    """The network and step that read it, in words."""
    name, _, step = card.model.rpartition("/")
    return f"{name}, step {step}" if name and step.isdecimal() else card.model


def saved(score: Score, event: ScoreSaved) -> Score:
    """The score after its file was written, or could not be."""
    if not score.unsaved:
        return score
    return score._replace(saved=event.path, error=event.error, sure="", leaving=False)
