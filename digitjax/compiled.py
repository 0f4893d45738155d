"""Compiled programs kept from one process to the next: JAX's persistent cache in the user's own folder.

What lies there is run, so a folder that somebody else owns or can write to is not used. A folder serves one
jaxlib on one kind of processor. JAX is imported only where it is used.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from digitjax import paths

NAME = "compiled"
"""Folder of all compiled programs, in that of prepared data."""
GIVEN = "JAX_COMPILATION_CACHE_DIR"
"""Whoever sets it chooses the folder, and answers for it."""


_FAILED = "Error (reading|writing) persistent compilation cache entry"


class Programs:
    """How many programs this process has asked for since `use`.

    Attributes:
        asked: programs that JAX looked up.
        found: those that were there.
        failed: files that could not be read or written.
    """

    def __init__(self) -> None:
        self.asked = self.found = self.failed = 0

    def __str__(self) -> str:
        return f"{self.found} of {self.asked} compiled programs were there from before"

    def count(self, event: str, **_: str | int) -> None:
        """Notes an event of JAX's."""
        self.asked += event == "/jax/compilation_cache/compile_requests_use_cache"
        self.found += event == "/jax/compilation_cache/cache_hits"

    def warned(self, message: Warning | str) -> bool:
        """Notes a warning; whether it is about a file of the cache."""
        is_ours = "persistent compilation cache entry" in str(message)
        self.failed += is_ours
        return is_ours


def place() -> Path:
    """Where the programs of this jaxlib and this processor belong; nothing is made."""
    return paths.data_dir() / NAME / _kind()


def folder() -> Path | None:
    """The folder for this jaxlib and this processor, made where it was missing; None where none is safe.

    It has mode 0700. It and the folders that hold it must be this user's own (those above may be root's), no
    links, and nobody else may write to them.
    """
    wanted = place()
    root = wanted.parent
    try:
        for made in (root, wanted):
            made.mkdir(parents=True, exist_ok=True, mode=0o700)
            if made.is_symlink() or not _is_own(made):
                return None
        safe = all(_is_safe(parent) for parent in root.resolve().parents)
    except OSError:
        return None
    return wanted if safe and os.access(wanted, os.W_OK) else None


def use(kept_in: Path) -> None:
    """Lets JAX keep what it compiles in that folder."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str(kept_in))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@contextlib.contextmanager
def kept(tell: Callable[[str], None]) -> Iterator[None]:
    """Keeps what is compiled inside, in `folder()`; tells if that is empty or unsafe, and how much was there.

    The folder that `JAX_COMPILATION_CACHE_DIR` names is used as JAX does. A file that a killed process left
    half-written, or a full disk, costs a compilation and not a word; then the folder is emptied.
    """
    import jax

    given = os.environ.get(GIVEN)
    own = None if given else folder()
    if own is not None:
        use(own)
        if not any(own.iterdir()):
            tell("nothing is compiled yet for this machine and this JAX: it takes longer to begin, this once")
    programs, show = Programs(), warnings.showwarning

    def shown(message: Warning | str, *rest: Any, **named: Any) -> None:
        if not programs.warned(message):
            show(message, *rest, **named)

    jax.monitoring.register_event_listener(programs.count)
    warnings.filterwarnings("always", _FAILED)
    warnings.showwarning = shown
    try:
        yield
    finally:
        warnings.showwarning = show
        jax.monitoring.unregister_event_listener(programs.count)
    if given or own is not None:
        tell(str(programs))
    else:
        tell(
            f"compiled programs are not kept: {paths.quoted(place())} cannot be written, or others can write "
            f"to it or a folder above it"
        )
    if own is not None and programs.failed:
        with contextlib.suppress(OSError):
            shutil.rmtree(own)


def _kind() -> str:
    """This jaxlib on this kind of processor: code for one may not run on the other."""
    try:
        version = metadata.version("jaxlib")
    except metadata.PackageNotFoundError:
        version = "none"
    about = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        lines = file.read(1 << 14).partition("\n\n")[0].splitlines()  # the first of processors that are alike
        about += [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    return f"jaxlib-{version}-{hashlib.sha256(''.join(about).encode()).hexdigest()[:12]}"


def _is_own(made: Path) -> bool:
    """Whether the folder is this user's and nobody else can write to it."""
    if not hasattr(os, "getuid"):  # Windows keeps users' folders apart
        return True
    found = made.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_safe(parent: Path) -> bool:
    """Whether nobody else can put another folder in the place of one inside."""
    if not hasattr(os, "getuid"):
        return True
    found = parent.stat()
    is_private = found.st_gid == os.getuid()  # the group that a user alone is in has the user's number
    shared = found.st_mode & (stat.S_IWOTH if is_private else stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid in (0, os.getuid()) and (not shared or bool(found.st_mode & stat.S_ISVTX))
