"""Recordings: what there is, with a signed address to play each sealed one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import AnyCall, Call, base_url
from liveserver.http.fields import text, whole
from liveserver.http.playback import playback_link
from liveserver.http.routes import LESSON, RECORDING, Route, Scope
from liveserver.http.watch import shown


@dataclass(frozen=True, slots=True)
class RecordingsQuery:
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


async def of_lesson(call: Call[None, RecordingsQuery]) -> web.Response:
    await call.services.rooms.lessons.one(call.lesson)  # 404 for a lesson nobody made
    call.services.rooms.playback.may_play(call.lesson, call.bearer.person, call.bearer.role)
    return await _listed(call, call.lesson)


async def everywhere(call: Call[None, RecordingsQuery]) -> web.Response:
    return await _listed(call, None)


async def watch(call: Call[None, None]) -> web.Response:
    """What the player's page shows; the links in it end after `tokens.playback_link`, and can be asked for
    again with the same token."""
    recording = await call.services.rooms.playback.recording(call.request.match_info["recording"])
    if not call.bearer.covers(recording["lesson"]):
        raise PeerError("forbidden", "the token is for another lesson", status=403)
    call.services.rooms.playback.may_play(recording["lesson"], call.bearer.person, call.bearer.role)
    link = playback_link(call, recording["id"])
    return json_answer(await shown(call, recording, link))


async def _listed(call: Call[None, RecordingsQuery], lesson: str | None) -> web.Response:
    found = await call.services.rooms.playback.recordings(lesson, call.query.after, call.query.limit)
    return json_answer({**found, "items": [_with_url(call, item) for item in found["items"]]})


def _with_url(call: AnyCall, recording: dict[str, Any]) -> dict[str, Any]:
    """`recording` and the address that plays it, null until it is sealed."""
    if recording["state"] != "sealed":
        return {**recording, "url": None}
    link = playback_link(call, recording["id"])
    return {**recording, "url": f"{base_url(call.request)}/recordings/{recording['id']}?link={link}"}


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/lessons/{LESSON}/recordings",
        of_lesson,
        "Recordings of a lesson",
        Scope.LESSON,
        {200: ("A page of recordings", "RecordingList")},
        Permission.SEE_RECORDINGS,
        query=RecordingsQuery,
    ),
    Route(
        "GET",
        f"{PREFIX}/recordings",
        everywhere,
        "Recordings of all lessons, newest first",
        Scope.ALL,
        {200: ("A page of recordings", "RecordingList")},
        Permission.LIST_RECORDINGS,
        query=RecordingsQuery,
    ),
    Route(
        "GET",
        f"{PREFIX}/recordings/{RECORDING}",
        watch,
        "A recording with its chapters, gaps and addresses to play it from",
        Scope.ANY,
        {200: ("What the player shows", "Watch")},
        Permission.SEE_RECORDINGS,
        view="recording",
    ),
)
