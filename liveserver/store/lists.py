"""Lists in pages: newest first, a cursor that stays right while rows are added."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable

T = TypeVar("T")
Row = Mapping[Any, Any]

PAGE_MAX = 1000
"""Rows of a list; a larger limit is brought down to it."""


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


def _position(cursor: str) -> tuple[int, str]:
    age, dash, key = cursor.partition("-")
    if not dash or not age.isascii() or not age.isdigit() or len(age) > 18:
        raise PeerError("bad_request", "the cursor is not one of ours")
    return int(age), storable(key)


def page_size(limit: int) -> int:
    return min(max(limit, 1), PAGE_MAX)


def check_texts(texts: Iterable[str]) -> None:
    """Raises PeerError `bad_message` for a text that no database holds."""
    for text in texts:
        storable(text)
