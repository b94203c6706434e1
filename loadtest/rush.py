"""Viewers who join by WHEP as fast as the server lets them, each with the `control` channel, and then stay.

    python -m loadtest.rush WHEP_URL [--at-once 32] < TOKENS       one token a line

Prints {"event": "joined", "viewers": N, "seconds": S} when each of them has been told `joined`, and stays
until standard input closes. The tokens come first, an empty line ends them. A join costs this side about a
millisecond, a tenth of what a complete client costs (loadtest.herd): the server is the one that is busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

import aiohttp
import uvloop
from google_crc32c import value as crc32c
from OpenSSL import SSL

from loadtest.hearing import received, stamp_arrivals
from loadtest.swarm import sdp, stun
from loadtest.swarm.dtls import Dtls, Identity
from loadtest.swarm.whep import RefusedError, Whep

_CONNECT_S = 30.0
_AGAIN_S = 1.0
_ASKED_MOST = 10
_PORT = 5000
# Chunks of SCTP (RFC 9260 3.2) and payload protocols of data channels (RFC 8831 8).
_DATA, _INIT, _INIT_ACK, _SACK, _COOKIE_ECHO, _COOKIE_ACK = 0, 1, 2, 3, 10, 11
_COOKIE = 7
_WHOLE = 3
_DCEP, _TEXT = 50, 51
_OPEN = struct.pack("!BBHLHH", 3, 0, 0, 0, 7, 0) + b"control"


class Lane(Dtls):
    """DTLS that carries packets after the handshake."""

    def __init__(self, identity: Identity, send: Callable[[bytes], None]):
        super().__init__(identity, send)
        self.heard: Callable[[bytes], None] = lambda packet: None

    def receive(self, datagram: bytes) -> None:
        if not self._done.done():
            super().receive(datagram)
            return
        self._connection.bio_write(datagram)
        with contextlib.suppress(SSL.Error):
            while True:
                self.heard(self._connection.recv(2048))

    def say(self, packet: bytes) -> None:
        self._connection.send(packet)
        self._flush()


class Association:
    """As much of SCTP as a join needs: the association, one channel, the acknowledgement of what comes."""

    def __init__(self, say: Callable[[bytes], None]):
        self._say = say
        self._tag = secrets.randbits(32) | 1
        self._tsn = secrets.randbits(31)
        self._theirs = 0
        self._said = 1  # stream sequence number; the opening of the channel was the first
        self._last: tuple[int, bytes] | None = None
        self.joined = asyncio.Event()
        self.told: Callable[[bytes], None] = lambda text: None

    def begin(self) -> None:
        init = struct.pack("!LLHHL", self._tag, 131072, 16, 16, self._tsn)
        self._ask(_INIT, init, tag=0)

    def again(self) -> None:
        """Nothing has come for a while: say the last thing once more."""
        if self._last is not None:
            self._chunk(*self._last, tag=0 if self._last[0] == _INIT else self._theirs)

    def receive(self, packet: bytes) -> None:
        for kind, value in _chunks(packet):
            if kind == _INIT_ACK and not self._theirs:
                self._theirs = int.from_bytes(value[:4])
                self._ask(_COOKIE_ECHO, _parameter(value[16:], _COOKIE), tag=self._theirs)
            elif kind == _COOKIE_ACK:
                data = struct.pack("!LHHL", self._tsn, 0, 0, _DCEP) + _OPEN
                self._ask(_DATA, data, tag=self._theirs)
            elif kind == _DATA:
                tsn, _, _, protocol = struct.unpack_from("!LHHL", value)
                self._chunk(_SACK, struct.pack("!LLHH", tsn, 131072, 0, 0), tag=self._theirs)
                if protocol == _TEXT:
                    if not self.joined.is_set() and b'"joined"' in value:
                        self.joined.set()
                    self.told(value[12:])

    def write(self, text: bytes) -> None:
        """Say a message of the control protocol."""
        self._tsn += 1
        self._ask(_DATA, struct.pack("!LHHL", self._tsn, 0, self._said, _TEXT) + text, tag=self._theirs)
        self._said += 1

    def _ask(self, kind: int, value: bytes, *, tag: int) -> None:
        self._last = kind, value
        self._chunk(kind, value, tag=tag)

    def _chunk(self, kind: int, value: bytes, *, tag: int) -> None:
        flags = _WHOLE if kind == _DATA else 0
        chunk = struct.pack("!BBH", kind, flags, len(value) + 4) + value + bytes(-len(value) % 4)
        head = struct.pack("!HHL", _PORT, _PORT, tag)
        self._say(head + struct.pack("<L", crc32c(head + bytes(4) + chunk)) + chunk)


def _chunks(packet: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 12
    while offset + 4 <= len(packet):
        kind, _, size = struct.unpack_from("!BBH", packet, offset)
        if size < 4:
            return
        yield kind, packet[offset + 4 : offset + size]
        offset += size + -size % 4


def _parameter(parameters: bytes, wanted: int) -> bytes:
    offset = 0
    while offset + 4 <= len(parameters):
        kind, size = struct.unpack_from("!HH", parameters, offset)
        if kind == wanted:
            return parameters[offset + 4 : offset + size]
        offset += max(4, size + -size % 4)
    raise ValueError("no cookie in the answer")


class Viewer:
    """One session from its offer to the message `joined`, and on. `told(text, at_ns)` hears every message;
    without `media` it wants the channel alone."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        token: str,
        identity: Identity,
        *,
        media: bool = True,
        told: Callable[[bytes, int], None] = lambda text, at_ns: None,
    ):
        self._media = media
        self._told = told
        self._at_ns = 0
        self._association: Association | None = None
        self._whep = Whep(http, url, token)
        self._ours = sdp.Ours.new(identity.fingerprint)
        self._identity = identity
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        stamp_arrivals(self._socket)
        self._checked = asyncio.Event()
        self._password = ""
        self._lane: Lane | None = None

    async def join(self) -> None:
        offer = sdp.viewer_offer(self._ours, control=True) if self._media else sdp.channel_offer(self._ours)
        theirs = await self._let_in(offer)
        loop = asyncio.get_running_loop()
        self._password = theirs.password
        self._socket.connect(theirs.candidates[0])
        loop.add_reader(self._socket.fileno(), self._readable)
        check = stun.check(
            stun.new_transaction(),
            f"{theirs.ufrag}:{self._ours.ufrag}",
            theirs.password,
            secrets.randbits(64),
        )
        await _until(self._checked, lambda: self._send(check))
        lane = self._lane = Lane(self._identity, self._send)
        association = self._association = Association(lane.say)
        association.told = self._heard
        lane.heard = association.receive
        await lane.handshake(theirs.fingerprint, _CONNECT_S)
        association.begin()
        await _until(association.joined, association.again, said=True)

    def say(self, text: str) -> None:
        if self._association is not None:
            self._association.write(text.encode())

    def _heard(self, text: bytes) -> None:
        self._told(text, self._at_ns)

    async def _let_in(self, offer: str) -> sdp.Theirs:
        """A node that is behind, or that too many join, is asked again when it says so, as pages do."""
        for _ in range(_ASKED_MOST):
            try:
                return await self._whep.post(offer)
            except RefusedError as error:
                if error.retry_after_s is None:
                    raise
                await asyncio.sleep(error.retry_after_s)
        return await self._whep.post(offer)

    async def leave(self) -> None:
        if self._lane is not None:
            self._lane.close()
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _send(self, datagram: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(datagram)

    def _readable(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                datagram, self._at_ns = received(self._socket, 2048)
                if datagram[0] < 4:
                    if stun.read(datagram, self._password) is not None:
                        self._checked.set()
                elif 19 < datagram[0] < 64 and self._lane is not None:
                    self._lane.receive(datagram)


async def _until(event: asyncio.Event, say: Callable[[], None], *, said: bool = False) -> None:
    """Wait for `event`, saying it again and again; TimeoutError when it does not come."""
    for attempt in range(int(_CONNECT_S / _AGAIN_S)):
        if attempt or not said:
            say()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), _AGAIN_S)
            return
    raise TimeoutError("the server does not answer")


async def rush(url: str, tokens: list[str], at_once: int) -> int:
    gate = asyncio.Semaphore(at_once)
    identity = Identity()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as http:
        viewers = [Viewer(http, url, token, identity) for token in tokens]

        async def join(viewer: Viewer) -> None:
            async with gate:
                await viewer.join()

        began = time.monotonic()
        await asyncio.gather(*(join(viewer) for viewer in viewers))
        seconds = round(time.monotonic() - began, 3)
        print(json.dumps({"event": "joined", "viewers": len(viewers), "seconds": seconds}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for viewer in viewers:
            await viewer.leave()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.rush", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="WHEP_URL")
    parser.add_argument("--at-once", type=int, default=32, metavar="N")
    options = parser.parse_args()
    tokens = []
    for line in sys.stdin:
        if not line.strip():
            break
        tokens.append(line.strip())
    return uvloop.run(rush(options.url, tokens, options.at_once))


if __name__ == "__main__":
    raise SystemExit(main())
