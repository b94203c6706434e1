"""The ledger: gapless, in order, shared commits, provable, and append-only by the database itself."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from liveserver.core import merkle
from liveserver.core.errors import PeerError
from liveserver.core.ledger import canonical_json, entry_leaf
from liveserver.store import ChatLine, Entry, Fact, Store, StoreError, open_store
from tests.contract.conftest import StoppedClock
from tests.contract.raw import Raw


def fact(number: int, lesson: str | None = "l1") -> Fact:
    return Fact("join", lesson, 1_700_000_000_000 + number, {"person": f"p{number}", "name": "王"})


async def fill(store: Store, count: int) -> None:
    """Bring the ledger to `count` entries."""
    while (size := await store.ledger_size()) < count:
        await store.append([fact(number) for number in range(size, min(count, size + 500))])


def leaf_of(entry: Entry) -> bytes:
    return entry_leaf(
        entry.index, entry.type, entry.lesson, entry.at_ms, entry.recorded_at_ms, canonical_json(entry.data)
    )


class TestAppend:
    async def test_returns_the_entries_as_they_can_be_read(self, store: Store, clock: StoppedClock) -> None:
        appended = await store.append([fact(0), fact(1, lesson=None)])
        clock.now_ms += 5
        appended += await store.append([fact(2)])
        assert await store.entries() == appended
        assert [entry.index for entry in appended] == [0, 1, 2]
        assert [entry.recorded_at_ms - clock.now_ms for entry in appended] == [-5, -5, 0]
        assert [entry.leaf for entry in appended] == [leaf_of(entry) for entry in appended]

    async def test_of_nothing_adds_nothing(self, store: Store) -> None:
        assert await store.append([]) == []
        assert await store.head() == (0, merkle.EMPTY_ROOT)

    async def test_from_many_callers_is_gapless_and_keeps_each_callers_order(self, store: Store) -> None:
        async def caller(name: int) -> list[Entry]:
            return [
                entry
                for step in range(3)
                for entry in await store.append([Fact("step", None, step, {"caller": name, "step": step})])
            ]

        everyone = await asyncio.gather(*(caller(name) for name in range(100)))
        entries = await store.entries(limit=1000)
        assert [entry.index for entry in entries] == list(range(300))
        for mine in everyone:
            assert [entry.data["step"] for entry in mine] == [0, 1, 2]
            assert [entry.index for entry in mine] == sorted(entry.index for entry in mine)

    async def test_from_many_callers_shares_commits(self, store: Store) -> None:
        await asyncio.gather(*(store.append([fact(number)]) for number in range(1000)))
        assert await store.ledger_size() == 1000
        assert store.commits <= 10

    async def test_that_fails_harms_no_other_of_the_same_commit(self, store: Store) -> None:
        async def chat(name: str) -> list[Entry]:
            line = ChatLine(name, "l1", "p", "n", "learner", "text", 1, b"salt")
            return await store.append([Fact("chat", "l1", 1, {"id": name})], [line])

        names = ["a", "b", "a", "c", "a"]
        results = await asyncio.gather(*map(chat, names), return_exceptions=True)
        assert [isinstance(result, StoreError) for result in results] == [False, False, True, False, True]
        entries = await store.entries()
        assert [entry.data["id"] for entry in entries] == ["a", "b", "c"]
        assert [entry.index for entry in entries] == [0, 1, 2]
        assert (await store.head())[1] == merkle.tree_root(entry.leaf for entry in entries)

    async def test_is_carried_out_though_its_caller_was_cancelled(self, url: str) -> None:
        store = await open_store(url)
        task = asyncio.create_task(store.append([fact(0)]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()
        store = await open_store(url)
        assert await store.ledger_size() == 1
        await store.close()

    async def test_handed_in_before_close_is_committed(self, url: str) -> None:
        store = await open_store(url)
        waiting = [asyncio.create_task(store.append([fact(number)])) for number in range(20)]
        await asyncio.sleep(0)
        await store.close()
        assert sorted([(await task)[0].index for task in waiting]) == list(range(20))

    @pytest.mark.parametrize(
        "wrong",
        [
            Fact("t", None, -1, {}),
            Fact("t", None, 1, {"seconds": 0.5}),  # type: ignore[dict-item]
            Fact("t", None, 1, {"text": "x" * 65_536}),
        ],
        ids=["time", "fraction", "size"],
    )
    async def test_of_a_fact_that_cannot_be_hashed_is_our_mistake(self, store: Store, wrong: Fact) -> None:
        with pytest.raises(ValueError):
            await store.append([fact(0), wrong])
        assert await store.ledger_size() == 0


class TestEntries:
    async def test_are_read_after_an_index_and_by_lesson(self, store: Store) -> None:
        await store.append([fact(number, lesson=f"l{number % 3}") for number in range(9)])
        assert [entry.index for entry in await store.entries(after=3, limit=2)] == [4, 5]
        assert [entry.index for entry in await store.entries(lesson="l1")] == [1, 4, 7]
        assert [entry.index for entry in await store.entries(after=4, lesson="l1")] == [7]
        assert await store.entries(after=8) == []

    async def test_come_a_thousand_at_a_time_at_most(self, store: Store) -> None:
        await fill(store, 1001)
        assert len(await store.entries(limit=10**9)) == 1000


class TestTheHead:
    async def test_is_the_root_over_all_leaves(self, store: Store) -> None:
        await fill(store, 300)
        assert await store.head() == (300, merkle.tree_root(await store.leaves(0, 300)))

    async def test_is_the_same_after_a_restart_and_goes_on_from_there(self, url: str) -> None:
        store = await open_store(url)
        await fill(store, 700)
        before = await store.head()
        await store.close()
        store = await open_store(url)
        assert await store.head() == before
        await fill(store, 701)
        assert (await store.head())[1] == merkle.tree_root(await store.leaves(0, 701))
        await store.close()


class TestProofs:
    # Around the edges of the tiles of 256 leaves, and below them.
    SIZES = (1, 2, 3, 255, 256, 257, 511, 512, 513, 800)

    async def test_of_inclusion_hold_for_every_size_the_ledger_had(self, store: Store) -> None:
        await fill(store, 800)
        leaves = await store.leaves(0, 800)
        for size in self.SIZES:
            root = merkle.tree_root(leaves[:size])
            for index in {0, size // 2, size - 1}:
                path = await store.proof(index, size)
                assert merkle.verify_inclusion(index, size, leaves[index], path, root)

    async def test_of_consistency_hold_between_all_sizes(self, store: Store) -> None:
        await fill(store, 800)
        leaves = await store.leaves(0, 800)
        roots = {size: merkle.tree_root(leaves[:size]) for size in (0, *self.SIZES)}
        for first, second in [(a, b) for a in roots for b in roots if a <= b]:
            path = await store.consistency(first, second)
            assert merkle.verify_consistency(first, second, roots[first], roots[second], path)

    async def test_are_of_the_present_size_unless_told(self, store: Store) -> None:
        await fill(store, 5)
        assert await store.proof(1) == await store.proof(1, 5)
        assert await store.consistency(3) == await store.consistency(3, 5)

    async def test_of_what_is_not_there_are_refused(self, store: Store) -> None:
        await fill(store, 5)
        for asked in (
            store.proof(5),
            store.proof(-1),
            store.proof(0, 6),
            store.proof(3, 3),
            store.consistency(6),
            store.consistency(3, 2),
            store.consistency(-1),
            store.leaves(0, 6),
            store.leaves(-1, 2),
            store.leaves(3, 2),
        ):
            with pytest.raises(PeerError, match="bad_request"):
                await asked


class TestTheDatabaseItself:
    """Append-only is the database's rule, not the program's."""

    CHANGES = (
        "UPDATE ledger SET type = 'leave' WHERE entry_index = 1",
        "UPDATE ledger SET at_ms = at_ms",
        "DELETE FROM ledger WHERE entry_index = 299",
        "DELETE FROM ledger",
        "UPDATE ledger_tiles SET hash = hash",
        "DELETE FROM ledger_tiles",
    )
    # An index that exists, one that leaves a gap, one below all.
    INSERTS = tuple(
        f"INSERT INTO ledger SELECT {index}, type, lesson, at_ms, recorded_at_ms, data, leaf "
        "FROM ledger WHERE entry_index = 0"
        for index in (7, 301, -1)
    )
    SQLITE = (
        "INSERT OR REPLACE INTO ledger SELECT 7, 'x', lesson, at_ms, recorded_at_ms, data, leaf "
        "FROM ledger WHERE entry_index = 0",
        "REPLACE INTO ledger_tiles SELECT level, position, zeroblob(32) FROM ledger_tiles",
        "INSERT INTO ledger SELECT 7, type, lesson, at_ms, recorded_at_ms, data, leaf FROM ledger "
        "WHERE entry_index = 0 ON CONFLICT(entry_index) DO UPDATE SET type = 'x'",
    )
    POSTGRESQL = (
        "TRUNCATE ledger",
        "TRUNCATE ledger_tiles",
        "TRUNCATE ledger CASCADE",
        "SET session_replication_role = replica; DELETE FROM ledger",
        "SET session_replication_role = replica; TRUNCATE ledger",
        "INSERT INTO ledger SELECT 7, type, lesson, at_ms, recorded_at_ms, data, leaf FROM ledger "
        "WHERE entry_index = 0 ON CONFLICT (entry_index) DO UPDATE SET type = 'x'",
    )

    async def test_refuses_every_way_to_change_what_is_written(
        self, store: Store, raw: Raw, url: str
    ) -> None:
        await fill(store, 300)
        before = await store.entries(limit=1000)
        own = self.SQLITE if url.startswith("sqlite") else self.POSTGRESQL
        for statement in (*self.CHANGES, *self.INSERTS, *own):
            with pytest.raises(Exception, match="append-only"):
                await raw.execute(statement)
        assert await store.entries(limit=1000) == before

    async def test_refuses_a_leaf_that_is_no_hash(self, store: Store, raw: Raw) -> None:
        await fill(store, 1)
        with pytest.raises(Exception, match="leaf_is_sha256"):
            await raw.execute(
                "INSERT INTO ledger SELECT 1, type, lesson, at_ms, recorded_at_ms, data, "
                "substr(leaf, 1, 31) FROM ledger"
            )

    async def test_that_lost_its_end_takes_no_more_entries(self, store: Store, raw: Raw) -> None:
        await fill(store, 10)
        await raw.disarm()
        await raw.execute("DELETE FROM ledger WHERE entry_index = 9")
        with pytest.raises(StoreError, match="damaged"):
            await store.append([fact(9)])


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
class TestAPostgresqlServer:
    async def test_shared_by_two_stores_gets_one_gapless_ledger(self, url: str, store: Store) -> None:
        other = await open_store(url)
        await asyncio.gather(*(each.append([fact(n)]) for n in range(50) for each in (store, other)))
        await store.append([fact(1)])
        leaves = await store.leaves(0, 101)
        assert await store.head() == (101, merkle.tree_root(leaves))
        await other.append([fact(2)])
        assert (await other.head())[0] == 102
        await other.close()

    async def test_that_cut_idle_connections_is_connected_to_again(self, url: str, store: Store) -> None:
        await store.append([fact(0)])
        await cut_connections(url)
        assert (await store.append([fact(1)]))[0].index == 1
        assert await store.ledger_size() == 2

    async def test_that_cuts_a_commit_fails_its_callers_and_nothing_else(
        self, url: str, store: Store
    ) -> None:
        await store.append([fact(0)])
        holder = await asyncpg.connect(url)
        async with holder.transaction():
            await holder.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
            callers = [asyncio.create_task(store.append([fact(n)])) for n in (1, 2, 3)]
            async with asyncio.timeout(30):
                while not await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    continue
            await cut_connections(url, but=holder.get_server_pid())
            results = await asyncio.gather(*callers, return_exceptions=True)
        await holder.close()
        assert [type(result) for result in results] == [StoreError] * 3
        assert (await store.append([fact(4)]))[0].index == 1
        assert (await store.head())[1] == merkle.tree_root(await store.leaves(0, 2))


async def cut_connections(url: str, but: int = 0) -> None:
    """End every other connection to the database, as a restart or a firewall does; not that of pid `but`."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        f"WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), {but})"
    )
    await connection.close()
