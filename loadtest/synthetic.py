"""RTP that looks like a lesson of about 1 Mbit/s and costs next to nothing to make.

25 pictures a second as H.264 (RFC 6184, 42e01f, packetization-mode 1), a keyframe with its parameter sets
every 2 s or on demand; 50 packets of sound a second. What is in the slices is no picture. All payloads end in

    "Stmp" | 10 octets: CLOCK_MONOTONIC ns at sending | 5 octets: number of picture or sound | 1 octet: kind

with 7 bits in each octet of a number and the top bit set, so that no start code can arise in it.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

FRAMES_PER_S, SOUNDS_PER_S, KEYFRAME_EVERY = 25, 50, 50
VIDEO_STEP, AUDIO_STEP = 90_000 // FRAMES_PER_S, 48_000 // SOUNDS_PER_S  # RTP ticks
TRAILER_OCTETS = 20
_MARK = b"Stmp"
_MAX_PAYLOAD = 1160  # libwebrtc's usual bound, less our trailer's share
_EQUAL_OCTETS, _EQUAL_PACKETS = 1000, 5
_MEAN_OCTETS, _SPREAD_OCTETS, _KEY_OCTETS = 4600, 900, 14_000
_SOUND_OCTETS = 80
# x264's parameter sets of 1280x720; the slice header of an IDR and of a P slice.
_SPS = bytes.fromhex("6742e01fda014016e840000003004000000ca3c60ca8")
_PPS = bytes.fromhex("68ce3c80")
_IDR_HEADER, _P_HEADER = bytes.fromhex("88842a2628"), bytes.fromhex("9a246c41")
_FU_A, _STAP_A = 28, 24
_IDR, _SLICE = 5, 1


@dataclass(frozen=True, slots=True)
class Body:
    """A payload without its trailer."""

    octets: bytes
    marker: bool


def trailer(at_ns: int, number: int, kind: int) -> bytes:
    return _MARK + _sevens(at_ns, 10) + _sevens(number, 5) + bytes((0x80 | kind,))


def read_trailer(payload: bytes) -> tuple[int, int] | None:
    """(time in ns, number) of a payload that has a trailer."""
    tail = payload[-TRAILER_OCTETS:]
    if len(tail) < TRAILER_OCTETS or not tail.startswith(_MARK):
        return None
    return _from_sevens(tail[4:14]), _from_sevens(tail[14:19])


def _sevens(value: int, count: int) -> bytes:
    return bytes(0x80 | value >> 7 * (count - 1 - n) & 0x7F for n in range(count))


def _from_sevens(octets: bytes) -> int:
    value = 0
    for octet in octets:
        value = value << 7 | octet & 0x7F
    return value


def rtp(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool
) -> bytes:
    """RFC 3550 5.1, without extensions."""
    second = payload_type | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


class Lesson:
    """The payloads of pictures and sounds, the same for the same `seed`.

    As libwebrtc splits a picture: its size differs from picture to picture, its packets are about equal, the
    last ones an octet longer. `equal`: 5 packets of 1,000 octets each, always.
    """

    def __init__(self, *, equal: bool = False, seed: int = 1):
        self._equal = equal
        self._random = random.Random(seed)
        self._filler = bytes(self._random.randrange(1, 256) for _ in range(32_768))

    def picture(self, *, keyframe: bool) -> Iterator[Body]:
        """The packets of one picture, in order; the last has the marker."""
        if keyframe:
            sets = b"".join(len(unit).to_bytes(2) + unit for unit in (_SPS, _PPS))
            yield Body(bytes((0x60 | _STAP_A,)) + sets, marker=False)
        sizes = self._sizes(keyframe=keyframe)
        kind, start = (_IDR, _IDR_HEADER) if keyframe else (_SLICE, _P_HEADER)
        for number, size in enumerate(sizes):
            first, last = number == 0, number == len(sizes) - 1
            head = bytes((0x60 | _FU_A, (0x80 if first else 0) | (0x40 if last else 0) | kind))
            head += start if first else b""
            yield Body(head + self._fill(size - len(head) - TRAILER_OCTETS), marker=last)

    def sound(self) -> Body:
        """An Opus packet by its first octet: 20 ms, fullband, one frame (RFC 6716 3.1)."""
        size = _SOUND_OCTETS if self._equal else self._random.randint(_SOUND_OCTETS - 15, _SOUND_OCTETS + 25)
        return Body(b"\xfc" + self._fill(size - 1 - TRAILER_OCTETS), marker=False)

    def _sizes(self, *, keyframe: bool) -> list[int]:
        """The octets of each payload, trailer and all."""
        if self._equal:
            return [_EQUAL_OCTETS] * _EQUAL_PACKETS
        total = int(self._random.gauss(_MEAN_OCTETS, _SPREAD_OCTETS))
        total = _KEY_OCTETS if keyframe else min(2 * _MEAN_OCTETS, max(_MEAN_OCTETS // 3, total))
        count = -(-total // _MAX_PAYLOAD)
        size, longer = divmod(total, count)
        return [size + (number >= count - longer) for number in range(count)]

    def _fill(self, size: int) -> bytes:
        begin = self._random.randrange(len(self._filler) - size)
        return self._filler[begin : begin + size]
