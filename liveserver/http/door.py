"""The door for edges: may a token's bearer have a lesson's media now, asked each second of every learner.

The question and the answers are those of `hls.access`. That route stands behind aiohttp's parser, router and
middlewares, which cost several times what the answer does; this port takes one request alone (`door_wire`)
and closes after anything else. A learner who asked just before is answered without a task: verified tokens
are remembered (`Verified`); cuts, removals and a lesson's end are looked at each time. A class asks when a
part comes, all at once: it is answered in slices, and media and everything else goes between them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from http import HTTPStatus

from aiohttp import hdrs

from liveserver.config.sections import DoorConfig
from liveserver.core.errors import PeerError
from liveserver.http import door_wire as wire
from liveserver.http import hls
from liveserver.http.auth import authorise
from liveserver.http.client import address_of
from liveserver.http.connections import Connections
from liveserver.http.context import Services
from liveserver.http.door_visitor import Visitor
from liveserver.http.listen import bind
from liveserver.http.ports.rooms import Broadcast
from liveserver.http.problems import CONTENT_TYPE, document, headers_of
from liveserver.http.refusals import Refusals
from liveserver.tokens import Claims

_SLICE_NS = 2_000_000  # of the loop
_BACKLOG = 1024


class Door:
    """The port. Belongs to the loop it was opened on; `refusals` are the public port's."""

    def __init__(self, services: Services, refusals: Refusals):
        self.services = services
        http = services.config.http
        # All come from one edge, a class at once.
        limits = dataclasses.replace(http, unfinished_per_address=http.max_connections)
        self.connections = Connections(limits, services.metrics, lambda: Visitor(self))
        self.open: set[Visitor] = set()
        self._refusals = refusals
        self._server: asyncio.Server | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Visitor] = deque()  # each once
        self._next: asyncio.Handle | None = None
        self._seconds = services.metrics.request_seconds.labels(wire.ROUTE)
        self._granted = services.metrics.requests.labels(wire.ROUTE, hdrs.METH_GET, "204")

    async def listen(self, config: DoorConfig) -> int:
        """Open the port; its number. Raises `ListenError`."""
        sock = bind(config.host, config.port)
        port: int = sock.getsockname()[1]
        self._server = await self._loop.create_server(self.connections, sock=sock, backlog=_BACKLOG)
        return port

    async def close(self) -> None:
        """Take no new connection, end those there are."""
        if self._server is not None:
            self._server.close()
        asking = [visitor.leave() for visitor in list(self.open)]
        await asyncio.gather(*(task for task in asking if task is not None), return_exceptions=True)

    def soon(self, visitor: Visitor) -> None:
        """It has something to read: when it is its turn."""
        self._waiting.append(visitor)
        if self._next is None:
            self._next = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        clock = self.services.clock
        end_ns = clock.monotonic_ns() + _SLICE_NS
        try:
            while self._waiting and clock.monotonic_ns() < end_ns:
                self._waiting.popleft().read()
        finally:
            self._next = self._loop.call_soon(self._turn) if self._waiting else None

    def at_once(self, asked: wire.Question) -> Broadcast | None:
        """What may be had; None where that takes a look at the database. Raises PeerError."""
        claims = self._claims(asked)
        broadcast = self.services.rooms.joining.wide_at_once(asked.lesson, claims)
        if broadcast is not None:
            hls.check(broadcast, None)
        return broadcast

    async def looked_up(self, asked: wire.Question) -> Broadcast:
        """As `at_once`, of somebody who has not asked for a while."""
        broadcast = await self.services.rooms.joining.wide(asked.lesson, self._claims(asked))
        hls.check(broadcast, None)
        return broadcast

    def granted(self, broadcast: Broadcast, began_ns: int, *, is_last: bool) -> bytes:
        """The answer that says yes; counted."""
        self._granted.inc()
        self._seconds.observe((self.services.clock.monotonic_ns() - began_ns) / 1e9)
        return wire.answer(HTTPStatus.NO_CONTENT, hls.granted(broadcast), is_last=is_last)

    def refused(self, error: PeerError, other_end: str, asked: wire.Question | None) -> bytes:
        """The answer that says `error`; counted, and some of them logged, as at the public port."""
        services = self.services
        if asked is not None:
            error = hls.for_edge(error)
        services.metrics.problems.labels(error.code).inc()
        route = wire.ROUTE if asked is not None else "unknown"
        services.metrics.requests.labels(route, hdrs.METH_GET, str(int(error.status))).inc()
        if asked is not None and error.status in hls.KNOWN_TO_EDGES:
            forwarded, proxies = asked.forwarded(), services.config.accounts.proxies
            self._refusals.note_of(
                (hdrs.METH_GET, wire.ROUTE),
                lambda: address_of(other_end, forwarded, proxies),
                error.code,
                error.status,
                services.clock.monotonic_ns(),
            )
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", **headers_of(error)}
        body = document(error.code, error.detail, error.status)
        return wire.answer(error.status, headers, body, is_last=asked is None or asked.is_last)

    def _claims(self, asked: wire.Question) -> Claims:
        claims = self.services.tokens.verify(asked.token, self.services.clock.wall_s())
        authorise(hls.ACCESS, claims, asked.lesson)
        return claims
