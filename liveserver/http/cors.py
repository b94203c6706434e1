"""Answers for pages of other origins, without credentials: only a token they already hold opens anything.

WHIP and WHEP are open to all (docs/PROTOCOL.md section 2), and so is the control port, whose origin is never
the page's. Nothing else sends CORS headers: other origins' pages cannot read the REST API.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Middleware

from liveserver.http.routes import Next

_ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, Link, ETag, Retry-After",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "86400",
    "Accept-Post": "application/sdp",
}


def cors(*prefixes: str) -> Middleware:
    """A middleware that answers preflights below `prefixes` and lets any origin read answers and refusals."""

    @web.middleware
    async def open_to_all(request: web.Request, handler: Next) -> web.StreamResponse:
        if not request.path.startswith(prefixes):
            return await handler(request)
        if request.method == "OPTIONS" and not _asks_for_itself(request):
            return web.Response(status=204, headers=_ANY_ORIGIN | _PREFLIGHT)
        answer = await handler(request)
        answer.headers.update(_ANY_ORIGIN | _PREFLIGHT if request.method == "OPTIONS" else _ANY_ORIGIN)
        return answer

    return open_to_all


def _asks_for_itself(request: web.Request) -> bool:
    """Whether a client, and not its browser on its behalf, asks what a resource offers (RFC 9725 4.6):
    a preflight never carries a token."""
    return "Authorization" in request.headers and request.match_info.http_exception is None
