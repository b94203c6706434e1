"""What is kept and for how long: stored objects, their readings, and recordings whose date has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.model.recordings import Recording, StoredObject
from liveserver.store.recordings import recording_of
from liveserver.store.tables.recordings import OBJECTS, RECORDINGS

_FINAL = ("sealed", "failed")


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all stored objects. `recent`: stored since a given moment."""

    objects: int
    size: int
    unlocked: int
    first_ms: int | None
    recent_size: int
    unread: int
    """Not read again since a given moment."""
    read_lately: int
    damaged: int
    """Whose last reading found them missing, altered or unlocked."""


class Kept:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def save_objects(self, objects: Sequence[StoredObject]) -> None:
        """Add objects, or replace where they are; what their readings found stays."""
        for found in objects:
            storable(found.key)
            storable(found.version or "")
        if not objects:
            return
        insert = self._access.insert(OBJECTS).values([asdict(found) for found in objects])
        kept = ("key", "stored_at_ms", "verified_at_ms", "verdict")
        changed = {c.name: insert.excluded[c.name] for c in OBJECTS.c if c.name not in kept}
        upsert = insert.on_conflict_do_update(index_elements=["key"], set_=changed)
        await self._access.write(lambda connection: connection.execute(upsert))

    async def objects(self, recording: str) -> list[StoredObject]:
        """One recording's, by key."""
        storable(recording)
        return await self._objects(sa.select(OBJECTS).where(OBJECTS.c.recording == recording))

    async def object(self, key: str) -> StoredObject | None:
        found = await self._objects(sa.select(OBJECTS).where(OBJECTS.c.key == storable(key)))
        return found[0] if found else None

    async def least_read(self, limit: int) -> list[StoredObject]:
        """Those whose last reading, or storing, is longest ago."""
        read = sa.func.coalesce(OBJECTS.c.verified_at_ms, OBJECTS.c.stored_at_ms)
        return await self._objects(
            sa.select(OBJECTS).order_by(read, OBJECTS.c.key).limit(limit), by_key=False
        )

    async def note_read(self, key: str, at_ms: int, verdict: str) -> None:
        """What a reading found."""
        change = sa.update(OBJECTS).where(OBJECTS.c.key == key)
        await self._access.write(
            lambda connection: connection.execute(change.values(verified_at_ms=at_ms, verdict=verdict))
        )

    async def totals(self, *, recent_since_ms: int, unread_since_ms: int, read_since_ms: int) -> Totals:
        """Counts and sums over all objects."""
        c = OBJECTS.c
        read = sa.func.coalesce(c.verified_at_ms, c.stored_at_ms)

        def count(condition: Any) -> Any:
            return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

        recent = sa.case((c.stored_at_ms >= recent_since_ms, c.size), else_=0)
        query = sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(c.size), 0),
            count(c.locked.is_(False)),
            sa.func.min(c.stored_at_ms),
            sa.func.coalesce(sa.func.sum(recent), 0),
            count(read < unread_since_ms),
            count(c.verified_at_ms >= read_since_ms),
            count(c.verdict.not_in(("", "intact", "unreadable"))),
        )
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).one()
        return Totals(
            objects=int(row[0]),
            size=int(row[1]),
            unlocked=int(row[2]),
            first_ms=None if row[3] is None else int(row[3]),
            recent_size=int(row[4]),
            unread=int(row[5]),
            read_lately=int(row[6]),
            damaged=int(row[7]),
        )

    async def expiring(self, before_ms: Sequence[int]) -> list[int]:
        """Bytes whose date lies before each moment, and that no hold keeps."""
        held = sa.select(RECORDINGS.c.id).where(RECORDINGS.c.hold != "")
        free = OBJECTS.c.recording.not_in(held)
        sums = [
            sa.func.coalesce(
                sa.func.sum(sa.case((OBJECTS.c.retain_until_ms < at, OBJECTS.c.size), else_=0)), 0
            )
            for at in before_ms
        ]
        if not sums:
            return []
        async with self._access.reading() as connection:
            return [int(value) for value in (await connection.execute(sa.select(*sums).where(free))).one()]

    async def due(self, now_ms: int, limit: int) -> list[Recording]:
        """Recordings whose date has come and that no hold keeps, the oldest date first."""
        query = (
            sa.select(RECORDINGS)
            .where(
                RECORDINGS.c.state.in_(_FINAL),
                RECORDINGS.c.retain_until_ms <= now_ms,
                RECORDINGS.c.hold == "",
            )
            .order_by(RECORDINGS.c.retain_until_ms, RECORDINGS.c.id)
            .limit(limit)
        )
        async with self._access.reading() as connection:
            return [recording_of(row) for row in (await connection.execute(query)).mappings()]

    async def set_hold(self, recording: str, reason: str) -> bool:
        """Hold a recording, or with "" let it go; False if there is none of that id."""
        storable(reason)
        change = sa.update(RECORDINGS).where(RECORDINGS.c.id == storable(recording)).values(hold=reason)

        async def work(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(change)).rowcount)

        found: bool = await self._access.write(work)
        return found

    async def forget(self, recording: str, at_ms: int) -> None:
        """The recording's objects are deleted: its row stays and says so."""
        gone = sa.delete(OBJECTS).where(OBJECTS.c.recording == storable(recording))
        said = sa.update(RECORDINGS).where(RECORDINGS.c.id == recording)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(gone)
            await connection.execute(said.values(state="deleted", deleted_at_ms=at_ms, locked=False))

        await self._access.write(work)

    async def _objects(self, query: sa.Select[Any], *, by_key: bool = True) -> list[StoredObject]:
        query = query.order_by(OBJECTS.c.key) if by_key else query
        async with self._access.reading() as connection:
            return [StoredObject(**row) for row in (await connection.execute(query)).mappings()]
