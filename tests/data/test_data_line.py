"""The line of progress on a terminal."""

import io
import sys

import pytest

from digitjax.data import line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_rewritten_and_what_others_print_is_not_shown(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(line, "_EVERY", 0.0)
    with line.progress_line("preparing", 8) as progress:
        print("Dataset is being prepared")
        for number in range(9):
            progress.done(number)
    *rewritten, last = shown.getvalue().split("\r")
    assert [text.split()[-1] for text in rewritten if text.strip()] == [
        f"{n / 8:.0%}" for n in (0, *range(9))
    ]
    assert last == "preparing\n" and shown.getvalue().count("\n") == 1
    with pytest.raises(ZeroDivisionError), line.progress_line("failing", 8):
        raise ZeroDivisionError
    assert shown.getvalue().endswith("\r"), "a failure leaves the line to its sentence"
