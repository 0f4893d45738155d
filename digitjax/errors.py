"""The errors that a person sees: one sentence each, never a traceback."""

from pathlib import Path


class DigitjaxError(Exception):
    """Something failed while running. The message is one sentence: value, place, remedy."""

    exit_code = 1


class InputError(DigitjaxError):
    """What the user gave cannot be used; nothing was written. The message ends with the remedy."""

    exit_code = 2


class Diverged(DigitjaxError):
    """The loss, the gradient or the params are no numbers any more."""


class NoNumber(DigitjaxError):
    """A network answers something that is no number."""


def one_line(text: str) -> str:
    """Text for a terminal: white space becomes one space, what cannot be printed a question mark."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def counted(number: int, thing: str) -> str:
    """A number of things: "1 drawing", "1,200 drawings"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def near_files(path: Path) -> str:
    """What may have been meant by a path that does not exist, as the middle of a sentence."""
    import difflib

    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return f", nor does the folder {path.parent}"
    near = difflib.get_close_matches(path.name, names, 1)
    return f" (did you mean {path.parent / near[0]}?)" if near else ""
