"""Whole numbers: a line of drawn digits, grouped and read in one call of the network.

A number is told by its strokes, so two digits that were written in one stroke are not taken apart. While one
writes, only the groups that hold the newest stroke change: what the others were read as can be handed on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from digitjax import grouping
from digitjax.errors import DigitjaxError
from digitjax.normalize import inks_to_images
from digitjax.odds import REFUSED, THRESHOLD, log_softmax, sigmoid
from digitjax.segments import pack, simplify, straight
from digitjax.strokes import Drawing
from digitjax.types import Logits, Model, Params, Segments

UNREAD = "?"
"""Stands in a number's text for a group that is no digit."""
SEGMENTS = 48
"""Straight pieces of ink that a group is packed into at most: fewer than a lone drawing's, for speed."""
PIECES = 16
"""Straight pieces of a stroke at most."""
BATCHES = (2, 4, 8, 12, 16, 20, 24, 32, 64)
"""Groups in one call; shorter calls are padded, so that few shapes are compiled, and longer ones divided."""


class Digit(NamedTuple):
    """One group of a number's strokes.

    Attributes:
        box: left, top, right, bottom of its centre lines in the drawing's own unit.
        strokes: indices of its strokes in the order of writing.
        answer: "0" to "9", or "not a digit".
        probabilities: of the ten digits, given that it is one.
        is_digit: probability that it is a digit at all; None for a network that does not say.
    """

    box: tuple[float, float, float, float]
    strokes: tuple[int, ...]
    answer: str
    probabilities: Float[np.ndarray, "10"]
    is_digit: float | None


class Known(NamedTuple):
    """What is kept of a line while it grows.

    Attributes:
        answers: of a network, by the points of a group's strokes: ten logits, and perhaps that of being one.
        lines: what strokes are simplified to, by their points.
    """

    answers: Mapping[tuple[bytes, ...], Float[np.ndarray, " answers"]]
    lines: Mapping[bytes, Float[np.ndarray, "_ 2"]]


NOTHING = Known({}, {})
"""Of a line of which nothing was read."""


class Number(NamedTuple):
    """What a network reads in a line of digits.

    Attributes:
        text: its digits from left to right, `UNREAD` for a group that is none; "" without ink.
        digits: the groups, each stroke in exactly one.
    """

    text: str
    digits: tuple[Digit, ...]

    def to_json(self) -> dict:
        """The same as plain JSON values."""
        digits = [
            digit._asdict()
            | {
                "box": list(digit.box),
                "strokes": list(digit.strokes),
                "probabilities": digit.probabilities.tolist(),
            }
            for digit in self.digits
        ]
        return {"text": self.text, "digits": digits}

    def sentence(self) -> str:
        """The number for people, with the probability of its least sure digit: "2026  97 %"."""
        if not self.digits:
            return "no ink"
        odds = [float(d.probabilities.max()) for d in self.digits if d.answer != REFUSED]
        unread = len(self.digits) - len(odds)
        least = f"  {min(99, round(100 * min(odds)))} %" if odds else ""
        groups = f", {unread} group{'s' if unread > 1 else ''} {REFUSED}" if unread else ""
        return self.text + least + groups


class Score(NamedTuple):
    """How well whole numbers are read.

    Attributes:
        exact: fraction whose text is right, groups that are called no digit included.
        grouping: fraction whose strokes are all in the right groups, of those that say which; or None.
        n: numbers measured.
    """

    exact: float
    grouping: float | None
    n: int


class Outcome(NamedTuple):
    """Of one number: whether its text is right, and its grouping, where it is known."""

    exact: bool
    grouped: bool | None


def make_reader(model: Model) -> Callable[[Params, Segments], Logits]:
    """From params and packed groups to logits; compiled once for each of `BATCHES`."""
    return jax.jit(lambda params, packed: model.apply(params, inks_to_images(packed, model.geometry)))


