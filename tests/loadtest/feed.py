"""A server's sending half in a test's hands: protects with the reference, reads what viewers say back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from liveserver.rtp import header, rtcp
from liveserver.rtp.srtp import InboundSession, session_ciphers
from loadtest import _swarm
from tests.drivers.process import until

AUDIO, VIDEO, RTX = 111, 102, 103
SSRC, RTX_SSRC = 0x11111111, 0x22222222
TYPES = {AUDIO: 0, VIDEO: 2, RTX: 3}
GCM, COUNTER = 7, 1
IDR, SLICE = b"\x65picture", b"\x41picture"
SALT_SIZES = {GCM: 12, COUNTER: 14}


class Feed:
    """One viewer of `native`, and what it is sent."""

    def __init__(self, native: _swarm.Swarm, profile: int = GCM):
        self._native = native
        salt = SALT_SIZES[profile]
        server, viewer = (bytes(range(16)), bytes(salt)), (bytes(range(16, 32)), bytes(salt))
        self._rtp, self._rtcp = session_ciphers(profile, *server)
        self._inbound = InboundSession(profile, *viewer)
        self._rtcp_index = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.viewer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.viewer.bind(("127.0.0.1", 0))
        self.viewer.connect(self.socket.getsockname())
        self.socket.connect(self.viewer.getsockname())
        self.number = native.add(self.viewer.fileno())
        self._start = (self.number, profile, viewer, server, 0xABCDEF, TYPES, (48_000, 90_000))

    def start(self) -> None:
        """The keys are there."""
        self._native.start(*self._start)

    def close(self) -> None:
        self._native.remove(self.number)
        self.viewer.close()
        self.socket.close()

    def video(self, index: int, payload: bytes = SLICE, *, timestamp: int = 0, marker: bool = False) -> None:
        self._send(VIDEO, SSRC, index, payload, timestamp, marker=marker)

    def audio(self, index: int) -> None:
        self._send(AUDIO, SSRC + 1, index, b"\xfcsound", 0, marker=False)

    def repeat(self, index: int, original: int, payload: bytes = SLICE, *, timestamp: int = 0) -> None:
        """By RTX (RFC 4588 4)."""
        self._send(RTX, RTX_SSRC, index, original.to_bytes(2) + payload, timestamp, marker=False)

    def report(self, ntp: int) -> None:
        self.send_rtcp(rtcp.build([rtcp.SenderReport(SSRC, ntp, 0, 1, 1)]))

    def send_rtcp(self, data: bytes) -> None:
        """Authentic, whatever it holds."""
        self.socket.send(self._rtcp.protect_rtcp(int.from_bytes(data[4:8]), self._rtcp_index, data))
        self._rtcp_index += 1

    def _send(
        self, kind: int, ssrc: int, index: int, payload: bytes, timestamp: int, *, marker: bool
    ) -> None:
        plain = header.build(
            payload_type=kind,
            sequence=index & 0xFFFF,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=b"",
            marker=marker,
        )
        self.socket.send(self._rtp.protect(ssrc, index, plain, payload))

    def send_rtp(self, head: bytes, payload: bytes) -> None:
        """Authentic to a receiver that takes 12 octets for the header, whatever `head` says."""
        self.socket.send(self._rtp.protect(int.from_bytes(head[8:12]), 1, head, payload))

    def heard(self, kind: type) -> rtcp.Rtcp:
        """The next part of that type in what the viewer says."""
        while True:
            for part in rtcp.parse(self._inbound.unprotect_rtcp(self.socket.recv(1500))):
                if isinstance(part, kind):
                    return part

    def counts(self, **wanted: int) -> dict[str, int]:
        """Once they are as `wanted`."""

        def look() -> dict[str, int] | None:
            counts = self._native.counts(self.number)
            return counts if all(counts[name] == value for name, value in wanted.items()) else None

        return until(look, f"{wanted}, had {self._native.counts(self.number)}")


@contextmanager
def running(loss: float = 0.0) -> Iterator[_swarm.Swarm]:
    native = _swarm.Swarm(loss)
    thread = threading.Thread(target=native.run)
    thread.start()
    try:
        yield native
    finally:
        native.stop()
        thread.join()
