"""The first administrator: a one-time link printed by `liveserver serve` becomes an account, or a token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.log_in import Method
from liveserver.core.permissions import Role
from liveserver.core.sign_in import NAME_MOST, PASSWORD_MOST
from liveserver.http import links
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.session import opened, parts
from liveserver.http.client import client_of, require_own_page
from liveserver.http.context import Call
from liveserver.http.cookie import handle_of
from liveserver.http.fields import text
from liveserver.http.routes import Route, Scope
from liveserver.log import Event, get_logger
from liveserver.log_in.accounts import folded, strong
from liveserver.tokens import ALL_LESSONS, SKEW_S, TOKEN_MAX_CHARS


@dataclass(frozen=True, slots=True)
class Setup:
    token: str = text(1, TOKEN_MAX_CHARS)
    name: str = text(1, 60)
    sign_in_name: str | None = text(1, NAME_MOST, default=None)
    password: str | None = text(1, PASSWORD_MOST, default=None)


async def setup(call: Call[Setup, None]) -> web.Response:
    """Exchange the link's token once; the store remembers that it was used.

    With a sign-in name and a password it makes an account and signs in; without them, a token for programs.
    """
    services = call.services
    require_own_page(call.request)
    if (call.body.sign_in_name is None) != (call.body.password is None):
        raise PeerError("bad_request", "sign_in_name and password belong together")
    now_s = services.clock.wall_s()
    link = services.tokens.verify_link(links.SETUP, call.body.token, now_s)
    if call.body.sign_in_name and call.body.password:
        strong(call.body.password, folded(call.body.sign_in_name))  # refused before the link is used up
    if not await services.store.links.use_once(link.token_id, (link.expires_at_s + SKEW_S) * 1000):
        raise PeerError("setup_used", "this set-up link was already used", status=410)
    if call.body.sign_in_name and call.body.password:
        return await _account(call, call.body.sign_in_name, call.body.password)
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


async def _account(call: Call[Setup, None], name: str, password: str) -> web.Response:
    found = parts(call)
    account = await found.accounts.first(name, call.body.name, password)
    get_logger().info(Event.SETUP_USED, person=account.person)
    client, before = client_of(call.request), handle_of(call.request)
    return opened(call, await found.signing_in.open(account, Method.SETUP, client, before))


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/setup",
        setup,
        "Exchange the one-time set-up link for the first administrator's account, or for a token",
        Scope.OPEN,
        {200: ("A session, or an administrator's token alone", "SetUp")},
        body=Setup,
    ),
)
