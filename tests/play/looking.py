"""What is painted, for tests: a picture's pixels, its texts, and how far apart two pictures are."""

import numpy as np
import pygame
import pytest

from play.state import PlayState
from play.view import painter as painters
from tests.play import pictures


def pixels(state: PlayState) -> np.ndarray:
    return pygame.surfarray.array3d(pictures.paint(state)).swapaxes(0, 1).astype(int)


def texts_on(state: PlayState) -> list[str]:
    """Every text that is painted."""
    found: list[str] = []
    line, paragraph = painters._fitting, painters.Painter.paragraph

    def fitting(text, *rest):
        found.append(text)
        return line(text, *rest)

    def whole(self, text, *rest, **named):
        found.append(text)
        return paragraph(self, text, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(painters, "_fitting", fitting)
        patch.setattr(painters.Painter, "paragraph", whole)
        pictures.paint(state)
    return found


def far(one: np.ndarray, other: np.ndarray) -> float:
    """Part of the pixels that differ visibly."""
    return float((np.abs(one - other).max(axis=2) > 48).mean())
