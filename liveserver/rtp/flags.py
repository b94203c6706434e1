"""Whether a room may be heard and seen: words in memory that the fan-out reads before each send.

One row of eight unsigned 64-bit words (a cache line) per room. Each word has one writer and is written whole,
so no lock is needed and a reader sees either the old or the new value:

    word 0  epoch       guard   counts cuts and restores of the room
    word 1  dark        guard   bit mask of the kinds that a cut holds back
    word 2  lease       guard   CLOCK_MONOTONIC ns until which the room may send at all
    word 3  hold        room    bit mask of the kinds the lesson itself holds back (pause)
    word 4  sending     fan-out 1 while it sends media of the room
    word 5  udp         fan-out CLOCK_MONOTONIC ns at which UDP had taken the newest media packets, 0: never
    word 6  tcp         fan-out the same of TCP
    word 7  viewers     room    how many are being sent media

The fan-out sets `sending` before it reads `dark`, the guard writes `dark` before it reads `sending`: once the
guard has seen 0 there, nothing of the room leaves any more, and `udp` and `tcp` say when the last of it did.

The native fan-out is handed the same buffer.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager

VIDEO = 1
AUDIO = 2
ALL = VIDEO | AUDIO

WORDS = 8
_EPOCH, _DARK, _LEASE, _HOLD, _SENDING, _UDP, _TCP, _VIEWERS = range(WORDS)


class Flags:
    """`rooms` rows, all dark until the guard first renews the lease."""

    def __init__(self, rooms: int = 1024):
        self.rooms = rooms
        self._memory = mmap.mmap(-1, rooms * WORDS * 8)
        self.words = memoryview(self._memory).cast("Q")

    def darken(self, room: int, kinds: int) -> None:
        """Guard only: hold `kinds` back from now on."""
        self.words[room * WORDS + _DARK] = kinds
        self.words[room * WORDS + _EPOCH] += 1

    def renew(self, room: int, until_ns: int) -> None:
        """Guard only: let the room send until `until_ns` on the monotonic clock."""
        self.words[room * WORDS + _LEASE] = until_ns

    def hold(self, room: int, kinds: int) -> None:
        """Room only: the lesson's own pause."""
        self.words[room * WORDS + _HOLD] = kinds

    def allows(self, room: int, kind: int, now_ns: int) -> bool:
        """Whether a packet of `kind` (VIDEO or AUDIO) of `room` may leave at `now_ns`."""
        row = room * WORDS
        words = self.words
        return not (words[row + _DARK] | words[row + _HOLD]) & kind and now_ns < words[row + _LEASE]

    def is_leased(self, room: int, now_ns: int) -> bool:
        """Whether the guard still vouches for the room."""
        return now_ns < self.words[room * WORDS + _LEASE]

    def dark(self, room: int) -> int:
        return self.words[room * WORDS + _DARK]

    def epoch(self, room: int) -> int:
        return self.words[room * WORDS + _EPOCH]

    @contextmanager
    def sending(self, room: int) -> Iterator[None]:
        """Fan-out only: media of the room may be on its way."""
        self.words[room * WORDS + _SENDING] = 1
        try:
            yield
        finally:
            self.words[room * WORDS + _SENDING] = 0

    def is_sending(self, room: int) -> bool:
        return bool(self.words[room * WORDS + _SENDING])

    def left(self, room: int, now_ns: int, *, tcp: bool) -> None:
        """Fan-out only: media of the room has been handed to the socket."""
        self.words[room * WORDS + (_TCP if tcp else _UDP)] = now_ns

    def last_udp_ns(self, room: int) -> int:
        return self.words[room * WORDS + _UDP]

    def last_tcp_ns(self, room: int) -> int:
        return self.words[room * WORDS + _TCP]

    def watched(self, room: int, viewers: int) -> None:
        """Room only: to how many media is being sent."""
        self.words[room * WORDS + _VIEWERS] = viewers

    def viewers(self, room: int) -> int:
        return self.words[room * WORDS + _VIEWERS]

    def clear(self, room: int) -> None:
        """Room only, while nothing of the room is sent: the row's next lesson has sent nothing yet."""
        self.hold(room, 0)
        self.watched(room, 0)
        for tcp in (False, True):
            self.left(room, 0, tcp=tcp)
