"""Several processes that train one network: which this is, where they meet, what is said when one is lost.

Each is a pair. A parent, which never imports JAX, starts the member that trains: JAX's runtime ends a process
that has lost the others without a word to Python, and the parent is there to say it. All members meet at the
coordinator, which the first of them runs; it asks nobody who they are, so the network must be private.
"""

import collections
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import NamedTuple, TypeVar

from digitjax import accelerators
from digitjax.errors import DigitjaxError, InputError
from digitjax.interrupt import Interrupted
from digitjax.progress import say

MEET_SECONDS = 120
"""How long a process waits for the others to come."""
LOST_SECONDS = 20
"""After so long a silence a process counts as lost."""
LAST_SECONDS = 1.0
"""How much longer than the others the first process stays after an error."""
TPU_PORT = 8476
_METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/attributes/"
_PASSED_ON = (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)
_LAST_LINES = 40
_LOSS = re.compile(r"gloo|nccl|connection|unavailable|heartbeat|coordination|deadline|socket|peer", re.I)

T = TypeVar("T")


class Place(NamedTuple):
    """One process among those that train together.

    Attributes:
        coordinator: HOST:PORT on which the first of them listens, and on no other address.
        processes: how many there are.
        process: which this one is, from 0.
        devices: which of the machine's accelerators are this process's; None for all.
    """

    coordinator: str
    processes: int
    process: int
    devices: tuple[int, ...] | None = None


def find(
    environment: Mapping[str, str],
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    metadata: Callable[[str], str] | None = None,
) -> Place | None:
    """This process's place, from the options of the command line, SLURM's variables or a TPU pod's.

    Args:
        environment: the process's environment.
        coordinator: `--coordinator`.
        processes: `--processes`.
        process: `--process`.
        metadata: reads an attribute of a TPU VM by its name; None where this machine is none.

    Returns:
        None where this process trains alone.

    Raises:
        InputError: an option is missing or out of range, or the environment contradicts itself.
    """
    if (coordinator, processes, process) != (None, None, None):
        return _from_options(coordinator, processes, process)
    place = _from_slurm(environment) or _from_pod(environment, metadata)
    return place if place is not None and place.processes > 1 else None


def _from_options(coordinator: str | None, processes: int | None, process: int | None) -> Place:
    given = {"--coordinator HOST:PORT": coordinator, "--processes N": processes, "--process I": process}
    if missing := [name for name, value in given.items() if value is None]:
        raise InputError(
            f"{' and '.join(missing)} missing: several processes need all three, or none of them"
        )
    assert coordinator is not None and processes is not None and process is not None
    host, _, port = coordinator.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise InputError(
            f"--coordinator {coordinator!r} is no address: give HOST:PORT, a private address of the machine "
            f"that runs process 0, such as 10.0.0.1:8476"
        )
    if processes < 1:
        raise InputError(f"--processes {processes} is out of range: give how many there are, 1 or more")
    if not 0 <= process < processes:
        raise InputError(f"--process {process} is out of range: give 0 to {processes - 1}")
    return Place(coordinator, processes, process)


def _from_slurm(environment: Mapping[str, str]) -> Place | None:
    """A task of a job step (`srun`); a batch script itself is none."""
    names = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID")
    if not all(environment.get(name) for name in names):
        return None
    job, nodes, count, index, local = (environment[name] for name in names)
    try:
        port = 61440 + int(job) % 4096  # as JAX has it: one a job, among the ephemeral ones
        single = environment.get("SLURM_STEP_NUM_NODES") == count
        visible = environment.get("CUDA_VISIBLE_DEVICES", "")
        # One task a node has all its GPUs; of several each has one, unless SLURM has shown it but that one.
        devices = None if single or (visible and "," not in visible) else (int(local),)
        return Place(f"{_first_node(nodes)}:{port}", int(count), int(index), devices)
    except ValueError as error:
        raise InputError(f"SLURM's variables cannot be read ({error}): give --coordinator") from error


