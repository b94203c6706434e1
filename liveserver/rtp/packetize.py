"""Encoded pictures into RTP payloads: H.264 packetization-mode 1 (RFC 6184 5.7, 5.8), VP8 (RFC 7741 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from liveserver.rtp.h264 import FU_A, FU_END, FU_START, STAP_A

CODECS = ("h264", "vp8")
MAX_PAYLOAD_BYTES = 1170  # with RTP, mid extension, SRTP, UDP and IPv6 headers still below 1280
_SEI = 6
_NRI, _TYPE = 0x60, 0x1F
_START_CODE = b"\0\0\1"


def h264_payloads(access_unit: bytes, limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of at most `limit` bytes for an Annex B access unit; SEI is left out.

    Units that fit together share a STAP-A, so parameter sets travel with each other; one too large for a
    packet becomes FU-As.
    """
    payloads: list[bytes] = []
    small: list[bytes] = []
    for unit in units(access_unit):
        if unit[0] & _TYPE == _SEI:
            continue
        if len(unit) > limit:
            payloads += _aggregated(small)
            small = []
            payloads += _fragments(unit, limit)
            continue
        if small and 1 + sum(2 + len(part) for part in (*small, unit)) > limit:
            payloads += _aggregated(small)
            small = []
        small.append(unit)
    return payloads + _aggregated(small)


def vp8_payloads(frame: bytes, picture_id: int, limit: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Payloads of about equal size, each with a descriptor that carries the 15-bit `picture_id`."""
    tail = bytes((0x80, 0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF))
    room = limit - 1 - len(tail)
    return [
        (b"\x90" if number == 0 else b"\x80") + tail + piece
        for number, piece in enumerate(_even_pieces(frame, room))
    ]


def units(access_unit: bytes) -> Iterator[bytes]:
    """The NAL units between start codes of three or four bytes."""
    position = access_unit.find(_START_CODE)
    while position >= 0:
        begin = position + 3
        position = access_unit.find(_START_CODE, begin)
        # A unit ends with a stop bit: zeros after it belong to the next start code (H.264 annex B).
        unit = access_unit[begin : position if position >= 0 else len(access_unit)].rstrip(b"\0")
        if unit:
            yield unit


def _aggregated(parts: Sequence[bytes]) -> list[bytes]:
    if len(parts) < 2:
        return list(parts)
    importance = max(part[0] & _NRI for part in parts)
    sized = (len(part).to_bytes(2, "big") + part for part in parts)
    return [bytes((importance | STAP_A,)) + b"".join(sized)]


def _fragments(unit: bytes, limit: int) -> Iterator[bytes]:
    indicator, kind = unit[0] & _NRI | FU_A, unit[0] & _TYPE
    pieces = _even_pieces(unit[1:], limit - 2)
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        marks = (FU_START if number == 0 else 0) | (FU_END if number == last else 0)
        yield bytes((indicator, marks | kind)) + piece


def _even_pieces(data: bytes, limit: int) -> list[bytes]:
    """As few pieces as `limit` allows, none much smaller than the others."""
    count = -(-len(data) // limit)
    edges = [len(data) * number // count for number in range(count + 1)] if count else [0]
    return [data[start:end] for start, end in pairwise(edges)]
