"""Who the fan-out serves: peers, tracks, and what each viewer is sent of each. Memory only, no rules."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import NamedTuple

from liveserver.rtp.evidence import Evidence
from liveserver.rtp.history import History
from liveserver.rtp.replay import Replay
from liveserver.rtp.srtp import IndexWindow, OutboundKeys

MAX_SOURCES = 64  # SSRCs one session may ever send with; their windows are never forgotten
REPEATABLE = 1024  # packets a row without RTX can send again
RTX_BURST_BYTES = 250_000  # what one row may ask for again at once


@dataclass(slots=True)
class Stats:
    """Packets since the start. `dropped`: the socket would not take it. `held`: the room's flags said no.

    `refused`: malformed, or a sequence number that must not leave (again).
    """

    sent: int = 0
    dropped: int = 0
    held: int = 0
    refused: int = 0


class Counters(NamedTuple):
    """What became of one row. `last_sequence` and `last_timestamp` are the newest that left.

    `last_sent_ns` is when, `octets` are of payload. Repair: packets replayed, sent again, asked for but
    unknown, and refused for exceeding the row's budget. As the viewer reported at `reported_ns` (0: never):
    `fraction_lost` in 1/256, `lost` packets, the `highest_sequence` it has, extended, and its `jitter` in RTP
    ticks (RFC 3550 §6.4.1).
    """

    packets: int = 0
    octets: int = 0
    last_sequence: int = 0
    last_timestamp: int = 0
    last_sent_ns: int = 0
    replayed: int = 0
    rtx: int = 0
    rtx_unknown: int = 0
    rtx_capped: int = 0
    reported_ns: int = 0
    fraction_lost: int = 0
    lost: int = 0
    highest_sequence: int = 0
    jitter: int = 0


class Session:
    __slots__ = ("address", "bandwidth_bps", "evidence", "keys", "rows", "windows")

    def __init__(self, keys: OutboundKeys, address: tuple[str, int]):
        self.keys = keys
        self.address = address
        self.bandwidth_bps = 0
        self.evidence = Evidence()
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


class Table:
    __slots__ = ("history", "kind", "room", "rows")

    def __init__(self, room: int, kind: int):
        self.room, self.kind = room, kind
        self.rows: dict[int, Row] = {}
        self.history = History()


class Row:
    __slots__ = (
        "epoch_start",
        "extension",
        "fingerprints",
        "first_octet",
        "floor",
        "last_sent_ns",
        "last_sequence",
        "last_timestamp",
        "live",
        "octets",
        "packets",
        "payload_type",
        "protect",
        "replay",
        "replayed",
        "reported",
        "rtx",
        "rtx_budget",
        "rtx_budget_ns",
        "rtx_capped",
        "rtx_payload_type",
        "rtx_ssrc",
        "rtx_unknown",
        "rtx_window",
        "sequence_offset",
        "session",
        "ssrc",
        "stamps",
        "table",
        "timestamp_offset",
        "window",
    )

    def __init__(
        self,
        session: Session,
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
        self.fingerprints = None if rtx_ssrc else array("Q", bytes(8 * REPEATABLE))
        self.extension = extension
        self.first_octet = 0x90 if extension else 0x80
        self.sequence_offset = self.timestamp_offset = self.floor = 0
        self.epoch_start = -1  # extended source number the present offsets began with
        self.stamps: dict[int, int] = {}  # source timestamp of a replayed frame → the one it left with
        self.replay: Replay | None = None
        self.packets = self.octets = self.last_sequence = self.last_timestamp = self.last_sent_ns = 0
        self.replayed = self.rtx = self.rtx_unknown = self.rtx_capped = 0
        self.reported = (0, 0, 0, 0, 0)  # Counters from reported_ns on
        self.rtx_budget, self.rtx_budget_ns = RTX_BURST_BYTES, 0

    @property
    def counters(self) -> Counters:
        return Counters(
            self.packets,
            self.octets,
            self.last_sequence,
            self.last_timestamp,
            self.last_sent_ns,
            self.replayed,
            self.rtx,
            self.rtx_unknown,
            self.rtx_capped,
            *self.reported,
        )
