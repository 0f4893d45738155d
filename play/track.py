"""An immutable sequence that goes on in constant time: strokes cost their length, not its square. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Track(Sequence[T], Generic[T]):
    """As a tuple, but `plus` shares what is already there.

    All tracks that came of one another look at one list, each at so many of its first items; only the longest
    of them adds to it, another one that goes on is copied first.
    """

    __slots__ = ("_length", "_shared")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._shared = list(items)
        self._length = len(self._shared)

    def plus(self, item: T) -> "Track[T]":
        """With one more item; this one stays as it is."""
        shared = self._shared if len(self._shared) == self._length else self._shared[: self._length]
        shared.append(item)
        longer: Track[T] = Track.__new__(Track)
        longer._shared, longer._length = shared, self._length + 1
        return longer

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            if step < 0:  # a stop before the first item would mean the last
                return tuple(self._shared[i] for i in range(start, stop, step))
            return tuple(self._shared[start:stop:step])
        if not -self._length <= index < self._length:
            raise IndexError(f"item {index} of {self._length}")
        return self._shared[index if index >= 0 else index + self._length]

    def __iter__(self) -> Iterator[T]:
        return islice(iter(self._shared), self._length)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Track | tuple):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))
