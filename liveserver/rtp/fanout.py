"""The fan-out: one packet in, one out to every viewer. The reference; a native twin has the same calls.

A *session* is one peer: its outbound SRTP keys and its address. A *table* is one forwarded track, its
*rows* are the tracks of viewers fed from it. All three are small positive integers to the caller, and
every call but the constructor takes integers and buffers only. What belongs to a removed session, table
or row is ignored (0, -1, False): removal may come from either end of a closing call.

Rewritten per row: sequence number, timestamp, SSRC, payload type. Kept: marker and payload. Dropped: the
source's header extensions, CSRCs and padding. Written: the mid (RFC 9143 §15), when its id is not 0.

One index protects one packet: each outgoing SSRC of a session keeps an `IndexWindow` as long as the session
lives, and a sequence number that was used, or lies before the row's present epoch, is refused.

One thread only.
"""

from __future__ import annotations

import os
import socket
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple, TypeVar

from liveserver.core.errors import PeerError
from liveserver.rtp import header
from liveserver.rtp.flags import Flags
from liveserver.rtp.srtp import IndexWindow, OutboundKeys

MAX_SOURCES = 64  # SSRCs one session may ever send with; their windows are never forgotten
_REPEATABLE = 1024  # packets a row without RTX can send again
T = TypeVar("T")
_PACK = header.FIXED_HEADER.pack


@dataclass(slots=True)
class Stats:
    """Packets since the start. `dropped`: the socket would not take it. `held`: the room's flags said no.

    `refused`: malformed, or a sequence number that must not leave (again).
    """

    sent: int = 0
    dropped: int = 0
    held: int = 0
    refused: int = 0


class _Source(NamedTuple):
    """What all rows take from one packet."""

    marker: int  # 0x80 or 0
    sequence: int
    timestamp: int
    payload: bytes
    packet: bytes


class _Session:
    __slots__ = ("address", "keys", "rows", "windows")

    def __init__(self, keys: OutboundKeys, address: tuple[str, int]):
        self.keys = keys
        self.address = address
        self.rows: set[int] = set()
        self.windows: dict[int, IndexWindow] = {}

    def window(self, ssrc: int) -> IndexWindow:
        """The SSRC's window, the same one when a row comes back with it."""
        found = self.windows.get(ssrc)
        if found is None:
            if len(self.windows) >= MAX_SOURCES:
                raise ValueError(f"a session sends with at most {MAX_SOURCES} SSRCs")
            found = self.windows[ssrc] = IndexWindow()
        return found


class _Row:
    __slots__ = (
        "extension",
        "fingerprints",
        "first_octet",
        "floor",
        "last_sequence",
        "last_timestamp",
        "live",
        "octets",
        "packets",
        "payload_type",
        "protect",
        "rtx_payload_type",
        "rtx_ssrc",
        "rtx_window",
        "sequence_offset",
        "session",
        "ssrc",
        "table",
        "timestamp_offset",
        "window",
    )

    def __init__(
        self,
        session: _Session,
        ssrc: int,
        payload_type: int,
        rtx_ssrc: int,
        rtx_payload_type: int,
        extension: bytes,
    ):
        self.session = session
        self.protect = session.keys.rtp.protect
        self.table = 0
        self.live = False
        self.ssrc, self.payload_type = ssrc, payload_type
        self.window = session.window(ssrc)
        self.rtx_ssrc, self.rtx_payload_type = rtx_ssrc, rtx_payload_type
        self.rtx_window = session.window(rtx_ssrc) if rtx_ssrc else None
        # Without RTX: 64 bits of what each index protected, so that a repetition is the same to the bit.
        self.fingerprints = None if rtx_ssrc else array("Q", bytes(8 * _REPEATABLE))
        self.extension = extension
        self.first_octet = 0x90 if extension else 0x80
        self.sequence_offset = self.timestamp_offset = self.floor = 0
        self.packets = self.octets = self.last_sequence = self.last_timestamp = 0


