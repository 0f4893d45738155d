"""Where the drawing program keeps things; the places themselves are `digitjax.paths`'."""

import os
from pathlib import Path

from digitjax import paths


def user_folder(given: str | None) -> Path:
    """Recordings and settings: `--user-dir`, else `DIGITJAX_USER_DIR`, else the user's data folder."""
    return Path(given).expanduser() if given else paths.user_dir()


def compilation_cache() -> str:
    """Folder of JAX's compiled programs, so that the second start is quicker; "" where it cannot be made.

    Nobody else may write there: what it holds is run.
    """
    folder = paths.data_dir() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
            return ""
        folder.chmod(0o700)
    except OSError:
        return ""
    return str(folder) if os.access(folder, os.W_OK) else ""
