"""Waiting for a store that is away: again and again, ever slower, until it has taken what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from liveserver.log import Event
from liveserver.store import StoreError

T = TypeVar("T")
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


async def until_stored(write: Callable[[], Awaitable[T]], log: FilteringBoundLogger) -> T:
    """`write`, again and again while the database is away."""
    attempt = 0
    while True:
        try:
            return await write()
        except StoreError:
            log.exception(Event.STORE_FAILED, attempt=attempt)
            await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1
