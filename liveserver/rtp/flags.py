"""Whether a room may be heard and seen: words in memory that the fan-out reads before each send.

One row of four unsigned 64-bit words per room. Each word has one writer and is written whole, so no
lock is needed and a reader sees either the old or the new value:

    word 0  epoch       guard   counts cuts and restores of the room
    word 1  dark        guard   bit mask of the kinds that a cut holds back
    word 2  lease       guard   CLOCK_MONOTONIC ns until which the room may send at all
    word 3  hold        room    bit mask of the kinds the lesson itself holds back (pause)

The native fan-out is handed the same buffer.
"""

from __future__ import annotations

import mmap

VIDEO = 1
AUDIO = 2
ALL = VIDEO | AUDIO

_WORDS = 4
_EPOCH, _DARK, _LEASE, _HOLD = range(_WORDS)


class Flags:
    """`rooms` rows, all dark until the guard first renews the lease."""

    def __init__(self, rooms: int = 1024):
        self.rooms = rooms
        self._memory = mmap.mmap(-1, rooms * _WORDS * 8)
        self.words = memoryview(self._memory).cast("Q")

    def darken(self, room: int, kinds: int) -> None:
        """Guard only: hold `kinds` back from now on."""
        self.words[room * _WORDS + _DARK] = kinds
        self.words[room * _WORDS + _EPOCH] += 1

    def renew(self, room: int, until_ns: int) -> None:
        """Guard only: let the room send until `until_ns` on the monotonic clock."""
        self.words[room * _WORDS + _LEASE] = until_ns

    def hold(self, room: int, kinds: int) -> None:
        """Room only: the lesson's own pause."""
        self.words[room * _WORDS + _HOLD] = kinds

    def allows(self, room: int, kind: int, now_ns: int) -> bool:
        """Whether a packet of `kind` (VIDEO or AUDIO) of `room` may leave at `now_ns`."""
        row = room * _WORDS
        words = self.words
        return not (words[row + _DARK] | words[row + _HOLD]) & kind and now_ns < words[row + _LEASE]

    def dark(self, room: int) -> int:
        return self.words[room * _WORDS + _DARK]

    def epoch(self, room: int) -> int:
        return self.words[room * _WORDS + _EPOCH]
