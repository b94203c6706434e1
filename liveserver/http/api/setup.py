"""The first administrator: a one-time link printed by `liveserver serve` becomes a token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.permissions import Role
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.fields import text
from liveserver.http.routes import Route, Scope
from liveserver.log import Event, get_logger
from liveserver.tokens import ALL_LESSONS, SKEW_S, TOKEN_MAX_CHARS

LINK_KIND = "setup"
SUBJECT = "first-administrator"


@dataclass(frozen=True, slots=True)
class Setup:
    token: str = text(1, TOKEN_MAX_CHARS)
    name: str = text(1, 60)


async def setup(call: Call[Setup, None]) -> web.Response:
    """Exchange the link's token once; the store remembers that it was used."""
    services = call.services
    now_s = services.clock.wall_s()
    link = services.tokens.verify_link(LINK_KIND, call.body.token, now_s)
    if not await services.store.use_once(link.token_id, (link.expires_at_s + SKEW_S) * 1000):
        raise PeerError("setup_used", "this set-up link was already used", status=410)
    person = f"admin-{secrets.token_hex(8)}"
    fact = Fact("administrator", None, services.clock.wall_ms(), {"person": person})
    await services.store.append([fact])
    get_logger().info(Event.SETUP_USED, person=person)
    return json_answer(
        {
            "token": services.tokens.issue(
                person=person,
                name=call.body.name,
                role=Role.ADMIN,
                lesson=ALL_LESSONS,
                now_s=now_s,
                ttl_s=int(services.config.tokens.admin.s),
            )
        }
    )


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/setup",
        setup,
        "Exchange the one-time set-up link for an administrator's token",
        Scope.OPEN,
        {200: ("An administrator's token", "Token")},
        body=Setup,
    ),
)
