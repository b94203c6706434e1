"""The door for edges: may a token's bearer have a lesson's media now, asked each second of every learner.

The question and the answers are those of `hls.access`. That route stands behind aiohttp's parser, router and
middlewares, which cost several times what the answer does; this port takes one request alone (`door_wire`)
and closes after anything else. A learner who asked just before is answered without a task: verified tokens
are remembered (`Verified`); cuts, removals and a lesson's end are looked at each time.
"""

from __future__ import annotations

import asyncio
import dataclasses
from http import HTTPStatus
from typing import cast

from aiohttp import hdrs

from liveserver.config.sections import DoorConfig
from liveserver.core.errors import PeerError
from liveserver.http import door_wire as wire
from liveserver.http import hls
from liveserver.http.auth import authorise
from liveserver.http.client import address_of
from liveserver.http.connections import Connections
from liveserver.http.context import Services
from liveserver.http.listen import bind
from liveserver.http.ports.rooms import Broadcast
from liveserver.http.problems import CONTENT_TYPE, document, headers_of
from liveserver.http.refusals import Refusals
from liveserver.log import Event, get_logger
from liveserver.tokens import Claims

_AHEAD_MOST = 2 * wire.HEAD_MOST  # bytes that wait while a question is answered
_ROUTE = "/hls/{lesson}/access"  # among the metrics; the same as the route's
_BACKLOG = 1024
_log = get_logger()


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
        self._seconds = services.metrics.request_seconds.labels(_ROUTE)
        self._granted = services.metrics.requests.labels(_ROUTE, hdrs.METH_GET, "204")

    async def listen(self, config: DoorConfig) -> int:
        """Open the port; its number. Raises `ListenError`."""
        sock = bind(config.host, config.port)
        port: int = sock.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.connections, sock=sock, backlog=_BACKLOG)
        return port

    async def close(self) -> None:
        """Take no new connection, end those there are."""
        if self._server is not None:
            self._server.close()
        asking = [visitor.leave() for visitor in list(self.open)]
        await asyncio.gather(*(task for task in asking if task is not None), return_exceptions=True)

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

    def granted(self, broadcast: Broadcast, seconds: float, *, is_last: bool) -> bytes:
        self._granted.inc()
        self._seconds.observe(seconds)
        return wire.answer(HTTPStatus.NO_CONTENT, hls.granted(broadcast), is_last=is_last)

    def refused(self, error: PeerError, other_end: str, asked: wire.Question | None) -> bytes:
        """The answer that says `error`; counted, and some of them logged, as at the public port."""
        services = self.services
        if asked is not None:
            error = hls.for_edge(error)
        services.metrics.problems.labels(error.code).inc()
        route = _ROUTE if asked is not None else "unknown"
        services.metrics.requests.labels(route, hdrs.METH_GET, str(int(error.status))).inc()
        if asked is not None and error.status in hls.KNOWN_TO_EDGES:
            forwarded, proxies = asked.forwarded(), services.config.accounts.proxies
            self._refusals.note_of(
                (hdrs.METH_GET, _ROUTE),
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


class Visitor(asyncio.Protocol):
    """One connection of an edge: one question after the other; what comes meanwhile waits, bounded."""

    def __init__(self, door: Door):
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._idle_s = door.services.config.http.idle_timeout.s
        self._received = b""
        self._heard_s = self._loop.time()
        self._idle: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._is_full = False  # it does not take what it is told
        self._is_paused = False
        self._transport: asyncio.Transport
        self._other_end = ""

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own does not inherit from it
        peer = transport.get_extra_info("peername")
        self._other_end = str(peer[0]) if peer else ""
        self._door.open.add(self)
        self._watch(self._idle_s)

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        self._received += data
        self._read()

    def pause_writing(self) -> None:
        self._is_full = True
        self._pause()

    def resume_writing(self) -> None:
        self._is_full = False
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.open.discard(self)
        if self._idle is not None:
            self._idle.cancel()
        if self._asking is not None:
            self._asking.cancel()

    def leave(self) -> asyncio.Task[None] | None:
        """End it; the task that is left, if any."""
        asking = self._asking
        self._transport.abort()
        if asking is not None:
            asking.cancel()
        return asking

    # --- inside ---

    def _read(self) -> None:
        """Answer what is there, as far as that goes at once."""
        while self._received and not (self._asking or self._is_full or self._transport.is_closing()):
            end = self._received.find(wire.END)
            if end < 0:
                if len(self._received) > wire.HEAD_MOST:
                    self._refuse(wire.too_large(), None)
                break
            head = self._received[: end + len(wire.END)]
            self._received = self._received[end + len(wire.END) :]
            self._door.connections.request_started(self._transport)
            self._answer(head)
        if len(self._received) > _AHEAD_MOST and not self._transport.is_closing():
            self._refuse(wire.too_large(), None)
        elif self._is_paused and not (self._asking or self._is_full or self._transport.is_closing()):
            self._is_paused = False
            self._transport.resume_reading()

    def _pause(self) -> None:
        if not (self._is_paused or self._transport.is_closing()):
            self._is_paused = True
            self._transport.pause_reading()

    def _answer(self, head: bytes) -> None:
        began_s = self._loop.time()
        asked = None
        try:
            asked = wire.read(head)
            broadcast = self._door.at_once(asked)
        except PeerError as error:
            self._refuse(error, asked)
            return
        except Exception as error:  # one question's failure must not end another's
            self._fail(error, asked)
            return
        if broadcast is not None:
            self._say(broadcast, asked, began_s)
            return
        self._pause()
        self._asking = asyncio.create_task(self._look_up(asked, began_s), name="door")

    async def _look_up(self, asked: wire.Question, began_s: float) -> None:
        try:
            self._say(await self._door.looked_up(asked), asked, began_s)
        except PeerError as error:
            self._refuse(error, asked)
        except Exception as error:  # as in `_answer`
            self._fail(error, asked)
        self._asking = None
        self._read()

    def _say(self, broadcast: Broadcast, asked: wire.Question, began_s: float) -> None:
        answer = self._door.granted(broadcast, self._loop.time() - began_s, is_last=asked.is_last)
        self._write(answer, is_last=asked.is_last)

    def _refuse(self, error: PeerError, asked: wire.Question | None) -> None:
        answer = self._door.refused(error, self._other_end, asked)
        self._write(answer, is_last=asked is None or asked.is_last)

    def _fail(self, error: Exception, asked: wire.Question | None) -> None:
        _log.error(
            Event.HTTP_FAILED, route=_ROUTE, method=hdrs.METH_GET, kind=type(error).__name__, exc_info=error
        )
        told = PeerError("internal", "The server failed; it was logged.", status=500)
        self._refuse(told, None)

    def _write(self, answer: bytes, *, is_last: bool) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        self._door.connections.request_ended(self._transport)
        if is_last:
            self._received = b""
            self._transport.close()

    def _watch(self, seconds: float) -> None:
        self._idle = self._loop.call_later(seconds, self._look_idle)

    def _look_idle(self) -> None:
        left_s = self._heard_s + self._idle_s - self._loop.time()
        if left_s > 0 or self._asking is not None:
            self._watch(max(left_s, 1.0))
        else:
            self._transport.abort()
