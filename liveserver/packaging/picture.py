"""A lane's picture: H.264 access units as samples that follow each other without a hole.

Times are 1/90000 s from the lane's origin. A frame's distance to the one before is what the publisher's
timestamps say; where that and the wall clock part, a frame moves by at most a millisecond. A picture lasts
until the next one comes; where none comes before the part ends, until there (`still` stands behind it).

Where a segment has to begin and there is no keyframe, all pictures since the last one come once more, each
for a tick: then the decoder is where it was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from liveserver.packaging.still import Stills
from recorder import fmp4
from recorder.h264 import PPS, SPS, AccessUnit, H264Error, VideoConfig, access_unit, video_config
from recorder.timeline import Run

TIMESCALE = 90_000
_SLEW = TIMESCALE // 1000
_STEP = TIMESCALE // 2  # a change of path, not of clock: followed at once
_LONGEST = TIMESCALE // 2  # a picture that stands for longer is filled up
_HOLE = TIMESCALE // 20  # a shorter one is closed by showing the next picture a little early
_MOST_WAITING = 600
_GROUP_BYTES = 2_000_000  # of pictures since the keyframe that can come once more
_GROUP_FRAMES = 600


@dataclass(slots=True)
class Waiting:
    """A frame that is in no part yet; `config` with keyframes."""

    start: int
    unit: AccessUnit
    config: VideoConfig | None


class Picture:
    """`waiting` in decoding order, `end` where the last sample given out ends (None before the first)."""

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        self.end: int | None = None
        self.needs_keyframe = True
        self.is_lost = False  # the source has not been told that a keyframe is missing
        self.is_dark = False  # nothing is shown before the next keyframe, not even the last picture
        self._group: list[tuple[bytes, bool]] = []  # since the last keyframe, as given out
        self._group_bytes = 0
        self._leads_in = False
        self._sps: tuple[bytes, ...] = ()
        self._pps: tuple[bytes, ...] = ()
        self._stills = Stills()
        self._run: Run | None = None
        self._last = (0, 0)  # ticks and start of the newest frame

    @property
    def newest(self) -> int:
        """Where the newest frame begins."""
        return self._last[1]

    def push(self, data: bytes, run: Run, ticks: int, target: int, *, lost: bool) -> None:
        """Take the next frame, whose place by the wall clock is `target`."""
        start = self._placed(run, ticks, target)
        if lost:
            self.want_keyframe()
        try:
            unit = access_unit(data)
            self._sps, self._pps = unit.sps or self._sps, unit.pps or self._pps
            config = video_config(self._sps, self._pps) if unit.idr else None
        except H264Error:
            self.want_keyframe()
            return
        if not unit.picture or (self.needs_keyframe and config is None):
            self.is_lost = self.is_lost or unit.picture
            return
        self.needs_keyframe = False
        self.waiting.append(Waiting(start, unit, config))
        if len(self.waiting) > _MOST_WAITING:
            self.give_up()

    def want_keyframe(self) -> None:
        """What comes up to the next keyframe cannot be shown."""
        self.needs_keyframe = self.is_lost = True

    def give_up(self) -> None:
        """What waits up to the next keyframe is not shown, nor what was shown before."""
        self.is_dark = True
        while self.waiting and self.waiting[0].config is None:
            self.waiting.popleft()
        if not self.waiting:
            self.want_keyframe()

    def begin_anew(self) -> None:
        """A segment begins here without a keyframe of its own."""
        if self.waiting and self.waiting[0].config is not None:
            return
        if self._group and self.end is not None:
            self._leads_in = True
        else:
            self.give_up()

    def stands_alone(self, count: int) -> bool:
        """Whether the next `count` frames can be shown without what came before."""
        if count and self.waiting[0].config is not None:
            return True
        return self._leads_in or (self.is_dark and not count)

    def take(self, count: int, end: int) -> tuple[int, list[fmp4.Sample]]:
        """Where they begin, and the samples of a part that ends at `end`, made of `count` waiting frames."""
        samples: list[fmp4.Sample] = []
        begin = self.end
        if self._leads_in and self.end is not None:
            self._leads_in = False
            samples += [fmp4.Sample(data, 1, sync) for data, sync in self._group]
            self.end += len(self._group)
        for _ in range(count):
            frame = self.waiting.popleft()
            start = frame.start if self.end is None else max(self.end, frame.start)
            if not samples:
                begin = self._begin(frame, start, samples)
                start = self.end if self.end is not None else start
            following = self.waiting[0].start if self.waiting else None
            until = following if following is not None and following - start <= _LONGEST else end
            self.end = max(until, start + 1)
            samples.append(fmp4.Sample(self._bytes(frame), self.end - start, frame.config is not None))
        if not count and not self.is_dark and self.end is not None and self.end < end:
            self._fill(end, samples)
        return begin or 0, samples

    def _begin(self, frame: Waiting, start: int, samples: list[fmp4.Sample]) -> int:
        """Where the part's pictures begin: right behind the last one's."""
        if self.end is None:
            self.end = start
            return start
        begin = self.end
        if start - begin > _HOLE:
            if frame.config is not None:
                begin = self.end = start  # nothing may come before a keyframe that begins a segment
            else:
                self._fill(start, samples)
        return begin

    def _fill(self, until: int, samples: list[fmp4.Sample]) -> None:
        assert self.end is not None
        still = self._stills.make()
        if still is not None:
            data = len(still).to_bytes(4, "big") + still
            self._remember(data, sync=False)
            samples.append(fmp4.Sample(data, until - self.end, False))
            self.end = until

    def _bytes(self, frame: Waiting) -> bytes:
        """As it lies in MP4: parameter sets are in the init segment alone (`avc1`, ISO/IEC 14496-15)."""
        if frame.config is not None:
            self.is_dark = False
            self._stills.configure(frame.config.sps[0], frame.config.pps[0])
        nals = tuple(nal for nal in frame.unit.nals if nal[0] & 0x1F not in (SPS, PPS))
        data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in self._stills.follow(nals))
        self._remember(data, sync=frame.config is not None)
        return data

    def _remember(self, data: bytes, *, sync: bool) -> None:
        if sync:
            self._group, self._group_bytes = [], 0
        elif not self._group:
            return
        self._group.append((data, sync))
        self._group_bytes += len(data)
        if self._group_bytes > _GROUP_BYTES or len(self._group) > _GROUP_FRAMES:
            self._group = []

    def _placed(self, run: Run, ticks: int, target: int) -> int:
        """Of every frame, shown or not: the next one is placed by it."""
        last_ticks, last_start = self._last
        by_ticks = last_start + ticks - last_ticks
        error = target - by_ticks
        if run is not self._run or abs(error) > _STEP:
            self._run, place = run, target
        else:
            place = by_ticks + max(-_SLEW, min(_SLEW, error))
        self._last = (ticks, max(place, last_start + 1))
        return self._last[1]
