"""The one timer behind all viewers who catch up: it sends what is due and sleeps until the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from liveserver.rtp.fanout import Fanout


class Lagging(Protocol):
    """Whose row fell too far behind to go on."""

    def overran(self, now_ns: int) -> None: ...


class Pacer:
    """`schedule(due_ns, callback)` runs a callback at a monotonic time. `owners`: by row."""

    def __init__(
        self,
        fanout: Fanout,
        clock_ns: Callable[[], int],
        schedule: Callable[[int, Callable[[], None]], asyncio.TimerHandle],
    ):
        self.owners: dict[int, Lagging] = {}
        self._fanout = fanout
        self._clock_ns = clock_ns
        self._schedule = schedule
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0

    def wake(self, due_ns: int) -> None:
        """Something is due then, perhaps sooner than what is waited for."""
        if self._timer is not None:
            if self._due_ns <= due_ns:
                return
            self._timer.cancel()
        self._due_ns = due_ns
        self._timer = self._schedule(due_ns, self.run)

    def run(self) -> None:
        """Send what is due. Also called when packets came, for they complete a frame that waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_ns = self._clock_ns()
        due_ns, overrun = self._fanout.pace(now_ns)
        for row in overrun:
            self.owners[row].overran(now_ns)
        if due_ns >= 0:
            self.wake(due_ns)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
