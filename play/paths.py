"""Where the drawing program keeps things; the places themselves are `digitjax.paths`'."""

from pathlib import Path

from digitjax import paths


def user_folder(given: str | None) -> Path:
    """Recordings and settings: `--user-dir`, else `DIGITJAX_USER_DIR`, else the user's data folder."""
    return Path(given).expanduser() if given else paths.user_dir()
