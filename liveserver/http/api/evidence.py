"""Evidence bundles: a lesson, or a learner's part, as one file that proves itself (docs/EVIDENCE.md)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.ledger import WHOLE_MAX
from liveserver.core.permissions import Permission
from liveserver.http.api import PREFIX
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import text, whole
from liveserver.http.routes import LESSON, Route, Scope

ZIP = "application/zip"
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class EvidenceQuery:
    person: str | None = text(1, 128, default=None)
    size: int | None = whole(1, WHOLE_MAX, default=None)


@dataclass(frozen=True, slots=True)
class OwnEvidenceQuery:
    size: int | None = whole(1, WHOLE_MAX, default=None)


async def of_lesson(call: Call[None, EvidenceQuery]) -> web.StreamResponse:
    return await _bundle(call, call.query.person, call.query.size)


async def own(call: Call[None, OwnEvidenceQuery]) -> web.StreamResponse:
    return await _bundle(call, call.bearer.person, call.query.size)


async def _bundle(call: AnyCall, person: str | None, size: int | None) -> web.StreamResponse:
    """Made whole first, so that an error is an answer; then sent in pieces."""
    bundles = call.services.bundles
    if bundles is None:
        raise PeerError("not_available", "this node makes no bundles", status=503)
    if call.request.method == "HEAD":
        raise PeerError("bad_request", "a bundle is made when it is asked for", status=405)
    made = await bundles.make(call.lesson, person, call.bearer.person, size)
    with made.file as file:
        headers = {
            "Content-Type": ZIP,
            "Content-Disposition": f'attachment; filename="{made.name}"',
            "Cache-Control": "private, no-store",
        }
        response = web.StreamResponse(headers=headers)
        response.content_length = made.size
        await response.prepare(call.request)
        while part := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            await response.write(part)
    return response


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/lessons/{LESSON}/evidence",
        of_lesson,
        "The evidence bundle of a lesson, or of one learner in it",
        Scope.LESSON,
        {200: ("A ZIP that proves itself, docs/EVIDENCE.md", ZIP)},
        Permission.SEE_EVIDENCE,
        query=EvidenceQuery,
        view="evidence",
    ),
    Route(
        "GET",
        f"{PREFIX}/me/evidence/{LESSON}",
        own,
        "One's own evidence bundle of a lesson",
        Scope.LESSON,
        {200: ("A ZIP that proves itself and holds nobody else's data", ZIP)},
        Permission.SEE_OWN_HOURS,
        query=OwnEvidenceQuery,
    ),
)
