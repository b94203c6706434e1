"""One viewer over ICE-TCP (RFC 6544, framing of RFC 4571): it joins, and notes when SRTP came."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time

from loadtest.swarm import stun
from loadtest.swarm.dtls import Dtls, Identity
from loadtest.swarm.sdp import Ours, Theirs
from loadtest.swarm.whep import RefusedError, Whep

_CONSENT_S = 4.0


class TcpViewer:
    """`join` once; `close` in any case. Packets are not opened: one that nobody could open counts as well."""

    def __init__(self, identity: Identity, whep: Whep):
        self.packets = 0
        self.last_packet_ns = 0  # CLOCK_MONOTONIC
        self.gone = asyncio.Event()
        self._identity, self._whep = identity, whep
        self._ours = Ours.new(identity.fingerprint)
        self._theirs: Theirs | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._dtls = Dtls(identity, self._send)
        self._checked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, timeout_s: float) -> None:
        """As `Peer.connect` raises, and OSError where nobody listens."""
        async with asyncio.timeout(timeout_s):
            theirs = self._theirs = await self._open()
            if not theirs.tcp_candidates:
                raise OSError("the server offers no TCP")
            reader, self._writer = await asyncio.open_connection(*theirs.tcp_candidates[0])
            self._tasks = [
                asyncio.create_task(self._read(reader), name="tcp viewer"),
                asyncio.create_task(self._consent(), name="tcp consent"),
            ]
            await self._checked.wait()
            await self._dtls.handshake(theirs.fingerprint, timeout_s)

    async def _open(self) -> Theirs:
        """Comes again when a busy server says when."""
        while True:
            try:
                return await self._whep.open(self._ours)
            except RefusedError as error:
                if error.retry_after_s is None:
                    raise
                await asyncio.sleep(error.retry_after_s)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._writer is not None:
            self._dtls.close()
            self._writer.close()
        await self._whep.close()

    def _send(self, packet: bytes) -> None:
        if self._writer is not None:
            self._writer.write(len(packet).to_bytes(2) + packet)

    async def _consent(self) -> None:
        assert self._theirs is not None
        username, tie = f"{self._theirs.ufrag}:{self._ours.ufrag}", secrets.randbits(64)
        while True:
            self._send(stun.check(stun.new_transaction(), username, self._theirs.password, tie))
            await asyncio.sleep(_CONSENT_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                packet = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                self._take(packet)
        self.gone.set()

    def _take(self, packet: bytes) -> None:
        if not packet:
            return
        if packet[0] < 4:
            assert self._theirs is not None
            if stun.read(packet, self._theirs.password) is not None:
                self._checked.set()
        elif 19 < packet[0] < 64:
            self._dtls.receive(packet)
            if self._dtls.closed.is_set():
                self.gone.set()
        elif 128 <= packet[0] < 192 and not 192 <= packet[1] < 224:  # RFC 5761 4: not RTCP
            self.packets += 1
            self.last_packet_ns = time.monotonic_ns()
