"""How a room speaks to its connections: what carries words to each, who was greeted, many told in slices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from liveserver.core.messages import Json, dumps

SLICE_S = 0.005  # for one message to many, before others are let in
_SLICE = 250  # sockets: what is written to them leaves at the end of the loop's turn, 15 us each


class Carrier(Protocol):
    """A way to one client. Neither method blocks; each is bounded inside."""

    @property
    def kind(self) -> str: ...

    def send(self, text: str) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Voice:
    """One room's. No broadcast reaches a connection before its `joined`."""

    def __init__(self) -> None:
        self._carriers: dict[str, Carrier] = {}
        self._closers: dict[str, Callable[[str], None]] = {}
        self._greeted: set[str] = set()  # who has had `joined`
        self._said_to = 0  # how many, since others were let in
        self._said: tuple[Json, str] = ({}, "{}")  # what was sent last, and its text

    def reach(self, connection: str, carrier: Carrier) -> None:
        """Messages for `connection` go this way from now on."""
        self._carriers[connection] = carrier

    def closes_by(self, connection: str, close: Callable[[str], None]) -> None:
        """How to end a connection that has no carrier, or whose carrier is not all of it."""
        self._closers[connection] = close

    def forget(self, connection: str) -> None:
        """It has ended by itself."""
        self._carriers.pop(connection, None)
        self._closers.pop(connection, None)
        self._greeted.discard(connection)

    def close(self, connection: str, code: int, reason: str) -> bool:
        """End one connection behind what was said to it; whether there was a way to."""
        carrier = self._carriers.pop(connection, None)
        close = self._closers.pop(connection, None)
        self._greeted.discard(connection)
        if carrier is not None:
            carrier.close(code, reason)
        elif close is not None:
            close(reason)
        return carrier is not None or close is not None

    def has_greeted(self, connection: str) -> bool:
        return connection in self._greeted

    def send(self, connection: str, message: Json) -> None:
        """Say something to one client; by `joined` it is greeted."""
        if message["type"] == "joined":
            self._greeted.add(connection)
        carrier = self._carriers.get(connection)
        if carrier is not None:
            if message is not self._said[0]:
                self._said = (message, dumps(message))  # a thousand may be sent away with the same words
            carrier.send(self._said[1])

    def tell(self, connections: Iterable[str], message: Json) -> None:
        """Say something to a few at once."""
        text = dumps(message)
        for connection in connections:
            carrier = self._carriers.get(connection)
            if carrier is not None and connection in self._greeted:
                carrier.send(text)

    async def tell_many(self, connections: Sequence[str], message: Json) -> None:
        """Say something to each in slices of the loop's time: a data channel costs far more than a socket."""
        text = dumps(message)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for connection in connections:
            carrier = self._carriers.get(connection) if connection in self._greeted else None
            if carrier is not None:
                carrier.send(text)
                self._said_to += 1
            if self._said_to >= _SLICE or loop.time() - began_s > SLICE_S:
                await asyncio.sleep(0)
                self._said_to = 0
                began_s = loop.time()
