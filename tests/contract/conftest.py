"""One contract, two databases: SQLite in a file, PostgreSQL from a real server."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from liveserver.store import Store, open_store
from tests.contract.postgresql import PostgresqlServer
from tests.contract.raw import Raw, RawPostgresql, RawSqlite
from tests.contract.redis import RedisServer

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    server = PostgresqlServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = f"store_{next(_numbers)}"
    connection = await asyncpg.connect(server.url())
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return server.url(name)


class StoppedClock:
    """Wall time that only a test moves."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def store(url: str, clock: StoppedClock) -> AsyncIterator[Store]:
    opened = await open_store(url, clock)
    yield opened
    await opened.close()


@pytest.fixture
async def raw(url: str, store: Store) -> AsyncIterator[Raw]:
    """The database of `store` behind its back."""
    opened: Raw = RawSqlite(url) if url.startswith("sqlite") else await RawPostgresql.connect(url)
    yield opened
    await opened.close()
