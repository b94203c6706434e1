"""From a finished spool folder to a sealed recording: every step can be cut short and simply runs again.

1. check each fragment's hash (one that lost it is left out, named as a gap);  2. store VP8 originals and make
their H.264 version;  3. lay out and write the MP4;  4. put it into the store;  5. note `sealed`;  6. put the
manifest;  7. keep the final event, drop the media. The same fragments give the same bytes, so running again
after a crash between 4 and 5 meets its own object.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from recorder import boxes, fmp4, mp4
from recorder.audio import BITRATE_BPS, FRAME, PRIMING, RATE, silent_packet
from recorder.child import StoppedError
from recorder.derive import Slots, derive
from recorder.feed import Codec, State, Track
from recorder.formats import VIDEO_TIMESCALE
from recorder.manifest import Fragment, through
from recorder.objects import ObjectStore
from recorder.spool import MANIFEST, SEALED, RecordingSpool

MAX_GAPS_TOLD = 200  # in the event; the manifest has them all
TAIL_MS = 500  # a track that ends earlier than another by more is drawn out with a still, or silence
NOTED_TAIL_MS = 3_000
_COPY_BYTES = 1024 * 1024
_AHEAD = 16  # fragments written but not hashed yet
_SEALED_MANIFEST = "manifest.part"


def seal(
    spool: RecordingSpool,
    store: ObjectStore,
    now_ms: Callable[[], int],
    progress: Callable[[int], None],
    slots: Slots,
    stop: threading.Event,
) -> dict[str, Any]:
    """Do what is left to do; the final event. Raises OSError (try again), ObjectError, StoppedError."""
    contents = spool.contents
    opened = contents.opened
    if contents.sealed is None:
        good = _undamaged(spool, stop)
        derive(spool, store, good, progress, slots, stop)
        tracks = movie_tracks(spool, good)
        if not tracks:
            return final(spool, State.FAILED, detail="no_media")
        layout = mp4.lay_out(tracks, opened["started_at_ms"])
        path = spool.folder / SEALED
        with slots.writing:
            digest = write_file(spool.folder, path, layout, stop)
        key = f"{opened['lesson']}/{opened['recording']}.mp4"
        store.put(key, path, opened["retain_until_ms"])
        placed = [[c.key.n, offset] for _, c, offset in layout.placed if isinstance(c.key, Fragment)]
        spool.note(
            "sealed",
            key=key,
            sha256=digest,
            size=layout.size,
            head_size=len(layout.head),
            head_sha256=hashlib.sha256(layout.head).hexdigest(),
            duration_ms=layout.duration_ms,
            sealed_at_ms=now_ms(),
            placed=sorted(placed),
        )
    assert contents.sealed is not None
    copy = spool.folder / _SEALED_MANIFEST
    copy.unlink(missing_ok=True)
    copy.write_bytes(through((spool.folder / MANIFEST).read_bytes(), contents.sealed["n"])[0])
    store.put(manifest_key(opened["lesson"], opened["recording"]), copy, opened["retain_until_ms"])
    return final(spool, State.SEALED)


def manifest_key(lesson: str, recording: str) -> str:
    """Where a recording's manifest lies in the store."""
    return f"{lesson}/{recording}.manifest.jsonl"


def final(spool: RecordingSpool, state: State, detail: str = "") -> dict[str, Any]:
    """The event of a sealed or failed recording."""
    contents = spool.contents
    sealed = contents.sealed or {}
    opened = contents.opened
    chain = spool.chain
    if contents.sealed is not None:  # versions may have been begun since
        chain = through((spool.folder / MANIFEST).read_bytes(), contents.sealed["n"])[1]
    return {
        "recording": opened["recording"],
        "lesson": opened["lesson"],
        "state": state.value,
        "bytes": spool.media_bytes,
        "duration_ms": sealed.get("duration_ms", 0),
        "started_at_ms": contents.origin_ms or opened["started_at_ms"],
        "sha256": sealed.get("sha256"),
        "size": sealed.get("size"),
        "path": sealed.get("key"),
        "manifest": manifest_key(opened["lesson"], opened["recording"]) if sealed else None,
        "chain": chain,
        "sealed_at_ms": sealed.get("sealed_at_ms"),
        "retain_until_ms": opened["retain_until_ms"],
        "gaps": contents.gaps[:MAX_GAPS_TOLD],
        "gaps_total": len(contents.gaps),
        "detail": detail,
    }


def _undamaged(spool: RecordingSpool, stop: threading.Event) -> list[Fragment]:
    """Fragments that still have their hash; others are noted as gaps."""
    good: list[Fragment] = []
    known = {(g["track"], g["from_ms"]) for g in spool.contents.gaps if g["reason"] == "damaged"}
    for fragment in spool.contents.fragments:
        if stop.is_set():
            raise StoppedError
        with (spool.folder / fragment.file).open("rb") as file:
            file.seek(fragment.offset)
            head, media = file.read(fragment.head_size), file.read(fragment.media_size)
        hashes = (hashlib.sha256(head).hexdigest(), hashlib.sha256(media).hexdigest())
        if hashes == (fragment.head_sha256, fragment.media_sha256):
            good.append(fragment)
        elif (fragment.track, fragment.start_ms) not in known:
            spool.note(
                "gap",
                track=fragment.track,
                from_ms=fragment.start_ms,
                to_ms=fragment.start_ms + fragment.duration_ms,
                reason="damaged",
            )
    return good


