"""One lesson's programme cut into parts and segments (RFC 8216bis 4.4.4.9, 6.2.2). Time is an argument.

The sound is the clock: a part has 15 AAC frames (0.32 s) of it and the pictures of that time. At a keyframe,
once the segment is 1.9 s long (they are asked for every 2 s), the part ends early and the next one begins a
segment. The first segment, and the first with another picture, ends at the first keyframe there is, so that
whoever waits for it has not long to wait.
"""

from __future__ import annotations

import struct

from liveserver.packaging.picture import TIMESCALE, Picture
from liveserver.packaging.sound import Sound
from liveserver.packaging.wire import Frame, Init, Lost, Mark, Part, Report, ToNode
from recorder import boxes, fmp4
from recorder.audio import BITRATE_BPS, FRAME, RATE
from recorder.h264 import VideoConfig
from recorder.timeline import Timeline

PART_FRAMES = 15
_SEGMENT_LEAST = RATE * 19 // 10
_FIRST_LEAST = RATE * 3 // 10
_SEGMENT_MOST = 4 * RATE // FRAME * FRAME
_SILENT_SEGMENT = 94  # frames; where there is no picture
_PICTURE_WAIT = RATE // 10  # samples: so much later than the sound a picture may come
_LOST_TRACK = 10 * RATE  # a process that stood still for so long begins anew
_AUDIO, _VIDEO = 1, 2  # track ids


