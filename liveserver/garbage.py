"""When Python looks for garbage cycles: often among what is new, hardly ever among all there is.

A class of 10,000 sockets is a million objects that live as long as the class. By default Python walks through
all of them whenever a quarter more have come: measured, 1.4 s in which nobody is sent anything. So what the
start has made is set aside for good, a look at everything is due only after ten million new objects, and is
had early whenever nobody is in a lesson. What is new is looked at between times, while it is little: or a
check of 10,000 learners, which makes 10,000 objects, would be the one that waits for it (measured, 70 ms).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable

_YOUNG = 5_000  # new objects, less those that went: half a millisecond
_MIDDLE = 10  # such looks: 50,000 objects, some milliseconds
_OLD = 400  # such looks, of which half come early: ten million objects
_EVERY = 30  # seconds between looks at everything


class Garbage:
    """The node's. `is_quiet`: nobody would notice a pause now."""

    def __init__(self, is_quiet: Callable[[], bool]):
        self._is_quiet = is_quiet
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Once everything that lives as long as the process has been made."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
        gc.enable()  # off while the program was read (liveserver.node)
        self._looking = asyncio.create_task(self._look(), name="garbage")

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    def look(self) -> bool:
        """Walk through everything if nobody is there and there is something new; whether it was done."""
        if not self._is_quiet() or gc.get_count()[2] == 0:
            return False
        gc.collect()
        return True

    def tidy(self) -> bool:
        """Look at what is new before it is much, so that no burst has to; whether it was done."""
        if gc.get_count()[1] < _MIDDLE // 2:
            return False
        gc.collect(1)
        return True

    async def _look(self) -> None:
        while True:
            for _ in range(_EVERY):
                await asyncio.sleep(1.0)
                self.tidy()
            self.look()
