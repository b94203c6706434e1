"""Lessons, as the store has them."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.lists import Listing, Row, check_texts
from liveserver.store.model.lessons import Lesson
from liveserver.store.tables.lessons import LESSONS


def lesson_of(row: Row) -> Lesson:
    return Lesson(**row)


_BY_AGE = Listing(LESSONS.c.created_at_ms, LESSONS.c.id, lesson_of)


class Lessons:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def create(self, lesson: Lesson) -> None:
        """Add a lesson. Raises StoreError if its id exists."""
        check_texts((lesson.id, lesson.title, lesson.instructor, lesson.state))
        await self._access.write(lambda c: c.execute(sa.insert(LESSONS).values(asdict(lesson))))

    async def one(self, lesson: str) -> Lesson | None:
        """The lesson, or None if there is none of that id."""
        storable(lesson)
        query = sa.select(LESSONS).where(LESSONS.c.id == lesson)
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return lesson_of(row) if row else None

    async def known(self, lesson: str) -> Lesson:
        """The lesson. Raises PeerError `unknown_lesson` (404)."""
        found = await self.one(lesson)
        if found is None:
            raise PeerError("unknown_lesson", "there is no such lesson", status=404)
        return found

    async def page(
        self, state: str | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[list[Lesson], str | None]:
        """Lessons, newest first, and the cursor of the next page (None after the last).

        Raises PeerError `bad_request` for a cursor that is none.
        """
        query = sa.select(LESSONS)
        if state is not None:
            storable(state)
            query = query.where(LESSONS.c.state == state)
        return await self._access.page(query, _BY_AGE, after, limit)

    async def update(
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
        check_texts((lesson, state or "", instructor or "", policy or ""))

        async def work(connection: AsyncConnection) -> None:
            # Naming the id as well keeps the statement valid when nothing is to be changed.
            statement = sa.update(LESSONS).where(LESSONS.c.id == lesson).values(id=lesson, **changes)
            if not (await connection.execute(statement)).rowcount:
                raise PeerError("unknown_lesson", "there is no such lesson", status=404)

        await self._access.write(work)
