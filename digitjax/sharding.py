"""Devices: which there are, and how a state and its batches lie on them."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding
from jaxtyping import PyTree

from digitjax.errors import InputError
from digitjax.types import Batch, Metrics, TrainState

Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


def data_mesh(batch_size: int, devices: Sequence[Any] | None = None) -> Mesh:
    """All devices in one row named `data`, over which a batch is divided.

    Args:
        batch_size: examples of a batch.
        devices: None for all that JAX has.

    Raises:
        InputError: the devices do not divide the batch.
    """
    devices = list(jax.devices() if devices is None else devices)
    if batch_size % len(devices):
        fitting = max(batch_size // len(devices), 1) * len(devices)
        raise InputError(
            f"--batch-size {batch_size} cannot be divided among {len(devices)} devices: give {fitting}"
        )
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def replicate(tree: PyTree, mesh: Mesh) -> PyTree:
    """A copy of each array on every device; never the caller's own memory, so it can be donated."""
    copies = jax.tree.map(lambda leaf: jax.numpy.array(leaf, copy=True), tree)
    return jax.device_put(copies, _replicated(mesh))


def shard(batch: Batch, mesh: Mesh) -> Batch:
    """The batch divided along its first axis, a part for each device."""
    return jax.device_put(batch, _divided(mesh))


def spread(step: Step, mesh: Mesh) -> Step:
    """`step` on every device of the mesh: each its part of the batch, the state the same on all.

    The gradients' sum over devices is XLA's, from the shardings alone.
    """
    if mesh.size == 1:
        return step
    same, parts = _replicated(mesh), _divided(mesh)
    return jax.jit(step, donate_argnums=0, in_shardings=(same, parts), out_shardings=(same, same))


def describe_devices() -> str:
    """The devices that JAX will train on, for people: `2 x NVIDIA H200 (gpu)`, `cpu, 8 cores`."""
    devices = jax.devices()
    kind, platform = devices[0].device_kind, devices[0].platform
    count = f"{len(devices)} x " if len(devices) > 1 else ""
    if platform == "cpu":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return f"{count}cpu, {cores} cores"
    return f"{count}{kind} ({platform})"


def unused_accelerator() -> str | None:
    """A sentence when this machine has an accelerator that JAX does not use, else None."""
    if jax.default_backend() != "cpu" or os.environ.get("JAX_PLATFORMS", "") == "cpu":
        return None
    if name := _nvidia_gpu():
        return f"{name} is here but unused, because this JAX has no CUDA: `make setup ACCEL=cuda` installs it"
    if any(Path("/dev").glob("accel[0-9]*")) or (any(Path("/dev").glob("vfio/[0-9]*")) and _google_card()):
        return "a TPU is here but unused, because this JAX has none: try `make setup ACCEL=tpu`"
    return None


def _google_card() -> bool:
    """Whether a PCI card is Google's and no disk (class 01) and no network card (02), as setup.py asks."""
    for card in Path("/sys/bus/pci/devices").glob("*"):
        with contextlib.suppress(OSError):
            vendor, kind = ((card / name).read_text().strip() for name in ("vendor", "class"))
            if vendor == "0x1ae0" and not kind.startswith(("0x01", "0x02")):
                return True
    return False


def _nvidia_gpu() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    first = next((line for line in listed.splitlines() if line.startswith("GPU ")), None)
    return first and first.split(":", 1)[-1].split("(")[0].strip()


def _replicated(mesh: Mesh) -> Sharding:
    return _sharding(mesh, PartitionSpec())


def _divided(mesh: Mesh) -> Sharding:
    return _sharding(mesh, PartitionSpec("data"))


def _sharding(mesh: Mesh, spec: PartitionSpec) -> Sharding:
    """On one device the plain sharding that the step's results have, so that the second compiles nothing."""
    return SingleDeviceSharding(mesh.devices.flat[0]) if mesh.size == 1 else NamedSharding(mesh, spec)
