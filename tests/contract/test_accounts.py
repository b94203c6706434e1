"""What the store knows of accounts, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.passkey_code import TRIES, PasskeyCode
from liveserver.core.sign_in import Attempts
from liveserver.store import Store
from liveserver.store.accounts import Account, Passkey, StayRow

ACCOUNT = Account("p1", "zhao.li", "赵丽", 1000)
STAY = StayRow("s1", "p1", b"h" * 32, b"", 1000, 1000, 1000, "password", "203.0.113.7", "Firefox")
KEY = Passkey("k1", "p1", b"\x01\x00", 0, "手机", 1000)


class TestAccounts:
    async def test_are_there_once_by_person_and_by_name(self, store: Store) -> None:
        await store.accounts.add(ACCOUNT)
        for other in (replace(ACCOUNT, name="other"), replace(ACCOUNT, person="p2")):
            with pytest.raises(PeerError, match="account_exists"):
                await store.accounts.add(other)
        assert await store.accounts.account("p1") == await store.accounts.named("zhao.li") == ACCOUNT
        assert await store.accounts.account("p2") is None

    async def test_are_listed_newest_first_and_by_role(self, store: Store) -> None:
        for number in range(3):
            await store.accounts.add(replace(ACCOUNT, person=f"p{number}", name=f"n{number}"))
        await store.accounts.change("p1", role="audit")
        accounts, cursor = await store.accounts.listed(None, 2)
        rest, end = await store.accounts.listed(cursor, 2)
        assert [account.person for account in (*accounts, *rest)] == ["p2", "p1", "p0"]
        assert end is None
        assert [account.person for account in (await store.accounts.listed(None, 9, "audit"))[0]] == ["p1"]
        assert await store.accounts.roles_held() == {"audit"}
        with pytest.raises(PeerError, match="no_account"):
            await store.accounts.change("p9", role="audit")

    async def test_a_link_is_used_by_one_of_those_who_race(self, store: Store) -> None:
        await store.accounts.add(replace(ACCOUNT, link="j1"))
        assert not await store.accounts.use_link("p1", "j0")
        used = await asyncio.gather(*(store.accounts.use_link("p1", "j1") for _ in range(10)))
        assert sorted(used) == [False] * 9 + [True]
        assert not await store.accounts.use_link("p1", "")


class TestARole:
    async def test_voids_what_was_made_for_the_one_before_in_one_moment(self, store: Store) -> None:
        await store.accounts.add(replace(ACCOUNT, link="j1"))
        await store.accounts.add_passkey(KEY, 10)
        await store.passkey_codes.put(PasskeyCode("p1", b"m" * 32, "boss", 9_000), 1_000)
        assert await store.accounts.give_role("p1", "inspector", {"moderator", "audit"}) is None
        assert await store.passkey_codes.tried("p1", 1_000) is None
        assert await store.accounts.account("p1") == replace(ACCOUNT, role="inspector")
        assert await store.accounts.give_role("p1", "moderator", {"moderator", "audit"}) == 1
        assert await store.accounts.give_role("p1", "audit", {"moderator", "audit"}) is None
        with pytest.raises(PeerError, match="no_account"):
            await store.accounts.give_role("p9", "audit", frozenset())


class TestAttempts:
    async def test_side_by_side_none_is_lost(self, store: Store) -> None:
        def work(before: Attempts) -> tuple[Attempts, int]:
            return replace(before, count=before.count + 1), before.count

        seen = await asyncio.gather(*(store.accounts.attempt("k", 1000, work) for _ in range(50)))
        assert sorted(seen) == list(range(50))
        assert (await store.accounts.attempts("k")).count == 50
        await store.accounts.forgive("k")
        assert await store.accounts.attempts("k") == Attempts()

    async def test_of_yesterday_are_forgotten_unless_they_lock(self, store: Store) -> None:
        day = 86_400_000
        for key, until in (("old", 0), ("locked", 3 * day)):
            await store.accounts.attempt(key, 0, lambda _, u=until: (Attempts(9, 0, u), None))
        await store.accounts.attempt("new", day + 1, lambda _: (Attempts(1, day + 1, 0), None))
        assert (await store.accounts.attempts("old")).count == 0
        assert (await store.accounts.attempts("locked")).count == 9


class TestStays:
    async def test_a_handle_is_exchanged_by_one_of_those_who_race(self, store: Store) -> None:
        await store.accounts.begin(STAY)
        done = await asyncio.gather(
            *(store.accounts.exchanged("s1", STAY.handle, bytes([n]) * 32, 2000) for n in range(10))
        )
        assert sorted(done) == [False] * 9 + [True]
        row = await store.accounts.stay("s1")
        assert row is not None
        assert (row.before, row.seen_at_ms) == (STAY.handle, 2000)

    async def test_end_once_and_keep_their_reason(self, store: Store) -> None:
        for stay in ("s1", "s2", "s3"):
            await store.accounts.begin(replace(STAY, id=stay))
        assert await store.accounts.end("s1", "idle", 5000)
        assert not await store.accounts.end("s1", "expired", 6000)
        assert await store.accounts.end_of("p1", "password_changed", 7000, spared="s3") == 1
        assert {row.id: row.ended for row in await store.accounts.stays_of("p1")} == {
            "s1": "idle", "s2": "password_changed", "s3": "",
        }  # fmt: skip
        assert not await store.accounts.exchanged("s1", STAY.handle, b"x", 8000)

    async def test_are_forgotten_by_the_time_they_were_last_seen(self, store: Store) -> None:
        for stay, seen in (("s1", 10), ("s2", 20)):
            await store.accounts.begin(replace(STAY, id=stay, seen_at_ms=seen))
        assert await store.accounts.forget_stays(20) == 1
        assert [row.id for row in await store.accounts.stays_of("p1")] == ["s2"]


class TestPasskeys:
    async def test_are_there_once_and_not_too_many(self, store: Store) -> None:
        await store.accounts.add_passkey(KEY, 2)
        with pytest.raises(PeerError, match="passkey_exists"):
            await store.accounts.add_passkey(replace(KEY, person="p2"), 2)
        await store.accounts.add_passkey(replace(KEY, id="k2"), 2)
        with pytest.raises(PeerError, match="too_many_passkeys"):
            await store.accounts.add_passkey(replace(KEY, id="k3"), 2)
        assert await store.accounts.passkeys_of("p1") == [KEY, replace(KEY, id="k2")]
        assert await store.accounts.count_passkeys(["p1", "p2"]) == {"p1": 2}

    async def test_use_a_code_up_and_are_not_added_without_it_or_in_another_role(self, store: Store) -> None:
        accounts, code = store.accounts, PasskeyCode("p1", b"m" * 32, "boss", 5000)
        await accounts.add(Account("p1", "li", "Li", 1, role="moderator"))
        await store.passkey_codes.put(replace(code, mark=b"old"), 1000)
        await store.passkey_codes.put(code, 1000)
        for mark, role in ((b"old", "moderator"), (code.mark, ""), (b"", "moderator")):
            assert not await accounts.add_passkey(KEY, 2, mark, role)
        assert await accounts.add_passkey(KEY, 2, code.mark, "moderator")
        assert not await accounts.add_passkey(replace(KEY, id="k2"), 2, code.mark, "moderator")
        assert await accounts.passkeys_of("p1") == [KEY]

    async def test_take_a_code_that_was_tried_five_times_no_more(self, store: Store) -> None:
        codes, code = store.passkey_codes, PasskeyCode("p1", b"m" * 32, "boss", 5000)
        await codes.put(code, 1000)
        for _ in range(TRIES + 1):
            assert await codes.tried("p1", 2000) == code
            await codes.forgive(code)
        tried = await asyncio.gather(*(codes.tried("p1", 2000) for _ in range(TRIES + 3)))
        assert sorted(one.tries for one in tried if one) == list(range(TRIES))
        assert await codes.tried("p1", 2000) is None
        await codes.put(code, 1000)
        assert await codes.tried("p1", 5000) is None

    async def test_a_counter_goes_on_for_one_of_those_who_race(self, store: Store) -> None:
        await store.accounts.add_passkey(KEY, 2)
        done = await asyncio.gather(*(store.accounts.passkey_used("k1", 0, 1, 2000) for _ in range(5)))
        assert sorted(done) == [False] * 4 + [True]

    async def test_of_a_person_go_one_by_one_or_all(self, store: Store) -> None:
        for key in ("k1", "k2", "k3"):
            await store.accounts.add_passkey(replace(KEY, id=key), 9)
        assert await store.accounts.remove_passkeys("p2", "k1") == 0
        assert await store.accounts.remove_passkeys("p1", "k1") == 1
        assert await store.accounts.remove_passkeys("p1") == 2


class TestSubjects:
    async def test_are_bound_once_either_way(self, store: Store) -> None:
        assert await store.accounts.bind("https://id.example", "u1", "p1", 1000)
        assert not await store.accounts.bind("https://id.example", "u1", "p2", 1000)
        assert not await store.accounts.bind("https://id.example", "u2", "p1", 1000)
        assert await store.accounts.bind("https://other.example", "u1", "p1", 1000)
        assert await store.accounts.subject("https://id.example", "u1") == "p1"
        assert await store.accounts.subject("https://id.example", "u9") is None
