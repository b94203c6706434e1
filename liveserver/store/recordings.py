"""Recordings, as the store has them, and the reels of long ones."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from liveserver.core.ledger import canonical_json, storable
from liveserver.store.access import Access
from liveserver.store.lists import PAGE_MAX, Listing, Row, check_texts
from liveserver.store.model.recordings import Recording
from liveserver.store.tables.recordings import RECORDINGS


def recording_of(row: Row) -> Recording:
    return Recording(**{**row, "gaps": tuple(row["gaps"])})


_BY_AGE = Listing(RECORDINGS.c.started_at_ms, RECORDINGS.c.id, recording_of)


class Recordings:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def save(self, recording: Recording) -> None:
        """Add a recording, or replace what is known of it but its legal hold (`kept.set_hold`)."""
        row = asdict(recording) | {"gaps": [dict(gap) for gap in recording.gaps]}
        check_texts((recording.id, recording.lesson, recording.path, recording.detail, recording.hold))
        canonical_json(row["gaps"])
        insert = self._access.insert(RECORDINGS).values(row)
        changed = {name: insert.excluded[name] for name in row if name not in ("id", "hold")}
        upsert = insert.on_conflict_do_update(index_elements=["id"], set_=changed)
        await self._access.write(lambda connection: connection.execute(upsert))

    async def one(self, recording: str) -> Recording | None:
        """The recording, or None if there is none of that id."""
        storable(recording)
        query = sa.select(RECORDINGS).where(RECORDINGS.c.id == recording)
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return recording_of(row) if row else None

    async def of(self, lesson: str) -> list[Recording]:
        """One lesson's, oldest first; at most 1,000."""
        storable(lesson)
        query = (
            sa.select(RECORDINGS)
            .where(RECORDINGS.c.lesson == lesson)
            .order_by(RECORDINGS.c.started_at_ms, RECORDINGS.c.id)
            .limit(PAGE_MAX)
        )
        async with self._access.reading() as connection:
            return [recording_of(row) for row in (await connection.execute(query)).mappings()]

    async def reels(self, recording: Recording) -> list[Recording]:
        """All reels of the recording that this one belongs to, in their order; at most 1,000."""
        if not recording.series:  # recorded before there were reels
            return [recording]
        query = sa.select(RECORDINGS).where(RECORDINGS.c.series == recording.series)
        async with self._access.reading() as connection:
            rows = (await connection.execute(query.order_by(RECORDINGS.c.reel).limit(PAGE_MAX))).mappings()
            return [recording_of(row) for row in rows]

    async def page(self, after: str | None = None, limit: int = 50) -> tuple[list[Recording], str | None]:
        """Every lesson's, newest first, and the cursor of the next page; raises as `Lessons.page` does."""
        return await self._access.page(sa.select(RECORDINGS), _BY_AGE, after, limit)
