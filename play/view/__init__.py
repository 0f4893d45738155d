"""The views: they read the state and write pixels. A screen is one module and one line in `play.screens`."""

import importlib

from play import screens
from play.view.screen import Screen


def screen(name: str) -> Screen:
    """How the screen of that name is painted."""
    assert name in screens.SCREENS
    return importlib.import_module(f"play.view.{name}").SCREEN