class Fanout:
    """Sends on a duplicate of `fd`, a UDP socket, which stays the caller's. `close()` when done."""

    def __init__(self, fd: int, flags: Flags):
        self._socket = socket.socket(fileno=os.dup(fd))
        self._flags = flags
        self._sessions: dict[int, _Session] = {}
        self._tables: dict[int, dict[int, _Row]] = {}
        self._rows: dict[int, _Row] = {}
        self._made = 0
        self.stats = Stats()

    def close(self) -> None:
        self._socket.close()

    def add_session(self, profile: int, key: bytes, salt: bytes, host: str, port: int) -> int:
        """One peer: outbound SRTP master key and salt (never the same twice), and where to send."""
        session = _Session(OutboundKeys(profile, key, salt), self._address(host, port))
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

    def add_table(self) -> int:
        return self._keep(self._tables, {})

    def remove_table(self, table: int) -> None:
        """The track is gone; its rows wait, not live, to be moved or removed."""
        for row in self._tables.pop(table, {}).values():
            row.table, row.live = 0, False

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
        made = _Row(owner, ssrc, payload_type, rtx_ssrc, rtx_payload_type, extension)
        row = self._keep(self._rows, made)
        owner.rows.add(row)
        self.move_row(row, table)
        return row

    def set_live(self, row: int, live: bool) -> None:
        """Whether `send` serves the row."""
        found = self._rows.get(row)
        if found is not None:
            found.live = live and bool(found.table)

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
        if found is not None:
            found.sequence_offset, found.timestamp_offset = sequence_offset, timestamp_offset
            found.payload_type, found.rtx_payload_type = payload_type, rtx_payload_type
            first = (first_sequence + sequence_offset) & 0xFFFF
            found.floor = max(0, found.window.guess(first)) if first_sequence >= 0 else 0

    def move_row(self, row: int, table: int) -> None:
        """Feed the row from another track."""
        found, target = self._rows.get(row), self._tables.get(table)
        if found is not None and target is not None:
            self._tables.get(found.table, {}).pop(row, None)
            target[row] = found
            found.table = table

    def remove_row(self, row: int) -> None:
        found = self._rows.pop(row, None)
        if found is not None:
            self._tables.get(found.table, {}).pop(row, None)
            found.session.rows.discard(row)

    def send(self, table: int, room: int, kind: int, packets: Sequence[bytes], now_ns: int) -> int:
        """Plaintext RTP packets of the track, as they came, to every live row; how many packets left.

        `room` and `kind` are what `Flags` knows; it is asked before each row.
        """
        rows = self._tables.get(table)
        if not rows:
            return 0
        sources = [source for packet in packets if (source := self._read(packet)) is not None]
        allows = self._flags.allows
        before = self.stats.sent
        for row in rows.values():
            if not row.live:
                continue
            if not allows(room, kind, now_ns):
                self.stats.held += len(sources)
                continue
            sequence_offset, timestamp_offset = row.sequence_offset, row.timestamp_offset
            for source in sources:
                sequence = (source.sequence + sequence_offset) & 0xFFFF
                self._send_media(row, source, sequence, (source.timestamp + timestamp_offset) & 0xFFFFFFFF)
        return self.stats.sent - before

    def send_row(self, row: int, room: int, kind: int, packet: bytes, timestamp: int, now_ns: int) -> int:
        """One packet to one row, live or not, with this outgoing `timestamp`; its sequence number, or -1.

        A number that the socket would not take is used up all the same: a NACK repairs it.
        """
        found = self._rows.get(row)
        if found is None or not self._may_send(room, kind, now_ns):
            return -1
        source = self._read(packet)
        if source is None:
            return -1
        sequence = (source.sequence + found.sequence_offset) & 0xFFFF
        return sequence if self._send_media(found, source, sequence, timestamp) else -1

    def send_rtx(
        self, row: int, room: int, kind: int, packet: bytes, out_sequence: int, timestamp: int, now_ns: int
    ) -> bool:
        """Send again what left as `out_sequence` with `timestamp` (RFC 4588 §4); whether it left.

        A row without RTX repeats the packet itself, and only when it is the very one sent before.
        """
        found = self._rows.get(row)
        if found is None or not self._may_send(room, kind, now_ns):
            return False
        source = self._read(packet)
        if source is None:
            return False
        if found.rtx_window is None:
            return self._repeat(found, source, out_sequence, timestamp)
        index = found.rtx_window.highest + 1
        found.rtx_window.mark(index)
        second = source.marker | found.rtx_payload_type
        head = _PACK(found.first_octet, second, index & 0xFFFF, timestamp, found.rtx_ssrc) + found.extension
        payload = out_sequence.to_bytes(2) + source.payload
        return self._transmit(found.protect(found.rtx_ssrc, index, head, payload), found.session.address)

    def send_rtcp(self, session: int, plaintext: bytes) -> bool:
        """One compound packet to one peer. No flag holds it back: a BYE must leave a dark room too."""
        found = self._sessions.get(session)
        return found is not None and self._transmit(found.keys.protect_rtcp(plaintext), found.address)

    def counters(self, row: int) -> tuple[int, int, int, int]:
        """(packets, payload octets, newest sequence number, its timestamp) that left on the row's SSRC."""
        found = self._rows.get(row)
        if found is None:
            return 0, 0, 0, 0
        return found.packets, found.octets, found.last_sequence, found.last_timestamp

    def _read(self, packet: bytes) -> _Source | None:
        try:
            parsed = header.parse(packet)
        except PeerError:
            self.stats.refused += 1
            return None
        marker = 0x80 if parsed.marker else 0
        return _Source(marker, parsed.sequence, parsed.timestamp, parsed.payload, packet)

    def _may_send(self, room: int, kind: int, now_ns: int) -> bool:
        if self._flags.allows(room, kind, now_ns):
            return True
        self.stats.held += 1
        return False

    def _send_media(self, row: _Row, source: _Source, sequence: int, timestamp: int) -> bool:
        """Protect and send under a number not used before; False when it was refused."""
        window = row.window
        index = window.take(sequence, row.floor)
        if index < 0:
            self.stats.refused += 1
            return False
        if index == window.highest:
            row.last_sequence, row.last_timestamp = sequence, timestamp
        if row.fingerprints is not None:
            row.fingerprints[index % _REPEATABLE] = _fingerprint(row, source, index, timestamp)
        row.packets += 1
        row.octets += len(source.payload)
        ssrc = row.ssrc
        head = (
            _PACK(row.first_octet, source.marker | row.payload_type, sequence, timestamp, ssrc)
            + row.extension
        )
        self._transmit(row.protect(ssrc, index, head, source.payload), row.session.address)
        return True

    def _repeat(self, row: _Row, source: _Source, sequence: int, timestamp: int) -> bool:
        """Under the same index only the same octets may be protected again: compare before doing it."""
        index = row.window.guess(sequence)
        if row.fingerprints is None or index < 0:
            return False
        if row.fingerprints[index % _REPEATABLE] != _fingerprint(row, source, index, timestamp):
            self.stats.refused += 1
            return False
        return self._transmit(_protected(row, source, index, timestamp), row.session.address)

    def _transmit(self, data: bytes, address: tuple[str, int]) -> bool:
        """Hand one datagram to the socket. What it would not take is lost, as on any path."""
        try:
            self._socket.sendto(data, socket.MSG_DONTWAIT, address)
        except OSError:
            self.stats.dropped += 1
            return False
        self.stats.sent += 1
        return True

    def _address(self, host: str, port: int) -> tuple[str, int]:
        """As the socket's family wants it; ValueError for a name: nothing is looked up on this path."""
        if ip_address(host).version == 4 and self._socket.family == socket.AF_INET6:
            host = f"::ffff:{host}"
        return host, port

    def _keep(self, where: dict[int, T], made: T) -> int:
        self._made += 1
        where[self._made] = made
        return self._made


def _protected(row: _Row, source: _Source, index: int, timestamp: int) -> bytes:
    second = source.marker | row.payload_type
    head = _PACK(row.first_octet, second, index & 0xFFFF, timestamp, row.ssrc) + row.extension
    return row.protect(row.ssrc, index, head, source.payload)


def _fingerprint(row: _Row, source: _Source, index: int, timestamp: int) -> int:
    """All that the packet under `index` is made of, as 64 bits; the hash of bytes is keyed per process."""
    return hash((index, source.packet, timestamp, row.payload_type)) & 0xFFFFFFFFFFFFFFFF
