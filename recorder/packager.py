"""Frames of one recording in, durable fragments out. Owned by the recording's thread; no clock read here."""

from __future__ import annotations

from dataclasses import replace

from recorder.audio import RATE
from recorder.audio_track import AudioTrack
from recorder.feed import Codec, Frame, Report, Track
from recorder.spool import RecordingSpool
from recorder.timeline import ArrivalGuard, Timeline
from recorder.video_track import VideoTrack


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
        if frame.track is Track.AUDIO:
            if self._audio is None:
                self._audio = AudioTrack(self._spool, self._timeline, self._origin)
            self._audio.push(frame, stamp)
        else:
            self._video_track(frame.track, frame.codec).push(frame, stamp)

    def report(self, report: Report) -> None:
        """Take a sender report."""
        self._timeline.report(report.track, report.ntp, report.rtp_timestamp)

    def tick(self, monotonic_ms: int) -> None:
        """Let tracks store what has waited too long."""
        if self._newest is None:
            return
        now_ms = self._newest[0] + monotonic_ms - self._newest[1]
        for track in self._tracks():
            track.tick(now_ms)

    def store(self) -> None:
        """Store what waits now; its tracks go on."""
        for track in self._tracks():
            track.store()

    def finish(self) -> None:
        """Store everything that waits; no more will come."""
        for track in self._tracks():
            track.finish()
        self._video.clear()
        self._audio = None

    @property
    def duration_ms(self) -> int:
        """Length of what is durable."""
        ends = [
            f.end * 1000 // (RATE if f.track == Track.AUDIO else 90_000)
            for f in self._spool.contents.fragments[-8:]
        ]
        return max(ends, default=0)

    def _tracks(self) -> list[VideoTrack | AudioTrack]:
        audio = [self._audio] if self._audio is not None else []
        return [*self._video.values(), *audio]

    def _video_track(self, name: Track, codec: Codec) -> VideoTrack:
        track = self._video.get(name)
        if track is None or track.codec is not codec:
            before, track = track, VideoTrack(name, codec, self._spool, self._timeline, self._origin)
            if before is not None:
                before.leave()
                track.follow(before)
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
