"""Opening a store: the schema brought up to date, another holder noticed, failures that say why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from liveserver.store import Lesson, StoreError, database, open_store
from liveserver.store.tables.base import METADATA
from tests.contract.raw import Raw, RawPostgresql, RawSqlite

LESSON = Lesson(id="l1", title="Welding", instructor="", state="waiting", created_at_ms=1)
ROOT = Path(__file__).parents[2]


class TestTheSchema:
    async def test_after_all_migrations_is_the_one_in_tables(self, url: str) -> None:
        await (await open_store(url)).close()
        engine = database.connect(url)
        async with engine.connect() as connection:
            differences = await connection.run_sync(
                lambda plain: compare_metadata(MigrationContext.configure(plain), METADATA)
            )
        await engine.dispose()
        assert differences == []

    async def test_is_made_from_any_working_directory(self, url: str, tmp_path: Path) -> None:
        script = (
            "import asyncio, sys\n"
            "from liveserver.store import open_store\n"
            "async def main(): await (await open_store(sys.argv[1])).close()\n"
            "asyncio.run(main())\n"
        )
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", script, url),
            cwd=elsewhere,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert await process.wait() == 0
        assert list(elsewhere.iterdir()) == []
        store = await open_store(url)
        assert await store.ledger_size() == 0
        await store.close()

    async def test_newer_than_the_program_stops_the_start(self, url: str) -> None:
        await (await open_store(url)).close()
        raw: Raw = RawSqlite(url) if url.startswith("sqlite") else await RawPostgresql.connect(url)
        await raw.execute("UPDATE alembic_version SET version_num = '9999'")
        await raw.close()
        with pytest.raises(StoreError, match="not known to this program"):
            await open_store(url)

    async def test_keeps_what_is_there(self, url: str) -> None:
        store = await open_store(url)
        await store.lessons.create(LESSON)
        await store.close()
        store = await open_store(url)
        assert await store.lessons.one("l1") == LESSON
        await store.close()


class TestASqliteFile:
    async def test_open_twice_is_refused_and_the_first_goes_on(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/store.db"
        first = await open_store(url)
        with pytest.raises(StoreError, match="already open in process"):
            await open_store(url)
        await first.lessons.create(LESSON)
        await first.close()
        second = await open_store(url)
        assert await second.lessons.one("l1") == LESSON
        await second.close()

    async def test_is_free_again_after_its_process_was_killed(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/store.db"
        script = (
            "import asyncio, sys\n"
            "from liveserver.store import Fact, open_store\n"
            "async def main():\n"
            "    store = await open_store(sys.argv[1])\n"
            "    await store.append([Fact('start', 'l1', 1, {})])\n"
            "    print('committed', flush=True)\n"
            "    await asyncio.Event().wait()\n"
            "asyncio.run(main())\n"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", script, url),
            env={"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            assert await asyncio.wait_for(process.stdout.readline(), 60) == b"committed\n"
            with pytest.raises(StoreError, match=f"process {process.pid}"):
                await open_store(url)
        finally:
            process.kill()
            await process.wait()
        store = await open_store(url)
        assert [entry.type for entry in await store.entries()] == ["start"]
        await store.close()

    async def test_is_made_with_its_folder_and_read_by_its_owner_alone(self, tmp_path: Path) -> None:
        store = await open_store(f"sqlite:///{tmp_path}/data/deep/store.db")
        await store.lessons.create(LESSON)
        for path in (tmp_path / "data" / "deep").iterdir():
            assert path.stat().st_mode & 0o077 == 0
        await store.close()

    async def test_is_durable_before_a_commit_returns(self, tmp_path: Path) -> None:
        engine = database.connect(f"sqlite:///{tmp_path}/store.db")
        async with engine.connect() as connection:
            assert await connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
            assert await connection.scalar(sa.text("PRAGMA synchronous")) == 2
        await engine.dispose()

    async def test_that_is_no_database_stops_the_start_and_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        path.write_bytes(b"These are my notes, not a database. " * 100)
        before = path.read_bytes()
        with pytest.raises(StoreError, match="DatabaseError"):
            await open_store(f"sqlite:///{path}")
        assert path.read_bytes() == before


class TestAnAddress:
    @pytest.mark.parametrize(
        "address",
        ["", "no address", "sqlite://", "sqlite:///:memory:", "mysql://localhost/db", "sqlite+x:///a"],
    )
    async def test_that_is_none_is_refused(self, address: str) -> None:
        with pytest.raises(StoreError):
            await open_store(address)

    async def test_that_nobody_answers_is_said_so(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="database failed"):
            await open_store(f"postgresql://nobody@/nothing?host={tmp_path}")

    async def test_in_a_folder_that_cannot_be_made_is_said_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="cannot be opened"):
            await open_store(f"sqlite:///{tmp_path}/file/store.db")
