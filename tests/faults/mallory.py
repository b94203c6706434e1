"""A peer with every right of its role and no manners: it protects whatever it likes with its own keys."""

from __future__ import annotations

import struct
from typing import Literal

import aiohttp
import pylibsrtp
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtcsctptransport import RTCSctpTransport
from google_crc32c import value as crc32c

from loadtest.signalling import Signalling


class Mallory:
    """A WHIP or WHEP session of aiortc with its inner doors open; `async with` it."""

    def __init__(self, url: str, token: str, *, role: Literal["publish", "watch"]):
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._http = aiohttp.ClientSession()
        self._direction = "sendonly" if role == "publish" else "recvonly"
        self.session = Signalling(self._http, url, token, self._connection)
        self._sequence = 0
        self.refused_here = 0
        """What its own libsrtp would not protect."""

    async def __aenter__(self) -> Mallory:
        for kind in ("audio", "video"):
            self._connection.addTransceiver(kind, direction=self._direction)
        try:
            await self.session.connect()
            await self.session.connected.wait()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self._http.close()

    @property
    def alive(self) -> bool:
        return self._dtls.state == "connected" and not self.session.gone.is_set()

    @property
    def answer(self) -> list[str]:
        return self._connection.remoteDescription.sdp.splitlines()

    @property
    def payload_types(self) -> list[int]:
        """Those of the answer: audio, video and their repairs."""
        return [int(line.split(":")[1].split()[0]) for line in self.answer if line.startswith("a=rtpmap:")]

    @property
    def media_ssrcs(self) -> list[int]:
        """What the server sends to a viewer."""
        found = (line.split(":")[1].split()[0] for line in self.answer if line.startswith("a=ssrc:"))
        return list(dict.fromkeys(map(int, found)))

    @property
    def own_ssrcs(self) -> list[int]:
        """What a publisher's offer named."""
        lines = self._connection.localDescription.sdp.splitlines()
        found = (line.split(":")[1].split()[0] for line in lines if line.startswith("a=ssrc:"))
        return list(dict.fromkeys(map(int, found)))

    @property
    def _dtls(self):
        return self._sctp.transport

    @property
    def _sctp(self) -> RTCSctpTransport:
        return self._connection.sctp

    async def media(self, plain: bytes) -> None:
        """RTP or RTCP under its own keys, by the second octet (RFC 5761)."""
        try:
            await self._dtls._send_rtp(plain)
        except (pylibsrtp.Error, IndexError):
            self.refused_here += 1
        except ConnectionError:
            """The server has dropped it, which it may."""

    async def rtp(self, payload_type: int, ssrc: int, payload: bytes, *, extension: bytes = b"") -> None:
        """A packet with a header in order around whatever payload; `extension` is the whole block."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        first = 0x90 if extension else 0x80
        header = struct.pack("!BBHII", first, payload_type, self._sequence, self._sequence * 3000, ssrc)
        await self.media(header + extension + payload)

    async def sctp(self, packet: bytes) -> None:
        """An SCTP packet as it stands."""
        try:
            await self._dtls._send_data(packet)
        except ConnectionError:
            """As above."""

    async def chunks(self, chunks: bytes) -> None:
        """Chunks under this association's ports, tag and checksum (RFC 9260 3.1)."""
        head = struct.pack("!HHI", 5000, 5000, self._sctp._remote_verification_tag)
        checksum = crc32c(head + bytes(4) + chunks)
        await self.sctp(head + struct.pack("<I", checksum) + chunks)


def extension(identifier: int, value: bytes) -> bytes:
    """A one-byte header extension block with one element (RFC 8285 4.2)."""
    element = bytes([identifier << 4 | len(value) - 1]) + value
    element += bytes(-len(element) % 4)
    return struct.pack("!HH", 0xBEDE, len(element) // 4) + element


def feedback(kind: int, form: int, sender: int, media: int, control: bytes = b"") -> bytes:
    """An RTCP feedback packet (RFC 4585 6.1); `control` is padded to words."""
    control += bytes(-len(control) % 4)
    words = 2 + len(control) // 4
    return struct.pack("!BBHII", 0x80 | form, kind, words, sender, media) + control
