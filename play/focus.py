"""Where Tab and the arrow keys take the keyboard's focus: from group to group, and inside one. Pure."""

import math
from collections.abc import Sequence

from play.layout import TOOLS, Control, Rect

ARROWS = ("left", "right", "up", "down")
TOGETHER = (
    ("text-cycle", "theme", "numbers", "fullscreen", "help"),
    tuple(tool[0] for tool in TOOLS),
    ("train", "answer"),
    ("scroll", "binned", "model", "second", "broken", "watch", "copy", "bin", "back", "hard", "entry"),
    ("label", "delete"),
    ("export", "import"),
)
"""Names of actions whose controls are one group; any other name is a group of its own."""
GROUPS = {name: names[0] for names in TOGETHER for name in names}


def next_focus(
    controls: Sequence[Control], focus: str | None, step: int, last: Control | None = None
) -> str | None:
    """The control that Tab (step 1) or Shift-Tab (-1) goes to: the next group's chosen one, or its first.

    Args:
        controls: all there are, in their order.
        focus: the one that has the focus, if one has.
        step: 1 or -1.
        last: the one that was pressed or focused last; where it has gone, Tab goes to what is nearest.
    """
    groups: dict[str, list[Control]] = {}
    for control in controls:
        if control.enabled:
            groups.setdefault(_group(control), []).append(control)
    if not groups:
        return None
    start = focus if focus is not None or last is None else last.action
    now = next((control for group in groups.values() for control in group if control.action == start), None)
    if now is not None:
        names = list(groups)
        members = groups[names[(names.index(_group(now)) + step) % len(names)]]
    elif last is None:
        members = list(groups.values())[0 if step > 0 else -1]
    else:
        return min((c for c in controls if c.enabled), key=lambda c: _apart(c.rect, last.rect)).action
    return next((control for control in members if control.on), members[0]).action


def beside(controls: Sequence[Control], focus: str | None, arrow: str) -> str | None:
    """The control of the same group that an arrow key goes to; None where the key means something else.

    Left and right stay at the ends of a row; above and below a list there may be more to scroll to.

    Args:
        controls: all there are, in their order.
        focus: the one that has the focus, if one has.
        arrow: one of `ARROWS`.
    """
    now = next((control for control in controls if control.action == focus), None)
    if now is None or now.slides:
        return None
    group = [c for c in controls if c is now or (c.enabled and _group(c) == _group(now))]
    if arrow in ("left", "right"):
        row = sorted((c for c in group if _below(now, c) < 0 and _below(c, now) < 0), key=lambda c: c.rect.x)
        at = row.index(now) + (1 if arrow == "right" else -1)
        return row[min(max(at, 0), len(row) - 1)].action if len(row) > 1 else None
    gaps = [(_below(now, c) if arrow == "down" else _below(c, now), c) for c in group]
    there = [(gap, abs(_middle(c.rect)[0] - _middle(now.rect)[0]), c.action) for gap, c in gaps if gap >= 0]
    return min(there)[2] if there else None


def _group(control: Control) -> str:
    """The name of its group; a slider, which keeps the arrow keys to itself, is one of its own."""
    name = control.action if control.slides else control.action.partition(":")[0]
    return GROUPS.get(name, name)


def _below(upper: Control, lower: Control) -> int:
    """Pixels between two controls, negative where the second is not below the first."""
    return lower.rect.y - upper.rect.bottom


def _middle(rect: Rect) -> tuple[float, float]:
    return rect.x + rect.w / 2, rect.y + rect.h / 2


def _apart(one: Rect, other: Rect) -> float:
    return math.dist(_middle(one), _middle(other))
