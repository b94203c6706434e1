"""Two nodes, a real Redis and a real PostgreSQL: who hears of a cut when one of them is away, or both.

REL-K2, K3, G5, G6. Each node is a guard with flags and files of its own on a bus of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client

from liveserver.bus import MemoryBus, PostgresqlLine, RedisLine, SharedBus
from liveserver.bus.envelope import Envelope, seal
from liveserver.bus.shared import OUTGOING, Line
from liveserver.clock import Clock
from liveserver.core.events.cut import Cut, Level
from liveserver.core.kill import Kill
from liveserver.cut.guard import Guard
from liveserver.cut.kills import KillFiles
from liveserver.cut.neighbours import STATE_TOPIC, TOPICS
from liveserver.rtp.flags import VIDEO, Flags
from tests.contract.postgresql import PostgresqlServer
from tests.contract.redis import RedisServer
from tests.drivers.process import until

KEY, CHANNEL, ROW, MS = bytes(range(32)), "nodes", 1, 1_000_000
LEASE_NS = 1_500 * MS  # the product's is 5 s; what is shown is that it runs out, and when


async def _stop_nothing() -> None:
    """These guards serve no port."""


async def _serve_nothing(guard: Guard) -> Callable[[], Any]:
    return _stop_nothing


class Node:
    def __init__(self, folder: Path, lines: list[Line]):
        self.clock, self.flags = Clock(), Flags(4)
        self.told: list[tuple[str, str]] = []
        tell = lambda event, line, reason: self.told.append((event, line))  # noqa: E731
        self.bus = SharedBus(lines, KEY, frozenset(TOPICS), tell)
        self.guard = Guard(self.flags, KillFiles(folder), self.bus, self.clock, LEASE_NS, _serve_nothing)
        self.guard.start()
        self.guard.know("a")
        self.guard.open("a", ROW)
        until(self.lit, "lit")

    def lit(self) -> bool:
        return self.flags.allows(ROW, VIDEO, self.clock.monotonic_ns())

    def dark(self) -> bool:
        return not self.lit()

    def cut(self, level: Level = Level.LESSON) -> dict[str, Any]:
        return asyncio.run(self.guard.call(self.guard.cut("a", level, "advert", None, "mod")))

    def restore(self) -> dict[str, Any]:
        return asyncio.run(self.guard.call(self.guard.restore("a", "checked", "mod")))

    def stop(self) -> None:
        self.guard.stop()
        self.bus.close()


Make = Callable[..., Node]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Make]:
    """`node("redis", …)` is another node on these lines."""
    made: list[Node] = []

    def make(*lines: Line) -> Node:
        made.append(Node(tmp_path / f"kills{len(made)}", list(lines)))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def over_redis(redis: RedisServer) -> Iterator[Callable[[], Line]]:
    redis.up()
    yield lambda: RedisLine(redis.url, CHANNEL)
    redis.up()


@pytest.fixture
def over_database(postgresql: PostgresqlServer) -> Iterator[Callable[[], Line]]:
    postgresql.up()
    yield lambda: PostgresqlLine(postgresql.url(), CHANNEL)
    postgresql.up()


class TestBothThere:
    def test_a_cut_is_dark_on_the_other_node_and_lifted_there_is_light_here(
        self, node, over_redis, over_database
    ):
        here, there = (node(over_redis(), over_database()) for _ in range(2))
        here.cut()
        until(there.dark, "dark there", every_s=0.002)
        there.restore()
        until(here.lit, "light here", every_s=0.002)
        assert here.guard.kill_of("a") == there.guard.kill_of("a")
        assert here.bus.counters["repeated"] > 0  # each message came over both lines, and counted once


class TestOneAway:
    @pytest.mark.parametrize("away", ["redis", "postgresql"])
    def test_the_class_goes_on_and_the_other_carries_a_cut(
        self, node, over_redis, over_database, request, away
    ):
        here, there = (node(over_redis(), over_database()) for _ in range(2))
        server = request.getfixturevalue(away)
        server.down()
        until(lambda: ("lost", away) in there.told, "noticed")
        went_ns = time.monotonic_ns()
        until(lambda: time.monotonic_ns() - went_ns > LEASE_NS + 300 * MS, "more than a lease", timeout_s=20)
        assert here.lit() and there.lit()
        here.cut()
        until(there.dark, "dark there", every_s=0.002)
        assert there.guard.kill_of("a").standing


class TestCutOff:
    """The only line there is goes away."""

    def test_it_is_dark_within_the_lease_and_light_by_itself_when_the_line_is_back(
        self, node, redis, over_redis
    ):
        alone = node(over_redis())
        redis.down()
        went_ns = time.monotonic_ns()
        until(alone.dark, "dark", every_s=0.002)
        assert time.monotonic_ns() - went_ns <= LEASE_NS + 100 * MS
        assert alone.guard.alive
        redis.up()
        until(alone.lit, "light again")

    def test_what_was_cut_meanwhile_is_dark_when_it_is_back_and_the_other_way_round(
        self, node, redis, over_redis
    ):
        here, there = node(over_redis()), node(over_redis())
        redis.down()
        here.cut(Level.PAUSE)
        there.cut(Level.CHAT)
        until(there.dark, "cut off")
        redis.up()
        until(lambda: len(there.guard.kill_of("a").standing) == 2, "caught up")
        until(lambda: here.guard.kill_of("a") == there.guard.kill_of("a"), "both know the same")
        assert there.flags.dark(ROW) and here.flags.dark(ROW)
        there.restore()
        until(lambda: not here.guard.kill_of("a").standing, "lifted everywhere")
        until(lambda: here.lit() and there.lit(), "light")

    def test_a_cut_here_needs_nobody(self, node, redis, over_redis):
        alone = node(over_redis())
        redis.down()
        assert alone.cut()["dark_ms"] < 500
        assert alone.flags.dark(ROW)

    def test_a_redis_that_hangs_is_no_line(self, node, over_database, redis, over_redis):
        here, there = (node(over_redis(), over_database()) for _ in range(2))
        os.kill(redis._process.pid, signal.SIGSTOP)
        try:
            here.cut()
            until(there.dark, "dark there", every_s=0.002)
            until(lambda: ("lost", "redis") in there.told, "noticed")
        finally:
            os.kill(redis._process.pid, signal.SIGCONT)


class TestAStrangerOnRedis:
    """Whoever reaches Redis may shout; only the key restores."""

    @pytest.fixture
    def stranger(self, redis: RedisServer, over_redis: object) -> Iterator[Callable[[str], None]]:
        with redis_client.Redis.from_url(redis.url) as client:
            yield lambda text: client.publish(CHANNEL, text)

    def lifted(self, node: Node, key: bytes) -> str:
        kill = node.guard.kill_of("a").lifted("stranger")
        message = {"node": "stranger", "kill": kill.as_json()}
        return seal(Envelope("stranger", 1, node.clock.wall_ms(), STATE_TOPIC, message), key)

    def test_he_restores_nothing(self, node, over_redis, stranger):
        here = node(over_redis())
        here.cut()
        stranger(self.lifted(here, bytes(32)))
        until(lambda: here.bus.counters["forged"], "counted")
        assert here.guard.kill_of("a").standing
        stranger(self.lifted(here, KEY))  # which shows that it is the key alone
        until(lambda: not here.guard.kill_of("a").standing, "lifted")

    def test_what_he_overheard_says_nothing_new(self, node, redis, over_redis, stranger):
        here, there = node(over_redis()), node(over_redis())
        with redis_client.Redis.from_url(redis.url) as client, client.pubsub() as overheard:
            overheard.subscribe(CHANNEL)
            here.cut()
            until(there.dark, "dark there")
            here.restore()
            until(there.lit, "light there")
            here.cut()
            until(there.dark, "dark there")
            texts = []
            while message := overheard.get_message(timeout=0.2):
                if message["type"] == "message":
                    texts.append(message["data"].decode())
        for text in texts:
            stranger(text)
        until(lambda: there.bus.counters["repeated"] >= len(texts) // 4, "counted")
        assert there.guard.kill_of("a").standing and here.guard.kill_of("a").standing

    def test_noise_ends_nothing(self, node, over_redis, stranger):
        here, there = node(over_redis()), node(over_redis())
        for text in ("", "v1", "{}", "x" * 100_000, "\0", "v1." + "0" * 64 + ".{}"):
            stranger(text)
        here.cut()
        until(there.dark, "dark there")


class TestTheQueue:
    def test_what_waits_for_a_line_that_is_away_is_bounded(self, redis, over_redis):
        redis.down()
        bus = SharedBus([over_redis()], KEY, frozenset({"t"}))
        for number in range(OUTGOING + 50):
            bus.publish("t", {"number": number})
        until(lambda: bus.counters["dropped"] >= 50, "dropped")
        redis.up()
        until(bus.healthy, "healthy")
        bus.close()

    def test_one_too_large_for_a_line_is_counted_and_the_others_go_on(self, postgresql, over_database):
        bus = SharedBus([over_database()], KEY, frozenset({"t"}))
        bus.publish("t", {"text": "x" * 8000})
        until(lambda: bus.counters["large"] == 1, "counted")
        until(bus.healthy, "healthy")
        bus.close()


class TestAlone:
    def test_a_node_without_others_is_its_own_authority(self):
        before_ns = time.monotonic_ns()
        assert MemoryBus().heard_ns() >= before_ns

    def test_a_kill_that_comes_by_message_is_a_kill(self):
        kill = Kill("a").with_cut(Cut(Level.PAUSE, "advert", 1, "mod"), "there")
        assert Kill.from_json(kill.as_json()) == kill
