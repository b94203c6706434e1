"""One video track while it is recorded: frames are gathered, placed and stored fragment by fragment.

A fragment begins with a keyframe and is about 2 s long, as keyframes come. Times are given when it is
stored, not when a frame arrives, because sender reports that came meanwhile place it better. What a player
could not decode is not stored: after a loss all up to the next keyframe is left out, and the gap noted.

Where a reel ends (`part_at`) what lies before goes into it, the rest is held for the next (`go_on`). A reel
that begins between keyframes is led in: the pictures since the last keyframe come once more, all within its
first millisecond, because the next ones cannot be decoded without them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from recorder.feed import Codec, Frame
from recorder.formats import VIDEO_TIMESCALE, H264Format, Picture, Timed, VideoFormat, Vp8Format
from recorder.h264 import VideoConfig
from recorder.spool import RecordingSpool
from recorder.timeline import Run, Stamp, Timeline

FRAGMENT_MS = 1_900  # keyframes are asked for every 2 s and come a frame earlier or later
LONGEST_FRAGMENT_MS = 4_000  # stored without waiting for a keyframe: what a crash may cost has a bound
LARGEST_FRAGMENT_BYTES = 8 * 1024 * 1024
LEAD_IN_MS = 10_000  # a picture that has stood longer has lost its source: the next reel begins without it
LARGEST_LEAD_IN_BYTES = 8 * 1024 * 1024
STILL_MS = 3_000  # a shared screen may well send nothing for a while; beyond this it is worth a note
RESUME_MS = 500  # a shorter hole after a restart is a frame or two, not a gap
_USUAL_TICKS = VIDEO_TIMESCALE // 25

_log = structlog.get_logger("recorder.video")


@dataclass(frozen=True, slots=True)
class _Waiting:
    picture: Picture
    stamp: Stamp
    n: int


@dataclass(slots=True)
class _Group:
    """Pictures since the last keyframe, whether stored or not; none once they are too large to keep."""

    items: list[_Waiting] = field(default_factory=list)
    size: int = 0

    def add(self, item: _Waiting) -> None:
        if item.picture.sync:
            self.items, self.size = [], 0
        elif not self.items:
            return
        self.items.append(item)
        self.size += len(item.picture.data)
        if self.size > LARGEST_LEAD_IN_BYTES:
            self.items = []

    def before(self, n: int) -> list[_Waiting]:
        return [item for item in self.items if item.n < n]


@dataclass(frozen=True, slots=True)
class _Held:
    """A fragment of the next reel; `gap`: why it does not follow the one before."""

    items: list[_Waiting]
    config: VideoConfig | None
    following: Stamp | None
    gap: str | None


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
        self._group = _Group()
        self._part_ms: int | None = None  # wall time where the reel ends
        self._is_parted = False  # all that waits, and is held, belongs to the next one
        self._lead_in: list[_Waiting] = []
        self._held: list[_Held] = []
        self._run: Run | None = None
        self._newest: Stamp | None = None
        self._config: VideoConfig | None = None
        self._need_keyframe = True
        self._gap: str | None = None  # why the next stored picture does not follow the last one
        self._gap_of_fragment: str | None = None
        ends = [f.end for f in spool.contents.fragments if f.track == name]
        begins = None if spool.contents.continues is None else 0
        self._end: int | None = max(ends, default=begins)  # ticks; of the last stored picture
        self._next = self._end or 0  # the earliest tick the next one may have
        self._resumed = bool(ends)

    @property
    def end_ms(self) -> int:
        """Where what is stored ends, from the origin, rounded up."""
        return -(-(self._end or 0) // 90)

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
            self._cut(stamp)
        if picture.config is not None:
            self._config = picture.config
        if not self._waiting:
            self._gap_of_fragment, self._gap = self._gap, None
        self._need_keyframe = False
        item = _Waiting(picture, stamp, frame.n)
        self._waiting.append(item)
        self._group.add(item)
        self._bytes += len(picture.data)
        self._part()

    def tick(self, now_ms: int) -> None:
        """Store what has waited too long; `now_ms` is on the arrivals' clock."""
        if self._waiting and now_ms - self._waiting[0].stamp.arrival_ms >= LONGEST_FRAGMENT_MS:
            self._cut(None)

    def end(self) -> None:
        """The track goes on with another codec."""
        self._break("source_changed")

    def follow(self, other: VideoTrack) -> None:
        """Go on where the same track with another codec ended."""
        self._end, self._next, self._gap = other._end, other._next, other._gap

    def part_at(self, at_ms: int) -> None:
        """The reel ends at this wall time: nothing after it is stored before `go_on` or `stay`."""
        self._part_ms = at_ms
        self._part()

    def has_reached(self, at_ms: int, now_ms: int) -> bool:
        """Whether all before `at_ms` has come, or will not: the track is silent (`now_ms` as arrivals)."""
        newest = self._newest
        if newest is None or now_ms - newest.arrival_ms > STILL_MS:
            return True
        return self._timeline.wall_ms(newest) >= at_ms

    def leave(self, now_ms: int) -> int | None:
        """Store what is before the reel's end; the number of the first frame that the next reel has."""
        assert self._part_ms is not None
        if not self._is_parted:
            self.store()
            self._is_parted = True
            newest = self._newest
            stands = newest is not None and now_ms - newest.arrival_ms <= LEAD_IN_MS
            self._lead_in = [] if self._need_keyframe or not stands else self._group.items[:]
        if self._gap is not None and not self._held and not self._waiting:
            with contextlib.suppress(OSError):  # a failing disk: the next reel says it
                self._note_gap_until(self._part_ms)
        kept = [*self._lead_in, *(held.items[0] for held in self._held[:1]), *self._waiting[:1]]
        return kept[0].n if kept else None

    def go_on(self, spool: RecordingSpool, length_ms: int) -> None:
        """Go on in the next reel, whose origin is where this one ended, after `length_ms`."""
        behind = (self._end or 0) - length_ms * 90
        self._spool, self._end, self._next = spool, 0, 0
        if self._gap == "disk" and behind < 0:
            self._note_gap(behind, 0, "disk")  # the last one's disk could not say it
            self._gap = None
        first = [*(held.items[0] for held in self._held[:1]), *self._waiting[:1]]
        if self._lead_in:
            items = self._held[0].items if self._held else self._waiting
            items[:0] = self._lead_in
        elif not first or not first[0].picture.sync:
            self._begin_at_keyframe()
        self._release()

    def stay(self) -> None:
        """The reel does not end here after all."""
        self._release()

    def finish(self) -> None:
        """Store the rest; a gap up to the end is noted."""
        self.store()
        if self._gap is not None and self._end is not None and self._newest is not None:
            self._note_gap_until(self._timeline.wall_ms(self._newest))

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

    def _cut(self, following: Stamp | None) -> None:
        """What waits is a fragment: of this reel, or held for the next."""
        if not self._is_parted:
            self.store(following)
        elif self._waiting:
            self._held.append(_Held(self._waiting, self._config, following, self._gap_of_fragment))
            self._waiting, self._bytes, self._gap_of_fragment = [], 0, None

    def _part(self) -> None:
        """Once a picture is beyond the end of the reel: store those before it."""
        if self._part_ms is None or self._is_parted:
            return
        walls = (self._timeline.wall_ms(item.stamp) for item in self._waiting)
        first = next((n for n, wall_ms in enumerate(walls) if wall_ms >= self._part_ms), None)
        if first is None:
            return
        later, gap = self._waiting[first:], self._gap_of_fragment
        self._waiting = self._waiting[:first]
        if not later[0].picture.sync:
            self._lead_in = self._group.before(later[0].n)
        self.store(later[0].stamp)
        self._need_keyframe = False  # even when these could not be stored: the next reel leads its own in
        self._waiting, self._bytes = later, sum(len(item.picture.data) for item in later)
        self._gap_of_fragment = None if first else gap
        self._is_parted = True

    def _release(self) -> None:
        """Store what was held."""
        self._part_ms, self._is_parted, self._lead_in = None, False, []
        held, self._held = self._held, []
        waiting, config, gap = self._waiting, self._config, self._gap_of_fragment
        for one in held:
            self._waiting, self._config, self._gap_of_fragment = one.items, one.config, one.gap
            self.store(one.following)
        self._waiting, self._config, self._gap_of_fragment = waiting, config, gap
        self._bytes = sum(len(item.picture.data) for item in waiting)

    def _begin_at_keyframe(self) -> None:
        """What comes before the next keyframe cannot be decoded in the reel that begins."""
        fragments = [*(held.items for held in self._held), self._waiting]
        for items in fragments:
            while items and not items[0].picture.sync:
                items.pop(0)
        self._held = [held for held in self._held if held.items]
        if not self._held and not self._waiting:
            self._need_keyframe = True

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
            at = self._ticks(item.stamp, origin_ms)
            if self._next == 0 and self._end == 0 and at < 90:
                at = 0  # a reel begins at a whole millisecond, and with a picture
            starts.append(max(self._next, at))
            self._next = starts[-1] + 1
        usual = starts[-1] - starts[-2] if len(starts) > 1 else _USUAL_TICKS
        last = min(usual, VIDEO_TIMESCALE)
        if following is not None:
            to_next = self._ticks(following, origin_ms) - starts[-1]
            last = to_next if 0 < to_next <= VIDEO_TIMESCALE else last
        if self._part_ms is not None:
            last = max(1, min(last, (self._part_ms - origin_ms) * 90 - starts[-1]))
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

    def _note_gap_until(self, wall_ms: float) -> None:
        until = round((wall_ms - self._origin()) * 90)
        if self._gap is not None and self._end is not None and until > self._end:
            self._note_gap(self._end, until, self._gap)

    def _note_gap(self, start: int, end: int, reason: str) -> None:
        self._spool.note("gap", track=self.name, from_ms=start // 90, to_ms=end // 90, reason=reason)

    def _break(self, reason: str) -> None:
        self._cut(None)
        self._need_keyframe = True
        self._set_gap(reason)

    def _set_gap(self, reason: str) -> None:
        if self._gap is None and self._end is not None:
            self._gap = reason
