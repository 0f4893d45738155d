"""What a screen is. A screen is one module that makes one, and one line in `play.screens`."""

from collections.abc import Callable, Hashable
from typing import NamedTuple

from play.layout import Control, Layout, Rect
from play.state import PlayState
from play.view.painter import Block, Painter


class Overlay(NamedTuple):
    """What a screen paints over the ink on the canvas; painted anew when its key or the ink changes.

    Attributes:
        key: everything that its look depends on besides the ink.
        paint: does it.
        moves: for one that paints all of the canvas, ink or not: where the window differs from another of
            the same `still`. None for one that lies over the ink.
        still: what the rest of its look depends on.
    """

    key: Hashable
    paint: Callable[[Painter], None]
    moves: Rect | None = None
    still: Hashable = None


def no_controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """A screen without controls of its own."""
    return ()


def no_overlay(state: PlayState, layout: Layout) -> Overlay | None:
    """A screen that leaves the canvas as it is."""
    return None


class Screen(NamedTuple):
    """A screen as pure functions of the state and the layout.

    Attributes:
        blocks: parts of `layout.panel`, each painted when its key changes; together they should not overlap.
        controls: what can be pressed in the panel; painted, focused and hit by the frame.
        overlay: over the canvas, or None.
    """

    blocks: Callable[[PlayState, Layout], tuple[Block, ...]]
    controls: Callable[[PlayState, Layout], tuple[Control, ...]] = no_controls
    overlay: Callable[[PlayState, Layout], Overlay | None] = no_overlay
