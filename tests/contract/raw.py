"""The database as its owner sees it with an SQL prompt: what an insider may try behind the store's back."""

from __future__ import annotations

import sqlite3
from typing import Any, Protocol

import asyncpg

TEXTS = ("type", "lesson", "data")


class Raw(Protocol):
    """SQL past the store, on either database."""

    async def execute(self, sql: str) -> None:
        """Run a statement; raises an exception that says why it was refused."""

    async def disarm(self) -> None:
        """Take the triggers away, as a superuser can."""

    async def column(self, index: int, name: str) -> bytes | int:
        """A ledger column: texts and hashes as bytes, times as integers."""

    async def overwrite(self, index: int, name: str, value: bytes | int) -> None:
        """Put something else into a ledger column."""

    async def close(self) -> None: ...


class RawSqlite:
    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)

    async def execute(self, sql: str) -> None:
        self._connection.execute(sql)

    async def disarm(self) -> None:
        triggers = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for (name,) in triggers:
            self._connection.execute(f"DROP TRIGGER {name}")

    async def column(self, index: int, name: str) -> bytes | int:
        shown = f"CAST({name} AS BLOB)" if name in TEXTS else name
        row = self._connection.execute(
            f"SELECT {shown} FROM ledger WHERE entry_index = ?", (index,)
        ).fetchone()
        value: bytes | int = row[0]
        return value

    async def overwrite(self, index: int, name: str, value: bytes | int) -> None:
        kept = "CAST(? AS TEXT)" if name in TEXTS else "?"
        self._connection.execute(f"UPDATE ledger SET {name} = {kept} WHERE entry_index = ?", (value, index))

    async def close(self) -> None:
        self._connection.close()


class RawPostgresql:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> RawPostgresql:
        return cls(await asyncpg.connect(url))

    async def execute(self, sql: str) -> None:
        await self._connection.execute(sql)

    async def disarm(self) -> None:
        for table in ("ledger", "ledger_tiles"):
            await self._connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")

    async def column(self, index: int, name: str) -> bytes | int:
        shown = f"convert_to({name}, 'UTF8')" if name in TEXTS else name
        value: bytes | int = await self._connection.fetchval(
            f"SELECT {shown} FROM ledger WHERE entry_index = $1", index
        )
        return value

    async def overwrite(self, index: int, name: str, value: bytes | int) -> None:
        kept = "convert_from($1, 'UTF8')" if name in TEXTS else "$1"
        await self._connection.execute(
            f"UPDATE ledger SET {name} = {kept} WHERE entry_index = $2", value, index
        )

    async def close(self) -> None:
        await self._connection.close()
