"""`bench drawn`: accuracy on other people's drawings, by source, writer and digit, each with an interval.

Only digits are measured here, each by the likeliest of the ten; whether the network would rather not answer
plays no part. What it does with other drawings is `rejection.py`'s.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from digitjax.bench import bootstrap
from digitjax.bench.bootstrap import Estimate
from digitjax.data.audit import Audit, findings
from digitjax.data.pipeline import Examples, to_examples
from digitjax.data.spec import Source
from digitjax.evaluate import has_ink, read_all
from digitjax.odds import risk_at
from digitjax.types import Model, Params

POOLED = "all together"
"""Name of all data sets as one."""


class Group(NamedTuple):
    """Some of the drawings: a writer's, a contributor's, or those of one digit."""

    n: int
    accuracy: Estimate


class Audited(NamedTuple):
    """The same figures without the digits whose labels a reader doubts (`digitjax.data.audit`).

    Attributes:
        n: digits that stay.
        left_out: how many do not, by finding.
        accuracy: over the digits that stay.
        mean_over_writers: each writer counting once; None for fewer than two.
        worst_tenth: mean of the worst tenth of the writers; None for fewer than two.
        nll: mean negative log-likelihood, in nats.
        risk_at_99: part of the answers that is wrong when the surest 99 % are given.
    """

    n: int
    left_out: dict[str, int]
    accuracy: Estimate
    mean_over_writers: Estimate | None
    worst_tenth: Estimate | None
    nll: float
    risk_at_99: float


class Drawn(NamedTuple):
    """How a network reads one data set.

    Attributes:
        data: canonical name.
        n: digits measured.
        n_other: drawings that are no digits, left out.
        n_skipped: drawings without a label, left out.
        resampled: what the intervals resample, "writers" or "drawings".
        accuracy: over all digits.
        mean_over_writers: each writer counting once; None for fewer than two.
        worst_tenth: mean of the worst tenth of the writers; None for fewer than two.
        nll: mean negative log-likelihood, in nats.
        risk_at_99: part of the answers that is wrong when the surest 99 % are given.
        audited: the same without the digits whose labels a reader doubts; None where there is none.
        digits: by digit.
        sources: by what the drawings name as their source, where writers are known.
        writers: by writer, where known.
    """

    data: str
    n: int
    n_other: int
    n_skipped: int
    resampled: str
    accuracy: Estimate
    mean_over_writers: Estimate | None
    worst_tenth: Estimate | None
    nll: float
    risk_at_99: float
    audited: Audited | None
    digits: dict[str, Group]
    sources: dict[str, Group]
    writers: dict[str, Group]

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values, an interval as `value`, `low` and `high`."""
        return {name: _plain(value) for name, value in self._asdict().items()}


class Mistake(NamedTuple):
    """A drawing that is taken for what it is not.

    Attributes:
        data: canonical name of its data set.
        place: which of the labelled drawings there it is, from 0.
        word: what it is.
        answer: what the network says.
        probability: how sure it is of that.
        writer: who drew it, None where nobody said.
        image: what the network saw, 255 ink.
    """

    data: str
    place: int
    word: str
    answer: str
    probability: float
    writer: str | None
    image: UInt8[np.ndarray, "height width"]

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values, without the image."""
        return {name: value for name, value in self._asdict().items() if name != "image"}


class Read(NamedTuple):
    """A data set and what a network says about it.

    Attributes:
        examples: the data set, digits and others.
        log_p: log-probabilities of the ten, of each.
        is_digit: log-odds of being a digit, of each; None for a network without that head.
    """

    examples: Examples
    log_p: Float[np.ndarray, "n 10"]
    is_digit: Float[np.ndarray, " n"] | None = None

    @property
    def places(self) -> Int[np.ndarray, " d"]:
        """Where the digits are among all examples."""
        return np.flatnonzero(np.asarray(self.examples.labels) < 10)

    def drawing(self, i: int, probability: float) -> Mistake:
        """One of them, as what it is and what it is taken for with that probability."""
        label, writers = int(self.examples.labels[i]), self.examples.writers
        return Mistake(
            data=self.examples.name,
            place=i,
            word=str(label) if label < 10 else self.examples.words[i],
            answer=str(self.log_p[i].argmax()),
            probability=probability,
            writer=writers[i] if writers else None,
            image=np.asarray(self.examples.images[i])[..., 0],
        )


class Digits(NamedTuple):
    """The digits of one or several data sets and what a network says about them.

    Attributes:
        labels: what each is, 0 to 9.
        log_p: log-probabilities of the ten.
        writers: number of each one's writer, -1 where it is not known.
        names: of the writers.
        findings: what a reader doubts about each label, None for nothing.
        inked: which have ink: elsewhere nothing is read.
    """

    labels: Int[np.ndarray, " d"]
    log_p: Float[np.ndarray, "d 10"]
    writers: Int[np.ndarray, " d"]
    names: list[str]
    findings: tuple[str | None, ...]
    inked: Bool[np.ndarray, " d"]

    @property
    def right(self) -> Bool[np.ndarray, " d"]:
        """Which are read as what they are."""
        return (self.log_p.argmax(axis=1) == self.labels) & self.inked

    @property
    def confidence(self) -> Float[np.ndarray, " d"]:
        """How sure each answer is: the probability of the likeliest of the ten."""
        return np.exp(self.log_p.max(axis=1))

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood, in nats."""
        return float(-self.log_p[np.arange(len(self.labels)), self.labels].mean())

    def only(self, kept: Bool[np.ndarray, " d"]) -> "Digits":
        """Some of them."""
        chosen = tuple(finding for finding, keep in zip(self.findings, kept, strict=True) if keep)
        labels, log_p, writers, inked = (a[kept] for a in (self.labels, self.log_p, self.writers, self.inked))
        return Digits(labels, log_p, writers, self.names, chosen, inked)


