"""The ledger, read: its head, its entries, and proofs that an entry is in it (RFC 9162)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.ledger import WHOLE_MAX, Entry
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer, rfc3339
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.fields import text, whole
from liveserver.http.routes import Route, Scope


@dataclass(frozen=True, slots=True)
class EntriesQuery:
    after: int = whole(-1, WHOLE_MAX, default=-1)
    limit: int = whole(1, 1000, default=100)
    lesson: str | None = text(1, 64, default=None)


@dataclass(frozen=True, slots=True)
class ProofQuery:
    index: int = whole(0, WHOLE_MAX)
    size: int = whole(1, WHOLE_MAX)


async def head(call: Call[None, None]) -> web.Response:
    size, root = await call.services.store.head()
    return json_answer({"size": size, "root": root.hex()})


async def entries(call: Call[None, EntriesQuery]) -> web.Response:
    """Entries after an index, oldest first; `next` is the last one's index while there may be more."""
    query = call.query
    found = await call.services.store.entries(query.after, query.limit, query.lesson)
    following = str(found[-1].index) if len(found) == query.limit else None
    return json_answer({"items": [_shape(entry) for entry in found], "next": following})


async def proof(call: Call[None, ProofQuery]) -> web.Response:
    """The audit path of entry `index` in the tree of the first `size` entries (RFC 9162 2.1.3)."""
    store, index, size = call.services.store, call.query.index, call.query.size
    if not index < size <= (await store.head())[0]:
        raise PeerError("not_found", "the ledger has no such entry or no such size", status=404)
    path = await store.proof(index, size)
    (entry,) = await store.entries(index - 1, 1)
    return json_answer(
        {"index": index, "size": size, "leaf": entry.leaf.hex(), "path": [node.hex() for node in path]}
    )


def _shape(entry: Entry) -> dict[str, Any]:
    """An entry whose hashed numbers stay as they were hashed, with its times in words beside them."""
    return {
        "index": entry.index,
        "type": entry.type,
        "lesson": entry.lesson,
        "at": rfc3339(entry.at_ms),
        "at_ms": entry.at_ms,
        "recorded_at_ms": entry.recorded_at_ms,
        "data": entry.data,
        "leaf": entry.leaf.hex(),
    }


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/ledger/head",
        head,
        "How many entries there are, and the Merkle root over them",
        Scope.ALL,
        {200: ("The head", "LedgerHead")},
        Permission.SEE_LEDGER,
    ),
    Route(
        "GET",
        f"{PREFIX}/ledger/entries",
        entries,
        "Entries in their order",
        Scope.ALL,
        {200: ("A page of entries", "EntryList")},
        Permission.SEE_LEDGER,
        query=EntriesQuery,
    ),
    Route(
        "GET",
        f"{PREFIX}/ledger/proof",
        proof,
        "Proof that an entry is in the ledger",
        Scope.ALL,
        {200: ("The audit path", "LedgerProof")},
        Permission.SEE_LEDGER,
        query=ProofQuery,
    ),
)
