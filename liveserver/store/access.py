"""How the parts of the store reach its database: what `Store` offers them, and nothing else of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.store import ledger
from liveserver.store.lists import Listing

T = TypeVar("T")


class Access(Protocol):
    """Reads take a connection of their own; everything that writes goes through the one writer."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def page(
        self, query: sa.Select[Any], listing: Listing[T], after: str | None, limit: int
    ) -> Awaitable[tuple[list[T], str | None]]: ...

    def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> Awaitable[T]: ...

    async def record(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        facts_of: Callable[[T], Sequence[ledger.PreparedFact]],
    ) -> T: ...

    def insert(self, table: sa.Table) -> Any: ...

    async def append_rows(
        self, facts: Sequence[ledger.PreparedFact], rows: Mapping[sa.Table, Sequence[dict[str, Any]]]
    ) -> Any: ...
