"""The line over the database that the nodes share: NOTIFY and LISTEN on a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from liveserver.bus.shared import LineError, Wire

MAX_BYTES = 7999  # of a payload, PostgreSQL's own bound
_PATIENCE_S = 2.0
_BACKLOG = 1024  # messages not looked at yet; beyond it the line is broken, which says so


class PostgresqlLine:
    """`url`: postgresql://…; `channel` is an identifier."""

    name = "postgresql"
    max_bytes = MAX_BYTES

    def __init__(self, url: str, channel: str):
        self._url = url
        self._channel = channel

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Wire]:
        """Connected and listening as long as the context lasts. Raises LineError."""
        try:
            connection = await asyncpg.connect(self._url, timeout=_PATIENCE_S, command_timeout=_PATIENCE_S)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise LineError(type(error).__name__) from error
        wire = _PostgresqlWire(connection, self._channel)
        try:
            await connection.add_listener(self._channel, wire.heard)
            connection.add_termination_listener(wire.ended)
            yield wire
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise LineError(type(error).__name__) from error
        finally:
            connection.terminate()  # nothing of ours waits there


class _PostgresqlWire:
    def __init__(self, connection: Any, channel: str):
        self._connection = connection
        self._channel = channel
        self._heard: asyncio.Queue[str | None] = asyncio.Queue(_BACKLOG)

    def heard(self, connection: object, pid: int, channel: str, payload: str) -> None:
        try:
            self._heard.put_nowait(payload)
        except asyncio.QueueFull:
            self._connection.terminate()

    def ended(self, connection: object) -> None:
        """A place is always free for this: the reader takes one first."""
        if self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(None)

    async def send(self, text: str) -> None:
        await self._connection.execute("SELECT pg_notify($1, $2)", self._channel, text)

    async def receive(self) -> str:
        text = await self._heard.get()
        if text is None:
            raise LineError("the connection has ended")
        return text
