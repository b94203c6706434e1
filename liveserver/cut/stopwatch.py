"""A cut's stopwatch: from its request to the last packet of media, by the words the fan-out leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from liveserver.core.measured import Measured
from liveserver.rtp.flags import Flags

PATIENCE_S = 10.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.000_5, 0.02


class Stopwatch:
    """`room` is the lesson's row (None: nobody here has it open), `kinds` what the cut holds back there.

    It began with the request at `began_ns`, the flags stood at `flags_ns` (CLOCK_MONOTONIC). On one loop.
    """

    def __init__(self, flags: Flags, room: int | None, kinds: int, began_ns: int, flags_ns: int):
        self._flags = flags
        self._room = room
        self._darkens = bool(kinds)
        self._began_ns = began_ns
        self._flags_ns = flags_ns
        self._viewers = flags.viewers(room) if room is not None else 0
        self._udp_ns = self._tcp_ns = 0
        self._told_ns = 0
        self._drained_ns: int | None = None
        self._told, self._drained = asyncio.Event(), asyncio.Event()
        self.is_silent = room is None or not kinds

    def look(self) -> bool:
        """Whether nothing held back is on its way to a socket any more; looked at once, that stays so.

        What other kinds still send until the look counts as well: the times are never too short.
        """
        if not self.is_silent and self._room is not None and not self._flags.is_sending(self._room):
            self._udp_ns = self._flags.last_udp_ns(self._room)
            self._tcp_ns = self._flags.last_tcp_ns(self._room)
            self.is_silent = True
        return self.is_silent

    def told(self, at_ns: int) -> None:
        """The main loop has told everybody, and who is sent away is."""
        self._told_ns = at_ns
        self._told.set()

    def drained(self, at_ns: int | None) -> None:
        """Nothing lay in the kernel's queue of any TCP connection at `at_ns`; 0: there was none, None: that
        was not seen."""
        self._drained_ns = at_ns
        self._drained.set()

    async def run(self, patience_s: float = PATIENCE_S) -> Measured:
        """All there is to know, after `patience_s` at the latest."""
        pause_s = _FIRST_LOOK_S
        try:
            async with asyncio.timeout(patience_s):
                while not self.look():
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LAST_LOOK_S)
                if self._tcp_ns:
                    await self._drained.wait()
                await self._told.wait()
        except TimeoutError:
            pass
        return self.measured

    @property
    def measured(self) -> Measured:
        """What is known so far."""
        flags_us, told_us = self._us(self._flags_ns) or 0, self._us(self._told_ns)
        udp_us, tcp_us = self._us(self._udp_ns), self._us(self._tcp_ns)
        if tcp_us is not None and self._drained_ns:
            tcp_us = max(tcp_us, self._us(self._drained_ns) or 0)
        is_over = self.is_silent and (tcp_us is None or self._drained_ns is not None)
        dark_us = told_us
        if self._darkens:
            dark_us = max(flags_us, udp_us or 0, tcp_us or 0) if is_over else None
        return Measured(self._viewers, flags_us, udp_us, tcp_us, told_us, dark_us)

    def _us(self, at_ns: int) -> int | None:
        """After the request; None for 0, which is never."""
        return (at_ns - self._began_ns) // 1000 if at_ns else None


class Stopwatches:
    """Those that run, by the ids of their cuts. On one loop."""

    def __init__(self) -> None:
        self._running: dict[str, Stopwatch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, cut: str, watch: Stopwatch, done: Callable[[Measured], None]) -> None:
        """Call `done` with the cut's times once they are all known."""

        async def run() -> None:
            measured = await watch.run()
            del self._running[cut]
            done(measured)

        self._running[cut] = watch
        task = asyncio.get_running_loop().create_task(run(), name=f"stopwatch {cut}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def told(self, cut: str, at_ns: int) -> None:
        """As `Stopwatch.told`; one that does not run any more is not meant."""
        if cut in self._running:
            self._running[cut].told(at_ns)

    def drained(self, cut: str, at_ns: int | None) -> None:
        """As `Stopwatch.drained`."""
        if cut in self._running:
            self._running[cut].drained(at_ns)

    async def stop(self) -> None:
        """What is not known yet stays unknown."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