class Lane:
    """`number` names it on the wire."""

    def __init__(self, number: int):
        self._number = number
        self._init = 0
        self._fragments = 0
        self._begin()

    def _begin(self) -> None:
        self._timeline = Timeline()
        self._origin_ms: float | None = None
        self._sound = Sound()
        self._picture = Picture()
        self._config: VideoConfig | None = None
        self._at = 0  # AAC frame at which the next part begins
        self._segment_at: int | None = None  # and at which its segment did
        self._is_first = True
        self._was_cut = True

    def push(self, frame: Frame) -> list[ToNode]:
        """Take a frame; what it completes."""
        rate = RATE if frame.track == "audio" else TIMESCALE
        stamp = self._timeline.stamp(frame.track, frame.timestamp, rate, frame.arrival_ms, frame.source)
        wall_ms = self._timeline.wall_ms(stamp)
        if self._origin_ms is None:
            self._origin_ms = wall_ms
        since_ms = wall_ms - self._origin_ms
        if frame.track == "audio":
            self._sound.push(frame.data, stamp.run, stamp.ticks, round(since_ms * RATE / 1000))
        else:
            target = round(since_ms * TIMESCALE / 1000)
            self._picture.push(frame.data, stamp.run, stamp.ticks, target, lost=frame.lost)
        return self.tick(frame.arrival_ms)

    def report(self, report: Report) -> None:
        """Take a sender report."""
        self._timeline.report(report.track, report.ntp, report.timestamp)

    def tick(self, now_ms: int) -> list[ToNode]:
        """What is complete at `now_ms`."""
        if self._origin_ms is None:
            return []
        now = round((now_ms - self._origin_ms) * RATE / 1000)
        if self._sound.behind(now) > _LOST_TRACK:
            self._begin()
            return [Lost(self._number)]
        self._sound.fill(now)
        made: list[ToNode] = []
        while (count := self._due(now)) is not None:
            made += self._part(count)
        if self._picture.is_lost:
            self._picture.is_lost = False
            made.append(Lost(self._number))
        return made

    def _due(self, now: int) -> int | None:
        """How many AAC frames the next part has, once all of it has come."""
        cut = self._keyframe_cut()
        end = self._at + PART_FRAMES if cut is None else min(self._at + PART_FRAMES, cut)
        count = end - self._at
        if self._sound.ready < count:
            return None
        waits_for_picture = self._config is not None and self._picture.newest * 8 // 15 < end * FRAME
        if waits_for_picture and now - end * FRAME < _PICTURE_WAIT:
            return None
        return count

    def _keyframe_cut(self) -> int | None:
        """The AAC frame at which a waiting keyframe ends the part; None while none does."""
        for index, frame in enumerate(self._picture.waiting):
            if frame.config is None or (index == 0 and self._begins_here(frame.start, frame.config)):
                continue
            at = max(frame.start * 8 // 15 // FRAME, self._at + 1)
            if self._may_begin(at, frame.config):
                return at
        return None

    def _may_begin(self, at: int, config: VideoConfig) -> bool:
        """Whether a keyframe at that AAC frame begins a segment."""
        if self._segment_at is None or config != self._config:
            return True
        least = _FIRST_LEAST if self._is_first else _SEGMENT_LEAST
        return (at - self._segment_at) * FRAME >= least

    def _begins_here(self, start: int, config: VideoConfig) -> bool:
        """Whether the part that is due begins with that keyframe."""
        return start * 8 // 15 < (self._at + 1) * FRAME and self._may_begin(self._at, config)

    def _part(self, count: int) -> list[ToNode]:
        begin, end = self._at, self._at + count
        made, marks = self._open(begin)
        if self._ends_segment(end):
            marks |= Mark.LAST
        until = end * FRAME * 15 // 8
        pictures = 0
        for index, frame in enumerate(self._picture.waiting):
            if frame.start >= until or (
                index and frame.config is not None and self._ends_at(frame.start, end)
            ):
                break
            pictures += 1
        video = b""
        if self._config is not None:
            if not self._picture.stands_alone(pictures):
                marks &= ~Mark.INDEPENDENT
            start, samples = self._picture.take(pictures, until)
            video = self._fragment(_VIDEO, start, samples)
        sound = self._fragment(_AUDIO, begin * FRAME, self._sound.take(count))
        self._at = end
        assert self._origin_ms is not None
        wall_ms = round(self._origin_ms + begin * FRAME * 1000 / RATE)
        made.append(Part(self._number, self._init, marks, begin * FRAME, count, wall_ms, video, sound))
        return made

    def _ends_segment(self, end: int) -> bool:
        """Whether the part that ends there is the last of its segment."""
        assert self._segment_at is not None
        length = end - self._segment_at
        most = _SILENT_SEGMENT if self._config is None else _SEGMENT_MOST // FRAME
        return length >= most or self._keyframe_cut() == end

    def _ends_at(self, start: int, end: int) -> bool:
        """Whether a keyframe is the one for whose sake the part ends."""
        return max(start * 8 // 15 // FRAME, self._at + 1) >= end

    def _open(self, at: int) -> tuple[list[ToNode], Mark]:
        """Begin a segment where one is due; what has to be told first, and the part's marks."""
        marks = Mark.INDEPENDENT
        made: list[ToNode] = []
        first = self._picture.waiting[0] if self._picture.waiting else None
        is_new = self._segment_at is None
        length = 0 if self._segment_at is None else at - self._segment_at
        if first is not None and first.config is not None and self._begins_here(first.start, first.config):
            marks |= Mark.SEGMENT
            is_new = first.config != self._config
            if is_new:
                made.append(self._configure(first.config))
                marks |= Mark.DISCONTINUITY
        elif self._segment_at is None or (self._config is None and length >= _SILENT_SEGMENT):
            marks |= Mark.SEGMENT
        elif length * FRAME >= _SEGMENT_MOST:
            marks |= Mark.SEGMENT
            self._picture.begin_anew()
        if self._was_cut:
            marks |= Mark.DISCONTINUITY
            self._was_cut = False
            if self._config is None:
                made.insert(0, self._configure(None))
        if Mark.SEGMENT in marks:
            self._is_first = is_new
            self._segment_at = at
        return made, marks

    def _configure(self, config: VideoConfig | None) -> Init:
        """Another init segment; without `config` for sound alone."""
        self._init += 1
        sound = (boxes.TrackHeader(_AUDIO, "audio", False, RATE, 0, 0), boxes.aac_entry(BITRATE_BPS))
        audio = fmp4.movie_init([sound], 0, b"iso6", b"cmfc", b"mp41")
        if config is None:
            return Init(self._number, self._init, 0, 0, "", b"", audio)
        self._config = config
        entry = boxes.avc_entry(b"avc1", config.width, config.height, config.avcc())
        header = boxes.TrackHeader(_VIDEO, "video", True, TIMESCALE, 0, 0, config.width, config.height)
        video = fmp4.movie_init([(header, entry), sound], 0, b"iso6", b"mp41")
        codec = "avc1.{:02x}{:02x}{:02x}".format(*config.sps[0][1:4])
        return Init(self._number, self._init, config.width, config.height, codec, video, audio)

    def _fragment(self, track: int, start: int, samples: list[fmp4.Sample]) -> bytes:
        if not samples:
            return b""
        self._fragments += 1
        head, media = fmp4.fragment(self._fragments & 0xFFFFFFFF, track, start, samples)
        return head + media


def tracks_of(data: bytes) -> list[int]:
    """The track of each fragment in `data`, in order; for tests and checks."""
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("!I", data, at)
        if data[at + 4 : at + 8] == b"moof":
            found.append(struct.unpack_from("!I", data, at + 8 + 16 + 8 + 12)[0])
        at += size
    return found
