"""Publishers and viewers whose handshake is over: their keys are known to the test, their socket is real."""

from __future__ import annotations

import secrets
import socket

from liveserver.rtp import header, rtcp
from liveserver.rtp.header import Packet
from liveserver.rtp.srtp import InboundSession
from liveserver.sfu.answer import Candidate, IceCredentials, ServerSide, answer_publisher, answer_viewer
from liveserver.sfu.dtls import Certificate
from liveserver.sfu.peer import Peer, Transport
from liveserver.sfu.publisher import Publisher
from liveserver.sfu.sdp import parse_offer
from liveserver.sfu.stage import Stage
from liveserver.sfu.viewer import Viewer
from liveserver.sfu.webrtc import DataChannel
from tests.sfu.hall import GCM, ROOM, Hall

SERVER = ServerSide("AA:BB", [Candidate("192.0.2.1", 5000)])


class Told:
    """What the owner of a peer was told."""

    def __init__(self) -> None:
        self.unsupported_codecs: list[str] = []
        self.notices: list[str] = []
        self.closed_reasons: list[str] = []
        self.received: list[bool] = []

    def connected(self) -> None: ...

    def control_opened(self, channel: DataChannel) -> None: ...

    def control_text(self, text: str | bytes) -> None: ...

    def unsupported(self, kind: str) -> None:
        self.unsupported_codecs.append(kind)

    def receiving(self, on: bool, ago_ns: int) -> None:
        self.received.append(on)

    def notice(self, code: str) -> None:
        self.notices.append(code)

    def closed(self, reason: str) -> None:
        self.closed_reasons.append(reason)


class Ear:
    """The remote end of a peer: its socket, and what came in the clear."""

    def __init__(self, hall: Hall):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self.socket.bind(("127.0.0.1", 0))
        key, salt = secrets.token_bytes(16), secrets.token_bytes(12)
        self._srtp = InboundSession(GCM, key, salt)
        self.session = hall.fanout.add_session(GCM, key, salt, *self.socket.getsockname())
        self.media: list[Packet] = []

    def look(self) -> list[rtcp.Rtcp]:
        """The RTCP packets since the last look; media goes to `media`."""
        reports: list[rtcp.Rtcp] = []
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return reports
            if header.is_rtcp(data):
                reports += rtcp.parse(self._srtp.unprotect_rtcp(data))
            else:
                self.media.append(header.parse(self._srtp.unprotect(data)))


class Studio:
    """A stage in a hall, with peers on it."""

    def __init__(self, hall: Hall, certificate: Certificate):
        self.hall = hall
        self.front = hall.front
        self.transport = Transport(self.front, hall.pacer, certificate)
        self.stage = Stage(ROOM, hall.flags)
        self.told: dict[Peer, Told] = {}
        self.ears: list[Ear] = []
        self.arrived: list[Publisher] = []  # who has connected; tests put them on the stage

    def publisher(self, sdp: str, *, connected: bool = True) -> tuple[Publisher, Ear]:
        told, ear = Told(), Ear(self.hall)
        ice = IceCredentials.new()
        peer = Publisher(
            self.transport, ice, told, self.hall.clock, ROOM, self.arrived.append, self.stage.unpublish
        )
        peer.agree(answer_publisher(parse_offer(sdp), SERVER, ice))
        self.told[peer] = told
        self.ears.append(ear)
        if connected:
            peer.session, peer.is_connected = ear.session, True
        return peer, ear

    def viewer(self, sdp: str) -> tuple[Viewer, Ear]:
        told, ear = Told(), Ear(self.hall)
        ice = IceCredentials.new()
        peer = Viewer(self.transport, ice, told, self.hall.clock, "lesson", self.stage.add, self.stage.remove)
        offer = parse_offer(sdp)
        peer.agree(answer_viewer(offer, SERVER, ice, "lesson"), is_firefox=offer.is_firefox)
        self.told[peer] = told
        self.ears.append(ear)
        peer.session, peer.is_connected = ear.session, True
        peer._media_connected()
        return peer, ear

    def close(self) -> None:
        for ear in self.ears:
            ear.socket.close()


class Sender:
    """What a publisher's client sends of one track, numbered."""

    def __init__(
        self, peer: Publisher, hall: Hall, *, ssrc: int, payload_type: int, mid: bytes | None = None
    ):
        self.peer, self.hall = peer, hall
        self.ssrc, self.payload_type, self.mid = ssrc, payload_type, mid
        self.sequence = 1000
        self.timestamp = 90_000

    def packet(self, payload: bytes = b"\x41", *, marker: bool = True, ssrc: int | None = None) -> bytes:
        self.sequence += 1
        self.timestamp += 3600
        return header.build(
            payload_type=self.payload_type,
            sequence=self.sequence & 0xFFFF,
            timestamp=self.timestamp & 0xFFFFFFFF,
            ssrc=self.ssrc if ssrc is None else ssrc,
            payload=payload,
            marker=marker,
            extensions={4: self.mid} if self.mid is not None else None,
        )

    def send(self, payload: bytes = b"\x41", **how: object) -> bytes:
        data = self.packet(payload, **how)  # type: ignore[arg-type]
        self.receive(data)
        return data

    def receive(self, data: bytes) -> None:
        self.peer.receive_rtp(data, self.hall.clock.now_ns)
        self.peer.flush(self.hall.clock.now_ns)
        self.hall.pacer.run()


KEYFRAME = b"\x18\x00\x02\x67\x42\x00\x02\x68\xce"
