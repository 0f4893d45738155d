"""What every test of the drawing program finds ready."""

import pygame
import pytest


@pytest.fixture(scope="session", autouse=True)
def _fonts():
    pygame.font.init()
