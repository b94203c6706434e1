"""Identity numbers, sealed, and how far their proof is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact, storable
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.tables.accounts import IDENTITIES


@dataclass(frozen=True, slots=True)
class Identity:
    """One person's. `sealed` and `note` are under the person's key, `mark` is a keyed hash of the number."""

    person: str
    kind: str
    sealed: bytes
    mark: bytes
    salt: bytes
    state: str
    noted_at_ms: int
    changed_at_ms: int
    method: str = ""
    note: bytes = b""
    noted_by: str = ""
    seconded_by: str = ""


class Identities:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def put(self, identity: Identity, fact: Fact) -> None:
        """In the place of what was known of the person, with its fact in the same transaction."""
        await self.put_all([(identity, fact)])

    async def put_all(self, identities: Sequence[tuple[Identity, Fact]]) -> None:
        """As `put`, all or none; some hundred at most."""
        rows = [asdict(identity) for identity, _ in identities]
        if not rows:
            return
        for row in rows:
            storable(row["person"])
        insert = self._access.insert(IDENTITIES)
        changed = {name: insert.excluded[name] for name in rows[0] if name != "person"}
        statement = insert.on_conflict_do_update(index_elements=["person"], set_=changed)
        prepared = [ledger.prepare(fact) for _, fact in identities]
        await self._access.record(lambda connection: connection.execute(statement, rows), lambda _: prepared)

    async def of_all(self, people: Sequence[str]) -> dict[str, Identity]:
        """What is known of some hundred persons."""
        query = sa.select(IDENTITIES).where(IDENTITIES.c.person.in_([storable(one) for one in people]))
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["person"]: _identity(row) for row in rows}

    async def bearers(self, marks: Sequence[bytes]) -> dict[bytes, list[str]]:
        """Who has the numbers of some hundred marks."""
        c = IDENTITIES.c
        query = sa.select(c.mark, c.person).where(c.mark.in_(list(marks))).order_by(c.person)
        found: dict[bytes, list[str]] = {}
        async with self._access.reading() as connection:
            for mark, person in await connection.execute(query):
                found.setdefault(bytes(mark), []).append(person)
        return found

    async def move(self, before: Identity, after: Identity, fact: Fact) -> None:
        """Raises PeerError `wrong_step` (409) when somebody else was sooner."""
        c = IDENTITIES.c
        same = (c.person == before.person, c.state == before.state, c.changed_at_ms == before.changed_at_ms)
        statement = sa.update(IDENTITIES).where(*same, c.mark == before.mark).values(asdict(after))
        prepared = ledger.prepare(fact)

        async def work(connection: AsyncConnection) -> None:
            if not (await connection.execute(statement)).rowcount:
                raise PeerError("wrong_step", "somebody else was sooner", status=409)

        await self._access.record(work, lambda _: [prepared])

    async def of(self, person: str) -> Identity | None:
        query = sa.select(IDENTITIES).where(IDENTITIES.c.person == storable(person))
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _identity(row) if row else None

    async def marked(self, mark: bytes, but: str) -> list[str]:
        """Who else has the number of that mark; at most 100."""
        c = IDENTITIES.c
        query = sa.select(c.person).where(c.mark == mark, c.person != but).order_by(c.person).limit(100)
        async with self._access.reading() as connection:
            return list((await connection.execute(query)).scalars())

    async def erase(self, person: str, fact: Fact) -> bool:
        """The row for ever; whether there was one."""
        statement = sa.delete(IDENTITIES).where(IDENTITIES.c.person == storable(person))
        prepared = ledger.prepare(fact)

        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(statement)).rowcount)

        done: bool = await self._access.record(work, lambda there: [prepared] if there else [])
        return done


def _identity(row: Any) -> Identity:
    sealed = {name: bytes(row[name]) for name in ("sealed", "mark", "salt", "note")}
    return Identity(**{**row, **sealed})
