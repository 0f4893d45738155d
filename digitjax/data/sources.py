"""From a data spec to its examples: `load` and `unavailable`."""

from digitjax.data import registry
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
    if not len(source.labels):
        whole = f"{spec.name}:{spec.path}"
        if source.skipped:
            raise EmptySplit(
                f"none of the {source.skipped} examples of {spec} has a label: give them their words"
            )
        raise EmptySplit(
            f"{spec} is empty, as where few writers drew it: give {whole}, the whole, or another split"
        )
    return source


def unavailable(spec: Spec | str) -> str | None:
    """Why a source cannot be had here and now, in a few words, within 5 s; None where it can."""
    spec = parse_spec(spec) if isinstance(spec, str) else spec
    return registry.kind(spec.name).unavailable()
