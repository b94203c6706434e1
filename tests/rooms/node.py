"""A node without its edge, for tests: rooms over a real store, bus, guard and media plane."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liveserver.bus import MemoryBus
from liveserver.clock import Clock
from liveserver.config.sections import RoomsConfig
from liveserver.core.permissions import Role
from liveserver.core.retention import Retention
from liveserver.core.revocation import Revoked
from liveserver.cut.guard import Guard
from liveserver.cut.kills import KillFiles
from liveserver.people.people import People
from liveserver.people.phones import PURPOSE, Phones
from liveserver.recording import Recordings
from liveserver.revocations import Revocations
from liveserver.rooms.connections import Connection
from liveserver.rooms.rooms import Rooms
from liveserver.rooms.surroundings import MediaPlane, Surroundings
from liveserver.rtp.flags import Flags
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.front import Front
from liveserver.store import Store, StoreError, open_store
from liveserver.tokens import Claims
from liveserver.vault import Vault


class Carrier:
    """A way to one client that keeps what was said."""

    kind = "websocket"

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def send(self, text: str) -> None:
        assert self.closed is None, "said after the end"
        self.heard.append(json.loads(text))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def types(self) -> list[str]:
        return [message["type"] for message in self.heard]

    def last(self, kind: str) -> dict[str, Any]:
        return next(message for message in reversed(self.heard) if message["type"] == kind)


async def soon(look: Callable[[], Any], what: str) -> Any:
    """Let the rooms' tasks run until `look` gives something true; no real time is waited for by itself."""
    async with asyncio.timeout(10):
        while True:
            found = look()
            if found:
                return found
            await asyncio.sleep(0.002)
    raise AssertionError(what)


def claims(person: str = "li", role: Role = Role.LEARNER) -> Claims:
    return Claims(person, person.title(), role, "*", 2**40, f"token-of-{person}")


ADMIN, TEACHER, MODERATOR = (
    claims("ada", Role.ADMIN),
    claims("wang", Role.INSTRUCTOR),
    claims("mo", Role.MODERATOR),
)


class Flaky:
    """A store whose database can be taken away, with all its parts; everything else is the real one's."""

    def __init__(self, real: Any, whole: Flaky | None = None):
        self._real = real
        self._whole = whole or self
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if type(found).__module__.startswith("liveserver.store."):
            return Flaky(found, self._whole)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self._whole.is_away:
                raise StoreError("the database failed: away")
            return await found(*args, **kwargs)

        return call


async def _stop_nothing() -> None:
    """The guard of these tests serves no port."""


async def _serve_nothing(guard: Guard) -> Callable[[], Any]:
    return _stop_nothing


class Node:
    """Rooms and all they need, over one folder; `restarted` is the next life of the same node."""

    store: Store
    rooms: Rooms

    def __init__(self, folder: Path, *, journal: bool = False):
        self.folder = folder
        self._journal = folder / "journal" if journal else None

    async def start(self) -> Node:
        self.clock = Clock()
        self.flags = Flags(8)
        self.bus = MemoryBus()
        self.store = await open_store(f"sqlite:///{self.folder / 'live.db'}", journal=self._journal)
        self.flaky = Flaky(self.store)
        kills = KillFiles(self.folder / "kills")
        self.guard = Guard(self.flags, kills, self.bus, self.clock, 5 * 10**9, _serve_nothing)
        self.guard.start()
        front = Front.bind("127.0.0.1", 0, self.flags, self.clock.monotonic_ns)
        self.forwarder = Forwarder(front, self.flags, self.clock, ["127.0.0.1"])
        self.forwarder.start()
        store: Any = self.flaky
        recordings = Recordings(None, store, self.clock, Retention())
        self.revocations = Revocations(Revoked(), store, self.bus, self.clock, 86_400_000)
        key = bytes(32)
        phones = Phones(store, Vault(store, self.clock, key, PURPOSE), key)
        self.people = People(store, self.clock, self.bus, self.revocations, phones)
        around = Surroundings(store, self.clock, self.guard, recordings, await self.begin_screening(store))
        self.rooms = Rooms(
            around, MediaPlane(self.forwarder), self.bus, RoomsConfig(max_lessons=8),
            admission=self.people.lessons, revocations=self.revocations,
        )  # fmt: skip
        await self.rooms.start()
        return self

    async def begin_screening(self, store: Any) -> Any:
        """Nothing is screened in most of these tests."""
        return None

    async def end_screening(self) -> None:
        """What `begin_screening` began."""

    async def stop(self) -> None:
        await self.rooms.stop()
        await self.end_screening()
        await self.forwarder.stop()
        await asyncio.to_thread(self.guard.stop)
        await self.store.close()
        self.bus.close()

    async def restarted(self) -> Node:
        await self.stop()
        return await self.start()

    async def lesson(self) -> str:
        return (await self.rooms.lessons.create("Lathe safety", ADMIN)).id

    async def join(self, lesson: str, who: Claims) -> tuple[Connection, Carrier]:
        carrier = Carrier()
        return await self.rooms.joining.connect(lesson, who, carrier), carrier

    async def facts(self, lesson: str) -> list[str]:
        """Types of the lesson's facts in order, without presence and the times of cuts."""
        found, after = [], -1
        while page := await self.store.entries(after=after, limit=1000, lesson=lesson):
            found += [entry.type for entry in page]
            after = page[-1].index
        return [kind for kind in found if kind not in ("presence", "cut_measured")]

    async def until_facts(self, lesson: str, expected: list[str]) -> None:
        """Facts of a cut come after its effects."""
        async with asyncio.timeout(10):
            while await self.facts(lesson) != expected:  # noqa: ASYNC110 - the ledger has nobody to tell
                await asyncio.sleep(0.002)


def chat(text: str, ref: str | None = None) -> str:
    return json.dumps({"type": "chat", "text": text} | ({"ref": ref} if ref else {}))
