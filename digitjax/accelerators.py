"""Which accelerators this machine has, whatever JAX can do with them. No JAX here."""

import contextlib
import shutil
import subprocess
from pathlib import Path


def nvidia_gpu() -> str | None:
    """The name of the first NVIDIA GPU that the driver lists, None without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    first = next((line for line in listed.splitlines() if line.startswith("GPU ")), None)
    return first and first.split(":", 1)[-1].split("(")[0].strip()


def has_tpu(dev: Path = Path("/dev"), pci: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether there are an accelerator's device file and a card of Google's, as `.setup/setup.py` asks."""
    return any([*dev.glob("accel[0-9]*"), *dev.glob("vfio/[0-9]*")]) and any(map(_is_tpu, pci.glob("*")))


def _is_tpu(card: Path) -> bool:
    """Whether a PCI card is Google's and no disk (class 01) and no network card (02)."""
    with contextlib.suppress(OSError):
        vendor, kind = ((card / name).read_text().strip() for name in ("vendor", "class"))
        return vendor == "0x1ae0" and not kind.startswith(("0x01", "0x02"))
    return False
