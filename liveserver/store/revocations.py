"""Access tokens that were taken back: each row in one transaction with the fact that says so."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import Fact, storable
from liveserver.core.revocation import Of, Revocation
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.tables.accounts import REVOCATIONS


class Revocations:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def save(self, one: Revocation, fact: Fact) -> None:
        """In the place of what was known of the same; what nothing can be void by any more goes."""
        row = asdict(one)
        storable(one.key + one.training_class + one.spared)
        insert = self._access.insert(REVOCATIONS).values(row)
        upsert = insert.on_conflict_do_update(index_elements=list(REVOCATIONS.primary_key), set_=row)
        forget = sa.delete(REVOCATIONS).where(REVOCATIONS.c.until_ms < one.at_ms)
        prepared = ledger.prepare(fact)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(forget)
            await connection.execute(upsert)

        await self._access.record(work, lambda _: [prepared])

    async def since(self, at_ms: int, limit: int) -> list[Revocation]:
        """Those made from then on, the newest if there are more than `limit`."""
        c = REVOCATIONS.c
        query = sa.select(REVOCATIONS).where(c.at_ms >= at_ms).order_by(c.at_ms.desc()).limit(limit)
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings()
            return [Revocation(**{**row, "of": Of(row["of"])}) for row in rows]
