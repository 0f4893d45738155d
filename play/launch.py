"""Starts the reading process before anything slow is imported, so that JAX loads while the window opens."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple


class Options(NamedTuple):
    """How the worker starts.

    Attributes:
        checkpoint: what `--checkpoint` says, None for the default.
        device: "cpu", "gpu" or "tpu".
        cache: folder of the compilation cache, None for none.
        follow: newer steps of the run are taken though `checkpoint` names a step.
        held: newer steps wait until the window says otherwise.
    """

    checkpoint: str | None = None
    device: str = "cpu"
    cache: Path | None = None
    follow: bool = False
    held: bool = False


class Link(NamedTuple):
    """A running worker: its process, where to send and where to receive."""

    process: BaseProcess
    requests: Connection
    answers: Connection


def start(options: Options) -> Link:
    """Starts the worker's process; two one-way pipes, no socket."""
    return start_process(_child, options, name="reader")


def start_process(target: Callable, *arguments: object, name: str) -> Link:
    """Starts a process that is given where to receive and where to send, and the arguments."""
    context = multiprocessing.get_context("spawn")
    requests, send = context.Pipe(duplex=False)
    receive, answers = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(requests, answers, *arguments), name=name, daemon=True)
    process.start()
    requests.close()
    answers.close()
    return Link(process, send, receive)


def _child(requests: Connection, answers: Connection, options: Options) -> None:
    from play import worker

    worker.main(requests, answers, options)
