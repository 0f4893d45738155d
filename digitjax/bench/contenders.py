"""What `bench train` compares: digitjax, and programs that people would pick instead.

`python -m digitjax.bench.contenders NAME FOLDER PRESET CHANNELS EPOCHS SEED START` imports, reads, compiles,
trains and evaluates one, in a process of its own, and prints how long each took. The peers are written for
this project from published recipes.
"""

import dataclasses
import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digitjax.accelerators import nvidia_gpu
from digitjax.config import TrainConfig
from digitjax.presets.registry import preset

PHASES = ("import", "data", "compile", "train", "evaluate")
"""What is told apart, in this order."""


class Trained(NamedTuple):
    """What a contender's process tells.

    Attributes:
        seconds: of each of `PHASES`.
        images: trained on, each as often as it was.
        accuracy: on MNIST's test split, 0 to 1.
    """

    seconds: dict[str, float]
    images: int
    accuracy: float


class Contender(NamedTuple):
    """A program to compare.

    Attributes:
        about: what it is, and its settings.
        run: trains; from a laps' clock, the folder of arrays, the configuration and the epochs asked for.
        needs: package that it needs beyond digitjax's own.
        on_gpu: whether it runs on an NVIDIA GPU alone.
    """

    about: str
    run: "Callable[[Laps, Path, TrainConfig, int], tuple[int, float]]"
    needs: str | None = None
    on_gpu: bool = False


class Laps:
    """The seconds of one phase after the other, from the start of the process."""

    def __init__(self, start: float) -> None:
        self._last = start
        self.seconds: dict[str, float] = {}

    def end(self, phase: str) -> None:
        """Ends a phase; the next one begins."""
        now = time.monotonic()
        self.seconds[phase] = now - self._last
        self._last = now


def run_digitjax(laps: Laps, folder: Path, config: TrainConfig, epochs: int) -> tuple[int, float]:
    """The preset by the library, as `digitjax train` runs it, without checkpoints."""
    import jax

    from digitjax import compiled, sharding
    from digitjax.data import load
    from digitjax.data.pipeline import to_examples
    from digitjax.evaluate import answer_digits, loss_and_accuracy
    from digitjax.models import make_model
    from digitjax.prepare import advance, fresh_state, prepare

    laps.end("import")
    config = dataclasses.replace(config, epochs=epochs or config.epochs)
    mesh, model = sharding.data_mesh(config.batch_size), make_model(config.model)
    with compiled.kept(lambda _: None):
        ready = prepare(config, mesh)
        test = to_examples(load("mnist@test"), model.geometry)
        laps.end("data")
        state = sharding.replicate(fresh_state(config), mesh)
        state, _, metrics = advance(ready, config, mesh, state, 0, 1)
        answer_digits(model, state.params, test._replace(images=test.images[:1], labels=test.labels[:1]))
        jax.block_until_ready(metrics)
        state = sharding.replicate(fresh_state(config), mesh)
        laps.end("compile")
        done = 0
        while done < config.total_steps:
            state, taken, _ = advance(ready, config, mesh, state, done, config.total_steps)
            done = taken[-1]
        jax.block_until_ready(state)
        laps.end("train")
        _, accuracy = loss_and_accuracy(answer_digits(model, state.params, test))
    laps.end("evaluate")
    return config.total_steps * config.batch_size, accuracy


def run_flax(laps: Laps, folder: Path, config: TrainConfig, epochs: int) -> tuple[int, float]:
    """Flax's MNIST example."""
    from digitjax.bench.peer_flax import train

    return train(laps, folder, epochs or 10, config.seed)


def run_torch(laps: Laps, folder: Path, config: TrainConfig, epochs: int) -> tuple[int, float]:
    """PyTorch's MNIST example."""
    from digitjax.bench.peer_torch import train_example

    return train_example(laps, folder, epochs or 14, config.seed)


