"""`GET /ws/wall`: the moderators' wall over a WebSocket (docs/PROTOCOL.md section 4)."""

from __future__ import annotations

import asyncio

from aiohttp import WSCloseCode, WSMsgType, web

from liveserver.core.errors import PeerError
from liveserver.core.messages import Heartbeat, Watch, dumps, error_message
from liveserver.core.permissions import Permission, require
from liveserver.core.rate import MessageRate
from liveserver.core.reading import parse_wall
from liveserver.http import ws as sockets
from liveserver.http.carrier import TOO_SLOW, say_goodbye
from liveserver.http.context import AnyCall, Services
from liveserver.http.ports.screening import Spectator
from liveserver.http.routes import Route, Scope
from liveserver.log import Event, get_logger

# Pictures are larger than words: with less, each would wait for the one before to have left.
WRITER_BYTES = 65_536

_log = get_logger()


class WallSocket:
    """One moderator's socket. `close` is how it ends from this side, whoever asks for it."""

    def __init__(self, ws: web.WebSocketResponse, services: Services, bearers: sockets.Bearers):
        self._ws = ws
        self._bearers = bearers
        self._services = services
        self._closing: tuple[int, str] | None = None
        self._closed = asyncio.Event()

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._closed.set()

    async def run(self, abort: sockets.Abort) -> int:
        """From `join` to the end; returns the close code."""
        talking = asyncio.create_task(self._converse())
        closed = asyncio.create_task(self._closed.wait())
        try:
            await asyncio.wait([talking, closed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (talking, closed):
                task.cancel()
            await asyncio.gather(talking, closed, return_exceptions=True)
        if self._closing is not None:
            await say_goodbye(self._ws, abort, *self._closing)
        return int((self._closing and self._closing[0]) or self._ws.close_code or 1006)

    async def _converse(self) -> None:
        try:
            claims = await sockets.join(self._ws, self._services)
            require(claims.role, Permission.SEE_INCIDENTS)
            spectator = self._services.wall.stand(claims)
            self._bearers[self] = (claims, self._refuse)
        except PeerError as error:
            await self._ws.send_str(_error(error))
            self._refuse(error)
            return
        telling = asyncio.create_task(self._tell(spectator))
        try:
            await self._listen(spectator)
        except Exception:  # the edge: one socket's failure must not reach another's task
            _log.exception(Event.SOCKET_FAILED, lesson=None)
            self.close(WSCloseCode.INTERNAL_ERROR, "internal")
        finally:
            self._services.wall.leave(spectator)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    def _refuse(self, error: PeerError) -> None:
        self.close(sockets.close_code(error, sockets.NO_TOKEN), error.code)

    async def _tell(self, spectator: Spectator) -> None:
        """Send what the spectator is to see, as fast as it takes it; who takes nothing is closed."""
        stall_s = self._services.config.socket.stall.s
        sent = self._services.metrics.socket_messages.labels("out")
        try:
            while True:
                message = await spectator.next()
                async with asyncio.timeout(stall_s):
                    if isinstance(message, str):
                        await self._ws.send_str(message)
                    else:
                        await self._ws.send_bytes(message)
                sent.inc()
        except TimeoutError:
            self.close(TOO_SLOW, "too slow")
        except ConnectionError:
            pass  # the reading side hears of it too

    async def _listen(self, spectator: Spectator) -> None:
        clock = self._services.clock
        rate = MessageRate(clock.monotonic_ns())
        received = self._services.metrics.socket_messages.labels("in")
        while True:
            message = await self._ws.receive()
            if message.type in sockets.ENDS:
                return
            received.inc()
            if not rate.allows(clock.monotonic_ns()):
                self.close(WSCloseCode.POLICY_VIOLATION, "rate_limited")
                return
            if message.type is WSMsgType.PING:
                await self._ws.pong(message.data)
            else:
                self._receive(spectator, message.data)

    def _receive(self, spectator: Spectator, data: str | bytes) -> None:
        try:
            match parse_wall(data):
                case Watch(lessons):
                    spectator.watch(lessons)
                case Heartbeat(seq):
                    at_ms = self._services.clock.wall_ms()
                    spectator.reply(dumps({"type": "heartbeat", "seq": seq, "at_ms": at_ms}))
                case _:
                    raise PeerError("bad_message", "this socket has joined already")
        except PeerError as error:
            spectator.reply(_error(error))


async def socket(call: AnyCall) -> web.StreamResponse:
    """Upgrade, wait for `join`, then show the wall until either side ends it."""
    ws, transport = await sockets.upgrade(call, WRITER_BYTES, call.services.config.socket.heartbeat.s)
    open_sockets = call.request.app[sockets.SOCKETS]
    bearers = call.request.app[sockets.BEARERS]
    wall = WallSocket(ws, call.services, bearers)
    open_sockets.add(wall)
    try:
        code = await wall.run(transport.abort)
    finally:
        open_sockets.discard(wall)
        bearers.pop(wall, None)
    call.services.metrics.sockets_closed.labels(str(code)).inc()
    return ws


def _error(error: PeerError) -> str:
    return dumps(error_message(error))


ROUTES = (
    Route(
        "GET",
        "/ws/wall",
        socket,
        "The moderators' wall; the first message is `join` with a token",
        Scope.OPEN,
        {101: ("A WebSocket", None)},
    ),
)
