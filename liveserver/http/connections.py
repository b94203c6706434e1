"""Limits on TCP connections, in front of aiohttp's own protocol (RELIABILITY G23).

A connection must complete a request's header within `header_timeout` of its first byte, and of being opened;
of those that have not completed their first one, an address may hold `unfinished_per_address`. A school
behind one address is not limited once its requests are real. Everything open is bounded by
`max_connections` and by the descriptors this process may have; who comes on top is told 503.

Each of aiohttp's protocols is wrapped, none of its private parts are used.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from typing import cast

from aiohttp import web

from liveserver.config.sections import HttpConfig
from liveserver.metrics import Metrics

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_OTHER_FILES = 256  # descriptors kept for the store, recordings being played, the media port


class Connections:
    """All open connections of one listening socket; owned by the event loop's thread."""

    def __init__(self, config: HttpConfig, metrics: Metrics, make: Callable[[], asyncio.Protocol]):
        self._config = config
        self._most = min(config.max_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES)
        self._metrics = metrics
        self._make = make
        self._by_transport: dict[asyncio.BaseTransport, Connection] = {}
        self._unfinished: Counter[str] = Counter()

    def __call__(self) -> Connection:
        """A protocol for a new connection: what `loop.create_server` asks for."""
        return Connection(self, self._make())

    def __len__(self) -> int:
        return len(self._by_transport)

    @property
    def header_timeout_s(self) -> float:
        return self._config.header_timeout.s

    def opened(self, connection: Connection, transport: asyncio.BaseTransport) -> bool:
        """Count it in; False when a limit says no."""
        if len(self._by_transport) >= self._most:
            return self.refused("total")
        if self._unfinished[connection.address] >= self._config.unfinished_per_address:
            return self.refused("address")
        self._by_transport[transport] = connection
        self._unfinished[connection.address] += 1
        return True

    def refused(self, why: str) -> bool:
        self._metrics.connections_refused.labels(why).inc()
        return False

    def finished(self, address: str) -> None:
        """An unfinished connection of `address` completed its first request, or went away."""
        self._unfinished[address] -= 1
        if not self._unfinished[address]:
            del self._unfinished[address]

    def closed(self, transport: asyncio.BaseTransport) -> None:
        self._by_transport.pop(transport, None)

    def request_started(self, transport: asyncio.BaseTransport | None) -> None:
        """A request's header on `transport` is complete."""
        connection = self._by_transport.get(transport) if transport is not None else None
        if connection is not None:
            connection.request_started()

    def request_ended(self, transport: asyncio.BaseTransport | None) -> None:
        connection = self._by_transport.get(transport) if transport is not None else None
        if connection is not None:
            connection.request_ended()


class Connection(asyncio.Protocol):
    """Watches one connection's clock and hands everything on to aiohttp's protocol."""

    __slots__ = ("_busy", "_first_done", "_inner", "_owner", "_timer", "_transport", "address")

    def __init__(self, owner: Connections, inner: asyncio.Protocol):
        self._owner = owner
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._first_done = False
        self._busy = False
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        # A TCP transport, which uvloop's own class does not inherit.
        tcp = cast(asyncio.Transport, transport)
        if not self._owner.opened(self, tcp):
            tcp.write(_BUSY)
            tcp.close()
            return
        self._transport = tcp
        self._arm()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._busy and self._timer is None:
            self._arm()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        self._disarm()
        if not self._first_done:
            self._owner.finished(self.address)
        self._owner.closed(self._transport)
        self._inner.connection_lost(exc)

    def request_started(self) -> None:
        self._busy = True
        self._disarm()
        if not self._first_done:
            self._first_done = True
            self._owner.finished(self.address)

    def request_ended(self) -> None:
        self._busy = False

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._owner.header_timeout_s, self._too_late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._owner.refused("header_timeout")
        if self._transport is not None:
            self._transport.abort()


CONNECTIONS = web.AppKey("connections", list[Connections])
"""One per listening socket of the application; filled when it listens."""
