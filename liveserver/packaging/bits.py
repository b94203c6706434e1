"""Bits of an H.264 NAL unit: read, changed in place, written (ITU-T H.264 7.2, 7.4.1, 9.1)."""

from __future__ import annotations

import re

_ESCAPED = re.compile(rb"\x00\x00\x03")
_TO_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def unescape(nal: bytes) -> bytes:
    """Without emulation prevention bytes."""
    return _ESCAPED.sub(b"\0\0", nal)


def escape(nal: bytes) -> bytes:
    """With them."""
    return _TO_ESCAPE.sub(b"\0\0\x03", nal)


class Bits:
    """Reads from the front; `at` counts bits. Raises ValueError at the end."""

    def __init__(self, data: bytes):
        self.at = 0
        self._length = len(data) * 8
        self._value = int.from_bytes(data, "big")

    def take(self, count: int) -> int:
        self.at += count
        if self.at > self._length:
            raise ValueError("it ends too early")
        return (self._value >> (self._length - self.at)) & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise ValueError("bad Exp-Golomb code")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


class Writer:
    """Bits, one behind the other."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def put(self, value: int, count: int) -> Writer:
        self._value = self._value << count | value
        self._count += count
        return self

    def ue(self, value: int) -> Writer:
        return self.put(value + 1, 2 * (value + 1).bit_length() - 1)

    def rbsp(self) -> bytes:
        """With the stop bit, padded to bytes."""
        self.put(1, 1)
        self.put(0, -self._count % 8)
        return self._value.to_bytes(self._count // 8, "big")


def patched(data: bytes, at: int, count: int, value: int) -> bytes:
    """`data` with `count` bits from bit `at` on set to `value`."""
    first, last = at // 8, (at + count + 7) // 8
    shift = last * 8 - at - count
    number = int.from_bytes(data[first:last], "big")
    number = number & ~(((1 << count) - 1) << shift) | value << shift
    return data[:first] + number.to_bytes(last - first, "big") + data[last:]
