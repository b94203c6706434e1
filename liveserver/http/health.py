"""`/healthz`: the process answers. `/readyz`: its parts do too, else 503 that names which do not."""

from __future__ import annotations

import asyncio

from aiohttp import web

from liveserver.http.answers import json_answer
from liveserver.http.context import AnyCall
from liveserver.http.routes import Route, Scope

_TIMEOUT_S = 2.0


async def healthz(call: AnyCall) -> web.Response:
    return json_answer({"status": "ok"})


async def readyz(call: AnyCall) -> web.Response:
    checks = call.services.checks
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            parts = dict(await checks()) if checks else {}
    except TimeoutError:
        parts = {"checks": False}
    ready = all(parts.values())
    return json_answer({"status": "ok" if ready else "not_ready", "parts": parts}, 200 if ready else 503)


HEALTHZ = Route(
    "GET", "/healthz", healthz, "Whether the process answers", Scope.OPEN, {200: ("It does", "Health")}
)
ROUTES = (
    HEALTHZ,
    Route(
        "GET",
        "/readyz",
        readyz,
        "Whether each part of the node is ready",
        Scope.OPEN,
        {200: ("All are", "Health"), 503: ("Some are not", "Health")},
    ),
)
