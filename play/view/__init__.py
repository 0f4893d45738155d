"""The views: they read the state and write pixels. A screen is one module and one line in `SCREENS`."""

from play.view import draw, gallery, models, sees, why
from play.view.screen import Screen

SCREENS: dict[str, Screen] = {
    "draw": draw.SCREEN,
    "sees": sees.SCREEN,
    "why": why.SCREEN,
    "models": models.SCREEN,
    "gallery": gallery.SCREEN,
}
"""Screens by name, in `play.state.SCREENS`' order."""
