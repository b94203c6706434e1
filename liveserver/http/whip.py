"""WHIP (RFC 9725): an instructor's browser, or any encoder, publishes."""

from __future__ import annotations

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http import sessions
from liveserver.http.context import AnyCall
from liveserver.http.routes import LESSON, SESSION, Route, Scope


async def publish(call: AnyCall) -> web.Response:
    """An SDP offer in, an answer out; a second publisher replaces the first."""
    answer = await call.services.rooms.joining.publish(call.lesson, call.bearer, call.body)
    return sessions.created(call, "/whip", answer)


ROUTES = (
    Route(
        "POST",
        f"/whip/{LESSON}",
        publish,
        "Publish: SDP offer in, SDP answer out",
        Scope.LESSON,
        {201: ("Publishing; Location is the session", sessions.SDP)},
        Permission.PUBLISH,
        text_body=(sessions.SDP,),
    ),
    Route(
        "OPTIONS",
        f"/whip/{LESSON}",
        sessions.show_ice_servers,
        "The relays, as Link headers; without a token this is a preflight",
        Scope.LESSON,
        {204: ("A Link header for each relay", None)},
        Permission.PUBLISH,
    ),
    Route(
        "PATCH",
        f"/whip/{LESSON}/{SESSION}",
        sessions.patch,
        "Trickle candidates, or restart ICE",
        Scope.LESSON,
        {204: ("Candidates taken", None), 200: ("ICE restarted", sessions.FRAGMENT)},
        Permission.PUBLISH,
        text_body=(sessions.FRAGMENT,),
    ),
    Route(
        "DELETE",
        f"/whip/{LESSON}/{SESSION}",
        sessions.leave,
        "Stop publishing",
        Scope.LESSON,
        {200: ("Left", None)},
        Permission.PUBLISH,
    ),
)
