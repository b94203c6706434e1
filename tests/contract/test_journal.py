"""While the database is away facts wait on the disk, and come into the ledger once and in order (REL-G6)."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from liveserver.core.ledger import Fact
from liveserver.store import ChatLine, Store, StoreError, keeping, open_store, verify_ledger
from liveserver.store.journal import Record, open_journal
from tests.contract.conftest import StoppedClock
from tests.contract.postgresql import PostgresqlServer

LINE = ChatLine("c1", "l1", "p1", "王", "learner", "早上好", 5, b"\x00\xff" * 8)
_numbers = itertools.count()


def record(number: int) -> Record:
    return Record(f"r{number}", [Fact("step", "l1", number, {"step": number, "name": "王"})], [LINE])


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def mode(path: Path) -> int:
    return path.stat().st_mode


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database is given up sooner than in the field."""
    monkeypatch.setattr(keeping, "WITHIN_S", 0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "facts"


@pytest.fixture
def server(postgresql: PostgresqlServer) -> Iterator[PostgresqlServer]:
    yield postgresql
    postgresql.up()


async def made(server: PostgresqlServer) -> str:
    """The address of a new database."""
    name = f"journal_{next(_numbers)}"
    connection = await asyncpg.connect(server.url())
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return server.url(name)


async def steps(store: Store, lesson: str) -> list[int]:
    found, after = [], -1
    while page := await store.entries(after, 1000, lesson):
        found += [int(str(entry.data["step"])) for entry in page]
        after = page[-1].index
    return found


async def drained(store: Store) -> None:
    async with asyncio.timeout(60):
        while store.away:  # noqa: ASYNC110 - the journal has nobody to tell
            await asyncio.sleep(0.01)


def emitter(url: str, path: Path) -> subprocess.Popen[str]:
    """A process of its own that keeps facts until it is killed."""
    command = [sys.executable, "-m", "tests.contract.emitter", url, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


class TestTheFile:
    async def test_gives_back_what_was_added_in_order(self, path: Path) -> None:
        journal = open_journal(path, 10**6)
        await asyncio.gather(*(journal.add(record(number)) for number in range(50)))
        again = open_journal(path, 10**6)
        assert list(again.pending) == [record(number) for number in range(50)]
        assert mode(path) & 0o077 == 0

    async def test_forgets_a_record_without_its_end(self, path: Path) -> None:
        journal = open_journal(path, 10**6)
        for number in range(3):
            await journal.add(record(number))
        whole = read(path)
        for cut in (1, 20, len(record(2).line()) - 1):
            write(path, whole[:-cut])
            again = open_journal(path, 10**6)
            assert [one.id for one in again.pending] == ["r0", "r1"]
            assert again.damaged == 0
            await again.add(record(7))
            assert [one.id for one in open_journal(path, 10**6).pending] == ["r0", "r1", "r7"]

    async def test_with_a_damaged_record_keeps_the_others_and_itself_aside(self, path: Path) -> None:
        journal = open_journal(path, 10**6)
        for number in range(3):
            await journal.add(record(number))
        content = bytearray(read(path))
        content[len(record(0).line()) + 30] ^= 1
        write(path, content)
        again = open_journal(path, 10**6)
        assert [one.id for one in again.pending] == ["r0", "r2"]
        assert again.damaged == 1
        assert read(path.with_name("facts.damaged")) == bytes(content)

    async def test_has_a_bound(self, path: Path) -> None:
        journal = open_journal(path, 2 * len(record(0).line()))
        await journal.add(record(0))
        await journal.add(record(1))
        with pytest.raises(StoreError, match="full"):
            await journal.add(record(2))

    async def test_is_begun_anew_only_when_nothing_waits(self, path: Path) -> None:
        journal = open_journal(path, 10**6)
        await journal.add(record(0))
        await journal.forget()
        assert read(path)
        journal.pending.clear()
        await journal.forget()
        assert read(path) == b""


class TestOnce:
    async def test_what_is_kept_twice_under_one_name_is_there_once(self, store: Store) -> None:
        first = await store.keep("a", [Fact("step", "l1", 1, {"step": 1})], [LINE])
        assert first is not None
        assert [entry.index for entry in first] == [0]
        assert await store.keep("a", [Fact("step", "l1", 1, {"step": 1})], [LINE]) == []
        assert await steps(store, "l1") == [1]
        assert len(await store.chat.newest("l1")) == 1

    async def test_also_when_both_wait_for_the_same_transaction(self, store: Store) -> None:
        fact = Fact("step", "l1", 1, {"step": 1})
        answers = await asyncio.gather(*(store.keep("a", [fact]) for _ in range(5)))
        assert sorted(len(answer or ()) for answer in answers) == [0, 0, 0, 0, 1]

    async def test_what_no_database_holds_is_refused_before_it_waits(self, store: Store, path: Path) -> None:
        with pytest.raises(Exception, match="NUL"):
            await store.keep("a", [Fact("step", "l1", 1, {"text": "\0"})])


class TestTheDatabaseStops:
    async def test_and_comes_back_and_nothing_is_lost_doubled_or_out_of_order(
        self, server: PostgresqlServer, path: Path
    ) -> None:
        """REL-R9, scaled: stopped twice while four callers go on."""
        url = await made(server)
        store = await open_store(url, journal=path)
        acknowledged = [0] * 4
        going = True

        async def caller(name: int) -> None:
            while going:
                step = acknowledged[name]
                await store.keep(f"{name}-{step}", [Fact("step", f"l{name}", step, {"step": step})])
                acknowledged[name] += 1
                await asyncio.sleep(0.002)

        callers = [asyncio.create_task(caller(name)) for name in range(4)]

        async def until_each_has(more: int) -> None:
            wanted = [count + more for count in acknowledged]
            async with asyncio.timeout(60):
                while any(have < want for have, want in zip(acknowledged, wanted, strict=True)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        for _ in range(2):
            await until_each_has(20)
            await asyncio.to_thread(server.down)
            await until_each_has(60)
            assert store.journal_numbers()["waiting_records"] >= 4 * 50
            server.up()  # not in a thread: it lives as long as the thread that started it
            await until_each_has(20)
        going = False
        await asyncio.gather(*callers)
        await drained(store)
        for name, count in enumerate(acknowledged):
            assert await steps(store, f"l{name}") == list(range(count))
        assert (await verify_ledger(url)).ok
        assert read(path) == b""
        await store.close()

    async def test_and_the_process_is_killed_meanwhile(self, server: PostgresqlServer, path: Path) -> None:
        """REL-R10: every fact that was acknowledged is there after the next start."""
        url = await made(server)
        process = emitter(url, path)
        try:
            assert process.stdout is not None
            acknowledged: dict[str, int] = {}
            waited = 0
            for line in process.stdout:
                if line == "ready\n":
                    continue
                name, step, away = line.split()
                acknowledged[name] = int(step)
                if sum(acknowledged.values()) == 100:
                    server.down()
                waited += int(away)
                if waited == 300:
                    break
            os.kill(process.pid, signal.SIGKILL)
            for line in process.stdout:  # said before it died
                name, _, rest = line.partition(" ")
                if line.endswith("\n"):
                    acknowledged[name] = int(rest.split()[0])
        finally:
            process.kill()
            process.wait()
        with pytest.raises(StoreError):
            await open_store(url, journal=path)
        server.up()  # not in a thread: it lives as long as the thread that started it
        store = await open_store(url, journal=path)
        for name, last in acknowledged.items():
            found = await steps(store, f"lesson-{name}")
            assert found[: last + 1] == list(range(last + 1))
            assert found == list(range(len(found)))
        assert not store.away
        assert (await verify_ledger(url)).ok
        await store.close()


class TestIds:
    async def test_are_forgotten_when_nobody_will_ask_again(
        self, url: str, clock: StoppedClock, path: Path
    ) -> None:
        store = await open_store(url, clock, path)
        await store.keep("a", [Fact("step", "l1", 1, {"step": 1})])
        await store.close()
        clock.now_ms += 4 * 86_400_000
        store = await open_store(url, clock, path)
        assert await store.keep("a", [Fact("step", "l1", 2, {"step": 2})]) != []
        assert await store.keep("a", [Fact("step", "l1", 2, {"step": 2})]) == []
        await store.close()
