"""What lessons are screened by: policies and lists of words, in versions that are never rewritten."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict

import sqlalchemy as sa

from liveserver.core.ledger import Fact, storable
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.model.errors import StoreError
from liveserver.store.model.screening import Version
from liveserver.store.tables.screening import LEXICONS, POLICIES

VERSIONS_SHOWN = 200
_TRIES = 5


class Rules:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self.policies = Versions(access, POLICIES)
        self.lexicons = Versions(access, LEXICONS)


class Versions:
    """One kind of thing in versions: 1, 2, 3 … of each name."""

    def __init__(self, access: Access, table: sa.Table):
        self._access = access
        self._table = table

    async def add(
        self, name: str, body: str, entries: int, at_ms: int, by: str, fact: Callable[[Version], Fact]
    ) -> Version:
        """The next version of `name`, in one transaction with the fact that says so.

        Two at once get two versions. Raises StoreError when the database fails.
        """
        for text in (name, body, by):
            storable(text)
        sha256 = hashlib.sha256(body.encode()).hexdigest()
        for attempt in range(_TRIES):
            newest = await self.get(name)
            number = newest.version + 1 if newest else 1
            version = Version(name, number, body, sha256, entries, at_ms, by)
            try:
                prepared = [ledger.prepare(fact(version))]
                await self._access.append_rows(prepared, {self._table: [asdict(version)]})
            except StoreError:
                again = await self.get(name)
                taken = again is not None and again.version >= number
                if not taken or attempt == _TRIES - 1:
                    raise
                continue
            return version
        raise AssertionError("the loop returns or raises")

    async def get(self, name: str, version: int | None = None) -> Version | None:
        """One version, the newest unless named; None if there is none."""
        storable(name)
        c = self._table.c
        query = sa.select(self._table).where(c.name == name)
        if version is not None:
            query = query.where(c.version == version)
        async with self._access.reading() as connection:
            row = (await connection.execute(query.order_by(c.version.desc()).limit(1))).mappings().first()
        return Version(**row) if row else None

    async def newest(self) -> list[Version]:
        """The newest version of every name, by name."""
        c = self._table.c
        last = sa.select(c.name, sa.func.max(c.version).label("version")).group_by(c.name).subquery()
        query = (
            sa.select(self._table)
            .join(last, sa.and_(c.name == last.c.name, c.version == last.c.version))
            .order_by(c.name)
        )
        async with self._access.reading() as connection:
            return [Version(**row) for row in (await connection.execute(query)).mappings()]

    async def history(self, name: str) -> list[Version]:
        """The versions of one name, the newest first, without their bodies."""
        storable(name)
        c = self._table.c
        query = (
            sa.select(*(column for column in c if column.name != "body"))
            .where(c.name == name)
            .order_by(c.version.desc())
            .limit(VERSIONS_SHOWN)
        )
        async with self._access.reading() as connection:
            return [Version(**row, body="") for row in (await connection.execute(query)).mappings()]
