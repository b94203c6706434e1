"""Frames of one recording in, durable fragments out. Owned by the recording's thread; no clock read here.

Where one reel of a long recording ends and the next begins (`recorder.reels`) is found here: `seek_part` asks
for it, the next keyframe of any video is it, and once every track has come so far the reel `is_parted`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from recorder.audio import RATE
from recorder.audio_track import AudioTrack
from recorder.feed import Codec, Frame, Report, Track
from recorder.spool import RecordingSpool
from recorder.timeline import ArrivalGuard, Stamp, Timeline
from recorder.video_track import VideoTrack

KEYFRAME_WAIT_MS = 10_000  # without one the reel ends between two: no picture, or a source that sends few
TRACKS_WAIT_MS = 3_000  # for what belongs before the cut and is on its way: `depacketize.RECORD_WAIT_NS`


@dataclass(slots=True)
class _Part:
    """The end of a reel that is looked for: since when (monotonic ms), then where, in ms since 1970."""

    sought_ms: int
    at_ms: int | None = None
    found_ms: int = 0


class Packager:
    """Sorts frames to their tracks and keeps what the tracks share: timeline, origin, numbering."""

    def __init__(self, spool: RecordingSpool) -> None:
        self._spool = spool
        self._timeline = Timeline()
        self._guard = ArrivalGuard()
        self._video: dict[Track, VideoTrack] = {}
        self._audio: AudioTrack | None = None
        self._last: dict[Track, int] = {}  # number of the newest frame, per track
        self._newest: tuple[int, int] | None = None  # (arrival, monotonic) of the newest frame, ms
        self._resumed: set[Track] = set()
        self._part: _Part | None = None
        for name, through in spool.contents.through.items():
            self._last[Track(name)] = through
            self._resumed.add(Track(name))

    def feed_changed(self) -> None:
        """Another run of the node sends from now on; its numbers begin at 1."""
        self._last.clear()
        self._resumed.clear()

    def push(self, frame: Frame, monotonic_ms: int) -> None:
        """Take a frame; one that is there already is dropped. Raises OSError (disk full)."""
        last = self._last.get(frame.track, 0)
        if frame.n <= last:
            return
        if frame.n > last + 1 and not frame.lost_before:
            reason = "recorder_restarted" if frame.track in self._resumed else "feed_lost"
            frame = replace(frame, lost_before=frame.n - last - 1, lost_reason=reason)
        self._resumed.discard(frame.track)
        self._last[frame.track] = frame.n
        arrival_ms = self._guard.correct(frame.arrival_ms, monotonic_ms)
        self._newest = (arrival_ms, monotonic_ms)
        stamp = self._timeline.stamp(
            frame.track, frame.rtp_timestamp, frame.clock_rate, arrival_ms, frame.source
        )
        track: VideoTrack | AudioTrack
        if frame.track is Track.AUDIO:
            track = self._audio_track()
        else:
            track = self._video_track(frame.track, frame.codec)
        if self._part is not None and self._part.at_ms is None and self._may_part(frame, stamp, monotonic_ms):
            # Right after what is stored already of a track that is ahead of this frame's.
            at_ms = max(math.floor(self._timeline.wall_ms(stamp)), self._origin() + self._stored_ms())
            self._part_at(at_ms, monotonic_ms)
        track.push(frame, stamp)

    def report(self, report: Report) -> None:
        """Take a sender report."""
        self._timeline.report(report.track, report.ntp, report.rtp_timestamp)

    def tick(self, monotonic_ms: int) -> None:
        """Let tracks store what has waited too long."""
        if self._newest is not None:
            for track in self._tracks():
                track.tick(self._arrival_ms(monotonic_ms))

    def store(self) -> None:
        """Store what waits now; its tracks go on."""
        self.stay()
        for track in self._tracks():
            track.store()

    def finish(self) -> None:
        """Store everything that waits; no more will come."""
        self.stay()
        for track in self._tracks():
            track.finish()
        self._video.clear()
        self._audio = None

    def seek_part(self, monotonic_ms: int) -> None:
        """End the reel at the next good place; asking again changes nothing."""
        if self._part is None:
            self._part = _Part(monotonic_ms)

    def part_now(self, monotonic_ms: int) -> None:
        """End the reel where what is stored ends: its disk takes no more. Raises OSError."""
        if self._part is None or self._part.at_ms is None:
            self._part = _Part(monotonic_ms)
            self._part_at(self._origin() + self._stored_ms(), monotonic_ms)

    def is_parted(self, monotonic_ms: int) -> bool:
        """Whether the place is found and all that lies before it has come."""
        part = self._part
        if part is None or part.at_ms is None:
            return False
        now_ms, at_ms = self._arrival_ms(monotonic_ms), part.at_ms
        waited_ms = monotonic_ms - part.found_ms
        return waited_ms >= TRACKS_WAIT_MS or all(t.has_reached(at_ms, now_ms) for t in self._tracks())

    def leave(self, monotonic_ms: int) -> tuple[int, dict[str, int]]:
        """Store what the reel has to the last sample: where it ends (ms since 1970), and by track the number
        of the last frame that is in it alone."""
        assert self._part is not None
        assert self._part.at_ms is not None
        through: dict[str, int] = {name.value: n for name, n in self._last.items()}
        for track in self._tracks():
            first = track.leave(self._arrival_ms(monotonic_ms))
            if first is not None:
                through[track.name] = first - 1
        return self._part.at_ms, through

    def go_on(self, spool: RecordingSpool) -> None:
        """Go on in the next reel's spool, whose origin is where this one ended."""
        assert self._part is not None
        assert self._part.at_ms is not None
        length_ms = self._part.at_ms - self._origin()
        self._spool, self._part = spool, None
        for track in self._tracks():
            track.go_on(spool, length_ms)

    def stay(self) -> None:
        """Forget about ending the reel."""
        if self._part is not None and self._part.at_ms is not None:
            for track in self._tracks():
                track.stay()
        self._part = None

    @property
    def duration_ms(self) -> int:
        """Length of what is durable."""
        ends = [
            f.end * 1000 // (RATE if f.track == Track.AUDIO else 90_000)
            for f in self._spool.contents.fragments[-8:]
        ]
        return max(ends, default=0)

    def _may_part(self, frame: Frame, stamp: Stamp, monotonic_ms: int) -> bool:
        assert self._part is not None
        if monotonic_ms - self._part.sought_ms >= KEYFRAME_WAIT_MS:
            return True
        return (
            frame.keyframe
            and frame.track is not Track.AUDIO
            and self._timeline.settled(stamp, stamp.arrival_ms)
        )

    def _stored_ms(self) -> int:
        """Where all that is stored ends, from the origin; at least 1."""
        return max([1, *(track.end_ms for track in self._tracks())])

    def _part_at(self, at_ms: int, monotonic_ms: int) -> None:
        assert self._part is not None
        self._part.at_ms, self._part.found_ms = at_ms, monotonic_ms
        for track in self._tracks():
            track.part_at(at_ms)

    def _arrival_ms(self, monotonic_ms: int) -> int:
        """Now on the arrivals' clock."""
        assert self._newest is not None
        return self._newest[0] + monotonic_ms - self._newest[1]

    def _tracks(self) -> list[VideoTrack | AudioTrack]:
        audio = [self._audio] if self._audio is not None else []
        return [*self._video.values(), *audio]

    def _audio_track(self) -> AudioTrack:
        if self._audio is None:
            self._audio = AudioTrack(self._spool, self._timeline, self._origin)
            if self._part is not None and self._part.at_ms is not None:
                self._audio.part_at(self._part.at_ms)
        return self._audio

    def _video_track(self, name: Track, codec: Codec) -> VideoTrack:
        track = self._video.get(name)
        if track is None or track.codec is not codec:
            before, track = track, VideoTrack(name, codec, self._spool, self._timeline, self._origin)
            if before is not None:
                self.stay()
                before.end()
                track.follow(before)
            elif self._part is not None and self._part.at_ms is not None:
                track.part_at(self._part.at_ms)
            self._video[name] = track
        return track

    def _origin(self) -> int:
        """Wall time of the recording's first media; found when the first fragment is stored."""
        if self._spool.contents.origin_ms is None:
            stamps = [stamp for track in self._tracks() if (stamp := track.first_waiting) is not None]
            self._spool.note("origin", origin_ms=round(min(self._timeline.wall_ms(s) for s in stamps)))
        origin_ms = self._spool.contents.origin_ms
        assert origin_ms is not None
        return origin_ms
