"""What a server's node has used, read beside a load."""

from __future__ import annotations

import asyncio

from loadtest.swarm.processes import Usage, usage

_NODE = "liveserver.node"


class Meter:
    """`pid`: the server's on this machine; without one it is elsewhere, and nothing is known."""

    def __init__(self, pid: int | None):
        self._pid = pid

    def read(self) -> Usage:
        return usage(self._pid) if self._pid is not None else Usage({}, {})

    async def over(self, seconds: float) -> float:
        before = self.cpu_s()
        await asyncio.sleep(seconds)
        return (self.cpu_s() - before) / seconds

    def cpu_s(self) -> float:
        return self.read().cpu_s.get(_NODE, 0.0)

    def rss(self) -> int:
        return self.read().resident.get(_NODE, 0)
