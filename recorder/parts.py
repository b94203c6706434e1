"""A recording in chapters with its media bytes unchanged: each a plain MP4 that starts fast.

A chapter begins wherever it was planned, not where a keyframe happens to be: its first fragment is the one
that covers its start, and an edit list skips what comes before. So neighbours share a fragment, the pictures
and the sound of each fit to the millisecond, and every fragment keeps the hash it was recorded with.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from recorder import mp4
from recorder.audio import PRIMING
from recorder.chapters import Chapter
from recorder.feed import Track
from recorder.fmp4 import Index
from recorder.manifest import Fragment
from recorder.movie import movie_tracks
from recorder.seal import write_file
from recorder.spool import RecordingSpool


def write_part(
    spool: RecordingSpool, chapter: Chapter, target: Path, stop: threading.Event
) -> dict[str, Any] | None:
    """Write one chapter; what its `version` line says, None when nothing was recorded in it.

    Raises OSError, StoppedError.
    """
    assert spool.contents.sealed is not None
    placed = {n for n, _ in spool.contents.sealed["placed"]}
    good = [f for f in spool.contents.fragments if f.n in placed]
    cut = [cut_track(track, chapter) for track in movie_tracks(spool, good)]
    tracks = [track for track in cut if track is not None]
    if not tracks:
        return None
    for track in tracks:
        track.enabled = not track.video or track is next(t for t in tracks if t.video)
    layout = mp4.lay_out(tracks, spool.contents.opened["started_at_ms"])
    digest = write_file(spool.folder, target, layout, stop)
    return {
        "sha256": digest,
        "head_size": len(layout.head),
        "head_sha256": hashlib.sha256(layout.head).hexdigest(),
        "duration_ms": layout.duration_ms,
        "fragments": [_row(tracks[number].name, chunk, at) for number, chunk, at in layout.placed],
    }


def cut_track(track: mp4.MovieTrack, chapter: Chapter) -> mp4.MovieTrack | None:
    """The track from the chapter's start to its end; None when it has nothing there."""
    ahead = 0 if track.video else PRIMING  # the decoder gives these samples before the first one
    start, end = (ms * track.timescale // 1000 for ms in (chapter.from_ms, chapter.to_ms))
    last = track.chunks[-1].index
    if max(last.start + sum(last.durations), track.until_ticks) - ahead <= start:
        return None
    covering = max((n for n, c in enumerate(track.chunks) if c.index.start <= start), default=0)
    chunks = [c for c in track.chunks[covering:] if c.index.start < end + ahead]
    if not chunks or chunks[0].index.start >= end:
        return None
    if track.video:
        chunks[0] = replace(chunks[0], index=begin_at(chunks[0].index, start))
    first = chunks[0].index.start
    base = min(start, first)
    for number, chunk in enumerate(chunks):
        index = replace(chunk.index, start=chunk.index.start - base)
        chunks[number] = replace(chunk, index=index, start_s=index.start / track.timescale)
    return replace(
        track,
        chunks=chunks,
        skip_ticks=max(0, start - first) + ahead,
        until_ticks=(end if track.name != Track.SCREEN else 0) - base,
        length_ticks=end - max(start, first),
        durations=[],
    )


def begin_at(index: Index, start: int) -> Index:
    """The index with the sample that stands at `start` beginning right there, if it began before.

    Players begin with a whole sample: an edit list that begins within one would move the track by the rest.
    """
    times = list(accumulate(index.durations, initial=index.start))[:-1]
    number = max((n for n, at in enumerate(times) if at <= start), default=0)
    late = start - times[number]
    if late <= 0:
        return index
    durations = list(index.durations)
    durations[number] = max(1, durations[number] - late)
    if number == 0:
        return replace(index, start=start, durations=tuple(durations))
    durations[number - 1] += late
    return replace(index, durations=tuple(durations))


def _row(track: str, chunk: mp4.Chunk, at: int) -> list[Any]:
    key = chunk.key
    if isinstance(key, Fragment):
        return [at, chunk.size, key.media_sha256, track, key.start_ms, key.duration_ms]
    assert isinstance(key, bytes)
    return [at, chunk.size, hashlib.sha256(key).hexdigest(), track, round(chunk.start_s * 1000), 0]
