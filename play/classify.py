"""Drawing to answer, behind one small interface that tests replace; `play.worker`'s process does the work."""

import contextlib
import time
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from digitjax.runs import HISTORY
from play import launch, wire
from play.answers import (
    Answered,
    DigitRead,
    Explained,
    FeatureMap,
    Filmed,
    FramesListed,
    KeptStep,
    ModelFailed,
    ModelInfo,
    ModelReady,
    ModelsListed,
    NumberRead,
    ReaderEnded,
)
from play.events import Event, Notice
from play.ink import Ink, Stroke
from play.launch import Link, Options
from play.verdict import NOT_A_DIGIT, THRESHOLD

CLOSE_SECONDS = 1.0
MOST_ENDS, LATELY = 3, 300.0
"""The process that reads is started again unless it has ended so often within so many seconds."""
AGAIN = "The process that reads the ink has ended: it is being started again."
ENDED = "The process that reads the ink has ended: close the program and start it again."
NO_NUMBER = "The network's answer is no number: choose another network in Models."


class Query(NamedTuple):
    """Ink to be read.

    Attributes:
        revision: comes back with the answer.
        strokes: the ink.
        off: stages of the normaliser that are left out.
        why: whether an explanation is wanted too.
        film: whether all steps that are loaded (`Classifier.film`) are asked too.
        together: whether the answer waits for its explanation, so that both are seen at once.
        number: whether it is a whole number, to be answered by `NumberRead` alone.
    """

    revision: int
    strokes: Ink
    off: frozenset[str] = frozenset()
    why: bool = False
    film: bool = False
    number: bool = False
    together: bool = False


class Classifier(Protocol):
    """What the loop needs of whoever reads."""

    def ask(self, query: Query) -> bool:
        """Takes ink to be read, unless the last is still being read (then False: ask again next frame)."""
        ...

    def poll(self, timeout: float) -> list[Event]:
        """What has come since; waits for it at most `timeout` seconds while an answer is due."""
        ...

    def load(self, path: str, slot: int) -> None:
        """Loads another network; ModelReady or ModelFailed will say how it went."""
        ...

    def unload(self, slot: int) -> None:
        """Forgets a network."""
        ...

    def hold(self, on: bool) -> None:
        """Lets newer steps of the networks in use wait, or takes them again."""
        ...

    def list_models(self) -> None:
        """Asks for ModelsListed."""
        ...

    def film(self, path: str) -> None:
        """Loads the kept steps of the run in use; FramesListed will say which."""
        ...

    def show_step(self, step: int | None) -> None:
        """Lets one of those steps answer, None for the one that did before; ModelReady will say so."""
        ...

    def close(self) -> None:
        """Ends it; nothing may be asked afterwards."""
        ...


