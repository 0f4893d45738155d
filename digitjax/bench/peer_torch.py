"""PyTorch's MNIST example, and a preset's network in PyTorch, for `bench train`.

Torch is imported when one of them runs.
"""

import importlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digitjax.bench import contenders
from digitjax.config import TrainConfig, convolutions

if TYPE_CHECKING:
    from digitjax.bench.contenders import Laps

MEAN, SD = 0.1307, 0.3081
"""By which the example normalises MNIST's pixels."""


def train_example(laps: "Laps", folder: Path, epochs: int, seed: int) -> tuple[int, float]:
    """PyTorch's MNIST example from its published settings; the images trained on, the test accuracy."""
    torch = _torch(seed)
    nn = torch.nn
    layers = (nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2))
    head = (
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    net = nn.Sequential(*layers, *head).to(_device(torch))
    optimizer = torch.optim.Adadelta(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.7)
    laps.end("import")
    x, y, x_test, y_test = _tensors(torch, folder)
    x, x_test = (x - MEAN) / SD, (x_test - MEAN) / SD
    return _train(
        laps, torch, net, optimizer, nn.CrossEntropyLoss(), (x, y, x_test, y_test), 64, epochs, seed, schedule
    )


def train_network(
    laps: "Laps",
    folder: Path,
    config: TrainConfig,
    epochs: int,
    *,
    compiled: bool = False,
    graphs: bool = False,
) -> tuple[int, float]:
    """The network, optimizer and schedule of a configuration of the CNN kind, nothing augmented.

    Args:
        laps: the clock.
        folder: of the arrays.
        config: the configuration.
        epochs: as many.
        compiled: the network through `torch.compile`.
        graphs: a whole step, from the choice of its examples to the optimizer, as one CUDA graph.
    """
    torch = _torch(config.seed)
    nn, convs, layers = torch.nn, convolutions(config.model, 28), []
    for conv in convs:
        around = conv.window // 2 if conv.padded else 0
        layers.append(nn.Conv2d(conv.channels, conv.features, conv.window, conv.stride, around))
        layers += [nn.MaxPool2d(2), nn.ReLU()] if conv.pooled else [nn.ReLU()]
    layers.append(nn.Flatten())
    features = convs[-1].features * (convs[-1].out // 2) ** 2
    for width in config.model.hidden:
        layers += [nn.Linear(features, width), nn.ReLU()]
        features = width
    net = nn.Sequential(*layers, nn.Dropout(config.model.dropout), nn.Linear(features, 10))
    net = net.to(_device(torch), memory_format=torch.channels_last)
    weights = [p for p in net.parameters() if p.ndim > 1]
    biases = [p for p in net.parameters() if p.ndim <= 1]
    optim = config.optim
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": optim.weight_decay}, {"params": biases, "weight_decay": 0.0}],
        lr=torch.tensor(optim.learning_rate, device="cuda") if graphs else optim.learning_rate,
        fused=True,
        capturable=graphs,
    )
    loss = nn.CrossEntropyLoss(label_smoothing=optim.label_smoothing)
    called = torch.compile(net) if compiled else net
    laps.end("import")
    data = _tensors(torch, folder)
    steps = min(config.steps_per_epoch, len(data[0]) // config.batch_size)
    total = epochs * steps
    if graphs:
        rates = [optim.learning_rate * one_cycle(optim.warmup, total, step) for step in range(total)]
        return _replay(laps, torch, called, optimizer, loss, data, config, epochs, rates)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(optim.warmup, total, step))
    return _train(
        laps,
        torch,
        called,
        optimizer,
        loss,
        data,
        config.batch_size,
        epochs,
        config.seed,
        schedule,
        steps=steps,
    )


def one_cycle(warmup: float, total_steps: int, step: int) -> float:
    """`digitjax.optim.one_cycle` without JAX."""
    rise = max(1, round(warmup * total_steps))
    fall = max(1, total_steps - rise)
    falling = 0.5 * (1 + math.cos(math.pi * min(max((step + 1 - rise) / fall, 0.0), 1.0)))
    return min((step + 1) / rise, falling)


def _torch(seed: int) -> Any:
    torch = importlib.import_module("torch")
    torch.manual_seed(seed)
    if torch.cuda.is_available():  # its convolutions and JAX's products are so by default
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    return torch


def _device(torch: Any) -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _tensors(torch: Any, folder: Path) -> tuple[Any, ...]:
    """All images and labels on the device."""
    x, y, x_test, y_test = contenders.arrays(folder)
    images = [torch.from_numpy(one)[:, None].float().div_(255) for one in (x, x_test)]
    images = [one.contiguous(memory_format=torch.channels_last) for one in images]
    return tuple(
        one.to(_device(torch))
        for one in (images[0], torch.from_numpy(y), images[1], torch.from_numpy(y_test))
    )


def _wait(torch: Any) -> None:
    """Returns when the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _train(
    laps: "Laps",
    torch: Any,
    net: Any,
    optimizer: Any,
    loss_fn: Any,
    data: tuple[Any, ...],
    batch: int,
    epochs: int,
    seed: int,
    schedule: Any,
    *,
    steps: int | None = None,
) -> tuple[int, float]:
    """Trains a module on resident tensors.

    The schedule goes on by epochs; where the steps of an epoch are given, by steps.
    """
    x, y, x_test, y_test = data
    _wait(torch)
    laps.end("data")
    first = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    loss_fn(net(x[:batch]), y[:batch]).backward()
    net.eval()
    with torch.no_grad():
        net(x_test[:1000])
    net.load_state_dict(first)
    _wait(torch)
    laps.end("compile")
    chance, images = np.random.default_rng(seed), 0
    net.train()
    for _ in range(epochs):
        order = torch.from_numpy(chance.permutation(len(x))).to(x.device)
        for start in range(0, len(x) - batch + 1, batch)[:steps]:
            rows = order[start : start + batch]
            optimizer.zero_grad(set_to_none=True)
            loss_fn(net(x[rows]), y[rows]).backward()
            optimizer.step()
            if steps is not None:
                schedule.step()
            images += len(rows)
        if steps is None:
            schedule.step()
    _wait(torch)
    laps.end("train")
    accuracy = _accuracy(torch, net, x_test, y_test)
    laps.end("evaluate")
    return images, accuracy


def _accuracy(torch: Any, net: Any, x_test: Any, y_test: Any) -> float:
    net.eval()
    with torch.no_grad():
        right = sum(
            int((net(x_test[n : n + 1000]).argmax(1) == y_test[n : n + 1000]).sum())
            for n in range(0, len(x_test), 1000)
        )
    return right / len(x_test)


def _replay(
    laps: "Laps",
    torch: Any,
    net: Any,
    optimizer: Any,
    loss_fn: Any,
    data: tuple[Any, ...],
    config: TrainConfig,
    epochs: int,
    rates: list[float],
) -> tuple[int, float]:
    """The same as `_train`, each step the same CUDA graph: it counts itself, and looks up what differs.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
    """
    x, y, x_test, y_test = data
    _wait(torch)
    laps.end("data")
    batch, steps = config.batch_size, len(rates) // epochs
    order, table = torch.arange(len(x), device="cuda"), torch.tensor(rates, device="cuda")
    done = torch.zeros(1, dtype=torch.int64, device="cuda")
    span = torch.arange(batch, device="cuda")

    def step() -> None:
        for group in optimizer.param_groups:
            group["lr"].copy_(table.index_select(0, done)[0])
        rows = order[done % steps * batch + span]
        optimizer.zero_grad(set_to_none=True)
        loss_fn(net(x[rows]), y[rows]).backward()
        optimizer.step()
        done.add_(1)

    first = {name: value.clone() for name, value in net.state_dict().items()}
    net.eval()
    with torch.no_grad():
        net(x_test[:1000])
    net.train()
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    net.load_state_dict(first)
    done.zero_()
    for state in optimizer.state.values():
        for value in state.values():
            value.zero_()
    _wait(torch)
    laps.end("compile")
    chance = np.random.default_rng(config.seed)
    for _ in range(epochs):
        order.copy_(torch.from_numpy(chance.permutation(len(x))))
        for _ in range(steps):
            graph.replay()
    _wait(torch)
    laps.end("train")
    accuracy = _accuracy(torch, net, x_test, y_test)
    laps.end("evaluate")
    return epochs * steps * batch, accuracy
