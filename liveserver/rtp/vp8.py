"""The VP8 payload descriptor (RFC 7741 §4.2), which precedes the frame's octets in each packet.

|X|R|N|S|R| PID |   X: |I|L|T|K| RSV |   I: picture id, 7 or 15 bits   L: TL0PICIDX   T, K: one octet
"""

from __future__ import annotations

from typing import NamedTuple

from liveserver.core.errors import PeerError

_EXTENDED = 0x80
_START = 0x10
_PARTITION = 0x0F  # the reserved bit is taken with the index, as receivers in use do: it is always 0
_PICTURE_ID, _TL0PICIDX, _TID_OR_KEYIDX = 0x80, 0x40, 0x30
_LONG_PICTURE_ID = 0x80
_INTERFRAME = 0x01  # the frame header's inverse keyframe bit (RFC 6386 §9.1)


class Descriptor(NamedTuple):
    """`size` octets long; `starts_frame` at the first packet of a frame, which may be a `keyframe`."""

    size: int
    starts_frame: bool
    keyframe: bool


def describe(payload: bytes) -> Descriptor:
    """Read the descriptor; PeerError `vp8_malformed` when it, or the frame's first octet, is missing."""
    end = len(payload)
    if not end:
        raise PeerError("vp8_malformed", "empty")
    first, size = payload[0], 1
    if first & _EXTENDED:
        if end < 2:
            raise PeerError("vp8_malformed", "descriptor is cut off")
        flags, size = payload[1], 2
        if flags & _PICTURE_ID:
            size += 2 if end > 2 and payload[2] & _LONG_PICTURE_ID else 1
        if flags & _TL0PICIDX:
            size += 1
        if flags & _TID_OR_KEYIDX:
            size += 1
    if size >= end:
        raise PeerError("vp8_malformed", "descriptor is cut off, or nothing follows it")
    starts = bool(first & _START) and not first & _PARTITION
    return Descriptor(size, starts, starts and not payload[size] & _INTERFRAME)
