"""Devices, of this process and of others: which there are, and how a state and its batches lie on them."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding
from jaxtyping import PyTree

from digitjax import accelerators
from digitjax.errors import InputError
from digitjax.types import Batch, Metrics, TrainState

MESSAGE_BYTES = 1 << 16
"""Longest text that one process tells the others."""

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
            f"a batch of {batch_size} cannot be divided among {len(devices)} devices: "
            f"give --batch-size {fitting}"
        )
    if jax.process_count() > 1:  # in this order, so that a process's rows of a batch are neighbours
        in_order = sorted(devices, key=lambda device: (device.process_index, device.id))
        return Mesh(np.array(in_order), ("data",), axis_types=(AxisType.Auto,))
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def own_rows(batch_size: int, mesh: Mesh) -> slice:
    """The rows of a batch that lie on this process's devices; all of them where there is but one process."""
    each = batch_size // mesh.size
    own = [place for place, device in enumerate(mesh.devices) if device.process_index == jax.process_index()]
    return slice(own[0] * each, (own[-1] + 1) * each)


def replicate(tree: PyTree, mesh: Mesh) -> PyTree:
    """A copy of each array on every device; never the caller's own memory, so it can be donated.

    With several processes each brings the same arrays.
    """
    copies = jax.tree.map(lambda leaf: jax.numpy.array(leaf, copy=True), tree)
    if mesh.is_multi_process:  # `device_put` reaches this process's devices alone
        return jax.jit(lambda same: same, out_shardings=_replicated(mesh))(copies)
    return jax.device_put(copies, _replicated(mesh))


def shard(batch: Batch, mesh: Mesh) -> Batch:
    """The batch divided along its first axis, a part for each device; for one device as it is.

    With several processes `batch` is this one's share, its `own_rows`.
    """
    if mesh.size == 1:  # the step takes it from where it lies; to put it there costs a tenth of a millisecond
        return batch
    if not mesh.is_multi_process:
        return jax.device_put(batch, _divided(mesh))
    own = [device for device in mesh.devices if device.process_index == jax.process_index()]
    parts = jax.device_put(batch, _divided(Mesh(np.array(own), ("data",), axis_types=(AxisType.Auto,))))

    def whole(leaf: jax.Array) -> jax.Array:
        shape = (leaf.shape[0] // len(own) * mesh.size, *leaf.shape[1:])
        pieces = sorted(leaf.addressable_shards, key=lambda shard: own.index(shard.device))
        return jax.make_array_from_single_device_arrays(shape, _divided(mesh), [p.data for p in pieces])

    return jax.tree.map(whole, parts)


def divide(batch: Batch, mesh: Mesh) -> Batch:
    """Inside a compiled function: the batch divided along its first axis, a part for each device."""
    return batch if mesh.size == 1 else jax.lax.with_sharding_constraint(batch, _divided(mesh))


def own_copy(tree: PyTree) -> PyTree:
    """The arrays that are the same on every device, as this process alone computes with them."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def is_first() -> bool:
    """Whether this process is the one that speaks and writes."""
    return jax.process_index() == 0


def largest(number: int) -> int:
    """The largest of the numbers that the processes bring; all must ask at the same place."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.int32(number)).max())


def first_says(text: str) -> str:
    """What the first process says, in all of them; all must ask at the same place.

    Args:
        text: at most `MESSAGE_BYTES` as UTF-8; only the first process's counts.
    """
    if jax.process_count() == 1:
        return text
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(_padded(text)))).decode().rstrip()


def all_say(text: str) -> list[str]:
    """What each process says, in all of them, by their order; all must ask at the same place.

    Args:
        text: at most `MESSAGE_BYTES` as UTF-8.
    """
    if jax.process_count() == 1:
        return [text]
    return [
        bytes(one).decode().rstrip() for one in np.asarray(multihost_utils.process_allgather(_padded(text)))
    ]


def _padded(text: str) -> np.ndarray:
    """A message of the one length that all have, [MESSAGE_BYTES] uint8."""
    message = text.encode()
    assert len(message) <= MESSAGE_BYTES
    return np.frombuffer(message.ljust(MESSAGE_BYTES, b" "), np.uint8)


def spread(step: Step, mesh: Mesh, options: dict[str, str] | None = None) -> Step:
    """`step`, compiled, on every device of the mesh: each its part of the batch, the state the same on all.

    The gradients' sum over devices is XLA's, from the shardings alone.

    Args:
        step: the train step.
        mesh: the devices.
        options: for XLA's compiler; a step that has some cannot be a part of another compiled function.
    """
    if mesh.size == 1:
        return jax.jit(step, donate_argnums=0, compiler_options=options)
    same, parts = _replicated(mesh), _divided(mesh)
    return jax.jit(
        step,
        donate_argnums=0,
        in_shardings=(same, parts),
        out_shardings=(same, same),
        compiler_options=options,
    )


def same_everywhere(many: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """A function of a state and more, compiled, the state donated; all devices have what it returns."""
    if mesh.size == 1:
        return jax.jit(many, donate_argnums=0)
    return jax.jit(many, donate_argnums=0, out_shardings=_replicated(mesh))


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
    if name := accelerators.nvidia_gpu():
        return f"{name} is here but unused, because this JAX has no CUDA: `make setup ACCEL=cuda` installs it"
    if accelerators.has_tpu():
        return "a TPU is here but unused, because this JAX has none: try `make setup ACCEL=tpu`"
    return None


def _replicated(mesh: Mesh) -> Sharding:
    return _sharding(mesh, PartitionSpec())


def _divided(mesh: Mesh) -> Sharding:
    return _sharding(mesh, PartitionSpec("data"))


def _sharding(mesh: Mesh, spec: PartitionSpec) -> Sharding:
    """On one device the plain sharding that the step's results have, so that the second compiles nothing."""
    return SingleDeviceSharding(mesh.devices.flat[0]) if mesh.size == 1 else NamedSharding(mesh, spec)
