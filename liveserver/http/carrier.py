"""One WebSocket as a carrier of control messages: a bounded queue and the task that empties it.

A slow reader hurts only itself (RELIABILITY G25): what waits for it is bounded in number and in bytes,
and a reader that takes nothing for `stall` is closed with 4408.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Protocol

from liveserver.config_sections import SocketConfig

TOO_SLOW = 4408
_GOODBYE_S = 2.0  # for the close frame to leave and its echo to come


class Socket(Protocol):
    """What is used of aiohttp's WebSocketResponse."""

    async def send_str(self, data: str) -> None: ...

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool: ...


class WebSocketCarrier:
    """Owned by the connection's task; `send` and `close` may be called by whoever runs on the same loop."""

    kind = "websocket"

    def __init__(self, socket: Socket, config: SocketConfig, abort: Callable[[], None]):
        self._socket = socket
        self._abort = abort
        self._config = config
        self._queue: deque[tuple[str, int]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self.sent = 0

    @property
    def closing(self) -> int | None:
        """The code this side closes with, once it does."""
        return self._closing[0] if self._closing else None

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and bytes in the queue."""
        return len(self._queue), self._bytes

    def send(self, text: str) -> None:
        if self._closing is not None:
            return
        size = len(text.encode())
        if (
            len(self._queue) >= self._config.queue_messages
            or self._bytes + size > self._config.queue_size.bytes
        ):
            self._give_up()
            return
        self._queue.append((text, size))
        self._bytes += size
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()

    def _give_up(self) -> None:
        """Too slow: what waits is dropped, for it would only wait on."""
        self._closing = (TOO_SLOW, "too slow")
        self._queue.clear()
        self._bytes = 0
        self._wake.set()

    async def run(self) -> int:
        """Send what is queued until told to close, or until the reader is too slow. Returns the close code.

        Raises ConnectionError when the connection went away under it.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                text, size = self._queue.popleft()
                self._bytes -= size
                try:
                    async with asyncio.timeout(self._config.stall.s):
                        await self._socket.send_str(text)
                except TimeoutError:
                    self._give_up()
                    break
                self.sent += 1
            if self._closing is not None:
                await say_goodbye(self._socket, self._abort, *self._closing)
                return self._closing[0]


async def say_goodbye(socket: Socket, abort: Callable[[], None], code: int, reason: str) -> None:
    """The close frame goes behind what is still unsent; who has not taken it in time never will.

    Not drained: the frame is small, and a drain that a stall interrupted cannot be waited for again.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            await socket.close(code=code, message=reason.encode()[:123], drain=False)
    asyncio.get_running_loop().call_later(_GOODBYE_S, abort)
