"""One connection: a UDP socket of its own, ICE as the controlling full agent, DTLS, then the native half."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable

from loadtest import _swarm
from loadtest.swarm import stun
from loadtest.swarm.dtls import Dtls
from loadtest.swarm.hub import Hub
from loadtest.swarm.sdp import Ours, Theirs, UnsuitableError

_CHECK_FIRST_S, _CHECK_MOST_S = (
    0.1,
    1.6,
)  # RFC 8445 14.3 wants half a second at first; a lost check costs less so
_CONSENT_S, _CONSENT_LOST_S = 5.0, 30.0  # RFC 7675 5.1
_REFUSALS = 3  # a port that is closed says so each time; one answer alone may be an old one
_SOCKET_BUFFER = 1 << 20
_CLOCK_RATES = (48_000, 90_000)
_TRANSACTIONS = 8


class UnreachableError(Exception):
    """No candidate answered a check."""


class Peer:
    """`connect` once; `gone` is set, with `why`, when the other side has left. `close` in any case."""

    def __init__(self, hub: Hub, *, publishes: bool = False, heard: Callable[[bytes], None] | None = None):
        """`heard` is given what RTCP says to one that publishes, in the clear."""
        self.ours = Ours.new(hub.identity.fingerprint)
        self.ssrc = secrets.randbits(32)
        self.gone = asyncio.Event()
        self.why = ""
        self.checked_s = self.secured_s = 0.0  # CLOCK_MONOTONIC
        self.profile = 0
        self._hub, self._publishes, self._heard = hub, publishes, heard
        self._theirs: Theirs | None = None
        self._dtls: Dtls | None = None
        self._answered = asyncio.Event()
        self._address: tuple[str, int] | None = None
        self._transactions: deque[bytes] = deque(maxlen=_TRANSACTIONS)
        self._tie_breaker = secrets.randbits(64)
        self._consent_due_s = self._consented_s = 0.0
        self._refusals = 0
        self._socket: socket.socket | None = None
        self._number = -1
        self._counts: dict[str, int] = {}

    async def connect(self, theirs: Theirs, timeout_s: float) -> None:
        """UnreachableError, UnsuitableError, HandshakeError, TimeoutError, OSError."""
        if theirs.setup == "active":
            raise UnsuitableError("the other side wants to be the DTLS client, as these are")
        self._theirs = theirs
        self._socket = _open(theirs.candidates[0][0])
        self._number = self._hub.enter(self._socket.fileno(), self)
        address = await self._check(theirs.candidates, timeout_s)
        self._socket.connect(address)
        self.checked_s = self._consented_s = time.monotonic()
        self._schedule_consent(self.checked_s)
        self._dtls = Dtls(self._hub.identity, self._send)
        keys = await self._dtls.handshake(theirs.fingerprint, timeout_s)
        self.profile = keys.profile
        types = theirs.types()
        self._hub.native.start(
            self._number,
            keys.profile,
            keys.ours,
            keys.theirs,
            self.ssrc,
            types,
            _CLOCK_RATES,
            self._publishes,
        )
        self.secured_s = time.monotonic()

    def counts(self) -> dict[str, int]:
        """What came so far; after `close` what came in all. Empty before the socket is there."""
        return self._hub.native.counts(self._number) if self._number >= 0 else self._counts

    def send_rtp(self, packet: bytes, index: int) -> None:
        self._hub.native.send_rtp(self._number, packet, index)

    def send_rtcp(self, packet: bytes) -> None:
        self._hub.native.send_rtcp(self._number, packet)

    def close(self) -> None:
        if self._dtls is not None:
            self._dtls.close()
        if self._number >= 0:
            self._counts = self._hub.leave(self._number)
            self._number = -1
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # -- for the hub ----------------------------------------------------------------------------------------

    def receive(self, kind: int, source: tuple[str, int] | None, data: bytes) -> None:
        if kind == _swarm.RTCP:
            if self._heard is not None:
                self._heard(data)
        elif kind == _swarm.REFUSED:
            self._refusals += 1
            if self._refusals >= _REFUSALS:
                self._leave("the port is closed (ICMP)")
        elif data[0] < 4:
            self._receive_stun(source, data)
        elif self._dtls is not None:
            self._dtls.receive(data)
            if self._dtls.closed.is_set():
                self._leave("closed by the server")

    def keep_alive(self, now_s: float) -> None:
        """Ask for consent when it is due; without an answer for 30 s there is none (RFC 7675).

        Until the handshake is done a check goes out every time, as browsers do: some servers take up a
        nomination with the second one only.
        """
        if self._address is None or self.gone.is_set():
            return
        if not self.secured_s:
            self._send(self._new_check())
        elif now_s - self._consented_s > _CONSENT_LOST_S:
            self._leave("consent expired")
        elif now_s >= self._consent_due_s:
            self._schedule_consent(now_s)
            self._send(self._new_check())

    # -- ICE ------------------------------------------------------------------------------------------------

    async def _check(self, candidates: tuple[tuple[str, int], ...], timeout_s: float) -> tuple[str, int]:
        """Ask every candidate until one answers; that one is nominated by having been asked."""
        assert self._socket is not None
        pause_s, deadline_s = _CHECK_FIRST_S, time.monotonic() + timeout_s
        reachable = [one for one in candidates if (":" in one[0]) == (":" in candidates[0][0])]
        while time.monotonic() < deadline_s:
            for candidate in reachable:
                try:
                    self._socket.sendto(self._new_check(), candidate)
                except OSError:
                    continue  # no route there; another may have one
            try:
                await asyncio.wait_for(self._answered.wait(), pause_s)
            except TimeoutError:
                pause_s = min(2 * pause_s, _CHECK_MOST_S)
                continue
            assert self._address is not None
            return self._address
        tried = ", ".join(f"{host}:{port}" for host, port in candidates)
        raise UnreachableError(f"no answer to checks from {tried}")

    def _new_check(self) -> bytes:
        assert self._theirs is not None
        transaction = stun.new_transaction()
        self._transactions.append(transaction)
        username = f"{self._theirs.ufrag}:{self.ours.ufrag}"
        return stun.check(transaction, username, self._theirs.password, self._tie_breaker)

    def _receive_stun(self, source: tuple[str, int] | None, data: bytes) -> None:
        assert self._theirs is not None
        asked = stun.is_request(data)
        message = stun.read(data, self.ours.password if asked else self._theirs.password)
        if message is None or source is None:
            return
        if asked:
            self._send(stun.success(message.transaction, source, self.ours.password), source)
        elif message.transaction in self._transactions and not message.error:
            self._consented_s = time.monotonic()
            self._refusals = 0
            if self._address is None:
                self._address = source
                self._answered.set()

    def _schedule_consent(self, now_s: float) -> None:
        self._consent_due_s = now_s + _CONSENT_S * random.uniform(0.8, 1.2)

    def _send(self, datagram: bytes, address: tuple[str, int] | None = None) -> None:
        """Nothing is repeated here: whoever sends has a timer."""
        if self._socket is None:
            return
        try:
            if address is None or self._address is not None:
                self._socket.send(datagram)
            else:
                self._socket.sendto(datagram, address)
        except OSError:
            self._refusals += 1

    def _leave(self, why: str) -> None:
        if not self.gone.is_set():
            self.why = why
            self.gone.set()


def _open(host: str) -> socket.socket:
    sock = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    )
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
        sock.bind(("::" if ":" in host else "0.0.0.0", 0))  # noqa: S104 - any address of ours may be the way
    except OSError:
        sock.close()
        raise
    return sock
