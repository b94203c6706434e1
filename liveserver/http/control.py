"""The control port: cut and restore, served on the guard's own thread and loop.

It shares nothing with the main loop but what is safe from any thread (tokens, counters), so it answers while
the main loop is blocked.
"""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from liveserver.core.events.cut import Level
from liveserver.http import health
from liveserver.http.api import cuts
from liveserver.http.app import make_app
from liveserver.http.context import Call, Edge
from liveserver.http.cors import cors


class Lane(Protocol):
    """Who carries out a cut: the guard."""

    async def cut(
        self, lesson: str, level: Level, reason: str, person: str | None, by: str, began_ns: int | None
    ) -> dict[str, Any]: ...

    async def restore(self, lesson: str, reason: str, by: str) -> dict[str, Any]: ...


def control_app(edge: Edge, lane: Lane) -> web.Application:
    """The control port's application over `lane`."""

    async def cut(call: Call[cuts.Cut, None]) -> dict[str, Any]:
        body, by = call.body, call.bearer.person
        return await lane.cut(call.lesson, body.level, body.reason, body.person, by, call.began_ns)

    async def restore(call: Call[cuts.Restore, None]) -> dict[str, Any]:
        return await lane.restore(call.lesson, call.body.reason, call.bearer.person)

    return make_app(edge, (*cuts.routes(cut, restore), health.HEALTHZ), cors("/"))
