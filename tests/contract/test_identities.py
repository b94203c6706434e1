"""Identity numbers as the store keeps them, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liveserver.core.errors import PeerError
from liveserver.store import Fact, Store
from liveserver.store.identities import Identity

ROW = Identity("p1", "cn.ric", b"\x00sealed", b"m" * 32, b"s" * 32, "unproven", 1000, 1000)


def fact(kind: str = "identity_proof") -> Fact:
    return Fact(kind, None, 1000, {"person": "p1"})


class TestIdentities:
    async def test_stand_once_for_a_person_with_a_fact_each(self, store: Store) -> None:
        await store.identities.put(ROW, fact("identity_entered"))
        other = replace(ROW, mark=b"n" * 32, note=b"\xff", state="second_look")
        await store.identities.put(other, fact("identity_entered"))
        assert await store.identities.of("p1") == other
        assert await store.identities.of("p2") is None
        assert [entry.type for entry in await store.entries()] == ["identity_entered"] * 2

    async def test_are_found_by_the_mark_of_the_number(self, store: Store) -> None:
        for person in ("p1", "p2", "p3"):
            mark = b"n" * 32 if person == "p3" else ROW.mark
            await store.identities.put(replace(ROW, person=person, mark=mark), fact())
        assert await store.identities.marked(ROW.mark, "p1") == ["p2"]
        assert await store.identities.marked(b"n" * 32, "p3") == []

    async def test_move_from_where_they_were_seen_and_from_nowhere_else(self, store: Store) -> None:
        await store.identities.put(ROW, fact())
        noted = replace(ROW, state="second_look", changed_at_ms=1001, noted_by="anna")
        await store.identities.move(ROW, noted, fact())
        with pytest.raises(PeerError, match="wrong_step"):
            await store.identities.move(ROW, replace(noted, noted_by="ben"), fact())
        assert await store.identities.of("p1") == noted
        assert len(await store.entries()) == 2  # who came too late left no fact

    async def test_are_erased_once(self, store: Store) -> None:
        await store.identities.put(ROW, fact("identity_entered"))
        assert await store.identities.erase("p1", fact("identity_erased"))
        assert not await store.identities.erase("p1", fact("identity_erased"))
        assert await store.identities.of("p1") is None
        assert [entry.type for entry in await store.entries()] == ["identity_entered", "identity_erased"]
