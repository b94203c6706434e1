"""The tracks of a sealed file: which fragments they have, and what stands where there are none."""

from __future__ import annotations

from collections.abc import Iterable

from recorder import boxes, fmp4, mp4
from recorder.audio import BITRATE_BPS, FRAME, PRIMING, RATE, silent_packet
from recorder.feed import Codec, Track
from recorder.formats import VIDEO_TIMESCALE
from recorder.manifest import Contents, Fragment
from recorder.spool import Reader, RecordingSpool
from recorder.video_track import LEAD_IN_MS

TAIL_MS = 500  # a track that ends earlier than another by more is drawn out with a still, or silence
NOTED_TAIL_MS = 3_000


def movie_tracks(spool: RecordingSpool, good: Iterable[Fragment]) -> list[mp4.MovieTrack]:
    """Camera, audio, screen, those that there are, drawn out to one length; the first video is shown."""
    counted = set(spool.contents.transcoded.values())
    usable = [f for f in good if f.codec != Codec.VP8]
    usable += [f for f in spool.contents.derived if f.file in counted]
    tracks: list[mp4.MovieTrack] = []
    with Reader(spool.folder) as reader:
        for name in (Track.CAMERA, Track.AUDIO, Track.SCREEN):
            mine = sorted((f for f in usable if f.track == name), key=lambda f: (f.start, f.n))
            if not mine:
                continue
            if name is Track.AUDIO:
                entries = [boxes.aac_entry(BITRATE_BPS)]
                track = mp4.MovieTrack(name, False, RATE, entries, [], skip_ticks=PRIMING)
                track.chunks = _without_holes([_chunk(reader, f, 1, RATE) for f in mine])
            else:
                track = mp4.MovieTrack(name, True, VIDEO_TIMESCALE, [], [])
                track.enabled = not any(t.video for t in tracks)
                _add_video(spool.contents, reader, track, mine)
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

    A shared screen is not drawn out: it ended when its sharing did. A reel that another goes on from ends to
    the millisecond where that one begins, with everything that is still there.
    """
    ends = {track.name: _end_ms(track) for track in tracks}
    length_ms = spool.contents.length_ms
    end_ms = max(ends.values()) if length_ms is None else length_ms
    for track in tracks:
        short_ms = end_ms - ends[track.name]
        stands = length_ms is not None and (track.name != Track.SCREEN or short_ms < LEAD_IN_MS)
        if (track.name != Track.SCREEN and short_ms >= TAIL_MS) or (stands and short_ms > 0):
            _draw_out_track(spool, track, ends[track.name], end_ms)
        if length_ms is not None:
            begins = track.chunks[0].index.start
            track.length_ticks = max(1, length_ms * track.timescale // 1000 - begins)


def _draw_out_track(spool: RecordingSpool, track: mp4.MovieTrack, from_ms: int, end_ms: int) -> None:
    if track.video:
        track.until_ticks = end_ms * VIDEO_TIMESCALE // 1000
    else:
        track.chunks = _without_holes(track.chunks, end_ms * RATE // 1000 + PRIMING)
    gaps = [g["to_ms"] for g in spool.contents.gaps if g["track"] == track.name]
    begin_ms = max(from_ms, *gaps) if gaps else from_ms
    if end_ms - begin_ms >= NOTED_TAIL_MS:
        spool.note("gap", track=track.name, from_ms=begin_ms, to_ms=end_ms, reason="no_media")


def _end_ms(track: mp4.MovieTrack) -> int:
    index = track.chunks[-1].index
    return (index.start + sum(index.durations) - track.skip_ticks) * 1000 // track.timescale


def _add_video(contents: Contents, reader: Reader, track: mp4.MovieTrack, fragments: list[Fragment]) -> None:
    numbers: dict[str, int] = {}  # avcC to sample description
    for fragment in fragments:
        config = contents.configs[fragment.file][fragment.config - 1]
        if config["avcc"] not in numbers:
            numbers[config["avcc"]] = len(numbers) + 1
            avcc = bytes.fromhex(config["avcc"])
            track.entries.append(boxes.avc_entry(b"avc1", config["width"], config["height"], avcc))
            track.width = max(track.width, config["width"])
            track.height = max(track.height, config["height"])
        track.chunks.append(_chunk(reader, fragment, numbers[config["avcc"]], VIDEO_TIMESCALE))


def _chunk(reader: Reader, fragment: Fragment, description: int, timescale: int) -> mp4.Chunk:
    index = fmp4.read_index(reader.read(fragment.file, fragment.offset, fragment.head_size))
    return mp4.Chunk(index, description, fragment.media_size, fragment.start / timescale, fragment)
