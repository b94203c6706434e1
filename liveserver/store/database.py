"""Opening a database: which driver, how durable, the lock on a SQLite file, the schema brought up to date."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from liveserver.store.model.errors import StoreError

WRITE = "liveserver_write"
"""Execution option of the one engine that writes: its transactions take SQLite's write lock at once."""

_BUSY_TIMEOUT_MS = 5_000
_POSTGRESQL_TIMEOUT_S = 10
# Any number will do as long as every program on this schema uses the same.
_MIGRATION_LOCK = 0x4C49_5645_0001


def connect(url: str) -> AsyncEngine:
    """An engine for `sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`; connects to nothing yet.

    Raises StoreError for any other address.
    """
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError("the store's address is no URL") from error
    if address.drivername == "sqlite":
        if not address.database or address.database == ":memory:":
            raise StoreError("a SQLite store needs a file: sqlite:///path")
        engine = create_async_engine(
            address.set(drivername="sqlite+aiosqlite"),
            pool_size=4,
            max_overflow=0,
            pool_reset_on_return=None,  # every transaction is ended by its own block: no need to make sure
        )
        sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        sa.event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    if address.drivername == "postgresql":
        return create_async_engine(
            address.set(drivername="postgresql+asyncpg"),
            pool_size=8,
            max_overflow=0,
            pool_timeout=_POSTGRESQL_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args={"timeout": _POSTGRESQL_TIMEOUT_S, "command_timeout": 3 * _POSTGRESQL_TIMEOUT_S},
        )
    raise StoreError(f"the store is sqlite:///path or postgresql://…, not {address.drivername}://")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own idea of transactions begins none before DDL or SELECT: _begin_sqlite does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",  # a commit is on the disk when it returns: facts are acknowledged on it
        "foreign_keys = ON",
        "secure_delete = ON",  # of a destroyed key no byte stays in a free page
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # IMMEDIATE: a transaction that began by reading could not be raised to a writing one later.
    immediate = connection.get_execution_options().get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class FileLock:
    """Holds `FILE.lock` while a store has the SQLite file `FILE` open; the system frees it at any death."""

    def __init__(self, database: Path):
        self._path = database.with_name(database.name + ".lock")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreError(f"the store {database} is already open in process {owner}") from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        os.close(self._descriptor)


def lock_file(engine: AsyncEngine) -> FileLock | None:
    """Take the file of a SQLite engine for this process, made readable by its owner alone.

    None on PostgreSQL. Raises StoreError if another store has it or it cannot be made.
    """
    if engine.dialect.name != "sqlite":
        return None
    database = Path(engine.url.database or "")
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return FileLock(database)
    except OSError as error:
        raise StoreError(f"the store {database} cannot be opened: {error.strerror}") from error


def require_file(engine: AsyncEngine) -> None:
    """Raise StoreError if a SQLite engine's file is not there: connecting would make an empty one."""
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
        raise StoreError(f"there is no database {engine.url.database}")


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to the newest step, all or nothing.

    Raises StoreError if the schema is newer than this program.
    """
    async with engine.execution_options(**{WRITE: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            await _lock_migrations(connection)
        try:
            await connection.run_sync(_upgrade)
        except CommandError as error:
            raise StoreError(f"the store's schema is not known to this program: {error}") from error


async def _lock_migrations(connection: AsyncConnection) -> None:
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))


def _upgrade(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def failures_named() -> Iterator[None]:
    """What the driver raises inside, as StoreError: an edge has one thing to catch."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        # asyncpg's own come through while a server starts or stops.
        # The driver's own text may quote rows: its type is enough here, the cause is chained.
        raise StoreError(f"the database failed: {type(error).__name__}") from error
