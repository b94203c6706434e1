"""Codes for a first passkey: one a person, and how often it was tried."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.core.passkey_code import PasskeyCode
from liveserver.store.access import Access
from liveserver.store.tables.accounts import PASSKEY_CODES


class PasskeyCodes:
    """Part of the store; raises as it does. `Accounts.add_passkey` uses a code up, another role voids it."""

    def __init__(self, access: Access):
        self._access = access

    async def put(self, code: PasskeyCode, now_ms: int) -> None:
        """In the place of the person's earlier one; what is over goes, whosever it is."""
        row = asdict(code)
        insert = self._access.insert(PASSKEY_CODES).values(row)
        forget = sa.delete(PASSKEY_CODES).where(PASSKEY_CODES.c.until_ms < now_ms)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(forget)
            await connection.execute(insert.on_conflict_do_update(index_elements=["person"], set_=row))

        await self._access.write(work)

    async def tried(self, person: str, now_ms: int) -> PasskeyCode | None:
        """The person's code, with one try more than before; None if there is none that may be tried."""
        c = PASSKEY_CODES.c
        query = sa.select(PASSKEY_CODES).where(c.person == storable(person))
        charge = sa.update(PASSKEY_CODES).where(c.person == person).values(tries=c.tries + 1)

        async def work(connection: AsyncConnection) -> PasskeyCode | None:
            row = (await connection.execute(query)).mappings().first()
            code = PasskeyCode(**{**row, "mark": bytes(row["mark"])}) if row else None
            if code is None or not code.is_open(now_ms):
                return None
            await connection.execute(charge)
            return code

        return await self._access.write(work)

    async def forgive(self, code: PasskeyCode) -> None:
        """The try was right."""
        c = PASSKEY_CODES.c
        statement = sa.update(PASSKEY_CODES).where(c.person == code.person, c.mark == code.mark)
        await self._access.write(lambda connection: connection.execute(statement.values(tries=c.tries - 1)))
