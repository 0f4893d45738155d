"""The registry of screens: a line a screen, in the order of the tabs. Pure.

To add one, write `play/view/NAME.py` with a `SCREEN` (`play.view.screen.Screen`) and add its line here.
"""

from typing import NamedTuple


class About(NamedTuple):
    """What everybody needs to know of a screen without painting it.

    Attributes:
        title: on its tab and over its help.
        help: what it shows, a sentence or two.
        short: its title where the tabs are narrow; "" for the same.
        keys: keys of its own and what they do.
        has_canvas: whether the canvas is there to draw on; else the panel takes its place.
        height: of the canvas, in its widths; a lower one than 1 is for a whole number and has ink of its own.
        pen: width of the pen there, in parts of what is chosen.
    """

    title: str
    help: str
    short: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    has_canvas: bool = True
    height: float = 1.0
    pen: float = 1.0

    @property
    def wide(self) -> bool:
        """Whether whole numbers are written here."""
        return self.height < 1


SCREENS = {
    "draw": About("Draw", "Draw a digit with mouse, finger or pen. The network answers while you draw."),
    "sees": About(
        "What it sees",
        "The ink on its way to the 28 × 28 image. Switch a stage off and watch the answer break.",
        short="Sees",
        keys=(("J", "watch the ink on its way"),),
    ),
    "why": About(
        "Why", "Which ink speaks for the answer, what it would be without a stroke, what each layer sees."
    ),
    "number": About(
        "Number",
        "Write a whole number: the strokes of each digit get a box, and the boxes are read together.",
        height=0.32,
        pen=0.45,
    ),
    "models": About(
        "Models",
        "Every trained network. Use one, or put a second beside it on the same drawing.",
        keys=(("↑  ↓", "scroll the list"),),
    ),
    "train": About(
        "Train",
        "Make a network, watch it learn while it already answers, and change its learning rate on the way.",
        keys=(("↑  ↓", "scroll"),),
    ),
    "time": About(
        "Time machine",
        "Every kept step of the network in use: go back to when it could not read, see when it learnt this.",
        short="Time",
        keys=(("←  →", "a step back, a step on"), ("Home  End", "the first step, the last")),
    ),
    "teach": About(
        "Teach",
        "Draw what it misreads, press what it is, then teach it. One key keeps it, one rolls back.",
        keys=(
            ("0 … 9", "what it is: saved, and taught"),
            ("N", "not a digit: saved, and taught if it can be"),
            ("K", "keep what it has learnt"),
            ("R", "roll back"),
        ),
    ),
    "score": About(
        "Score my hand",
        "Twenty digits are asked for; then a card says which were read, and how it was the last time.",
        short="Score",
        keys=(("Enter", "it is written: the next one"), ("Enter", "try again to save")),
    ),
    "gallery": About(
        "Gallery",
        "What you have saved, wrong answers first. It stays on this machine, in one file.",
        keys=(
            ("↑  ↓", "scroll"),
            ("←  →", "choose a drawing"),
            ("0 … 9  N", "correct its label"),
            ("Del Del", "delete it"),
            ("X", "export the strokes"),
        ),
        has_canvas=False,
    ),
}
"""Screens by name, which is also the name of the module in `play.view`."""
