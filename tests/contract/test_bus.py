"""What every bus promises, in one process and over a real Redis or PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from liveserver.bus import Bus, MemoryBus, PostgresqlLine, RedisLine, SharedBus
from liveserver.bus.memory import BACKLOG


@pytest.fixture(params=["memory", "redis", "postgresql"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made: Bus = MemoryBus()
    if request.param != "memory":
        url, topics = request.getfixturevalue(request.param).url, frozenset({"t", "cut", "lesson"})
        line = RedisLine(url, "contract") if request.param == "redis" else PostgresqlLine(url(), "contract")
        made = SharedBus([line], bytes(32), topics)
        async with asyncio.timeout(10):
            while not made.healthy():  # noqa: ASYNC110 - the bus has nobody to tell
                await asyncio.sleep(0.005)
    yield made
    await asyncio.to_thread(made.close)


class Listener:
    """Collects messages and lets a test wait for the n-th."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._arrived = asyncio.Condition()

    def __call__(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._woken = asyncio.ensure_future(self._wake())

    async def _wake(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    async def until(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return self.messages


class TestPublish:
    async def test_reaches_every_subscriber_of_the_topic_and_no_other(self, bus: Bus) -> None:
        loop = asyncio.get_running_loop()
        first, second, other = Listener(), Listener(), Listener()
        bus.subscribe("cut", first, loop)
        bus.subscribe("cut", second, loop)
        bus.subscribe("lesson", other, loop)
        bus.publish("cut", {"lesson": "l1", "level": "lesson"})
        assert await first.until(1) == await second.until(1) == [{"lesson": "l1", "level": "lesson"}]
        assert other.messages == []

    async def test_keeps_the_order(self, bus: Bus) -> None:
        listener = Listener()
        bus.subscribe("t", listener, asyncio.get_running_loop())
        for number in range(200):
            bus.publish("t", {"number": number})
        assert [m["number"] for m in await listener.until(200)] == list(range(200))

    async def test_gives_each_subscriber_an_object_of_its_own(self, bus: Bus) -> None:
        loop = asyncio.get_running_loop()
        first, second = Listener(), Listener()
        sent: dict[str, Any] = {"who": ["a"]}
        bus.subscribe("t", first, loop)
        bus.subscribe("t", second, loop)
        bus.publish("t", sent)
        sent["who"].append("changed after publishing")
        (await first.until(1))[0]["who"].append("changed by a subscriber")
        assert await second.until(1) == [{"who": ["a"]}]

    async def test_from_another_thread_calls_back_on_the_subscribers_loop(self, bus: Bus) -> None:
        threads: list[int] = []
        listener = Listener()

        def callback(message: dict[str, Any]) -> None:
            threads.append(threading.get_ident())
            listener(message)

        bus.subscribe("t", callback, asyncio.get_running_loop())
        await asyncio.to_thread(bus.publish, "t", {})
        await listener.until(1)
        assert threads == [threading.get_ident()]

    async def test_to_a_loop_in_another_thread(self, bus: Bus) -> None:
        listener = Listener()
        here = asyncio.get_running_loop()

        def hand_over(message: dict[str, Any]) -> None:
            here.call_soon_threadsafe(listener, message)

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            bus.subscribe("t", hand_over, loop)
            bus.publish("t", {"to": "guard"})
            assert await listener.until(1) == [{"to": "guard"}]
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        bus.publish("t", {"to": "a closed loop"})

    @pytest.mark.parametrize("message", [{"set": {1}}, {"nan": float("nan")}, {"bytes": b""}])
    async def test_refuses_what_is_not_json(self, bus: Bus, message: dict[str, Any]) -> None:
        with pytest.raises((TypeError, ValueError)):
            bus.publish("t", message)


class TestASubscriber:
    async def test_hears_nothing_after_it_unsubscribed(self, bus: Bus) -> None:
        loop = asyncio.get_running_loop()
        gone, staying = Listener(), Listener()
        unsubscribe = bus.subscribe("t", gone, loop)
        bus.subscribe("t", staying, loop)
        bus.publish("t", {"before": True})
        unsubscribe()
        unsubscribe()
        bus.publish("t", {"after": True})
        await staying.until(2)
        assert gone.messages == []

    async def test_that_fails_still_gets_the_next_message_and_harms_no_other(self, bus: Bus) -> None:
        loop = asyncio.get_running_loop()
        reported: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: reported.append(context))
        listener, other = Listener(), Listener()

        def failing(message: dict[str, Any]) -> None:
            listener(message)
            if message["number"] == 0:
                raise KeyError("mine")

        bus.subscribe("t", failing, loop)
        bus.subscribe("t", other, loop)
        bus.publish("t", {"number": 0})
        bus.publish("t", {"number": 1})
        await listener.until(2)
        await other.until(2)
        assert [type(context["exception"]) for context in reported] == [KeyError]

    async def test_that_does_not_keep_up_loses_the_oldest_and_is_counted(self) -> None:
        bus = MemoryBus()
        listener = Listener()
        bus.subscribe("t", listener, asyncio.get_running_loop())
        for number in range(BACKLOG + 10):
            bus.publish("t", {"number": number})
        messages = await listener.until(BACKLOG)
        assert [messages[0]["number"], messages[-1]["number"]] == [10, BACKLOG + 9]
        assert bus.dropped == 10


class TestHealth:
    async def test_ends_with_close(self, bus: Bus) -> None:
        assert bus.healthy()
        bus.close()
        bus.close()
        assert not bus.healthy()

    async def test_what_was_said_until_now_has_been_heard_until_it_is_closed(self, bus: Bus) -> None:
        heard_ns = bus.heard_ns()
        assert 0 < heard_ns <= time.monotonic_ns()
        async with asyncio.timeout(10):
            while bus.heard_ns() == heard_ns:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)
        bus.close()
        closed_ns = bus.heard_ns()
        await asyncio.sleep(0.01)
        assert bus.heard_ns() == closed_ns
