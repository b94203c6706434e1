"""`GET /ws/{lesson}`: control messages over a WebSocket (docs/PROTOCOL.md section 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from liveserver.core.errors import PeerError
from liveserver.core.messages import MAX_MESSAGE_BYTES, Join, dumps, error_message
from liveserver.core.permissions import Permission, require
from liveserver.core.rate import MessageRate
from liveserver.core.reading import parse
from liveserver.http.carrier import Rounds, WebSocketCarrier
from liveserver.http.context import AnyCall, Services, base_url
from liveserver.http.ports.rooms import Peer
from liveserver.http.refusals import REFUSALS
from liveserver.http.routes import LESSON, Route, Scope
from liveserver.log import Event, get_logger
from liveserver.tokens import Claims, session_ended

NO_TOKEN, NOT_PERMITTED, UNKNOWN_LESSON, CLOSED_LESSON, TRY_LATER = 4401, 4403, 4404, 4410, 1013
_CLOSE_CODES: Mapping[str, int] = {
    "token_missing": NO_TOKEN,
    "token_invalid": NO_TOKEN,
    "token_expired": NO_TOKEN,
    "session_ended": NO_TOKEN,
    "forbidden": NOT_PERMITTED,
    "person_removed": NOT_PERMITTED,
    "unknown_lesson": UNKNOWN_LESSON,
    "lesson_cut": CLOSED_LESSON,
    "lesson_ended": CLOSED_LESSON,
    "lesson_full": TRY_LATER,
    "already_here": TRY_LATER,
    "too_large": WSCloseCode.MESSAGE_TOO_BIG,
    "rate_limited": WSCloseCode.POLICY_VIOLATION,
}

ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
Abort = Callable[[], None]
WRITER_BYTES = 16_384  # what aiohttp itself writes here: pongs and a goodbye
KERNEL_BYTES = (
    65_536  # for one socket, which the kernel doubles; by itself it would take 4 MB for a slow reader
)


class Closable(Protocol):
    """An open socket, as the server's end sees it."""

    def close(self, code: int, reason: str) -> None: ...


SOCKETS = web.AppKey("sockets", set[Closable])
Bearers = dict[Closable, tuple[Claims, Callable[[PeerError], None]]]
BEARERS = web.AppKey("bearers", Bearers)
"""Whose the open sockets are, once they have joined, and how to end each with the reason."""
ROUNDS = web.AppKey("rounds", Rounds)
_log = get_logger()


async def socket(call: AnyCall) -> web.StreamResponse:
    """Upgrade, wait for `join`, then carry messages both ways until either side ends it."""
    request, services = call.request, call.services
    now_s = asyncio.get_running_loop().time()
    ws, transport = await upgrade(call)
    transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_BYTES)
    rounds = request.app[ROUNDS]
    carrier = WebSocketCarrier(ws, transport, services.config.socket, rounds.framer, now_s)
    open_sockets = request.app[SOCKETS]
    open_sockets.add(carrier)
    try:
        with rounds.watching(carrier):
            await _converse(call, ws, carrier)
        await carrier.ended()  # bounded by the carrier
    finally:
        open_sockets.discard(carrier)
        request.app[BEARERS].pop(carrier, None)
        code = carrier.closing or ws.close_code or WSCloseCode.ABNORMAL_CLOSURE
        services.metrics.sockets_closed.labels(str(int(code))).inc()
        services.metrics.socket_messages.labels("out").inc(carrier.sent)
    return ws


async def upgrade(
    call: AnyCall, writer_bytes: int = WRITER_BYTES, heartbeat_s: float | None = None
) -> tuple[web.WebSocketResponse, asyncio.Transport]:
    """The WebSocket of this request, and what it is carried by.

    `heartbeat_s`: aiohttp's pings, a timer and a task each; `Rounds` does without.
    """
    request = call.request
    _check_upgrade(request)
    transport = request.transport
    if transport is None:
        raise PeerError("bad_request", "the connection is gone")
    ws = web.WebSocketResponse(
        heartbeat=heartbeat_s,
        timeout=2.0,
        autoping=False,  # pings are counted with the messages, so a flood of them ends the same way
        compress=False,
        max_msg_size=MAX_MESSAGE_BYTES,
        writer_limit=writer_bytes,
    )
    await ws.prepare(request)
    return ws, transport


