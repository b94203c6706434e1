"""Lessons by their planned start: of a class, and of somebody who learns or teaches in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact, storable
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.lists import Listing
from liveserver.store.model.lessons import Lesson
from liveserver.store.tables.lessons import LESSONS
from liveserver.store.tables.people import ASSIGNMENTS, ENROLMENTS

# A lesson that nobody planned stands where it was made.
_BEGINS: sa.Label[int] = sa.func.coalesce(LESSONS.c.planned_start_ms, LESSONS.c.created_at_ms).label(
    "begins_ms"
)


def _lesson(row: Mapping[Any, Any]) -> Lesson:
    return Lesson(**{column.name: row[column.name] for column in LESSONS.c})


_BY_START = Listing(_BEGINS, LESSONS.c.id, _lesson)


class Planned:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def of_class(
        self, training_class: str, after: str | None, limit: int
    ) -> tuple[list[Lesson], str | None]:
        """The last planned one first."""
        query = sa.select(LESSONS, _BEGINS).where(LESSONS.c.training_class == storable(training_class))
        return await self._access.page(query, _BY_START, after, limit)

    async def of_person(self, person: str, after: str | None, limit: int) -> tuple[list[Lesson], str | None]:
        """Of the classes somebody learns or teaches in now, the last planned one first."""
        storable(person)
        e, a = ENROLMENTS.c, ASSIGNMENTS.c
        learns = sa.select(e.training_class).where(e.person == person, e.status == "enrolled")
        teaches = sa.select(a.training_class).where(a.person == person, a.status == "assigned")
        query = sa.select(LESSONS, _BEGINS).where(
            sa.or_(LESSONS.c.training_class.in_(learns), LESSONS.c.training_class.in_(teaches))
        )
        return await self._access.page(query, _BY_START, after, limit)

    async def taught_by(self, person: str) -> frozenset[str]:
        """The classes that somebody teaches in now."""
        a = ASSIGNMENTS.c
        query = sa.select(a.training_class).where(a.person == storable(person), a.status == "assigned")
        async with self._access.reading() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def replan(
        self, lesson: str, planned_start_ms: int | None, planned_s: int | None, by: str, at_ms: int
    ) -> Lesson:
        """Another time for a lesson that has not begun.

        Raises PeerError `unknown_lesson` (404), `lesson_begun` (409).
        """
        where = LESSONS.c.id == storable(lesson)
        changes = {"planned_start_ms": planned_start_ms, "planned_s": planned_s}

        async def work(connection: AsyncConnection) -> tuple[Lesson, Lesson]:
            row = (await connection.execute(sa.select(LESSONS).where(where))).mappings().first()
            if row is None:
                raise PeerError("unknown_lesson", "there is no such lesson", status=404)
            if row["started_at_ms"] is not None or row["state"] == "ended":
                raise PeerError("lesson_begun", "the lesson has begun, or is over", status=409)
            await connection.execute(sa.update(LESSONS).where(where).values(**changes))
            return _lesson(row), _lesson({**row, **changes})

        def facts(pair: tuple[Lesson, Lesson]) -> list[ledger.PreparedFact]:
            before, after = pair
            data: dict[str, JSON] = {"by": by, "before": _plan(before), "after": _plan(after)}
            return [] if before == after else [ledger.prepare(Fact("planned", lesson, at_ms, data))]

        _, after = await self._access.record(work, facts)
        return after


def _plan(lesson: Lesson) -> dict[str, JSON]:
    return {"planned_start_ms": lesson.planned_start_ms, "planned_s": lesson.planned_s}
