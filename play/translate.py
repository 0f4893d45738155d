"""pygame's events to ours: mouse, finger and pen are one pointer; a second finger and the palm are none.

A finger's touch comes as finger events and again as mouse events that SDL makes up (`event.touch`); those are
dropped. While a finger draws no other counts; one that rests elsewhere does not keep another from drawing. A
mouse or pen takes over from a finger, and what that had only dotted was a palm's. Of two fingers that have
only touched, the first that moves is the pen and the other the palm; where one lifts before, the other is
the pen. A list follows its holder.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pygame

from play import events
from play.focus import ARROWS, beside, next_focus
from play.layout import Control, Layout, hit, to_canvas
from play.places import Sliding

MOUSE = -1
"""The mouse among the pointers, which otherwise are fingers' ids."""
TREMBLE = 0.2
"""Part of a row by which a finger may move and still press."""
STILL = 12.0
"""Pixels within which a finger has hardly moved, and within which a mouse's press is the finger's own."""
KEY_NAMES = {
    pygame.K_RETURN: "return",
    pygame.K_KP_ENTER: "return",
    pygame.K_SPACE: "space",
    pygame.K_ESCAPE: "escape",
    pygame.K_DELETE: "delete",
    pygame.K_BACKSPACE: "delete",
    pygame.K_UP: "up",
    pygame.K_DOWN: "down",
    pygame.K_LEFT: "left",
    pygame.K_RIGHT: "right",
    pygame.K_HOME: "home",
    pygame.K_END: "end",
    pygame.K_PAGEUP: "pageup",
    pygame.K_PAGEDOWN: "pagedown",
    pygame.K_F1: "f1",
    pygame.K_F3: "f3",
    pygame.K_F11: "f11",
}


class Pointer(NamedTuple):
    """What the translator remembers.

    Attributes:
        held: the finger or the mouse that is down, None for none.
        drawing: it went down on the canvas.
        pressed: the control on which it went down.
        began: where on the window it went down on the canvas.
        at: where it is now.
        strayed: it has moved farther than `STILL` from where it went down.
        rival: another finger that touched the canvas before this one had strayed, and where it did.
        held_at: y on the list that it holds, up to which the list has followed; None for no list.
        last: the control that was pressed or focused last: Tab goes on from there.
    """

    held: int | None = None
    drawing: bool = False
    pressed: str | None = None
    held_at: float | None = None
    began: tuple[float, float] = (0.0, 0.0)
    at: tuple[float, float] = (0.0, 0.0)
    strayed: bool = False
    rival: tuple[int, tuple[float, float]] | None = None
    last: Control | None = None


def translate(
    event: Any,
    pointer: Pointer,
    layout: Layout,
    controls: Sequence[Control],
    *,
    focus: str | None,
    time: float,
    covered: bool = False,
    sliding: Sliding | None = None,
) -> tuple[Pointer, tuple[events.Event, ...]]:
    """One of pygame's events as ours.

    Args:
        event: pygame's.
        pointer: what the last call returned.
        layout: where everything is now.
        controls: of the frame and of the screen, as drawn.
        focus: control that has the keyboard's focus.
        time: seconds of the program's clock.
        covered: the canvas is not there, or something lies over it.
        sliding: the list that can be dragged, if there is one.
    """
    before = pointer
    pointer, found = _translate(event, pointer, layout, controls, focus, time, covered)
    found = (*found, *_slid(event, pointer, layout, controls))
    pointer = pointer._replace(last=_last(found, controls) or before.last)
    if sliding is None or pointer.held is None or pointer.drawing:
        return pointer, found
    place = _place(event, layout)
    if place is None:
        return pointer, found
    x, y = place
    if before.held is None or before.held != pointer.held:
        return (pointer._replace(held_at=y) if sliding.area.contains(x, y) else pointer), found
    if pointer.held_at is None or _pointer_of(event) != pointer.held:
        return pointer, found
    if pointer.pressed is not None and abs(y - pointer.held_at) < TREMBLE * sliding.pitch:
        return pointer, found
    rows = round((pointer.held_at - y) / sliding.pitch)
    pointer = pointer._replace(pressed=None, held_at=pointer.held_at - rows * sliding.pitch)
    return pointer, (*found, events.Scroll(float(rows))) if rows else found


