"""Accounts as administrators see them: made, given a role, closed; links by which owners set a password."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.permissions import GRANTED_BY_SECURITY, Permission, Role
from liveserver.core.sign_in import NAME_MOST
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.session import parts
from liveserver.http.context import AnyCall, Call, base_url
from liveserver.http.fields import choice, flag, text, whole
from liveserver.http.routes import PERSON, Route, Scope
from liveserver.log_in.accounts import LINK_KIND, shape
from liveserver.shapes import time


@dataclass(frozen=True, slots=True)
class NewAccount:
    """`person`: whose it is, with the name he has there; without one, somebody of the staff, `name`."""

    sign_in_name: str = text(1, NAME_MOST)
    name: str | None = text(1, 60, default=None)
    person: str | None = text(1, 64, default=None)


@dataclass(frozen=True, slots=True)
class Grant:
    role: Role | None = choice(Role, default=None)  # noqa: RUF009 - it makes a dataclass field


@dataclass(frozen=True, slots=True)
class State:
    closed: bool = flag()


@dataclass(frozen=True, slots=True)
class Query:
    role: Role | None = choice(Role, default=None)  # noqa: RUF009 - it makes a dataclass field
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


async def listed(call: Call[None, Query]) -> web.Response:
    return json_answer(await parts(call).accounts.listed(call.query.after, call.query.limit, call.query.role))


async def one(call: Call[None, None]) -> web.Response:
    found = parts(call)
    account = await found.accounts.known(_person(call))
    passkeys = await found.passkeys_of(account.person)
    locked = await found.signing_in.proving.is_locked(account)
    return json_answer({**shape(account, passkeys), "locked": locked})


async def make(call: Call[NewAccount, None]) -> web.Response:
    body, accounts, by = call.body, parts(call).accounts, call.bearer.person
    if body.person is not None:
        made = await accounts.make_for(body.person, body.sign_in_name, by)
    elif body.name is not None:
        made = await accounts.make(f"staff-{secrets.token_hex(8)}", body.sign_in_name, body.name, by)
    else:
        raise PeerError("bad_request", "a person or a name is expected")
    return json_answer({**shape(made.account, 0), "link": _link(call, made.link)}, status=201)


async def link(call: Call[None, None]) -> web.Response:
    return json_answer({"link": _link(call, await parts(call).accounts.link(_person(call), call.bearer))})


async def remove_passkeys(call: Call[None, None]) -> web.Response:
    return json_answer({"removed": await parts(call).accounts.remove_passkeys(_person(call), call.bearer)})


async def give_code(call: Call[None, None]) -> web.Response:
    code, until_ms = await parts(call).codes.give(_person(call), call.bearer)
    return json_answer({"code": code, "until": time(until_ms)}, status=201)


async def grant(call: Call[Grant, None]) -> web.Response:
    found = parts(call)
    account = await found.accounts.grant(_person(call), call.body.role, call.bearer)
    return json_answer(shape(account, await found.passkeys_of(account.person)))


async def close(call: Call[State, None]) -> web.Response:
    found = parts(call)
    account = await found.accounts.close(_person(call), call.bearer, closed=call.body.closed)
    return json_answer(shape(account, await found.passkeys_of(account.person)))


def _person(call: AnyCall) -> str:
    return call.request.match_info["person"]


def _link(call: AnyCall, token: str) -> str:
    """The portal's address; browsers send nothing of what stands behind `#`."""
    return f"{base_url(call.request)}/#{LINK_KIND}={token}"


_PATH = f"{PREFIX}/accounts"
_ONE = f"{_PATH}/{PERSON}"
_ACCOUNT: dict[int, tuple[str, str | None]] = {200: ("The account", "Account")}
_GIVEN = ", ".join(sorted(GRANTED_BY_SECURITY))
ROUTES = (
    Route(
        "GET",
        _PATH,
        listed,
        "Accounts, newest first",
        Scope.ALL,
        {200: ("A page of accounts", "AccountList")},
        Permission.SEE_ACCOUNTS,
        query=Query,
        view="accounts",
    ),
    Route(
        "POST",
        _PATH,
        make,
        "Make an account, for a person or for somebody of the staff",
        Scope.ALL,
        {201: ("Made; with the link by which its owner sets the password", "NewAccount")},
        Permission.MANAGE_ACCOUNTS,
        body=NewAccount,
    ),
    Route("GET", _ONE, one, "One account", Scope.ALL, _ACCOUNT, Permission.SEE_ACCOUNTS, view="account"),
    Route(
        "PUT",
        _ONE,
        close,
        "Close an account, or open it again",
        Scope.ALL,
        _ACCOUNT,
        Permission.MANAGE_ACCOUNTS,
        body=State,
    ),
    Route(
        "POST",
        f"{_ONE}/link",
        link,
        "A new link to set the password, good once",
        Scope.ALL,
        {200: ("The link", "PasswordLink")},
        Permission.MANAGE_ACCOUNTS,
    ),
    Route(
        "DELETE",
        f"{_ONE}/passkeys",
        remove_passkeys,
        "Take away all passkeys, when they are lost",
        Scope.ALL,
        {200: ("How many there were", "Removed")},
        Permission.MANAGE_ACCOUNTS,
    ),
    Route(
        "POST",
        f"{_ONE}/passkey-code",
        give_code,
        "A code for the first passkey of an account whose role takes one, good for an hour and once",
        Scope.ALL,
        {201: ("The code, to be told its owner", "PasskeyCode")},
        Permission.GRANT_ROLES,
    ),
    Route(
        "PUT",
        f"{_ONE}/role",
        grant,
        f"Give the account one role over all lessons ({_GIVEN}), or none",
        Scope.ALL,
        _ACCOUNT,
        Permission.GRANT_ROLES,
        body=Grant,
    ),
)
