"""Signed heads, the log's keys, and what witnesses answered: rows that are added and never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.heads import Head, LogKey
from liveserver.core.ledger import canonical_json, storable
from liveserver.store.access import Access
from liveserver.store.tables.ledger import LEDGER, LEDGER_HEADS, LEDGER_KEYS, LEDGER_WITNESSED

KEYS_MAX = 1000
"""A key a day for three years."""
HEADS_MAX = 1000
"""Of one look."""


class Heads:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access, head: Callable[[], tuple[int, bytes]]):
        self._access = access
        self._head = head

    async def sign(self, make: Callable[[Head | None, int, str], Head]) -> Head | None:
        """Have the ledger as it is committed signed: `make` is given the last head, size and root.

        None if nothing came since that head. Two nodes at once sign one after the other.
        """
        size, root = self._head()

        async def work(connection: AsyncConnection) -> Head | None:
            query = sa.select(LEDGER_HEADS).order_by(LEDGER_HEADS.c.number.desc()).limit(1)
            row = (await connection.execute(query)).first()
            last = None if row is None else Head.read(json.loads(row.document))
            if (last is not None and size <= last.size) or size == 0:
                return None
            made = make(last, size, root.hex())
            number = 0 if row is None else row.number + 1
            await _add(connection, LEDGER_HEADS, number, size, made.document())
            return made

        signed: Head | None = await self._access.write(work)
        return signed

    async def latest(self) -> Head | None:
        """The head that was signed last."""
        query = sa.select(LEDGER_HEADS.c.document).order_by(LEDGER_HEADS.c.number.desc()).limit(1)
        async with self._access.reading() as connection:
            text = await connection.scalar(query)
        return None if text is None else Head.read(json.loads(text))

    async def since(self, size: int, limit: int = HEADS_MAX) -> list[Head]:
        """Heads over more than `size` entries, oldest first."""
        query = (
            sa.select(LEDGER_HEADS.c.document)
            .where(LEDGER_HEADS.c.size > size)
            .order_by(LEDGER_HEADS.c.size)
            .limit(min(max(limit, 1), HEADS_MAX))
        )
        async with self._access.reading() as connection:
            return [Head.read(json.loads(text)) for text in await connection.scalars(query)]

    async def keys(self) -> list[LogKey]:
        """The log's keys, oldest first; empty before the first head was signed."""
        query = sa.select(LEDGER_KEYS.c.document).order_by(LEDGER_KEYS.c.number).limit(KEYS_MAX)
        async with self._access.reading() as connection:
            return [LogKey.read(json.loads(text)) for text in await connection.scalars(query)]

    async def add_key(self, key: LogKey) -> bool:
        """Keep a key; False if its number is taken by now."""

        async def work(connection: AsyncConnection) -> bool:
            query = sa.select(sa.func.count()).select_from(LEDGER_KEYS)
            if await connection.scalar(query) != key.number:
                return False
            await _add(connection, LEDGER_KEYS, key.number, key.size, key.document())
            return True

        kept: bool = await self._access.write(work)
        return kept

    async def note_witnessed(self, witness: str, size: int, at_ms: int, answer: Mapping[str, Any]) -> None:
        """Keep what a witness answered to the head of `size` entries; a second answer is not needed."""
        row = {"witness": storable(witness), "size": size, "at_ms": at_ms, "document": canonical_json(answer)}
        insert = self._access.insert(LEDGER_WITNESSED).values(row).on_conflict_do_nothing()
        await self._access.write(lambda connection: connection.execute(insert))

    async def witnessed(self, witness: str, size: int | None = None) -> tuple[int, dict[str, Any]] | None:
        """The witness's answer to the first head of at least `size` entries, or to the newest: (size, it)."""
        c = LEDGER_WITNESSED.c
        query = sa.select(LEDGER_WITNESSED).where(c.witness == storable(witness)).limit(1)
        query = (
            query.order_by(c.size.desc()) if size is None else query.where(c.size >= size).order_by(c.size)
        )
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else (row.size, json.loads(row.document))

    async def witnesses(self) -> dict[str, tuple[int, int]]:
        """Each witness that ever answered: the newest size it has seen, and when it said so."""
        c = LEDGER_WITNESSED.c
        query = sa.select(c.witness, sa.func.max(c.size), sa.func.max(c.at_ms)).group_by(c.witness)
        async with self._access.reading() as connection:
            return {name: (size, at_ms) for name, size, at_ms in await connection.execute(query)}

    async def index_of(self, leaf: bytes) -> int | None:
        """The place of the entry that has this leaf."""
        query = sa.select(LEDGER.c.entry_index).where(LEDGER.c.leaf == leaf).limit(1)
        async with self._access.reading() as connection:
            found: int | None = await connection.scalar(query)
        return found


async def _add(
    connection: AsyncConnection, table: sa.Table, number: int, size: int, document: Mapping[str, Any]
) -> None:
    row = {"number": number, "size": size, "document": canonical_json(document)}
    await connection.execute(sa.insert(table).values(row))
