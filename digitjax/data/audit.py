"""Labels that a reader doubts: lists of drawings that were read again without seeing the label.

A list is a CSV file with a line a drawing: `id`, the first eight bytes of the SHA-256 of its ink or pixels
(`digitjax.data.splits`), `key`, where it stands in its source, `label`, `finding` and `reading`. It holds no
ink. The lists in `audits/` come with digitjax; README.md says how they were made.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int8, UInt64

from digitjax.data.labels import DIGITS
from digitjax.errors import InputError

FINDINGS = ("mislabelled", "cut", "no digit", "illegible")
"""What can be wrong: another digit, a part of one or several, something else, or nobody can tell."""
MAX_LINES = 100_000
"""Lines of a list."""

Audit = Mapping[tuple[int, int], str]
"""Findings by a drawing's id and label."""

_FIELDS = ["id", "key", "label", "finding", "reading"]
_ID = re.compile(r"[0-9a-f]{16}")


def shipped() -> dict[tuple[int, int], str]:
    """All lists that come with digitjax as one."""
    lists = sorted((Path(__file__).parent / "audits").glob("*.csv"))
    return {key: finding for path in lists for key, finding in read_audit(path).items()}


def read_audit(path: Path) -> dict[tuple[int, int], str]:
    """The findings of a list.

    Raises:
        InputError: the file cannot be read, or a line is none.
    """
    found = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != _FIELDS:
                raise InputError(f"{path}:1: the heading is another one: begin with {','.join(_FIELDS)}")
            for line in reader:
                if len(found) >= MAX_LINES:
                    raise InputError(f"{path} has more than {MAX_LINES} lines: split it")
                found |= _finding(f"{path}:{reader.line_num}", line)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): give a list of findings as CSV"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file ({error}): give a list of findings as CSV") from None
    return found


def findings(
    ids: UInt64[np.ndarray, " n"] | None, labels: Int8[np.ndarray, " n"], audit: Audit
) -> tuple[str | None, ...]:
    """What the audit says of each example, None for nothing; a repeated drawing is found each time."""
    if ids is None:
        return (None,) * len(labels)
    keys = zip(ids.tolist(), labels.tolist(), strict=True)
    return tuple(audit.get(key) for key in keys)


def _finding(place: str, line: list[str]) -> dict[tuple[int, int], str]:
    if len(line) != len(_FIELDS):
        raise InputError(f"{place}: {len(line)} fields: give {len(_FIELDS)}, {','.join(_FIELDS)}")
    name, _, label, finding, _ = line
    if not _ID.fullmatch(name):
        raise InputError(f"{place}: the id {name[:20]!r} is none: give 16 digits of 0-9 and a-f")
    if label not in DIGITS:
        raise InputError(f"{place}: the label {label[:20]!r} is no digit: give 0 to 9")
    if finding not in FINDINGS:
        raise InputError(
            f"{place}: the finding {finding[:20]!r} is unknown: give one of {', '.join(FINDINGS)}"
        )
    return {(int(name, 16), int(label)): finding}