def _translate(
    event: Any,
    pointer: Pointer,
    layout: Layout,
    controls: Sequence[Control],
    focus: str | None,
    time: float,
    covered: bool,
) -> tuple[Pointer, tuple[events.Event, ...]]:
    kind = event.type
    if kind in (pygame.MOUSEBUTTONDOWN, pygame.MOUSEMOTION, pygame.MOUSEBUTTONUP):
        return _mouse(event, pointer, layout, controls, time, covered)
    if kind in (pygame.FINGERDOWN, pygame.FINGERMOTION, pygame.FINGERUP):
        x, y = _touched(event, layout)
        finger = int(event.finger_id)
        if kind == pygame.FINGERDOWN:
            return _down(pointer, finger, x, y, layout, controls, time, covered)
        if pointer.rival is not None and pointer.rival[0] == finger:
            moved = kind == pygame.FINGERMOTION
            return _rival_moved(pointer, x, y, layout, time) if moved else (pointer._replace(rival=None), ())
        if pointer.held != finger:
            return pointer, ()
        if kind == pygame.FINGERMOTION:
            return _moved(pointer, x, y), _move(pointer, x, y, layout, time)
        if pointer.rival is not None:
            other, began = pointer.rival
            down = events.PenDown(*to_canvas(layout, *began), time)
            return Pointer(other, True, began=began, at=began), (events.PenUp(time), down)
        return _up(pointer, x, y, controls, time)
    if kind == pygame.KEYDOWN:
        return pointer, _key(event, controls, focus, pointer.last)
    if kind == pygame.MOUSEWHEEL:
        return pointer, (events.Scroll(-float(event.y)),) if event.y else ()
    if kind in (pygame.WINDOWFOCUSLOST, pygame.WINDOWMINIMIZED):
        lost = (events.PenLost(time),) if pointer.drawing else ()
        return Pointer(), lost
    if kind == pygame.WINDOWLEAVE:
        return pointer, (events.Hover(None),)
    if kind == pygame.DROPFILE:
        return pointer, (events.Dropped(str(event.file)),)
    if kind == pygame.QUIT:
        return Pointer(), (events.Closed(),)
    return pointer, ()


def _slid(
    event: Any, pointer: Pointer, layout: Layout, controls: Sequence[Control]
) -> tuple[events.Event, ...]:
    """The slider that the pointer holds goes where the pointer is."""
    if pointer.held is None or pointer.pressed is None:
        return ()
    slider = next((c for c in controls if c.slides and c.action == pointer.pressed), None)
    place = _place(event, layout)
    if slider is None or place is None or _pointer_of(event) != pointer.held:
        return ()
    part = (place[0] - slider.rect.x) / max(1, slider.rect.w - 1)
    return (events.Press(f"{slider.action}={min(max(part, 0.0), 1.0):.4f}"),)


def _place(event: Any, layout: Layout) -> tuple[float, float] | None:
    """Where the mouse or a finger is, in pixels; None for other events and for mouse events made of touch."""
    if event.type in (pygame.FINGERDOWN, pygame.FINGERMOTION):
        return _touched(event, layout)
    if event.type in (pygame.MOUSEBUTTONDOWN, pygame.MOUSEMOTION) and not getattr(event, "touch", False):
        return event.pos
    return None


def _touched(event: Any, layout: Layout) -> tuple[float, float]:
    """Where a finger is, in pixels: it comes as parts of the window."""
    width, height = layout.size
    return event.x * width, event.y * height


def _pointer_of(event: Any) -> int:
    return int(event.finger_id) if event.type in (pygame.FINGERDOWN, pygame.FINGERMOTION) else MOUSE


def _last(found: Sequence[events.Event], controls: Sequence[Control]) -> Control | None:
    """The control that these events press or focus."""
    names = {e.action.partition("=")[0] for e in found if isinstance(e, events.Press)}
    names |= {e.control for e in found if isinstance(e, events.Focus)}
    return next((control for control in controls if control.action in names), None)