def read_source(model: Model, params: Params, source: Source) -> Read:
    """A data set as the network reads it."""
    examples = to_examples(source, model.geometry)
    answers = read_all(model, params, examples.images)
    return Read(examples, answers.log_p, answers.is_digit)


def digits_of(reads: Sequence[Read], audit: Audit) -> Digits:
    """The digits of all data sets together."""
    chosen, names, doubts = [], [], []
    for read in reads:
        places, found = read.places, findings(read.examples.ids, read.examples.labels, audit)
        chosen.append(places)
        names += [read.examples.writers[i] if read.examples.writers else None for i in places]
        doubts += [found[i] for i in places]
    known = sorted({name for name in names if name is not None})
    numbers = {name: number for number, name in enumerate(known)}
    pairs = list(zip(reads, chosen, strict=True))
    return Digits(
        np.concatenate([np.asarray(read.examples.labels)[i] for read, i in pairs]).astype(np.int64),
        np.concatenate([read.log_p[i] for read, i in pairs]),
        np.array([-1 if name is None else numbers[name] for name in names]),
        known,
        tuple(doubts),
        np.concatenate([has_ink(read.examples.images[i]) for read, i in pairs]),
    )


def measure(reads: Sequence[Read], audit: Audit, name: str | None = None) -> Drawn:
    """Measures one data set, or several as one; there is at least one digit."""
    digits = digits_of(reads, audit)
    labels, right, ids, names = digits.labels, digits.right, digits.writers, digits.names
    whole = bootstrap.estimate(labels, right, ids)
    counts = np.bincount(ids[ids >= 0], minlength=len(names))
    hits = np.bincount(ids[right & (ids >= 0)], minlength=len(names))
    each = bootstrap.estimate_each(hits, counts)
    return Drawn(
        data=name or reads[0].examples.name,
        n=len(labels),
        n_other=sum(len(read.examples.labels) - len(read.places) for read in reads),
        n_skipped=sum(read.examples.skipped for read in reads),
        resampled=whole.resampled,
        accuracy=whole.accuracy,
        mean_over_writers=whole.mean_over_writers,
        worst_tenth=whole.worst_tenth,
        nll=digits.nll,
        risk_at_99=risk_at(digits.confidence, right),
        audited=_audited(digits),
        digits={
            str(d): Group(int((labels == d).sum()), found)
            for d, found in enumerate(whole.digits)
            if found is not None
        },
        sources=_by_source(labels, right, ids, names),
        writers={n: Group(int(c), found) for n, c, found in zip(names, counts, each, strict=True)},
    )


def worst(reads: Sequence[Read], count: int) -> list[Mistake]:
    """The wrong answers of which the network is surest, the surest first."""
    found = []
    for read in reads:
        labels, sure = np.asarray(read.examples.labels), np.exp(read.log_p.max(axis=1))
        answers, inked = read.log_p.argmax(axis=1), has_ink(read.examples.images)
        wrong = np.flatnonzero((labels < 10) & (answers != labels) & inked)
        surest = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
        found.extend(read.drawing(int(i), float(sure[i])) for i in surest)
    return sorted(found, key=lambda mistake: -mistake.probability)[:count]


def _audited(digits: Digits) -> Audited | None:
    kept = np.array([finding is None for finding in digits.findings])
    if kept.all() or not kept.any():
        return None
    rest = digits.only(kept)
    found = bootstrap.estimate(rest.labels, rest.right, rest.writers)
    return Audited(
        n=len(rest.labels),
        left_out=dict(sorted(Counter(finding for finding in digits.findings if finding).items())),
        accuracy=found.accuracy,
        mean_over_writers=found.mean_over_writers,
        worst_tenth=found.worst_tenth,
        nll=rest.nll,
        risk_at_99=risk_at(rest.confidence, rest.right),
    )


def _by_source(
    labels: Int[np.ndarray, " n"], right: np.ndarray, ids: Int[np.ndarray, " n"], names: Sequence[str]
) -> dict[str, Group]:
    sources = [writer.rpartition("/")[0] for writer in names]
    found = {}
    for source in sorted({source for source in sources if source}):
        inside = np.isin(ids, [number for number, name in enumerate(sources) if name == source])
        accuracy = bootstrap.estimate(labels[inside], right[inside], ids[inside]).accuracy
        found[source] = Group(int(inside.sum()), accuracy)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return value._asdict()
    if isinstance(value, Audited):
        return {name: _plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, Group):
        return {"n": value.n, "accuracy": value.accuracy._asdict()}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value