def _first_node(nodes: str) -> str:
    """`gpu01` of `gpu01,x`, `gpu[01-16],x` and `gpu[01,07-16]-ib`."""
    found = re.match(r"([^,\[]+)(?:\[([^,\]-]+)[^\]]*\]([^,]*))?", nodes)
    if found is None:
        raise ValueError(f"SLURM_STEP_NODELIST is {nodes!r}")
    return "".join(part or "" for part in found.groups())


def _from_pod(environment: Mapping[str, str], metadata: Callable[[str], str] | None) -> Place | None:
    """A worker of a TPU slice: named by variables on GKE, by the machine's metadata on a TPU VM."""
    hosts, index = environment.get("TPU_WORKER_HOSTNAMES"), environment.get("TPU_WORKER_ID")
    if not (hosts and index):
        if metadata is None:
            return None
        try:
            hosts, index = metadata("worker-network-endpoints"), metadata("agent-worker-number")
        except OSError:
            return None
    if environment.get("MEGASCALE_NUM_SLICES", "1") not in ("", "1"):
        raise InputError("several TPU slices are not found by themselves: give --coordinator on every worker")
    try:
        workers = [
            worker.split(":")[-1].strip() for worker in hosts.split(",")
        ]  # name:number:address, or address
        return Place(f"{workers[0]}:{TPU_PORT}", len(workers), int(index))
    except ValueError as error:
        raise InputError(f"the TPU's worker number is {index!r}: give --coordinator") from error


def machine_metadata() -> Callable[[str], str] | None:
    """Reads a TPU VM's metadata, two seconds at most; None on a machine that has no TPU."""
    if not accelerators.has_tpu():
        return None
    if os.environ.get("TPU_SKIP_MDS_QUERY") or "tpu" not in (os.environ.get("JAX_PLATFORMS") or "tpu"):
        return None

    def read(name: str) -> str:
        request = urllib.request.Request(_METADATA + name, headers={"Metadata-Flavor": "Google"})
        with urllib.request.urlopen(request, timeout=2) as answer:
            return answer.read(1 << 20).decode()

    return read


def supervise(place: Place, argv: Sequence[str]) -> int:
    """Runs a member with the arguments of `digitjax train` and returns the exit code that there is to give.

    Only the first member is heard while all goes well; of another one its last sentence is.
    """
    heard = place.process == 0
    member = subprocess.Popen(
        [sys.executable, "-m", "digitjax.member", *argv],
        stdout=subprocess.DEVNULL,  # Gloo speaks there, training never does
        stdin=subprocess.PIPE,  # whose end tells the member that its parent is gone
        stderr=None if heard else subprocess.PIPE,
        start_new_session=True,  # Ctrl-C on a terminal reaches the member through the parent alone
    )

    passed: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        passed.append(number)
        with contextlib.suppress(OSError):
            member.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        last: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        if member.stderr is not None:
            last.extend(line.decode(errors="replace").rstrip("\n") for line in member.stderr)
        code = member.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if member.stdin is not None:
            member.stdin.close()
    if code in _PASSED_ON:
        return code
    if -code in passed:  # so it ends while it waits for the others; in a training it saves first
        say(f"digitjax: process {place.process} of {place.processes}: stopped, what was saved before is kept")
        return 128 - code
    sentence = _ended(place, code)
    if not heard and code > 0:
        said = [line for line in last if line.startswith("digitjax: ")]
        sentence = said[-1].removeprefix("digitjax: ") if said else "\n".join(last)
    if sentence:
        say(f"digitjax: process {place.process} of {place.processes}: {sentence}")
    return code if code > 0 else 1


def _ended(place: Place, code: int) -> str:
    """What a member that was ended without a word would have said; "" for one that had its own."""
    if code == -signal.SIGABRT:  # the runtime's answer to a silent coordinator
        return lost(place)
    if code < 0:
        return f"it was killed (signal {-code}): start all {place.processes} again, with --resume"
    return ""


def lost(place: Place) -> str:
    """The sentence for a training that has lost one of its processes."""
    return (
        f"one of the {place.processes} processes, or the way to it, was lost; what was saved is kept: "
        f"start all {place.processes} again, with --resume"
    )


