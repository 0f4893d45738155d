"""The window's icon: a digit in the program's colours, drawn from lines, which needs no file and no font."""

import itertools

import pygame

from play.view.theme import PALETTES

SIDE, FINER = 64, 4
"""Pixels of the icon's side, and how many times larger it is drawn."""
LINES = (
    (((19, 14), (14, 38), (49, 38)), "ink"),
    (((38, 22), (38, 52)), "accent"),
)
"""The strokes of a 4, in pixels of the icon, and their colours."""


def icon() -> pygame.Surface:
    """A 4 on a dark ground with round corners."""
    palette, width = PALETTES["dark"], 7 * FINER
    large = pygame.Surface((SIDE * FINER, SIDE * FINER), pygame.SRCALPHA)
    pygame.draw.rect(large, palette.raised, large.get_rect(), border_radius=13 * FINER)
    for line, color in LINES:
        shade = getattr(palette, color)
        places = [(x * FINER, y * FINER) for x, y in line]
        for (x0, y0), (x1, y1) in itertools.pairwise(places):
            length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
            dx, dy = (x1 - x0) * width / 2 / length, (y1 - y0) * width / 2 / length
            corners = (x0 - dy, y0 + dx), (x1 - dy, y1 + dx), (x1 + dy, y1 - dx), (x0 + dy, y0 - dx)
            pygame.draw.polygon(large, shade, corners)
        for place in places:
            pygame.draw.circle(large, shade, place, width / 2)
    return pygame.transform.smoothscale(large, (SIDE, SIDE))
