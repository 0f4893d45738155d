"""The process that reads: JAX lives here, so that its import and its compiler never hold up the window.

One pipe brings requests, one takes answers (`play.wire`). Loading and compiling happen in a thread while the
network in use goes on answering. An explanation follows its answer; ink that comes meanwhile waits for it.
"""

import contextlib
import functools
import gc
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from digitjax import manifest, runs
from digitjax.errors import DigitjaxError, InputError
from play import checkpoints, film, loading, wire
from play.launch import Options
from play.loading import Slot
from play.outbox import outbox

TRIES = 5
"""How often a newer step is loaded that cannot be, before it is left until another one is there."""
WATCH_SECONDS = 0.2
"""How often a run is looked at for a newer step."""
IDLE_SECONDS = 0.05
QUIET_SECONDS, MAX_WAIT = 0.5, 10.0
"""What the other screens need is compiled after the first without ink, at the latest after the second."""
SWITCH_SECONDS = 0.0005
"""How long the loader may hold the interpreter while an answer is due."""


def main(requests: Connection, answers: Connection, options: Options) -> None:
    """Runs until the window closes its end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the window's to handle
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # standard output carries the window's JSON alone
    gc.disable()  # a tenth of the imports' time; `Worker._settle` goes through once and switches it on
    sys.setswitchinterval(SWITCH_SECONDS)
    os.environ["JAX_PLATFORMS"] = {"gpu": "cuda"}.get(options.device, options.device)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        Worker(requests, answers, options).run()
    os._exit(0)  # the threads of JAX and Orbax have nothing left to say


class Worker:
    """The requests' loop."""

    def __init__(self, requests: Connection, answers: Connection, options: Options) -> None:
        self._requests, self._post, self._options = requests, answers.send_bytes, options
        self._slots: dict[int, Slot] = {}
        self._results: queue.SimpleQueue = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        self._compiled = 0
        self._warm = False
        self._settled: set[Any] = set()
        self._owed: tuple[dict, list[np.ndarray]] | None = None
        self._missing = False
        self._loader = loading.Loader()
        self._inked = 0.0
        self._film: film.Film | None = None
        self._present: Slot | None = None
        self._number: tuple[Any, Any] = (None, None)
        self._held = options.held
        self._late: dict[int, Slot] = {}

    def run(self) -> None:
        """Loads the network that was asked for, then answers."""
        self._post = outbox(self._post)  # the window may be sending too: neither is to wait for the other
        try:
            self._first()
        except Exception as error:
            self._failed(error, 0)
        self._inked = time.monotonic()
        threading.Thread(target=self._work, name="loader", daemon=True).start()
        while True:
            if self._requests.poll(IDLE_SECONDS):
                header, arrays = wire.unpack(self._requests.recv_bytes())
                if header["kind"] == "quit":
                    return
                self._serve(header, arrays)
            while not self._results.empty():
                self._results.get()()

    def _pay(self) -> None:
        """Answers the newest ink once more, with what was not compiled before."""
        if self._owed is not None:
            self._answer(*self._owed)

    def _rest(self) -> None:
        """Notes whether all is compiled: here, as `_take` may meanwhile have taken another network."""
        self._warm = all(slot.reader in self._settled for slot in self._slots.values())

    def _first(self) -> None:
        from digitjax import compiled

        asked = self._options.checkpoint
        steps, passed = checkpoints.first_steps(asked)  # before JAX: a sentence at once where there is none
        import jax

        loading.require_device(jax, self._options.device)
        if self._options.cache is not None:
            compiled.use(self._options.cache)
        jax.monitoring.register_event_duration_secs_listener(self._count_compilation)
        for number, step in enumerate(steps):
            try:
                self._loader.prepare(step)
                follow = asked is None or asked == runs.NEWEST or step.name != Path(asked).name
                follow = follow or self._options.follow
                found = self._load(str(step), follow)
            except Exception as error:
                passed.append(str(error) or type(error).__name__)
                if number == len(steps) - 1:
                    raise InputError("; ".join(passed)) from error
                continue
            self._take(0, found)
            if passed:
                text = f"{found.loaded.run.name} is used instead: {'; '.join(passed)}"
                print(f"digitjax-play: {text}", file=sys.stderr, flush=True)
                self._send({"kind": "notice", "text": text})
            return

    def _count_compilation(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.endswith("backend_compile_duration"):
            self._compiled += 1

    def _load(self, path: str, follow: bool) -> Slot:
        others = list(self._slots.values())  # `_take` may change them meanwhile
        return self._loader.load(path, follow, others)

    def _serve(self, header: dict, arrays: list[np.ndarray]) -> None:
        match header["kind"]:
            case "ink":
                self._inked = time.monotonic()
                self._answer(header, arrays)
            case "load" | "film":
                self._jobs.put(header)
            case "step":
                self._show_step(header["step"])
            case "hold":
                self._hold(header["on"])
            case "list":  # not behind what is being loaded or compiled
                threading.Thread(target=self._list, name="lister", daemon=True).start()
            case "unload":
                self._slots.pop(header["slot"], None)
            case "stats":
                self._send({"kind": "stats", "compiled": self._compiled, "warm": self._warm})

    def _send(self, header: dict, *arrays: np.ndarray) -> None:
        self._post(wire.pack(header, *arrays))

    def _failed(self, error: Exception, slot: int, path: str = "") -> None:
        text = " ".join(str(error).split()) or type(error).__name__
        if path and not Path(path).is_dir():
            text = f"{Path(path).name} is not there any more: choose another network in Models."
        missing = not self._slots and isinstance(error, runs.NoCheckpoint)
        self._missing |= missing or (not self._slots and isinstance(error, checkpoints.NoDefault))
        about = {"kind": "failed", "message": text[:400], "missing": missing}
        self._send(about | {"slot": slot, "path": path, "empty": slot not in self._slots})

    def _list(self) -> None:
        try:
            found = [model._asdict() for model in checkpoints.list_models()]
            self._results.put(functools.partial(self._send, {"kind": "models", "models": found}))
        except Exception as error:
            self._results.put(functools.partial(self._failed, error, 0))

    def _take(self, slot: int, found: Slot) -> None:
        self._slots[slot] = found
        if slot == 0:
            self._present = None
        self._warm = self._warm and found.reader in self._settled
        self._send({"kind": "ready", "slot": slot, "info": checkpoints.info_of(found.loaded)._asdict()})

    def _take_newer(self, slot: int, found: Slot) -> None:
        """A newer step of a network in use, unless that has gone while the step was loaded.

        Where newer steps are held meanwhile it waits, and where an older one is shown until that is left.
        """
        now = self._slots.get(slot)
        if now is None or now.loaded.run != found.loaded.run:
            return
        if slot == 0 and self._present is not None:
            self._present = found
        elif self._held:
            self._late[slot] = found
        else:
            self._take(slot, found)

    def _hold(self, on: bool) -> None:
        """Lets newer steps wait, or takes those that did."""
        self._held = on
        late, self._late = self._late, {}
        for slot, found in late.items():
            if not on:
                self._take_newer(slot, found)

    def _answer(self, header: dict, arrays: list[np.ndarray]) -> None:
        from digitjax.segments import pack

        points, lengths = arrays
        strokes = np.split(points, np.cumsum(lengths)[:-1]) if len(lengths) else []
        if header.get("number"):
            self._answer_number(header, arrays, strokes)
            return
        start = time.perf_counter()
        packed = pack(strokes)
        origin = points.min(axis=0) if len(points) else np.zeros(2)
        images, answers = {}, []
        self._owed = None
        for number, slot in sorted(self._slots.items()):
            begun = start if number == 0 else time.perf_counter()
            reader = slot.reader
            staged = header["off"] and reader.side == 28
            if staged and reader not in self._settled:
                self._owed = header, arrays
            if staged and reader in self._settled:
                stages = np.array([name not in header["off"] for name in ("box", "scale", "mass")])
                vector = reader.read_staged(
                    slot.loaded.params, packed.ends, packed.mask, origin.astype(np.float32), stages
                )
            else:
                vector = reader.read(slot.loaded.params, packed.ends, packed.mask)
            vector = np.asarray(vector)
            took = (time.perf_counter() - begun) * 1e3
            about = {"kind": "answer", "revision": header["revision"], "slot": number, "ms": took}
            about |= {"last": number == max(self._slots), "step": slot.loaded.step}
            answers.append((about | {"side": reader.side, "origin": origin.tolist()}, vector))
            if not header.get("together"):
                self._send(*answers.pop())
            images[number] = vector
        if not self._slots:
            self._send({"kind": "answer", "revision": header["revision"], "slot": -1, "last": True})
        if header["why"] and strokes and 0 in self._slots:
            if self._slots[0].reader in self._settled:
                try:
                    answers.append(self._explained(header["revision"], strokes, images[0]))
                except Exception as error:  # the answer stands
                    self._failed(error, 0)
            else:
                self._owed = header, arrays
        for message in answers:
            self._send(*message)
        if header.get("film") and strokes:
            self._answer_film(header, packed)

    def _answer_number(self, header: dict, arrays: list[np.ndarray], strokes: list[np.ndarray]) -> None:
        """Reads the ink as a whole number, once what that needs is compiled."""
        from digitjax.numbers import NOTHING, read_on

        slot = self._slots.get(0)
        self._owed = None
        if slot is None or slot.reader not in self._settled:
            self._owed = header, arrays
            self._send({"kind": "answer", "revision": header["revision"], "slot": -1, "last": True})
            return
        start = time.perf_counter()
        try:
            network, before = self._number  # what was read before counts for the same network only
            read = functools.partial(slot.reader.number, slot.loaded.params)
            number, known = read_on(read, strokes, before if network is slot.loaded else NOTHING)
            self._number = slot.loaded, known
        except DigitjaxError as error:
            self._failed(error, 0)
            self._send({"kind": "answer", "revision": header["revision"], "slot": -1, "last": True})
            return
        about = {
            "kind": "number",
            "revision": header["revision"],
            "text": number.text,
            "answers": [digit.answer for digit in number.digits],
            "is_digit": [digit.is_digit for digit in number.digits],
            "ms": (time.perf_counter() - start) * 1e3,
        }
        boxes = np.array([digit.box for digit in number.digits], np.float64).reshape(-1, 4)
        odds = np.array([digit.probabilities for digit in number.digits], np.float64).reshape(-1, 10)
        self._send(about, boxes, odds)

    def _explained(self, revision: int, strokes: list[np.ndarray], vector: np.ndarray) -> tuple:
        """Why the network in use answers as it does: a message."""
        from play.explain import without_each
        from play.reader import reading

        slot = self._slots[0]
        found = reading(vector, slot.reader.side)
        digit = np.zeros(10, np.float32)
        digit[found.probabilities.argmax()] = 1
        ends, mask, tried = without_each(strokes)
        why = slot.reader.explain(slot.loaded.params, found.image, digit, ends, mask)
        header = {
            "kind": "why",
            "revision": revision,
            "digit": int(digit.argmax()),
            "layers": list(why.layers),
        }
        layers = [np.asarray(maps) for maps in why.layers.values()]
        return header, np.asarray(why.heat), np.asarray(why.without)[:tried], *layers

    def _load_film(self, path: str) -> None:
        """Loads the kept steps of the run in use, but for those that are here."""
        slot = self._slots.get(0)
        if slot is not None and str(slot.loaded.run) == path:
            film.load(
                slot.loaded.run,
                slot.loaded.model,
                lambda found, whole: self._results.put(functools.partial(self._take_film, found, whole)),
                self._film,
            )

    def _take_film(self, found: film.Film, whole: bool) -> None:
        self._film = found
        frames = [(one.step, one.accuracy, one.held_out) for one in found.frames]
        self._send({"kind": "frames", "path": str(found.run), "frames": frames, "whole": whole})

    def _show_step(self, step: int) -> None:
        """Lets a step of the film answer; the newest again for a step that it has not."""
        slot, found = self._slots.get(0), self._film
        if slot is None or found is None or slot.loaded.run != found.run:
            return
        present = self._present or slot
        frame = next((one for one in found.frames if one.step == step), None)
        if frame is None:
            self._take(0, present)
            return
        loaded = present.loaded._replace(params=frame.params, step=frame.step, record=frame.manifest.record)
        self._take(0, Slot(loaded, present.reader, False))
        self._present = present

    def _answer_film(self, header: dict, packed: Any) -> None:
        slot, found = self._slots.get(0), self._film
        if slot is not None and found is not None and slot.loaded.run == found.run:
            said = film.answers(found, slot.reader, packed.ends, packed.mask)
            self._send({"kind": "filmed", "path": str(found.run), "revision": header["revision"]}, said)

    def _work(self) -> None:
        """The loader's thread: what was asked for; once it is quiet, what may be; then newer steps."""
        end = time.monotonic() + MAX_WAIT
        seen: dict[int, tuple] = {}
        while True:
            try:
                job = self._jobs.get(timeout=WATCH_SECONDS if self._warm else IDLE_SECONDS)
            except queue.Empty:
                if self._warm:
                    self._watch(seen)
                elif self._owed is not None or time.monotonic() > min(end, self._inked + QUIET_SECONDS):
                    self._settle(seen)
                continue
            slot = job.get("slot", 0)
            try:
                if job["kind"] == "film":
                    self._load_film(job["path"])
                    continue
                found = self._load(job["path"], True)
                self._results.put(functools.partial(self._take, slot, found))
            except Exception as error:
                self._results.put(functools.partial(self._failed, error, slot, job["path"]))

    def _settle(self, seen: dict[int, tuple]) -> None:
        """Compiles what the other screens need, and hides what stays from the collector of garbage.

        That may take long, so newer steps are looked for in between.
        """
        for _, slot in sorted(self._slots.items()):
            if slot.reader not in self._settled:
                with contextlib.suppress(Exception):  # who asks for it is told
                    for _ in loading.warm_up(slot.reader, slot.loaded.params):
                        self._watch(seen)
                self._settled.add(slot.reader)
        self._results.put(self._pay)
        gc.collect()
        gc.freeze()
        gc.enable()
        self._results.put(self._rest)

    def _look_for_first(self) -> None:
        """Takes the first checkpoint once there is one."""
        try:
            steps, _ = checkpoints.first_steps(self._options.checkpoint)
            job = functools.partial(self._take, 0, self._load(str(steps[0]), True))
        except InputError:  # not yet
            return
        except Exception as error:  # said once: it may be chosen in Models
            job = functools.partial(self._failed, error, 0)
        self._missing = False
        self._results.put(job)

    def _watch(self, seen: dict[int, tuple]) -> None:
        if self._missing and not self._slots:
            self._look_for_first()
        for number, slot in list(self._slots.items()):
            if self._held or not slot.follow:
                continue
            run = slot.loaded.run
            with contextlib.suppress(Exception):
                finished = runs.is_finished(run)
                published = frozenset(run.glob(f"*/{manifest.NAME}"))
                published |= frozenset(run.glob(f"{runs.HISTORY}/*/{manifest.NAME}"))
                look = (run, finished, published)
                before, tries = seen.get(number, (None, 0))
                if before == look and not tries:
                    continue
                newest = runs.best_step(run) if finished else runs.history(run)[-1]
                seen[number] = (look, tries - 1 if before == look else TRIES - 1)  # lest it fails
                if int(newest.name) != slot.loaded.step:
                    found = self._load(str(newest), True)
                    self._results.put(functools.partial(self._take_newer, number, found))
                seen[number] = (look, 0)
