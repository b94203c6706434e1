"""The store: what must outlive the process, behind one object.

Reads take a connection of their own; everything that writes goes through the one `Writer`. Every method
raises StoreError when the database is away or damaged, and PeerError `bad_message` for a text that holds
NUL or half a surrogate pair: ids come out of URLs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from liveserver.core import merkle
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Entry, Fact, storable
from liveserver.store import database, guarding, ledger
from liveserver.store.accounts import Accounts
from liveserver.store.attended import AttendanceBook
from liveserver.store.challenges import Challenges
from liveserver.store.chat import Chat
from liveserver.store.cuts import Cuts
from liveserver.store.erasing import Erasing
from liveserver.store.heads import Heads
from liveserver.store.identities import Identities
from liveserver.store.incidents import Incidents
from liveserver.store.inspections import Inspections
from liveserver.store.journal import Journal, Record
from liveserver.store.keeping import Keeping
from liveserver.store.kept import Kept
from liveserver.store.lessons import Lessons
from liveserver.store.links import Links
from liveserver.store.lists import Listing, check_texts, page_size
from liveserver.store.model.chat import ChatLine
from liveserver.store.passkey_codes import PasskeyCodes
from liveserver.store.people import People
from liveserver.store.people_keys import PeopleKeys
from liveserver.store.planned import Planned
from liveserver.store.recordings import Recordings
from liveserver.store.revocations import Revocations
from liveserver.store.rules import Rules
from liveserver.store.tables.chat import CHAT
from liveserver.store.tables.ledger import LEDGER_ACCEPTED
from liveserver.store.trail import Trail
from liveserver.store.writer import Addition, Writer

FACTS_MAX = 1000
"""Facts of one append."""
LEAVES_MAX = 65_536
"""Leaf hashes of one answer: 2 MiB."""

ACCEPTED_DAYS = 3
"""For how long an append is known again, counted while the database is there: then the journal is empty."""
ACCEPTED_AT_ONCE = 10_000
"""Ids forgotten in one transaction, every ten minutes: more than come in that time."""

_DAY_MS = 86_400_000

T = TypeVar("T")


class Store:
    """An open store. Made by `open_store`; ends with `close`."""

    def __init__(self, engine: AsyncEngine, lock: database.FileLock | None, writer: Writer):
        self._engine = engine
        self._lock = lock
        self._writer = writer
        self.lessons = Lessons(self)
        """Lessons, whoever made them."""
        self.recordings = Recordings(self)
        """Recordings and their reels."""
        self.chat = Chat(self)
        """Lines of the chat."""
        self.links = Links(self, writer.wall_ms)
        """Links that work once."""
        self.kept = Kept(self)
        """Stored objects, and recordings whose date has come."""
        self.incidents = Incidents(self)
        """What screening found, and what people made of it."""
        self.challenges = Challenges(self)
        """Seeds and questions of random checks, and consents."""
        self.people_keys = PeopleKeys(self)
        """Keys of single persons, and photos sealed under them."""
        self.people = People(self)
        """Persons, organisations, programmes, classes."""
        self.erasing = Erasing(self)
        """One person's names and words, for ever."""
        self.planned = Planned(self)
        """Lessons of classes, and of those who belong to them."""
        self.rules = Rules(self)
        """Policies and lists of words, each with all its versions."""
        self.cuts = Cuts(self)
        """Every cut there was, with its times."""
        self.heads = Heads(self, writer.head)
        """Signed heads of the ledger, its keys, what witnesses answered."""
        self.trail = Trail(self)
        """What administrators did."""
        self.identities = Identities(self)
        """Identity numbers, sealed, and their proof."""
        self.accounts = Accounts(self)
        """Who may sign in, by what, and who is signed in."""
        self.passkey_codes = PasskeyCodes(self)
        self.revocations = Revocations(self)
        """Access tokens that were taken back."""
        self._keeping: Keeping | None = None
        self.inspections = Inspections(self)
        """What inspectors drew and looked at."""
        self.attendance = AttendanceBook(self)
        """Who came to settled lessons, and what that was worth."""

    async def close(self) -> None:
        """Commit what was handed in, then let go of the database."""
        if self._keeping is not None:
            await self._keeping.stop()
        await self._writer.close()
        await self._engine.dispose()
        if self._lock:
            self._lock.release()
            self._lock = None

    # The ledger

    async def append(self, facts: Sequence[Fact], chat: Sequence[ChatLine] = ()) -> list[Entry]:
        """Append facts, with the chat lines they speak of, in one transaction; returns after its commit.

        Raises ValueError for facts that are our own mistake (`core.ledger.canonical_json`), PeerError
        `bad_message` for text that no database holds.
        """
        addition = self._addition(Record("", facts, chat))
        return await self.append_rows(addition.facts, addition.rows)

    async def keep(
        self, once: str, facts: Sequence[Fact], chat: Sequence[ChatLine] = ()
    ) -> list[Entry] | None:
        """As `append`, and while the database is away in the journal, on the disk: then it is None.

        `once` is the caller's own name of these facts: asked for again, because an answer was lost, they are
        added once (what comes back is empty). Raises StoreError if neither database nor journal took them.
        """
        record = Record(once, facts, chat)
        addition = self._addition(record)  # what cannot be stored has to be said now
        if self._keeping is None:
            return await self._append_additions([addition])
        return await self._keeping.keep(record, lambda: self._append_additions([addition]))

    async def keep_in(self, journal: Journal) -> None:
        """Use this journal; what waits in it goes into the ledger first. Raises StoreError."""
        self._keeping = Keeping(self._append_records, journal, self._forget_accepted)
        await self._keeping.replay()
        await self._forget_accepted()
        self._keeping.start()

    async def _forget_accepted(self) -> None:
        """Some of the oldest ids: every one that may still be asked for again is far younger."""
        c = LEDGER_ACCEPTED.c
        old = sa.select(c.id).where(c.at_ms < self._writer.wall_ms() - ACCEPTED_DAYS * _DAY_MS)
        forget = sa.delete(LEDGER_ACCEPTED).where(c.id.in_(old.limit(ACCEPTED_AT_ONCE)))
        await self.write(lambda connection: connection.execute(forget))

    async def weaknesses(self) -> list[str]:
        """What in the database would let the ledger be changed, in words."""
        async with self.reading() as connection:
            return await guarding.weaknesses(connection)

    @property
    def journaled(self) -> bool:
        """Whether there is a journal to wait in."""
        return self._keeping is not None

    @property
    def away(self) -> bool:
        """Whether facts wait in the journal: then nothing else should wait for the database."""
        return self._keeping is not None and self._keeping.away

    def journal_numbers(self) -> dict[str, float]:
        """For /metrics."""
        keeping = self._keeping
        if keeping is None:
            return {}
        return {
            "waiting_records": float(keeping.waiting),
            "bytes": float(keeping.journal.size),
            "damaged_records": float(keeping.journal.damaged),
        }

    async def _append_records(self, records: Sequence[Record]) -> list[Entry]:
        return await self._append_additions([self._addition(record) for record in records])

    async def _append_additions(self, additions: Sequence[Addition]) -> list[Entry]:
        with database.failures_named():
            return await self._writer.append_once(additions)

    @staticmethod
    def _addition(record: Record) -> Addition:
        if len(record.facts) > FACTS_MAX or len(record.chat) > FACTS_MAX:
            raise ValueError(f"more than {FACTS_MAX} facts or chat lines in one append")
        for line in record.chat:
            check_texts((line.id, line.lesson, line.person, line.name, line.role, line.text))
        prepared = [ledger.prepare(fact) for fact in record.facts]
        rows = {CHAT: [asdict(line) for line in record.chat]} if record.chat else {}
        return Addition(prepared, rows, record.id)

    async def append_rows(
        self, facts: Sequence[ledger.PreparedFact], rows: Mapping[sa.Table, Sequence[dict[str, Any]]]
    ) -> list[Entry]:
        """For the parts of the store: facts with the rows they speak of, in one transaction."""
        if not facts and not rows:
            return []
        with database.failures_named():
            return await self._writer.append(facts, rows)

    async def entries(self, after: int = -1, limit: int = 100, lesson: str | None = None) -> list[Entry]:
        """Entries with an index above `after`, in order."""
        storable(lesson or "")
        async with self.reading() as connection:
            return await ledger.entries(connection, after, page_size(limit), lesson)

    async def ledger_size(self) -> int:
        """How many entries the database has: asked anew, so that it also shows whether it answers."""
        async with self.reading() as connection:
            return await ledger.stored_size(connection)

    async def head(self) -> tuple[int, bytes]:
        """Size and root hash of the committed ledger."""
        return self._writer.head()

    @property
    def size(self) -> int:
        """How many entries are committed."""
        return self._writer.head()[0]

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes `start` to `end` (not included), at most 65,536; PeerError `bad_request` otherwise."""
        if not 0 <= start <= end <= self._writer.head()[0] or end - start > LEAVES_MAX:
            raise PeerError("bad_request", "no such range of leaves")
        async with self.reading() as connection:
            return await ledger.leaves(connection, start, end)

    async def proof(self, index: int, size: int | None = None) -> list[bytes]:
        """The inclusion proof (RFC 9162 2.1.3) of entry `index` in the ledger when it had `size` entries.

        `size` is the present one unless given. Raises PeerError `bad_request` if there is no such tree.
        """
        now = self._writer.head()[0]
        size = now if size is None else size
        if not 0 <= index < size <= now:
            raise PeerError("bad_request", f"entry {index} is not in a ledger of {size}")
        return await self._range_hashes(merkle.inclusion_ranges(index, size))

    async def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """The proof (RFC 9162 2.1.4) that the ledger of `second` entries begins with that of `first`."""
        now = self._writer.head()[0]
        second = now if second is None else second
        if not 0 <= first <= second <= now:
            raise PeerError("bad_request", f"a ledger of {second} entries does not begin with {first}")
        return await self._range_hashes(merkle.consistency_ranges(first, second))

    async def subtrees(self, ranges: Sequence[merkle.Range]) -> list[bytes]:
        """Hashes of complete, aligned subtrees of the committed ledger. Raises StoreError."""
        return await self._range_hashes(ranges)

    @property
    def commits(self) -> int:
        """Transactions committed since the store was opened."""
        return self._writer.commits

    # For the parts of the store

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from."""
        with database.failures_named():
            async with self._engine.connect() as connection:
                yield connection

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do `work` in a transaction of the one writer."""
        with database.failures_named():
            return await self._writer.write(work)

    async def record(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        facts_of: Callable[[T], Sequence[ledger.PreparedFact]],
    ) -> T:
        """As `write`, and in the same transaction the facts that follow from its result."""
        with database.failures_named():
            return await self._writer.record(work, facts_of)

    def insert(self, table: sa.Table) -> Any:
        """An insert that knows ON CONFLICT, which both databases spell alike."""
        return sqlite.insert(table) if self._engine.dialect.name == "sqlite" else postgresql.insert(table)

    async def page(
        self, query: sa.Select[Any], listing: Listing[T], after: str | None, limit: int
    ) -> tuple[list[T], str | None]:
        """A page of `query`, and the cursor of the next; raises as `Lessons.page` does."""
        statement = listing.page(query, after, page_size(limit))
        async with self.reading() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return listing.items(rows, page_size(limit))

    async def _range_hashes(self, ranges: Sequence[merkle.Range]) -> list[bytes]:
        async with self.reading() as connection:
            return [await ledger.range_hash(connection, start, end) for start, end in ranges]
