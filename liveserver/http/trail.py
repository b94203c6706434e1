"""The one place that every administrative act goes through: on record before it is done (core/trail.py).

What was asked for is not copied, nor a hash of it: it may hold names, numbers, passwords. The facts of the
things themselves say what changed. While the database is away acts wait in
the journal like everything else.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact, canonical_json
from liveserver.core.trail import ACT, DONE, REFUSED, is_act
from liveserver.http.context import AnyCall, Services
from liveserver.http.routes import Route
from liveserver.tokens import Claims

RECEIPT_HEADER = "Ledger-Receipt"


async def on_record(
    row: Route, call: AnyCall, act: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Carry out `act`; one of an administrator with its entries around it and a receipt for the first."""
    claims, services = call.claims, call.edge
    if claims is None or not isinstance(services, Services):
        return await act()
    if not is_act(row.method, row.permission, claims.role):
        return await act()
    name = secrets.token_hex(8)
    begun = Fact(ACT, None, services.clock.wall_ms(), _said(row, call.request, claims) | {"id": name})
    entries = await services.store.keep(f"{ACT}-{name}", [begun])
    outcome = "500"
    try:
        answer = await act()
        outcome = str(answer.status)
    except PeerError as error:
        outcome = error.code
        raise
    finally:
        done: dict[str, JSON] = {"id": name, "outcome": outcome}
        await services.store.keep(f"{DONE}-{name}", [Fact(DONE, None, services.clock.wall_ms(), done)])
    receipt = services.notary.receipt(begun, entries[0] if entries else None) if services.notary else None
    if receipt is not None and not answer.prepared:
        answer.headers[RECEIPT_HEADER] = canonical_json(receipt.document())
    return answer


async def refused(services: Services, row: Route, request: web.Request, claims: Claims, code: str) -> None:
    """Somebody tried what his role may not."""
    if not is_act(row.method, row.permission, claims.role):
        return
    left_out = services.refusals.take(services.clock.monotonic_ns())
    if left_out is None:
        return
    said = _said(row, request, claims) | {"code": code} | ({"left_out": left_out} if left_out else {})
    fact = Fact(REFUSED, None, services.clock.wall_ms(), said)
    await services.store.keep(f"{REFUSED}-{secrets.token_hex(8)}", [fact])


def _said(row: Route, request: web.Request, claims: Claims) -> dict[str, JSON]:
    """Who, and what on what: `PUT /api/v1/policies/{policy}` with `{"policy": "strict"}`."""
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else row.path
    on: dict[str, JSON] = {key: value[:200] for key, value in request.match_info.items()}
    return {"by": claims.person, "role": str(claims.role), "act": f"{row.method} {path}", "on": on}
