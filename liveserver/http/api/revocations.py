"""Access taken back: everything one person was issued, with an account or without, or one token."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.session import parts
from liveserver.http.context import Call
from liveserver.http.fields import text
from liveserver.http.routes import Route, Scope
from liveserver.tokens import TOKEN_MAX_CHARS


@dataclass(frozen=True, slots=True)
class Taken:
    """`person`: everything he was issued. `token`: this one alone, itself or its id (`jti`)."""

    person: str | None = text(1, 200, default=None)
    token: str | None = text(1, TOKEN_MAX_CHARS, default=None)


async def take_back(call: Call[Taken, None]) -> web.Response:
    body = call.body
    if (body.person is None) == (body.token is None):
        raise PeerError("bad_request", "a person or a token is expected")
    if body.person is not None:
        await parts(call).accounts.sign_out_everywhere(body.person, call.bearer.person)
        return json_answer({"person": body.person, "token": None})
    token_id = body.token or ""
    if "." in token_id:
        token_id = call.services.tokens.id_of(token_id, call.services.clock.wall_s())
    await parts(call).revocations.token(token_id, call.bearer.person)
    return json_answer({"person": None, "token": token_id})


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/revocations",
        take_back,
        "Take back what somebody was issued, at once: open connections end as well",
        Scope.ALL,
        {200: ("It is void", "Revocation")},
        Permission.REVOKE_ACCESS,
        body=Taken,
    ),
)
