"""One track of the instructor: loss repair upstream, the cache, and the way to every viewer."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from liveserver.rtp import flags
from liveserver.rtp.cache import PacketCache
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.header import Packet
from liveserver.rtp.rtcp import ReportBlock, SenderReport
from liveserver.rtp.sequence import LossDetector, ReceiveStatistics
from liveserver.sfu.source_clock import PublisherClock, TrackClock, ntp_from_ns

KEYFRAME_CADENCE_NS = 2_000_000_000
PAIRED_ABOVE = 2_000  # viewers of one lesson on this node
PICTURE_WAIT_NS = 2_000_000  # the packets of a picture come within less, but for keyframes
_TOGETHER = 16  # packets of a picture that is not whole yet leave
_PAIR_WAIT_NS = 25_000_000  # sound packets are 20 ms apart
_KEYFRAME_MIN_GAP_NS = 500_000_000  # never more than two requests a second, whatever the storm


class Tap(Protocol):
    """A consumer of a track's packets besides the viewers. Must not block."""

    def push(self, packet: Packet, arrival_ns: int) -> None: ...

    def report(self, ntp: int, rtp_timestamp: int) -> None: ...


class Subscriber(Protocol):
    """One viewer's end of a track, as its source sees it."""

    def begin(self, now_ns: int) -> None: ...

    def source_restarted(self) -> None: ...

    def detach(self) -> None: ...


