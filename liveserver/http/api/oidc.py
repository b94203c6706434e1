"""Signing in by an identity provider: two addresses that browsers are sent to, not called by a page."""

from __future__ import annotations

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.http.answers import json_answer
from liveserver.http.api.session import parts
from liveserver.http.client import client_of
from liveserver.http.context import AnyCall, Call, base_url
from liveserver.http.cookie import PATH, handle_of, keep_handle, keep_ticket, spent_ticket
from liveserver.http.routes import Route, Scope
from liveserver.log_in.oidc import TICKET_S, Oidc

_CALLBACK = f"{PATH}/oidc/callback"
_HOME = "/"
"""Where it ends, always: an address of the request's choosing would lead anywhere."""


_KNOWN = ("state", "code", "iss")
"""What of the provider's answer is looked at; others are ignored (RFC 6749 4.1.2)."""


async def ways(call: Call[None, None]) -> web.Response:
    """What the sign-in form offers besides a password and a passkey; whether the browser has a handle."""
    oidc = parts(call).oidc
    offered = {"label": oidc.label, "url": f"{PATH}/oidc"} if oidc else None
    return json_answer({"oidc": offered, "known": bool(handle_of(call.request))})


async def begin(call: Call[None, None]) -> web.Response:
    try:
        begun = await _oidc(call).begin(_redirect_uri(call))
    except PeerError as error:
        return _home(error.code)
    answer = _sent_to(begun.address)
    keep_ticket(call.request, answer, begun.ticket, TICKET_S)
    return answer


async def finish(call: Call[None, None]) -> web.Response:
    query = call.request.query
    given = {name: query[name] for name in _KNOWN if name in query}
    client, before = client_of(call.request), handle_of(call.request)
    try:
        opened = await _oidc(call).finish(
            given, spent_ticket(call.request), _redirect_uri(call), client, before
        )
    except PeerError as error:
        answer = _home("oidc_refused" if error.code.startswith("token_") else error.code)
    else:
        answer = _home()
        keep_handle(call.request, answer, opened.handle)
    keep_ticket(call.request, answer, "", 0)
    return answer


def _oidc(call: AnyCall) -> Oidc:
    found = parts(call).oidc
    if found is None:
        raise PeerError("not_found", "no identity provider is configured", status=404)
    return found


def _redirect_uri(call: AnyCall) -> str:
    return f"{base_url(call.request)}{_CALLBACK}"


def _home(problem: str = "") -> web.Response:
    """Back to the portal, which asks for its token by the cookie, or says why there is none."""
    return _sent_to(f"{_HOME}#problem={problem}" if problem else f"{_HOME}#signed-in")


def _sent_to(address: str) -> web.Response:
    return web.Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})


ROUTES = (
    Route(
        "GET",
        f"{PATH}/ways",
        ways,
        "Ways of signing in besides password and passkey",
        Scope.OPEN,
        {200: ("The ways", "SignInWays")},
    ),
    Route(
        "GET",
        f"{PATH}/oidc",
        begin,
        "Go to the identity provider",
        Scope.OPEN,
        {303: ("To the provider, or back to the portal with a problem", None)},
    ),
    Route(
        "GET",
        _CALLBACK,
        finish,
        "Come back from the identity provider",
        Scope.OPEN,
        {303: ("To the portal, signed in or with a problem", None)},
    ),
)
