"""`python -m tests.recorder FOLDER SEED`: records, relabels and deletes drawings until it is killed.

It says what it begins and what has been acknowledged, a line each and in one piece: begin or done, what,
key, word.
"""

import random
import sys
from pathlib import Path

from play.effects import Record
from play.ink import Stroke
from play.record import Recorder


def drawing(x: float) -> Record:
    """A drawing of its own for each `x`."""
    ink = (Stroke(tuple((x + i, 2.0 * i) for i in range(40)), tuple(i / 60 for i in range(40))),)
    return Record(str(int(10 * x) % 10), ink, "cnn-0/12", "9", (0.1,) * 10, 0.75)


def main(folder: Path, seed: int) -> None:
    """Changes the drawings in `folder` for ever."""
    chance, recorder = random.Random(seed), Recorder(folder)
    keys = [record["key"] for record in recorder.records()]
    while True:
        what = chance.choice(("add", "add", "add", "relabel", "delete")) if keys else "add"
        if what == "add":
            one = drawing(chance.random())
            print(f"begin add - {one.word}", flush=True)
            recorder.append(one)
            key, word = recorder.key_of(one.ink), one.word
            assert key is not None
            keys.append(key)
        else:
            key, word = chance.choice(keys), str(chance.randrange(10))
            print(f"begin {what} {key} {word}", flush=True)
            if what == "relabel":
                recorder.relabel(key, word)
            else:
                recorder.delete(key)
                keys.remove(key)
        print(f"done {what} {key} {word}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
