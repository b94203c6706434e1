"""A kill drill: synthetic viewers of a synthetic lesson, cut and restored again and again, and timed.

    python -m loadtest.drill < PLAN       one line: the fields of `Plan` as a JSON object

Prints one JSON line when all are there ("watching"), for each round ("round") and at the end ("done", or
"failed" and exit code 1). A round: everybody is being sent media; a cut is asked for on the control port;
when nothing has come to anybody for a second, the time of the last packet at each viewer is compared with the
moment before the request was sent. All times are CLOCK_MONOTONIC of this machine. `liveserver drill kill` and
`liveserver bench kill` are made of it. Needs the native half of loadtest.swarm.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from loadtest.swarm.crowd import Viewer
from loadtest.swarm.dtls import HandshakeError, Identity
from loadtest.swarm.hub import Hub
from loadtest.swarm.publishing import PublisherError, publishing
from loadtest.swarm.sdp import UnsuitableError
from loadtest.swarm.tcp import TcpViewer
from loadtest.swarm.whep import RefusedError, Whep

_JOINING = 32
_JOIN_S = 60.0
_LIVE_S = 30.0  # for everybody to be sent media again
_RECENT_NS = 500_000_000
_SILENT_NS = 1_000_000_000
_MEASURED_S = 15.0
_LOOK_S = 0.05
REASON = "Drill of the kill switch"


class DrillError(Exception):
    """The drill could not be held; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`learners`: a token for each viewer, of whom `tcp` come over TCP. `admin`: the second person, where
    restoring needs two. A random time below `pause_s` passes before each cut, so that it falls anywhere
    between two pictures.
    """

    base_url: str
    control_url: str
    lesson: str
    instructor: str
    moderator: str
    admin: str
    learners: Sequence[str]
    tcp: int = 0
    rounds: int = 5
    level: str = "pause"
    pause_s: float = 0.4


class Api:
    """The lesson by REST, as a moderator."""

    def __init__(self, http: aiohttp.ClientSession, plan: Plan):
        self._http, self._plan = http, plan
        self._headers = {"Authorization": f"Bearer {plan.moderator}"}

    async def cut(self) -> dict[str, Any]:
        return await self._post("cut", {"level": self._plan.level, "reason": REASON})

    async def restore(self) -> None:
        if (await self._post("restore", {"reason": REASON}))["state"] == "waiting_for_second":
            await self._post("restore", {"reason": REASON}, self._plan.admin)

    async def measured(self) -> dict[str, Any]:
        """The server's own times of the cut that stands, once it has them."""
        url = f"{self._plan.base_url}/api/v1/lessons/{self._plan.lesson}"
        deadline_s = time.monotonic() + _MEASURED_S
        while time.monotonic() < deadline_s:
            async with self._http.get(url, headers=self._headers) as answer:
                cut = (await answer.json()).get("cut") if answer.status == 200 else None
            if cut and cut.get("measured"):
                return dict(cut["measured"])
            await asyncio.sleep(_LOOK_S)
        raise DrillError("the server does not say how long the cut took")

    async def _post(self, what: str, body: Mapping[str, str], token: str | None = None) -> dict[str, Any]:
        url = f"{self._plan.control_url}/api/v1/lessons/{self._plan.lesson}/{what}"
        headers = {"Authorization": f"Bearer {token}"} if token else self._headers
        async with self._http.post(url, headers=headers, json=dict(body)) as answer:
            told = await answer.json()
            if answer.status not in (200, 202):
                raise DrillError(f"{what}: {answer.status} {told.get('code')}")
            return dict(told)


