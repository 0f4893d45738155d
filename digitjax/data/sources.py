"""From a data spec to its examples: `load`, `open_records` and `unavailable`."""

from digitjax.data import registry
from digitjax.data.records import UNLABELLED, Records
from digitjax.data.spec import EmptySplit, Source, Spec, parse_spec


def load(spec: Spec | str, default_split: str | None = None) -> Source:
    """Reads the examples of a spec.

    Args:
        spec: a spec, or its text.
        default_split: the split of a spec that names none: "train", "validation", or None for what
            `evaluate` takes, the test split of the sources that have one and people's own files whole.

    Raises:
        DataUnavailable: the source cannot be had here.
        EmptySplit: the split has no example.
        InputError: a file is missing or refused.
    """
    spec = parse_spec(spec) if isinstance(spec, str) else spec
    kind = registry.kind(spec.name)
    spec = spec._replace(split=spec.split or default_split or kind.evaluates, weight=1.0)
    source = kind.load(spec)._replace(name=str(spec))
    _require_examples(spec, len(source.labels), source.skipped, whole=default_split is None)
    return source


def open_records(spec: Spec, default_split: str | None = None) -> Records | None:
    """The prepared records of a spec, made first where that is not done; None for a source that has none.

    Raises:
        DataUnavailable, EmptySplit, InputError: as `load`.
    """
    kind = registry.kind(spec.name)
    if kind.records is None:
        return None
    spec = spec._replace(split=spec.split or default_split, weight=1.0)
    records = kind.records(spec)
    unlabelled = int((records.entries["label"] == UNLABELLED).sum())
    _require_examples(spec, len(records.entries) - unlabelled, unlabelled, whole=default_split is None)
    return records


WHY_EMPTY = "as where there are few pictures, or few writers"
"""How it may come that a split has no example, as the middle of a sentence."""


def _require_examples(spec: Spec, labelled: int, skipped: int, *, whole: bool) -> None:
    """Sees to it that a split has an example with a label; `whole`: a spec without a split means the whole.

    Raises:
        EmptySplit: it has none.
    """
    if labelled:
        return
    if skipped == 1:
        raise EmptySplit(f"the only example of {spec} has no label: give it its word")
    if skipped:
        raise EmptySplit(f"none of the {skipped:,} examples of {spec} has a label: give them their words")
    plain = spec._replace(split=None, weight=1.0)
    remedy = f"give {plain}, the whole, or another split" if whole and spec.split else "give more of them"
    raise EmptySplit(f"{spec} is empty, {WHY_EMPTY}: {remedy}")


def unavailable(spec: Spec | str) -> str | None:
    """Why a source cannot be had here and now, in a few words, within 5 s; None where it can."""
    spec = parse_spec(spec) if isinstance(spec, str) else spec
    return registry.kind(spec.name).unavailable()
