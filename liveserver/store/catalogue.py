"""Rows that are added, changed and archived, each act in one transaction with the fact that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact, storable
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.lists import Listing
from liveserver.store.model.people import said

T = TypeVar("T")
_ESCAPE = "\\"
_AT_ONCE = 500


class Catalogue(Generic[T]):
    """One table of them. `name`: of its facts; `searched`: the columns that a search looks into."""

    def __init__(self, access: Access, name: str, table: sa.Table, kind: type[T], searched: Sequence[str]):
        self._access = access
        self._name = name
        self._table = table
        self._kind = kind
        self._searched = [table.c[column] for column in searched]
        self._listing = Listing(table.c.created_at_ms, table.c.id, lambda row: kind(**row))

    async def add(self, value: T, by: str, at_ms: int) -> T:
        """Raises PeerError `already_there` (409) where something that may be there once is there."""
        row = row_of(value)

        async def work(connection: AsyncConnection) -> T:
            await once(connection, sa.insert(self._table).values(row))
            return value

        return await self._access.record(work, lambda _: [self.fact(None, value, by, at_ms, "added")])

    async def change(
        self, key: str, changes: Mapping[str, Any], by: str, at_ms: int, act: str = "changed"
    ) -> T:
        """What it is now; of what changes nothing there is no fact.

        Raises PeerError `not_found` (404), `already_there` (409).
        """
        storable(key)
        for value in changes.values():
            if isinstance(value, str):
                storable(value)
        where = self._table.c.id == key

        async def work(connection: AsyncConnection) -> tuple[T, T]:
            before = (await connection.execute(sa.select(self._table).where(where))).mappings().first()
            if before is None:
                raise not_found()
            if changes:
                await once(connection, sa.update(self._table).where(where).values(**changes))
            return self._kind(**before), self._kind(**{**before, **changes})

        def facts(pair: tuple[T, T]) -> list[ledger.PreparedFact]:
            return [self.fact(*pair, by, at_ms, act)] if pair[0] != pair[1] else []

        _, after = await self._access.record(work, facts)
        return after

    async def get(self, key: str) -> T | None:
        async with self._access.reading() as connection:
            query = sa.select(self._table).where(self._table.c.id == storable(key))
            row = (await connection.execute(query)).mappings().first()
        return self._kind(**row) if row else None

    async def named(self, keys: Iterable[str]) -> dict[str, T]:
        """Those of `keys` that are there."""
        asked = sorted({storable(key) for key in keys if key})
        found: dict[str, T] = {}
        async with self._access.reading() as connection:
            for start in range(0, len(asked), _AT_ONCE):
                query = sa.select(self._table).where(self._table.c.id.in_(asked[start : start + _AT_ONCE]))
                for row in (await connection.execute(query)).mappings():
                    found[row["id"]] = self._kind(**row)
        return found

    async def page(
        self,
        wanted: str,
        after: str | None,
        limit: int,
        where: Mapping[str, Any] | None = None,
        marks: Mapping[str, bytes] | None = None,
    ) -> tuple[list[T], str | None]:
        """Those that hold the text `wanted` somewhere, newest first; raises as `Lessons.page`.

        `where`: columns that have to be equal. `marks`: columns of keyed hashes with that of `wanted`.
        """
        query = sa.select(self._table)
        for column, value in (where or {}).items():
            query = query.where(
                self._table.c[column] == (storable(value) if isinstance(value, str) else value)
            )
        if wanted:
            marked = [self._table.c[column] == mark for column, mark in (marks or {}).items() if mark]
            query = query.where(sa.or_(holds(self._searched, wanted), *marked))
        return await self._access.page(query, self._listing, after, limit)

    def fact(self, before: T | None, after: T, by: str, at_ms: int, act: str) -> ledger.PreparedFact:
        """Who did what to which, before and after: of a change, the fields that are others now."""
        data: dict[str, Any] = {"by": by, "act": act, "id": getattr(after, "id", "")}
        salt = getattr(after, "salt", b"")
        old, new = ({} if before is None else asdict(before)), asdict(after)  # type: ignore[call-overload]
        only = None if before is None else {name: 1 for name in new if new[name] != old[name]}
        if before is not None:
            data["before"] = said(before, salt, only)
        data["after"] = said(after, salt, only)
        return ledger.prepare(Fact(self._name, None, at_ms, data))


def row_of(value: Any) -> dict[str, Any]:
    """A value as its row. Raises PeerError `bad_message` for text that no database holds."""
    row = asdict(value)
    if "phone_sealed" in row:
        row["phone"] = ""
    for content in row.values():
        if isinstance(content, str):
            storable(content)
    return row


def holds(columns: Sequence[sa.Column[Any]], wanted: str) -> sa.ColumnElement[bool]:
    """Whether one of the columns holds the text, whatever its case (of ASCII letters)."""
    text = storable(wanted).lower()
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return sa.or_(*(sa.func.lower(column).like(f"%{text}%", escape=_ESCAPE) for column in columns))


async def once(
    connection: AsyncConnection, statement: Any, rows: Sequence[Mapping[str, Any]] | None = None
) -> Any:
    """Carry it out; PeerError `already_there` (409) where the database says that it is there."""
    try:
        return await connection.execute(statement, rows)
    except sa.exc.IntegrityError as error:
        raise PeerError("already_there", "something of that number or name is there", status=409) from error


def not_found() -> PeerError:
    return PeerError("not_found", "there is none of that id", status=404)