class ProcessClassifier:
    """Reads in a process of its own.

    Measured on two cores: importing JAX in a thread holds the window for 173 ms, in a process for 12 ms;
    there and back costs 0.16 ms (median; 99 of 100 times at most 0.28). Where the process ends it is started
    again with the networks that it had.
    """

    def __init__(self, link: Link, options: Options | None = None) -> None:
        """Args:
        link: to the process.
        options: with which it was started; None for one that is not started again.
        """
        self._process, self._requests, self._answers = link
        self._options = options
        self._ready = self._due = self._dead = self._held = False
        self._ends: list[float] = []
        self._used: dict[int, ModelInfo] = {}
        self._wanted: dict[int, str] = {}
        self._filmed = ""
        self._refused: list[Event] = []
        self._arrays: dict[int, tuple[Stroke, np.ndarray]] = {}
        self.stats: dict[str, Any] = {}

    @property
    def pid(self) -> int | None:
        """The worker's process."""
        return self._process.pid

    def ask(self, query: Query) -> bool:
        if self._due or not self._ready:
            return False
        points, lengths = self._packed(query.strokes)
        header = {"kind": "ink", "revision": query.revision, "off": sorted(query.off)}
        header |= {"why": query.why, "film": query.film, "number": query.number, "together": query.together}
        self._due = self._send(header, points, lengths)
        return self._due

    def poll(self, timeout: float) -> list[Event]:
        events, self._refused = self._refused, []
        if self._dead:
            return events
        end = time.perf_counter() + timeout
        try:
            while True:
                waits = self._due and not any(isinstance(event, Answered | NumberRead) for event in events)
                if not self._answers.poll(max(0.0, end - time.perf_counter()) if waits else 0):
                    break
                events += self._event(*wire.unpack(self._answers.recv_bytes()))
        except (EOFError, OSError):
            events += self._ended()
        return events

    def load(self, path: str, slot: int) -> None:
        if self._dead:
            self._refused.append(ModelFailed(ENDED, slot=slot, path=path))
            return
        self._wanted[slot] = path
        self._send({"kind": "load", "path": path, "slot": slot})

    def unload(self, slot: int) -> None:
        for known in (self._used, self._wanted):
            known.pop(slot, None)
        self._send({"kind": "unload", "slot": slot})

    def hold(self, on: bool) -> None:
        self._held = on
        self._send({"kind": "hold", "on": on})

    def list_models(self) -> None:
        self._send({"kind": "list"})

    def film(self, path: str) -> None:
        self._filmed = path
        self._send({"kind": "film", "path": path})

    def show_step(self, step: int | None) -> None:
        self._send({"kind": "step", "step": -1 if step is None else step})

    def ask_stats(self) -> None:
        """Asks for `stats`: compilations since the start."""
        self._send({"kind": "stats"})

    def close(self) -> None:
        self._send({"kind": "quit"})
        self._part(CLOSE_SECONDS if self._ready else 0)

    def _part(self, seconds: float) -> None:
        """Closes the pipes and waits for the process; kills it after so many seconds."""
        for end in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                end.close()
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _send(self, header: dict, *arrays: np.ndarray) -> bool:
        try:
            self._requests.send_bytes(wire.pack(header, *arrays))
        except (OSError, ValueError):
            return False
        return True

    def _ended(self) -> list[Event]:
        """The process is gone: starts another one, unless that was of no use before."""
        now = time.monotonic()
        self._ends = [*(end for end in self._ends if now - end < LATELY), now]
        self._ready = self._due = False
        self._part(0)
        if self._options is None or len(self._ends) >= MOST_ENDS or not self._started(self._options):
            self._dead = True
            return [ReaderEnded(ENDED)]
        wanted, self._wanted = self._wanted, {}
        lost = [
            ModelFailed(f"{Path(path).name} was not loaded: choose it once more.", slot=slot, path=path)
            for slot, path in wanted.items()
        ]
        return [*lost, Notice(AGAIN)]

    def _started(self, options: Options) -> bool:
        """Starts the process with what it had last."""
        info = self._used.get(0)
        if info is not None:
            step = str(info.step)
            kept = any(Path(info.path, *folder, step).is_dir() for folder in ((), (HISTORY,)))
            fixed = options.checkpoint is not None and Path(options.checkpoint).name == step
            place = f"{info.path}/{step}" if kept else info.path
            options = options._replace(checkpoint=place, follow=not fixed)
        try:
            self._process, self._requests, self._answers = launch.start(options._replace(held=self._held))
        except OSError:
            return False
        if (second := self._used.get(1)) is not None:
            self._send({"kind": "load", "path": second.path, "slot": 1})
        if self._filmed:
            self._send({"kind": "film", "path": self._filmed})
        return True

    def _loaded(self, slot: int, path: str) -> None:
        """What was to be loaded is, or cannot be."""
        if self._wanted.get(slot) == path:
            del self._wanted[slot]

    def _packed(self, strokes: Ink) -> tuple[np.ndarray, np.ndarray]:
        arrays = {}
        for stroke in strokes:
            known = self._arrays.get(id(stroke))
            arrays[id(stroke)] = (stroke, np.array(stroke.points)) if known is None else known
        self._arrays = arrays
        if not strokes:
            return np.zeros((0, 2)), np.zeros(0, np.int64)
        parts = [arrays[id(stroke)][1] for stroke in strokes]
        return np.concatenate(parts), np.array([len(part) for part in parts])

    def _event(self, header: dict, arrays: list[np.ndarray]) -> list[Event]:
        match header["kind"]:
            case "ready":
                self._ready, slot, info = True, header["slot"], ModelInfo(**header["info"])
                self._used[slot] = info
                self._loaded(slot, info.path)
                return [ModelReady(info, slot)]
            case "failed":
                self._loaded(header["slot"], header["path"])
                names = ("message", "missing", "slot", "path", "empty")
                return [ModelFailed(*(header[name] for name in names))]
            case "notice":
                return [Notice(header["text"])]
            case "models":
                return [ModelsListed(tuple(ModelInfo(**model) for model in header["models"]))]
            case "answer":
                self._due = not header["last"]
                if header["slot"] < 0:
                    return []
                vector = arrays[0]
                sound = np.isfinite(vector[:10]).all() and np.isfinite(vector[14:]).all()
                if not sound or np.isinf(vector).any():
                    return [Notice(NO_NUMBER)]
                return [answer_of(header, vector)]
            case "number":
                self._due = False
                if not all(np.isfinite(array).all() for array in arrays):
                    return [Notice(NO_NUMBER)]
                return [number_of(header, *arrays)]
            case "why":
                heat, without = arrays[:2]
                if not (np.isfinite(heat).all() and np.isfinite(without[:, :10]).all()):
                    return [Notice(NO_NUMBER)]
                return [explanation_of(header, *arrays)]
            case "frames":
                frames = tuple(KeptStep(*values) for values in header["frames"])
                return [FramesListed(header["path"], frames, header["whole"])]
            case "filmed":
                said = tuple(word_of(row) for row in arrays[0])
                return [Filmed(header["path"], header["revision"], said)]
            case "stats":
                self.stats = header
        return []


