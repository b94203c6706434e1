"""One WebSocket as a carrier of control messages, and the rounds that look after all of them.

A class of 10,000 is told something by writing one frame, made once, into 10,000 transports (FIG-P7): no task,
queue or timer belongs to a single socket. What its reader has not taken waits in the transport's buffer. A
slow reader hurts only itself (RELIABILITY G25): what waits for it is bounded in number and in bytes, and one
that takes nothing for `stall` is closed with 4408.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from liveserver.config.sections import SocketConfig

TOO_SLOW = 4408
_GOODBYE_S = 2.0  # for the close frame to leave and its echo to come
_ROUND_S = 1.0
_SLICE = 1_000  # sockets looked at before others are let in, about a third of a millisecond
_TEXT, _PING = 0x81, b"\x89\x00"  # RFC 6455 5.2: final frames of a server, which are not masked


class Socket(Protocol):
    """What is used of aiohttp's WebSocketResponse."""

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool: ...


class Wire(Protocol):
    """What is used of the transport below it."""

    def write(self, data: bytes) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def is_closing(self) -> bool: ...

    def abort(self) -> None: ...


class Framer:
    """Texts as frames. What goes to thousands in a row is the same text: it is framed once."""

    def __init__(self) -> None:
        self._text, self._frame = "", frame(b"")

    def frame(self, text: str) -> bytes:
        if text is not self._text:
            self._text, self._frame = text, frame(text.encode())
        return self._frame


def frame(payload: bytes) -> bytes:
    """One text message (RFC 6455 5.2), not compressed: that would cost each socket 98 KB."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65_536:
        return bytes((_TEXT, 126)) + size.to_bytes(2) + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8) + payload


class WebSocketCarrier:
    """`send` and `close` may be called by whoever runs on the same loop; neither waits."""

    __slots__ = ("_behind", "_closing", "_config", "_framer", "_goodbye", "_heard_s", "_pinged_s", "_socket",
                 "_stalled_s", "_taken", "_wire", "_written", "sent")  # fmt: skip
    kind = "websocket"

    def __init__(self, socket: Socket, wire: Wire, config: SocketConfig, framer: Framer, now_s: float):
        self._socket = socket
        self._wire = wire
        self._config = config
        self._framer = framer
        self._behind = 0  # messages since all was taken
        self._written = 0  # octets, ever
        self._taken = 0  # of them, when that was last looked at
        self._stalled_s = 0.0  # since when nothing was; 0: nothing waits
        self._heard_s = now_s
        self._pinged_s = 0.0  # 0: not since it was heard
        self._closing: tuple[int, str] | None = None
        self._goodbye: asyncio.Task[None] | None = None
        self.sent = 0

    @property
    def closing(self) -> int | None:
        """The code this side closes with, once it does."""
        return self._closing[0] if self._closing else None

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages, at most, and octets that the reader has not taken."""
        size = self._wire.get_write_buffer_size()
        return (self._behind if size else 0), size

    def send(self, text: str) -> None:
        """Write it; a reader for whom too much waits already is closed instead."""
        if self._closing is not None or self._wire.is_closing():
            return
        framed = self._framer.frame(text)
        waits = self._wire.get_write_buffer_size()
        self._behind = self._behind + 1 if waits else 1
        if self._behind > self._config.queue_messages or waits + len(framed) > self._config.queue_size.bytes:
            self.close(TOO_SLOW, "too slow")
            return
        self._wire.write(framed)
        self._written += len(framed)
        self.sent += 1

    def close(self, code: int, reason: str) -> None:
        """Say goodbye behind what waits; whoever is asked twice keeps to the first."""
        if self._closing is None:
            self._closing = (code, reason)
            goodbye = say_goodbye(self._socket, self._wire.abort, code, reason)
            self._goodbye = asyncio.create_task(goodbye)

    async def ended(self) -> None:
        """When the goodbye has been said, if there was one."""
        if self._goodbye is not None:
            await asyncio.gather(self._goodbye, return_exceptions=True)

    def heard(self, now_s: float) -> None:
        """Something came from the other end, so it is there."""
        self._heard_s, self._pinged_s = now_s, 0.0

    def look(self, now_s: float) -> None:
        """Once a second: does it still read, is it still there?"""
        if self._closing is not None or (self._taken != self._written and not self._reads(now_s)):
            return
        patience_s = self._config.heartbeat.s
        if self._pinged_s:
            if now_s - self._pinged_s >= patience_s / 2:
                self._wire.abort()
        elif now_s - self._heard_s >= patience_s and not self._wire.is_closing():
            self._pinged_s = now_s
            self._wire.write(_PING)
            self._written += len(_PING)

    def _reads(self, now_s: float) -> bool:
        """Whether what was written is being taken; who takes nothing for `stall` is closed."""
        taken = self._written - self._wire.get_write_buffer_size()
        if taken == self._written:
            self._taken, self._stalled_s = taken, 0.0
        elif taken > self._taken or not self._stalled_s:
            self._taken, self._stalled_s = taken, now_s
        elif now_s - self._stalled_s >= self._config.stall.s:
            self.close(TOO_SLOW, "too slow")
            return False
        return True


class Rounds:
    """All open carriers of an application, looked at once a second by one task.

    A ping goes to whoever was silent for `socket.heartbeat`; who does not answer within half of that is gone.
    """

    def __init__(self) -> None:
        self.framer = Framer()
        self._carriers: dict[WebSocketCarrier, None] = {}
        self._going: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._carriers)

    @contextlib.contextmanager
    def watching(self, carrier: WebSocketCarrier) -> Iterator[None]:
        """As long as the block lasts."""
        self._carriers[carrier] = None
        if self._going is None:
            self._going = asyncio.create_task(self._go(), name="socket rounds")
        try:
            yield
        finally:
            del self._carriers[carrier]

    async def stop(self) -> None:
        """At the end of the application."""
        if self._going is not None:
            self._going.cancel()
            await asyncio.gather(self._going, return_exceptions=True)

    async def _go(self) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_ROUND_S)
            for number, carrier in enumerate(list(self._carriers)):
                carrier.look(now_s())
                if number % _SLICE == _SLICE - 1:
                    await asyncio.sleep(0)


async def say_goodbye(socket: Socket, abort: Callable[[], None], code: int, reason: str) -> None:
    """The close frame goes behind what is still unsent; who has not taken it in time never will.

    Not drained: the frame is small, and a drain that a stall interrupted cannot be waited for again.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            await socket.close(code=code, message=reason.encode()[:123], drain=False)
    asyncio.get_running_loop().call_later(_GOODBYE_S, abort)
