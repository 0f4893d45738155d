"""One frame: paints what changed since the last one and says where."""

from collections.abc import Hashable

import pygame

from play import view
from play.layout import Control, Layout, Rect, arrange
from play.screens import SCREENS
from play.state import PlayState
from play.view import chrome, help
from play.view.ink_layer import InkLayer
from play.view.painter import Block, Painter
from play.view.screen import Overlay
from play.view.theme import PALETTES


def controls_of(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    """All that can be pressed now, the frame's and the screen's; nothing behind the help."""
    return help.controls(layout) if state.help else _all_controls(state, layout)


def _all_controls(state: PlayState, layout: Layout) -> tuple[Control, ...]:
    return (*layout.controls, *view.screen(state.screen).controls(state, layout))


class Frame:
    """Keeps what is on the surface, so that a frame costs what has changed and no more."""

    def __init__(self) -> None:
        self._ink = InkLayer()
        self._look: Hashable = None
        self._painted: dict[Rect, Hashable] = {}
        self._overlay: Overlay | None = None

    def draw(
        self, surface: pygame.Surface, state: PlayState, layout: Layout | None = None
    ) -> list[pygame.Rect]:
        """Brings the surface up to date with the state.

        Returns:
            The rectangles that changed.
        """
        layout = layout or arrange(state)
        screen = view.screen(state.screen)
        palette = PALETTES[state.settings.theme]
        painter = Painter(surface, palette, layout.unit, layout.text)
        places = layout._replace(controls=())
        look = (id(surface), state.settings.theme, places, state.screen, state.help, state.problem)
        dirty: list[pygame.Rect] = []
        if look != self._look:
            surface.fill(palette.ground)
            self._look, self._painted, self._overlay = look, {}, None
            self._ink = InkLayer()
            dirty.append(pygame.Rect(layout.window))
        if SCREENS[state.screen].has_canvas:
            dirty += self._canvas(painter, state, layout, screen.overlay(state, layout))
        blocks = [*screen.blocks(state, layout)]
        tip, controls = "", _all_controls(state, layout)
        labels = chrome.alike(controls)
        for control in controls:
            focused, hovered = control.action == state.focus, control.action == state.hover
            if hovered or (focused and not tip):
                tip = control.words or tip
            if not control.own:
                blocks.append(chrome.control_block(control, focused, hovered, labels.get(control.action, ())))
        blocks.append(chrome.status_block(state, layout, tip))
        if state.help:
            blocks.append(help.block(state, layout))
        return dirty + self._blocks(painter, blocks, dirty)

    def _blocks(self, painter: Painter, blocks: list[Block], dirty: list[pygame.Rect]) -> list[pygame.Rect]:
        changed: list[pygame.Rect] = []
        painted: dict[Rect, Hashable] = {}
        gone = [rect for rect in self._painted if rect not in {block.rect for block in blocks}]
        for rect in gone:
            painter.fill(rect, painter.palette.ground)
            changed.append(pygame.Rect(rect))
        clip = painter.surface.get_clip()
        for block in blocks:
            place = pygame.Rect(block.rect)
            known = self._painted.get(block.rect, None) == block.key
            if not known or place.collidelist(changed) >= 0 or (place.collidelist(dirty) >= 0):
                painter.surface.set_clip(place)
                block.paint(painter, block.rect)
                changed.append(place)
            painted[block.rect] = block.key
        painter.surface.set_clip(clip)
        self._painted = painted
        return changed

    def _canvas(
        self, painter: Painter, state: PlayState, layout: Layout, overlay: Overlay | None
    ) -> list[pygame.Rect]:
        canvas, palette = layout.canvas, painter.palette
        dirty = self._ink.update(state.strokes, canvas.w, state.pen, palette.paper, palette.ink, canvas.h)
        before, self._overlay = self._overlay, overlay
        whole = pygame.Rect(0, 0, canvas.w, canvas.h)
        if overlay is not None and before is not None and not dirty and overlay.moves and before.moves:
            if overlay.key != before.key:
                moved = pygame.Rect(overlay.moves).union(before.moves).move(-canvas.x, -canvas.y)
                dirty = [moved.clip(whole) if overlay.still == before.still else whole]
        elif (overlay and overlay.key) != (before and before.key) or (dirty and overlay is not None):
            dirty = [whole]
        dirty = [part for part in dirty if part.w and part.h]
        if overlay is None or overlay.moves is None:
            for part in dirty:
                self._ink.blit(painter.surface, canvas, part)
        if dirty and overlay is not None:
            clip = painter.surface.get_clip()
            painter.surface.set_clip(dirty[0].move(canvas.x, canvas.y))
            overlay.paint(painter)
            painter.surface.set_clip(clip)
        return [part.move(canvas.x, canvas.y) for part in dirty]
