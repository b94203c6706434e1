"""NAL units of H.264 in RTP payloads (RFC 6184): which begin, and which are whole.

single NAL unit   | NAL header | octets |                                      types 1-23
STAP-A            | 24 | size (16 bits) | NAL unit | size | NAL unit | ...
FU-A              | 28 | S E 0 type | octets |                                 a piece of one NAL unit
"""

from __future__ import annotations

from collections.abc import Iterator

from liveserver.core.errors import PeerError

SLICE, IDR, SPS, PPS, ACCESS_UNIT_DELIMITER = 1, 5, 7, 8, 9
STAP_A, FU_A = 24, 28
FU_START, FU_END = 0x80, 0x40
_TYPE = 0x1F


def beginning_types(payload: bytes) -> list[int]:
    """The types of the NAL units that begin in this payload; nothing is refused, what is cut off ends it."""
    if not payload:
        return []
    kind = payload[0] & _TYPE
    if kind == FU_A:
        return [payload[1] & _TYPE] if len(payload) > 1 and payload[1] & FU_START else []
    if kind != STAP_A:
        return [kind]
    found = []
    position, size = 1, len(payload)
    while position + 2 < size:
        found.append(payload[position + 2] & _TYPE)
        position += 2 + (payload[position] << 8 | payload[position + 1])
    return found


def aggregated(payload: bytes) -> Iterator[bytes]:
    """The NAL units of a STAP-A (RFC 6184 §5.7.1). PeerError `h264_malformed` when sizes do not add up."""
    position, size = 1, len(payload)
    while position < size:
        start = position + 2
        end = start + int.from_bytes(payload[position:start])
        if start > size or end > size or end == start:
            raise PeerError("h264_malformed", "aggregated unit is empty or cut off")
        yield payload[start:end]
        position = end
