"""One track on its way to one viewer: what it is fed from, and under which numbers.

A downlink owns its row in the fan-out's table. Its states: idle (no source) → waiting (no usable keyframe
yet) → catching up (the fan-out replays its history) → live. Sequence numbers that leave are contiguous
through all of them; an epoch is one stretch with the same offset to the source's numbers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from liveserver.rtp.fanout import Fanout
from liveserver.sfu.answer import Outbound
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.source_clock import TrackClock, ntp_from_ns
from liveserver.sfu.uplink import Uplink

_REPAIR_MIN_GAP_NS = 250_000_000
_AUDIO_STEP = 960  # 20 ms at 48 kHz: the least gap between two sources


class Downlink:
    """`outbound` is the viewer's m-line; `cname` names the lesson in sender reports."""

    def __init__(
        self,
        fanout: Fanout,
        pacer: Pacer,
        session: int,
        outbound: Outbound,
        clock_ns: Callable[[], int],
        spare_bps: int,
        cname: str,
    ):
        self.outbound = outbound
        self.source: Uplink | None = None
        self.row: int | None = None
        self.repairs = 0
        self._fanout = fanout
        self._pacer = pacer
        self._session = session
        self._clock_ns = clock_ns
        self._spare_bps = spare_bps
        self._cname = cname.encode()
        self._timeline: TrackClock | None = None  # the source clock the timestamps follow
        self._hold_until_ns = 0
        self._sequence_offset = 0
        self._timestamp_offset = 0
        self._repaired_ns = 0

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
            self._pacer.owners[self.row] = self
        else:
            self._fanout.move_row(self.row, uplink.table)
        self.source = uplink
        uplink.downlinks.add(self)
        self._hold_until_ns = self._clock_ns() + hold_ns
        self.begin(self._clock_ns())

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
            del self._pacer.owners[self.row]
            self.row = None

    def source_restarted(self) -> None:
        """The source's SSRC changed: its numbers start anew, and the fan-out forgot the old ones."""
        if self.source is not None:
            self.source.waiting.add(self)

    def begin(self, now_ns: int) -> None:
        """Show the source from its newest keyframe on, or wait until there is one.

        The numbers of what did not leave (in the dark, say) are not used up, and nothing of it is sent again.
        """
        source = self.source
        if source is None or self.row is None:
            return
        self._fanout.set_live(self.row, False)
        source.waiting.add(self)
        if source.is_video:
            self._begin_video(source, self.row, now_ns)
        else:
            self._begin_audio(source, self.row, now_ns)

    def overran(self, now_ns: int) -> None:
        """It fell so far behind that the cache moved on: begin anew."""
        self.begin(now_ns)

    def repair(self, now_ns: int) -> None:
        """The viewer lost the picture (PLI or FIR): replay the cache, at most every 250 ms."""
        if self.source is None or self.row is None or not self.source.is_video:
            return
        if self._fanout.is_replaying(self.row) or now_ns - self._repaired_ns < _REPAIR_MIN_GAP_NS:
            return
        self._repaired_ns = now_ns
        self.repairs += 1
        if not self.source.cache.usable:
            self.source.want_keyframe()
            return
        self.begin(now_ns)

    def report(self, wall_ns: int) -> None:
        """Send a sender report in this server's time (RFC 3550 6.4.1), once there is something to say."""
        if self.source is None or self.row is None:
            return
        timestamp = self.source.clock.timestamp_at(wall_ns)
        if timestamp is not None:
            self._fanout.report(self.row, ntp_from_ns(wall_ns), timestamp, self._cname)

    @property
    def is_live(self) -> bool:
        return self.row is not None and self._fanout.is_live(self.row)

    def describe(self) -> Mapping[str, object]:
        """For /debug/rooms."""
        counters = self._fanout.counters(self.row)._asdict() if self.row is not None else {}
        return {
            "mid": self.outbound.mid,
            "track": self.source.track if self.source else None,
            "live": self.is_live,
            "repairs": self.repairs,
            **counters,
        }

    def _begin_audio(self, source: Uplink, row: int, now_ns: int) -> None:
        newest = source.cache.newest
        if newest is not None:
            packet, arrival_ns = newest
            self._rebase(source, (packet.sequence + 1) & 0xFFFF, packet.timestamp, arrival_ns, now_ns)
            self._fanout.set_live(row, True)
            source.waiting.discard(self)

    def _begin_video(self, source: Uplink, row: int, now_ns: int) -> None:
        group = source.cache.group() if source.cache.usable else []
        if not group:
            source.want_keyframe()
            return
        newest_packet, newest_ns = max(group, key=lambda entry: entry[1])
        first = group[0][0]
        self._rebase(source, first.sequence, newest_packet.timestamp, newest_ns, now_ns)
        anchor = (newest_packet.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        due_ns = max(now_ns, self._hold_until_ns)
        self._fanout.replay(row, first.sequence, anchor, newest_ns, due_ns, self._spare_bps)
        source.waiting.discard(self)
        self._pacer.wake(due_ns)

    def _rebase(self, source: Uplink, sequence: int, timestamp: int, arrival_ns: int, now_ns: int) -> None:
        """Choose offsets so that source number `sequence` leaves as the next one, and time goes on.

        `timestamp` arrived at `arrival_ns`. The first source keeps its own timestamps; one that comes
        after another continues on the clock of the one before.
        """
        assert self.row is not None
        payload_type, rtx_payload_type = self.outbound.codecs[source.codec]
        sent = self._fanout.counters(self.row)
        if not sent.packets:
            self._sequence_offset = (secrets.randbits(15) - sequence) & 0xFFFF
            self._timestamp_offset = 0
        else:
            self._sequence_offset = (sent.last_sequence + 1 - sequence) & 0xFFFF
            if self._timeline is not source.clock:
                elapsed = max(0, now_ns - sent.last_sent_ns) * source.clock_rate // 1_000_000_000
                ours = sent.last_timestamp + max(elapsed, _AUDIO_STEP)
                theirs = timestamp + (now_ns - arrival_ns) * source.clock_rate // 1_000_000_000
                self._timestamp_offset = (ours - theirs) & 0xFFFFFFFF
        self._timeline = source.clock
        self._fanout.rebase(
            self.row, self._sequence_offset, self._timestamp_offset, payload_type, rtx_payload_type, sequence
        )

    def _leave_source(self) -> None:
        if self.row is not None:
            self._fanout.set_live(self.row, False)
        if self.source is not None:
            self.source.downlinks.discard(self)
            self.source.waiting.discard(self)