class Crowd:
    """All viewers of one stretch between joining and being sent away."""

    def __init__(self, plan: Plan, http: aiohttp.ClientSession, hub: Hub, identity: Identity):
        url = f"{plan.base_url}/whep/{plan.lesson}"
        sessions = [Whep(http, url, token) for token in plan.learners]
        self._tcp = [TcpViewer(identity, whep) for whep in sessions[: plan.tcp]]
        self._udp = [Viewer(hub, whep) for whep in sessions[plan.tcp :]]

    async def join(self) -> None:
        gate = asyncio.Semaphore(_JOINING)

        async def join(viewer: Viewer | TcpViewer) -> None:
            async with gate:
                await (viewer.join() if isinstance(viewer, Viewer) else viewer.join(_JOIN_S))

        await asyncio.gather(*(join(viewer) for viewer in [*self._tcp, *self._udp]))
        failed = [viewer.visit.failure for viewer in self._udp if not viewer.visit.joined]
        if failed:
            raise DrillError(f"{len(failed)} viewers did not join: {failed[0]}")

    async def live(self) -> None:
        """Until everybody has been sent media within the last half second."""
        deadline_s = time.monotonic() + _LIVE_S
        while time.monotonic() < deadline_s:
            since_ns = time.monotonic_ns() - _RECENT_NS
            if min(self.last_ns(), default=0) > since_ns:
                return
            await asyncio.sleep(_LOOK_S)
        late = sum(last < time.monotonic_ns() - _RECENT_NS for last in self.last_ns())
        raise DrillError(f"{late} viewers are sent nothing")

    async def silent(self, since_ns: int) -> None:
        """Until nothing has come to anybody for a second, all that long after `since_ns`."""
        while time.monotonic_ns() < max([since_ns, *self.last_ns()]) + _SILENT_NS:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    def last_ns(self, *, tcp: bool | None = None) -> list[int]:
        """When each viewer's last packet came; of one transport, or of both."""
        udp = [] if tcp is True else [viewer.counts().get("last_packet_ns", 0) for viewer in self._udp]
        return udp + ([] if tcp is False else [viewer.last_packet_ns for viewer in self._tcp])

    def byes(self) -> int:
        """Viewers over UDP who were told BYE (RFC 3550 6.6)."""
        return sum(viewer.counts().get("byes", 0) > 0 for viewer in self._udp)

    async def leave(self) -> None:
        gate = asyncio.Semaphore(_JOINING)

        async def leave(viewer: Viewer | TcpViewer) -> None:
            async with gate:
                await (viewer.leave() if isinstance(viewer, Viewer) else viewer.close())

        await asyncio.gather(*(leave(viewer) for viewer in [*self._udp, *self._tcp]))


class Drill:
    """`say(event, **fields)` is told what happens."""

    def __init__(self, plan: Plan, http: aiohttp.ClientSession, hub: Hub, identity: Identity):
        self._plan, self._http, self._hub, self._identity = plan, http, hub, identity
        self._api = Api(http, plan)

    async def run(self) -> None:
        rounds = self._plan.rounds
        if self._plan.level == "lesson":  # everybody is sent away each time
            for number in range(1, rounds + 1):
                async with self._lesson() as crowd:
                    await self._round(number, crowd)
                await self._api.restore()
        else:
            async with self._lesson() as crowd:
                for number in range(1, rounds + 1):
                    await self._round(number, crowd)
                    await self._api.restore()
        say("done")

    @asynccontextmanager
    async def _lesson(self) -> AsyncIterator[Crowd]:
        whip = f"{self._plan.base_url}/whip/{self._plan.lesson}"
        async with publishing(whip, self._plan.instructor, equal=False):
            crowd = Crowd(self._plan, self._http, self._hub, self._identity)
            try:
                await crowd.join()
                await crowd.live()
                say("watching", viewers=len(self._plan.learners))
                yield crowd
            finally:
                await crowd.leave()

    async def _round(self, number: int, crowd: Crowd) -> None:
        await crowd.live()
        await asyncio.sleep(random.uniform(0, self._plan.pause_s))
        asked_ns = time.monotonic_ns()
        await self._api.cut()
        answered_ns = time.monotonic_ns()
        await crowd.silent(asked_ns)
        udp, tcp = crowd.last_ns(tcp=False), crowd.last_ns(tcp=True)
        say(
            "round",
            number=number,
            answered_us=(answered_ns - asked_ns) // 1000,
            udp_us=_after(asked_ns, udp),
            tcp_us=_after(asked_ns, tcp),
            byes=crowd.byes(),
            measured=await self._api.measured(),
        )


def _after(asked_ns: int, last_ns: Sequence[int]) -> int | None:
    """The last packet of all, microseconds after the request; 0 if it came before, None without viewers."""
    return max(0, (max(last_ns) - asked_ns) // 1000) if last_ns else None


FAILURES = (
    DrillError,
    HandshakeError,
    PublisherError,
    RefusedError,
    UnsuitableError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
)


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


async def main() -> int:
    plan = Plan(**json.loads(sys.stdin.readline()))
    try:
        async with AsyncExitStack() as stack:
            connector = aiohttp.TCPConnector(limit=_JOINING + 8)
            http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            identity = Identity()
            hub = await stack.enter_async_context(Hub(identity=identity))
            await Drill(plan, http, hub, identity).run()
    except FAILURES as error:
        say("failed", reason=str(error) or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
