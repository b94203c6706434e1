"""The ledger checked as a whole (REL-E1 to E4, G40, G41): 100,000 entries, heads, keys, a witness."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from liveserver.clock import Clock
from liveserver.core import heads, merkle
from liveserver.core.heads import Head
from liveserver.core.ledger import entry_leaf
from liveserver.ledger import signing
from liveserver.ledger.check import Report, check_ledger
from liveserver.ledger.notary import Notary
from liveserver.store import Fact, Fault, Store, open_store, prepare_role, verify_ledger
from liveserver.store.ledger import ended_tiles
from tests.contract.postgresql import PostgresqlServer
from tests.contract.raw import Raw, RawSqlite
from tests.contract.test_verify import COLUMNS, flip

SIZE = 100_000
FULL = os.environ.get("RELIABILITY") == "full"


@dataclass(frozen=True)
class Remembered:
    """A witness's memory that is only a list."""

    head: Head
    leaves_: Sequence[bytes]

    def heads(self) -> list[dict[str, Any]]:
        return [{"head": self.head.document(), "keys": []}]

    def leaves(self, number: int, width: int = 256) -> Sequence[bytes]:
        return self.leaves_[number * 256 : number * 256 + width]


@dataclass(frozen=True)
class Large:
    """A ledger of 100,000 entries that nobody changes, what a witness knows of it, and its key."""

    folder: Path
    witness: Remembered


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Large:
    folder = tmp_path_factory.mktemp("large")
    return asyncio.run(made(folder, SIZE))


async def made(folder: Path, size: int) -> Large:
    store = await open_store(f"sqlite:///{folder / 'store.db'}", lambda: 1_800_000_000_000)
    signer = await signing.load_signer(folder / "keys", store, 1)
    notary = Notary(store, Clock(), signer, 60)
    for start in range(0, size, 500):
        await store.append(
            [
                Fact("join", f"l{n % 7}", 1_700_000_000_000 + n, {"person": f"p{n}", "name": "王"})
                for n in range(start, min(size, start + 500))
            ]
        )
        if start % 20_000 == 0:
            await notary.seal()
    head = await notary.seal()
    assert head is not None
    leaves: list[bytes] = []
    while len(leaves) < size:
        leaves += await store.leaves(len(leaves), min(size, len(leaves) + 50_000))
    await store.close()
    return Large(folder, Remembered(head, leaves))


class Copy:
    """A copy of the large ledger in the hands of somebody with every right on it."""

    def __init__(self, large: Large, folder: Path) -> None:
        shutil.copy(large.folder / "store.db", folder / "store.db")
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.folder = folder
        self.witness = large.witness
        self.sql = sqlite3.connect(folder / "store.db", isolation_level=None)
        for (name,) in self.sql.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            self.sql.execute(f"DROP TRIGGER {name}")
        self.raw = RawSqlite(self.url)

    async def found(self, *, witnessed: bool = False) -> Report:
        memory: Any = (lambda log: self.witness) if witnessed else None
        return await check_ledger(self.url, self.witness.head.log, memory)

    async def named(self, *, witnessed: bool = False) -> list[tuple[str, int | None, int]]:
        report = await self.found(witnessed=witnessed)
        return [(found.problem, found.index, found.count) for found in report.findings]

    def rehash(self, start: int, end: int | None = None) -> None:
        """Make all hashes anew as if nothing had happened: leaves from `start` to `end`, and all tiles."""
        stop = self.size() if end is None else end
        rows = self.sql.execute(
            "SELECT entry_index, type, lesson, at_ms, recorded_at_ms, data FROM ledger"
            " WHERE entry_index >= ? AND entry_index < ?",
            (start, stop),
        ).fetchall()
        self.sql.execute("BEGIN")
        leaves = [(entry_leaf(*row), row[0]) for row in rows]
        self.sql.executemany("UPDATE ledger SET leaf = ? WHERE entry_index = ?", leaves)
        self.sql.execute("DELETE FROM ledger_tiles")
        frontier, tiles = merkle.Frontier(), []
        for index, leaf in self.sql.execute("SELECT entry_index, leaf FROM ledger ORDER BY entry_index"):
            tiles += ended_tiles(index, frontier.append(bytes(leaf)))
        self.sql.executemany(
            "INSERT INTO ledger_tiles VALUES (?, ?, ?)",
            [(tile["level"], tile["position"], tile["hash"]) for tile in tiles],
        )
        self.sql.execute("COMMIT")

    def size(self) -> int:
        (count,) = self.sql.execute("SELECT max(entry_index) + 1 FROM ledger").fetchone()
        return int(count)

    def close(self) -> None:
        self.sql.close()


