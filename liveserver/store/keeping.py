"""Keeping facts whatever the database does: in the ledger at once, or in the journal until it is back.

While anything waits in the journal all that comes waits behind it, so the order stays. Each append has an id
of its caller's, kept in the transaction that adds it: asked for a second time, because an answer was lost or
a process was killed, it finds itself done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from liveserver.core.ledger import Entry
from liveserver.store.journal import Journal, Record
from liveserver.store.model.errors import StoreError

WITHIN_S = 3.0
"""A database that has not answered by then is away. What it still does with it is done once."""
_FORGET_S = 600.0
_AT_ONCE = 64  # records of one transaction
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)

Append = Callable[[Sequence[Record]], Awaitable[list[Entry]]]


class Keeping:
    """Owns the journal and what is done with it. `append` puts records into the ledger, all of them or none,
    each once."""

    def __init__(self, append: Append, journal: Journal, forget: Callable[[], Awaitable[None]]):
        self._append = append
        self._forget = forget
        self.journal = journal
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Bring to the ledger what waits, from now on."""
        self._task = asyncio.create_task(self._run(), name="journal-replay")

    async def stop(self) -> None:
        """What still waits stays on the disk for the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.journal.close()

    @property
    def waiting(self) -> int:
        """Records that are on the disk and not yet in the ledger."""
        return len(self.journal.pending)

    @property
    def away(self) -> bool:
        """Whether what comes has to wait."""
        return self.journal.busy

    async def keep(self, record: Record, append: Callable[[], Awaitable[list[Entry]]]) -> list[Entry] | None:
        """Its entries, or None if it waits in the journal. Raises StoreError if neither took it.

        `append` puts this very record into the ledger.
        """
        if not self.journal.busy:
            try:
                async with asyncio.timeout(WITHIN_S):
                    return await append()
            except (StoreError, TimeoutError):
                pass
        await self.journal.add(record)
        self._came.set()
        return None

    async def replay(self) -> None:
        """Everything that waits, in order. Raises StoreError; what was done until then is done."""
        pending = self.journal.pending
        while pending:
            records = [pending[at] for at in range(min(_AT_ONCE, len(pending)))]
            await self._append(records)
            for _ in records:
                pending.popleft()
        await self.journal.forget()

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                await self.replay()
            except StoreError:
                await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
                continue
            attempt = 0
            self._came.clear()
            if not self.journal.pending:
                await self._rest()

    async def _rest(self) -> None:
        """Until something waits; meanwhile ids that nobody will ask for again are forgotten."""
        while not self._came.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_FORGET_S):
                    await self._came.wait()
                return
            with suppress(StoreError):
                await self._forget()
