"""Heads: signed in time and one after the other, by a key that is handed on, checked by anybody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from liveserver import keys
from liveserver.clock import Clock
from liveserver.core import heads, merkle
from liveserver.core.heads import Head, Receipt
from liveserver.ledger import signing
from liveserver.ledger.notary import Notary
from liveserver.store import Store
from tests.contract.raw import Raw
from tests.contract.test_ledger import fact, fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


async def notary_of(store: Store, folder: Path) -> Notary:
    return Notary(store, Clock(), await signing.load_signer(folder, store, 1), every_s=0.01)


async def next_head(store: Store, size: int) -> Head:
    """The head over `size` entries, as soon as it is signed."""
    async with asyncio.timeout(20):
        while not (head := await store.heads.latest()) or head.size < size:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
    return head


class TestHeads:
    async def test_are_signed_in_time_and_each_names_the_one_before(self, store: Store, folder: Path) -> None:
        notary = await notary_of(store, folder)
        await notary.start()
        await fill(store, 5)
        first = await next_head(store, 5)
        await fill(store, 300)
        second = await next_head(store, 300)
        await notary.stop()
        known = await store.heads.keys()
        followed = heads.follow(first.log, known)
        for head in (first, second):
            heads.check(head, followed, first.log)
            heads.check(head, followed, first.log, signing.verify)
            assert head.root == merkle.tree_root(await store.leaves(0, head.size)).hex()
        chained = await store.heads.since(0)
        assert [one.previous for one in chained] == [None, *(one.hash() for one in chained[:-1])]
        path = await store.consistency(first.size, second.size)
        roots = bytes.fromhex(first.root), bytes.fromhex(second.root)
        assert merkle.verify_consistency(first.size, second.size, *roots, path)

    async def test_are_signed_at_the_end_and_not_when_nothing_came(self, store: Store, folder: Path) -> None:
        notary = await notary_of(store, folder)
        assert await notary.seal() is None
        await fill(store, 2)
        await notary.stop()
        assert [head.size for head in await store.heads.since(0)] == [2]
        assert await notary.seal() is None

    async def test_by_two_nodes_at_once_are_one_chain(self, store: Store, folder: Path) -> None:
        nodes = [await notary_of(store, folder) for _ in range(2)]
        for size in range(1, 6):
            await fill(store, size)
            await asyncio.gather(*(node.seal() for node in nodes))
        chained = await store.heads.since(0)
        assert [one.size for one in chained] == [1, 2, 3, 4, 5]
        assert [one.previous for one in chained[1:]] == [one.hash() for one in chained[:-1]]

    async def test_cannot_be_changed_or_taken_away(self, store: Store, folder: Path, raw: Raw) -> None:
        await fill(store, 1)
        await (await notary_of(store, folder)).seal()
        await store.heads.note_witnessed("bucket", 1, 1, {"seen": True})
        for table in ("ledger_heads", "ledger_keys", "ledger_witnessed"):
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET size = 7"):
                with pytest.raises(Exception, match="append-only"):
                    await raw.execute(statement)


class TestKeys:
    async def test_stay_over_a_restart(self, store: Store, folder: Path) -> None:
        signers = [await signing.load_signer(folder, store, 1) for _ in range(2)]
        assert signers[0] is not None
        assert signers[1] is not None
        assert signers[0].log == signers[1].log
        assert len(await store.heads.keys()) == 1

    async def test_are_handed_on_and_old_heads_still_fit(self, store: Store, folder: Path) -> None:
        await fill(store, 1)
        before = await (await notary_of(store, folder)).seal()
        keys.load_or_create(folder / "ledger.next.key")
        await fill(store, 2)
        after = await (await notary_of(store, folder)).seal()
        assert before is not None
        assert after is not None
        assert before.key != after.key
        followed = heads.follow(before.log, await store.heads.keys())
        for head in (before, after):
            heads.check(head, followed, before.log)
        assert not (folder / "ledger.next.key").exists()

    async def test_handed_on_before_a_crash_take_their_place_after_it(
        self, store: Store, folder: Path
    ) -> None:
        await notary_of(store, folder)
        new = keys.load_or_create(folder / "ledger.next.key")
        await notary_of(store, folder)
        (folder / "ledger.key").rename(folder / "ledger.next.key")  # kept, but not moved
        keys.load_or_create(folder / "ledger.key")
        signer = await signing.load_signer(folder, store, 2)
        assert signer is not None
        assert (folder / "ledger.key").read_bytes() == new
        assert len(await store.heads.keys()) == 2

    async def test_that_are_not_the_logs_sign_nothing_and_are_an_alarm(
        self, store: Store, folder: Path
    ) -> None:
        await notary_of(store, folder)
        (folder / "ledger.key").unlink()
        notary = await notary_of(store, folder)
        await notary.start()
        await fill(store, 1)
        assert await notary.seal() is None
        assert notary.numbers()["alarms"] == notary.numbers()["key_missing"] == 1
        await notary.stop()


class TestReceipts:
    async def test_promise_a_fact_and_fit_its_entry(self, store: Store, folder: Path) -> None:
        notary = await notary_of(store, folder)
        promised = notary.receipt(fact(1))
        (entry,) = await store.append([fact(1)])
        kept = notary.receipt(entry.fact, entry)
        assert promised is not None
        assert kept is not None
        assert promised.fact == kept.fact
        assert (kept.index, kept.leaf) == (entry.index, entry.leaf.hex())
        followed = heads.follow(kept.log, await store.heads.keys())
        for receipt in (promised, kept):
            heads.check(Receipt.read(receipt.document()), followed)