@pytest.fixture
def copy(large: Large, tmp_path: Path) -> Iterator[Copy]:
    made = Copy(large, tmp_path)
    yield made
    made.close()


class TestAHundredThousandEntries:
    async def test_untouched_fit_and_the_witness_agrees(self, large: Large) -> None:
        report = await check_ledger(
            f"sqlite:///{large.folder / 'store.db'}", large.witness.head.log, lambda log: large.witness
        )
        assert (report.findings, report.weaknesses) == ((), ())
        assert (report.size, report.witness, report.heads) == (SIZE, SIZE, 6)

    async def test_with_single_bits_changed_in_every_column_are_named_exactly(self, copy: Copy) -> None:
        """REL-E1: each bit in an entry of its own, all found in one look; one at a time with
        RELIABILITY=full."""
        choice = random.Random(1)
        places = choice.sample(range(SIZE), 1000 if FULL else 500)
        for number, index in enumerate(places):
            column = COLUMNS[number % len(COLUMNS)]
            original = await copy.raw.column(index, column)
            await copy.raw.overwrite(index, column, flip(original, choice))
            if FULL:
                assert await named_first(copy) == Fault(index, "altered")
                await copy.raw.overwrite(index, column, original)
        if not FULL:
            found = await verify_ledger(copy.url)
            altered = [fault for fault in found.faults if fault.problem == "altered"]
            assert [fault.index for fault in altered] == sorted(places)

    async def test_with_one_deleted(self, copy: Copy) -> None:
        copy.sql.execute("DELETE FROM ledger WHERE entry_index = 41234")
        assert ("missing", 41234, 1) in await copy.named()

    async def test_with_one_put_in_between_and_all_hashes_made_anew(self, copy: Copy) -> None:
        copy.sql.execute("UPDATE ledger SET entry_index = -entry_index WHERE entry_index >= 99000")
        copy.sql.execute("UPDATE ledger SET entry_index = 1 - entry_index WHERE entry_index < 0")
        copy.sql.execute(
            "INSERT INTO ledger SELECT 99000, type, lesson, at_ms, recorded_at_ms, data, leaf"
            " FROM ledger WHERE entry_index = 5"
        )
        copy.rehash(99_000)
        assert await copy.named() == [("head", 80_500, 19_500)]
        assert (await copy.named(witnessed=True))[0] == ("rewritten", 99_000, 1)

    async def test_with_two_swapped(self, copy: Copy) -> None:
        for old, new in ((70_001, -1), (70_002, 70_001), (-1, 70_002)):
            copy.sql.execute("UPDATE ledger SET entry_index = ? WHERE entry_index = ?", (new, old))
        assert (await copy.named())[:2] == [("altered", 70_001, 1), ("altered", 70_002, 1)]
        copy.rehash(70_001, 70_003)
        witnessed = await copy.named(witnessed=True)
        assert witnessed[:2] == [("rewritten", 70_001, 1), ("rewritten", 70_002, 1)]

    async def test_with_one_dated_back(self, copy: Copy) -> None:
        for column in ("at_ms", "recorded_at_ms"):
            copy.sql.execute(f"UPDATE ledger SET {column} = {column} - 86400000 WHERE entry_index = 55555")
        assert (await copy.named())[0] == ("altered", 55_555, 1)
        copy.rehash(55_555, 55_556)
        assert await copy.named() == [("head", 40_500, 20_000)]
        assert (await copy.named(witnessed=True))[0] == ("rewritten", 55_555, 1)

    async def test_with_the_end_cut_off_and_its_heads_too(self, copy: Copy) -> None:
        copy.sql.execute("DELETE FROM ledger WHERE entry_index >= 99990")
        copy.rehash(99_990)
        assert ("truncated", 99_990, 10) in await copy.named()
        copy.sql.execute("DELETE FROM ledger_heads WHERE size > 99990")
        assert await copy.named() == []
        assert ("truncated", 99_990, 10) in await copy.named(witnessed=True)

    async def test_with_a_head_altered_or_taken_away(self, copy: Copy) -> None:
        copy.sql.execute(
            "UPDATE ledger_heads SET document = replace(document, '500', '501') WHERE number = 1"
        )
        copy.sql.execute("DELETE FROM ledger_heads WHERE number = 3")
        problems = {problem for problem, _, _ in await copy.named()}
        assert problems == {"head_signature", "head_chain"}


async def named_first(copy: Copy) -> Fault:
    return (await verify_ledger(copy.url)).faults[0]