def movie_tracks(spool: RecordingSpool, good: Iterable[Fragment]) -> list[mp4.MovieTrack]:
    """Camera, audio, screen, those that there are, drawn out to one length; the first video is shown."""
    counted = set(spool.contents.transcoded.values())
    usable = [f for f in good if f.codec != Codec.VP8]
    usable += [f for f in spool.contents.derived if f.file in counted]
    tracks: list[mp4.MovieTrack] = []
    for name in (Track.CAMERA, Track.AUDIO, Track.SCREEN):
        mine = sorted((f for f in usable if f.track == name), key=lambda f: (f.start, f.n))
        if not mine:
            continue
        if name is Track.AUDIO:
            track = mp4.MovieTrack(name, False, RATE, [boxes.aac_entry(BITRATE_BPS)], [], skip_ticks=PRIMING)
            track.chunks = _without_holes([_chunk(spool.folder, f, 1, RATE) for f in mine])
        else:
            track = mp4.MovieTrack(name, True, VIDEO_TIMESCALE, [], [])
            track.enabled = not any(t.video for t in tracks)
            _add_video(spool, track, mine)
        tracks.append(track)
    if tracks:
        _draw_out(spool, tracks)
    return tracks


def _without_holes(chunks: list[mp4.Chunk], until: int = 0) -> list[mp4.Chunk]:
    """Audio chunks with silence where fragments are missing: players count samples, not times."""
    packet = silent_packet()

    def silence(at: int, count: int) -> mp4.Chunk:
        index = fmp4.Index(at, (FRAME,) * count, (len(packet),) * count, (True,) * count)
        return mp4.Chunk(index, 1, len(packet) * count, at / RATE, packet * count)

    filled: list[mp4.Chunk] = []
    at = 0
    for chunk in chunks:
        count = (chunk.index.start - at) // FRAME
        if count > 0:
            filled.append(silence(at, count))
        filled.append(chunk)
        at = chunk.index.start + sum(chunk.index.durations)
    if until - at >= FRAME:
        filled.append(silence(at, (until - at) // FRAME))
    return filled


def _draw_out(spool: RecordingSpool, tracks: list[mp4.MovieTrack]) -> None:
    """Let camera and sound last as long as the longest track; what is made up is noted as a gap.

    A shared screen is not drawn out: it ended when its sharing did.
    """
    ends = {track.name: _end_ms(track) for track in tracks}
    end_ms = max(ends.values())
    for track in tracks:
        if track.name == Track.SCREEN or end_ms - ends[track.name] < TAIL_MS:
            continue
        if track.video:
            track.until_ticks = end_ms * VIDEO_TIMESCALE // 1000
        else:
            track.chunks = _without_holes(track.chunks, end_ms * RATE // 1000 + PRIMING)
        gaps = [g for g in spool.contents.gaps if g["track"] == track.name]
        begin_ms = max(ends[track.name], *(g["to_ms"] for g in gaps)) if gaps else ends[track.name]
        if end_ms - begin_ms >= NOTED_TAIL_MS:
            spool.note("gap", track=track.name, from_ms=begin_ms, to_ms=end_ms, reason="no_media")


def _end_ms(track: mp4.MovieTrack) -> int:
    index = track.chunks[-1].index
    return (index.start + sum(index.durations) - track.skip_ticks) * 1000 // track.timescale


def _add_video(spool: RecordingSpool, track: mp4.MovieTrack, fragments: list[Fragment]) -> None:
    numbers: dict[str, int] = {}  # avcC to sample description
    for fragment in fragments:
        config = spool.contents.configs[fragment.file][fragment.config - 1]
        if config["avcc"] not in numbers:
            numbers[config["avcc"]] = len(numbers) + 1
            avcc = bytes.fromhex(config["avcc"])
            track.entries.append(boxes.avc_entry(b"avc1", config["width"], config["height"], avcc))
            track.width = max(track.width, config["width"])
            track.height = max(track.height, config["height"])
        track.chunks.append(_chunk(spool.folder, fragment, numbers[config["avcc"]], VIDEO_TIMESCALE))


def _chunk(folder: Path, fragment: Fragment, description: int, timescale: int) -> mp4.Chunk:
    with (folder / fragment.file).open("rb") as file:
        file.seek(fragment.offset)
        index = fmp4.read_index(file.read(fragment.head_size))
    return mp4.Chunk(index, description, fragment.media_size, fragment.start / timescale, fragment)


def write_file(folder: Path, path: Path, layout: mp4.Layout, stop: threading.Event) -> str:
    """Write the MP4 durably; returns its SHA-256."""
    digest = hashlib.sha256(layout.head)
    path.unlink(missing_ok=True)
    sources: dict[str, BinaryIO] = {}
    try:
        # Hashing takes as long as writing and lets other threads run: they go side by side.
        with path.open("wb", buffering=_COPY_BYTES) as target, ThreadPoolExecutor(1) as hasher:
            behind: deque[Future[None]] = deque()
            target.write(layout.head)
            for _, chunk, _ in layout.placed:
                if stop.is_set():
                    raise StoppedError
                media = _media(folder, chunk.key, sources)
                behind.append(hasher.submit(digest.update, media))
                target.write(media)
                if len(behind) > _AHEAD:
                    behind.popleft().result()
            for update in behind:
                update.result()
            target.flush()
            os.fsync(target.fileno())
    finally:
        for source in sources.values():
            source.close()
    return digest.hexdigest()


def _media(folder: Path, fragment: object, sources: dict[str, BinaryIO]) -> bytes:
    """A fragment's media bytes, or those put between fragments; files stay open in `sources`."""
    if isinstance(fragment, bytes):
        return fragment
    assert isinstance(fragment, Fragment)
    if fragment.file not in sources:
        sources[fragment.file] = (folder / fragment.file).open("rb")
    source = sources[fragment.file]
    source.seek(fragment.offset + fragment.head_size)
    return source.read(fragment.media_size)
