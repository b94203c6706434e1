"""Samples for inspection, and what an inspector has looked at himself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.ledger import WHOLE_MAX
from liveserver.core.permissions import Permission
from liveserver.core.sample import LEAST_PERCENT
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import text, whole
from liveserver.http.ports.ledger import Inspections
from liveserver.http.routes import Route, Scope


@dataclass(frozen=True, slots=True)
class NewSample:
    """Days such as 2026-03-02, in China, both included. `seed`: 64 hex digits, for dice of one's own."""

    since: str = text(10, 10)
    until: str = text(10, 10)
    percent: int = whole(LEAST_PERCENT, 100, default=LEAST_PERCENT)
    seed: str | None = text(64, 64, default=None)


@dataclass(frozen=True, slots=True)
class ViewsQuery:
    after: int | None = whole(0, WHOLE_MAX, default=None)
    limit: int = whole(1, 200, default=50)


def inspections(call: AnyCall) -> Inspections:
    found = call.services.inspections
    if found is None:
        raise PeerError("not_available", "this node keeps no samples", status=503)
    return found


async def draw(call: Call[NewSample, None]) -> web.Response:
    body = call.body
    if body.seed is not None and re.fullmatch(r"[0-9a-f]{64}", body.seed) is None:
        raise PeerError("bad_request", "seed: 64 lower-case hexadecimal digits are expected")
    made = await inspections(call).draw(call.bearer.person, body.since, body.until, body.percent, body.seed)
    return json_answer(made, status=201)


async def listed(call: Call[None, None]) -> web.Response:
    return json_answer(await inspections(call).samples())


async def views(call: Call[None, ViewsQuery]) -> web.Response:
    return json_answer(await inspections(call).views(call.bearer.person, call.query.after, call.query.limit))


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/inspections/samples",
        draw,
        "Draw lessons for inspection, by a seed that goes into the ledger",
        Scope.ALL,
        {201: ("What was drawn", "Sample")},
        Permission.INSPECT,
        body=NewSample,
    ),
    Route(
        "GET",
        f"{PREFIX}/inspections/samples",
        listed,
        "Samples that were drawn, the newest first",
        Scope.ALL,
        {200: ("At most 50", "SampleList")},
        Permission.INSPECT,
    ),
    Route(
        "GET",
        f"{PREFIX}/inspections/views",
        views,
        "What one has looked at oneself, the newest first",
        Scope.ALL,
        {200: ("A page of the log", "ViewList")},
        Permission.INSPECT,
        query=ViewsQuery,
    ),
)
