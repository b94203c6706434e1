"""A ledger that somebody with every right on the database has altered (RELIABILITY E1, E2, small)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from liveserver.core import merkle
from liveserver.core.ledger import entry_leaf
from liveserver.store import Fault, Store, StoreError, open_store, verify_ledger
from tests.contract.postgresql import PostgresqlServer
from tests.contract.raw import Raw
from tests.contract.test_ledger import fact, fill

SIZE = 600
COLUMNS = ("type", "lesson", "at_ms", "recorded_at_ms", "data", "leaf")


def flip(value: bytes | int, choice: random.Random) -> bytes | int:
    """`value` with one bit flipped; a text stays ASCII, because PostgreSQL keeps nothing else."""
    if isinstance(value, int):
        return value ^ 1 << choice.randrange(40)
    flipped = bytearray(value)
    flipped[choice.randrange(len(value))] ^= 1 << choice.randrange(3)
    return bytes(flipped)


async def fill_singly(store: Store, count: int) -> None:
    """Bring the ledger to `count` entries, a commit for each."""
    for number in range(await store.ledger_size(), count):
        await store.append([fact(number)])


class TestAnUntouchedLedger:
    async def test_is_found_whole(self, store: Store, url: str) -> None:
        await fill(store, SIZE)
        head = await store.head()
        found = await verify_ledger(url, [head])
        assert found.ok
        assert (found.size, found.root) == head

    async def test_is_found_whole_when_empty(self, store: Store, url: str) -> None:
        found = await verify_ledger(url)
        assert (found.ok, found.size, found.root) == (True, 0, merkle.EMPTY_ROOT)

    async def test_still_begins_with_every_head_it_had(self, store: Store, url: str) -> None:
        await fill(store, 10)
        seen = await store.head()
        await fill(store, 300)
        assert (await verify_ledger(url, [seen, await store.head()])).ok

    async def test_goes_on_growing_while_it_is_verified(self, store: Store, url: str) -> None:
        await fill(store, 250)
        growing = asyncio.create_task(fill_singly(store, 530))
        sizes = []
        while not growing.done():
            found = await verify_ledger(url)
            assert found.ok
            sizes.append(found.size)
        await growing
        assert sizes[0] < 530

    async def test_cannot_have_had_two_heads_of_one_size(self, store: Store, url: str) -> None:
        await fill(store, 10)
        contradiction = (5, merkle.leaf_hash(b"what another witness was told"))
        before = (5, merkle.tree_root(await store.leaves(0, 5)))
        for heads in ([before, contradiction], [contradiction, before]):
            assert (await verify_ledger(url, heads)).faults == (Fault(0, "head", 5),)


class TestASingleBit:
    @pytest.mark.parametrize("column", COLUMNS)
    async def test_flipped_is_found_and_its_entry_named(
        self, store: Store, raw: Raw, url: str, column: str
    ) -> None:
        await fill(store, SIZE)
        await raw.disarm()
        choice = random.Random(column)
        for _ in range(10):
            index = choice.randrange(SIZE)
            original = await raw.column(index, column)
            await raw.overwrite(index, column, flip(original, choice))
            found = await verify_ledger(url)
            assert found.faults[0] == Fault(index, "altered")
            assert all(fault.index <= index < fault.index + fault.count for fault in found.faults)
            await raw.overwrite(index, column, original)
        assert (await verify_ledger(url)).ok

    # PostgreSQL itself refuses to keep a text that is not UTF-8.
    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    async def test_that_makes_a_text_no_text_is_found_too(self, store: Store, raw: Raw, url: str) -> None:
        await fill(store, 5)
        await raw.disarm()
        await raw.overwrite(3, "data", b"\xff\xfe")
        assert (await verify_ledger(url)).faults == (Fault(3, "altered"),)


class TestTheStructure:
    async def test_with_an_entry_deleted(self, store: Store, raw: Raw, url: str) -> None:
        await fill(store, SIZE)
        await raw.disarm()
        await raw.execute("DELETE FROM ledger WHERE entry_index IN (41, 42, 300)")
        found = await verify_ledger(url, [await store.head()])
        assert found.faults[:2] == (Fault(300, "missing"), Fault(41, "missing", 2))

    async def test_with_two_entries_swapped(self, store: Store, raw: Raw, url: str) -> None:
        await fill(store, SIZE)
        await raw.disarm()
        for old, new in ((7, -7), (8, 7), (-7, 8)):
            await raw.execute(f"UPDATE ledger SET entry_index = {new} WHERE entry_index = {old}")
        found = await verify_ledger(url)
        assert found.faults[:2] == (Fault(7, "altered"), Fault(8, "altered"))

    async def test_with_an_entry_rewritten_together_with_its_leaf(
        self, store: Store, raw: Raw, url: str
    ) -> None:
        await fill(store, SIZE)
        await raw.disarm()
        await self.rewrite(store, raw, 300)
        assert (await verify_ledger(url)).faults == (Fault(256, "tile", 256),)

    async def test_with_the_newest_entries_rewritten_is_found_by_a_head_kept_outside(
        self, store: Store, raw: Raw, url: str
    ) -> None:
        await fill(store, SIZE)
        head = await store.head()
        await raw.disarm()
        await self.rewrite(store, raw, 550)
        assert (await verify_ledger(url)).ok
        assert (await verify_ledger(url, [head])).faults == (Fault(0, "head", SIZE),)

    async def test_with_its_end_cut_off_is_found_by_a_head_kept_outside(
        self, store: Store, raw: Raw, url: str
    ) -> None:
        await fill(store, SIZE)
        head = await store.head()
        await raw.disarm()
        await raw.execute("DELETE FROM ledger WHERE entry_index >= 590")
        assert (await verify_ledger(url)).ok
        assert (await verify_ledger(url, [head])).faults == (Fault(590, "truncated", 10),)

    async def test_with_a_tile_altered_or_taken_away(self, store: Store, raw: Raw, url: str) -> None:
        await fill(store, SIZE)
        await raw.disarm()
        await raw.execute(
            "UPDATE ledger_tiles SET hash = (SELECT leaf FROM ledger WHERE entry_index = 0) "
            "WHERE position = 0"
        )
        await raw.execute("DELETE FROM ledger_tiles WHERE position = 1")
        found = await verify_ledger(url)
        assert found.faults == (Fault(0, "tile", 256), Fault(256, "tile_missing", 256))

    async def test_too_damaged_to_open_can_still_be_verified(self, url: str, raw: Raw, store: Store) -> None:
        await fill(store, SIZE)
        await raw.disarm()
        await raw.execute("DELETE FROM ledger_tiles")
        await store.close()
        with pytest.raises(StoreError, match="damaged"):
            await open_store(url)
        assert [fault.problem for fault in (await verify_ledger(url)).faults] == ["tile_missing"] * 2

    async def rewrite(self, store: Store, raw: Raw, index: int) -> None:
        """What an insider who knows the format does: other data, and the leaf that fits it."""
        entry = (await store.entries(after=index - 1, limit=1))[0]
        data = '{"person":"somebody else"}'
        leaf = entry_leaf(index, entry.type, entry.lesson, entry.at_ms, entry.recorded_at_ms, data)
        await raw.overwrite(index, "data", data.encode())
        await raw.overwrite(index, "leaf", leaf)


class TestADatabaseThatIsNotThere:
    async def test_is_said_so(self, postgresql: PostgresqlServer) -> None:
        with pytest.raises(StoreError, match="database failed"):
            await verify_ledger(postgresql.url("nowhere"))

    def test_is_not_made_by_looking(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="there is no database"):
            asyncio.run(verify_ledger(f"sqlite:///{tmp_path}/nowhere.db"))
        assert list(tmp_path.iterdir()) == []
