"""One connection of an edge at the door: bytes come, questions are asked of the `Door`, answers go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from aiohttp import hdrs

from liveserver.core.errors import PeerError
from liveserver.http import door_wire as wire
from liveserver.log import Event, get_logger

if TYPE_CHECKING:
    from liveserver.http.door import Door
    from liveserver.http.ports.rooms import Broadcast

_AHEAD_MOST = 2 * wire.HEAD_MOST  # bytes that wait for their turn
_log = get_logger()


class Visitor(asyncio.Protocol):
    """One connection of an edge: one question after the other; what comes meanwhile waits, bounded."""

    def __init__(self, door: Door):
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._idle_s = door.services.config.http.idle_timeout.s
        self._received = b""
        self._heard_s = self._loop.time()
        self._idle: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._is_full = False  # it does not take what it is told
        self._is_paused = False
        self._is_queued = False
        self._transport: asyncio.Transport
        self._other_end = ""

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own does not inherit from it
        peer = transport.get_extra_info("peername")
        self._other_end = str(peer[0]) if peer else ""
        self._door.open.add(self)
        self._watch(self._idle_s)

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        self._received += data
        if len(self._received) > _AHEAD_MOST:
            self._refuse(wire.too_large(), None)
        else:
            self._go_on()

    def pause_writing(self) -> None:
        self._is_full = True
        self._pause()

    def resume_writing(self) -> None:
        self._is_full = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.open.discard(self)
        if self._idle is not None:
            self._idle.cancel()
        if self._asking is not None:
            self._asking.cancel()

    def leave(self) -> asyncio.Task[None] | None:
        """End it; the task that is left, if any."""
        asking = self._asking
        self._transport.abort()
        if asking is not None:
            asking.cancel()
        return asking

    def read(self) -> None:
        """Answer what is there, as far as that goes at once."""
        self._is_queued = False
        while self._received and not (self._asking or self._is_full or self._transport.is_closing()):
            end = self._received.find(wire.END)
            if end < 0:
                if len(self._received) > wire.HEAD_MOST:
                    self._refuse(wire.too_large(), None)
                break
            head = self._received[: end + len(wire.END)]
            self._received = self._received[end + len(wire.END) :]
            self._door.connections.request_started(self._transport)
            self._answer(head)
        if self._is_paused and not (self._asking or self._is_full or self._transport.is_closing()):
            self._is_paused = False
            self._transport.resume_reading()

    # --- inside ---

    def _go_on(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self._door.soon(self)

    def _pause(self) -> None:
        if not (self._is_paused or self._transport.is_closing()):
            self._is_paused = True
            self._transport.pause_reading()

    def _answer(self, head: bytes) -> None:
        began_ns = self._door.services.clock.monotonic_ns()
        asked = None
        try:
            asked = wire.read(head)
            broadcast = self._door.at_once(asked)
        except PeerError as error:
            self._refuse(error, asked)
            return
        except Exception as error:  # one question's failure must not end another's
            self._fail(error)
            return
        if broadcast is not None:
            self._say(broadcast, asked, began_ns)
            return
        self._pause()
        self._asking = asyncio.create_task(self._look_up(asked, began_ns), name="door")

    async def _look_up(self, asked: wire.Question, began_ns: int) -> None:
        try:
            self._say(await self._door.looked_up(asked), asked, began_ns)
        except PeerError as error:
            self._refuse(error, asked)
        except Exception as error:  # as in `_answer`
            self._fail(error)
        self._asking = None
        self._go_on()

    def _say(self, broadcast: Broadcast, asked: wire.Question, began_ns: int) -> None:
        answer = self._door.granted(broadcast, began_ns, is_last=asked.is_last)
        self._write(answer, is_last=asked.is_last)

    def _refuse(self, error: PeerError, asked: wire.Question | None) -> None:
        answer = self._door.refused(error, self._other_end, asked)
        self._write(answer, is_last=asked is None or asked.is_last)

    def _fail(self, error: Exception) -> None:
        kind = type(error).__name__
        _log.error(Event.HTTP_FAILED, route=wire.ROUTE, method=hdrs.METH_GET, kind=kind, exc_info=error)
        told = PeerError("internal", "The server failed; it was logged.", status=500)
        self._refuse(told, None)

    def _write(self, answer: bytes, *, is_last: bool) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        self._door.connections.request_ended(self._transport)
        if is_last:
            self._received = b""
            self._transport.close()

    def _watch(self, seconds: float) -> None:
        self._idle = self._loop.call_later(seconds, self._look_idle)

    def _look_idle(self) -> None:
        left_s = self._heard_s + self._idle_s - self._loop.time()
        if left_s > 0 or self._asking is not None:
            self._watch(max(left_s, 1.0))
        else:
            self._transport.abort()
