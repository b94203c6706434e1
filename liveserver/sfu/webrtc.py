"""The only file that knows aiortc: SDP parsing, DTLS and SCTP over a transport of ours.

aiortc's RTCPeerConnection, receivers and senders decode, encode and queue without bounds, so none of
them is used. What is used: `aiortc.sdp` to read an offer, `RTCDtlsTransport` for the handshake (its
SRTP keys are handed to `rtp.srtp` and `rtp.fanout`), `RTCSctpTransport` for the data channel. The
subclasses add the bounds they lack (RELIABILITY section 0, items 1 and 2).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiortc import sdp as aiortc_sdp
from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcsctptransport import Chunk, RTCSctpCapabilities, RTCSctpTransport
from OpenSSL import SSL

from liveserver.core.errors import PeerError
from liveserver.sfu.offer import Codec, Offer, OfferedMedia, check_size
from liveserver.sfu.sieve import sieve

# RFC 5764 4.1.2 and RFC 7714 14.2 protection profile numbers.
PROFILE_NUMBERS = {SRTP_AEAD_AES_128_GCM: 7, SRTP_AES128_CM_SHA1_80: 1}

MAX_DATAGRAMS_WAITING = 64
MAX_REASSEMBLY_BYTES = 256 * 1024
MAX_MESSAGE_BYTES = 64 * 1024
MAX_STREAMS = 16
MAX_OUTBOUND_BYTES = 512 * 1024
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master keys and salts of a finished handshake; `inbound` protects what the peer sends."""

    profile: int
    inbound_key: bytes
    inbound_salt: bytes
    outbound_key: bytes
    outbound_salt: bytes


class Certificate(RTCCertificate):
    """The node's DTLS identity, with one OpenSSL context shared by every peer.

    Building a context per peer is a third of a join's cost.
    """

    _shared: SSL.Context | None = None

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._shared is None:
            context = super()._create_ssl_context(srtp_profiles)
            context.set_cipher_list(_CIPHERS)
            context.set_options(SSL.OP_NO_RENEGOTIATION)
            self._shared = context
        return self._shared

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as `a=fingerprint` prints it."""
        for entry in self.getFingerprints():
            if entry.algorithm == "sha-256":
                return str(entry.value)
        raise AssertionError("aiortc always offers sha-256")


class DatagramPipe:
    """What aiortc takes for an ICE transport: a bounded inbox and a way out."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]):
        self._send_datagram = send
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_DATAGRAMS_WAITING)
        self.dropped = 0

    def push(self, datagram: bytes) -> None:
        """A DTLS record (first byte 20-63) from the validated address; dropped when the inbox is full."""
        try:
            self._inbox.put_nowait(datagram)
        except asyncio.QueueFull:
            self.dropped += 1

    def close(self) -> None:
        """Let the reader end: its next receive raises ConnectionError."""
        if self._inbox.full():
            self._inbox.get_nowait()
        self._inbox.put_nowait(None)

    async def _recv(self) -> bytes:
        datagram = await self._inbox.get()
        if datagram is None:
            raise ConnectionError("closed")
        return datagram

    async def _send(self, datagram: bytes) -> None:
        self._send_datagram(datagram)


class Dtls(RTCDtlsTransport):
    """DTLS server (a=setup:passive) that hands out the SRTP keys instead of using them."""

    def __init__(self, pipe: DatagramPipe, certificate: Certificate):
        super().__init__(cast(RTCIceTransport, pipe), [certificate])
        self.keys: SrtpKeys | None = None
        self._srtp_profiles = list(PROFILE_NUMBERS)
        self._set_role("server")

    async def handshake(self, fingerprints: tuple[tuple[str, str], ...]) -> SrtpKeys:
        """Complete the handshake; raises PeerError("dtls_failed") when it, or the fingerprint, fails."""
        parameters = RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(*pair) for pair in fingerprints])
        await self.start(parameters)
        if self.keys is None:
            raise PeerError("dtls_failed", f"state {self.state}")
        return self.keys

    async def _send_data(self, data: bytes) -> None:
        try:
            await super()._send_data(data)
        except SSL.Error as error:  # shut down already: SCTP's timers may fire once more
            raise ConnectionError("the DTLS session is closed") from error

    def _setup_srtp(self) -> None:
        assert self._ssl is not None
        negotiated = self._ssl.get_selected_srtp_profile()
        profile = next((p for p in PROFILE_NUMBERS if p.openssl_profile == negotiated), None)
        if profile is None:
            self._set_state(State.FAILED)
            return
        material = self._ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        peer = profile.get_key_and_salt(material, 0)
        ours = profile.get_key_and_salt(material, 1)
        size = profile.key_length
        self.keys = SrtpKeys(PROFILE_NUMBERS[profile], peer[:size], peer[size:], ours[:size], ours[size:])


class Sctp(RTCSctpTransport):
    """SCTP (RFC 8831) with the bounds aiortc lacks; any breach ends this peer alone."""

    def __init__(self, dtls: Dtls, port: int, on_breach: Callable[[str], None]):
        super().__init__(dtls, port)
        self._on_breach = on_breach
        self._inbound_streams_max = MAX_STREAMS
        self._advertised_rwnd = MAX_REASSEMBLY_BYTES

    async def _handle_data(self, data: bytes) -> None:
        try:
            await super()._handle_data(data)
        except (ValueError, AssertionError, KeyError, IndexError, TypeError, AttributeError):
            self._on_breach("sctp_malformed")
        if self._advertised_rwnd < 0 or len(self._inbound_streams) > MAX_STREAMS:
            self._on_breach("sctp_flood")
        if len(self._data_channels) > MAX_STREAMS:
            self._on_breach("sctp_flood")

    async def _send_chunk(self, chunk: Chunk) -> None:
        # aiortc sends from tasks nobody awaits: a peer that has gone is no failure to report.
        with contextlib.suppress(ConnectionError):
            await super()._send_chunk(chunk)

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if len(data) > MAX_MESSAGE_BYTES:
            self._on_breach("too_large")
            return
        await super()._receive(stream_id, pp_id, data)


