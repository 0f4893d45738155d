"""How the commands' tables say numbers and the names of data."""

import statistics
from collections.abc import Sequence

NONE = "–"
"""What stands where there is no number."""


def percent(fraction: float | None) -> str:
    """`99.53 %`, `NONE` for None."""
    return NONE if fraction is None else f"{100 * fraction:.2f} %"


def decimals(value: float | None) -> str:
    """`0.0213`, `NONE` for None."""
    return NONE if value is None else f"{value:.4f}"


def short_name(data: str) -> str:
    """The name of a data set without the folders and the endings of its file: `strokes:…/mine`."""
    source, colon, path = data.partition(":")
    folder, slash, name = path.replace("\\", "/").rpartition("/")
    name = name.replace(".ndjson.gz", "").replace(".ndjson", "")
    return f"{source}:…/{name}" if colon and slash and folder else data


def mean_and_deviation(values: Sequence[float], digits: int) -> str:
    """`7.5 ± 0.3`, mean and standard deviation; of a single value `7.5`."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean
