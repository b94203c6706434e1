"""Incidents: listed, decided, objected to; their evidence; how often screening was right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.core.screening import Category, Kind
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import AnyCall, Call, base_url
from liveserver.http.fields import choice, flag, text, whole
from liveserver.http.routes import INCIDENT, LESSON, Route, Scope
from liveserver.store.incidents import Wanted

_DAY_MS = 86_400_000


class IncidentState(StrEnum):
    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class Outcome(StrEnum):
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class IncidentKind(StrEnum):
    FRAME = Kind.FRAME.value
    TEXT = Kind.TEXT.value
    CHAT = Kind.CHAT.value
    SPEECH = Kind.SPEECH.value
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class LessonIncidentsQuery:
    state: IncidentState | None = choice(IncidentState, default=None)  # noqa: RUF009 - it makes a field
    kind: IncidentKind | None = choice(IncidentKind, default=None)  # noqa: RUF009 - it makes a field
    category: Category | None = choice(Category, default=None)  # noqa: RUF009 - it makes a field
    appealed: bool | None = flag(default=None)
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class IncidentsQuery(LessonIncidentsQuery):
    lesson: str | None = text(1, 64, default=None)


@dataclass(frozen=True, slots=True)
class Decision:
    outcome: Outcome = choice(Outcome)  # noqa: RUF009 - it makes a field
    note: str = text(0, 500, default="")
    whitelist: bool = flag(default=False)


@dataclass(frozen=True, slots=True)
class NewAppeal:
    text: str = text(1, 1000, controls=True)


@dataclass(frozen=True, slots=True)
class StatisticsQuery:
    lesson: str | None = text(1, 64, default=None)
    days: int = whole(1, 3_660, default=30)


async def everywhere(call: Call[None, IncidentsQuery]) -> web.Response:
    return await _listed(call, call.query.lesson)


async def of_lesson(call: Call[None, LessonIncidentsQuery]) -> web.Response:
    await call.services.rooms.lessons.one(call.lesson)  # 404 for a lesson nobody made
    return await _listed(call, call.lesson)


async def one(call: Call[None, None]) -> web.Response:
    found = await call.services.moderation.one(call.bearer, _incident(call))
    return json_answer(_with_url(call, found))


async def evidence(call: Call[None, None]) -> web.Response:
    """The picture; who looks at it is in the ledger before it is sent."""
    jpeg = await call.services.moderation.picture(call.bearer, _incident(call))
    headers = {"Content-Type": "image/jpeg", "Cache-Control": "no-store"}
    return web.Response(body=jpeg, headers=headers)


async def decide(call: Call[Decision, None]) -> web.Response:
    body = call.body
    decided = await call.services.moderation.decide(
        call.bearer, _incident(call), body.outcome, body.note, whitelist=body.whitelist
    )
    return json_answer(_with_url(call, decided))


async def appeal(call: Call[NewAppeal, None]) -> web.Response:
    made = await call.services.moderation.appeal(call.bearer, _incident(call), call.body.text)
    return json_answer(made, status=201)


async def statistics(call: Call[None, StatisticsQuery]) -> web.Response:
    since_ms = call.edge.clock.wall_ms() - call.query.days * _DAY_MS
    found = await call.services.moderation.statistics(call.bearer, call.query.lesson, since_ms)
    return json_answer(found)


async def _listed(call: Call[Any, Any], lesson: str | None) -> web.Response:
    query = call.query
    wanted = Wanted(lesson, query.state, query.kind, query.category, query.appealed)
    found = await call.services.moderation.listed(call.bearer, wanted, query.after, query.limit)
    return json_answer({**found, "items": [_with_url(call, item) for item in found["items"]]})


def _incident(call: AnyCall) -> str:
    return call.request.match_info["incident"]


def _with_url(call: AnyCall, incident: dict[str, Any]) -> dict[str, Any]:
    """`incident` with the address of its picture, null without one."""
    url = f"{base_url(call.request)}{PREFIX}/incidents/{incident['id']}/evidence.jpg"
    return {**incident, "evidence": url if incident["evidence"] == "kept" else None}


_ONE = f"{PREFIX}/incidents/{INCIDENT}"
ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/incidents",
        everywhere,
        "What screening found, newest first; a token of one lesson sees that lesson's",
        Scope.ANY,
        {200: ("A page of incidents", "IncidentList")},
        Permission.SEE_INCIDENTS,
        query=IncidentsQuery,
        view="incidents",
    ),
    Route(
        "GET",
        f"{PREFIX}/lessons/{LESSON}/incidents",
        of_lesson,
        "What screening found in a lesson, newest first",
        Scope.LESSON,
        {200: ("A page of incidents", "IncidentList")},
        Permission.SEE_INCIDENTS,
        query=LessonIncidentsQuery,
        view="incidents",
    ),
    Route(
        "GET",
        _ONE,
        one,
        "One incident",
        Scope.ANY,
        {200: ("The incident", "Incident")},
        Permission.SEE_INCIDENTS,
        view="incident",
    ),
    Route(
        "GET",
        f"{_ONE}/evidence.jpg",
        evidence,
        "The picture of an incident; each view is in the ledger",
        Scope.ANY,
        {200: ("The picture", "image/jpeg")},
        Permission.SEE_INCIDENTS,
    ),
    Route(
        "POST",
        f"{_ONE}/decision",
        decide,
        "Confirm or dismiss an incident; a chat line is taken away, or shown to the class",
        Scope.ANY,
        {200: ("The incident, decided", "Incident")},
        Permission.JUDGE_INCIDENTS,
        body=Decision,
    ),
    Route(
        "POST",
        f"{_ONE}/appeal",
        appeal,
        "Object to an incident, as the lesson's instructor or as the author",
        Scope.ANY,
        {201: ("The objection", "Appeal")},
        Permission.APPEAL,
        body=NewAppeal,
    ),
    Route(
        "GET",
        f"{PREFIX}/screening/statistics",
        statistics,
        "Precision by people's word, hours without sight, time to a decision",
        Scope.ANY,
        {200: ("The figures", "ScreeningStatistics")},
        Permission.SEE_INCIDENTS,
        query=StatisticsQuery,
    ),
)
