"""Drills of the kill switch: what `liveserver drill kill` saw is kept beside what the server measured."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core.events.cut import Level
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.fields import choice, text, whole, wholes
from liveserver.http.routes import Route, Scope

MAX_ROUNDS = 1_000
MAX_US = 600_000_000
MAX_VIEWERS = 100_000


@dataclass(frozen=True, slots=True)
class NewDrill:
    """`seen_…_us`: of each round, from before the request to the last packet at any viewer, by transport."""

    lesson: str = text(1, 64)
    level: Level = choice(Level)  # noqa: RUF009 - it makes a dataclass field
    viewers: int = whole(1, MAX_VIEWERS)
    seen_udp_us: tuple[int, ...] = wholes(MAX_ROUNDS, 0, MAX_US, default=())
    seen_tcp_us: tuple[int, ...] = wholes(MAX_ROUNDS, 0, MAX_US, default=())


@dataclass(frozen=True, slots=True)
class DrillsQuery:
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


async def add(call: Call[NewDrill, None]) -> web.Response:
    body, by = call.body, call.bearer.person
    kept = await call.services.drills.keep(
        body.lesson, by, body.level, body.viewers, body.seen_udp_us, body.seen_tcp_us
    )
    return json_answer(kept, status=201)


async def listed(call: Call[None, DrillsQuery]) -> web.Response:
    return json_answer(await call.services.drills.listed(call.query.after, call.query.limit))


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/drills",
        add,
        "Keep what a drill of the kill switch has seen",
        Scope.ALL,
        {201: ("Kept, with the server's own times of the same cuts", "Drill")},
        Permission.KEEP_DRILLS,
        body=NewDrill,
    ),
    Route(
        "GET",
        f"{PREFIX}/drills",
        listed,
        "Drills of the kill switch, newest first",
        Scope.ALL,
        {200: ("A page of drills", "DrillList")},
        Permission.SEE_CUTS,
        query=DrillsQuery,
    ),
)