def _check_upgrade(request: web.Request) -> None:
    """PeerError for a request that is no WebSocket, or comes from another origin's page (RFC 6455 10.2)."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise PeerError("bad_request", "a WebSocket upgrade is expected", status=HTTPStatus.UPGRADE_REQUIRED)
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != base_url(request).lower():
        raise PeerError("forbidden", "a page of another origin may not connect", status=HTTPStatus.FORBIDDEN)


async def _converse(call: AnyCall, ws: web.WebSocketResponse, carrier: WebSocketCarrier) -> None:
    """From `join` to the end. Leaves a reason in `carrier` when it is this side that ends it."""
    lesson, services = call.lesson, call.services
    try:
        claims = await join(ws, services)
        require(claims.role, Permission.SEE_LESSON)
        if not claims.covers(lesson):
            raise PeerError("forbidden", "the token is for another lesson", status=403)
        call.request.app[BEARERS][carrier] = (claims, partial(_refuse, carrier, otherwise=NO_TOKEN))
    except PeerError as error:
        call.request.app[REFUSALS].note(call.request, error.code, error.status)
        _refuse(carrier, error, otherwise=NO_TOKEN)
        return
    try:
        peer = await services.rooms.joining.connect(lesson, claims, carrier)
    except PeerError as error:
        _refuse(carrier, error)
        return
    reason = "failed"
    try:
        reason = await _listen(ws, peer, carrier, services)
    except Exception:  # the edge: one socket's failure must not reach another's task
        _log.exception(Event.SOCKET_FAILED, lesson=lesson)
        carrier.close(WSCloseCode.INTERNAL_ERROR, "internal")
    finally:
        peer.gone(reason)


async def join(ws: web.WebSocketResponse, services: Services) -> Claims:
    """The claims of the token in the first message, which must be `join` and come in time."""
    try:
        message = await ws.receive(timeout=services.config.socket.join_timeout.s)
    except TimeoutError:
        raise PeerError("token_missing", "no join came in time", status=401) from None
    if message.type is not WSMsgType.TEXT:
        raise PeerError("token_missing", "the first message must be join", status=401)
    first = parse(message.data)
    if not isinstance(first, Join):
        raise PeerError("token_missing", "the first message must be join", status=401)
    return services.tokens.verify(first.token, services.clock.wall_s(), once=True)


async def _listen(
    ws: web.WebSocketResponse, peer: Peer, carrier: WebSocketCarrier, services: Services
) -> str:
    """Hand messages to the peer until the connection ends, whoever ends it; returns why."""
    rate = MessageRate(services.clock.monotonic_ns())
    received = services.metrics.socket_messages.labels("in")
    now_s = asyncio.get_running_loop().time
    while True:
        message = await ws.receive()
        if message.type in ENDS:
            if carrier.closing == NO_TOKEN:
                return "session_ended"
            return "closed" if carrier.closing is not None else "left"
        carrier.heard(now_s())
        received.inc()
        is_piece = message.type is WSMsgType.BINARY and peer.takes_pieces
        if not is_piece and not rate.allows(services.clock.monotonic_ns()):
            _refuse(carrier, PeerError("rate_limited", "too many messages"))
            return "rate_limited"
        if message.type is WSMsgType.PING:
            await ws.pong(message.data)
        elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            await _receive(peer, carrier, message.data)


async def _receive(peer: Peer, carrier: WebSocketCarrier, text: str | bytes) -> None:
    try:
        await peer.receive(text)
    except PeerError as error:
        carrier.send(_error(error))


def _refuse(
    carrier: WebSocketCarrier, error: PeerError, otherwise: int = WSCloseCode.POLICY_VIOLATION
) -> None:
    """Say why, then close with the code that goes with it, or with `otherwise`."""
    carrier.send(_error(error))
    carrier.close(close_code(error, otherwise), error.code)


def close_code(error: PeerError, otherwise: int) -> int:
    """What a socket refused for `error` closes with (docs/PROTOCOL.md section 1)."""
    return _CLOSE_CODES.get(error.code, otherwise)


def _error(error: PeerError) -> str:
    return dumps(error_message(error))


def end_void(app: web.Application, is_void: Callable[[Claims], bool]) -> None:
    """Tell everybody whose token has become void, and close."""
    error = session_ended()
    for claims, refuse in list(app[BEARERS].values()):
        if is_void(claims):
            refuse(error)


async def close_all(app: web.Application) -> None:
    """Tell everyone the server goes away (1001); they come back with jitter (docs/PROTOCOL.md)."""
    open_sockets: set[Closable] = app[SOCKETS]
    for carrier in list(open_sockets):
        carrier.close(WSCloseCode.GOING_AWAY, "restarting")
    await app[ROUNDS].stop()


ROUTES = (
    Route(
        "GET",
        f"/ws/{LESSON}",
        socket,
        "Control messages; the first one is `join` with a token",
        Scope.OPEN,
        {101: ("A WebSocket", None)},
    ),
)
