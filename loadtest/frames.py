"""WebSocket frames as a client sends and reads them (RFC 6455): bytes in, messages out, no I/O.

What a load generator does per message has to cost less than what the server does, so this is as short as the
protocol lets it be: no extensions, no fragments of our own, and the mask is made once per connection.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_FIN, _MASKED = 0x80, 0x80
_LONGEST = 1 << 20


class FrameError(Exception):
    """What came is no frame of a server."""


def request(url: str, origin: str | None = None) -> bytes:
    """The upgrade of RFC 6455 4.1 for a `ws://` or `http://` URL."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]  # fmt: skip
    if origin is not None:
        lines.append(f"Origin: {origin}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(payload: bytes, opcode: int = TEXT, mask: bytes | None = None) -> bytes:
    """One whole frame of a client, masked with `mask` (4 octets) or a new one."""
    mask = secrets.token_bytes(4) if mask is None else mask
    size = len(payload)
    if size < 126:
        head = bytes((_FIN | opcode, _MASKED | size))
    elif size < 1 << 16:
        head = bytes((_FIN | opcode, _MASKED | 126)) + size.to_bytes(2)
    else:
        head = bytes((_FIN | opcode, _MASKED | 127)) + size.to_bytes(8)
    return head + mask + _masked(payload, mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    """Exclusive or with the repeated mask, as two long numbers: fast without a loop."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(size)


class Reader:
    """What one server sends: first its answer to the upgrade, then frames."""

    __slots__ = ("_rest", "opened")

    def __init__(self) -> None:
        self.opened = False
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) of each frame that is complete now. FrameError."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        at = 0
        if not self.opened:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            status = data[: data.find(b"\r\n")]
            if b" 101 " not in status:
                raise FrameError(status.decode("latin-1"))
            self.opened = True
            at = end + 4
        size = len(data)
        while size - at >= 2:
            begin, length = at + 2, data[at + 1]
            if length >= 126:
                width = 2 if length == 126 else 8
                if size - begin < width:
                    break
                length = int.from_bytes(data[begin : begin + width])
                begin += width
            if length > _LONGEST:
                raise FrameError(f"a frame of {length} octets")
            if size - begin < length:
                break
            yield data[at] & 0x0F, data[begin : begin + length]
            at = begin + length
        self._rest = data[at:]


def close_code(payload: bytes) -> int:
    """Why a close frame says it is over; 1005 when it does not say."""
    return int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