class Uplink:
    """`track` is "audio", "camera" or "screen"; `codec` "opus", "h264" or "vp8".

    Owns its cache, its statistics and the set of its downlinks. `mid` names the publisher's m-line.
    """

    def __init__(self, fanout: Fanout, room: int, track: str, mid: str, codec: str, clock: PublisherClock):
        self.track = track
        self.mid = mid
        self.codec = codec
        self.is_video = codec != "opus"
        self.kind = flags.VIDEO if self.is_video else flags.AUDIO
        self.clock_rate = 90000 if self.is_video else 48000
        self.room = room
        self.table = fanout.add_table(room, self.kind)
        self.ssrc: int | None = None
        self.downlinks: set[Subscriber] = set()
        self.waiting: set[Subscriber] = set()  # for a picture to begin with
        self.taps: list[Tap] = []
        self.counters: Counter[str] = Counter()
        self.heard_ns = 0
        self.packets_received = 0
        self.octets_received = 0
        self._fanout = fanout
        self._publisher_clock = clock
        self._keyframe_asked_ns = 0
        self._keyframe_wanted = self.is_video
        self._keyframe_had_ns: int | None = None  # the newest one when another was wanted
        self._pending: list[Packet] = []
        self._pending_ns = 0  # when the first of them came
        self._reset()

    def _reset(self) -> None:
        self.cache = PacketCache(self.codec)
        self.clock = TrackClock(self._publisher_clock, self.clock_rate)
        self._statistics = ReceiveStatistics(self.clock_rate)
        self._losses = LossDetector()
        self._overdue = 0

    def adopt(self, ssrc: int) -> None:
        """The track's packets carry `ssrc` from now on; what was known of an earlier one is void."""
        if self.ssrc is not None:
            self._reset()
            self._fanout.clear_table(self.table)
            for downlink in self.downlinks:
                downlink.source_restarted()
        self.ssrc = ssrc

    def receive(self, packet: Packet, now_ns: int, wall_ns: int, *, repaired: bool = False) -> None:
        """A packet of this track, in the clear. `repaired`: it came by RTX."""
        if self.cache.get(packet.sequence) is not None:
            self.counters["duplicate"] += 1
            return
        self.heard_ns = now_ns
        self.packets_received += 1
        self.octets_received += len(packet.data)
        self._losses.received(packet.sequence, now_ns)
        if repaired:
            self.counters["repaired"] += 1
        else:
            self._statistics.received(packet.sequence, packet.timestamp, now_ns)
            self.clock.arrived(packet.timestamp, wall_ns)
        self.cache.add(packet, now_ns)
        if not self._pending:
            self._pending_ns = now_ns
        self._pending.append(packet)
        for tap in self.taps:
            tap.push(packet, now_ns)

    def flush(self, now_ns: int) -> None:
        """Forward what this poll brought: one call of the fan-out for all live viewers."""
        packets = self._pending
        if not packets:
            return
        self._pending = []
        self._fanout.send(self.table, [packet.data for packet in packets], now_ns)
        for downlink in list(self.waiting):
            downlink.begin(now_ns)

    def waits(self, now_ns: int) -> bool:
        """Whether what this poll brought had better leave with what comes next, a moment later.

        A message to a viewer costs the kernel more than the packets in it: a picture leaves whole, and in a
        very large class sound leaves in pairs.
        """
        if not self._pending:
            return False
        waited_ns = now_ns - self._pending_ns
        if self.is_video:
            is_whole = self._pending[-1].marker or len(self._pending) >= _TOGETHER
            return not is_whole and waited_ns < PICTURE_WAIT_NS
        return len(self._pending) == 1 and len(self.downlinks) > PAIRED_ABOVE and waited_ns < _PAIR_WAIT_NS

    def reported(self, report: SenderReport, now_ns: int, wall_ns: int) -> None:
        """The publisher's sender report of this track."""
        self._statistics.sender_report(report.ntp, now_ns)
        self.clock.reported(report.ntp, report.rtp_timestamp, wall_ns)
        for tap in self.taps:
            tap.report(report.ntp, report.rtp_timestamp)

    def report_viewers(self, wall_ns: int, cname: str, part: int, parts: int) -> None:
        """Sender reports to one part of the viewers, in this server's time (RFC 3550 6.4.1)."""
        timestamp = self.clock.timestamp_at(wall_ns)
        if timestamp is not None:
            self._fanout.report_table(
                self.table, ntp_from_ns(wall_ns), timestamp, cname.encode(), part, parts
            )

    def report_block(self, now_ns: int) -> ReportBlock | None:
        """What we tell the publisher of this track (RFC 3550 6.4.1), or None before its first packet."""
        if self.ssrc is None or not self.packets_received:
            return None
        return self._statistics.report(self.ssrc, now_ns)

    def missing(self, now_ns: int) -> list[int]:
        """Sequence numbers to ask the publisher for now (RFC 4585 6.2.1)."""
        asked = self._losses.nacks(now_ns)
        if self._losses.overdue > self._overdue:
            self._overdue = self._losses.overdue
            self.want_keyframe()  # what did not come leaves the picture damaged until the next one
        return asked

    def want_keyframe(self) -> None:
        """A viewer cannot be served from the cache: ask the source at the next chance."""
        self._keyframe_wanted = self.is_video
        self._keyframe_had_ns = self.cache.keyframe_ns

    def keyframe_due(self, now_ns: int) -> bool:
        """Whether to send a PLI now: every 2 s, or sooner when wanted, at most twice a second.

        Asking is repeated until a keyframe really came: encoders ignore a PLI right after their last one.
        """
        if not self.is_video or self.ssrc is None:
            return False
        is_silent = now_ns - self.heard_ns > KEYFRAME_CADENCE_NS  # the camera is off: nobody answers
        if now_ns - self._keyframe_asked_ns < (KEYFRAME_CADENCE_NS if is_silent else _KEYFRAME_MIN_GAP_NS):
            return False
        last_ns = self.cache.keyframe_ns
        if last_ns is not None and last_ns != self._keyframe_had_ns:
            self._keyframe_wanted = False
        stale = last_ns is None or now_ns - last_ns >= KEYFRAME_CADENCE_NS
        if not (stale or self._keyframe_wanted or not self.cache.usable):
            return False
        self._keyframe_asked_ns = now_ns
        self.counters["keyframes_asked"] += 1
        return True

    def close(self) -> None:
        """The track is gone: viewers keep their last picture until another source comes."""
        for downlink in list(self.downlinks):
            downlink.detach()
        self.taps.clear()
        self._fanout.remove_table(self.table)