@contextlib.contextmanager
def meeting(place: Place) -> Iterator[None]:
    """Joins the others while open; leaving in order waits for all of them.

    Raises:
        DigitjaxError: they do not come, the address cannot be had, or one was lost.
    """
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        with _waiting(place):
            jax.distributed.initialize(
                place.coordinator,
                place.processes,
                place.process,
                local_device_ids=place.devices,
                cluster_detection_method="deactivate",
                coordinator_bind_address=place.coordinator,  # JAX alone would listen on every address
                initialization_timeout=2 * MEET_SECONDS,  # when it has passed, the runtime aborts
                heartbeat_timeout_seconds=LOST_SECONDS,
                shutdown_timeout_seconds=MEET_SECONDS,
            )
    except Exception as error:
        raise DigitjaxError(_not_met(place, _first_line(error))) from error
    try:
        yield
    except DigitjaxError as error:
        if isinstance(error, Interrupted):  # all of them were, at the same step
            jax.distributed.shutdown()
        elif place.process == 0:  # with it goes the coordinator: let the others tell the same error first
            time.sleep(LAST_SECONDS)
        raise
    except Exception as error:
        if _LOSS.search(str(error)):
            raise DigitjaxError(lost(place)) from error
        raise
    jax.distributed.shutdown()


@contextlib.contextmanager
def _waiting(place: Place) -> Iterator[None]:
    """While the others are awaited, inside the runtime: a signal ends this process, as too long does."""

    def give_up() -> None:
        say(f"digitjax: {_not_met(place, f'not all came within {MEET_SECONDS} s')}")
        leave(1)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    timer = threading.Timer(MEET_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _not_met(place: Place, why: str) -> str:
    return (
        f"process {place.process} of {place.processes} could not meet the others at {place.coordinator} "
        f"({why}): start all of them, and let the address be one of process 0's machine, its port free"
    )


def agree(choose: Callable[[], dict]) -> dict:
    """What the first process chooses, JSON values, in all of them; its error is everybody's.

    Raises:
        DigitjaxError: what `choose` raised.
    """
    from digitjax import sharding

    failure = None
    answer: dict = {}
    if sharding.is_first():
        try:
            answer = {"chosen": choose()}
        except DigitjaxError as error:
            failure = error
            answer = {"error": str(error)[:4000], "input": isinstance(error, InputError)}
    answer = json.loads(sharding.first_says(json.dumps(answer)))
    if failure is not None:
        raise failure
    if "error" in answer:
        raise (InputError if answer["input"] else DigitjaxError)(answer["error"])
    return answer["chosen"]


def require_alike(asked: Mapping[str, str]) -> None:
    """Refuses, in all of them, to train where one process was asked for something else than the first.

    Args:
        asked: what this one was asked for, by the name of the option.

    Raises:
        InputError: two differ.
    """
    from digitjax import sharding

    brief = {name: _brief(value) for name, value in asked.items()}
    said = [json.loads(one) for one in sharding.all_say(json.dumps(brief))]
    first = said[0]
    for process, other in enumerate(said):
        if other != first:
            names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
            differing = ", ".join(f"{name} {first.get(name)} and {other.get(name)}" for name in names)
            raise InputError(
                f"processes 0 and {process} were not asked for the same ({differing}): "
                f"start all {len(said)} with the same arguments, of the same digitjax"
            )


def _brief(text: str) -> str:
    """A short text that is another for another text."""
    return text if len(text) <= 80 else f"{text[:60]}... ({hashlib.sha256(text.encode()).hexdigest()[:12]})"


def first_then_others(make: Callable[[], T]) -> T:
    """What each process makes for itself, the first one alone before the others, so that a download is one.

    Raises:
        DigitjaxError: what `make` raised here, or in the first process.
    """
    made: list[T] = []

    def once() -> dict:
        made.append(make())
        return {}

    agree(once)
    return made[0] if made else make()


def leave(code: int) -> None:
    """Ends this member at once, whatever JAX's threads still wait for."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def end_with_parent() -> None:
    """Ends this process when its standard input, a pipe that its parent holds, ends."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
