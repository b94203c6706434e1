"""VP8 as it lies in the spool: Matroska of unknown length, one cluster a fragment (RFC 9559, RFC 8794).

    EBML header, Segment (unknown size) { Info, Tracks } | Cluster { Timestamp, SimpleBlock… } | Cluster …

Timestamps are milliseconds. A file cut after any cluster plays.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"
CLUSTER_SPAN_MS = 32_767  # a block's time within its cluster is an int16


@dataclass(frozen=True, slots=True)
class Block:
    """One frame; `at_ms` from the recording's origin."""

    data: bytes
    at_ms: int
    keyframe: bool


def element(identifier: int, content: bytes) -> bytes:
    """One EBML element with an 8-byte size."""
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + struct.pack("!Q", 0x01 << 56 | len(content)) + content


def _number(identifier: int, value: int) -> bytes:
    return element(identifier, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def head(width: int, height: int) -> bytes:
    """Everything before the first cluster; sizes in pixels, of the first keyframe."""
    ebml = (
        _number(0x4286, 1)
        + _number(0x42F7, 1)
        + _number(0x42F2, 4)
        + _number(0x42F3, 8)
        + element(0x4282, b"matroska")
        + _number(0x4287, 4)
        + _number(0x4285, 2)
    )
    info = _number(0x2AD7B1, 1_000_000) + element(0x4D80, b"recorder") + element(0x5741, b"recorder")
    video = _number(0xB0, width) + _number(0xBA, height)
    entry = (
        _number(0xD7, 1)
        + _number(0x73C5, 1)
        + _number(0x83, 1)
        + _number(0x9C, 0)
        + element(0x86, b"V_VP8")
        + element(0xE0, video)
    )
    tracks = element(0x1654AE6B, element(0xAE, entry))
    return (
        element(0x1A45DFA3, ebml) + b"\x18\x53\x80\x67" + _UNKNOWN_SIZE + element(0x1549A966, info) + tracks
    )


def cluster(blocks: list[Block]) -> bytes:
    """One cluster of at least one block, spanning at most CLUSTER_SPAN_MS."""
    start = blocks[0].at_ms
    parts = [_number(0xE7, start)]
    for block in blocks:
        flags = 0x80 if block.keyframe else 0
        parts.append(element(0xA3, struct.pack("!BhB", 0x81, block.at_ms - start, flags) + block.data))
    return element(0x1F43B675, b"".join(parts))


def vp8_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a VP8 keyframe (RFC 6386 §9.1), None for any other frame.

    Raises ValueError when it is no VP8 frame at all.
    """
    if len(frame) < 3:
        raise ValueError("VP8 frame too short")
    if frame[0] & 1:
        return None
    if len(frame) < 10 or frame[3:6] != b"\x9d\x01\x2a":
        raise ValueError("VP8 keyframe without its start code")
    width, height = struct.unpack_from("<HH", frame, 6)
    if not (width & 0x3FFF and height & 0x3FFF):
        raise ValueError("VP8 keyframe without size")
    return width & 0x3FFF, height & 0x3FFF
