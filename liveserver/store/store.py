"""The store: what must outlive the process, behind one object.

Reads take a connection of their own; everything that writes goes through the one `Writer`. Every method
raises StoreError when the database is away or damaged, and PeerError `bad_message` for a text that holds
NUL or half a surrogate pair: ids come out of URLs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from liveserver.clock import Clock
from liveserver.core import merkle
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Entry, Fact, canonical_json, storable
from liveserver.store import database, guarding, ledger
from liveserver.store.accounts import Accounts
from liveserver.store.attended import AttendanceBook
from liveserver.store.challenges import Challenges
from liveserver.store.cuts import Cuts
from liveserver.store.erasing import Erasing
from liveserver.store.heads import Heads
from liveserver.store.identities import Identities
from liveserver.store.incidents import Incidents
from liveserver.store.inspections import Inspections
from liveserver.store.journal import Journal, Record, open_journal
from liveserver.store.keeping import Keeping
from liveserver.store.kept import Kept
from liveserver.store.lists import LESSONS_BY_AGE, RECORDINGS_BY_AGE, Listing, lesson_of, recording_of
from liveserver.store.model import ChatLine, Lesson, Recording
from liveserver.store.people import People
from liveserver.store.people_keys import PeopleKeys
from liveserver.store.planned import Planned
from liveserver.store.rules import Rules
from liveserver.store.tables.chat import CHAT
from liveserver.store.tables.ledger import LEDGER_ACCEPTED
from liveserver.store.tables.lessons import LESSONS, USED_TOKENS
from liveserver.store.tables.recordings import RECORDINGS
from liveserver.store.trail import Trail
from liveserver.store.writer import Addition, Writer

PAGE_MAX = 1000
"""Rows of a list; a larger limit is brought down to it."""
FACTS_MAX = 1000
"""Facts of one append."""
RECENT_MAX = 5_000
"""Chat lines of one look at all lessons."""
LEAVES_MAX = 65_536
"""Leaf hashes of one answer: 2 MiB."""

JOURNAL_BYTES = 256 * 1024**2
"""What waits while the database is away: some hours of ten thousand learners."""
ACCEPTED_DAYS = 3
"""For how long an append is known again, counted while the database is there: then the journal is empty."""
ACCEPTED_AT_ONCE = 10_000
"""Ids forgotten in one transaction, every ten minutes: more than come in that time."""

_DAY_MS = 86_400_000

T = TypeVar("T")


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


class Store:
    """An open store. Made by `open_store`; ends with `close`."""

    def __init__(self, engine: AsyncEngine, lock: database.FileLock | None, writer: Writer):
        self._engine = engine
        self._lock = lock
        self._writer = writer
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

    # Lessons

    async def create_lesson(self, lesson: Lesson) -> None:
        """Add a lesson. Raises StoreError if its id exists."""
        _check_texts((lesson.id, lesson.title, lesson.instructor, lesson.state))
        await self.write(lambda c: c.execute(sa.insert(LESSONS).values(asdict(lesson))))

    async def lesson(self, lesson: str) -> Lesson | None:
        """The lesson, or None if there is none of that id."""
        storable(lesson)
        query = sa.select(LESSONS).where(LESSONS.c.id == lesson)
        async with self.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return lesson_of(row) if row else None

    async def lessons(
        self, state: str | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[list[Lesson], str | None]:
        """Lessons, newest first, and the cursor of the next page (None after the last).

        Raises PeerError `bad_request` for a cursor that is none.
        """
        query = sa.select(LESSONS)
        if state is not None:
            storable(state)
            query = query.where(LESSONS.c.state == state)
        return await self.page(query, LESSONS_BY_AGE, after, limit)

    async def update_lesson(
        self,
        lesson: str,
        *,
        state: str | None = None,
        started_at_ms: int | None = None,
        ended_at_ms: int | None = None,
        instructor: str | None = None,
        policy: str | None = None,
        policy_version: int | None = None,
        preset: str | None = None,
    ) -> None:
        """Change what is given. Raises PeerError `unknown_lesson` (404)."""
        given = {
            "state": state,
            "started_at_ms": started_at_ms,
            "ended_at_ms": ended_at_ms,
            "instructor": instructor,
            "policy": policy,
            "policy_version": policy_version,
            "preset": preset,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        _check_texts((lesson, state or "", instructor or "", policy or ""))

        async def work(connection: AsyncConnection) -> None:
            # Naming the id as well keeps the statement valid when nothing is to be changed.
            statement = sa.update(LESSONS).where(LESSONS.c.id == lesson).values(id=lesson, **changes)
            if not (await connection.execute(statement)).rowcount:
                raise PeerError("unknown_lesson", "there is no such lesson", status=404)

        await self.write(work)

    # Recordings

    async def save_recording(self, recording: Recording) -> None:
        """Add a recording, or replace what is known of it but its legal hold (`kept.set_hold`)."""
        row = asdict(recording) | {"gaps": [dict(gap) for gap in recording.gaps]}
        _check_texts((recording.id, recording.lesson, recording.path, recording.detail, recording.hold))
        canonical_json(row["gaps"])
        insert = self.insert(RECORDINGS).values(row)
        changed = {name: insert.excluded[name] for name in row if name not in ("id", "hold")}
        upsert = insert.on_conflict_do_update(index_elements=["id"], set_=changed)
        await self.write(lambda connection: connection.execute(upsert))

    async def recording(self, recording: str) -> Recording | None:
        """The recording, or None if there is none of that id."""
        storable(recording)
        query = sa.select(RECORDINGS).where(RECORDINGS.c.id == recording)
        async with self.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return recording_of(row) if row else None

    async def recordings(self, lesson: str) -> list[Recording]:
        """One lesson's, oldest first; at most 1,000."""
        storable(lesson)
        query = (
            sa.select(RECORDINGS)
            .where(RECORDINGS.c.lesson == lesson)
            .order_by(RECORDINGS.c.started_at_ms, RECORDINGS.c.id)
            .limit(PAGE_MAX)
        )
        async with self.reading() as connection:
            return [recording_of(row) for row in (await connection.execute(query)).mappings()]

    async def reels(self, recording: Recording) -> list[Recording]:
        """All reels of the recording that this one belongs to, in their order; at most 1,000."""
        if not recording.series:  # recorded before there were reels
            return [recording]
        query = sa.select(RECORDINGS).where(RECORDINGS.c.series == recording.series)
        async with self.reading() as connection:
            rows = (await connection.execute(query.order_by(RECORDINGS.c.reel).limit(PAGE_MAX))).mappings()
            return [recording_of(row) for row in rows]

    async def all_recordings(
        self, after: str | None = None, limit: int = 50
    ) -> tuple[list[Recording], str | None]:
        """Every lesson's, newest first, and the cursor of the next page; raises as `lessons` does."""
        return await self.page(sa.select(RECORDINGS), RECORDINGS_BY_AGE, after, limit)

    # Ledger and chat

    async def append(self, facts: Sequence[Fact], chat: Sequence[ChatLine] = ()) -> list[Entry]:
        """Append facts, with the chat lines they speak of, in one transaction; returns after its commit.

        Raises ValueError for facts that are our own mistake (`core.ledger.canonical_json`), PeerError
        `bad_message` for text that no database holds.
        """
        if len(facts) > FACTS_MAX or len(chat) > FACTS_MAX:
            raise ValueError(f"more than {FACTS_MAX} facts or chat lines in one append")
        prepared = [ledger.prepare(fact) for fact in facts]
        for line in chat:
            _check_texts((line.id, line.lesson, line.person, line.name, line.role, line.text))
        return await self.append_rows(prepared, {CHAT: [asdict(line) for line in chat]} if chat else {})

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
            _check_texts((line.id, line.lesson, line.person, line.name, line.role, line.text))
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

    async def chat(self, lesson: str, limit: int = 50, state: str = "shown") -> list[ChatLine]:
        """The newest `limit` lines that stand so (shown, held or removed), oldest first."""
        storable(lesson)
        query = (
            self._lines()
            .where(CHAT.c.lesson == lesson, CHAT.c.state == state)
            .order_by(CHAT.c.position.desc())
            .limit(_page_size(limit))
        )
        async with self.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_line(row) for row in reversed(rows)]

    async def recent_chat(self, since_ms: int, limit: int) -> list[ChatLine]:
        """The newest `limit` lines of all lessons since a moment, oldest first."""
        query = (
            self._lines()
            .where(CHAT.c.at_ms >= since_ms)
            .order_by(CHAT.c.position.desc())
            .limit(min(max(limit, 1), RECENT_MAX))
        )
        async with self.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_line(row) for row in reversed(rows)]

    async def chat_page(
        self, lesson: str, after: int = -1, limit: int = 500
    ) -> tuple[list[ChatLine], int | None]:
        """Every line of a lesson in the order of arrival, and where the next page begins (None: no more)."""
        query = (
            self._lines()
            .add_columns(CHAT.c.position)
            .where(CHAT.c.lesson == storable(lesson), CHAT.c.position > after)
            .order_by(CHAT.c.position)
            .limit(_page_size(limit))
        )
        async with self.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        lines = [_line({name: row[name] for name in row if name != "position"}) for row in rows]
        return lines, rows[-1]["position"] if len(rows) == _page_size(limit) else None

    async def chat_line(self, lesson: str, line: str) -> ChatLine | None:
        """One line of a lesson's chat, or None if it has none of that id."""
        storable(lesson)
        query = self._lines().where(CHAT.c.id == storable(line), CHAT.c.lesson == lesson)
        async with self.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _line(row) if row else None

    async def set_line_state(self, line: str, state: str) -> None:
        """Where the line stands from now on."""
        change = sa.update(CHAT).where(CHAT.c.id == storable(line)).values(state=storable(state))
        await self.write(lambda connection: connection.execute(change))

    @staticmethod
    def _lines() -> sa.Select[Any]:
        return sa.select(*(CHAT.c[field.name] for field in fields(ChatLine)))

    async def entries(self, after: int = -1, limit: int = 100, lesson: str | None = None) -> list[Entry]:
        """Entries with an index above `after`, in order."""
        storable(lesson or "")
        async with self.reading() as connection:
            return await ledger.entries(connection, after, _page_size(limit), lesson)

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

    # Links that work once

    async def use_once(self, token_id: str, expires_at_ms: int) -> bool:
        """Whether this is the token's first use; from now on it is used.

        What expired a day ago is forgotten: such a token is refused for its age.
        """
        storable(token_id)
        long_ago = self._writer.wall_ms() - _DAY_MS
        insert = self.insert(USED_TOKENS).values(token_id=token_id, expires_at_ms=expires_at_ms)

        async def work(connection: AsyncConnection) -> bool:
            await connection.execute(sa.delete(USED_TOKENS).where(USED_TOKENS.c.expires_at_ms < long_ago))
            return (await connection.execute(insert.on_conflict_do_nothing())).rowcount == 1

        return await self.write(work)

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
        """A page of `query`, and the cursor of the next; raises as `lessons` does."""
        statement = listing.page(query, after, _page_size(limit))
        async with self.reading() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return listing.items(rows, _page_size(limit))

    async def _range_hashes(self, ranges: Sequence[merkle.Range]) -> list[bytes]:
        async with self.reading() as connection:
            return [await ledger.range_hash(connection, start, end) for start, end in ranges]


def _line(row: Mapping[Any, Any]) -> ChatLine:
    return ChatLine(**{**row, "salt": bytes(row["salt"])})


def _page_size(limit: int) -> int:
    return min(max(limit, 1), PAGE_MAX)


def _check_texts(texts: Iterable[str]) -> None:
    for text in texts:
        storable(text)
