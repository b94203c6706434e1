"""Lines of the chat, beside the facts that speak of them: they can be erased."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.lists import Row, page_size
from liveserver.store.model.chat import ChatLine
from liveserver.store.tables.chat import CHAT

RECENT_MAX = 5_000
"""Chat lines of one look at all lessons."""


class Chat:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def newest(self, lesson: str, limit: int = 50, state: str = "shown") -> list[ChatLine]:
        """The newest `limit` lines that stand so (shown, held or removed), oldest first."""
        storable(lesson)
        query = (
            self._lines()
            .where(CHAT.c.lesson == lesson, CHAT.c.state == state)
            .order_by(CHAT.c.position.desc())
            .limit(page_size(limit))
        )
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_line_of(row) for row in reversed(rows)]

    async def recent(self, since_ms: int, limit: int) -> list[ChatLine]:
        """The newest `limit` lines of all lessons since a moment, oldest first."""
        query = (
            self._lines()
            .where(CHAT.c.at_ms >= since_ms)
            .order_by(CHAT.c.position.desc())
            .limit(min(max(limit, 1), RECENT_MAX))
        )
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_line_of(row) for row in reversed(rows)]

    async def page(self, lesson: str, after: int = -1, limit: int = 500) -> tuple[list[ChatLine], int | None]:
        """Every line of a lesson in the order of arrival, and where the next page begins (None: no more)."""
        query = (
            self._lines()
            .add_columns(CHAT.c.position)
            .where(CHAT.c.lesson == storable(lesson), CHAT.c.position > after)
            .order_by(CHAT.c.position)
            .limit(page_size(limit))
        )
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        lines = [_line_of({name: row[name] for name in row if name != "position"}) for row in rows]
        return lines, rows[-1]["position"] if len(rows) == page_size(limit) else None

    async def line(self, lesson: str, line: str) -> ChatLine | None:
        """One line of a lesson's chat, or None if it has none of that id."""
        storable(lesson)
        query = self._lines().where(CHAT.c.id == storable(line), CHAT.c.lesson == lesson)
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _line_of(row) if row else None

    async def set_state(self, line: str, state: str) -> None:
        """Where the line stands from now on."""
        change = sa.update(CHAT).where(CHAT.c.id == storable(line)).values(state=storable(state))
        await self._access.write(lambda connection: connection.execute(change))

    @staticmethod
    def _lines() -> sa.Select[Any]:
        return sa.select(*(CHAT.c[field.name] for field in fields(ChatLine)))


def _line_of(row: Row) -> ChatLine:
    return ChatLine(**{**row, "salt": bytes(row["salt"])})