class DataChannel:
    """The `control` channel as the rooms see it: a carrier of JSON texts.

    `send` never blocks; a peer whose backlog passes MAX_OUTBOUND_BYTES is given up (`on_stalled`). The
    peer that owns the channel sets both callbacks before anybody else gets it.
    """

    kind = "datachannel"

    def __init__(self, channel: RTCDataChannel):
        self._channel = channel
        self.on_stalled: Callable[[], None] = lambda: None
        self.on_close: Callable[[], None] = lambda: None

    def send(self, text: str) -> None:
        if self._channel.readyState != "open":
            return
        if self._channel.bufferedAmount > MAX_OUTBOUND_BYTES:
            self.on_stalled()
            return
        self._channel.send(text)

    def close(self, code: int, reason: str) -> None:
        """Say no more on this channel; the peer itself is closed once what was said has left."""
        self.on_close()

    @property
    def backlog(self) -> int:
        """Bytes said but not yet acknowledged by the peer."""
        return int(self._channel.bufferedAmount)


async def open_sctp(
    dtls: Dtls,
    port: int,
    max_message_bytes: int,
    on_control: Callable[[DataChannel], None],
    on_text: Callable[[str | bytes], None],
    on_breach: Callable[[str], None],
) -> Sctp:
    """An SCTP association that reports the channel labelled `control` and its messages.

    To be awaited right after the handshake: nothing may be read in between.
    """
    sctp = Sctp(dtls, port, on_breach)

    def opened(channel: RTCDataChannel) -> None:
        if channel.label == "control":
            channel.on("message", on_text)
            on_control(DataChannel(channel))

    sctp.on("datachannel", opened)
    await sctp.start(RTCSctpCapabilities(maxMessageSize=max_message_bytes), port)
    return sctp


def parse_offer(sdp: str) -> Offer:
    """Read an SDP offer; raises PeerError sdp_too_large (413), sdp_malformed (400), sdp_unsupported (422)."""
    check_size(sdp)
    kept = sieve(sdp)
    try:
        described = aiortc_sdp.SessionDescription.parse(kept)
        media = tuple(_media(line, index) for index, line in enumerate(described.media))
        bundled = frozenset(str(x) for g in described.group if g.semantic == "BUNDLE" for x in g.items)
    except (
        ValueError,
        AssertionError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        StopIteration,
    ) as error:
        raise PeerError("sdp_malformed", f"not a readable SDP offer ({type(error).__name__})") from error
    if not described.media:
        raise PeerError("sdp_malformed", "the offer has no m-lines")
    if len({line.mid for line in media}) != len(media):
        raise PeerError("sdp_malformed", "two m-lines share a mid")
    if len(media) > 1 and not bundled.issuperset(line.mid for line in media):
        raise PeerError("sdp_unsupported", "all m-lines must be in one BUNDLE group", status=422)
    first = described.media[0]
    if first.ice is None or not first.ice.usernameFragment or not first.ice.password:
        raise PeerError("sdp_malformed", "ice-ufrag or ice-pwd is missing")
    if first.dtls is None or not first.dtls.fingerprints:
        raise PeerError("sdp_unsupported", "a=fingerprint and a=setup are required (DTLS-SRTP)", status=422)
    if first.dtls.role == "server":
        raise PeerError("sdp_unsupported", "this server is always a=setup:passive", status=422)
    return Offer(
        media=media,
        ice_ufrag=first.ice.usernameFragment,
        ice_pwd=first.ice.password,
        fingerprints=tuple((f.algorithm, f.value) for f in first.dtls.fingerprints),
        bundled=bundled,
        is_firefox="mozilla" in (described.origin or "").lower(),
    )


def _media(line: Any, index: int) -> OfferedMedia:
    repairs: dict[int, int] = {}
    for group in line.ssrc_group:
        if group.semantic == "FID" and len(group.items) == 2:
            repairs[group.items[1]] = group.items[0]
    capabilities = line.sctpCapabilities
    return OfferedMedia(
        kind=line.kind,
        mid=line.rtp.muxId or str(index),
        direction=line.direction or "sendrecv",
        codecs=tuple(_codec(codec) for codec in line.rtp.codecs),
        extensions={x.uri: x.id for x in line.rtp.headerExtensions if 0 < x.id < 15},
        ssrcs=tuple(x.ssrc for x in line.ssrc if x.ssrc not in repairs),
        repairs=repairs,
        sctp_port=line.sctp_port or next(iter(line.sctpmap), 0),
        max_message_bytes=capabilities.maxMessageSize if capabilities else MAX_MESSAGE_BYTES,
    )


def _codec(codec: Any) -> Codec:
    return Codec(
        payload_type=codec.payloadType,
        name=codec.mimeType.split("/", 1)[1].lower(),
        clock_rate=codec.clockRate,
        channels=codec.channels or 1,
        parameters=dict(codec.parameters),
        feedback=frozenset(" ".join(filter(None, (f.type, f.parameter))) for f in codec.rtcpFeedback),
    )
