"""Pictures of the screens.

python -m tests.play.pictures              the reference pictures of the tests, anew
python -m tests.play.pictures --readme     .pictures, by the program itself and its default network
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pygame
from PIL import Image

from play.state import PlayState
from play.view.frame import Frame
from tests.play.drawings import DIGITS, FOUR, number_strokes
from tests.play.scenes import scene

REFERENCES = Path(__file__).parent / "references"
README = Path(__file__).parents[2] / ".pictures"
SCREENS = ("draw", "sees", "why", "number", "models", "train", "time", "teach", "score", "gallery", "help")
THEMES = ("dark", "light")
SIZE = (800, 600)


def paint(state: PlayState) -> pygame.Surface:
    """The window's picture of a state."""
    pygame.font.init()
    surface = pygame.Surface((state.width, state.height))
    Frame().draw(surface, state)
    return surface


def write_references(folder: Path = REFERENCES) -> None:
    """One picture a screen and theme."""
    folder.mkdir(exist_ok=True)
    for name in SCREENS:
        for theme in THEMES:
            _save(paint(scene(name, *SIZE, theme)), folder / f"{name}-{theme}.png")


def _save(surface: pygame.Surface, path: Path) -> None:
    """In 64 colours, which keeps the pictures small."""
    image = Image.frombytes("RGB", surface.get_size(), pygame.image.tobytes(surface, "RGB"))
    image.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def write_readme(folder: Path = README) -> int:
    """The program's own screens, through its headless twin; returns its exit code."""
    from digitjax.strokes import Drawing, write_drawings
    from play.__main__ import main

    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        drawn = {"four": FOUR, "number": number_strokes("2047")}
        for name, lines in drawn.items():
            ink = tuple(np.array(line) for line in lines)
            write_drawings(Path(place) / f"{name}.ndjson", [Drawing(ink)])
        os.environ["HOME"] = place  # what the gallery says of its folder is the same everywhere
        user = Path(place) / "digits"
        _record(user)
        for screen in SCREENS[:-1]:
            target = str(folder / f"{screen}.png")
            arguments = ["--headless", "--screen", screen, "--screenshot", target, "--user-dir", str(user)]
            arguments += ["--theme", "dark", "--size", "1280x800"]
            drawing = Path(place) / ("number.ndjson" if screen == "number" else "four.ndjson")
            code = main([*arguments, *([] if screen == "gallery" else ["--replay", str(drawing)])])
            if code:
                return code
    return 0


def _record(folder: Path) -> None:
    from play.effects import Record
    from play.ink import Stroke
    from play.record import Recorder

    recorder = Recorder(folder)
    for number in range(24):
        word = tuple(DIGITS)[number % len(DIGITS)]
        ink = tuple(Stroke(tuple(stroke), (0.0,) * len(stroke)) for stroke in DIGITS[word])
        said = "1" if number == 5 else word
        recorder.append(Record(word, ink, "cnn", said, (), None))


if __name__ == "__main__":
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if "--readme" in sys.argv[1:]:
        sys.exit(write_readme())
    write_references()
