"""A run: viewers join at a rate, stay while it is measured, and leave."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from loadtest.swarm.dtls import PROFILE_NAMES, HandshakeError
from loadtest.swarm.hub import Hub
from loadtest.swarm.peer import Peer, UnreachableError
from loadtest.swarm.processes import usage
from loadtest.swarm.report import Measured, Server, Visit, difference
from loadtest.swarm.sdp import Ours, Theirs, UnsuitableError
from loadtest.swarm.whep import RefusedError

_JOINING = 1000  # at most so many at once, whatever the rate
_PATIENCE_S = 30.0  # with a server that is full and says when to come again
_LEAVING = 50
_JOIN_TIMEOUT_S = 15.0
_LOOK_S = 0.2


class Signalling(Protocol):
    """How a viewer gets to know the server's side, and leaves."""

    async def open(self, ours: Ours) -> Theirs: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` joins a second; `settle_s` between the last of them and the measurement of `seconds`.

    `server_pid` is the server's first process where it runs on this machine.
    """

    viewers: int
    seconds: float
    rate: float
    settle_s: float = 2.0
    server_pid: int | None = None


class Viewer:
    """Joins once; `visit` tells what became of it."""

    def __init__(self, hub: Hub, signalling: Signalling):
        self.visit = Visit()
        self._signalling = signalling
        self._peer = Peer(hub)

    async def join(self) -> None:
        """Whatever goes wrong is noted in `visit`."""
        visit, peer = self.visit, self._peer
        visit.began_s = time.monotonic()
        try:
            theirs = await self._open()
            visit.answered_s = time.monotonic()
            await peer.connect(theirs, _JOIN_TIMEOUT_S)
        except RefusedError as error:
            visit.failure = str(error)
        except (UnsuitableError, UnreachableError, HandshakeError) as error:
            visit.failure = str(error)
        except TimeoutError:
            visit.failure = (
                "no DTLS within the time" if visit.answered_s else "no HTTP answer within the time"
            )
        except (aiohttp.ClientError, OSError) as error:
            visit.failure = f"{type(error).__name__}: {error}"
        else:
            visit.checked_s, visit.secured_s = peer.checked_s, peer.secured_s
            visit.profile = PROFILE_NAMES[peer.profile]

    async def _open(self) -> Theirs:
        """Comes again when it is told to (Retry-After), as the pages do; the time counts as signalling."""
        while True:
            try:
                return await self._signalling.open(self._peer.ours)
            except RefusedError as error:
                pause_s = error.retry_after_s
                if pause_s is None or time.monotonic() + pause_s > self.visit.began_s + _PATIENCE_S:
                    raise
                self.visit.postponed += 1
                await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))

    @property
    def is_there(self) -> bool:
        return self.visit.joined and not self._peer.gone.is_set()

    def counts(self) -> Mapping[str, int]:
        return self._peer.counts()

    async def leave(self) -> None:
        if self.visit.joined:
            self.visit.gone = self._peer.why
        self._peer.close()
        self.visit.counts = self._peer.counts()
        await self._signalling.close()


class Crowd:
    """`tell(phase, done, of, detail)` is called about five times a second."""

    def __init__(
        self,
        hub: Hub,
        open_session: Callable[[int], Signalling],
        plan: Plan,
        tell: Callable[[str, float, float, str], None],
    ):
        self._hub, self._plan, self._tell = hub, plan, tell
        self._viewers = [Viewer(hub, open_session(number)) for number in range(plan.viewers)]
        self.measured: Measured | None = None
        self._at_first = usage(plan.server_pid) if plan.server_pid else None

    @property
    def visits(self) -> Sequence[Visit]:
        return [viewer.visit for viewer in self._viewers]

    async def run(self) -> None:
        try:
            await self._join()
            if any(viewer.is_there for viewer in self._viewers):
                await self._stay("settling", self._plan.settle_s)
                await self._measure()
        finally:
            await self._leave()

    async def _join(self) -> None:
        gate = asyncio.Semaphore(_JOINING)
        began_s = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()

        async def join(viewer: Viewer) -> None:
            async with gate:
                await viewer.join()

        try:
            for number, viewer in enumerate(self._viewers):
                await asyncio.sleep(max(0.0, began_s + number / self._plan.rate - time.monotonic()))
                tasks.add(asyncio.create_task(join(viewer)))
                if number % 20 == 0:
                    self._tell_joins()
            while waiting := [task for task in tasks if not task.done()]:
                await asyncio.wait(waiting, timeout=_LOOK_S)
                self._tell_joins()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _tell_joins(self) -> None:
        joined = sum(viewer.visit.joined for viewer in self._viewers)
        failed = sum(bool(viewer.visit.failure) for viewer in self._viewers)
        self._tell("joining", joined + failed, self._plan.viewers, f"{joined} in, {failed} failed")

    async def _stay(self, phase: str, seconds: float) -> None:
        """Until the time is over, or everybody has gone."""
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < seconds:
            there = sum(viewer.is_there for viewer in self._viewers)
            self._tell(phase, passed_s, seconds, f"{there} viewers")
            if not there:
                return
            await asyncio.sleep(min(_LOOK_S, seconds - passed_s))

    async def _measure(self) -> None:
        native = self._hub.native
        native.measure(True)
        before = {viewer: dict(viewer.counts()) for viewer in self._viewers if viewer.is_there}
        pid = self._plan.server_pid
        server = usage(pid) if pid else None
        began_s, cpu_s, loop = time.monotonic(), time.process_time(), native.loop()
        await self._stay("measuring", self._plan.seconds)
        native.measure(False)
        seconds, cpu_s, after = time.monotonic() - began_s, time.process_time() - cpu_s, native.loop()
        self.measured = Measured(
            seconds=seconds,
            counts=[difference(viewer.counts(), counts) for viewer, counts in before.items()],
            latencies=native.latencies(),
            pictures=native.pictures(),
            native_cpu_s=(after["cpu_ns"] - loop["cpu_ns"]) / 1e9,
            process_cpu_s=cpu_s,
            server=Server(self._at_first, server, usage(pid)) if pid and server and self._at_first else None,
        )

    async def _leave(self) -> None:
        gate = asyncio.Semaphore(_LEAVING)

        async def leave(viewer: Viewer) -> None:
            async with gate:
                await viewer.leave()

        await asyncio.gather(*(leave(viewer) for viewer in self._viewers))
