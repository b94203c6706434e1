"""Identity numbers of persons and the proof of them, for administrators of the register."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.session import parts
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import flag, text
from liveserver.http.routes import PERSON, Handler, Route, Scope


@dataclass(frozen=True, slots=True)
class Number:
    number: str = text(1, 40)


@dataclass(frozen=True, slots=True)
class Proof:
    method: str = text(1, 40)
    note: str = text(1, 500)


@dataclass(frozen=True, slots=True)
class Second:
    confirmed: bool = flag()


@dataclass(frozen=True, slots=True)
class Revocation:
    reason: str = text(1, 500)


async def shown(call: Call[None, None]) -> web.Response:
    return json_answer(await parts(call).identities.shown(_person(call)))


async def enter(call: Call[Number, None]) -> web.Response:
    found = await parts(call).identities.enter(_person(call), call.body.number, call.bearer.person)
    return json_answer(found)


async def erase(call: Call[None, None]) -> web.Response:
    erased = await parts(call).identities.erase(_person(call), call.bearer.person)
    return web.Response(status=204 if erased else 404)


async def prove(call: Call[Proof, None]) -> web.Response:
    identities, body = parts(call).identities, call.body
    return json_answer(await identities.prove(_person(call), body.method, body.note, call.bearer.person))


async def note(call: Call[None, None]) -> web.Response:
    return json_answer({"note": await parts(call).identities.note_of(_person(call))})


async def second(call: Call[Second, None]) -> web.Response:
    identities, by = parts(call).identities, call.bearer.person
    return json_answer(await identities.second(_person(call), by, confirmed=call.body.confirmed))


async def revoke(call: Call[Revocation, None]) -> web.Response:
    identities, by = parts(call).identities, call.bearer.person
    return json_answer(await identities.revoke(_person(call), call.body.reason, by))


def _person(call: AnyCall) -> str:
    return call.request.match_info["person"]


_PATH = f"{PREFIX}/persons/{PERSON}/identity"
_IDENTITY: dict[int, tuple[str, str | None]] = {
    200: ("The number, masked, and how far its proof is", "Identity")
}


def _route(
    method: str,
    path: str,
    handler: Handler,
    summary: str,
    answers: dict[int, tuple[str, str | None]],
    body: type[object] | None = None,
) -> Route:
    return Route(
        method, f"{_PATH}{path}", handler, summary, Scope.ALL, answers, Permission.RECORD_IDENTITY, body=body,
        view="identity" if method == "GET" else "",
    )  # fmt: skip


ROUTES = (
    _route("GET", "", shown, "A person's identity number, masked", _IDENTITY),
    _route("PUT", "", enter, "Enter a person's identity number", _IDENTITY, Number),
    _route("DELETE", "", erase, "Erase it for ever", {204: ("Erased", None), 404: ("There was none", None)}),
    _route("GET", "/proof", note, "What was noted, for the second look", {200: ("The note", "IdentityNote")}),
    _route("POST", "/proof", prove, "Prove it, or note what was looked at", _IDENTITY, Proof),
    _route("POST", "/proof/second", second, "The second look, by another person", _IDENTITY, Second),
    _route("POST", "/proof/revocation", revoke, "Revoke the proof", _IDENTITY, Revocation),
)
