"""A real window under Xvfb, driven by real mouse and key events (xdotool)."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from play.layout import arrange, from_canvas
from play.state import PlayState

pytestmark = [
    pytest.mark.display,
    pytest.mark.skipif(
        shutil.which("Xvfb") is None or shutil.which("xdotool") is None, reason="needs Xvfb and xdotool"
    ),
]
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90


@pytest.fixture(params=[(1280, 800), (800, 600), (3840, 2160)], ids=lambda size: f"{size[0]}x{size[1]}")
def size(request):
    return request.param


@pytest.fixture
def display(size):
    number = next(n for n in range(90, 190) if not Path(f"/tmp/.X{n}-lock").exists())
    command = [
        "Xvfb",
        f":{number}",
        "-screen",
        "0",
        f"{size[0]}x{size[1]}x24",
        "-nolisten",
        "tcp",
        "-noreset",
    ]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not Path(f"/tmp/.X11-unix/X{number}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    yield f":{number}"
    server.terminate()
    server.wait()


class Person:
    """Moves the mouse and presses keys in one window of the program."""

    def __init__(self, display: str, size: tuple[int, int], user: Path, picture: Path) -> None:
        self.environment = os.environ | {
            "DISPLAY": display,
            "DIGITJAX_CHECKPOINTS": str(ROOT / "checkpoints"),
        }
        self.environment |= {"SDL_VIDEODRIVER": "x11"}
        self.layout = arrange(PlayState(width=size[0], height=size[1]))
        command = [sys.executable, "-m", "play", "--size", f"{size[0]}x{size[1]}", "--user-dir", str(user)]
        command += ["--screenshot", str(picture)]
        self.picture = picture
        self.program = subprocess.Popen(command, env=self.environment, cwd=ROOT)
        self.do("mousemove", str(size[0] // 2), str(size[1] // 2))
        until(lambda: self.under_the_mouse().startswith("digitjax"))

    def do(self, *words: str) -> str:
        command = ["xdotool", *words]
        run = subprocess.run(command, env=self.environment, timeout=60, capture_output=True, text=True)
        return run.stdout

    def under_the_mouse(self) -> str:
        found = self.do("getmouselocation", "--shell").split()
        place = dict(line.split("=") for line in found if "=" in line)
        return self.do("getwindowname", place.get("WINDOW", "0")).strip()

    def draw(self, drawing: list) -> None:
        """Draws strokes, fitted to the middle of the canvas, with the left button."""
        points = np.concatenate([np.array(stroke[:2], float).T for stroke in drawing])
        low, extent = points.min(0), (points.max(0) - points.min(0)).max()
        words: list[str] = []
        for xs, ys, *_ in drawing:
            for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
                place = (np.array([x, y]) - low) / extent * 600 + 200
                at = [str(round(v)) for v in from_canvas(self.layout, *place)]
                words += ["mousemove", *at, "sleep", "0.012"] + ([] if i else ["mousedown", "1"])
            words += ["mouseup", "1", "sleep", "0.05"]
        self.do(*words)

    def key(self, *keys: str) -> None:
        for key in keys:
            self.do("key", key)
            time.sleep(0.15)

    def leave(self) -> np.ndarray:
        """Closes the window by Ctrl-Q; returns its last picture."""
        self.key("ctrl+q")
        assert self.program.wait(START_SECONDS) == 0
        return np.asarray(Image.open(self.picture).convert("RGB"))


def recorded(user: Path) -> list[dict]:
    file = user / "drawings.ndjson"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def until(condition, seconds: float = START_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_person_draws_undoes_labels_and_comes_back(display, size, datasets, tmp_path):
    user = tmp_path / "user"
    shipped = (ROOT / "checkpoints" / "default").is_dir()
    with gzip.open(datasets / "strokes" / "bridger.ndjson.gz", "rt") as file:
        drawings = [json.loads(line) for line in file]
    chosen = [next(d for d in drawings if d["word"] == word) for word in "073"]
    person = Person(display, size, user, tmp_path / "one.png")
    try:
        for count, drawing in enumerate(chosen, start=1):
            person.draw(drawing["drawing"])
            person.draw([[[0, 1], [0, 1]]])
            person.key("z")
            if count == 1 and shipped:  # what was drawn while it loaded is answered now
                until(lambda: person.under_the_mouse().startswith("digitjax · "))
                time.sleep(0.5)
            person.key(drawing["word"])
            until(lambda count=count: len(recorded(user)) == count)
        image = person.leave()
    finally:
        person.program.kill()
        person.program.wait()
    assert image.shape == (size[1], size[0], 3)
    canvas = person.layout.canvas
    inside = image[canvas.y : canvas.bottom, canvas.x : canvas.right]
    assert 0.01 < (inside.min(axis=2) > 200).mean() < 0.3
    kept = recorded(user)
    assert [record["word"] for record in kept] == list("073")
    for record, drawing in zip(kept, chosen, strict=True):
        assert len(record["drawing"]) == len(drawing["drawing"])
        assert all(len(stroke) == 3 for stroke in record["drawing"])
    if shipped:
        assert [record["said"] for record in kept] == list("073")

    again = Person(display, size, user, tmp_path / "two.png")
    try:
        time.sleep(2)
        again.draw(chosen[1]["drawing"])
        again.key("7")
        until(lambda: len(recorded(user)) == 4)
        again.key("t", "question")
        assert (again.leave() != image).mean() > 0.5
    finally:
        again.program.kill()
        again.program.wait()


FULL_AND_BACK = """
import pygame
from play.app import Window
window = Window(800, 600)
for on in (True, False):
    window.fullscreen(on)
    for _ in range(50):
        pygame.event.pump()
        pygame.time.wait(10)
print(window.current().get_size(), window.changed)
"""


@pytest.mark.parametrize("size", [(1280, 800)], indirect=True, ids=["1280x800"])
def test_the_window_has_its_old_size_after_full_screen(display):
    environment = os.environ | {"DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
    command = [sys.executable, "-W", "error", "-c", FULL_AND_BACK]
    run = subprocess.run(command, env=environment, cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert run.returncode == 0 and "(800, 600) True" in run.stdout, run.stderr
