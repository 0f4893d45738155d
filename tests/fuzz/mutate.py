"""Mutations of bytes, blind, but fast and the same everywhere: for where no coverage-guided fuzzer is."""

import random
from collections.abc import Iterator, Sequence

NUMBERS = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    2**63,
    2**64 - 1,
)
"""Values at which sizes, counts and signs tip over."""
LONGEST = 1 << 13
"""Bytes of an input at most."""


def inputs(seeds: Sequence[bytes], tokens: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """The seeds themselves, then mutations of them without end."""
    yield from seeds
    rng = random.Random(seed)
    while True:
        yield mutate(rng.choice(seeds), seeds, tokens, rng)


def mutate(data: bytes, seeds: Sequence[bytes], tokens: Sequence[bytes], rng: random.Random) -> bytes:
    """One to eight changes: bits, bytes, numbers, words; parts left out, repeated, or another seed's."""
    for _ in range(1 << rng.randrange(4)):
        start = rng.randrange(len(data) + 1)
        stop = min(len(data), start + (1 << rng.randrange(8)))
        before, part, after = data[:start], data[start:stop], data[stop:]
        match rng.randrange(8):
            case 0:
                part = bytes([part[0] ^ 1 << rng.randrange(8)]) + part[1:] if part else b"\0"
            case 1:
                part = rng.randbytes(1) + part[1:]
            case 2:
                size = 1 << rng.randrange(4)
                number = rng.choice(NUMBERS) % (1 << 8 * size)
                part = number.to_bytes(size, rng.choice(("big", "little"))) + part[size:]
            case 3:
                part = rng.choice(tokens) + (part if rng.random() < 0.5 else b"")
            case 4:
                part = b""
            case 5:
                part = part * rng.choice((2, 3, 64))
            case 6:
                other = rng.choice(seeds)
                part = other[rng.randrange(len(other) + 1) :][: 1 << rng.randrange(10)]
            case _:
                after = b"" if rng.random() < 0.2 else after
        data = (before + part + after)[:LONGEST]
    return data
