"""Catching up: how a viewer who joins between keyframes is shown a picture at once.

The frames since the last keyframe are sent again in order, faster than real time, with timestamps on
the live clock, so that the receiver plays each as it comes and its jitter buffer stays small. Live
frames join the same queue until it is empty; then the fan-out takes over. Measured against waiting for
a keyframe and against asking the source: docs/BENCHMARKS.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from liveserver.rtp.header import Packet

TICKS_PER_MS = 90
MIN_STEP_TICKS = 45  # the least by which a frame's timestamp passes the one before it
FAST_SPARE_BPS = 12_000_000  # never faster: Firefox's socket overflows at 15 Mbit/s
SLOW_SPARE_BPS = 3_000_000  # a link we know nothing about
_MIN_WINDOW_NS = 150_000_000
_MAX_SPACING_NS = 10_000_000
_MAX_SPACING_SLOW_NS = 20_000_000
_MAX_FRAMES = 400  # about 8 s at 50 fps: beyond it the viewer cannot follow at all


@dataclass(slots=True)
class QueuedFrame:
    """Packets of one RTP timestamp; `complete` once the marker or a later frame was seen."""

    source_timestamp: int
    packets: list[Packet] = field(default_factory=list)
    size: int = 0
    complete: bool = False
    follows_empty: bool = False  # nothing waited when it came: its own timestamp is as good as the clock's


class Replay:
    """The queue of one viewer's one video while it catches up.

    `anchor_timestamp` and `anchor_ns` tie the live clock: the newest cached frame's RTP timestamp (with
    the viewer's offset applied) and its arrival. `timestamp_offset` is that offset, `last_timestamp` the
    newest timestamp this viewer was sent, or None.
    """

    __slots__ = ("_anchor_ns", "_anchor_timestamp", "_due_ns", "_frames", "_last_timestamp", "_newest",
                 "_offset", "_spacing_ns", "_spare_bps", "_was_empty")  # fmt: skip

    def __init__(
        self,
        packets: Iterable[Packet],
        *,
        anchor_timestamp: int,
        anchor_ns: int,
        now_ns: int,
        spare_bps: int = FAST_SPARE_BPS,
        timestamp_offset: int = 0,
        last_timestamp: int | None = None,
    ):
        self._frames: deque[QueuedFrame] = deque()
        self._anchor_timestamp = anchor_timestamp
        self._anchor_ns = anchor_ns
        self._last_timestamp = last_timestamp
        self._offset = timestamp_offset
        self._newest: int | None = None  # source timestamp of the newest frame so far
        self._was_empty = False
        self._spare_bps = min(spare_bps, FAST_SPARE_BPS)
        for packet in packets:
            self.add(packet)
        self._due_ns = now_ns
        size_bits = 8 * sum(frame.size for frame in self._frames)
        window_ns = max(_MIN_WINDOW_NS, size_bits * 1_000_000_000 // self._spare_bps)
        most = _MAX_SPACING_NS if self._spare_bps >= FAST_SPARE_BPS else _MAX_SPACING_SLOW_NS
        self._spacing_ns = min(window_ns // max(1, len(self._frames)), most)

    def add(self, packet: Packet) -> None:
        """A live packet of the same source joins the queue."""
        frames = self._frames
        if self._newest is not None and not is_newer(packet.timestamp, self._newest):
            frame = next((f for f in reversed(frames) if f.source_timestamp == packet.timestamp), None)
            if frame is None:
                return  # late for a frame that has left already: the viewer asks for it, RTX answers
        else:
            if frames:
                frames[-1].complete = True
            frame = QueuedFrame(packet.timestamp, follows_empty=self._was_empty)
            frames.append(frame)
            self._newest = packet.timestamp
        frame.packets.append(packet)
        frame.size += len(packet.data)
        frame.complete = frame.complete or packet.marker

    @property
    def empty(self) -> bool:
        return not self._frames

    @property
    def overrun(self) -> bool:
        """More frames wait than a viewer can ever catch up with."""
        return len(self._frames) > _MAX_FRAMES

    def due_ns(self) -> int | None:
        """When `pop` next has a frame to send (monotonic), or None while it waits for packets."""
        if not self._frames or not self._frames[0].complete:
            return None
        return self._due_ns

    def pop(self, now_ns: int) -> tuple[list[Packet], int] | None:
        """The next frame's packets and the RTP timestamp that all of them carry, when it is due."""
        if not self._frames or not self._frames[0].complete or now_ns < self._due_ns:
            return None
        frame = self._frames.popleft()
        self._was_empty = self._was_empty or not self._frames
        if frame.follows_empty:
            # The source fell behind the clock since the snapshot: follow it, or it would never be live again.
            timestamp = (frame.source_timestamp + self._offset) & 0xFFFFFFFF
        else:
            elapsed_ticks = (now_ns - self._anchor_ns) * TICKS_PER_MS // 1_000_000
            timestamp = (self._anchor_timestamp + elapsed_ticks) & 0xFFFFFFFF
        if self._last_timestamp is not None and not is_newer(timestamp, self._last_timestamp):
            timestamp = (self._last_timestamp + MIN_STEP_TICKS) & 0xFFFFFFFF
        self._last_timestamp = timestamp
        pause_ns = max(self._spacing_ns, frame.size * 8_000_000_000 // self._spare_bps)
        self._due_ns = now_ns + pause_ns
        return frame.packets, timestamp

    def may_go_live(self, live_timestamp: int) -> bool:
        """Whether a new live frame (with the viewer's offset applied) may be sent as it is."""
        if self._frames:
            return False
        return self._last_timestamp is None or is_newer(live_timestamp, self._last_timestamp)


def is_newer(timestamp: int, reference: int) -> bool:
    """Whether `timestamp` lies after `reference` modulo 2^32 (RFC 1982)."""
    return 0 < (timestamp - reference) & 0xFFFFFFFF < 0x80000000
