"""What administrators did, read out of the ledger: each act with its outcome and what it changed."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import Entry
from liveserver.core.trail import ACT, CUTS, DONE, LOOKS, REFUSED, Act, Look, acts_of, look_of
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.tables.ledger import LEDGER

PAGE_MAX = 200
ACTS = (ACT, REFUSED, *CUTS)
_CHANGES_MAX = 500
"""Entries between an act and its end among which its changes are looked for."""
_ENDS_MAX = 2_000


class Trail:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def acts(self, after: int, limit: int) -> list[Act]:
        """Acts, refused attempts and cuts with an index above `after`, oldest first."""
        wanted = min(max(limit, 1), PAGE_MAX)
        c = LEDGER.c
        query = (
            sa.select(LEDGER)
            .where(c.type.in_(ACTS), c.entry_index > after)
            .order_by(c.entry_index)
            .limit(wanted)
        )
        async with self._access.reading() as connection:
            began = [ledger.entry_of(row) for row in await connection.execute(query)]
            following = await self._following(connection, [one for one in began if one.type == ACT])
        return acts_of(began, following)

    async def _following(
        self, connection: AsyncConnection, acts: Sequence[Entry]
    ) -> dict[int, Sequence[Entry]]:
        """Of each act the entries up to its end, with that; none of one without an end."""
        if not acts:
            return {}
        c = LEDGER.c
        query = (
            sa.select(LEDGER)
            .where(c.type == DONE, c.entry_index > acts[0].index)
            .order_by(c.entry_index)
            .limit(_ENDS_MAX)
        )
        ends = [ledger.entry_of(row) for row in await connection.execute(query)]
        by_name = {end.data.get("id"): end for end in ends}
        following: dict[int, Sequence[Entry]] = {}
        for act in acts:
            end = by_name.get(act.data.get("id"))
            if end is not None:
                count = min(end.index - act.index - 1, _CHANGES_MAX)
                between = await ledger.entries(connection, act.index, count, None) if count else []
                following[act.index] = [*between, end]
        return following

    async def looks(self, after: int, limit: int) -> list[Look]:
        """What the staff looked at, with an index above `after`, oldest first."""
        c = LEDGER.c
        query = (
            sa.select(LEDGER)
            .where(c.type.in_(LOOKS), c.entry_index > after)
            .order_by(c.entry_index)
            .limit(min(max(limit, 1), PAGE_MAX))
        )
        async with self._access.reading() as connection:
            return [look_of(ledger.entry_of(row)) for row in await connection.execute(query)]

    async def newest(self, limit: int) -> int:
        """The index after which there are `limit` acts and no more, for a page that begins at the end."""
        return await self._newest(ACTS, limit)

    async def newest_look(self, limit: int) -> int:
        """The same of looks."""
        return await self._newest(LOOKS, limit)

    async def _newest(self, kinds: Sequence[str], limit: int) -> int:
        c = LEDGER.c
        query = (
            sa.select(c.entry_index)
            .where(c.type.in_(kinds))
            .order_by(c.entry_index.desc())
            .offset(min(max(limit, 1), PAGE_MAX))
            .limit(1)
        )
        async with self._access.reading() as connection:
            found: int | None = await connection.scalar(query)
        return -1 if found is None else found

    async def last(self, kind: str) -> Entry | None:
        """The newest entry of a type."""
        query = sa.select(LEDGER).where(LEDGER.c.type == kind).order_by(LEDGER.c.entry_index.desc()).limit(1)
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else ledger.entry_of(row)


__all__ = ["DONE", "Trail"]
