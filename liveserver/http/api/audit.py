"""What the audit administrator reads: acts of administrators, and what a self-audit found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.ledger import WHOLE_MAX
from liveserver.core.permissions import Permission
from liveserver.core.trail import Act, Look
from liveserver.http.answers import json_answer, rfc3339
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.fields import whole
from liveserver.http.routes import Route, Scope


@dataclass(frozen=True, slots=True)
class ActsQuery:
    after: int | None = whole(-1, WHOLE_MAX, default=None)
    limit: int = whole(1, 200, default=50)


async def acts(call: Call[None, ActsQuery]) -> web.Response:
    """Acts after an index, oldest first; without `after` the newest ones."""
    store, query = call.services.store, call.query
    after = await store.trail.newest(query.limit) if query.after is None else query.after
    found = await store.trail.acts(after, query.limit)
    following = str(found[-1].index) if len(found) == query.limit else None
    return json_answer({"items": [_shape(act) for act in found], "next": following})


async def looks(call: Call[None, ActsQuery]) -> web.Response:
    """Looks after an index, oldest first; without `after` the newest ones."""
    trail, query = call.services.store.trail, call.query
    after = await trail.newest_look(query.limit) if query.after is None else query.after
    found = await trail.looks(after, query.limit)
    following = str(found[-1].index) if len(found) == query.limit else None
    return json_answer({"items": [_shape(look) for look in found], "next": following})


async def report(call: Call[None, None]) -> web.Response:
    """What the newest self-audit found, and how far the witnesses are."""
    found = await call.services.store.trail.last("self_audit")
    if found is None:
        raise PeerError("not_found", "no self-audit has been made yet", status=404)
    notary = call.services.notary
    witnesses = [watch.state() for watch in notary.watches] if notary else []
    return json_answer(
        {"at": rfc3339(found.at_ms), "index": found.index, "witnesses": witnesses, "report": found.data}
    )


async def stop(call: Call[None, None]) -> web.Response:
    """Nobody may: that somebody tried is on record (`http.trail`)."""
    raise PeerError("forbidden", "the audit cannot be stopped", status=403)


def _shape(one: Act | Look) -> dict[str, Any]:
    return asdict(one) | {"at": rfc3339(one.at_ms)}


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/audit/acts",
        acts,
        "What administrators did: who, when, what, before, after; refused attempts too",
        Scope.ALL,
        {200: ("A page of acts", "ActList")},
        Permission.SEE_AUDIT,
        query=ActsQuery,
    ),
    Route(
        "GET",
        f"{PREFIX}/audit/looks",
        looks,
        "What the staff looked at that is a person's own: who, when, what, of whom",
        Scope.ALL,
        {200: ("A page of looks", "LookList")},
        Permission.SEE_AUDIT,
        query=ActsQuery,
    ),
    Route(
        "GET",
        f"{PREFIX}/audit/report",
        report,
        "What the newest self-audit found",
        Scope.ALL,
        {200: ("The report", "AuditReport"), 404: ("None was made yet", "Problem")},
        Permission.SEE_AUDIT,
    ),
    Route(
        "DELETE",
        f"{PREFIX}/audit",
        stop,
        "Refused to everybody; the attempt is on record",
        Scope.ALL,
        {403: ("The audit cannot be stopped", "Problem")},
        Permission.STOP_AUDIT,
    ),
)
