"""Paints on a surface in a theme's colours: boxes, text that never leaves its place, small images."""

import functools
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pygame

from play.layout import Rect
from play.view.theme import Color, Palette, font

ELLIPSIS = "…"


class Block(NamedTuple):
    """A part of the screen that is painted when its key changes.

    Attributes:
        rect: what it paints, all of it, background too.
        key: everything that its look depends on besides theme, sizes and place.
        paint: does it.
    """

    rect: Rect
    key: Hashable
    paint: "Callable[[Painter, Rect], None]"


class Painter:
    """A surface, a palette and the sizes."""

    def __init__(self, surface: pygame.Surface, palette: Palette, unit: float, text: int) -> None:
        self.surface, self.palette, self.unit, self.text_size = surface, palette, unit, text

    def px(self, design: float) -> int:
        """Design pixels in pixels, at least one."""
        return max(1, round(design * self.unit))

    def fill(self, rect: Rect, color: Color) -> None:
        """A plain rectangle."""
        self.surface.fill(color, rect)

    def box(
        self, rect: Rect, color: Color, radius: float = 8, border: Color | None = None, width: float = 1
    ) -> None:
        """A rectangle with round corners, and a border if one is given."""
        if border is None:
            self._rounded(rect, color, self.px(radius))
            return
        self._rounded(rect, border, self.px(radius))
        self._rounded(rect.inset(self.px(width)), color, max(0, self.px(radius) - self.px(width)))

    def _rounded(self, rect: Rect, color: Color, radius: int) -> None:
        """With smooth corners, which pygame's own lack."""
        radius = min(radius, rect.w // 2, rect.h // 2)
        if radius < 1:
            self.surface.fill(color, rect)
            return
        self.surface.fill(color, (rect.x + radius, rect.y, rect.w - 2 * radius, rect.h))
        for x in (rect.x, rect.right - radius):
            self.surface.fill(color, (x, rect.y + radius, radius, rect.h - 2 * radius))
        for corner, x, y in zip(
            _corners(radius, color),
            (rect.x, rect.right - radius) * 2,
            (rect.y, rect.y, rect.bottom - radius, rect.bottom - radius),
            strict=True,
        ):
            self.surface.blit(corner, (x, y))

    def text(
        self,
        text: str,
        rect: Rect,
        color: Color,
        *,
        size: float = 1.0,
        bold: bool = False,
        align: str = "left",
        valign: str = "middle",
        smallest: float = 0.5,
    ) -> int:
        """One line of text inside a rectangle: smaller where it must be, then cut with an ellipsis.

        Args:
            size: in normal texts.
            align: "left", "centre" or "right".
            valign: "top", "middle" or "bottom".
            smallest: part of `size` down to which it may shrink.

        Returns:
            Its width in pixels.
        """
        if not text or rect.w <= 0 or rect.h <= 0:
            return 0
        text = printable(text)
        pixels = max(6, round(self.text_size * size))
        image = _fitting(text, color, pixels, max(6, round(pixels * smallest)), bold, rect.w, rect.h)
        x = {"left": rect.x, "centre": rect.x + (rect.w - image.get_width()) // 2}.get(
            align, rect.right - image.get_width()
        )
        y = {"top": rect.y, "middle": rect.y + (rect.h - image.get_height()) // 2}.get(
            valign, rect.bottom - image.get_height()
        )
        self.surface.blit(image, (x, y))
        return image.get_width()

    def common(self, texts: Iterable[tuple[str, Rect]], *, bold: bool = False) -> float:
        """The size, at most 1, in which each of several texts fits its place, so that they look alike."""
        pixels, least = self.text_size, max(6, round(self.text_size * 0.5))
        fitted = [fitting_pixels(printable(text), pixels, least, bold, at.w, at.h) for text, at in texts]
        return min(fitted, default=pixels) / self.text_size

    def paragraph(self, text: str, rect: Rect, color: Color, *, size: float = 1.0, bold: bool = False) -> int:
        """Text broken into lines; the last one that fits is cut with an ellipsis. Returns the height used."""
        pixels = max(6, round(self.text_size * size))
        lines = wrap(text, pixels, bold, rect.w)
        height = round(pixels * 1.35)
        room = max(1, rect.h // height)
        if len(lines) > room:
            lines = [*lines[: room - 1], lines[room - 1] + ELLIPSIS]
        for i, line in enumerate(lines):
            self.text(line, Rect(rect.x, rect.y + i * height, rect.w, height), color, size=size, bold=bold)
        return height * len(lines)

    def digit(
        self, text: str, rect: Rect, color: Color, bold: bool = True, unread: Color | None = None
    ) -> None:
        """Text as large as the rectangle takes, centred by its ink; question marks in the colour `unread`."""
        if not text or rect.w < 4 or rect.h < 4:
            return
        image = _huge(text, color, bold, rect.w, rect.h, unread)
        place = rect.x + (rect.w - image.get_width()) // 2, rect.y + (rect.h - image.get_height()) // 2
        self.surface.blit(image, place)

    def image(self, values: np.ndarray, rect: Rect, dark: Color, light: Color) -> Rect:
        """A small image, 0 to 255, [rows, columns], as large whole-pixel squares; returns where it lies."""
        part = values.astype(np.float32)[:, :, None] / 255.0
        colors = np.array(dark, np.float32) * (1 - part) + np.array(light, np.float32) * part
        return self.colors(colors.astype(np.uint8), rect)

    def colors(self, pixels: np.ndarray, rect: Rect) -> Rect:
        """The same for uint8 [rows, columns, 3]."""
        rows, columns = pixels.shape[:2]
        times = max(1, min(rect.w // columns, rect.h // rows))
        small = pygame.surfarray.make_surface(np.ascontiguousarray(pixels.swapaxes(0, 1)))
        large = pygame.transform.scale(small, (columns * times, rows * times))
        x, y = rect.x + (rect.w - large.get_width()) // 2, rect.y + (rect.h - large.get_height()) // 2
        self.surface.blit(large, (x, y))
        return Rect(x, y, large.get_width(), large.get_height())


def printable(text: str) -> str:
    """Text without what no font can draw: a file's word or a path may hold any character."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def wrap(text: str, pixels: int, bold: bool, width: int) -> list[str]:
    """Lines of text no wider than `width`; a longer word is broken."""
    measure = font(pixels, bold).size
    lines, line = [], ""
    for word in _pieces(text, measure, width):
        longer = f"{line} {word}" if line else word
        if line and measure(longer)[0] > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines


def _pieces(text: str, measure: Callable[[str], tuple[int, int]], width: int) -> Iterator[str]:
    for word in printable(text).split():
        while len(word) > 1 and measure(word)[0] > width:
            length = max(1, len(word) * width // measure(word)[0])
            while length > 1 and measure(word[:length])[0] > width:
                length -= 1
            yield word[:length]
            word = word[length:]
        yield word


def text_width(text: str, pixels: int, bold: bool = False) -> int:
    """Pixels that a line of text takes."""
    return font(pixels, bold).size(printable(text))[0]


@functools.lru_cache(maxsize=256)
def _corners(radius: int, color: Color) -> tuple[pygame.Surface, ...]:
    """Quarters of a disc: left and right of the upper edge, then of the lower."""
    away = radius - 0.5 - np.arange(radius)
    cover = np.clip(radius + 0.5 - np.hypot(away[:, None], away[None, :]), 0, 1)
    first = pygame.Surface((radius, radius), pygame.SRCALPHA)
    first.fill((*color, 255))
    pygame.surfarray.pixels_alpha(first)[:] = np.rint(255 * cover).astype(np.uint8)
    return tuple(pygame.transform.flip(first, x, y) for y in (False, True) for x in (False, True))


@functools.lru_cache(maxsize=1024)
def fitting_pixels(text: str, pixels: int, smallest: int, bold: bool, width: int, height: int) -> int:
    """Size of a line of text that fits: `pixels`, or less where it must be, down to `smallest`."""
    size = font(pixels, bold).size(text)
    if size[0] > width or size[1] > height * 1.3:
        pixels = max(
            smallest, min(int(pixels * width / max(size[0], 1)), int(pixels * 1.3 * height / size[1]))
        )
    while pixels > smallest and font(pixels, bold).size(text)[0] > width:
        pixels -= 1
    return pixels


@functools.lru_cache(maxsize=1024)
def _fitting(
    text: str, color: Color, pixels: int, smallest: int, bold: bool, width: int, height: int
) -> pygame.Surface:
    pixels = fitting_pixels(text, pixels, smallest, bold, width, height)
    cut = text
    while len(cut) > 1 and font(pixels, bold).size(cut)[0] > width:
        cut = (cut[:-2] if cut.endswith(ELLIPSIS) else cut[:-1]).rstrip() + ELLIPSIS
        if len(cut) <= 2:
            break
    return font(pixels, bold).render(cut, True, color)


@functools.lru_cache(maxsize=128)
def _huge(
    text: str, color: Color, bold: bool, width: int, height: int, unread: Color | None
) -> pygame.Surface:
    pixels = max(6, int(height * 1.3))
    image = font(pixels, bold).render(text, True, color)
    ink = image.get_bounding_rect()
    part = min(width / max(ink.w, 1), height / max(ink.h, 1))
    if part < 1:
        pixels = max(6, int(pixels * part))
        image = font(pixels, bold).render(text, True, color)
    for i, sign in enumerate(text):
        if sign == "?" and unread is not None:
            place = font(pixels, bold).size(text[:i])[0], 0
            mark = font(pixels, bold).render(sign, True, unread)
            image.fill((0, 0, 0, 0), mark.get_rect(topleft=place))
            image.blit(mark, place)
    return image.subsurface(image.get_bounding_rect())
