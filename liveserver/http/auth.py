"""Who asks, and whether the token's role and reach allow it."""

from __future__ import annotations

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.permissions import require
from liveserver.http.context import Edge
from liveserver.http.routes import Route, Scope
from liveserver.tokens import ALL_LESSONS, Claims

_SCHEME = "bearer "


def bearer_token(request: web.Request) -> str | None:
    """The token of `Authorization: Bearer TOKEN` (RFC 6750 2.1; the scheme's case does not matter)."""
    header = request.headers.get("Authorization", "")
    return header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else None


def token_of(request: web.Request) -> str | None:
    """The token of a player: in the query where it can send no headers."""
    return bearer_token(request) or request.query.get("token")


def bearer(request: web.Request, edge: Edge, route: Route) -> Claims | None:
    """Who asks, None where `route` is open; PeerError 401 without a token that is good."""
    if route.scope is Scope.OPEN:
        return None
    token = token_of(request) if route.token_in_query else bearer_token(request)
    return edge.tokens.verify(token, edge.clock.wall_s())


def authorise(route: Route, claims: Claims, lesson: str | None) -> None:
    """Pass, or raise PeerError 403 for who may not use `route`; `lesson` is the one in the path, if any."""
    if route.permission is not None:
        require(claims.role, route.permission)
    if route.scope is Scope.LESSON and (lesson is None or not claims.covers(lesson)):
        raise PeerError("forbidden", "the token is for another lesson", status=403)
    if route.scope is Scope.ALL and claims.lesson != ALL_LESSONS:
        raise PeerError("forbidden", "the token is for one lesson only", status=403)
