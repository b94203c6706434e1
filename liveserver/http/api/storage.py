"""What is kept and for how long: room, dates that have come, legal holds, deletion."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import several, text, whole
from liveserver.http.ports.recordings import Keeper
from liveserver.http.routes import RECORDING, Route, Scope

MAX_DELETED = 100


@dataclass(frozen=True, slots=True)
class DueQuery:
    limit: int = whole(1, 1000, default=100)


@dataclass(frozen=True, slots=True)
class Deletion:
    recordings: tuple[str, ...] = several(MAX_DELETED, 128)


@dataclass(frozen=True, slots=True)
class NewHold:
    reason: str = text(1, 500)


async def storage(call: Call[None, None]) -> web.Response:
    return json_answer(await _keeper(call).storage())


async def due(call: Call[None, DueQuery]) -> web.Response:
    return json_answer({"items": await _keeper(call).due(call.query.limit)})


async def delete(call: Call[Deletion, None]) -> web.Response:
    return json_answer(await _keeper(call).delete(call.body.recordings, call.bearer.person))


async def hold(call: Call[NewHold, None]) -> web.Response:
    return await _hold(call, call.body.reason)


async def lift(call: Call[None, None]) -> web.Response:
    return await _hold(call, "")


async def _hold(call: AnyCall, reason: str) -> web.Response:
    recording = call.request.match_info["recording"]
    await _keeper(call).hold(recording, call.bearer.person, reason)
    return json_answer({"recording": recording, "hold": reason})


def _keeper(call: AnyCall) -> Keeper:
    keeper = call.services.keeper
    if keeper is None:
        raise PeerError("not_found", "this node keeps no recordings", status=HTTPStatus.NOT_FOUND)
    return keeper


_HOLD = f"{PREFIX}/recordings/{RECORDING}/hold"
ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/storage",
        storage,
        "What is kept, whether it is locked, and the room it will take",
        Scope.ALL,
        {200: ("The archive", "Storage")},
        Permission.LIST_RECORDINGS,
    ),
    Route(
        "GET",
        f"{PREFIX}/retention/due",
        due,
        "Recordings whose date has come, the oldest date first",
        Scope.ALL,
        {200: ("They may be deleted", "DueList")},
        Permission.LIST_RECORDINGS,
        query=DueQuery,
    ),
    Route(
        "POST",
        f"{PREFIX}/retention/deletions",
        delete,
        "Delete recordings whose date has come, each with a certificate in the ledger",
        Scope.ALL,
        {200: ("What was deleted, and what was refused", "Deletions")},
        Permission.MANAGE_RETENTION,
        body=Deletion,
    ),
    Route(
        "POST",
        _HOLD,
        hold,
        "Put a recording under legal hold",
        Scope.ALL,
        {200: ("It is held", "Hold")},
        Permission.MANAGE_RETENTION,
        body=NewHold,
    ),
    Route(
        "DELETE",
        _HOLD,
        lift,
        "End a recording's legal hold",
        Scope.ALL,
        {200: ("It is not held", "Hold")},
        Permission.MANAGE_RETENTION,
    ),
)
