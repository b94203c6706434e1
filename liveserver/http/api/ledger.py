"""The ledger, read: its heads and keys, its entries, receipts, and proofs (RFC 9162)."""

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
from liveserver.http.ports.ledger import Store
from liveserver.http.routes import Route, Scope


@dataclass(frozen=True, slots=True)
class EntriesQuery:
    after: int = whole(-1, WHOLE_MAX, default=-1)
    limit: int = whole(1, 1000, default=100)
    lesson: str | None = text(1, 64, default=None)


@dataclass(frozen=True, slots=True)
class ProofQuery:
    """Inclusion of `index`, or of the entry with this `leaf`, in the first `size`; or consistency of the
    first `first` with the first `second`."""

    index: int | None = whole(0, WHOLE_MAX, default=None)
    leaf: str | None = text(64, 64, default=None)
    size: int | None = whole(1, WHOLE_MAX, default=None)
    first: int | None = whole(0, WHOLE_MAX, default=None)
    second: int | None = whole(0, WHOLE_MAX, default=None)


@dataclass(frozen=True, slots=True)
class HeadsQuery:
    after: int = whole(0, WHOLE_MAX, default=0)
    limit: int = whole(1, 1000, default=100)


@dataclass(frozen=True, slots=True)
class ReceiptQuery:
    index: int = whole(0, WHOLE_MAX)


async def head(call: Call[None, None]) -> web.Response:
    """The ledger as it is, and the head that was signed last."""
    store = call.services.store
    size, root = await store.head()
    signed = await store.heads.latest()
    return json_answer({"size": size, "root": root.hex(), "signed": signed.document() if signed else None})


async def heads(call: Call[None, HeadsQuery]) -> web.Response:
    """Signed heads over more than `after` entries, oldest first."""
    found = await call.services.store.heads.since(call.query.after, call.query.limit)
    following = str(found[-1].size) if len(found) == call.query.limit else None
    return json_answer({"items": [one.document() for one in found], "next": following})


async def keys(call: Call[None, None]) -> web.Response:
    """Public keys of the log, each handed over by the one before; the first names the log."""
    known = await call.services.store.heads.keys()
    return json_answer({"items": [key.document() for key in known], "next": None})


async def witnesses(call: Call[None, None]) -> web.Response:
    """How far each witness is."""
    notary = call.services.notary
    states = [watch.state() for watch in notary.watches] if notary else []
    return json_answer({"items": states, "next": None})


async def receipt(call: Call[None, ReceiptQuery]) -> web.Response:
    """The signed promise that an entry is in the ledger."""
    store, notary = call.services.store, call.services.notary
    found = await store.entries(call.query.index - 1, 1)
    if not found or found[0].index != call.query.index:
        raise PeerError("not_found", "the ledger has no such entry", status=404)
    signed = notary.receipt(found[0].fact, found[0]) if notary else None
    if signed is None:
        raise PeerError("unavailable", "the key of the ledger is not here", status=503)
    return json_answer(signed.document())


async def entries(call: Call[None, EntriesQuery]) -> web.Response:
    """Entries after an index, oldest first; `next` is the last one's index while there may be more."""
    query = call.query
    found = await call.services.store.entries(query.after, query.limit, query.lesson)
    following = str(found[-1].index) if len(found) == query.limit else None
    return json_answer({"items": [_shape(entry) for entry in found], "next": following})


async def proof(call: Call[None, ProofQuery]) -> web.Response:
    """A proof of inclusion (RFC 9162 2.1.3), or of consistency (2.1.4). `size` and `second` are those of the
    head that was signed last unless given."""
    query = call.query
    if query.first is not None and (query.index, query.leaf, query.size) == (None, None, None):
        return await _consistency(call.services.store, query.first, query.second)
    if (query.first, query.second) == (None, None) and (query.index is None) != (query.leaf is None):
        return await _inclusion(call.services.store, query)
    raise PeerError("bad_request", "either index or leaf is expected, with size, or first, with second")


async def _consistency(store: Store, first: int, second: int | None) -> web.Response:
    second = await _signed_size(store) if second is None else second
    if not first <= second <= (await store.head())[0]:
        raise PeerError("not_found", "the ledger has no such sizes", status=404)
    path = await store.consistency(first, second)
    return json_answer({"first": first, "second": second, "path": [node.hex() for node in path]})


async def _inclusion(store: Store, query: ProofQuery) -> web.Response:
    index = query.index
    if query.leaf is not None:
        try:
            index = await store.heads.index_of(bytes.fromhex(query.leaf))
        except ValueError as error:
            raise PeerError("bad_request", "leaf: 64 hexadecimal digits are expected") from error
    size = await _signed_size(store) if query.size is None else query.size
    if index is None or not index < size <= (await store.head())[0]:
        raise PeerError("not_found", "the ledger has no such entry or no such size", status=404)
    path = await store.proof(index, size)
    (entry,) = await store.entries(index - 1, 1)
    return json_answer(
        {"index": index, "size": size, "leaf": entry.leaf.hex(), "path": [node.hex() for node in path]}
    )


async def _signed_size(store: Store) -> int:
    signed = await store.heads.latest()
    return signed.size if signed else (await store.head())[0]


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
        "How many entries there are, the Merkle root over them, and the head that was signed last",
        Scope.ALL,
        {200: ("The head", "LedgerHead")},
        Permission.SEE_LEDGER,
    ),
    Route(
        "GET",
        f"{PREFIX}/ledger/heads",
        heads,
        "Signed heads, oldest first",
        Scope.ALL,
        {200: ("A page of heads", "SignedHeadList")},
        Permission.SEE_LEDGER,
        query=HeadsQuery,
    ),
    Route(
        "GET",
        f"{PREFIX}/ledger/keys",
        keys,
        "The log's public keys, each handed over by the one before",
        Scope.ALL,
        {200: ("The keys", "LogKeyList")},
        Permission.SEE_LEDGER,
    ),
    Route(
        "GET",
        f"{PREFIX}/ledger/witnesses",
        witnesses,
        "How far each witness is",
        Scope.ALL,
        {200: ("The witnesses", "WitnessList")},
        Permission.SEE_LEDGER,
    ),
    Route(
        "GET",
        f"{PREFIX}/ledger/receipt",
        receipt,
        "The signed promise that an entry is in the ledger",
        Scope.ALL,
        {200: ("The receipt", "Receipt")},
        Permission.SEE_LEDGER,
        query=ReceiptQuery,
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
        view="entries",
    ),
    Route(
        "GET",
        f"{PREFIX}/ledger/proof",
        proof,
        "Proof that an entry is in the ledger, or that it only grew",
        Scope.ALL,
        {200: ("The audit path", "LedgerProof")},
        Permission.SEE_LEDGER,
        query=ProofQuery,
        view="proof",
    ),
)
