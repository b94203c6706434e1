"""Which models screen here: their cards, and whether the weights are there."""

from __future__ import annotations

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.routes import Route, Scope


async def models(call: Call[None, None]) -> web.Response:
    return json_answer({"items": await call.services.inventory.listed(), "next": None})


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/screening/models",
        models,
        "The models of screening, each with the hash of its weights and whether they are there",
        Scope.ANY,
        {200: ("The models", "ModelList")},
        Permission.SEE_POLICIES,
    ),
)
