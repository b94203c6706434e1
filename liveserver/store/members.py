"""Who belongs to a class: learners and those who teach, one row for each class and person.

Somebody who leaves keeps the row; each act stands in the ledger in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import JSON, Fact, canonical_json, commitment, storable
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.catalogue import holds, not_found, once, row_of
from liveserver.store.lists import Listing
from liveserver.store.model.people import Assignment, Enrolment, Person, TrainingClass, said
from liveserver.store.tables.people import ASSIGNMENTS, CLASSES, ENROLMENTS, PERSONS

T = TypeVar("T", bound="Enrolment | Assignment")
_PERSON = [column.label(f"of_{column.name}") for column in PERSONS.c]
_FACT_ROWS = 300  # some 45 kB of a fact's 64
_AT_ONCE = 500
_NUMBERED_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Member(Generic[T]):
    """A row of a class with the person it is about."""

    row: T
    person: Person


class Members(Generic[T]):
    """One of the two tables. `age`: its column that says since when; `name`: of its facts."""

    def __init__(self, access: Access, name: str, table: sa.Table, kind: type[T], age: str):
        self._kind: type[T] = kind
        self._access = access
        self._name = name
        self._table = table
        self._joined = table.join(PERSONS, PERSONS.c.id == table.c.person)
        self._listing: Listing[Member[T]] = Listing(table.c[age], table.c.person, self._member)

    async def put(self, row: T, person: Person, by: str, at_ms: int, act: str) -> T:
        """Add the row, or let it take the place of what is there. What it is now."""
        values = row_of(row)

        async def work(connection: AsyncConnection) -> T | None:
            before = await self._row(connection, row.training_class, row.person)
            if before is None:
                await once(connection, sa.insert(self._table).values(values))
            else:
                await connection.execute(
                    sa.update(self._table).where(self._where(row.training_class, row.person)).values(values)
                )
            return before

        def facts(before: T | None) -> list[ledger.PreparedFact]:
            return [] if before == row else [self._fact(before, row, person.salt, by, at_ms, act)]

        await self._access.record(work, facts)
        return row

    async def change(
        self, training_class: str, person: Person, changes: Mapping[str, Any], by: str, at_ms: int, act: str
    ) -> T:
        """Raises PeerError `not_found` (404)."""
        where = self._where(training_class, person.id)

        async def work(connection: AsyncConnection) -> tuple[T, T]:
            before = await self._row(connection, training_class, person.id)
            if before is None:
                raise not_found()
            if changes:
                await connection.execute(sa.update(self._table).where(where).values(**changes))
            return before, self._kind(**{**asdict(before), **changes})

        def facts(pair: tuple[T, T]) -> list[ledger.PreparedFact]:
            return [] if pair[0] == pair[1] else [self._fact(*pair, person.salt, by, at_ms, act)]

        _, after = await self._access.record(work, facts)
        return after

    async def get(self, training_class: str, person: str) -> T | None:
        async with self._access.reading() as connection:
            return await self._row(connection, training_class, person)

    async def page(
        self,
        training_class: str,
        wanted: str,
        status: str | None,
        after: str | None,
        limit: int,
        phone_mark: bytes = b"",
    ) -> tuple[list[Member[T]], str | None]:
        """A class's, the newest first; raises as `Lessons.page`. `phone_mark`: of `wanted`, if it has one."""
        query = self._of(training_class, status)
        if wanted:
            marked = [PERSONS.c.phone_mark == phone_mark] if phone_mark else []
            query = query.where(sa.or_(holds([PERSONS.c.name, PERSONS.c.id], wanted), *marked))
        return await self._access.page(query, self._listing, after, limit)

    async def all(self, training_class: str, status: str | None, most: int) -> list[Member[T]]:
        """Those of a class in that state, or in any, by name."""
        query = self._of(training_class, status).order_by(PERSONS.c.name, PERSONS.c.id).limit(most)
        async with self._access.reading() as connection:
            return [self._member(row) for row in (await connection.execute(query)).mappings()]

    async def count(self, training_class: str, *where: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(self._table)
        query = query.where(self._table.c.training_class == storable(training_class), *where)
        async with self._access.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    def _of(self, training_class: str, status: str | None) -> sa.Select[Any]:
        query = sa.select(self._table, *_PERSON).select_from(self._joined)
        query = query.where(self._table.c.training_class == storable(training_class))
        return query if status is None else query.where(self._table.c.status == status)

    def _where(self, training_class: str, person: str) -> sa.ColumnElement[bool]:
        c = self._table.c
        return sa.and_(c.training_class == storable(training_class), c.person == storable(person))

    async def people(self, training_class: str, status: str) -> frozenset[str]:
        """Who of a class is in that state, by id."""
        c = self._table.c
        query = sa.select(c.person).where(c.training_class == storable(training_class), c.status == status)
        async with self._access.reading() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def _row(self, connection: AsyncConnection, training_class: str, person: str) -> T | None:
        query = sa.select(self._table).where(self._where(training_class, person))
        row = (await connection.execute(query)).mappings().first()
        return self._kind(**row) if row else None

    def _member(self, row: Mapping[Any, Any]) -> Member[T]:
        own = {column.name: row[column.name] for column in self._table.c}
        person = {column.name: row[f"of_{column.name}"] for column in PERSONS.c}
        return Member(self._kind(**own), Person(**person))

    def _fact(
        self, before: T | None, after: T, salt: bytes, by: str, at_ms: int, act: str
    ) -> ledger.PreparedFact:
        data: dict[str, JSON] = {"by": by, "act": act, "class": after.training_class, "person": after.person}
        old, new = ({} if before is None else asdict(before)), asdict(after)
        only = None if before is None else {name: 1 for name in new if new[name] != old[name]}
        if before is not None:
            data["before"] = said(before, salt, only)
        data["after"] = said(after, salt, only)
        return ledger.prepare(Fact(self._name, None, at_ms, data))


class Roster(Members[Enrolment]):
    """Learners of classes."""

    def __init__(self, access: Access):
        super().__init__(access, "enrolment", ENROLMENTS, Enrolment, "enrolled_at_ms")

    async def learners(self, training_class: str) -> int:
        """How many are enrolled."""
        return await self.count(training_class, ENROLMENTS.c.status == "enrolled")

    async def with_student_no(self, training_class: str) -> list[Member[Enrolment]]:
        """Everybody of a class who has a student number; at most 10,000."""
        query = self._of(training_class, None).where(ENROLMENTS.c.student_no != "").limit(_NUMBERED_MOST)
        async with self._access.reading() as connection:
            return [self._member(row) for row in (await connection.execute(query)).mappings()]

    async def elsewhere(self, people: Sequence[str], but: str) -> list[tuple[Enrolment, TrainingClass]]:
        """Where `people` are enrolled beside one class, archived classes too."""
        found = []
        of_class = [column.label(f"class_{column.name}") for column in CLASSES.c]
        joined = ENROLMENTS.join(CLASSES, CLASSES.c.id == ENROLMENTS.c.training_class)
        async with self._access.reading() as connection:
            for start in range(0, len(people), _AT_ONCE):
                part = [storable(person) for person in people[start : start + _AT_ONCE]]
                query = sa.select(ENROLMENTS, *of_class).select_from(joined)
                query = query.where(
                    ENROLMENTS.c.person.in_(part),
                    ENROLMENTS.c.status == "enrolled",
                    ENROLMENTS.c.training_class != storable(but),
                )
                for row in (await connection.execute(query)).mappings():
                    own = {column.name: row[column.name] for column in ENROLMENTS.c}
                    other = {column.name: row[f"class_{column.name}"] for column in CLASSES.c}
                    found.append((Enrolment(**own), TrainingClass(**other)))
        return found

    async def known(self, training_class: str, people: Sequence[str]) -> dict[str, Enrolment]:
        """What is there of `people` in a class."""
        found: dict[str, Enrolment] = {}
        async with self._access.reading() as connection:
            for start in range(0, len(people), _AT_ONCE):
                part = [storable(person) for person in people[start : start + _AT_ONCE]]
                query = sa.select(ENROLMENTS).where(
                    ENROLMENTS.c.training_class == storable(training_class), ENROLMENTS.c.person.in_(part)
                )
                for row in (await connection.execute(query)).mappings():
                    found[row["person"]] = Enrolment(**row)
        return found

    async def take(
        self,
        training_class: str,
        members: Sequence[Member[Enrolment]],
        new: frozenset[str],
        file_sha256: str,
        by: str,
        at_ms: int,
    ) -> None:
        """An import: all of it or nothing, with the facts that say who came by which file.

        `new`: the persons among them that are not there yet.
        """
        persons = [row_of(member.person) for member in members if member.person.id in new]
        rows = [row_of(member.row) for member in members]
        insert = self._access.insert(ENROLMENTS)
        changed = {name: insert.excluded[name] for name in rows[0]} if rows else {}
        upsert = insert.on_conflict_do_update(index_elements=["training_class", "person"], set_=changed)

        async def work(connection: AsyncConnection) -> None:
            if persons:
                await once(connection, sa.insert(PERSONS), persons)
            if rows:
                await connection.execute(upsert, rows)

        facts = [
            _import_fact(training_class, members[start : start + _FACT_ROWS], new, file_sha256, by, at_ms)
            for start in range(0, len(members), _FACT_ROWS)
        ]
        await self._access.record(work, lambda _: facts)


class Teachers(Members[Assignment]):
    """Those who teach classes."""

    def __init__(self, access: Access):
        super().__init__(access, "assignment", ASSIGNMENTS, Assignment, "assigned_at_ms")

    async def lecturers(self, training_class: str) -> int:
        """How many lecturers with a certificate teach it (REQ-E9)."""
        c = ASSIGNMENTS.c
        return await self.count(
            training_class, c.status == "assigned", c.role == "lecturer", c.certificate_no != ""
        )


def _import_fact(
    training_class: str,
    members: Sequence[Member[Enrolment]],
    new: frozenset[str],
    file_sha256: str,
    by: str,
    at_ms: int,
) -> ledger.PreparedFact:
    people: list[JSON] = []
    for member in members:
        salt = member.person.salt
        row = canonical_json([said(member.person, salt), said(member.row, salt)])
        people.append([member.person.id, member.person.id in new, commitment(salt, row)])
    data: dict[str, JSON] = {
        "by": by,
        "act": "imported",
        "class": training_class,
        "file_sha256": file_sha256,
        "people": people,
    }
    return ledger.prepare(Fact("enrolment", None, at_ms, data))
