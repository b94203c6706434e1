"""Who belongs to a class, on two nodes over a real Redis: what one changes, the other's doors know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from liveserver.bus import RedisLine, SharedBus
from liveserver.bus.envelope import Envelope, seal
from liveserver.clock import Clock
from liveserver.core.revocation import Revoked
from liveserver.people import roll
from liveserver.people.people import People
from liveserver.revocations import Revocations
from liveserver.store import Store
from tests.contract.redis import RedisServer
from tests.contract.test_phones import phones

KEY, CHANNEL = bytes(range(32)), "rolls"
HEARD_S = 20


class StoppedClock(Clock):
    """No reading is ever old: only what is heard has a class read again."""

    def monotonic_ns(self) -> int:
        return 0


@dataclass
class Node:
    people: People
    bus: SharedBus

    async def learns(self, training_class: str, person: str) -> bool:
        return await self.people.roll.learns(training_class, person)

    async def until_learns(self, training_class: str, person: str, wanted: bool) -> None:
        async with asyncio.timeout(HEARD_S):
            while await self.learns(training_class, person) is not wanted:  # noqa: ASYNC110 - a roll tells nobody
                await asyncio.sleep(0.005)


@pytest.fixture
async def nodes(store: Store, redis: RedisServer) -> AsyncIterator[tuple[Node, Node]]:
    """Of one installation: one database, one key."""
    redis.up()
    made, stops = [], []
    for _ in range(2):
        bus = SharedBus([RedisLine(redis.url, CHANNEL)], KEY, frozenset([roll.TOPIC]))
        revocations = Revocations(Revoked(), store, bus, Clock(), 86_400_000)
        people = People(store, StoppedClock(), bus, revocations, phones(store))
        stops.append(people.roll.listen())
        made.append(Node(people, bus))
    async with asyncio.timeout(HEARD_S):
        while not all(one.bus.healthy() for one in made):  # noqa: ASYNC110 - the bus has nobody to tell
            await asyncio.sleep(0.005)
    yield made[0], made[1]
    for stop, one in zip(stops, made, strict=True):
        stop()
        await asyncio.to_thread(one.bus.close)


@pytest.fixture
async def school(nodes: tuple[Node, Node]) -> tuple[str, str]:
    """A class, and a person who is not in it."""
    registry = nodes[0].people.registry
    project = await registry.add("project", {"code": "P1", "name": "创业"}, "ada")
    values = {"number": "C1", "name": "一班", "project": project["id"], "capacity": 9}
    cohort = await registry.add("class", values, "ada")
    person = await registry.add("person", {"name": "李"}, "ada")
    return str(cohort["id"]), str(person["id"])


class TestAChangeOnAnotherNode:
    async def test_is_known_once_it_is_heard_of(
        self, nodes: tuple[Node, Node], school: tuple[str, str]
    ) -> None:
        (here, there), (cohort, person) = nodes, school
        assert not await there.learns(cohort, person)
        await here.people.members.enrol(cohort, {"person": person}, "ada")
        await there.until_learns(cohort, person, wanted=True)
        await here.people.members.change_enrolment(cohort, person, {"status": "left"}, "ada")
        await there.until_learns(cohort, person, wanted=False)

    async def test_that_somebody_without_the_key_tells_of_changes_nothing(
        self, nodes: tuple[Node, Node], school: tuple[str, str], redis: RedisServer
    ) -> None:
        (_, there), (cohort, person) = nodes, school
        assert not await there.learns(cohort, person)
        asked = counted(there.people.roll, "_load")
        async with RedisLine(redis.url, CHANNEL).open() as wire:
            told = Envelope("stranger", 1, Clock().wall_ms(), roll.TOPIC, {"class": cohort})
            await wire.send(seal(told, bytes(32)))
            async with asyncio.timeout(HEARD_S):
                while not there.bus.counters["forged"]:  # noqa: ASYNC110 - the bus has nobody to tell
                    await asyncio.sleep(0.005)
        assert not await there.learns(cohort, person)
        assert asked == []


def counted(owner: Any, name: str) -> list[Any]:
    """What `owner`'s method is called with from now on."""
    calls: list[Any] = []
    before: Callable[..., Any] = getattr(owner, name)

    def called(*given: Any) -> Any:
        calls.append(given)
        return before(*given)

    setattr(owner, name, called)
    return calls
