"""`digitjax bench realism`: how well synthetic digits pass for people's, for people and for scripts."""

import sys

import numpy as np

from digitjax.bench.realism import measure
from digitjax.commands.arguments import Parser, add_data, print_json
from digitjax.data import load, parse_spec
from digitjax.data.pipeline import to_examples
from digitjax.data.spec import Spec
from digitjax.errors import InputError
from digitjax.progress import say

DESCRIPTION = """\
Trains a small network to tell people's digits from synthetic ones, rendered alike, on the training
writers of the given drawings, and measures it on the writers of their validation and test splits: the
area under its ROC curve, 0.5 if it cannot tell, 1 if it always can.

  digitjax bench realism --data strokes:mine.ndjson pendigits:FILE --seeds 3
"""


def run(argv: list[str]) -> int:
    """Runs the measurement and returns its exit code.

    Raises:
        DigitjaxError: one sentence, and the exit code.
    """
    arguments = _parser().parse(argv)
    if not 1 <= arguments.seeds <= 100:
        raise InputError(f"--seeds {arguments.seeds} is out of range: give 1 to 100")
    specs = [parse_spec(text) for text in arguments.data]
    if split := next((spec for spec in specs if spec.split), None):
        raise InputError(f"{split} names a split, the judge needs all of them: leave out @{split.split}")
    train = _digits(specs, ("train",))
    unseen = _digits(specs, ("validation", "test"))
    found = []
    for seed in range(arguments.seeds):
        say(f"judge {seed + 1} of {arguments.seeds}: {len(train):,} digits and as many synthetic ones")
        found.append(measure(train, unseen, seed))
    scores = np.array([one.auroc for one in found])
    if arguments.json:
        print_json([one._asdict() for one in found])
    else:
        spread = f" ± {scores.std(ddof=1):.3f} over {len(scores)} seeds" if len(scores) > 1 else ""
        print(
            f"AUROC {scores.mean():.3f}{spread}: {found[0].n:,} digits of unseen writers, as many synthetic"
        )
    return 0


def _digits(specs: list[Spec], splits: tuple[str, ...]) -> np.ndarray:
    """The digits of the specs' splits as the network sees them."""
    found = []
    for spec in specs:
        for split in splits:
            print(f"reading {spec._replace(split=split)}", file=sys.stderr)
            examples = to_examples(load(spec._replace(split=split)), "mnist28")
            found.append(np.asarray(examples.images)[np.asarray(examples.labels) < 10])
    images = np.concatenate(found)
    if not len(images):
        raise InputError(f"{', '.join(map(str, specs))} holds no digit: choose other drawings")
    return images


def _parser() -> Parser:
    parser = Parser(prog="digitjax bench realism", description=DESCRIPTION)
    add_data(parser, "people's drawings, by writer")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="judges to train, 1 by default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
