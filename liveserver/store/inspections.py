"""What inspectors drew and looked at: each row in one transaction with the fact that says so."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from liveserver.core.ledger import Fact, storable
from liveserver.core.sample import Held
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.lessons import lesson_of
from liveserver.store.model.inspections import Sample, View
from liveserver.store.model.lessons import Lesson
from liveserver.store.tables.inspections import SAMPLES, VIEWS
from liveserver.store.tables.lessons import LESSONS

POPULATION_MAX = 20_000


class Inspections:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def held(self, from_ms: int, until_ms: int, now_ms: int) -> list[Held]:
        """Lessons that began in a period, `until_ms` not included; at most one more than `POPULATION_MAX`."""
        c = LESSONS.c
        query = (
            sa.select(c.id, c.started_at_ms, c.ended_at_ms)
            .where(c.started_at_ms >= from_ms, c.started_at_ms < until_ms)
            .order_by(c.id)
            .limit(POPULATION_MAX + 1)
        )
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Held(name, max(0, (now_ms if ended is None else ended) - started) // 1000)
            for name, started, ended in rows
        ]

    async def lessons(self, ids: list[str]) -> dict[str, Lesson]:
        """By id."""
        query = sa.select(LESSONS).where(LESSONS.c.id.in_(ids))
        async with self._access.reading() as connection:
            return {row["id"]: lesson_of(row) for row in (await connection.execute(query)).mappings()}

    async def save_sample(self, sample: Sample, fact: Fact) -> int:
        """Where the ledger has it."""
        row = asdict(sample) | {"lessons": list(sample.lessons)}
        (entry,) = await self._access.append_rows([ledger.prepare(fact)], {SAMPLES: [row]})
        return int(entry.index)

    async def samples(self, limit: int = 50) -> list[Sample]:
        """The newest first."""
        query = sa.select(SAMPLES).order_by(SAMPLES.c.at_ms.desc(), SAMPLES.c.id).limit(limit)
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings()
            return [Sample(**{**row, "lessons": tuple(row["lessons"])}) for row in rows]

    async def save_view(self, view: View, fact: Fact) -> None:
        for text in (view.by, view.lesson, view.subject):
            storable(text)
        await self._access.append_rows([ledger.prepare(fact)], {VIEWS: [asdict(view)]})

    async def views(self, by: str, before: int | None = None, limit: int = 50) -> list[tuple[int, View]]:
        """One inspector's, the newest first, each with its place in the list."""
        c = VIEWS.c
        query = sa.select(VIEWS).where(c.by == storable(by)).order_by(c.position.desc()).limit(limit)
        if before is not None:
            query = query.where(c.position < before)
        async with self._access.reading() as connection:
            rows = [dict(row) for row in (await connection.execute(query)).mappings()]
        return [(row.pop("position"), View(**row)) for row in rows]
