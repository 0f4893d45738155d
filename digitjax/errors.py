"""The errors that a person sees: one sentence each, never a traceback."""


class DigitjaxError(Exception):
    """Something failed while running. The message is one sentence: value, place, remedy."""

    exit_code = 1


class InputError(DigitjaxError):
    """What the user gave cannot be used; nothing was written. The message ends with the remedy."""

    exit_code = 2


class Diverged(DigitjaxError):
    """The loss, the gradient or the params are no numbers any more."""


def one_line(text: str) -> str:
    """Text for a terminal: white space becomes one space, what cannot be printed a question mark."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
