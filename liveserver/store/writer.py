"""The one task that writes. Everything waiting when it is free shares one transaction and one fsync.

A thousand learners who join in one second cost a handful of commits instead of a thousand. What belongs to
one caller stays apart: a write that is refused is undone to its savepoint, and when a shared transaction
fails it is tried again caller by caller, so only the culprit hears of it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from liveserver.core import merkle
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Entry
from liveserver.store import ledger
from liveserver.store.database import WRITE
from liveserver.store.model.errors import StoreError
from liveserver.store.tables.ledger import LEDGER_ACCEPTED

QUEUE_MAX = 4096
"""Callers that may wait inside; the next ones wait outside."""
BATCH_MAX = 256
"""Callers that share a transaction: some 3 ms of the loop's time to hash and bind."""

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Addition:
    """Facts with the rows they speak of. One with an id is added once, however often it is asked for."""

    facts: Sequence[ledger.PreparedFact]
    rows: Mapping[sa.Table, Sequence[dict[str, Any]]]
    id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What one caller wants written: additions, or a piece of work.

    `facts_of`: the facts that follow from the work's result.
    """

    additions: Sequence[Addition] = ()
    work: Work | None = None
    facts_of: Callable[[Any], Sequence[ledger.PreparedFact]] | None = None
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """Owns the ledger's growing edge and every transaction that writes."""

    def __init__(self, engine: AsyncEngine, frontier: merkle.Frontier, wall_ms: Callable[[], int]):
        self._engine = engine.execution_options(**{WRITE: True})
        self._frontier = frontier
        self.wall_ms = wall_ms
        self._queue: asyncio.Queue[_Job] = asyncio.Queue(QUEUE_MAX)
        self._callers = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="store-writer")
        self.commits = 0

    def head(self) -> tuple[int, bytes]:
        """Size and root of what is committed."""
        return self._frontier.size, self._frontier.root()

    async def append(
        self, facts: Sequence[ledger.PreparedFact], rows: Mapping[sa.Table, Sequence[dict[str, Any]]]
    ) -> list[Entry]:
        """Append to the ledger, with `rows` added to their tables; returns when it is committed."""
        return await self.append_once([Addition(facts, rows)])

    async def append_once(self, additions: Sequence[Addition]) -> list[Entry]:
        """Append all of them or none; the entries of those that were not there yet."""
        entries: list[Entry] = await self._submit(_Job(additions=additions))
        return entries

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in a transaction; returns its result when it is committed.

        `work` only talks to the database: it may be run a second time after a failure of another caller.
        """
        result: T = await self._submit(_Job(work=work))
        return result

    async def record(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        facts_of: Callable[[T], Sequence[ledger.PreparedFact]],
    ) -> T:
        """As `write`, and in the same transaction the facts that follow from the result."""
        result: T = await self._submit(_Job(work=work, facts_of=facts_of))
        return result

    async def close(self) -> None:
        """Commit what was handed in, then stop."""
        self._closing = True
        self._notice_idle()
        await self._idle.wait()
        await self._queue.join()  # what cancelled callers left behind
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _submit(self, job: _Job) -> Any:
        if self._closing:
            raise StoreError("the store is closed")
        self._callers += 1
        try:
            await self._queue.put(job)
            return await job.done
        finally:
            self._callers -= 1
            self._notice_idle()

    def _notice_idle(self) -> None:
        if self._closing and not self._callers:
            self._idle.set()

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await self._commit(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _commit(self, batch: Sequence[_Job]) -> None:
        """One transaction for all; if it fails, one each."""
        try:
            outcomes = await self._transact(batch)
        except Exception as error:
            # Whatever it was belongs to the callers: the writer itself must live on.
            if len(batch) == 1 or _is_unreachable(error):
                _settle(batch, [error] * len(batch))
                return
            for job in batch:
                await self._commit([job])
            return
        _settle(batch, outcomes)

    async def _transact(self, batch: Sequence[_Job]) -> list[Any]:
        """Carry the batch out and return each job's result, or the exception of work that was refused."""
        added: ledger.Appended | None = None
        async with self._engine.begin() as connection:
            outcomes = [await _work(connection, job.work) if job.work else None for job in batch]
            new = await _new(connection, batch)
            facts = [fact for additions in new for one in additions for fact in one.facts]
            for job, outcome in zip(batch, outcomes, strict=True):
                if job.facts_of is not None and not isinstance(outcome, Exception):
                    facts += job.facts_of(outcome)
            now_ms = self.wall_ms()
            if facts:
                added = await ledger.append(connection, self._frontier, facts, now_ms)
            first = added.entries[0].index if added else self._frontier.size
            for table, some in _rows(new, first, now_ms).items():
                await connection.execute(sa.insert(table), some)
        self.commits += 1
        entries: Iterator[Entry] = iter(())
        if added is not None:
            self._frontier = added.frontier
            entries = iter(added.entries)
        return [
            outcome if job.work else [next(entries) for one in additions for _ in one.facts]
            for job, outcome, additions in zip(batch, outcomes, new, strict=True)
        ]


async def _new(connection: AsyncConnection, batch: Sequence[_Job]) -> list[list[Addition]]:
    """Of each job the additions that were not made before."""
    ids = [one.id for job in batch for one in job.additions if one.id]
    known: set[str] = set()
    if ids:
        query = sa.select(LEDGER_ACCEPTED.c.id).where(LEDGER_ACCEPTED.c.id.in_(ids))
        known = set((await connection.scalars(query)).all())
    new: list[list[Addition]] = []
    for job in batch:
        mine = []
        for one in job.additions:
            if one.id not in known:
                mine.append(one)
                known |= {one.id} if one.id else set()
        new.append(mine)
    return new


def _rows(new: Sequence[Sequence[Addition]], index: int, now_ms: int) -> dict[sa.Table, list[dict[str, Any]]]:
    """What is added beside the entries, the first of which is number `index`."""
    rows: defaultdict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
    for one in (one for additions in new for one in additions):
        for table, some in one.rows.items():
            rows[table] += some
        count = len(one.facts)
        if one.id:
            accepted = {"id": one.id, "first_index": index, "count": count, "at_ms": now_ms}
            rows[LEDGER_ACCEPTED].append(accepted)
        index += count
    return rows


async def _work(connection: AsyncConnection, work: Work) -> Any:
    """The work's result, or what refused it; then it is undone to where it began."""
    try:
        async with connection.begin_nested():
            return await work(connection)
    except (PeerError, sa.exc.IntegrityError) as refusal:
        return refusal


def _settle(batch: Sequence[_Job], outcomes: Sequence[Any]) -> None:
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.done.done():
            continue  # its caller was cancelled
        if isinstance(outcome, Exception):
            job.done.set_exception(outcome)
        else:
            job.done.set_result(outcome)


def _is_unreachable(error: Exception) -> bool:
    """Whether the database is away, so that trying again caller by caller would only take longer."""
    return isinstance(error, (OSError, asyncpg.PostgresError)) or (
        isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    )
