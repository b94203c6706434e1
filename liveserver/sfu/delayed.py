"""A track as the viewers of a screened lesson get it: later, and made only of frames that have passed.

It has numbers, a cache and a history of its own, so joining late, repair and retransmission know nothing of a
frame that was not released. Its packets are made anew from the very bytes that the screen process decoded:
what a publisher may have sent besides under the same timestamp leads nowhere.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from liveserver.rtp import header
from liveserver.rtp.depacketize import Frame
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.packetize import h264_payloads, vp8_payloads
from liveserver.rtp.rtcp import SenderReport
from liveserver.sfu.source_clock import PublisherClock, ntp_from_ns
from liveserver.sfu.uplink import Uplink

MAX_WAITING_BYTES = 8_000_000  # 3 s at 20 Mbit/s
MAX_WAITING_FRAMES = 600
_PAYLOAD_TYPE = 96  # the fan-out writes each viewer's own


class Waiting(NamedTuple):
    """A frame that has not been released. `source`: the publisher's SSRC."""

    number: int
    frame: Frame
    source: int


class Delayed(Uplink):
    """`source` is the publisher's own track; `delay_ns` how much later this one runs."""

    def __init__(self, source: Uplink, fanout: Fanout, clock: PublisherClock, delay_ns: int):
        super().__init__(fanout, source.room, source.track, source.mid, source.codec, clock)
        self.source = source
        self.delay_ns = delay_ns
        self.waiting_frames: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._passes: deque[tuple[int, int]] = deque()  # spans of frames that may be shown, in order
        self._needs_keyframe = self.is_video
        self._released_source: int | None = None
        self._sequence = secrets.randbits(15)
        self._picture_id = secrets.randbits(15)

    def hold(self, number: int, frame: Frame, source: int) -> None:
        """A frame of the publisher: it waits here."""
        self.waiting_frames.append(Waiting(number, frame, source))
        self._waiting_bytes += len(frame.data)
        while self._waiting_bytes > MAX_WAITING_BYTES or len(self.waiting_frames) > MAX_WAITING_FRAMES:
            self.counters["overflowed"] += 1
            self._skip()

    def passed(self, first: int, last: int) -> None:
        """These frames may be shown; those before `first` that have not passed never may."""
        if not self.waiting_frames or last < self.waiting_frames[0].number:
            return  # they have been given up
        if self._passes and self._passes[-1][1] + 1 == first:
            first, _ = self._passes.pop()
        self._passes.append((first, last))

    def refuse(self) -> None:
        """Nothing of what waits is ever shown."""
        while self.waiting_frames:
            self._skip()
        self._passes.clear()
        self._needs_keyframe = self.is_video

    def next(self, *, unguarded: bool) -> Waiting | None:
        """The next frame that may be shown, or None while that is not known or nothing waits.

        `unguarded`: nobody looks and the policy lets pictures pass, frame after frame, from where they are.
        """
        while self.waiting_frames:
            waiting = self.waiting_frames[0]
            while self._passes and self._passes[0][1] < waiting.number:
                self._passes.popleft()
            may_pass = unguarded or not self.is_video
            if not may_pass and not self._passes:
                return None
            if (not may_pass and waiting.number < self._passes[0][0]) or (
                self._needs_keyframe and not waiting.frame.keyframe
            ):
                self._skip()
            else:
                return waiting
        return None

    def release(self, now_ns: int, wall_ns: int) -> None:
        """The frame that `next` named leaves now."""
        waiting = self.waiting_frames.popleft()
        self._waiting_bytes -= len(waiting.frame.data)
        self._needs_keyframe = False
        if waiting.source != self._released_source:
            self._released_source = waiting.source
            self.adopt(secrets.randbits(31) | 1)
        assert self.ssrc is not None
        self.keep_time(now_ns, wall_ns)
        payloads = self._payloads(waiting.frame.data)
        last = len(payloads) - 1
        for index, payload in enumerate(payloads):
            self._sequence = (self._sequence + 1) & 0xFFFF
            data = header.build(
                payload_type=_PAYLOAD_TYPE,
                sequence=self._sequence,
                timestamp=waiting.frame.timestamp,
                ssrc=self.ssrc,
                payload=payload,
                marker=self.is_video and index == last,
            )
            self.receive(header.parse(data), now_ns, wall_ns)
        self.flush(now_ns)

    def keep_time(self, now_ns: int, wall_ns: int) -> None:
        """A timestamp means the moment it meant at the source and the delay, alike for sound and picture."""
        timestamp = self.source.clock.timestamp_at(wall_ns - self.delay_ns)
        if timestamp is not None and self.ssrc is not None:
            self.reported(SenderReport(self.ssrc, ntp_from_ns(wall_ns), timestamp, 0, 0, ()), now_ns, wall_ns)

    def want_keyframe(self) -> None:
        """A viewer cannot be served from the cache: the publisher is asked, unless one waits here."""
        if not any(waiting.frame.keyframe for waiting in self.waiting_frames):
            self.source.want_keyframe()

    def _skip(self) -> None:
        """The first frame that waits is not shown, nor what depends on it."""
        waiting = self.waiting_frames.popleft()
        self._waiting_bytes -= len(waiting.frame.data)
        self._needs_keyframe = self.is_video
        self.counters["withheld"] += 1

    def _payloads(self, data: bytes) -> Sequence[bytes]:
        if self.codec == "h264":
            return h264_payloads(data)
        if self.codec == "vp8":
            self._picture_id = (self._picture_id + 1) & 0x7FFF
            return vp8_payloads(data, self._picture_id)
        return (data,)
