"""Signing in by password, the next token, signing out; one's own password and stays."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core.messages import Json
from liveserver.core.permissions import Permission
from liveserver.core.sign_in import NAME_MOST, PASSWORD_MOST
from liveserver.http.answers import json_answer, rfc3339
from liveserver.http.client import client_of, require_own_page
from liveserver.http.context import AnyCall, Call
from liveserver.http.cookie import PATH, drop_handle, handle_of, keep_handle
from liveserver.http.fields import text
from liveserver.http.routes import Route, Scope
from liveserver.log_in import LogIn
from liveserver.log_in.signing_in import Opened
from liveserver.store.accounts import StayRow
from liveserver.tokens import TOKEN_MAX_CHARS

STAY = "{stay:[A-Za-z0-9_-]{1,32}}"


@dataclass(frozen=True, slots=True)
class SignIn:
    name: str = text(1, NAME_MOST)
    password: str = text(1, PASSWORD_MOST)


@dataclass(frozen=True, slots=True)
class ByLink:
    link: str = text(1, TOKEN_MAX_CHARS)
    password: str = text(1, PASSWORD_MOST)


@dataclass(frozen=True, slots=True)
class Change:
    old: str = text(1, PASSWORD_MOST)
    new: str = text(1, PASSWORD_MOST)


def parts(call: AnyCall) -> LogIn:
    found = call.services.log_in
    assert found is not None, "the public port has them"
    return found


async def sign_in(call: Call[SignIn, None]) -> web.Response:
    require_own_page(call.request)
    client, before = client_of(call.request), handle_of(call.request)
    found = await parts(call).signing_in.by_password(call.body.name, call.body.password, client, before)
    return opened(call, found)


async def refresh(call: Call[None, None]) -> web.Response:
    require_own_page(call.request)
    return opened(call, await parts(call).signing_in.refresh(handle_of(call.request)))


async def sign_out(call: Call[None, None]) -> web.Response:
    require_own_page(call.request)
    await parts(call).signing_in.sign_out(handle_of(call.request))
    answer = web.Response(status=204)
    drop_handle(call.request, answer)
    return answer


async def set_password(call: Call[ByLink, None]) -> web.Response:
    require_own_page(call.request)
    with parts(call).signing_in.proving.charged(client_of(call.request)):
        await parts(call).accounts.set_password(call.body.link, call.body.password)
    return web.Response(status=204)


async def change_password(call: Call[Change, None]) -> web.Response:
    require_own_page(call.request)
    client, handle = client_of(call.request), handle_of(call.request)
    await parts(call).signing_in.change_password(call.bearer, call.body.old, call.body.new, client, handle)
    return web.Response(status=204)


async def stays(call: Call[None, None]) -> web.Response:
    own = handle_of(call.request).partition(".")[0]
    found = await parts(call).signing_in.stays(call.bearer.person)
    return json_answer({"items": [_stay(row, own) for row in found], "next": None})


async def end_stays(call: Call[None, None]) -> web.Response:
    await parts(call).signing_in.sign_out_everywhere(call.bearer)
    answer = web.Response(status=204)
    drop_handle(call.request, answer)
    return answer


async def end_stay(call: Call[None, None]) -> web.Response:
    ended = await parts(call).signing_in.end(call.bearer.person, call.request.match_info["stay"])
    return web.Response(status=204 if ended else 404)


def opened(call: AnyCall, found: Opened) -> web.Response:
    """200 with the token; the handle goes into the cookie and nowhere else."""
    answer = json_answer(
        {
            "token": found.token,
            "expires_at": rfc3339(found.expires_at_s * 1000),
            "person": found.account.person,
            "name": found.account.shown,
            "role": found.role,
            "account_role": found.account.role or None,
            "method": found.method,
            "needs": list(found.needs),
        }
    )
    if found.handle:
        keep_handle(call.request, answer, found.handle)
    return answer


def _stay(row: StayRow, own: str) -> Json:
    return {
        "id": row.id,
        "this": row.id == own,
        "method": row.method,
        "began_at": rfc3339(row.began_at_ms),
        "seen_at": rfc3339(row.seen_at_ms),
        "ended_at": rfc3339(row.ended_at_ms),
        "ended": row.ended or None,
        "address": row.address,
        "agent": row.agent,
    }


_SESSION: dict[int, tuple[str, str | None]] = {200: ("Signed in; the handle is in the cookie", "Session")}
ROUTES = (
    Route("POST", PATH, sign_in, "Sign in by password", Scope.OPEN, _SESSION, body=SignIn),
    Route("POST", f"{PATH}/refresh", refresh, "The next token for the cookie", Scope.OPEN, _SESSION),
    Route("DELETE", PATH, sign_out, "Sign out", Scope.OPEN, {204: ("Signed out, or was not in", None)}),
    Route(
        "POST",
        f"{PATH}/password",
        set_password,
        "Set the password by an administrator's link",
        Scope.OPEN,
        {204: ("Set; every stay of the account is over", None)},
        body=ByLink,
    ),
    Route(
        "PUT",
        f"{PATH}/password",
        change_password,
        "Change one's own password",
        Scope.ANY,
        {204: ("Changed; other stays of the account are over", None)},
        Permission.OWN_ACCOUNT,
        body=Change,
    ),
    Route(
        "GET",
        f"{PATH}/stays",
        stays,
        "Where one is, and was, signed in",
        Scope.ANY,
        {200: ("The newest 50", "StayList")},
        Permission.OWN_ACCOUNT,
    ),
    Route(
        "DELETE",
        f"{PATH}/stays",
        end_stays,
        "Sign out everywhere: every stay of one's own, and every token there is",
        Scope.ANY,
        {204: ("It is over, here as well", None)},
        Permission.OWN_ACCOUNT,
    ),
    Route(
        "DELETE",
        f"{PATH}/stays/{STAY}",
        end_stay,
        "End one of one's own stays",
        Scope.ANY,
        {204: ("It is over", None), 404: ("There is no such stay, or not any more", None)},
        Permission.OWN_ACCOUNT,
    ),
)
