"""Passkeys: one's own, and signing in with one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from liveserver.core.log_in import Method
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api.session import opened, parts
from liveserver.http.client import client_of, require_own_page
from liveserver.http.context import AnyCall, Call, base_url
from liveserver.http.cookie import PATH, handle_of
from liveserver.http.fields import record, text
from liveserver.http.routes import Route, Scope
from liveserver.log_in.passkeys import Party
from liveserver.store.accounts import Account
from liveserver.tokens import TOKEN_MAX_CHARS

PASSKEY = "{passkey:[A-Za-z0-9_-]{1,1400}}"  # a credential's id has at most 1,023 bytes
_CREDENTIAL: dict[str, object] = {"description": "PublicKeyCredential.toJSON() (WebAuthn Level 3, 5.1)"}


@dataclass(frozen=True, slots=True)
class SignIn:
    ticket: str = text(1, TOKEN_MAX_CHARS)
    credential: dict[str, Any] = record(dict, _CREDENTIAL, default=dataclasses.MISSING)  # noqa: RUF009


@dataclass(frozen=True, slots=True)
class Asked:
    """`code`: an administrator's, for the first passkey of somebody whose role takes one."""

    code: str | None = text(1, 40, default=None)


@dataclass(frozen=True, slots=True)
class NewPasskey:
    ticket: str = text(1, TOKEN_MAX_CHARS)
    label: str = text(1, 60)
    credential: dict[str, Any] = record(dict, _CREDENTIAL, default=dataclasses.MISSING)  # noqa: RUF009
    code: str | None = text(1, 40, default=None)


def party(call: AnyCall) -> Party:
    """By configuration, else what the browser calls this host: a page elsewhere has another origin."""
    origin = base_url(call.request)
    return Party(call.services.config.accounts.passkey_rp or (urlsplit(origin).hostname or ""), origin)


async def sign_in_options(call: Call[None, None]) -> web.Response:
    require_own_page(call.request)
    return json_answer(await parts(call).passkeys.sign_in_options(party(call)))


async def sign_in(call: Call[SignIn, None]) -> web.Response:
    require_own_page(call.request)
    client, before = client_of(call.request), handle_of(call.request)
    passkeys, body = parts(call).passkeys, call.body
    return opened(call, await passkeys.sign_in(party(call), body.ticket, body.credential, client, before))


async def register_options(call: Call[Asked, None]) -> web.Response:
    account, method = await _fresh(call)
    passkeys = parts(call).passkeys
    return json_answer(await passkeys.register_options(account, method, party(call), call.body.code))


async def register(call: Call[NewPasskey, None]) -> web.Response:
    (account, method), body = await _fresh(call), call.body
    made = await parts(call).passkeys.register(
        account, method, party(call), body.ticket, body.credential, body.label, body.code
    )
    return json_answer(made, status=201)


async def listed(call: Call[None, None]) -> web.Response:
    return json_answer(await parts(call).passkeys.listed(call.bearer.person))


async def remove(call: Call[None, None]) -> web.Response:
    account, _ = await _fresh(call)
    removed = await parts(call).passkeys.remove(account.person, call.request.match_info["passkey"])
    return web.Response(status=204 if removed else 404)


async def _fresh(call: AnyCall) -> tuple[Account, Method]:
    require_own_page(call.request)
    return await parts(call).signing_in.fresh(call.bearer.person, handle_of(call.request))


_OPTIONS: dict[int, tuple[str, str | None]] = {200: ("For the browser", "PasskeyOptions")}
ROUTES = (
    Route("POST", f"{PATH}/passkey/options", sign_in_options, "Ask for a challenge", Scope.OPEN, _OPTIONS),
    Route(
        "POST",
        f"{PATH}/passkey",
        sign_in,
        "Sign in with a passkey",
        Scope.OPEN,
        {200: ("Signed in; the handle is in the cookie", "Session")},
        body=SignIn,
    ),
    Route(
        "POST",
        f"{PATH}/passkeys/options",
        register_options,
        "Ask for a challenge to register a passkey",
        Scope.ANY,
        _OPTIONS,
        Permission.OWN_PASSKEYS,
        body=Asked,
    ),
    Route(
        "POST",
        f"{PATH}/passkeys",
        register,
        "Register a passkey",
        Scope.ANY,
        {201: ("Registered", "Passkey")},
        Permission.OWN_PASSKEYS,
        body=NewPasskey,
    ),
    Route(
        "GET",
        f"{PATH}/passkeys",
        listed,
        "One's own passkeys",
        Scope.ANY,
        {200: ("All of them", "PasskeyList")},
        Permission.OWN_PASSKEYS,
    ),
    Route(
        "DELETE",
        f"{PATH}/passkeys/{PASSKEY}",
        remove,
        "Take away one of one's own passkeys",
        Scope.ANY,
        {204: ("Taken away", None), 404: ("There is no such passkey", None)},
        Permission.OWN_ACCOUNT,
    ),
)
