"""WHEP: learners, moderators, administrators and inspectors watch."""

from __future__ import annotations

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http import sessions
from liveserver.http.context import AnyCall
from liveserver.http.routes import LESSON, SESSION, Route, Scope


async def watch(call: AnyCall) -> web.Response:
    """An SDP offer in, an answer out; a learner's second session ends the first."""
    answer = await call.services.rooms.joining.watch(call.lesson, call.bearer, call.body)
    return sessions.created(call, "/whep", answer)


ROUTES = (
    Route(
        "POST",
        f"/whep/{LESSON}",
        watch,
        "Watch: SDP offer in, SDP answer out",
        Scope.LESSON,
        {201: ("Watching; Location is the session", sessions.SDP)},
        Permission.WATCH,
        text_body=(sessions.SDP,),
        view="live",
    ),
    Route(
        "OPTIONS",
        f"/whep/{LESSON}",
        sessions.show_ice_servers,
        "The relays, as Link headers; without a token this is a preflight",
        Scope.LESSON,
        {204: ("A Link header for each relay", None)},
        Permission.WATCH,
    ),
    Route(
        "PATCH",
        f"/whep/{LESSON}/{SESSION}",
        sessions.patch,
        "Trickle candidates, or restart ICE",
        Scope.LESSON,
        {204: ("Candidates taken", None), 200: ("ICE restarted", sessions.FRAGMENT)},
        Permission.WATCH,
        text_body=(sessions.FRAGMENT,),
    ),
    Route(
        "DELETE",
        f"/whep/{LESSON}/{SESSION}",
        sessions.leave,
        "Stop watching",
        Scope.LESSON,
        {200: ("Left", None)},
        Permission.WATCH,
    ),
)
