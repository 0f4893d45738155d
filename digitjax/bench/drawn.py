"""`bench drawn`: accuracy on other people's drawings, by source, writer and digit, each with an interval.

Only digits are measured, each by the likeliest of the ten; whether the network would rather not answer plays
no part.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from digitjax.bench import bootstrap
from digitjax.bench.bootstrap import Estimate
from digitjax.data.pipeline import Examples
from digitjax.errors import InputError

POOLED = "all together"
"""Name of all data sets as one."""


class Group(NamedTuple):
    """Some of the drawings: a writer's, a contributor's, or those of one digit."""

    n: int
    accuracy: Estimate


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
    digits: dict[str, Group]
    sources: dict[str, Group]
    writers: dict[str, Group]

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values, an interval as `value`, `low` and `high`."""
        return {name: _plain(value) for name, value in self._asdict().items()}


class Mistake(NamedTuple):
    """A drawing that is read wrongly.

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
    """The digits of a data set and what a network says about them.

    Attributes:
        examples: the data set; its images are those of the digits alone.
        places: where each digit is among the labelled examples.
        labels: what each is, 0 to 9.
        log_p: log-probabilities of the ten.
    """

    examples: Examples
    places: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    log_p: Float[np.ndarray, "n 10"]

    @property
    def writers(self) -> list[str | None]:
        """Who drew each digit."""
        names = self.examples.writers
        return [names[place] if names else None for place in self.places]


def digits_of(examples: Examples) -> tuple[Examples, Int[np.ndarray, " n"]]:
    """The examples with the images of their digits alone, and where those are among all.

    Raises:
        InputError: there is none.
    """
    places = np.flatnonzero(np.asarray(examples.labels) < 10)
    if not len(places):
        raise InputError(f"{examples.name} has no digit: there is nothing to measure, give other data")
    return examples._replace(images=examples.images[places]), places


def measure(reads: Sequence[Read], name: str | None = None) -> Drawn:
    """Measures one data set, or several as one."""
    labels = np.concatenate([read.labels for read in reads]).astype(np.int64)
    answers = np.concatenate([read.log_p.argmax(axis=1) for read in reads])
    right = answers == labels
    writers = [writer for read in reads for writer in read.writers]
    names = sorted({writer for writer in writers if writer is not None})
    numbers = {writer: number for number, writer in enumerate(names)}
    ids = np.array([-1 if writer is None else numbers[writer] for writer in writers])
    whole = bootstrap.estimate(labels, right, ids)
    counts = np.bincount(ids[ids >= 0], minlength=len(names))
    hits = np.bincount(ids[right & (ids >= 0)], minlength=len(names))
    each = bootstrap.estimate_each(hits, counts)
    return Drawn(
        data=name or reads[0].examples.name,
        n=len(labels),
        n_other=sum(len(read.examples.labels) - len(read.labels) for read in reads),
        n_skipped=sum(read.examples.skipped for read in reads),
        resampled=whole.resampled,
        accuracy=whole.accuracy,
        mean_over_writers=whole.mean_over_writers,
        worst_tenth=whole.worst_tenth,
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
        answers, sure = read.log_p.argmax(axis=1), np.exp(read.log_p.max(axis=1))
        wrong = np.flatnonzero(answers != read.labels)
        for i in wrong[np.argsort(-sure[wrong], kind="stable")][:count]:
            found.append(
                Mistake(
                    data=read.examples.name,
                    place=int(read.places[i]),
                    word=str(read.labels[i]),
                    answer=str(answers[i]),
                    probability=float(sure[i]),
                    writer=read.writers[i],
                    image=np.asarray(read.examples.images[i])[..., 0],
                )
            )
    return sorted(found, key=lambda mistake: -mistake.probability)[:count]


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
    if isinstance(value, Group):
        return {"n": value.n, "accuracy": value.accuracy._asdict()}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value