def _mouse(
    event: Any,
    pointer: Pointer,
    layout: Layout,
    controls: Sequence[Control],
    time: float,
    covered: bool,
) -> tuple[Pointer, tuple[events.Event, ...]]:
    if getattr(event, "touch", False):
        return pointer, ()
    x, y = event.pos
    if event.type == pygame.MOUSEBUTTONDOWN:
        if event.button != 1:
            return pointer, ()
        return _down(pointer, MOUSE, x, y, layout, controls, time, covered)
    if event.type == pygame.MOUSEBUTTONUP:
        return (
            _up(pointer, x, y, controls, time)
            if event.button == 1 and pointer.held == MOUSE
            else (pointer, ())
        )
    if pointer.held is None:
        under = hit(controls, x, y)
        return pointer, (events.Hover(under.action if under is not None else None),)
    if pointer.held != MOUSE:
        return pointer, ()
    if not event.buttons[0]:  # the button went up where we could not see it
        return _up(pointer, -1, -1, controls, time)
    return _moved(pointer, x, y), _move(pointer, x, y, layout, time)


def _down(
    pointer: Pointer,
    held: int,
    x: float,
    y: float,
    layout: Layout,
    controls: Sequence[Control],
    time: float,
    covered: bool,
) -> tuple[Pointer, tuple[events.Event, ...]]:
    control = hit(controls, x, y)
    on_canvas = control is None and layout.canvas.contains(x, y) and not covered
    ended: tuple[events.Event, ...] = ()
    if pointer.drawing:
        if held != MOUSE and pointer.held not in (MOUSE, held) and on_canvas and not pointer.strayed:
            return pointer._replace(rival=(held, (x, y))), ()
        if held != MOUSE or pointer.held == MOUSE or _near(pointer.at, x, y):
            return pointer, ()
        ended = (events.PenLost(time),) if pointer.strayed else (events.PenDropped(time),)
    elif not on_canvas and (pointer.pressed is not None or pointer.held_at is not None):
        return pointer, ()
    if control is not None:
        return Pointer(held, False, control.action), ended
    if on_canvas:
        down = events.PenDown(*to_canvas(layout, x, y), time)
        return Pointer(held, True, began=(x, y), at=(x, y)), (*ended, down)
    return Pointer(held), ended


def _near(place: tuple[float, float], x: float, y: float) -> bool:
    return math.hypot(x - place[0], y - place[1]) <= STILL


def _moved(pointer: Pointer, x: float, y: float) -> Pointer:
    if not pointer.drawing:
        return pointer
    strayed = pointer.strayed or not _near(pointer.began, x, y)
    return pointer._replace(at=(x, y), strayed=strayed, rival=None if strayed else pointer.rival)


def _rival_moved(
    pointer: Pointer, x: float, y: float, layout: Layout, time: float
) -> tuple[Pointer, tuple[events.Event, ...]]:
    """The second finger turns out to be the pen as soon as it moves: the first was a palm's dot."""
    if pointer.rival is None or _near(pointer.rival[1], x, y):
        return pointer, ()
    finger, began = pointer.rival
    down = events.PenDown(*to_canvas(layout, *began), time)
    move = events.PenMove(*to_canvas(layout, x, y), time)
    pen = Pointer(finger, True, began=began, at=(x, y), strayed=True)
    return pen, (events.PenDropped(time), down, move)


def _move(pointer: Pointer, x: float, y: float, layout: Layout, time: float) -> tuple[events.Event, ...]:
    return (events.PenMove(*to_canvas(layout, x, y), time),) if pointer.drawing else ()


def _up(
    pointer: Pointer, x: float, y: float, controls: Sequence[Control], time: float
) -> tuple[Pointer, tuple[events.Event, ...]]:
    if pointer.drawing:
        return Pointer(), (events.PenUp(time),)
    control = hit(controls, x, y)
    if control is None or control.action != pointer.pressed:
        return Pointer(), ()
    if not control.enabled:  # a finger points at nothing: it is told why when it presses
        return Pointer(), (events.Notice(control.why),) if control.why else ()
    return Pointer(), (events.Press(control.action),)


def _key(
    event: Any, controls: Sequence[Control], focus: str | None, last: Control | None
) -> tuple[events.Event, ...]:
    shift, ctrl = bool(event.mod & pygame.KMOD_SHIFT), bool(event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META))
    if event.key == pygame.K_TAB:
        return (events.Focus(next_focus(controls, focus, -1 if shift else 1, last)),)
    name = KEY_NAMES.get(event.key)
    if name in ARROWS and (mate := beside(controls, focus, name)) is not None:
        return (events.Focus(mate),)
    if name is None:
        text = event.unicode
        name = text.lower() if text and text.isprintable() else ""
        if ctrl and pygame.K_a <= event.key <= pygame.K_z:
            name = chr(event.key)
    return (events.KeyPress(name, shift, ctrl),) if name else ()
