"""Length-prefixed messages on a unix stream socket, between a node and a child.

    0       4      5                4+n
    +-------+------+------------------+
    | n u32 | kind | body, n-1 bytes  |      big-endian; n counts what follows it
    +-------+------+------------------+

Neither side trusts the other: what does not add up raises `WireError`, and then the child is ended.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Generic, TypeVar

_LENGTH = struct.Struct("!I")
Message = TypeVar("Message")


class WireError(Exception):
    """The other side broke the format; the text says where."""


def framed(kind: int, body: bytes) -> bytes:
    """One message as it travels."""
    return _LENGTH.pack(1 + len(body)) + bytes((kind,)) + body


class Framing(Generic[Message]):
    """Turns a byte stream into messages; holds at most one incomplete one of `max_body` bytes.

    `decode` makes a message of its kind and body, or raises `WireError`.
    """

    def __init__(self, max_body: int, decode: Callable[[int, bytes], Message]):
        self._longest = 1 + max_body
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages completed by `data`. Raises `WireError`: the stream is lost then."""
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if not 1 <= length <= self._longest:
                raise WireError(f"a message of {length} bytes")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            messages.append(self._decode(buffer[start + 4], bytes(buffer[start + 5 : end])))
            start = end
        del buffer[:start]
        return messages