def answer_of(header: dict, vector: np.ndarray) -> Answered:
    """The worker's numbers (`play.reader.HEAD` and the image) as an event."""
    numbers = vector[:14].tolist()
    scale, x, y = numbers[11:14]
    origin = header["origin"]
    fit = None if scale != scale else (scale, x - scale * origin[0], y - scale * origin[1])
    return Answered(
        header["revision"],
        tuple(numbers[:10]),
        None if numbers[10] != numbers[10] else numbers[10],
        np.rint(vector[14:] * 255).astype(np.uint8).tobytes(),
        header["side"],
        fit,
        header["slot"],
        header["ms"],
        header["step"],
    )


def word_of(row: np.ndarray) -> tuple[str, float]:
    """Ten probabilities and is_digit (NaN for none) as the answer and its probability."""
    best = int(np.nan_to_num(row[:10]).argmax())
    refused = not np.isnan(row[10]) and row[10] < THRESHOLD
    return NOT_A_DIGIT if refused else str(best), float(row[best])


def number_of(header: dict, boxes: np.ndarray, probabilities: np.ndarray) -> NumberRead:
    """The worker's groups, their boxes and their probabilities as an event."""
    groups = zip(boxes.tolist(), header["answers"], probabilities.tolist(), header["is_digit"], strict=True)
    digits = tuple(
        DigitRead(tuple(box), answer, tuple(odds), is_digit) for box, answer, odds, is_digit in groups
    )
    return NumberRead(header["revision"], header["text"], digits, header["ms"])


def explanation_of(header: dict, heat: np.ndarray, without: np.ndarray, *layers: np.ndarray) -> Explained:
    """The worker's attribution, the answers without each stroke and the feature maps as an event."""
    digit = header["digit"]
    largest = float(np.abs(heat).max()) or 1.0
    rows = []
    for row in without:
        rows.append((*word_of(row), float(row[digit])))
    maps = tuple(
        FeatureMap(name, layer.shape[0], layer.shape[1], layer.shape[2], layer.tobytes())
        for name, layer in zip(header["layers"], layers, strict=True)
    )
    flat = tuple((heat / largest).ravel().tolist())
    return Explained(header["revision"], digit, flat, len(heat), tuple(rows), maps)
