"""The ledger's rows and its Merkle log: append, read, prove.

Beside the entries the hashes of complete subtrees of 256, 65,536, … leaves are kept (`ledger_tiles`), so
opening and proving read a few hundred rows however long the ledger is; the hashes on the growing edge live
in memory (`merkle.Frontier`), so the head costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core import merkle
from liveserver.core.ledger import (
    DATA_MAX_BYTES,
    WHOLE_MAX,
    Entry,
    Fact,
    canonical_json,
    entry_leaf,
    storable,
)
from liveserver.store.model.errors import StoreError
from liveserver.store.tables.ledger import LEDGER, LEDGER_TILES

TILE_HEIGHT = 8
"""A tile of level n is the subtree of 256^n leaves: 2 to the power of `TILE_HEIGHT` x n."""

# Several nodes on one PostgreSQL take turns; the number only has to be the same in all of them.
_APPEND_LOCK = 0x4C49_5645_0002


@dataclass(frozen=True, slots=True)
class PreparedFact:
    """A fact that was checked and can be written: nothing about it can fail a commit shared with others."""

    fact: Fact
    data_json: str


@dataclass(frozen=True, slots=True)
class Appended:
    """What one transaction added; becomes true when it commits."""

    entries: Sequence[Entry]
    frontier: merkle.Frontier


def prepare(fact: Fact) -> PreparedFact:
    """Check one fact. Raises ValueError for our mistake, PeerError for text no database holds."""
    if not 0 <= fact.at_ms <= WHOLE_MAX:
        raise ValueError(f"at_ms {fact.at_ms} is out of range")
    storable(fact.type)
    storable(fact.lesson or "")
    data_json = canonical_json(fact.data)
    if len(data_json.encode()) > DATA_MAX_BYTES:
        raise ValueError(f"a fact of type {fact.type} has more than {DATA_MAX_BYTES} bytes of data")
    return PreparedFact(fact, data_json)


async def load_frontier(connection: AsyncConnection) -> merkle.Frontier:
    """The growing edge of the log as the database has it.

    Raises StoreError if entries or tiles are missing.
    """
    size = await stored_size(connection)
    peaks = [await subtree_hash(connection, start, end) for start, end in merkle.complete_subtrees(0, size)]
    return merkle.Frontier(size, peaks)


async def append(
    connection: AsyncConnection,
    frontier: merkle.Frontier,
    facts: Sequence[PreparedFact],
    recorded_at_ms: int,
) -> Appended:
    """Add `facts` after the last entry, inside the connection's transaction. `frontier` is not changed."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_APPEND_LOCK)))
    grown = await _caught_up(connection, frontier)
    entries, rows, tiles = [], [], []
    for prepared in facts:
        fact, index = prepared.fact, grown.size
        leaf = entry_leaf(index, fact.type, fact.lesson, fact.at_ms, recorded_at_ms, prepared.data_json)
        ended = grown.append(leaf)
        entries.append(Entry(index, fact.type, fact.lesson, fact.at_ms, recorded_at_ms, fact.data, leaf))
        rows.append(
            {
                "entry_index": index,
                "type": fact.type,
                "lesson": fact.lesson,
                "at_ms": fact.at_ms,
                "recorded_at_ms": recorded_at_ms,
                "data": prepared.data_json,
                "leaf": leaf,
            }
        )
        tiles.extend(ended_tiles(index, ended))
    await connection.execute(sa.insert(LEDGER), rows)
    if tiles:
        await connection.execute(sa.insert(LEDGER_TILES), tiles)
    return Appended(entries, grown)


def ended_tiles(index: int, ended: Sequence[bytes]) -> list[dict[str, Any]]:
    """The rows of the tiles that leaf `index` completes, given the subtrees it ends (by height)."""
    return [
        {"level": height // TILE_HEIGHT, "position": index >> height, "hash": ended[height]}
        for height in range(TILE_HEIGHT, len(ended), TILE_HEIGHT)
    ]


async def stored_size(connection: AsyncConnection) -> int:
    """How many entries the database has, by the last index."""
    last = await connection.scalar(sa.select(sa.func.max(LEDGER.c.entry_index)))
    return 0 if last is None else int(last) + 1


async def leaves(connection: AsyncConnection, start: int, end: int) -> list[bytes]:
    """Leaf hashes `start` to `end` (not included). Raises StoreError if some are missing."""
    query = (
        sa.select(LEDGER.c.leaf)
        .where(LEDGER.c.entry_index >= start, LEDGER.c.entry_index < end)
        .order_by(LEDGER.c.entry_index)
    )
    found = [bytes(leaf) for leaf in (await connection.scalars(query)).all()]
    if len(found) != end - start:
        raise StoreError(f"the ledger is damaged: {len(found)} of the entries {start} to {end - 1}")
    return found


async def entries(connection: AsyncConnection, after: int, limit: int, lesson: str | None) -> list[Entry]:
    """At most `limit` entries with an index above `after`, of one lesson or of all."""
    query = sa.select(LEDGER).where(LEDGER.c.entry_index > after).order_by(LEDGER.c.entry_index).limit(limit)
    if lesson is not None:
        query = query.where(LEDGER.c.lesson == lesson)
    return [entry_of(row) for row in await connection.execute(query)]


def entry_of(row: sa.Row[Any]) -> Entry:
    """The entry that a row is."""
    return Entry(
        index=row.entry_index,
        type=row.type,
        lesson=row.lesson,
        at_ms=row.at_ms,
        recorded_at_ms=row.recorded_at_ms,
        data=json.loads(row.data),
        leaf=bytes(row.leaf),
    )


async def range_hash(connection: AsyncConnection, start: int, end: int) -> bytes:
    """The Merkle hash over the leaves of one range of a proof."""
    parts = merkle.complete_subtrees(start, end)
    return merkle.join_subtrees([await subtree_hash(connection, *part) for part in parts])


async def subtree_hash(connection: AsyncConnection, start: int, end: int) -> bytes:
    """The hash of one complete, aligned subtree from at most 255 rows: leaves, or tiles above them.

    Raises StoreError if some are missing.
    """
    level = ((end - start).bit_length() - 1) // TILE_HEIGHT
    if level == 0:
        return merkle.tree_root(await leaves(connection, start, end))
    first, last = (edge >> (level * TILE_HEIGHT) for edge in (start, end))
    query = (
        sa.select(LEDGER_TILES.c.hash)
        .where(
            LEDGER_TILES.c.level == level,
            LEDGER_TILES.c.position >= first,
            LEDGER_TILES.c.position < last,
        )
        .order_by(LEDGER_TILES.c.position)
    )
    found = [bytes(tile) for tile in (await connection.scalars(query)).all()]
    if len(found) != last - first:
        raise StoreError(f"the ledger is damaged: a tile over the entries {start} to {end - 1} is missing")
    return merkle.tree_root(found)


async def _caught_up(connection: AsyncConnection, frontier: merkle.Frontier) -> merkle.Frontier:
    """A copy of `frontier`, grown by what another node, or a commit whose answer was lost, has added."""
    size = await stored_size(connection)
    if size == frontier.size:
        return frontier.copy()
    if size < frontier.size:
        raise StoreError(f"the ledger is damaged: it had {frontier.size} entries and has {size}")
    return await load_frontier(connection)
