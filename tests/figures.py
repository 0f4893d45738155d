"""The README's table of what networks read in other people's hands: `python -m tests.figures FOLDER`.

FOLDER holds pendigits-train.ndjson.gz, unipen-digits-train.ndjson.gz, unipen-other-train.ndjson.gz,
bridger.ndjson.gz and web-mouse.npz, or folders `strokes` and `images` with them; MNIST is as for training.
`--checkpoint A B` puts several networks side by side. The table is Markdown, on standard output.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from digitjax.bench.bootstrap import Estimate
from digitjax.bench.drawn import Audited, Drawn, measure, read_source
from digitjax.bench.rejection import Rejection, Unfinished, measure_rejection, measure_unfinished
from digitjax.checkpoint import LoadedModel, load_model
from digitjax.commands.wording import NONE, decimals, percent
from digitjax.data import Source, load, parse_spec
from digitjax.data.audit import shipped
from digitjax.errors import DigitjaxError
from tests import doodles

SKETCHES = Path(__file__).with_name("sketches-test.ndjson.gz")
"""Sketches of things and signs by somebody who knew nothing of what networks learn from."""
OTHERS = ("letters", "doodles", "sketches")
"""Sets of what is no digit."""
UNSEEN = ("pen digits", "UNIPEN", "bridger")
"""Pen and finger, writers that no recipe learns from: the sets that are pooled."""


class Figures(NamedTuple):
    """What one network does with all the sets, by their names in `sets`."""

    drawn: dict[str, Drawn]
    pooled: Drawn
    rejection: dict[str, Rejection]
    unfinished: dict[str, Unfinished]


def sets(folder: Path, scratch: Path) -> dict[str, Source]:
    """Every set by its name; what is a collection's training split is left out."""

    def at(name: str) -> Path:
        places = [folder / inside / name for inside in (".", "strokes", "images")]
        return next((place for place in places if place.exists()), places[0])

    lines = "".join(json.dumps(one) + "\n" for one in doodles.make(1000))
    (scratch / "doodles.ndjson").write_text(lines, encoding="utf-8")
    specs = {
        "MNIST": "mnist",
        "pen digits": f"strokes:{at('pendigits-train.ndjson.gz')}@test",
        "UNIPEN": f"strokes:{at('unipen-digits-train.ndjson.gz')}@test",
        "UNIPEN validation": f"strokes:{at('unipen-digits-train.ndjson.gz')}@validation",
        "bridger": f"strokes:{at('bridger.ndjson.gz')}",
        "web-mouse": f"images:{at('web-mouse.npz')}",
        "letters": f"strokes:{at('unipen-other-train.ndjson.gz')}@test",
        "doodles": f"strokes:{scratch / 'doodles.ndjson'}",
        "sketches": f"strokes:{SKETCHES}",
    }
    return {name: load(parse_spec(spec)) for name, spec in specs.items()}


def measure_all(loaded: LoadedModel, sources: dict[str, Source]) -> Figures:
    """All figures of one network."""
    reads = {name: read_source(loaded.model, loaded.params, source) for name, source in sources.items()}
    audit, unseen = shipped(), [reads[name] for name in UNSEEN]
    others = [reads[name] for name in OTHERS]
    rejects = reads["MNIST"].is_digit is not None
    cut = measure_unfinished(loaded, [sources[name] for name in UNSEEN]) if rejects else []
    refused = {one.data: one for one in measure_rejection([*unseen, *others])}
    return Figures(
        drawn={name: measure([read], audit) for name, read in reads.items() if len(read.places)},
        pooled=measure(unseen, audit, "pooled"),
        rejection={name: refused[sources[name].name] for name in OTHERS if sources[name].name in refused},
        unfinished=dict(zip(UNSEEN, cut, strict=False)),
    )


def rows(found: Figures) -> Iterator[tuple[str, str]]:
    """What each line of the table is about, and the figure."""
    for name, about in (
        ("MNIST", "MNIST test"),
        ("pen digits", "pen digits, test writers"),
        ("UNIPEN", "UNIPEN digits, test writers"),
        ("UNIPEN validation", "UNIPEN digits, validation writers (recipes are chosen on them)"),
        ("bridger", "`bridger`, a finger"),
        ("web-mouse", "web page, mouse or touch"),
    ):
        one = found.drawn[name]
        yield f"{about}, {one.n:,}", _estimate(one.accuracy)
        if one.audited is not None:
            yield f"… audited, {one.audited.n:,}", _estimate(one.audited.accuracy)
    pooled = found.pooled
    pools: list[tuple[str, Drawn | Audited]] = [("as labelled", pooled)]
    if pooled.audited is not None:
        pools.append(("audited", pooled.audited))
    for about, one in pools:
        yield (
            f"pen digits, UNIPEN and `bridger` pooled, {about}: mean over {len(pooled.writers)} writers",
            _estimate(one.mean_over_writers),
        )
        yield "… worst tenth of the writers", _estimate(one.worst_tenth)
        yield "… wrong of the surest 99 %", percent(one.risk_at_99)
        yield "… negative log-likelihood", f"{one.nll:.4f}"
    for name, about in (
        ("letters", "letters and symbols, test writers"),
        ("doodles", "scribbles and doodles"),
        ("sketches", "sketches of things and signs"),
    ):
        one = found.rejection.get(name)
        n, n_all = (f"{one.n:,}", f"{one.n_all:,}") if one else ("", "")
        yield f"{about}, {n}: AUROC against the pooled digits", decimals(one and one.auroc)
        yield "… refused when 99 % of those are answered", percent(one and one.refused)
        if name == "letters":
            yield f"… AUROC with the look-alikes, {n_all}", decimals(one and one.auroc_all)
            yield "… refused, with the look-alikes", percent(one and one.refused_all)
    for name in UNSEEN:
        one = found.unfinished.get(name)
        yield f"{name} cut off after 60 to 99 % of the ink: called no digit", percent(one and one.refused)


def main(argv: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.figures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", nargs="+", default=[None], help="runs or steps, a column each")
    arguments = parser.parse_args(argv)
    models = [load_model(checkpoint) for checkpoint in arguments.checkpoint]
    with tempfile.TemporaryDirectory() as scratch:
        sources = sets(arguments.folder, Path(scratch))
    columns = []
    for loaded in models:
        print(f"reading with {loaded}", file=sys.stderr)
        columns.append(list(rows(measure_all(loaded, sources))))
    print("| read |" + "".join(f" {loaded.run.name} |" for loaded in models))
    print("| --- |" + " --- |" * len(models))
    for line in zip(*columns, strict=True):
        about = max((name for name, _ in line), key=len)  # counts of others are known to networks that refuse
        print(f"| {about} |" + "".join(f" {figure} |" for _, figure in line))


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return NONE
    return f"{percent(estimate.value)} ({100 * estimate.low:.2f} to {100 * estimate.high:.2f})"


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DigitjaxError as error:
        sys.exit(f"figures: {error}")