def read_number(read: Callable[[Segments], Logits], strokes: Sequence[Float[np.ndarray, "_ 2"]]) -> Number:
    """Groups strokes into digits and reads them; all groups that may be digits go to the network in one call.

    Args:
        read: packed groups, as many as one of `BATCHES`, to logits.
        strokes: (x, y) points of each, any unit, y down; those without points belong to nothing.

    Raises:
        InputError: a coordinate is not finite.
        DigitjaxError: the network answers something that is no number.
    """
    return read_on(read, strokes, NOTHING)[0]


def read_on(
    read: Callable[[Segments], Logits], strokes: Sequence[Float[np.ndarray, "_ 2"]], known: Known
) -> tuple[Number, Known]:
    """As `read_number`, for a line that grows: groups whose answers are known are not read again.

    Args:
        read, strokes: as for `read_number`.
        known: what was returned before, of the same network; `NOTHING` at first.

    Returns:
        The number, and what is known of its strokes and groups, of no others.

    Raises:
        InputError, DigitjaxError: as `read_number`.
    """
    inked = [index for index, stroke in enumerate(strokes) if len(stroke)]
    if not inked:
        return Number("", ()), NOTHING
    ink = [strokes[index] for index in inked]
    groups = grouping.find_groups(ink)
    log_p, is_digits, known = read_groups(read, ink, groups, known)
    chosen = grouping.choose(groups, grouping.score(groups, log_p, is_digits))
    chances = None if is_digits is None else sigmoid(is_digits)
    digits = []
    for group in chosen:
        is_digit = None if chances is None else float(chances[group])
        answer = str(log_p[group].argmax()) if is_digit is None or is_digit >= THRESHOLD else REFUSED
        box = tuple(groups.boxes[group].tolist())
        own = tuple(inked[index] for index in groups.strokes(group))
        digits.append(Digit(box, own, answer, np.exp(log_p[group]), is_digit))
    text = "".join(UNREAD if digit.answer == REFUSED else digit.answer for digit in digits)
    return Number(text, tuple(digits)), known


class Answers(NamedTuple):
    """What a network answered of the groups that may be digits.

    Attributes:
        log_p: log-probabilities of the ten, given that it is one.
        is_digit: log-odds of being a digit, low for what is too small; None where the network does not say.
        known: the same answers by the groups' strokes, and the strokes simplified.
    """

    log_p: Float[np.ndarray, "groups 10"]
    is_digit: Float[np.ndarray, " groups"] | None
    known: Known


def read_groups(
    read: Callable[[Segments], Logits],
    strokes: Sequence[Float[np.ndarray, "_ 2"]],
    groups: grouping.Groups,
    known: Known,
) -> Answers:
    """Reads the groups of strokes that are not known yet.

    Args:
        read: packed groups, as many as one of `BATCHES`, to logits.
        strokes: (x, y) points of each, at least one, any unit, y down.
        groups: of these strokes.
        known: as for `read_on`.

    Raises:
        InputError, DigitjaxError: as `read_number`.
    """
    names, inside = [stroke.tobytes() for stroke in strokes], groups.all_strokes()
    inks = [tuple(names[stroke] for stroke in own) for own in inside]
    fresh = [group for group, ink in enumerate(inks) if ink not in known.answers]
    used = {stroke for group in fresh for stroke in inside[group]}
    lines = _simplified(strokes, names, used, known.lines)
    rows = ()
    if fresh:
        ink = [lines[name] if i in used else strokes[i][:0] for i, name in enumerate(names)]
        rows = _in_batches(read, pack_groups(ink, groups, fresh))
    news = dict(zip([inks[group] for group in fresh], rows, strict=True))
    answers = {ink: news[ink] if ink in news else known.answers[ink] for ink in inks}
    table = np.stack([answers[ink] for ink in inks])
    is_digit = None
    if table.shape[1] > 10:
        is_digit = np.where(groups.speck, -grouping.MOST_ODDS, table[:, 10].astype(np.float64))
    return Answers(log_softmax(table[:, :10]), is_digit, Known(answers, lines))


