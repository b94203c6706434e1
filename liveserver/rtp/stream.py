"""One peer's TCP connection as the fan-out writes to it (ICE-TCP: RFC 6544; framing: RFC 4571)."""

from __future__ import annotations

import os
import socket

MAX_WAITING = 64 * 1024  # octets kept for a peer that reads slowly: half a second at 1 Mbit/s


def is_media(packet: bytes | bytearray) -> bool:
    """Whether it is SRTP, and not STUN, DTLS or SRTCP (RFC 7983 §7, RFC 5761 §4)."""
    return len(packet) > 1 and 128 <= packet[0] <= 191 and not 192 <= packet[1] <= 223


class Stream:
    """Packets behind their 16-bit lengths on a duplicate of `fd`. What finds no room is dropped, whole.

    Notes about the media that waits: `kinds` (0: none does), their `room`, and its `epoch` when they came.
    `left` counts the octets that have left.
    """

    __slots__ = ("_begun", "_begun_media", "_socket", "_waiting", "epoch", "kinds", "left", "room")

    def __init__(self, fd: int):
        self._socket = socket.socket(fileno=os.dup(fd))
        self._waiting = bytearray()
        self._begun = 0  # octets at the front whose packet has begun to leave
        self._begun_media = False
        self.room = self.kinds = self.epoch = self.left = 0

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def put(self, packet: bytes) -> bool:
        """Let it wait for `flush`; whether there was room."""
        if len(self._waiting) + 2 + len(packet) > MAX_WAITING:
            return False
        self._waiting += len(packet).to_bytes(2) + packet
        return True

    def flush(self) -> bool:
        """Send what waits, as far as the peer takes it; False when the connection is broken."""
        sent, is_whole = 0, True
        try:
            while sent < len(self._waiting):
                sent += self._socket.send(self._waiting[sent:], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            pass
        except OSError:
            is_whole = False
        self.left += sent
        self._advance(sent if is_whole else len(self._waiting))
        return is_whole

    def recall(self) -> int:
        """Take back the media that waits; how many packets.

        Of one that has begun to leave the rest becomes zeros: the framing stays right, nobody can open it.
        """
        position, recalled = self._begun, int(self._begun_media)
        kept = bytearray(position) if self._begun_media else self._waiting[:position]
        while position < len(self._waiting):
            end = self._end(position)
            if is_media(self._waiting[position + 2 : position + 4]):
                recalled += 1
            else:
                kept += self._waiting[position:end]
            position = end
        self._waiting, self._begun_media, self.kinds = kept, False, 0
        return recalled

    def close(self) -> None:
        self._socket.close()

    def _end(self, position: int) -> int:
        """Where the packet that begins at `position` ends."""
        return position + 2 + int.from_bytes(self._waiting[position : position + 2])

    def _advance(self, sent: int) -> None:
        """The first `sent` octets are gone."""
        end = self._begun
        while end < sent:
            self._begun_media = is_media(self._waiting[end + 2 : end + 4])
            end = self._end(end)
        self._begun = end - sent
        del self._waiting[:sent]
        if not self._begun:
            self._begun_media = False
        if not self._waiting:
            self.kinds = 0
