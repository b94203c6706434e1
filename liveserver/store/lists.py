"""Rows to values, and lists in pages: newest first, a cursor that stays right while rows are added."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable
from liveserver.store.model import CutRow, Drill, Lesson, Recording
from liveserver.store.tables.cuts import CUTS, DRILLS
from liveserver.store.tables.lessons import LESSONS
from liveserver.store.tables.recordings import RECORDINGS

T = TypeVar("T")
Row = Mapping[Any, Any]


def lesson_of(row: Row) -> Lesson:
    return Lesson(**row)


def recording_of(row: Row) -> Recording:
    return Recording(**{**row, "gaps": tuple(row["gaps"])})


def cut_of(row: Row) -> CutRow:
    return CutRow(**row)


def drill_of(row: Row) -> Drill:
    return Drill(**row)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How one table is listed. A cursor is `<age>-<key>` of the last row that was given."""

    age: sa.Column[int] | sa.Label[int]
    key: sa.Column[str]
    build: Callable[[Row], T]

    def page(self, query: sa.Select[Any], after: str | None, limit: int) -> sa.Select[Any]:
        """The statement for one page, with a row more than `limit` to see whether another follows.

        Raises PeerError `bad_request` or `bad_message` if `after` is no cursor.
        """
        if after is not None:
            query = query.where(sa.tuple_(self.age, self.key) < sa.tuple_(*_position(after)))
        return query.order_by(self.age.desc(), self.key.desc()).limit(limit + 1)

    def items(self, rows: Sequence[Row], limit: int) -> tuple[list[T], str | None]:
        """The page's values, and the cursor of the next page or None."""
        values = [self.build(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return values, None
        last = rows[limit - 1]
        return values, f"{last[self.age.name]}-{last[self.key.name]}"


LESSONS_BY_AGE = Listing(LESSONS.c.created_at_ms, LESSONS.c.id, lesson_of)
RECORDINGS_BY_AGE = Listing(RECORDINGS.c.started_at_ms, RECORDINGS.c.id, recording_of)
CUTS_BY_AGE = Listing(CUTS.c.at_ms, CUTS.c.key, cut_of)
DRILLS_BY_AGE = Listing(DRILLS.c.at_ms, DRILLS.c.id, drill_of)


def _position(cursor: str) -> tuple[int, str]:
    age, dash, key = cursor.partition("-")
    if not dash or not age.isascii() or not age.isdigit() or len(age) > 18:
        raise PeerError("bad_request", "the cursor is not one of ours")
    return int(age), storable(key)
