"""`/metrics` and `/debug/…`: for whoever runs the server, from the machine itself."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.http.answers import json_answer
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import whole
from liveserver.http.routes import Route, Scope
from liveserver.log import Event, get_logger
from liveserver.metrics import CONTENT_TYPE

# A proxy on this machine speaks from loopback for everyone: what it forwards is not from here.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


@dataclass(frozen=True, slots=True)
class BlockQuery:
    seconds: int = whole(1, 30)


async def metrics(call: AnyCall) -> web.Response:
    _check_reach(call)
    return web.Response(
        body=call.edge.metrics.text(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    )


async def rooms(call: AnyCall) -> web.Response:
    """Every live room with its tasks, queue depths and drop counters."""
    _check_reach(call)
    return json_answer(call.services.rooms.debug())


async def block(call: Call[None, BlockQuery]) -> web.Response:
    """Test hook: hold the main loop, as a mistake in the server would, to show that cuts still work."""
    _check_loopback(call.request)
    get_logger().warning(Event.NODE_BLOCKED, seconds=call.query.seconds)
    time.sleep(call.query.seconds)  # noqa: ASYNC251 - to block the loop is its whole purpose
    return json_answer({"blocked_s": call.query.seconds})


def _check_reach(call: AnyCall) -> None:
    if not call.edge.config.http.diagnostics_open:
        _check_loopback(call.request)


def _check_loopback(request: web.Request) -> None:
    """PeerError `forbidden` unless the peer is this machine, speaking for itself."""
    forwarded = any(name in request.headers for name in _FORWARDED)
    if forwarded or not _is_loopback(request.remote or ""):
        raise PeerError("forbidden", "only from the machine itself", status=403)


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


_OPEN_ROUTES = (
    Route(
        "GET",
        "/metrics",
        metrics,
        "Counters, from loopback unless configured",
        Scope.OPEN,
        {200: ("Prometheus' text format", "text/plain")},
    ),
    Route(
        "GET",
        "/debug/rooms",
        rooms,
        "The rooms' inner state, from loopback unless configured",
        Scope.OPEN,
        {200: ("As it is now", "Object")},
    ),
)
_BLOCK = Route(
    "POST",
    "/debug/block",
    block,
    "Test hook: block the main loop",
    Scope.OPEN,
    {200: ("It was blocked", "Object")},
    query=BlockQuery,
)


def routes(*, test_hooks: bool) -> tuple[Route, ...]:
    """The test hook exists only where it is switched on."""
    return (*_OPEN_ROUTES, _BLOCK) if test_hooks else _OPEN_ROUTES
