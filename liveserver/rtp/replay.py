"""Catching up: how a viewer who joins between keyframes is shown a picture at once.

The frames since the last keyframe are sent again in order, faster than real time, with timestamps on
the live clock, so that the receiver plays each as it comes and its jitter buffer stays small. Live
frames join the same queue until it is empty; then the fan-out takes over. Measured against waiting for
a keyframe and against asking the source: docs/BENCHMARKS.md.
"""

from __future__ import annotations

from liveserver.rtp.history import CAPACITY, Frame, History

TICKS_PER_MS = 90
MIN_STEP_TICKS = 45  # the least by which a frame's timestamp passes the one before it
FAST_SPARE_BPS = 12_000_000  # never faster: Firefox's socket overflows at 15 Mbit/s
SLOW_SPARE_BPS = 3_000_000  # a link we know nothing about
_MIN_WINDOW_NS = 150_000_000
_MAX_SPACING_NS = 10_000_000
_MAX_SPACING_SLOW_NS = 20_000_000


class Replay:
    """A viewer's place in the history of one video track, from the extended number `cursor` on.

    `anchor_timestamp` and `anchor_ns` tie the live clock: the newest cached frame's RTP timestamp (with
    the viewer's `timestamp_offset` applied) and its arrival. `last_timestamp` is the newest one this viewer
    was sent, or None. Nothing is sent before `due_ns`.
    """

    __slots__ = ("_anchor_ns", "_anchor_timestamp", "_empty_from", "_history", "_last_timestamp", "_offset",
                 "_spacing_ns", "_spare_bps", "cursor", "due_ns")  # fmt: skip

    def __init__(
        self,
        history: History,
        cursor: int,
        *,
        anchor_timestamp: int,
        anchor_ns: int,
        due_ns: int,
        spare_bps: int = FAST_SPARE_BPS,
        timestamp_offset: int = 0,
        last_timestamp: int | None = None,
    ):
        self.cursor = cursor
        self.due_ns = due_ns
        self._history = history
        self._anchor_timestamp = anchor_timestamp
        self._anchor_ns = anchor_ns
        self._last_timestamp = last_timestamp
        self._offset = timestamp_offset
        self._empty_from = -1  # frames from this number on came when nothing waited; -1: none yet
        self._spare_bps = min(spare_bps, FAST_SPARE_BPS)
        count = octets = 0
        for frame in history.frames(cursor):
            count += 1
            octets += frame.size
        window_ns = max(_MIN_WINDOW_NS, octets * 8_000_000_000 // self._spare_bps)
        most = _MAX_SPACING_NS if self._spare_bps >= FAST_SPARE_BPS else _MAX_SPACING_SLOW_NS
        self._spacing_ns = min(window_ns // max(1, count), most)

    @property
    def empty(self) -> bool:
        """Whether all that came has been sent."""
        return self.cursor > self._history.highest

    @property
    def overrun(self) -> bool:
        """What was to be sent next is not kept any more: the viewer cannot follow."""
        return self.cursor <= self._history.highest - CAPACITY

    def next_due_ns(self) -> int | None:
        """When `pop` next has a frame to send (monotonic), or None while it waits for packets."""
        frame = self._history.frame(self.cursor)
        return self.due_ns if frame is not None and frame.complete else None

    def pop(self, now_ns: int) -> tuple[Frame, int] | None:
        """The next frame and the RTP timestamp that all its packets carry, when it is due."""
        if now_ns < self.due_ns:
            return None
        frame = self._history.frame(self.cursor)
        if frame is None or not frame.complete:
            return None
        self.cursor = frame.end
        if 0 <= self._empty_from <= frame.first:
            # The source fell behind the clock since the snapshot: follow it, or it would never be live again.
            timestamp = (frame.packets[0].timestamp + self._offset) & 0xFFFFFFFF
        else:
            elapsed_ticks = (now_ns - self._anchor_ns) * TICKS_PER_MS // 1_000_000
            timestamp = (self._anchor_timestamp + elapsed_ticks) & 0xFFFFFFFF
        if self._empty_from < 0 and self.empty:
            self._empty_from = self.cursor
        if self._last_timestamp is not None and not is_newer(timestamp, self._last_timestamp):
            timestamp = (self._last_timestamp + MIN_STEP_TICKS) & 0xFFFFFFFF
        self._last_timestamp = timestamp
        self.due_ns = now_ns + max(self._spacing_ns, frame.size * 8_000_000_000 // self._spare_bps)
        return frame, timestamp

    def may_go_live(self, live_timestamp: int) -> bool:
        """Whether a new live frame (with the viewer's offset applied) may be sent as it is."""
        return self.empty and (self._last_timestamp is None or is_newer(live_timestamp, self._last_timestamp))


def is_newer(timestamp: int, reference: int) -> bool:
    """Whether `timestamp` lies after `reference` modulo 2^32 (RFC 1982)."""
    return 0 < (timestamp - reference) & 0xFFFFFFFF < 0x80000000