def outcome(number: Number, drawing: Drawing) -> Outcome:
    """What was read against what was written; a word of one digit says itself whose its strokes are."""
    word = drawing.word or ""
    truth = drawing.digit_of
    if truth is None and len(word) == 1:
        truth = (0,) * len(drawing.strokes)
    exact = number.text == word
    if truth is None:
        return Outcome(exact, None)
    places = np.array(truth)
    groups = {tuple(np.flatnonzero(places == place).tolist()) for place in set(truth)}
    return Outcome(exact, groups == {digit.strokes for digit in number.digits})


def total(outcomes: Sequence[Outcome]) -> Score:
    """The fractions over at least one number."""
    known = [one.grouped for one in outcomes if one.grouped is not None]
    exact = sum(one.exact for one in outcomes) / len(outcomes)
    return Score(exact, sum(known) / len(known) if known else None, len(outcomes))


def pack_groups(
    lines: Sequence[Float[np.ndarray, "_ 2"]], groups: grouping.Groups, chosen: Sequence[int]
) -> Segments:
    """The ink of some groups, which depends on nothing but their own strokes.

    Args:
        lines: (x, y) points of each stroke, simplified; those of other groups' may be left out.
        groups: the candidates.
        chosen: which of them, at least one.
    """
    start, stop = groups.start[chosen], groups.stop[chosen]
    place = np.empty(len(lines), np.int64)
    place[groups.order] = np.arange(len(lines))
    ends, owner = straight(lines, PIECES * len(lines))
    by_place = np.argsort(place[owner], kind="stable")
    edges = np.searchsorted(place[owner][by_place], np.arange(len(lines) + 1))
    first, count = edges[start], edges[stop] - edges[start]
    rows = np.arange(SEGMENTS)
    mask = rows < count[:, None]
    ink = ends[by_place][np.minimum(first[:, None] + rows, len(ends) - 1)]
    corners = np.where(mask[:, :, None], np.minimum(ink[:, :, :2], ink[:, :, 2:]), np.inf).min(axis=1)
    packed = np.where(mask[:, :, None], ink - np.tile(corners, 2)[:, None], 0.0).astype(np.float32)
    for row in np.flatnonzero(count > SEGMENTS).tolist():
        own = [lines[stroke] for stroke in groups.strokes(chosen[row])]
        packed[row], mask[row] = pack(own, SEGMENTS)
    return Segments(packed, mask)


def _simplified(
    strokes: Sequence[Float[np.ndarray, "_ 2"]],
    names: Sequence[bytes],
    used: set[int],
    known: Mapping[bytes, Float[np.ndarray, "_ 2"]],
) -> dict[bytes, Float[np.ndarray, "_ 2"]]:
    """The strokes that are used or known, simplified, by their names."""
    new = [stroke for stroke in sorted(used) if names[stroke] not in known]
    found = dict(zip([names[i] for i in new], simplify([strokes[i] for i in new], PIECES), strict=True))
    return found | {name: known[name] for name in names if name in known}


def _in_batches(read: Callable[[Segments], Logits], packed: Segments) -> Float[np.ndarray, "groups answers"]:
    """The logits of all groups side by side, in as few calls as `BATCHES` allows.

    Raises:
        DigitjaxError: one of them is no number.
    """
    count, parts = len(packed.mask), []
    for start in range(0, count, BATCHES[-1]):
        rows = slice(start, start + BATCHES[-1])
        size = next(batch for batch in BATCHES if batch >= len(packed.mask[rows]))
        ends, mask = np.zeros((size, SEGMENTS, 4), np.float32), np.zeros((size, SEGMENTS), bool)
        ends[: count - start], mask[: count - start] = packed.ends[rows], packed.mask[rows]
        parts.append(read(Segments(ends, mask)))
    digits, is_digit = jax.tree.map(lambda *each: np.concatenate(each)[:count], *jax.device_get(parts))
    whole = digits if is_digit is None else np.column_stack([digits, is_digit])
    if not np.isfinite(whole).all():
        raise DigitjaxError(
            "the network answers something that is no number: train it again or take another checkpoint"
        )
    return whole
