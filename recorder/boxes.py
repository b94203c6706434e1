"""ISO base media file format boxes, written by our own code (ISO/IEC 14496-12, -14, -15).

    0       4       8
    +-------+-------+---------
    | size  | type  | content        size counts the eight bytes before it
    +-------+-------+---------

Times are 64-bit throughout (version 1 boxes), so nothing wraps in a long lesson.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MOVIE_TIMESCALE = 90_000  # ticks per second of the movie header and of edit lists
_UNITY = struct.pack("!9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_MAC_EPOCH_S = 2_082_844_800  # 1904 to 1970
AAC_LC_48K_STEREO = bytes((0x11, 0x90))  # AudioSpecificConfig: object type 2, 48 kHz, two channels


def box(name: bytes, *parts: bytes) -> bytes:
    """One box."""
    content = b"".join(parts)
    return struct.pack("!I4s", 8 + len(content), name) + content


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """One full box: version and flags come first."""
    return box(name, struct.pack("!I", version << 24 | flags), *parts)


@dataclass(frozen=True, slots=True)
class Edit:
    """One line of an edit list. `media_ticks` -1 is an empty edit: the track starts later."""

    movie_ticks: int
    media_ticks: int


@dataclass(frozen=True, slots=True)
class TrackHeader:
    """What a track's boxes say besides its samples. `timescale` is ticks per second of its media."""

    track_id: int
    name: str
    video: bool
    timescale: int
    duration: int
    movie_duration: int
    width: int = 0
    height: int = 0
    enabled: bool = True
    alternate_group: int = 0
    edits: tuple[Edit, ...] = ()


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """File type."""
    return box(b"ftyp", major, struct.pack("!I", 0x200), *compatible)


def moov(created_ms: int, duration: int, tracks: list[bytes], extends: bytes = b"") -> bytes:
    """The movie. `duration` in MOVIE_TIMESCALE ticks; `created_ms` since 1970."""
    created = created_ms // 1000 + _MAC_EPOCH_S
    header = full(
        b"mvhd",
        1,
        0,
        struct.pack("!QQIQ", created, created, MOVIE_TIMESCALE, duration),
        struct.pack("!iHH8x", 0x10000, 0x0100, 0),
        _UNITY,
        bytes(24),
        struct.pack("!I", len(tracks) + 1),
    )
    return box(b"moov", header, *tracks, extends)


def trak(header: TrackHeader, created_ms: int, sample_table: bytes) -> bytes:
    """One track; `sample_table` is its whole stbl."""
    created = created_ms // 1000 + _MAC_EPOCH_S
    tkhd = full(
        b"tkhd",
        1,
        3 if header.enabled else 2,
        struct.pack("!QQI4xQ8x", created, created, header.track_id, header.movie_duration),
        struct.pack("!hhH2x", 0, header.alternate_group, 0 if header.video else 0x0100),
        _UNITY,
        struct.pack("!II", header.width << 16, header.height << 16),
    )
    edits = b""
    if header.edits:
        lines = b"".join(struct.pack("!QqHH", e.movie_ticks, e.media_ticks, 1, 0) for e in header.edits)
        edits = box(b"edts", full(b"elst", 1, 0, struct.pack("!I", len(header.edits)), lines))
    mdhd = full(
        b"mdhd",
        1,
        0,
        struct.pack("!QQIQ", created, created, header.timescale, header.duration),
        struct.pack("!HH", 0x55C4, 0),  # language: und
    )
    handler = b"vide" if header.video else b"soun"
    hdlr = full(b"hdlr", 0, 0, bytes(4), handler, bytes(12), header.name.encode() + b"\0")
    media = full(b"vmhd", 0, 1, bytes(8)) if header.video else full(b"smhd", 0, 0, bytes(4))
    dinf = box(b"dinf", full(b"dref", 0, 0, struct.pack("!I", 1), full(b"url ", 0, 1)))
    minf = box(b"minf", media, dinf, sample_table)
    return box(b"trak", tkhd, edits, box(b"mdia", mdhd, hdlr, minf))


def avc_entry(kind: bytes, width: int, height: int, avcc: bytes) -> bytes:
    """Visual sample entry `avc1` or `avc3` (parameter sets in the samples too)."""
    return box(
        kind,
        struct.pack("!6xH16xHH", 1, width, height),
        struct.pack("!II4xH32xHh", 0x480000, 0x480000, 1, 0x18, -1),
        box(b"avcC", avcc),
    )


def aac_entry(bitrate_bps: int) -> bytes:
    """Audio sample entry `mp4a`: AAC-LC, 48 kHz, stereo (ISO/IEC 14496-1 §7.2.6 descriptors)."""
    specific = _descriptor(5, AAC_LC_48K_STEREO)
    config = _descriptor(4, struct.pack("!BB3xII", 0x40, 0x15, bitrate_bps, bitrate_bps), specific)
    elementary = _descriptor(3, struct.pack("!HB", 0, 0), config, _descriptor(6, b"\x02"))
    return box(
        b"mp4a",
        struct.pack("!6xH8xHH4xI", 1, 2, 16, 48_000 << 16),
        full(b"esds", 0, 0, elementary),
    )


def stsd(entries: list[bytes]) -> bytes:
    """Sample descriptions."""
    return full(b"stsd", 0, 0, struct.pack("!I", len(entries)), *entries)


def _descriptor(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes((tag, 0x80, 0x80, 0x80, len(content))) + content
