"""Takes the body of a message apart: what is cut off, too long or out of range raises `WireError`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeVar

from liveserver.confined.framing import WireError

_SIZE = struct.Struct("!I")
T = TypeVar("T")


class Body:
    """Reads from the front to the end; `end` says that nothing is left over."""

    def __init__(self, data: bytes):
        self._data = data
        self._at = 0

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size))

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise WireError("a message is cut off")
        taken, self._at = self._data[self._at : end], end
        return taken

    def rest(self, most: int) -> bytes:
        """All that is left: 1 to `most` bytes."""
        size = len(self._data) - self._at
        if not 0 < size <= most:
            raise WireError(f"{size} bytes where 1 to {most} are expected")
        return self.take(size)

    def count(self, most: int) -> int:
        """One byte that says how many follow."""
        count = self.take(1)[0]
        if count > most:
            raise WireError(f"{count} where at most {most} are expected")
        return count

    def sized(self, most: int) -> bytes:
        """Bytes behind their length."""
        (size,) = self.unpack(_SIZE)
        if size > most:
            raise WireError(f"{size} bytes where at most {most} are expected")
        return self.take(size)

    def text(self, most: int) -> str:
        """UTF-8 behind its length."""
        try:
            return self.sized(most).decode()
        except UnicodeDecodeError:
            raise WireError("a text is not UTF-8") from None

    def end(self) -> None:
        """Raises `WireError` unless everything was read."""
        if self._at != len(self._data):
            raise WireError(f"{len(self._data) - self._at} bytes too many")


def sized(data: bytes) -> bytes:
    """Bytes behind their length."""
    return _SIZE.pack(len(data)) + data


def member(names: Sequence[T], number: int) -> T:
    """Which of `names` a number stands for. Raises `WireError`."""
    if number >= len(names):
        raise WireError(f"number {number} of {len(names)}")
    return names[number]


def share(number: float) -> float:
    """A number from 0 to 1. Raises `WireError`, for what is no number too."""
    if not 0 <= number <= 1:
        raise WireError(f"a score of {number}")
    return number
