"""What a room writes: facts, before anything is acknowledged; names and rows beside them, in order.

While the database is away facts go to the disk and rows wait here; the room meanwhile does what is urgent.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from liveserver.core.heads import Receipt
from liveserver.core.ledger import Entry, Fact
from liveserver.core.messages import Json
from liveserver.hours.attending import Attending
from liveserver.log import Event
from liveserver.patience import until_stored
from liveserver.store import ChatLine, Store, StoreError

_FACTS_AT_ONCE = 500  # the store takes no more than 1,000
_ROWS_MOST = 500
_ROW_S = 5.0  # a database that takes longer for a row is away
T = TypeVar("T")

Promise = Callable[[Fact, Entry | None], Receipt | None]
"""The signed receipt for a fact that was kept; None while the log's key is away."""


class Meanwhile(Protocol):
    """Waits for some work, and carries out meanwhile what is urgent."""

    async def __call__(self, work: Awaitable[T]) -> T: ...


class Writing:
    """One room's, used by its task alone."""

    def __init__(
        self,
        lesson: str,
        store: Store,
        attending: Attending,
        meanwhile: Meanwhile,
        receipt: Promise | None,
        log: FilteringBoundLogger,
    ):
        self.receipts: dict[str, Json] = {}
        """Of this batch, by the check they are for."""
        self._lesson = lesson
        self._store = store
        self._attending = attending
        self._meanwhile = meanwhile
        self._receipt = receipt
        self._log = log
        self._rows: deque[Callable[[], Awaitable[object]]] = deque()  # for the database, beside facts
        self._writing = False
        self._unnamed: dict[str, str] = {}  # whose names are not stored yet

    def __len__(self) -> int:
        """Rows that wait."""
        return len(self._rows)

    async def commit(self, facts: list[Fact], chat: list[ChatLine]) -> None:
        """Keep: nothing is acknowledged before it is in the ledger, or on the disk while the database is
        away. A thousand sent away at once take several appends; each has an id, so that one whose answer
        was lost is there once."""
        for start in range(0, len(facts), _FACTS_AT_ONCE):
            part = facts[start : start + _FACTS_AT_ONCE]
            ids = {fact.data.get("id") for fact in part if fact.type == "chat"}
            lines = [line for line in chat if line.id in ids]
            keep = partial(self._store.keep, secrets.token_hex(16), part, lines)
            self._promise(part, await self.until_stored(keep))
            for fact in part:
                self._attending.take(fact)

    def _promise(self, facts: Sequence[Fact], entries: Sequence[Entry] | None) -> None:
        """Receipts for who answered a check: theirs to keep, whatever becomes of this server (REL-G42)."""
        if self._receipt is None:
            return
        for number, fact in enumerate(facts):
            if fact.type == "challenge_resolved":
                entry = entries[number] if entries else None
                receipt = self._receipt(fact, entry)
                if receipt is not None:
                    self.receipts[str(fact.data["id"])] = receipt.document()

    async def names(self, came: dict[str, str]) -> None:
        """Names stand beside the ledger, where they can be erased."""
        self._unnamed |= self._attending.names(came)
        if not self._unnamed or self._store.away:
            return
        names, self._unnamed = self._unnamed, {}

        async def note() -> None:
            await self._store.attendance.note_names(self._lesson, names)
            self._attending.noted(names)

        await self.beside(note)

    async def until_stored(self, write: Callable[[], Awaitable[T]]) -> T:
        """`write`, again and again while the database is away."""
        return await self._meanwhile(until_stored(write, self._log))

    async def beside(self, write: Callable[[], Awaitable[object]]) -> None:
        """Beside the ledger, in order: now, or when the database is back. Nobody waits for that."""
        if not self._store.journaled or len(self._rows) >= _ROWS_MOST:
            await self.until_stored(write)
            return
        self._rows.append(write)
        await self.rows()

    async def rows(self) -> None:
        """What waits, as long as the database takes it."""
        if self._writing:  # what is urgent came between: its turn comes
            return
        self._writing = True
        try:
            while self._rows and not self._store.away:
                await self._meanwhile(asyncio.wait_for(self._rows[0](), _ROW_S))
                self._rows.popleft()
        except (StoreError, TimeoutError):
            self._log.exception(Event.STORE_FAILED)
        finally:
            self._writing = False
