"""Opening the store: the database brought up to date, the journal read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from liveserver.clock import Clock
from liveserver.store import database, ledger
from liveserver.store.journal import open_journal
from liveserver.store.store import Store
from liveserver.store.writer import Writer

JOURNAL_BYTES = 256 * 1024**2
"""What waits while the database is away: some hours of ten thousand learners."""


async def open_store(
    url: str,
    wall_ms: Callable[[], int] | None = None,
    journal: Path | None = None,
    journal_bytes: int = JOURNAL_BYTES,
) -> Store:
    """Open `sqlite:///path` or `postgresql://…`, bringing its schema up to date.

    `wall_ms` stamps ledger entries; it is the machine's clock unless given. `journal` is the file in which
    facts wait while the database is away; what waits there from before is in the ledger when this returns.
    Raises StoreError if the database cannot be reached, is open elsewhere (SQLite), is newer than this
    program, or is damaged, or if the journal cannot be read.
    """
    engine = database.connect(url)
    lock = database.lock_file(engine)
    try:
        with database.failures_named():
            await database.migrate(engine)
            async with engine.connect() as connection:
                frontier = await ledger.load_frontier(connection)
    except BaseException:
        await engine.dispose()
        if lock:
            lock.release()
        raise
    store = Store(engine, lock, Writer(engine, frontier, wall_ms or Clock().wall_ms))
    try:
        if journal is not None:
            await store.keep_in(open_journal(journal, journal_bytes))
    except BaseException:
        await store.close()
        raise
    return store
