"""Which accelerator jax is installed for: what was asked for, or what is here."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from programs import SetupError, run

ACCELERATORS = ("cpu", "cuda", "tpu")
GOOGLE_PCI_VENDOR = "0x1ae0"
PCI_STORAGE_OR_NETWORK = ("0x01", "0x02")  # Google's virtual disks and network cards are no TPUs
TPU_VARIABLES = ("TPU_NAME", "TPU_WORKER_ID", "TPU_ACCELERATOR_TYPE", "TPU_TOPOLOGY")


def detect(
    environment: Mapping[str, str],
    dev: Path = Path("/dev"),
    pci: Path = Path("/sys/bus/pci/devices"),
    system: str = platform.system(),
) -> str:
    """What this machine has and jax has a build for: "cuda", "tpu", or "cpu"."""
    if system != "Linux":
        return "cpu"
    if any(environment.get(name) for name in TPU_VARIABLES) or has_tpu(dev, pci):
        return "tpu"
    program = shutil.which("nvidia-smi", path=environment.get("PATH", os.defpath))
    if program:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            listed = run(program, "-L", timeout=30)
            if listed.returncode == 0 and "GPU " in listed.stdout:
                return "cuda"
    return "cpu"


def has_tpu(dev: Path, pci: Path) -> bool:
    """A device file of an accelerator, and a card of Google's that is no disk and no network card."""
    if not (list(dev.glob("accel[0-9]*")) or list(dev.glob("vfio/[0-9]*"))):
        return False
    for card in pci.glob("*"):
        with contextlib.suppress(OSError):
            vendor, kind = ((card / name).read_text().strip() for name in ("vendor", "class"))
            if vendor == GOOGLE_PCI_VENDOR and not kind.startswith(PCI_STORAGE_OR_NETWORK):
                return True
    return False


def chosen(asked: str, stamp: dict) -> str:
    """The accelerator asked for now, else asked for or found earlier, else found now."""
    if not asked:
        return stamp.get("asked_accel") or next(iter(stamp.get("extras", [])), "") or detect(os.environ)
    if asked not in ACCELERATORS:
        raise SetupError(f"ACCEL={asked} is unknown: give {', '.join(ACCELERATORS)}")
    if asked != "cpu" and platform.system() != "Linux":
        raise SetupError(f"ACCEL={asked}: jax has such a build for Linux alone; leave ACCEL out")
    return asked
