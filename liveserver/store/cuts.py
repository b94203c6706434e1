"""The list of cuts: what was cut, how long it took, and who lifted it; and the drills of cutting."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.lists import Listing, Row
from liveserver.store.model.cuts import CutRow, Drill
from liveserver.store.tables.cuts import CUTS, DRILLS


def _cut_of(row: Row) -> CutRow:
    return CutRow(**row)


def _drill_of(row: Row) -> Drill:
    return Drill(**row)


_CUTS_BY_AGE = Listing(CUTS.c.at_ms, CUTS.c.key, _cut_of)
_DRILLS_BY_AGE = Listing(DRILLS.c.at_ms, DRILLS.c.id, _drill_of)


class Cuts:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def save(self, row: CutRow) -> None:
        """Add a cut; of one that is there, take the times."""
        for text in (row.key, row.lesson, row.reason, row.made_by, row.person or ""):
            storable(text)
        insert = self._access.insert(CUTS).values(asdict(row))
        changed = {"measured": insert.excluded["measured"]}
        upsert = (
            insert.on_conflict_do_update(index_elements=["key"], set_=changed)
            if row.measured is not None
            else insert.on_conflict_do_nothing()
        )
        await self._access.write(lambda connection: connection.execute(upsert))

    async def restored(self, lesson: str, epoch: int, at_ms: int, by: str) -> None:
        """What was cut before `epoch` stands no more."""
        standing = (CUTS.c.lesson == lesson) & (CUTS.c.epoch < epoch) & CUTS.c.restored_at_ms.is_(None)
        lifted = {"restored_at_ms": at_ms, "restored_by": storable(by)}
        update = sa.update(CUTS).where(standing).values(lifted)
        await self._access.write(lambda connection: connection.execute(update))

    async def of(
        self, lesson: str, after: str | None = None, limit: int = 50
    ) -> tuple[list[CutRow], str | None]:
        """The lesson's, newest first, and the cursor of the next page; raises as `Lessons.page` does."""
        query = sa.select(CUTS).where(CUTS.c.lesson == storable(lesson))
        return await self._access.page(query, _CUTS_BY_AGE, after, limit)

    async def save_drill(self, drill: Drill) -> None:
        """Add a drill. Raises StoreError if its id exists."""
        insert = sa.insert(DRILLS).values(asdict(drill) | {"times": dict(drill.times)})
        await self._access.write(lambda connection: connection.execute(insert))

    async def drills(self, after: str | None = None, limit: int = 50) -> tuple[list[Drill], str | None]:
        """All, newest first, and the cursor of the next page; raises as `Lessons.page` does."""
        return await self._access.page(sa.select(DRILLS), _DRILLS_BY_AGE, after, limit)
