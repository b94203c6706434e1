"""One WebRTC peer's connection: ICE endpoint, DTLS, SCTP, and their end. Media is the subclass's."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from liveserver.rtp.fanout import Fanout
from liveserver.sfu.answer import Answer, IceCredentials
from liveserver.sfu.dtls import Certificate, Dtls, SrtpKeys
from liveserver.sfu.front import Front
from liveserver.sfu.offer import Offer, OfferedMedia
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.webrtc import DataChannel, Sctp, open_sctp

HANDSHAKE_TIMEOUT_S = 20.0
_FAREWELL_POLLS = 50  # at most a second for the last messages to be acknowledged
_FAREWELL_POLL_S = 0.02


class PeerEvents(Protocol):
    """What the owner of a peer is told. Called on the main loop; must not block."""

    def connected(self) -> None: ...

    def control_opened(self, channel: DataChannel) -> None: ...

    def control_text(self, text: str | bytes) -> None: ...

    def unsupported(self, kind: str) -> None: ...

    def notice(self, code: str) -> None: ...

    def receiving(self, on: bool, ago_ns: int) -> None: ...

    def closed(self, reason: str) -> None: ...


class Transport:
    """What peers share: the port, the pace of those who catch up, the node's certificate."""

    def __init__(self, front: Front, pacer: Pacer, certificate: Certificate):
        self.front = front
        self.fanout: Fanout = front.fanout
        self.pacer = pacer
        self.certificate = certificate
        self.sessions: dict[int, Peer] = {}
        """By their number in the fan-out."""


class Peer:
    """States: new → connected → closed, or new → closed. `session` is the fan-out's handle for its keys."""

    is_viewer = False

    def __init__(self, transport: Transport, ice: IceCredentials, events: PeerEvents):
        self.id = secrets.token_urlsafe(12)
        self.etag = secrets.token_hex(8)
        self.session = 0
        self.is_connected = False
        self.closed_reason: str | None = None
        self.remote_ufrag = ""
        self._transport = transport
        self._events = events
        self.endpoint = transport.front.add(self, ice)
        self._dtls: Dtls | None = None
        self._sctp: Sctp | None = None
        self._channel: DataChannel | None = None
        self._control: OfferedMedia | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None

    def start(self, offer: Offer, answer: Answer) -> None:
        """Wait for the peer's ClientHello and go on from there."""
        self.remote_ufrag = offer.ice_ufrag
        self._control = answer.control
        self._dtls = Dtls(self._transport.certificate, offer.fingerprints, self.endpoint.send, self)
        self._deadline = asyncio.get_running_loop().call_later(HANDSHAKE_TIMEOUT_S, self._too_late)

    def receive_dtls(self, data: bytes) -> None:
        """A datagram of DTLS from the address in use."""
        if self._dtls is not None:
            self._dtls.receive(data)

    def restart_ice(self) -> IceCredentials:
        """New credentials for the same session; the ETag changes with them (RFC 9725 4.3)."""
        ice = IceCredentials.new()
        self._transport.front.restart(self.endpoint, ice)
        self.etag = secrets.token_hex(8)
        return ice

    def close(self, reason: str) -> None:
        """End the session at once. Idempotent; `events.closed` is called once."""
        if self.closed_reason is not None:
            return
        self.closed_reason = reason
        self._media_closed()
        if self.session:
            self._transport.fanout.remove_session(self.session)
            self._transport.sessions.pop(self.session, None)
            self.session = 0
        self._let_go()
        self._events.closed(reason)

    def receiving(self, on: bool, ago_ns: int) -> None:
        """Media arrives at its end since so long ago, or did so until then."""
        self._events.receiving(on, ago_ns)

    async def finish(self, reason: str) -> None:
        """Close once what was said on the control channel has left, or after a second."""
        for _ in range(_FAREWELL_POLLS):
            if self.closed_reason is not None or self._channel is None or not self._channel.backlog:
                break
            await asyncio.sleep(_FAREWELL_POLL_S)
        self.close(reason)

    async def wait_closed(self) -> None:
        """Until every task of a closed peer has ended."""
        if self._leaving is not None:
            await asyncio.gather(self._leaving, return_exceptions=True)

    def secured(self, keys: SrtpKeys) -> None:
        """The DTLS handshake is done (`sfu.dtls.DtlsEvents`): media and messages may flow."""
        assert self._dtls is not None
        self._cancel_deadline()
        control = self._control
        if control is not None:
            self._sctp = open_sctp(
                self._dtls.send,
                control.sctp_port,
                control.max_message_bytes,
                self._control_opened,
                self._events.control_text,
                self.close,
            )
        host, port = self.endpoint.selected or ("0.0.0.0", 0)  # noqa: S104 - a placeholder, never bound
        self.session = self._transport.fanout.add_session(
            keys.profile, keys.outbound_key, keys.outbound_salt, host, port
        )
        self.endpoint.open(
            keys.profile, keys.inbound_key, keys.inbound_salt, self.session, is_viewer=self.is_viewer
        )
        self._transport.sessions[self.session] = self
        self.is_connected = True
        self._media_connected()
        self._events.connected()

    def received(self, data: bytes) -> None:
        """An SCTP packet (`sfu.dtls.DtlsEvents`)."""
        if self._sctp is not None:
            self._sctp.receive(data)

    def ended(self, reason: str) -> None:
        """DTLS failed, or the peer took leave (`sfu.dtls.DtlsEvents`)."""
        self.close(reason)

    def _media_connected(self) -> None:
        """Keys are there: media may flow (`self.session` is set)."""

    def _media_closed(self) -> None:
        """The peer is closing; `self.session` is still valid."""

    def _control_opened(self, channel: DataChannel) -> None:
        self._channel = channel
        channel.on_stalled = lambda: self.close("too_slow")
        channel.on_close = self._say_goodbye
        self._events.control_opened(channel)

    def _say_goodbye(self, reason: str) -> None:
        if self._leaving is None:
            leaving = self.finish(reason)
            self._leaving = asyncio.create_task(leaving, name=f"peer {self.id} leaving")

    def _too_late(self) -> None:
        self._deadline = None
        self.close("handshake_timeout")

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _let_go(self) -> None:
        self._cancel_deadline()
        if self._sctp is not None:
            self._sctp.end()
        if self._dtls is not None:
            self._dtls.close()
        self._transport.front.remove(self.endpoint)
