"""What all peers of the process share: the native loop's thread, the way of its datagrams to their peers, and
the clock of the consent checks."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from types import TracebackType
from typing import Protocol

from loadtest._swarm import Swarm
from loadtest.swarm.dtls import Identity

_AT_ONCE = 500  # datagrams between two looks at everything else
_WHEEL_S = 0.2


class Member(Protocol):
    """What a hub knows of a peer."""

    def receive(self, kind: int, source: tuple[str, int] | None, data: bytes) -> None: ...

    def keep_alive(self, now_s: float) -> None: ...


class Hub:
    """`async with` it; `failed` holds what ended the native loop, if anything did."""

    def __init__(self, loss: float = 0.0, seed: int = 1, identity: Identity | None = None):
        self.native = Swarm(loss, seed)
        self.identity = identity or Identity()
        self.failed: OSError | None = None
        self.members: dict[int, Member] = {}
        self._thread = threading.Thread(target=self._run, name="swarm")
        self._wheel: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Hub:
        self._thread.start()
        asyncio.get_running_loop().add_reader(self.native.event_fd, self._readable)
        self._wheel = asyncio.create_task(self._turn(), name="consent")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self.native.event_fd)
        if self._wheel is not None:
            self._wheel.cancel()
            await asyncio.gather(self._wheel, return_exceptions=True)
        self.native.stop()
        await asyncio.to_thread(self._thread.join)

    def enter(self, descriptor: int, member: Member) -> int:
        """Watch a socket for `member`; its number."""
        number = self.native.add(descriptor)
        self.members[number] = member
        return number

    def leave(self, number: int) -> dict[str, int]:
        """The member's last counts."""
        del self.members[number]
        return self.native.remove(number)

    def _run(self) -> None:
        try:
            self.native.run()
        except OSError as error:
            self.failed = error

    def _readable(self) -> None:
        try:
            os.eventfd_read(self.native.event_fd)
        except BlockingIOError:
            return
        self._dispatch()

    def _dispatch(self) -> None:
        for _ in range(_AT_ONCE):
            event = self.native.take()
            if event is None:
                return
            number, kind, source, data = event
            member = self.members.get(number)
            if member is not None:
                member.receive(kind, source, data)
        asyncio.get_running_loop().call_soon(self._dispatch)

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(_WHEEL_S)
            now_s = time.monotonic()
            for member in list(self.members.values()):
                member.keep_alive(now_s)
