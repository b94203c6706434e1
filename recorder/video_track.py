"""One video track while it is recorded: frames are gathered, placed and stored fragment by fragment.

A fragment begins with a keyframe and is about 2 s long, as keyframes come. Times are given when it is
stored, not when a frame arrives, because sender reports that came meanwhile place it better. What a player
could not decode is not stored: after a loss all up to the next keyframe is left out, and the gap noted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from recorder.feed import Codec, Frame
from recorder.formats import VIDEO_TIMESCALE, H264Format, Picture, Timed, VideoFormat, Vp8Format
from recorder.h264 import VideoConfig
from recorder.spool import RecordingSpool
from recorder.timeline import Run, Stamp, Timeline

FRAGMENT_MS = 1_900  # keyframes are asked for every 2 s and come a frame earlier or later
LONGEST_FRAGMENT_MS = 4_000  # stored without waiting for a keyframe: what a crash may cost has a bound
LARGEST_FRAGMENT_BYTES = 8 * 1024 * 1024
STILL_MS = 3_000  # a shared screen may well send nothing for a while; beyond this it is worth a note
RESUME_MS = 500  # a shorter hole after a restart is a frame or two, not a gap
_USUAL_TICKS = VIDEO_TIMESCALE // 25

_log = structlog.get_logger("recorder.video")


@dataclass(frozen=True, slots=True)
class _Waiting:
    picture: Picture
    stamp: Stamp
    n: int


def video_format(codec: Codec) -> VideoFormat:
    """How a codec is kept."""
    return H264Format() if codec is Codec.H264 else Vp8Format()


class VideoTrack:
    """Owned by the recording's thread. `origin` gives the recording's origin in ms since 1970."""

    def __init__(
        self, name: str, codec: Codec, spool: RecordingSpool, timeline: Timeline, origin: Callable[[], int]
    ) -> None:
        self.name = name
        self.codec = codec
        self._spool = spool
        self._timeline = timeline
        self._origin = origin
        self._format = video_format(codec)
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._run: Run | None = None
        self._newest: Stamp | None = None
        self._config: VideoConfig | None = None
        self._need_keyframe = True
        self._gap: str | None = None  # why the next stored picture does not follow the last one
        self._gap_of_fragment: str | None = None
        ends = [f.end for f in spool.contents.fragments if f.track == name]
        self._end: int | None = max(ends, default=None)  # ticks; of the last stored picture
        self._next = 0 if self._end is None else self._end  # the earliest tick the next one may have
        self._resumed = self._end is not None

    @property
    def first_waiting(self) -> Stamp | None:
        """Where the oldest frame not stored yet belongs."""
        return self._waiting[0].stamp if self._waiting else None

    def push(self, frame: Frame, stamp: Stamp) -> None:
        """Take the track's next frame."""
        if self._run is not None and stamp.run is not self._run:
            self._break("source_changed")
        self._run = stamp.run
        self._newest = stamp
        if frame.lost_before:
            self._break(frame.lost_reason)
        try:
            picture = self._format.parse(frame.data)
        except ValueError as error:
            _log.debug("recorder.frame_undecodable", track=self.name, error=str(error))
            self._break("undecodable")
            return
        if picture is None:
            return
        if self._need_keyframe and not picture.sync:
            self._set_gap("no_keyframe")
            return
        if self._is_cut_before(picture, stamp):
            self.store(stamp)
        if picture.config is not None:
            self._config = picture.config
        if not self._waiting:
            self._gap_of_fragment, self._gap = self._gap, None
        self._need_keyframe = False
        self._waiting.append(_Waiting(picture, stamp, frame.n))
        self._bytes += len(picture.data)

    def tick(self, now_ms: int) -> None:
        """Store what has waited too long; `now_ms` is on the arrivals' clock."""
        if self._waiting and now_ms - self._waiting[0].stamp.arrival_ms >= LONGEST_FRAGMENT_MS:
            self.store()

    def leave(self) -> None:
        """The track goes on with another codec."""
        self._break("source_changed")

    def follow(self, other: VideoTrack) -> None:
        """Go on where the same track with another codec ended."""
        self._end, self._next, self._gap = other._end, other._next, other._gap

    def finish(self) -> None:
        """Store the rest; a gap up to the end is noted."""
        self.store()
        if self._gap is None or self._end is None or self._newest is None:
            return
        until = self._ticks(self._newest, self._origin())
        if until > self._end:
            self._note_gap(self._end, until, self._gap)

    def store(self, following: Stamp | None = None) -> None:
        """Make what waits a durable fragment; `following` is the next frame's place, if there is one."""
        if not self._waiting or self._config is None:
            return
        waiting = self._waiting
        try:
            pictures = self._place(waiting, following, self._origin())
            self._note_gaps(pictures)
            self._format.store(self._spool, self.name, self._config, pictures, waiting[-1].n)
        except OSError as error:
            _log.error("recorder.write_failed", track=self.name, error=str(error))
            self._need_keyframe = True
            self._gap = "disk"
            return
        finally:
            self._waiting, self._bytes = [], 0
        self._end = pictures[-1].start + pictures[-1].duration
        self._next = pictures[-1].start + 1
        self._resumed = False

    def _is_cut_before(self, picture: Picture, stamp: Stamp) -> bool:
        if not self._waiting:
            return False
        first = self._waiting[0].stamp
        span_ms = max(
            stamp.arrival_ms - first.arrival_ms,
            first.run.ms(stamp.ticks - first.ticks),
        )
        if span_ms >= LONGEST_FRAGMENT_MS or self._bytes >= LARGEST_FRAGMENT_BYTES:
            return True
        if not picture.sync:
            return False
        settled = self._timeline.settled(first, stamp.arrival_ms)
        return picture.config != self._config or (span_ms >= FRAGMENT_MS and settled)

    def _place(self, waiting: list[_Waiting], following: Stamp | None, origin_ms: int) -> list[Timed]:
        starts: list[int] = []
        for item in waiting:
            starts.append(max(self._next, self._ticks(item.stamp, origin_ms)))
            self._next = starts[-1] + 1
        usual = starts[-1] - starts[-2] if len(starts) > 1 else _USUAL_TICKS
        last = min(usual, VIDEO_TIMESCALE)
        if following is not None:
            to_next = self._ticks(following, origin_ms) - starts[-1]
            last = to_next if 0 < to_next <= VIDEO_TIMESCALE else last
        lengths = [
            after - before for before, after in zip(starts, [*starts[1:], starts[-1] + last], strict=True)
        ]
        return [Timed(w.picture, s, d) for w, s, d in zip(waiting, starts, lengths, strict=True)]

    def _ticks(self, stamp: Stamp, origin_ms: int) -> int:
        return round((self._timeline.wall_ms(stamp) - origin_ms) * (VIDEO_TIMESCALE / 1000))

    def _note_gaps(self, pictures: list[Timed]) -> None:
        start = pictures[0].start
        if self._end is not None and start > self._end:
            reason, self._gap_of_fragment = self._gap_of_fragment, None
            hole_ms = (start - self._end) // 90
            if reason is None and self._resumed and hole_ms > RESUME_MS:
                reason = "recorder_restarted"
            if reason is not None or hole_ms > STILL_MS:
                self._note_gap(self._end, start, reason or "no_media")
        for picture in pictures[:-1]:
            if picture.duration > STILL_MS * 90:
                self._note_gap(picture.start, picture.start + picture.duration, "no_media")

    def _note_gap(self, start: int, end: int, reason: str) -> None:
        self._spool.note("gap", track=self.name, from_ms=start // 90, to_ms=end // 90, reason=reason)

    def _break(self, reason: str) -> None:
        self.store()
        self._need_keyframe = True
        self._set_gap(reason)

    def _set_gap(self, reason: str) -> None:
        if self._gap is None and self._end is not None:
            self._gap = reason
