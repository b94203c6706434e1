"""Settled attendance: names, results by learner and day, revisions, adjustments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.lessons import lesson_of
from liveserver.store.model.attendance import Adjustment, Attended, DayHours, ProjectSum, Settlement
from liveserver.store.model.lessons import Lesson
from liveserver.store.tables.attendance import (
    ADJUSTMENTS,
    ATTENDANCE,
    ATTENDANCE_DAYS,
    ATTENDEES,
    SETTLEMENTS,
)
from liveserver.store.tables.ledger import LEDGER
from liveserver.store.tables.lessons import LESSONS

ROWS_AT_ONCE = 500
"""Rows of one transaction: a class of ten thousand is settled without holding up those who write facts."""
_JUDGED = ("challenge_resolved", "challenge_revised")


class AttendanceBook:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    # Names

    async def note_names(self, lesson: str, names: Mapping[str, str]) -> None:
        """Whom the ids of a lesson's learners mean; the newest name counts."""
        rows = [
            {"lesson": storable(lesson), "person": storable(person), "name": storable(name)}
            for person, name in names.items()
        ]
        insert = self._access.insert(ATTENDEES)
        upsert = insert.on_conflict_do_update(
            index_elements=["lesson", "person"], set_={"name": insert.excluded.name}
        )
        for part in _parts(rows):
            await self._access.write(partial(_execute, statement=upsert, rows=part))

    async def names(self, lesson: str) -> dict[str, str]:
        """By person."""
        query = sa.select(ATTENDEES.c.person, ATTENDEES.c.name).where(ATTENDEES.c.lesson == storable(lesson))
        async with self._access.reading() as connection:
            return {row.person: row.name for row in await connection.execute(query)}

    # Results

    async def save(self, settlement: Settlement, rows: Sequence[Attended]) -> None:
        """A new revision: its rows take the place of the last one's, then it counts as settled."""
        for part in _parts(rows):
            await self._access.write(partial(self._save_part, rows=part))
        settled = sa.insert(SETTLEMENTS).values(asdict(settlement))
        await self._access.write(lambda connection: connection.execute(settled))

    async def _save_part(self, connection: AsyncConnection, rows: Sequence[Attended]) -> None:
        insert = self._access.insert(ATTENDANCE)
        keys = ("lesson", "person")
        changed = {c.name: insert.excluded[c.name] for c in ATTENDANCE.c if c.name not in keys}
        upsert = insert.on_conflict_do_update(index_elements=keys, set_=changed)
        await connection.execute(upsert, [_row(row) for row in rows])
        c = ATTENDANCE_DAYS.c
        old = c.lesson == rows[0].lesson, c.person.in_([row.person for row in rows])
        await connection.execute(sa.delete(ATTENDANCE_DAYS).where(*old))
        days = [
            {"lesson": row.lesson, "person": row.person, "day": day, "course": row.course,
             "credited_s": seconds}
            for row in rows
            for day, seconds in row.days.items()
        ]  # fmt: skip
        if days:
            await connection.execute(sa.insert(ATTENDANCE_DAYS), days)

    async def settlements(self, lesson: str) -> list[Settlement]:
        """Every revision, the first first."""
        query = sa.select(SETTLEMENTS).where(SETTLEMENTS.c.lesson == storable(lesson))
        async with self._access.reading() as connection:
            rows = (await connection.execute(query.order_by(SETTLEMENTS.c.revision))).mappings()
            return [Settlement(**row) for row in rows]

    async def row(self, lesson: str, person: str) -> Attended | None:
        """One learner's in a settled lesson; without its days."""
        c = ATTENDANCE.c
        query = sa.select(ATTENDANCE).where(c.lesson == storable(lesson), c.person == storable(person))
        found = await self._rows(query)
        return found[0] if found else None

    async def rows(self, lesson: str, after: str = "", limit: int | None = None) -> list[Attended]:
        """A settled lesson's, by person; without their days."""
        query = (
            sa.select(ATTENDANCE)
            .where(ATTENDANCE.c.lesson == storable(lesson), ATTENDANCE.c.person > storable(after))
            .order_by(ATTENDANCE.c.person)
            .limit(limit)
        )
        return await self._rows(query)

    async def of_person(
        self, person: str, *, from_ms: int = 0, until_ms: int | None = None, limit: int = 1000
    ) -> list[Attended]:
        """One person's settled lessons that began in a period, the newest first; without their days."""
        c = ATTENDANCE.c
        query = sa.select(ATTENDANCE).where(c.person == storable(person), c.started_at_ms >= from_ms)
        if until_ms is not None:
            query = query.where(c.started_at_ms < until_ms)
        return await self._rows(query.order_by(c.started_at_ms.desc(), c.lesson).limit(limit))

    async def elsewhere(
        self, lesson: str, people: Iterable[str], from_ms: int, until_ms: int
    ) -> list[Attended]:
        """What these people attended in other lessons that began in a period; without their days."""
        c = ATTENDANCE.c
        found: list[Attended] = []
        for part in _parts(sorted(people)):
            query = sa.select(ATTENDANCE).where(
                c.person.in_(part), c.lesson != lesson, c.started_at_ms >= from_ms, c.started_at_ms < until_ms
            )
            found += await self._rows(query)
        return found

    async def cumulative(self, course: str, before_ms: int, people: Iterable[str]) -> dict[str, int]:
        """Seconds by person in the settled lessons of a course that began before."""
        c = ATTENDANCE.c
        found: dict[str, int] = {}
        async with self._access.reading() as connection:
            for part in _parts(sorted(people)):
                query = (
                    sa.select(c.person, sa.func.sum(c.session_s))
                    .where(c.person.in_(part), c.course == course, c.started_at_ms < before_ms)
                    .group_by(c.person)
                )
                found |= {person: int(seconds) for person, seconds in await connection.execute(query)}
        return found

    async def days(
        self, *, person: str | None = None, course: str | None = None, from_day: int, until_day: int
    ) -> list[DayHours]:
        """What was credited on the days of a period, `until_day` not included."""
        c = ATTENDANCE_DAYS.c
        query = sa.select(c.person, c.lesson, c.course, c.day, c.credited_s)
        query = query.where(c.day >= from_day, c.day < until_day)
        if person is not None:
            query = query.where(c.person == storable(person))
        if course is not None:
            query = query.where(c.course == storable(course))
        async with self._access.reading() as connection:
            rows = (await connection.execute(query.order_by(c.day, c.lesson, c.person))).mappings()
            return [DayHours(**row) for row in rows]

    async def of_course(self, course: str, limit: int = 100_000) -> list[Attended]:
        """Every learner's settled lessons of a course, the oldest first; without their days."""
        c = ATTENDANCE.c
        query = sa.select(ATTENDANCE).where(c.course == storable(course))
        return await self._rows(query.order_by(c.started_at_ms, c.lesson, c.person).limit(limit))

    async def of_projects(self, *, project: str = "", person: str = "") -> list[ProjectSum]:
        """What was settled in lessons of a project, or by one person in all projects: a row for each pair."""
        a, project_of = ATTENDANCE.c, LESSONS.c.project
        sums = (sa.func.count().label("lessons"), sa.func.sum(a.credited_s).label("credited_s"))
        joined = ATTENDANCE.join(LESSONS, LESSONS.c.id == a.lesson)
        query = sa.select(project_of, a.person, *sums).select_from(joined)
        if project:
            query = query.where(project_of == storable(project))
        if person:
            query = query.where(a.person == storable(person), project_of != "")
        query = query.group_by(project_of, a.person).order_by(a.person, project_of)
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings()
            return [
                ProjectSum(row["project"], row["person"], row["lessons"], int(row["credited_s"]))
                for row in rows
            ]

    async def names_in(self, project: str) -> dict[str, str]:
        """By person, as they were known in a project's lessons."""
        joined = ATTENDEES.join(LESSONS, LESSONS.c.id == ATTENDEES.c.lesson)
        query = sa.select(ATTENDEES.c.person, ATTENDEES.c.name).select_from(joined)
        query = query.where(LESSONS.c.project == storable(project)).order_by(LESSONS.c.created_at_ms)
        async with self._access.reading() as connection:
            return {row.person: row.name for row in await connection.execute(query)}

    async def lessons_of(self, course: str) -> list[Lesson]:
        """The lessons of a course, or those without one that have it as their title; at most 10,000."""
        c = LESSONS.c
        is_title = sa.and_(c.course == "", c.title == storable(course))
        query = sa.select(LESSONS).where(sa.or_(c.course == course, is_title)).limit(10_000)
        async with self._access.reading() as connection:
            return [lesson_of(row) for row in (await connection.execute(query)).mappings()]

    async def settled_size(self) -> int:
        """How much of the ledger the newest settlement was reckoned from; 0 before the first."""
        async with self._access.reading() as connection:
            size = await connection.scalar(sa.select(sa.func.max(SETTLEMENTS.c.ledger_size)))
        return int(size or 0)

    async def judged_late(self, start: int, end: int) -> list[Lesson]:
        """Settled lessons with a check resolved in the ledger's entries `start` to `end` (not included)."""
        c = LEDGER.c
        judged = sa.select(c.lesson).where(c.entry_index >= start, c.entry_index < end, c.type.in_(_JUDGED))
        query = sa.select(LESSONS).where(
            LESSONS.c.id.in_(judged), LESSONS.c.id.in_(sa.select(SETTLEMENTS.c.lesson))
        )
        async with self._access.reading() as connection:
            return [lesson_of(row) for row in (await connection.execute(query)).mappings()]

    async def unsettled(self, before_ms: int, limit: int = 100) -> list[Lesson]:
        """Lessons that were held and ended before, and have no revision yet."""
        c = LESSONS.c
        settled = sa.select(SETTLEMENTS.c.lesson)
        query = (
            sa.select(LESSONS)
            .where(c.state == "ended", c.started_at_ms.is_not(None), c.ended_at_ms < before_ms)
            .where(c.id.not_in(settled))
            .order_by(c.ended_at_ms)
            .limit(limit)
        )
        async with self._access.reading() as connection:
            return [lesson_of(row) for row in (await connection.execute(query)).mappings()]

    # Adjustments

    async def request(self, adjustment: Adjustment) -> None:
        """Keep what is asked for, or what one person could do at once."""
        for text in (adjustment.lesson, adjustment.person, adjustment.reason, adjustment.requested_by):
            storable(text)
        insert = sa.insert(ADJUSTMENTS).values(asdict(adjustment))
        await self._access.write(lambda connection: connection.execute(insert))

    async def decide(self, adjustment: str, state: str, by: str, at_ms: int, words: str) -> bool:
        """Approve or refuse what is requested; False when it is decided already."""
        c = ADJUSTMENTS.c
        change = sa.update(ADJUSTMENTS).where(c.id == storable(adjustment), c.state == "requested")
        change = change.values(
            state=state, decided_by=storable(by), decided_at_ms=at_ms, decision=storable(words)
        )

        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(change)).rowcount)

        done: bool = await self._access.write(work)
        return done

    async def adjustment(self, adjustment: str) -> Adjustment | None:
        query = sa.select(ADJUSTMENTS).where(ADJUSTMENTS.c.id == storable(adjustment))
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return Adjustment(**row) if row else None

    async def adjustments(self, lesson: str) -> list[Adjustment]:
        """One lesson's, in the order they were asked for; at most 1,000."""
        c = ADJUSTMENTS.c
        query = sa.select(ADJUSTMENTS).where(c.lesson == storable(lesson))
        query = query.order_by(c.requested_at_ms, c.id).limit(1000)
        async with self._access.reading() as connection:
            return [Adjustment(**row) for row in (await connection.execute(query)).mappings()]

    async def adjusted(self, lesson: str) -> dict[str, int]:
        """Seconds by person that were added or taken away."""
        c = ADJUSTMENTS.c
        query = sa.select(c.person, sa.func.sum(c.delta_s)).group_by(c.person)
        query = query.where(c.lesson == storable(lesson), c.state == "approved", c.delta_s != 0)
        async with self._access.reading() as connection:
            return {person: int(seconds) for person, seconds in await connection.execute(query)}

    async def _rows(self, query: sa.Select[Any]) -> list[Attended]:
        async with self._access.reading() as connection:
            return [Attended(**row, days={}) for row in (await connection.execute(query)).mappings()]


async def _execute(connection: AsyncConnection, statement: Any, rows: Sequence[Any]) -> None:
    await connection.execute(statement, rows)


def _row(attended: Attended) -> dict[str, Any]:
    return {column.name: getattr(attended, column.name) for column in ATTENDANCE.c}


def _parts(items: Sequence[Any]) -> Iterable[list[Any]]:
    return [list(items[start : start + ROWS_AT_ONCE]) for start in range(0, len(items), ROWS_AT_ONCE)]
