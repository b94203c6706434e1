"""The sealed file: a plain MP4 that starts fast, ftyp moov mdat, from fragments of any number of tracks.

Each fragment becomes one chunk of its track, bytes unchanged; the chunks of all tracks lie in the order of
their start. A sample lasts until the next one starts, across fragments and gaps, so a picture stays while
there is none. Every parameter set that ever applied has its own sample description.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from recorder import boxes
from recorder.fmp4 import Index

LONGEST_SAMPLE_TICKS = 0xFFFFFFFF  # stts is 32 bits wide: 13 hours of one picture
CLOSING_FRAME_TICKS = 90_000  # a last frame's own length is capped at one second


@dataclass(frozen=True, slots=True)
class Chunk:
    """A fragment, or bytes put between fragments, on the way into the file.

    `start_s` is only for the order of chunks; by `key` the caller knows where its bytes are.
    """

    index: Index
    description: int  # sample description, from 1
    size: int
    start_s: float
    key: object


@dataclass(slots=True)
class MovieTrack:
    """A track of the sealed file. `skip_ticks` is what a decoder gives before the first real sample (AAC)."""

    name: str
    video: bool
    timescale: int
    entries: list[bytes]
    chunks: list[Chunk]
    width: int = 0
    height: int = 0
    enabled: bool = True
    skip_ticks: int = 0
    until_ticks: int = 0  # the last picture stays up to here, if that is later than its own end
    length_ticks: int | None = None  # presentation length, if shorter than the samples'
    durations: list[int] = field(default_factory=list)
    first: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes before the media, and where each chunk goes: (track number, chunk, offset in the file)."""

    head: bytes
    placed: tuple[tuple[int, Chunk, int], ...]
    size: int
    duration_ms: int


def lay_out(tracks: Sequence[MovieTrack], created_ms: int) -> Layout:
    """Plan the file. Each track has at least one chunk."""
    for track in tracks:
        track.durations, track.first = _durations(track)
    order = sorted(
        ((number, chunk) for number, track in enumerate(tracks) for chunk in track.chunks),
        key=lambda item: (item[1].start_s, item[0]),
    )
    media_bytes = sum(chunk.size for _, chunk in order)
    start = boxes.ftyp(b"isom", b"isom", b"iso6", b"avc1", b"mp41")
    length = max(_movie_end(track) for track in tracks)
    # The size of moov does not depend on the offsets in it, so a first pass with zeros finds them.
    blank = _moov(tracks, [[0] * len(track.chunks) for track in tracks], created_ms, length)
    base = len(start) + len(blank) + 16
    offsets: list[list[int]] = [[] for _ in tracks]
    placed = []
    at = base
    for number, chunk in order:
        offsets[number].append(at)
        placed.append((number, chunk, at))
        at += chunk.size
    mdat = struct.pack("!I4sQ", 1, b"mdat", 16 + media_bytes)
    head = start + _moov(tracks, offsets, created_ms, length) + mdat
    return Layout(head, tuple(placed), at, round(length * 1000 / boxes.MOVIE_TIMESCALE))


def _durations(track: MovieTrack) -> tuple[list[int], int]:
    """Each sample's length, from start to start; and the first sample's start. Ticks of the track."""
    starts: list[int] = []
    last = 1
    for chunk in track.chunks:
        at = chunk.index.start
        for duration in chunk.index.durations:
            starts.append(max(at, starts[-1] + 1) if starts else at)
            at += duration
            last = duration
    durations = [min(after - before, LONGEST_SAMPLE_TICKS) for before, after in pairwise(starts)]
    closing = max(min(last, CLOSING_FRAME_TICKS), track.until_ticks - starts[-1])
    durations.append(max(1, min(closing, LONGEST_SAMPLE_TICKS)))
    return durations, starts[0]


def _presented(track: MovieTrack) -> int:
    """Length shown, in the track's ticks."""
    whole = sum(track.durations) - track.skip_ticks
    return whole if track.length_ticks is None else max(1, min(whole, track.length_ticks))


def _movie_ticks(ticks: int, timescale: int) -> int:
    return round(ticks * boxes.MOVIE_TIMESCALE / timescale)


def _movie_end(track: MovieTrack) -> int:
    return _movie_ticks(track.first + _presented(track), track.timescale)


def _moov(
    tracks: Sequence[MovieTrack], offsets: Sequence[Sequence[int]], created_ms: int, length: int
) -> bytes:
    traks = []
    for number, track in enumerate(tracks):
        edits = []
        if track.first:
            edits.append(boxes.Edit(_movie_ticks(track.first, track.timescale), -1))
        if track.first or track.skip_ticks or track.length_ticks is not None:
            edits.append(boxes.Edit(_movie_ticks(_presented(track), track.timescale), track.skip_ticks))
        header = boxes.TrackHeader(
            track_id=number + 1,
            name=track.name,
            video=track.video,
            timescale=track.timescale,
            duration=sum(track.durations),
            movie_duration=_movie_end(track),
            width=track.width,
            height=track.height,
            enabled=track.enabled,
            alternate_group=1 if track.video else 2,
            edits=tuple(edits),
        )
        traks.append(boxes.trak(header, created_ms, _sample_table(track, offsets[number])))
    return boxes.moov(created_ms, length, traks)


def _sample_table(track: MovieTrack, offsets: Sequence[int]) -> bytes:
    sizes = [size for chunk in track.chunks for size in chunk.index.sizes]
    syncs = [sync for chunk in track.chunks for sync in chunk.index.syncs]
    parts = [
        boxes.stsd(track.entries),
        _table(b"stts", 2, _runs(track.durations)),
        _table(b"stsc", 3, _chunk_runs(track.chunks)),
        boxes.full(b"stsz", 0, 0, struct.pack("!II", 0, len(sizes)), _u32(sizes)),
        boxes.full(b"co64", 0, 0, struct.pack(f"!I{len(offsets)}Q", len(offsets), *offsets)),
    ]
    if track.video:
        parts.append(_table(b"stss", 1, (number for number, sync in enumerate(syncs, 1) if sync)))
    return boxes.box(b"stbl", *parts)


def _runs(durations: Iterable[int]) -> Iterator[int]:
    """stts: count and length of equal samples in a row."""
    count, current = 0, -1
    for duration in durations:
        if duration != current and count:
            yield count
            yield current
            count = 0
        current = duration
        count += 1
    if count:
        yield count
        yield current


def _chunk_runs(chunks: Sequence[Chunk]) -> Iterator[int]:
    """stsc: first chunk, samples in each, sample description; a row where either changes."""
    before: tuple[int, int] | None = None
    for number, chunk in enumerate(chunks, 1):
        now = (len(chunk.index.sizes), chunk.description)
        if now != before:
            yield number
            yield from now
            before = now


def _table(name: bytes, columns: int, values: Iterable[int]) -> bytes:
    cells = array("I", values)
    return boxes.full(name, 0, 0, struct.pack("!I", len(cells) // columns), _u32(cells))


def _u32(values: Iterable[int]) -> bytes:
    """Big-endian; array is several times faster than struct for a lesson's 270,000 samples."""
    cells = array("I", values)
    if sys.byteorder == "little":
        cells.byteswap()
    return cells.tobytes()
