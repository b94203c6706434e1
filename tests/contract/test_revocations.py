"""What the store knows of access that was taken back, on both databases."""

from __future__ import annotations

from dataclasses import replace

from liveserver.core.ledger import Fact
from liveserver.core.revocation import Of, Revocation
from liveserver.store import Store

ONE = Revocation(Of.PERSON, "p1", "", 1, "", 1000, 9000)


async def save(store: Store, one: Revocation) -> None:
    await store.revocations.save(one, Fact("access_revoked", None, one.at_ms, {"id": one.key}))


class TestRevocations:
    async def test_are_kept_once_each_with_their_fact(self, store: Store) -> None:
        of_class = replace(ONE, training_class="c1", at_ms=1500)
        of_role, token = (
            replace(of_class, role="learner", at_ms=1600),
            Revocation(Of.TOKEN, "t1", "", 0, "", 2000, 9000),
        )
        for one in (ONE, of_class, of_role, token, replace(ONE, issued_until_s=3, at_ms=3000)):
            await save(store, one)
        newest_first = [replace(ONE, issued_until_s=3, at_ms=3000), token, of_role, of_class]
        assert await store.revocations.since(0, 10) == newest_first
        assert await store.revocations.since(2000, 10) == newest_first[:2]
        assert await store.revocations.since(0, 1) == newest_first[:1]
        assert [entry.type for entry in await store.entries(limit=10)] == ["access_revoked"] * 5

    async def test_go_when_nothing_can_be_void_by_them(self, store: Store) -> None:
        await save(store, ONE)
        later = replace(ONE, key="p2", at_ms=10_000, until_ms=20_000)
        await save(store, later)
        assert await store.revocations.since(0, 10) == [later]
