"""What a word means to a network that reads digits."""

NOT_A_DIGIT = 10
"""Label of everything that has a word and is none of the ten digits."""

OTHER = "not-a-digit"
"""The word under which the window keeps what is no digit; any other that is no digit means the same."""

AMBIGUOUS = frozenset("OoDQIliLJj|/\\!',.-_^~()[]{}<>ZzSsbGBgqyYTtrhpPUuVvCc&?`")
"""Characters that look like digits or are fragments: in measurements neither a digit nor another sign."""

DIGITS = tuple("0123456789")
"""The words that are digits: these ten characters alone, no other script's."""


def label_of(word: str) -> int:
    """0 to 9 for a digit, else `NOT_A_DIGIT`."""
    return DIGITS.index(word) if word in DIGITS else NOT_A_DIGIT
