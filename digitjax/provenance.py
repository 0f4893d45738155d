"""What a run notes of where it comes from: data, devices, platform, versions of packages, the date."""

import datetime
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from digitjax import sharding

PACKAGES = ("digitjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
"""Packages whose versions a run notes."""


def about(specs: Sequence[str], notices: Sequence[str]) -> dict[str, Any]:
    """All of that as JSON values for config.json, with the `specs` trained on and the `notices` given."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "data": list(specs),
        "notices": list(notices),
        "devices": sharding.describe_devices(),
        "platform": platform.platform(),
        "versions": versions,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
