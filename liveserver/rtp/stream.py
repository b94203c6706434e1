"""One peer's TCP connection as the fan-out writes to it (ICE-TCP: RFC 6544; framing: RFC 4571)."""

from __future__ import annotations

import os
import socket

MAX_WAITING = 64 * 1024  # octets kept for a peer that reads slowly: half a second at 1 Mbit/s


class Stream:
    """Packets behind their 16-bit lengths on a duplicate of `fd`. What finds no room is dropped, whole."""

    __slots__ = ("_socket", "_waiting")

    def __init__(self, fd: int):
        self._socket = socket.socket(fileno=os.dup(fd))
        self._waiting = bytearray()

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def write(self, packet: bytes) -> bool:
        """Whether the packet was taken."""
        if len(self._waiting) + 2 + len(packet) > MAX_WAITING:
            return False
        self._waiting += len(packet).to_bytes(2) + packet
        return self.flush()

    def flush(self) -> bool:
        """Send what waits, as far as the peer takes it; False when the connection is broken."""
        try:
            while self._waiting:
                del self._waiting[
                    : self._socket.send(self._waiting, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                ]
        except BlockingIOError:
            return True
        except OSError:
            self._waiting.clear()
            return False
        return True

    def close(self) -> None:
        self._socket.close()
