"""The chat as moderators act on it: lines taken away, people muted."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.fields import text
from liveserver.http.routes import LESSON, LINE, PERSON, Route, Scope


@dataclass(frozen=True, slots=True)
class NewMute:
    person: str = text(1, 200)
    reason: str = text(0, 200, default="")


@dataclass(frozen=True, slots=True)
class Removal:
    reason: str = text(0, 200, default="")


async def mute(call: Call[NewMute, None]) -> web.Response:
    body, moderation = call.body, call.services.moderation
    return json_answer(await moderation.mute(call.bearer, call.lesson, body.person, body.reason, on=True))


async def unmute(call: Call[None, None]) -> web.Response:
    person = call.request.match_info["person"]
    return json_answer(await call.services.moderation.mute(call.bearer, call.lesson, person, "", on=False))


async def remove(call: Call[Removal, None]) -> web.Response:
    line = call.request.match_info["line"]
    done = await call.services.moderation.remove_line(call.bearer, call.lesson, line, call.body.reason)
    return json_answer(done)


_MUTES = f"{PREFIX}/lessons/{LESSON}/mutes"
ROUTES = (
    Route(
        "POST",
        _MUTES,
        mute,
        "Take the chat of a lesson from a person",
        Scope.LESSON,
        {200: ("Muted", "Mute")},
        Permission.MODERATE_CHAT,
        body=NewMute,
    ),
    Route(
        "DELETE",
        f"{_MUTES}/{PERSON}",
        unmute,
        "Give the chat back",
        Scope.LESSON,
        {200: ("Not muted", "Mute")},
        Permission.MODERATE_CHAT,
    ),
    Route(
        "POST",
        f"{PREFIX}/lessons/{LESSON}/chat/{LINE}/remove",
        remove,
        "Take a line of the chat away",
        Scope.LESSON,
        {200: ("Taken away", "LineRemoved")},
        Permission.MODERATE_CHAT,
        body=Removal,
    ),
)
