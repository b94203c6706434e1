"""What a packet, a join and an idle viewer cost this machine: `liveserver bench fanout | joins | idle`.

CPU time, not wall time: machines are shared. `joins` and `idle` start a server of their own in a folder of
their own, and real WebRTC viewers in another process, so that only the server's time is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from liveserver.bench import fanout as bench_fanout
from liveserver.own_server import OwnServer, own_server, stop

_CPUCLOCK_SCHED = 2  # <linux/posix-timers.h>

Report = dict[str, Any]
Tell = Callable[[str], None]


def fanout(viewers: int, seconds: float, tell: Tell, profile: str = bench_fanout.GCM) -> Report:
    """Forward a 1 Mbit/s picture and its sound to `viewers` viewers, beside the least that it could cost."""
    return bench_fanout.measure(viewers, seconds, tell, profile)


async def joins(viewers: int, tell: Tell) -> Report:
    """Join `viewers` WebRTC viewers as fast as they are taken; the node's CPU for each.

    A join: WHEP, ICE, DTLS, SCTP, the `control` channel and the message `joined`, whose fact is committed.
    """
    async with own_server(viewers, tell) as own:
        server = _Server(own)
        before, loop_before = server.cpu_s(), server.loop_s()
        tell(f"{viewers} viewers join")
        async with server.herd("loadtest.rush") as joined:
            spent, of_loop = server.cpu_s() - before, server.loop_s() - loop_before
            return {
                "bench": "joins",
                "viewers": viewers,
                "cpu_ms_per_join": round(spent * 1000 / viewers, 3),
                "loop_ms_per_join": round(of_loop * 1000 / viewers, 3),
                "joins_per_s": round(viewers / joined["seconds"], 1),
            }


async def idle(viewers: int, seconds: float, tell: Tell) -> Report:
    """`viewers` connected viewers of a lesson that has not begun; the node's CPU for each second of each."""
    async with own_server(viewers, tell) as own:
        server = _Server(own)
        rested = await server.cpu_over(seconds)
        memory = server.rss_bytes()
        async with server.herd():
            tell(f"{viewers} viewers do nothing for {seconds:g} s")
            spent = await server.cpu_over(seconds)
            grown = server.rss_bytes() - memory
    return {
        "bench": "idle",
        "viewers": viewers,
        "seconds": seconds,
        "us_per_viewer_second": round((spent - rested) * 1e6 / (viewers * seconds), 1),
        "server_core_share_empty": round(rested / seconds, 5),
        "kib_per_viewer": round(grown / 1024 / viewers, 1),
    }


class _Server:
    """A demo server in a process group of its own, and what its node uses."""

    def __init__(self, own: OwnServer):
        self._ready, self._node = own.ready, own.node

    def cpu_s(self) -> float:
        """User and system time of all the node's threads so far, to the nanosecond.

        Linux makes a process's clock of its number: clock_getcpuclockid(3).
        """
        return time.clock_gettime(~self._node << 3 | _CPUCLOCK_SCHED)

    def loop_s(self) -> float:
        """Time of the node's main thread alone: without the store's threads and the guard's."""
        return int(Path(f"/proc/{self._node}/schedstat").read_text().split()[0]) / 1e9

    async def cpu_over(self, seconds: float) -> float:
        before = self.cpu_s()
        await asyncio.sleep(seconds)
        return self.cpu_s() - before

    def rss_bytes(self) -> int:
        pages = int(Path(f"/proc/{self._node}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @contextlib.asynccontextmanager
    async def herd(self, module: str = "loadtest.herd") -> AsyncIterator[dict[str, Any]]:
        """All learners joined, as long as the context lasts. The module's own words say how they are."""
        url = f"{self._ready['base_url']}/whep/{self._ready['lesson']}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write("\n".join([*self._ready["learner_tokens"], "", ""]).encode())
            line = await asyncio.wait_for(process.stdout.readline(), 300)
            if not line:
                raise RuntimeError("the viewers could not join; the reason is above")
            yield json.loads(line)
        finally:
            process.stdin.close()
            await stop(process)
