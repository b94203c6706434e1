"""Fragmented MP4 as it lies in the spool and goes to HLS: one track a file, one moof and mdat a fragment.

    ftyp moov | moof mdat | moof mdat | …            (ISO/IEC 14496-12 §8.8, CMAF ISO/IEC 23000-19 §7)

A fragment names its own start (tfdt), so a gap between two is simply a later start. `read_index` reads back
what `fragment` wrote and nothing else: the spool's files are ours.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from recorder import boxes

SYNC_SAMPLE = 0x02000000  # depends on no other
DELTA_SAMPLE = 0x01010000  # depends on others, not a sync sample
# Before the rows every size is fixed: moof 8, mfhd 16, traf 8, tfhd 16, tfdt 20, trun 20; mdat's 8 follow.
_TRAF = struct.Struct("!4s4xQ4x4s4xIi")  # tfdt's name and time, trun's name, count, data offset
_TRAF_AT = 52
_ROWS = 88


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame in a fragment; `duration` in the track's ticks, at least 1 for video."""

    data: bytes
    duration: int
    sync: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A fragment that has just become durable, for who serves it live; with `init` before it, it plays.

    `number` is its line in the manifest; its times count from the recording's origin.
    """

    recording: str
    track: str
    number: int
    start_ms: int
    duration_ms: int
    independent: bool
    init: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Index:
    """What a fragment's moof says: its start and, per sample, duration, size in bytes and sync flag."""

    start: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    syncs: tuple[bool, ...]


def init_segment(header: boxes.TrackHeader, created_ms: int, entry: bytes) -> bytes:
    """ftyp and moov of a track's file."""
    return movie_init([(header, entry)], created_ms, b"iso6", b"cmfc", b"mp41")


def movie_init(tracks: list[tuple[boxes.TrackHeader, bytes]], created_ms: int, *brands: bytes) -> bytes:
    """ftyp and moov of fragments that may be of several tracks, each with its sample entry."""
    traks = [boxes.trak(header, created_ms, _no_samples(entry)) for header, entry in tracks]
    extends = [
        boxes.full(b"trex", 0, 0, struct.pack("!IIIII", header.track_id, 1, 0, 0, 0)) for header, _ in tracks
    ]
    return boxes.ftyp(b"iso6", *brands) + boxes.moov(created_ms, 0, traks, boxes.box(b"mvex", *extends))


def _no_samples(entry: bytes) -> bytes:
    """The sample table of a track whose samples are all in fragments."""
    empty = struct.pack("!I", 0)
    return boxes.box(
        b"stbl",
        boxes.stsd([entry]),
        boxes.full(b"stts", 0, 0, empty),
        boxes.full(b"stsc", 0, 0, empty),
        boxes.full(b"stsz", 0, 0, empty, empty),
        boxes.full(b"stco", 0, 0, empty),
    )


def fragment(sequence: int, track_id: int, start: int, samples: list[Sample]) -> tuple[bytes, bytes]:
    """moof with the mdat's header, and the media bytes that follow it."""
    media = b"".join(sample.data for sample in samples)
    rows = b"".join(
        struct.pack("!III", s.duration, len(s.data), SYNC_SAMPLE if s.sync else DELTA_SAMPLE) for s in samples
    )
    head = _moof(sequence, track_id, start, len(samples), rows, 0)
    head = _moof(sequence, track_id, start, len(samples), rows, len(head) + 8)
    return head + struct.pack("!I4s", 8 + len(media), b"mdat"), media


def _moof(sequence: int, track_id: int, start: int, count: int, rows: bytes, data_offset: int) -> bytes:
    return boxes.box(
        b"moof",
        boxes.full(b"mfhd", 0, 0, struct.pack("!I", sequence)),
        boxes.box(
            b"traf",
            boxes.full(b"tfhd", 0, 0x020000, struct.pack("!I", track_id)),  # default-base-is-moof
            boxes.full(b"tfdt", 1, 0, struct.pack("!Q", start)),
            # data offset, and per sample: duration, size, flags
            boxes.full(b"trun", 0, 0x000701, struct.pack("!Ii", count, data_offset), rows),
        ),
    )


def read_index(head: bytes) -> Index:
    """Parse what `fragment` wrote before the media. Raises ValueError for anything else."""
    if len(head) < _ROWS:
        raise ValueError("fragment head too short")
    tfdt, start, trun, count, _ = _TRAF.unpack_from(head, _TRAF_AT)
    if head[4:8] != b"moof" or tfdt != b"tfdt" or trun != b"trun" or len(head) != _ROWS + 12 * count + 8:
        raise ValueError("not a fragment of this recorder")
    rows = struct.unpack_from(f"!{3 * count}I", head, _ROWS)
    return Index(start, rows[0::3], rows[1::3], tuple(flags == SYNC_SAMPLE for flags in rows[2::3]))
