"""Links that work once."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.tables.lessons import USED_TOKENS

_DAY_MS = 86_400_000


class Links:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access, wall_ms: Callable[[], int]):
        self._access = access
        self._wall_ms = wall_ms

    async def use_once(self, token_id: str, expires_at_ms: int) -> bool:
        """Whether this is the token's first use; from now on it is used.

        What expired a day ago is forgotten: such a token is refused for its age.
        """
        storable(token_id)
        long_ago = self._wall_ms() - _DAY_MS
        insert = self._access.insert(USED_TOKENS).values(token_id=token_id, expires_at_ms=expires_at_ms)

        async def work(connection: AsyncConnection) -> bool:
            await connection.execute(sa.delete(USED_TOKENS).where(USED_TOKENS.c.expires_at_ms < long_ago))
            return (await connection.execute(insert.on_conflict_do_nothing())).rowcount == 1

        return await self._access.write(work)
