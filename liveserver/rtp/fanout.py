"""The fan-out: one packet in, one out to every viewer. The reference; a native twin has the same calls.

A *session* is one peer: its outbound SRTP keys and its address. A *table* is one forwarded track with what
it sent of late, its *rows* are the tracks of viewers fed from it. All three are small positive integers to
the caller, and every call but the constructor takes integers and buffers only. What belongs to a removed
session, table or row is ignored (0, -1, False): removal may come from either end of a closing call.

A row is stopped, or it catches up from the table's history (`replay`), or it is live: then `send` serves it.

Rewritten per row: sequence number, timestamp, SSRC, payload type. Kept: marker and payload. Dropped: the
source's header extensions, CSRCs and padding. Written: the mid (RFC 9143 §15), when its id is not 0.

One index protects one packet: each outgoing SSRC of a session keeps an `IndexWindow` as long as the session
lives, and a sequence number that was used, or lies before the row's present epoch, is refused.

What left last of a room, and when, is written into its row of the flags: after each message to a viewer here,
after each batch of messages in the native twin, so that a cut knows its own length.

One thread only.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TypeVar

from liveserver.rtp import header, outgoing
from liveserver.rtp.evidence import is_recent
from liveserver.rtp.flags import Flags
from liveserver.rtp.history import History, Source, read
from liveserver.rtp.replay import FAST_SPARE_BPS, Replay
from liveserver.rtp.srtp import OutboundKeys
from liveserver.rtp.stream import Stream
from liveserver.rtp.streams import Streams
from liveserver.rtp.tables import REPEATABLE, RTX_BURST_BYTES, Counters, Row, Session, Stats, Table

RTX_BYTES_PER_S = FAST_SPARE_BPS // 8
_STAMPED = 1024  # replayed frames whose timestamps are remembered for RTX
STREAM = "tcp"  # as a host: the port is the number of a stream
_STREAM_RETRY_NS = 10_000_000
T = TypeVar("T")
Address = tuple[str, int]
_PACK = header.FIXED_HEADER.pack


class Fanout:
    """Sends on a duplicate of `fd`, a UDP socket, which stays the caller's. `close()` when done.

    `clock_ns` tells when the socket had taken something: the one time that no caller can know.
    """

    def __init__(self, fd: int, flags: Flags, clock_ns: Callable[[], int] = time.monotonic_ns):
        self._socket = socket.socket(fileno=os.dup(fd))
        self._flags = flags
        self._clock_ns = clock_ns
        self._sessions: dict[int, Session] = {}
        self._tables: dict[int, Table] = {}
        self._rows: dict[int, Row] = {}
        self._replaying: dict[int, Row] = {}
        self._streams = Streams(flags, clock_ns)
        self._made = 0
        self.stats = Stats()

    def close(self) -> None:
        self._socket.close()
        self._streams.close()

    def add_session(self, profile: int, key: bytes, salt: bytes, host: str, port: int) -> int:
        """One peer: outbound SRTP master key and salt (never the same twice), and where to send."""
        session = Session(OutboundKeys(profile, key, salt), self._address(host, port))
        return self._keep(self._sessions, session)

    def move_session(self, session: int, host: str, port: int) -> None:
        """The peer is reached at another address from now on."""
        found = self._sessions.get(session)
        if found is not None:
            found.address = self._address(host, port)

    def remove_session(self, session: int) -> None:
        """The peer and all its rows are gone."""
        found = self._sessions.pop(session, None)
        if found is not None:
            for row in list(found.rows):
                self.remove_row(row)

    def add_table(self, room: int, kind: int) -> int:
        """A track; `room` and `kind` are what `Flags` knows, asked before each row it is sent to."""
        return self._keep(self._tables, Table(room, kind))

    def clear_table(self, table: int) -> None:
        """The track's source begins anew: what it sent before is forgotten, its rows wait, not live."""
        found = self._tables.get(table)
        if found is not None:
            found.history = History()
            for row in found.rows.values():
                row.live, row.replay = False, None

    def remove_table(self, table: int) -> None:
        """The track is gone; its rows wait, not live, to be moved or removed."""
        found = self._tables.pop(table, None)
        if found is not None:
            for row in found.rows.values():
                row.table, row.live, row.replay = 0, False, None

    def add_row(
        self,
        table: int,
        session: int,
        ssrc: int,
        payload_type: int,
        rtx_ssrc: int,
        rtx_payload_type: int,
        mid_extension: int,
        mid: bytes,
    ) -> int:
        """A viewer's track, not live yet. `rtx_ssrc`, `mid_extension`: 0 for none.

        ValueError for an SSRC that another row of the session sends with, KeyError for no such session.
        """
        owner = self._sessions[session]
        taken = {
            used for row in owner.rows for used in (self._rows[row].ssrc, self._rows[row].rtx_ssrc) if used
        }
        if ssrc in taken or rtx_ssrc in taken or ssrc == rtx_ssrc:
            raise ValueError("another row of the session sends with this SSRC")
        extension = header.extension_block({mid_extension: mid}) if mid_extension and mid else b""
        made = Row(owner, ssrc, payload_type, rtx_ssrc, rtx_payload_type, extension)
        row = self._keep(self._rows, made)
        owner.rows.add(row)
        self.move_row(row, table)
        return row

    def set_live(self, row: int, live: bool) -> None:
        """Whether `send` serves the row; it does not catch up any more."""
        found = self._rows.get(row)
        if found is not None:
            found.live, found.replay = live and bool(found.table), None

    def is_live(self, row: int) -> bool:
        found = self._rows.get(row)
        return found is not None and found.live

    def is_replaying(self, row: int) -> bool:
        found = self._rows.get(row)
        return found is not None and found.replay is not None

    def rebase(
        self,
        row: int,
        sequence_offset: int,
        timestamp_offset: int,
        payload_type: int,
        rtx_payload_type: int,
        first_sequence: int = -1,
    ) -> None:
        """Begin an epoch: what is added to the source's numbers, and how the payload is marked.

        Source packets before `first_sequence` (-1: none) are refused from now on: with the new offset they
        would take numbers that lie before the epoch.
        """
        found = self._rows.get(row)
        if found is None:
            return
        found.sequence_offset, found.timestamp_offset = sequence_offset, timestamp_offset
        found.payload_type, found.rtx_payload_type = payload_type, rtx_payload_type
        found.stamps.clear()
        found.floor, found.epoch_start = 0, -1
        if first_sequence >= 0:
            first = (first_sequence + sequence_offset) & 0xFFFF
            found.floor = max(0, found.window.guess(first))
            table = self._tables.get(found.table)
            found.epoch_start = table.history.number(first_sequence) if table is not None else -1

    def replay(
        self,
        row: int,
        first_sequence: int,
        anchor_timestamp: int,
        anchor_ns: int,
        due_ns: int,
        spare_bps: int,
    ) -> None:
        """Catch up from the history's packet `first_sequence` on, then go live; `pace` sends what is due.

        `anchor_timestamp`, with the row's offset applied, arrived at `anchor_ns`; nothing leaves before
        `due_ns` (`rtp.replay`).
        """
        found = self._rows.get(row)
        table = self._tables.get(found.table) if found is not None else None
        if found is None or table is None:
            return
        found.live = False
        found.replay = Replay(
            table.history,
            table.history.number(first_sequence),
            anchor_timestamp=anchor_timestamp,
            anchor_ns=anchor_ns,
            due_ns=due_ns,
            spare_bps=spare_bps,
            timestamp_offset=found.timestamp_offset,
            last_timestamp=found.last_timestamp if found.packets else None,
        )
        self._replaying[row] = found

    def pace(self, now_ns: int) -> tuple[int, list[int]]:
        """Send each row that catches up the frame that is due: when the next one is (-1: none), and the rows
        that fell too far behind, which wait now, not live."""
        next_ns, lost = -1, []
        for number, row in list(self._replaying.items()):
            if row.replay is None:
                del self._replaying[number]
                continue
            if row.replay.overrun:
                row.replay = None
                lost.append(number)
                continue
            self._send_replayed(row, row.replay, now_ns)
            due_ns = row.replay.next_due_ns()
            if due_ns is not None and (next_ns < 0 or due_ns < next_ns):
                next_ns = due_ns
        if self._streams.flush(now_ns, self.stats) and (next_ns < 0 or now_ns + _STREAM_RETRY_NS < next_ns):
            next_ns = now_ns + _STREAM_RETRY_NS
        return next_ns, lost

    def move_row(self, row: int, table: int) -> None:
        """Feed the row from another track."""
        found, target = self._rows.get(row), self._tables.get(table)
        if found is not None and target is not None:
            self._leave_table(row, found)
            target.rows[row] = found
            found.table = table

    def remove_row(self, row: int) -> None:
        found = self._rows.pop(row, None)
        if found is not None:
            self._leave_table(row, found)
            found.session.rows.discard(row)

    def send(self, table: int, packets: Sequence[bytes], now_ns: int) -> int:
        """Plaintext RTP packets of the track, as they came, to every live row; how many packets left.

        They are kept for those who catch up, and for those who ask again.
        """
        found = self._tables.get(table)
        if found is None:
            return 0
        sources = [source for packet in packets if (source := self._read(packet)) is not None]
        if not sources:
            return 0
        for row in found.rows.values():
            if row.replay is not None and row.replay.may_go_live(
                (sources[0].timestamp + row.timestamp_offset) & 0xFFFFFFFF
            ):
                row.live, row.replay = True, None
        for source in sources:
            found.history.add(source)
        pads = outgoing.padding(sources)
        before = self.stats.sent
        with self._flags.sending(found.room):
            for row in found.rows.values():
                if not row.live:
                    continue
                if not self._flags.allows(found.room, found.kind, now_ns):
                    self.stats.held += len(sources)
                    continue
                for source, pad in zip(sources, pads, strict=True):
                    sequence = (source.sequence + row.sequence_offset) & 0xFFFF
                    timestamp = (source.timestamp + row.timestamp_offset) & 0xFFFFFFFF
                    self._send_media(row, source, sequence, timestamp, now_ns, pad)
        return self.stats.sent - before

    def retransmit(self, session: int, ssrc: int, sequences: Sequence[int], now_ns: int) -> int:
        """Answer a NACK for the session's `ssrc` from the history (RFC 4588 §4); how many packets left.

        Within the row's budget: RTX_BURST_BYTES at once, RTX_BYTES_PER_S in the long run. A row without RTX
        repeats the packet itself, and only when it is the very one sent before.
        """
        row = self._row_of(session, ssrc)
        table = self._tables.get(row.table) if row is not None else None
        if row is None or table is None:
            return 0
        earned = (now_ns - row.rtx_budget_ns) * RTX_BYTES_PER_S // 1_000_000_000
        row.rtx_budget, row.rtx_budget_ns = min(RTX_BURST_BYTES, row.rtx_budget + earned), now_ns
        with self._flags.sending(table.room):
            return self._send_again(row, table, sequences, now_ns)

    def _send_again(self, row: Row, table: Table, sequences: Sequence[int], now_ns: int) -> int:
        sent = 0
        for sequence in sequences:
            number = table.history.number((sequence - row.sequence_offset) & 0xFFFF)
            source = table.history.get(number)
            if source is None or number < row.epoch_start:  # before it, another packet left under this number
                row.rtx_unknown += 1
                continue
            if row.rtx_budget < len(source.packet):
                row.rtx_capped += 1
                break
            if not self._may_send(table, now_ns):
                continue
            row.rtx_budget -= len(source.packet)
            row.rtx += 1
            # A packet that came too late for its frame's replay has the timestamp of that frame.
            live = (source.timestamp + row.timestamp_offset) & 0xFFFFFFFF
            stamp = row.stamps.get(source.timestamp, live)
            sent += self._send_rtx(row, source, sequence, stamp, now_ns)
        return sent

    def send_rtcp(self, session: int, plaintext: bytes) -> bool:
        """One compound packet to one peer. No flag holds it back: a BYE must leave a dark room too."""
        found = self._sessions.get(session)
        return found is not None and self._transmit(found.keys.protect_rtcp(plaintext), found.address)

    def report(self, row: int, ntp: int, rtp_timestamp: int, cname: bytes) -> bool:
        """Tell the viewer that the source's `rtp_timestamp` is the time `ntp` (RFC 3550 §6.4.1, §6.5.1)."""
        found = self._rows.get(row)
        return found is not None and self._transmit(
            found.session.keys.protect_rtcp(outgoing.report(found, ntp, rtp_timestamp, cname)),
            found.session.address,
        )

    def report_table(
        self, table: int, ntp: int, rtp_timestamp: int, cname: bytes, part: int, parts: int
    ) -> int:
        """`report` to those of the track's rows whose SSRC is `part` modulo `parts`; how many left."""
        found = self._tables.get(table)
        if found is None:
            return 0
        rows = [number for number, row in found.rows.items() if row.ssrc % parts == part]
        return sum(self.report(number, ntp, rtp_timestamp, cname) for number in rows)

    def reported(
        self, session: int, ssrc: int, fraction_lost: int, lost: int, highest: int, jitter: int, now_ns: int
    ) -> None:
        """A receiver's report block about one of the session's rows, for its counters."""
        row = self._row_of(session, ssrc)
        if row is None:
            return
        moved = not row.reported[0] or row.reported[3] != highest
        if moved and row.packets and is_recent(row.last_sequence, highest):
            row.session.evidence.take(now_ns)
        row.reported = (now_ns, fraction_lost, lost, highest, jitter)

    def receptions(self, now_ns: int) -> list[tuple[int, bool, int]]:
        """What is new about who receives: (session, whether it does, since when or until when in ns)."""
        edges = ((number, session.evidence.edge(now_ns)) for number, session in self._sessions.items())
        return [(number, *edge) for number, edge in edges if edge is not None]

    def estimated(self, session: int, bitrate_bps: int) -> None:
        """The receiver's estimate of what its path carries (REMB)."""
        found = self._sessions.get(session)
        if found is not None:
            found.bandwidth_bps = bitrate_bps

    def bandwidth_bps(self, session: int) -> int:
        """The newest estimate, 0 without one."""
        found = self._sessions.get(session)
        return found.bandwidth_bps if found is not None else 0

    def add_stream(self, fd: int) -> int:
        """A TCP connection, written to through a duplicate of `fd`; the address (STREAM, number) names it."""
        return self._keep(self._streams.all, Stream(fd))

    def remove_stream(self, stream: int) -> None:
        self._streams.remove(stream)

    def post(self, host: str, port: int, data: bytes) -> bool:
        """Send octets as they are: STUN and DTLS. Whether they left."""
        return self._transmit(data, self._address(host, port))

    def counters(self, row: int) -> Counters:
        found = self._rows.get(row)
        return found.counters if found is not None else Counters()

    def _read(self, packet: bytes) -> Source | None:
        source = read(packet)
        if source is None:
            self.stats.refused += 1
        return source

    def _row_of(self, session: int, ssrc: int) -> Row | None:
        """The session's row that sends with this SSRC."""
        owner = self._sessions.get(session)
        rows = (self._rows[number] for number in owner.rows) if owner is not None else iter(())
        return next((row for row in rows if row.ssrc == ssrc), None)

    def _leave_table(self, number: int, row: Row) -> None:
        table = self._tables.get(row.table)
        if table is not None:
            table.rows.pop(number, None)
        row.replay = None

    def _may_send(self, table: Table, now_ns: int) -> bool:
        if self._flags.allows(table.room, table.kind, now_ns):
            return True
        self.stats.held += 1
        return False

    def _send_replayed(self, row: Row, replay: Replay, now_ns: int) -> None:
        popped = replay.pop(now_ns)
        if popped is None:
            return
        frame, timestamp = popped
        table = self._tables[row.table]
        with self._flags.sending(table.room):
            for source in frame.packets:
                if self._may_send(table, now_ns):
                    sequence = (source.sequence + row.sequence_offset) & 0xFFFF
                    row.replayed += self._send_media(row, source, sequence, timestamp, now_ns, 0)
        row.stamps[frame.packets[0].timestamp] = timestamp
        if len(row.stamps) > _STAMPED:
            del row.stamps[next(iter(row.stamps))]

    def _send_media(
        self, row: Row, source: Source, sequence: int, timestamp: int, now_ns: int, pad: int
    ) -> bool:
        """Protect and send under a number not used before; False when it was refused."""
        window = row.window
        index = window.take(sequence, row.floor)
        if index < 0:
            self.stats.refused += 1
            return False
        if index == window.highest:
            row.last_sequence, row.last_timestamp = sequence, timestamp
        row.last_sent_ns = now_ns
        row.packets += 1
        row.octets += len(source.payload)
        if row.fingerprints is not None:
            row.fingerprints[index % REPEATABLE] = outgoing.fingerprint(row, source, index, timestamp, pad)
        self._transmit_media(row, outgoing.protected(row, source, index, timestamp, pad), now_ns)
        return True

    def _send_rtx(self, row: Row, source: Source, out_sequence: int, timestamp: int, now_ns: int) -> bool:
        if row.rtx_window is None:
            return self._repeat(row, source, out_sequence, timestamp, now_ns)
        index = row.rtx_window.highest + 1
        row.rtx_window.mark(index)
        second = source.marker | row.rtx_payload_type
        head = _PACK(row.first_octet, second, index & 0xFFFF, timestamp, row.rtx_ssrc) + row.extension
        payload = out_sequence.to_bytes(2) + source.payload
        return self._transmit_media(row, row.protect(row.rtx_ssrc, index, head, payload), now_ns)

    def _repeat(self, row: Row, source: Source, sequence: int, timestamp: int, now_ns: int) -> bool:
        """Under the same index only the same octets may be protected again: compare before doing it."""
        index = row.window.guess(sequence)
        if row.fingerprints is None or index < 0:
            return False
        sent = row.fingerprints[index % REPEATABLE]
        for pad in range(outgoing.MAX_PADDING + 1):  # with the padding it left with
            if sent == outgoing.fingerprint(row, source, index, timestamp, pad):
                data = outgoing.protected(row, source, index, timestamp, pad)
                return self._transmit_media(row, data, now_ns)
        self.stats.refused += 1
        return False

    def _transmit_media(self, row: Row, data: bytes, now_ns: int) -> bool:
        """As `_transmit`, noting what left of the row's room, and when."""
        table, address = self._tables[row.table], row.session.address
        if address[0] == STREAM:
            media = (table.room, table.kind)
            return self._count(self._streams.write(address[1], data, self.stats, media, now_ns))
        sent = self._send_datagram(data, address)
        if sent:
            self._flags.left(table.room, self._clock_ns(), tcp=False)
        return self._count(sent)

    def _transmit(self, data: bytes, address: Address) -> bool:
        """Hand one datagram to the socket. What it would not take is lost, as on any path."""
        if address[0] == STREAM:
            return self._count(self._streams.write(address[1], data, self.stats))
        return self._count(self._send_datagram(data, address))

    def _count(self, sent: bool) -> bool:
        if sent:
            self.stats.sent += 1
        else:
            self.stats.dropped += 1
        return sent

    def _send_datagram(self, data: bytes, address: Address) -> bool:
        try:
            self._socket.sendto(data, socket.MSG_DONTWAIT, address)
        except OSError:
            return False
        return True

    def _address(self, host: str, port: int) -> Address:
        """As the socket's family wants it; ValueError for a name: nothing is looked up on this path."""
        if host == STREAM:
            return host, port
        if ip_address(host).version == 4 and self._socket.family == socket.AF_INET6:
            host = f"::ffff:{host}"
        return host, port

    def _keep(self, where: dict[int, T], made: T) -> int:
        self._made += 1
        where[self._made] = made
        return self._made
