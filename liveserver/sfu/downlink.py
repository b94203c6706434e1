"""One track on its way to one viewer: catching up, live, repair.

A downlink owns its row in the fan-out's table. Its states: idle (no source) → waiting (no usable
keyframe yet) → catching up (a `Replay` is sent) → live (the fan-out sends). Sequence numbers that leave
are contiguous through all of them; an epoch is one stretch with the same offset to the source's numbers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

from liveserver.rtp.fanout import Fanout
from liveserver.rtp.header import Packet
from liveserver.rtp.replay import FAST_SPARE_BPS, Replay
from liveserver.rtp.rtcp import SenderReport
from liveserver.rtp.sequence import unwrap16
from liveserver.sfu.answer import Outbound
from liveserver.sfu.source_clock import TrackClock, ntp_from_ns
from liveserver.sfu.uplink import Uplink

_REPAIR_MIN_GAP_NS = 250_000_000
_REMEMBERED = 1024  # replayed packets and frames whose rewritten timestamps are kept for RTX
_RTX_BURST_BYTES = 250_000
_RTX_BYTES_PER_S = FAST_SPARE_BPS // 8
_AUDIO_STEP = 960  # 20 ms at 48 kHz: the least gap between two sources
V = TypeVar("V")


class Downlink:
    """`outbound` is the viewer's m-line. `schedule(due_ns, callback)` runs a callback at a monotonic time."""

    def __init__(
        self,
        fanout: Fanout,
        session: int,
        outbound: Outbound,
        schedule: Callable[[int, Callable[[], None]], asyncio.TimerHandle],
        clock_ns: Callable[[], int],
        spare_bps: int,
    ):
        self.outbound = outbound
        self.source: Uplink | None = None
        self.row: int | None = None
        self.counters: Counter[str] = Counter()
        self._fanout = fanout
        self._session = session
        self._schedule = schedule
        self._clock_ns = clock_ns
        self._spare_bps = spare_bps
        self._timer: asyncio.TimerHandle | None = None
        self._replay: Replay | None = None
        self._replayed: OrderedDict[int, tuple[Packet, int]] = OrderedDict()
        self._stamps: OrderedDict[int, int] = OrderedDict()  # source timestamp → the one it left with
        self._timeline: TrackClock | None = None  # the source clock the timestamps follow
        self._is_live = False
        self._hold_until_ns = 0
        self._sequence_offset = 0
        self._timestamp_offset = 0
        self._epoch_start = 0  # extended source sequence number the present offset began with
        self._last_sent_ns = 0
        self._repaired_ns = 0
        self._rtx_budget = float(_RTX_BURST_BYTES)
        self._rtx_budget_ns = 0

    def can_show(self, uplink: Uplink) -> bool:
        """Whether the viewer has the track's codec."""
        return uplink.codec in self.outbound.codecs

    def attach(self, uplink: Uplink, hold_ns: int = 0) -> None:
        """Show `uplink` from now on; video waits `hold_ns` before its first packet (Firefox)."""
        if self.source is uplink:
            return
        if self.source is not None:
            self._leave_source()
        payload_type, rtx_payload_type = self.outbound.codecs[uplink.codec]
        if self.row is None:
            self.row = self._fanout.add_row(
                uplink.table,
                self._session,
                self.outbound.ssrc,
                payload_type,
                self.outbound.rtx_ssrc,
                rtx_payload_type,
                self.outbound.mid_extension,
                self.outbound.mid.encode(),
            )
        else:
            self._fanout.move_row(self.row, uplink.table)
        self.source = uplink
        uplink.downlinks.add(self)
        uplink.catching_up.add(self)
        self._hold_until_ns = self._clock_ns() + hold_ns
        self._begin(self._clock_ns())

    def detach(self) -> None:
        """No source: nothing is sent until the next `attach`."""
        if self.source is not None:
            self._leave_source()
            self.source = None

    def close(self) -> None:
        """The viewer is leaving."""
        self.detach()
        if self.row is not None:
            self._fanout.remove_row(self.row)
            self.row = None

    def source_restarted(self) -> None:
        """The source's SSRC changed: its numbers start anew."""
        self._stop_replay()
        self._set_live(False)
        if self.source is not None:
            self.source.catching_up.add(self)

    def offer(self, packets: Sequence[Packet], now_ns: int) -> None:
        """Live packets of the source, while this viewer is not live yet."""
        if self._replay is None:
            self._begin(now_ns)
            return
        first = packets[0]
        timestamp = (first.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        if self._replay.may_go_live(timestamp):
            self._go_live()
            return
        for packet in packets:
            self._replay.add(packet)
        if self._replay.overrun:
            self.counters["overrun"] += 1
            self._stop_replay()
            self._begin(now_ns)
            return
        self._arm()

    def restart(self, now_ns: int) -> None:
        """What was held back may leave again: begin anew, from the cache, whatever was under way.

        The numbers that would have left in the dark are not used up, and nothing of it is sent again.
        """
        if self.source is None:
            return
        self._stop_replay()
        self._set_live(False)
        self.source.catching_up.add(self)
        self._begin(now_ns)

    def repair(self, now_ns: int) -> None:
        """The viewer lost the picture (PLI or FIR): replay the cache, at most every 250 ms."""
        if self.source is None or not self.source.is_video or self._replay is not None:
            return
        if now_ns - self._repaired_ns < _REPAIR_MIN_GAP_NS:
            return
        self._repaired_ns = now_ns
        self.counters["repairs"] += 1
        if not self.source.cache.usable:
            self.source.want_keyframe()
            return
        self.restart(now_ns)

    def retransmit(self, sequences: Sequence[int], now_ns: int) -> None:
        """Answer a NACK from the cache (RFC 4588), within this viewer's budget."""
        source = self.source
        if source is None or self.row is None:
            return
        self._refill(now_ns)
        for sequence in sequences:
            found = self._replayed.get(sequence) or self._find_live(source, sequence)
            if found is None:
                self.counters["rtx_unknown"] += 1
                continue
            packet, timestamp = found
            if self._rtx_budget < len(packet.data):
                self.counters["rtx_capped"] += 1
                return
            self._rtx_budget -= len(packet.data)
            self.counters["rtx"] += 1
            self._fanout.send_rtx(
                self.row, source.room, source.kind, packet.data, sequence, timestamp, now_ns
            )

    def report(self, wall_ns: int) -> SenderReport | None:
        """A sender report whose times are this server's (RFC 3550 6.4.1), or None without a source."""
        if self.source is None or self.row is None:
            return None
        timestamp = self.source.clock.timestamp_at(wall_ns)
        if timestamp is None:
            return None
        packets, octets, _, _ = self._fanout.counters(self.row)
        return SenderReport(
            ssrc=self.outbound.ssrc,
            ntp=ntp_from_ns(wall_ns),
            rtp_timestamp=(timestamp + self._timestamp_offset) & 0xFFFFFFFF,
            packets=packets & 0xFFFFFFFF,
            octets=octets & 0xFFFFFFFF,
            reports=(),
        )

    @property
    def is_live(self) -> bool:
        return self._is_live

    def _begin(self, now_ns: int) -> None:
        """Start showing the source as soon as it can be shown."""
        source = self.source
        if source is None or self.row is None:
            return
        if not source.is_video:
            newest = source.cache.newest
            if newest is not None:
                packet, arrival_ns = newest
                self._rebase(source, (packet.sequence + 1) & 0xFFFF, packet.timestamp, arrival_ns, now_ns)
                self._go_live()
            return
        group = source.cache.group() if source.cache.usable else []
        if not group:
            source.want_keyframe()
            return
        newest_packet, newest_ns = max(group, key=lambda entry: entry[1])
        first = group[0][0]
        self._rebase(source, first.sequence, newest_packet.timestamp, newest_ns, now_ns)
        packets_sent, _, _, last_timestamp = self._fanout.counters(self.row)
        self._replay = Replay(
            (packet for packet, _ in group),
            anchor_timestamp=(newest_packet.timestamp + self._timestamp_offset) & 0xFFFFFFFF,
            anchor_ns=newest_ns,
            now_ns=max(now_ns, self._hold_until_ns),
            spare_bps=self._spare_bps,
            timestamp_offset=self._timestamp_offset,
            last_timestamp=last_timestamp if packets_sent else None,
        )
        self._arm()

    def _rebase(self, source: Uplink, sequence: int, timestamp: int, arrival_ns: int, now_ns: int) -> None:
        """Choose offsets so that source number `sequence` leaves as the next one, and time goes on.

        `timestamp` arrived at `arrival_ns`. The first source keeps its own timestamps; one that comes
        after another continues on the clock of the one before.
        """
        assert self.row is not None
        payload_type, rtx_payload_type = self.outbound.codecs[source.codec]
        packets_sent, _, last_sequence, last_timestamp = self._fanout.counters(self.row)
        if not packets_sent:
            self._sequence_offset = (secrets.randbits(15) - sequence) & 0xFFFF
            self._timestamp_offset = 0
        else:
            self._sequence_offset = (last_sequence + 1 - sequence) & 0xFFFF
            if self._timeline is not source.clock:
                elapsed = max(0, now_ns - self._last_sent_ns) * source.clock_rate // 1_000_000_000
                ours = last_timestamp + max(elapsed, _AUDIO_STEP)
                theirs = timestamp + (now_ns - arrival_ns) * source.clock_rate // 1_000_000_000
                self._timestamp_offset = (ours - theirs) & 0xFFFFFFFF
        self._timeline = source.clock
        self._epoch_start = unwrap16(sequence, source.cache.highest)
        self._replayed.clear()
        self._stamps.clear()
        self._fanout.rebase(
            self.row, self._sequence_offset, self._timestamp_offset, payload_type, rtx_payload_type, sequence
        )

    def _go_live(self) -> None:
        self._stop_replay()
        self._set_live(True)
        if self.source is not None:
            self.source.catching_up.discard(self)

    def _set_live(self, live: bool) -> None:
        if self.row is not None and live != self._is_live:
            self._fanout.set_live(self.row, live)
        if self._is_live and not live:
            self._last_sent_ns = self._clock_ns()
        self._is_live = live

    def _leave_source(self) -> None:
        self._stop_replay()
        self._set_live(False)
        if self.source is not None:
            self.source.downlinks.discard(self)
            self.source.catching_up.discard(self)

    def _arm(self) -> None:
        if self._timer is None and self._replay is not None:
            due_ns = self._replay.due_ns()
            if due_ns is not None:
                self._timer = self._schedule(due_ns, self._send_due)

    def _send_due(self) -> None:
        self._timer = None
        source, replay = self.source, self._replay
        if source is None or replay is None or self.row is None:
            return
        now_ns = self._clock_ns()
        frame = replay.pop(now_ns)
        if frame is not None:
            packets, timestamp = frame
            for packet in packets:
                sent = self._fanout.send_row(
                    self.row, source.room, source.kind, packet.data, timestamp, now_ns
                )
                if sent >= 0:
                    _keep(self._replayed, sent, (packet, timestamp))
            _keep(self._stamps, packets[0].timestamp, timestamp)
            self._last_sent_ns = now_ns
            self.counters["replayed"] += len(packets)
        self._arm()

    def _stop_replay(self) -> None:
        self._replay = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _find_live(self, source: Uplink, sequence: int) -> tuple[Packet, int] | None:
        original = (sequence - self._sequence_offset) & 0xFFFF
        if unwrap16(original, source.cache.highest) < self._epoch_start:
            return None  # it left under an earlier epoch's offset: another packet
        packet = source.cache.get(original)
        if packet is None:
            return None
        # A packet that came too late for its frame's replay has the timestamp of that frame.
        live = (packet.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        return packet, self._stamps.get(packet.timestamp, live)

    def _refill(self, now_ns: int) -> None:
        earned = (now_ns - self._rtx_budget_ns) * _RTX_BYTES_PER_S / 1e9
        self._rtx_budget = min(_RTX_BURST_BYTES, self._rtx_budget + earned)
        self._rtx_budget_ns = now_ns


def _keep(where: OrderedDict[int, V], key: int, value: V) -> None:
    where[key] = value
    if len(where) > _REMEMBERED:
        where.popitem(last=False)