class TestWhoHasTheDatabaseAndTheKey:
    """REL-E3: the whole history made anew from an entry on, its heads signed with the log's own key."""

    async def test_deceives_everything_but_the_witness(self, copy: Copy, large: Large) -> None:
        copy.sql.execute('UPDATE ledger SET data = \'{"person":"p1"}\' WHERE entry_index = 60000')
        copy.rehash(60_000, 60_001)
        await self.sign_anew(copy, large)
        assert (await copy.named()) == []
        witnessed = await copy.found(witnessed=True)
        first = witnessed.findings[0]
        assert first.problem == "two_faces", "both signed heads are shown"
        assert ("rewritten", 60_000, 1) in await copy.named(witnessed=True)
        leaves = [bytes(leaf) for (leaf,) in copy.sql.execute("SELECT leaf FROM ledger ORDER BY entry_index")]
        assert merkle.tree_root(leaves).hex() != large.witness.head.root

    @staticmethod
    async def sign_anew(copy: Copy, large: Large) -> None:
        key = signing.Key((large.folder / "keys" / "ledger.key").read_bytes())
        rows = copy.sql.execute("SELECT number, size FROM ledger_heads ORDER BY number").fetchall()
        previous: Head | None = None
        signer = signing.LogSigner(large.witness.head.log, key)
        for number, size in rows:
            frontier = merkle.Frontier()
            for (leaf,) in copy.sql.execute(
                "SELECT leaf FROM ledger WHERE entry_index < ? ORDER BY entry_index", (size,)
            ):
                frontier.append(bytes(leaf))
            head = signer.head(previous, size, frontier.root().hex(), 7)
            text = heads.signed_bytes(head.body()).decode()[:-1] + f',"signature":"{head.signature}"}}'
            copy.sql.execute("UPDATE ledger_heads SET document = ? WHERE number = ?", (text, number))
            previous = head


class TestWords:
    async def test_say_what_happened_to_which_entry(self, copy: Copy) -> None:
        copy.sql.execute("DELETE FROM ledger WHERE entry_index = 7")
        (first, *_) = (await copy.found()).findings
        assert first.words() == "Entry 7: not there. Somebody has deleted it."

    async def test_of_another_log(self, large: Large) -> None:
        report = await check_ledger(f"sqlite:///{large.folder / 'store.db'}", "00" * 32)
        assert report.findings[0].words() == f"this is the log {large.witness.head.log}, not {'00' * 32}"


class TestTheDatabasesOwnGuards:
    async def test_that_were_taken_away_are_named(self, store: Store, raw: Raw) -> None:
        missing = [text for text in await store.weaknesses() if "trigger" in text and "missing" in text]
        assert missing == []
        await raw.disarm()
        assert "the trigger ledger_in_order is missing" in await store.weaknesses()


@pytest.fixture
async def role(postgresql: PostgresqlServer) -> AsyncIterator[str]:
    """The address of a store for a role that owns nothing."""
    owner = await asyncpg.connect(postgresql.url())
    await owner.execute("CREATE DATABASE guarded")
    await owner.execute("CREATE ROLE classroom LOGIN")
    url = postgresql.url("guarded")
    await prepare_role(url, "classroom")
    yield url.replace("postgres@", "classroom@")
    await owner.execute("DROP DATABASE guarded WITH (FORCE)")
    await owner.execute("DROP ROLE classroom")
    await owner.close()


class TestARoleWithoutRights:
    async def test_keeps_facts_and_changes_none(self, role: str) -> None:
        store = await open_store(role)
        await store.append([Fact("join", "l1", 1, {"person": "p1"})])
        await store.keep("a", [Fact("join", "l1", 2, {"person": "p2"})])
        assert await store.weaknesses() == []
        assert (await verify_ledger(role)).ok
        await store.close()
        again = await open_store(role)
        assert await again.ledger_size() == 2
        await again.close()
        connection = await asyncpg.connect(role)
        for statement in (
            "UPDATE ledger SET data = '{}'",
            "DELETE FROM ledger",
            "TRUNCATE ledger",
            "ALTER TABLE ledger DISABLE TRIGGER ALL",
            "DROP TABLE ledger_heads",
            "CREATE TRIGGER t BEFORE INSERT ON ledger EXECUTE FUNCTION ledger_refuse()",
            "DELETE FROM alembic_version",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()

    async def test_that_owns_the_tables_is_told_of(self, postgresql: PostgresqlServer, store: Store) -> None:
        said = await store.weaknesses()
        if store.journal_numbers() == {} and said:  # SQLite has no roles
            assert "the server's role is a superuser" in said
            assert "the server's role owns ledger and can take its triggers away" in said