def run_network(
    laps: Laps, folder: Path, config: TrainConfig, epochs: int, **form: bool
) -> tuple[int, float]:
    """The preset's network in PyTorch, `form` being `peer_torch.train_network`'s."""
    from digitjax.bench.peer_torch import train_network

    return train_network(laps, folder, config, epochs or config.epochs, **form)


CONTENDERS = {
    "digitjax": Contender("the preset, as `digitjax train` runs it", run_digitjax),
    "flax-example": Contender(
        "Flax's MNIST example: 3x3 conv 32 and 64 with average pooling, dense 256; SGD 0.1, momentum 0.9, "
        "batch 128, 10 epochs",
        run_flax,
    ),
    "pytorch-example": Contender(
        "PyTorch's MNIST example: 3x3 conv 32 and 64, max pooling, dropout, dense 128; Adadelta 1.0, "
        "times 0.7 an epoch, batch 64, 14 epochs",
        run_torch,
        "torch",
    ),
    "pytorch-eager": Contender(
        "the preset's network, batch size, AdamW (fused) and one-cycle schedule in PyTorch, channels last, "
        "cuDNN's benchmark and TensorFloat-32 on",
        run_network,
        "torch",
    ),
    "pytorch-compiled": Contender(
        "the same through torch.compile", functools.partial(run_network, compiled=True), "torch"
    ),
    "pytorch-graphs": Contender(
        "the same, a whole step of it one CUDA graph",
        functools.partial(run_network, graphs=True),
        "torch",
        on_gpu=True,
    ),
    "pytorch-compiled-graphs": Contender(
        "the same through torch.compile, a whole step of it one CUDA graph",
        functools.partial(run_network, compiled=True, graphs=True),
        "torch",
        on_gpu=True,
    ),
}
"""Programs by name."""


def missing(name: str) -> str | None:
    """A sentence where a contender cannot run here."""
    one = CONTENDERS[name]
    if one.needs is not None and find_spec(one.needs) is None:
        return f"{name} is left out, it needs {one.needs}: `pip install -e .[bench]` brings it"
    return f"{name} is left out, it needs an NVIDIA GPU" if one.on_gpu and nvidia_gpu() is None else None


def able(asked: Sequence[str], tell: Callable[[str], None]) -> list[str]:
    """digitjax, and the contenders asked for that can run here; each other is told by its sentence."""
    found = []
    for name in dict.fromkeys(("digitjax", *asked)):
        if sentence := missing(name):
            tell(sentence)
        else:
            found.append(name)
    return found


def have_peers(config: TrainConfig) -> bool:
    """Whether the other programs can learn what a configuration learns, by such a network."""
    model = config.model
    plain = model.kind == "cnn" and model.norm == "none" and not model.average and model.geometry == "mnist28"
    return plain and config.data in ((), ("mnist",))


def with_channels(config: TrainConfig, channels: Sequence[int]) -> TrainConfig:
    """The configuration with other channels of its convolutions; without any as it is.

    Raises:
        InputError: there cannot be such a network.
    """
    if not channels:
        return config
    return dataclasses.replace(config, model=dataclasses.replace(config.model, channels=tuple(channels)))


def arrays(folder: Path) -> tuple[np.ndarray, ...]:
    """MNIST's training and test splits for the peers: images uint8, labels int64."""
    return tuple(np.load(folder / f"{name}.npy") for name in ("x_train", "y_train", "x_test", "y_test"))


def main(argv: list[str]) -> None:
    """Runs one contender and prints what it did as JSON."""
    name, folder, preset_name, channels, epochs, seed, start = argv
    laps = Laps(float(start))
    config = dataclasses.replace(with_channels(preset(preset_name), json.loads(channels)), seed=int(seed))
    images, accuracy = CONTENDERS[name].run(laps, Path(folder), config, int(epochs))
    print(json.dumps(Trained(laps.seconds, images, accuracy)._asdict()))


if __name__ == "__main__":
    main(sys.argv[1:])
