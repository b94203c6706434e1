"""A fan-out over a real socket, and viewers who read by libsrtp's rules what comes, for tests."""

from __future__ import annotations

import socket

from liveserver.rtp import header, srtp
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.flags import VIDEO, Flags
from liveserver.rtp.srtp import InboundSession, Profile

GCM, CM = Profile.AEAD_AES_128_GCM, Profile.AES128_CM_HMAC_SHA1_80
KEYS = {profile: (bytes(range(16)), bytes(range(64, 64 + srtp.KEY_SIZES[profile][1]))) for profile in Profile}
ROOM, NOW_NS, LEASE_NS = 3, 1000, 2000
SSRC, RTX_SSRC = 5000, 5001


class Viewer:
    """A peer's socket and its view of SRTP: `received()` is every packet that came, in the clear."""

    def __init__(self, profile: Profile = GCM, keys: tuple[bytes, bytes] | None = None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        self.profile = profile
        self.keys = keys or KEYS[profile]
        self.session = InboundSession(profile, *self.keys)

    @property
    def address(self) -> tuple[str, int]:
        return self.socket.getsockname()

    def datagrams(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(2000))
            except BlockingIOError:
                return found

    def received(self) -> list[header.Packet]:
        return [header.parse(self.session.unprotect(data)) for data in self.datagrams()]

    def sequences(self) -> list[int]:
        return [packet.sequence for packet in self.received()]


class Stage:
    """A fan-out, a room that may send, one table; `row()` adds a viewer's row to it."""

    def __init__(self, implementation: type[Fanout]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        self.flags = Flags(8)
        self.flags.renew(ROOM, LEASE_NS)
        self.fanout = implementation(self.socket.fileno(), self.flags)
        self.table = self.fanout.add_table(ROOM, VIDEO)
        self.viewers: list[Viewer] = []
        self.sessions: dict[Viewer, int] = {}

    def viewer(self, profile: Profile = GCM) -> tuple[Viewer, int]:
        made = Viewer(profile)
        self.viewers.append(made)
        session = self.sessions[made] = self.fanout.add_session(profile, *made.keys, *made.address)
        return made, session

    def row(
        self, profile: Profile = GCM, *, rtx: bool = True, mid: bytes = b"1", live: bool = True
    ) -> tuple[Viewer, int]:
        made, session = self.viewer(profile)
        rtx_ssrc = RTX_SSRC if rtx else 0
        row = self.fanout.add_row(
            self.table, session, SSRC, 102, rtx_ssrc, 103 if rtx else 0, 4 if mid else 0, mid
        )
        self.fanout.set_live(row, live)
        return made, row

    def send(self, *numbers: int) -> int:
        return self.fanout.send(self.table, [source(number) for number in numbers], NOW_NS)

    def ask(self, viewer: Viewer, *sequences: int, now_ns: int = NOW_NS) -> int:
        """A NACK for the viewer's SSRC."""
        return self.fanout.retransmit(self.sessions[viewer], SSRC, list(sequences), now_ns)

    def close(self) -> None:
        self.fanout.close()
        for one in (self, *self.viewers):
            one.socket.close()


def source(number: int, **fields) -> bytes:
    described = {"payload": b"media %d" % number, "marker": number % 2 == 1, **fields}
    return header.build(
        payload_type=96, sequence=number & 0xFFFF, timestamp=number * 3600 & 0xFFFFFFFF, ssrc=42, **described
    )
