"""Seeds, banks of questions and consents, on both databases."""

from __future__ import annotations

from liveserver.store import Store
from liveserver.store.challenges import BankQuestion


class TestSeed:
    async def test_the_first_one_stays(self, store: Store) -> None:
        assert await store.challenges.seed("l", b"first", "{}") == (b"first", "{}")
        assert await store.challenges.seed("l", b"second", "[]") == (b"first", "{}")

    async def test_each_lesson_has_its_own(self, store: Store) -> None:
        await store.challenges.seed("l", b"first", "{}")
        assert await store.challenges.seed("m", b"second", "{}") == (b"second", "{}")


class TestBank:
    async def test_a_course_asks_its_own_questions_else_everybodys(self, store: Store) -> None:
        ours, all_s = BankQuestion("1", "welding", "{}", "a", 1), BankQuestion("2", "", "{}", "a", 1)
        await store.challenges.add_questions([ours, all_s])
        assert await store.challenges.bank("welding") == [ours]
        assert await store.challenges.bank("cooking") == [all_s]

    async def test_what_is_retired_is_asked_no_more(self, store: Store) -> None:
        await store.challenges.add_questions([BankQuestion("1", "", "{}", "a", 1)])
        assert await store.challenges.retire("1", 2)
        assert not await store.challenges.retire("1", 3)
        assert await store.challenges.bank("") == []


class TestConsent:
    async def test_holds_until_it_is_taken_back(self, store: Store) -> None:
        await store.challenges.consent("p", "face", "ab" * 32, 5)
        assert await store.challenges.consents("p") == {"face": 5}
        assert await store.challenges.withdraw("p", "face", 6)
        assert await store.challenges.consents("p") == {}
        assert not await store.challenges.withdraw("p", "face", 7)

    async def test_may_be_given_again(self, store: Store) -> None:
        await store.challenges.consent("p", "face", "ab" * 32, 5)
        await store.challenges.withdraw("p", "face", 6)
        await store.challenges.consent("p", "face", "cd" * 32, 7)
        assert await store.challenges.consents("p") == {"face": 7}

    async def test_is_one_persons_alone(self, store: Store) -> None:
        await store.challenges.consent("p", "face", "ab" * 32, 5)
        assert await store.challenges.consents("q") == {}
